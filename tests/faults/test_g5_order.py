"""G5: the order of a source is kept within a lane; urgent alerts may overtake the others.

Killed and cut-off programs keep it too: that is judged in every run of a seed.
"""

from pathlib import Path

import pytest

from socme.v1.uplink_pb2 import Lane
from tests.faults.judge import Evidence, complaints
from tests.faults.plan import HUB, NETWORK, NODE, Feed, Plan, Step
from tests.faults.trial import MIB, perform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PLAN = Plan(
    seed=0,
    alerts=900,
    rate=200.0,
    feeds=(Feed("suricata", "rename"), Feed("wazuh", "wazuh")),
    spool_bytes=64 * MIB,
    keep_bytes=1024 * MIB,
    steps=(
        Step(100, "kill", HUB, 1.0),
        Step(300, "rotate", "0"),
        Step(350, "cut", NETWORK),
        Step(400, "burst", "1", amount=400),
        Step(900, "kill", NODE, 0.5),
        Step(1000, "rotate", "1"),
    ),
)


def ordered(folder: Path) -> Evidence:
    """Carry it out."""
    return perform(PLAN, folder)


@pytest.mark.play(of=ordered)
def test_order_is_kept_in_each_lane(outcome: Evidence) -> None:
    assert {row.lane for row in outcome.stored} == {Lane.LANE_NORMAL, Lane.LANE_URGENT}
    assert complaints(outcome) == []
