"""G8: what a watcher is shown is ordered, unique, without a gap, resumed after a cut, and what it may see.

Here a screen whose connection is cut and whose hub is killed. Each of the seven by itself, atomicity,
bookmarks and filters among them: tests/zeus_hub/test_watch_guarantees.py.
"""

from collections import Counter

import pytest

from tests.faults.lines import number_of
from tests.faults.proof import Proof, prove

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.play(of=prove)]


def shown(outcome: Proof) -> list[str]:
    """Return the ids of the sensors' alerts that the screen showed."""
    return [row["id"] for row in outcome.shown if not row["rule"]["id"].startswith("socme.")]


def test_nothing_is_left_out_and_each_lane_is_in_the_order_of_its_commits(outcome: Proof) -> None:
    """Urgent ones may overtake the others."""
    lane = {row.id: row.lane for row in outcome.evidence.stored}
    seen = list(dict.fromkeys(shown(outcome)))
    assert set(seen) == set(lane)
    for each in set(lane.values()):
        assert [id_ for id_ in seen if lane[id_] == each] == [id_ for id_ in lane if lane[id_] == each]


def test_nothing_is_shown_twice(outcome: Proof) -> None:
    assert set(Counter(shown(outcome)).values()) == {1}


def test_no_canary_is_shown(outcome: Proof) -> None:
    assert all(number_of(row.raw) is not None for row in outcome.evidence.stored)
