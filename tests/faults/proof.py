"""The run that tests of the guarantees look at: one plan with everything that usually breaks, and a screen.

Both programs are killed, the connection is cut, both logs rotate, also while nobody reads them, and the
spool comes back as an old copy of itself, so that lines are sent again that the hub has.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from tests.faults.judge import Evidence
from tests.faults.plan import HUB, NETWORK, NODE, Feed, Plan, Step
from tests.faults.trial import MIB, RECONNECT_SECONDS, Books, Play, ledger, played, steps_of
from tests.flow.programs import Alert, wait_until

PLAN = Plan(
    seed=0,
    alerts=1500,
    rate=200.0,
    feeds=(Feed("suricata", "gz"), Feed("wazuh", "wazuh")),
    spool_bytes=1 * MIB,
    keep_bytes=1024 * MIB,
    steps=(
        Step(150, "cut", NETWORK),
        Step(200, "rotate", "0"),
        Step(250, "kill", HUB, 1.5),
        Step(400, "burst", "0", amount=600),
        Step(1100, "kill", NODE, 1.5),
        Step(1150, "rotate", "0"),
        Step(1200, "rotate", "1"),
        Step(1250, "rotate", "0"),
        Step(1450, "cut", NETWORK),
        Step(1600, "revert", NODE, 1.5),
        Step(1650, "rotate", "1"),
        Step(1980, "kill", HUB, 0.5),
    ),
)


@dataclass(frozen=True, slots=True)
class Proof:
    """What the run left behind."""

    evidence: Evidence
    books: Books
    shown: list[Alert]
    """What a screen was shown, in that order."""


def prove(folder: Path) -> Proof:
    """Carry the plan out."""
    with played(folder, *PLAN.feeds, spool_bytes=PLAN.spool_bytes, keep_bytes=PLAN.keep_bytes) as play:
        hub = play.cast.hub
        settings = f'hub_address = "{play.cast.proxy.address}"\n'
        screen = play.cast.stage.screen(hub, "lobby", settings=settings, start=False)
        screen.tail.start(ready=False)
        screen.tail.wait_for_log("connected", limit=30)
        steps_of(PLAN, play)
        _send_again(play)
        evidence = play.evidence(ordered=False)

        def shown() -> list[Alert]:
            lines = [line for line in screen.tail.log().splitlines() if line.startswith("{")]
            rows = [json.loads(line) for line in lines]
            return rows if len({row["id"] for row in rows}) >= len(evidence.stored) else []

        rows = wait_until(shown, "the screen has shown everything", limit=30, told=screen.tail.log)
        return Proof(evidence, ledger(hub), rows)


def _send_again(play: Play) -> None:
    """Put the spool back to what it was before the hub took a few alerts.

    In the plan a node may happen not to be connected while its spool grows beyond the copy.
    """
    cast, author = play.cast, play.author

    def taken() -> bool:
        return cast.settled() and cast.stored() == author.written

    cast.wait(taken, "the hub has all", limit=RECONNECT_SECONDS)
    copied = cast.copy_spool()
    assert copied is not None
    author.burst(0, 20)
    cast.wait(taken, "the hub has what was written since the copy", limit=RECONNECT_SECONDS)
    cast.node.program.end()
    cast.replace_spool(copied)
