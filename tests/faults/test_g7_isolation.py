"""G7: a sink's failure delays only that sink: alerts are taken, acknowledged and shown all the same."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.judge import Evidence, complaints
from tests.faults.plan import Feed
from tests.faults.trial import played
from tests.flow.programs import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ALERTS = 100


@dataclass(frozen=True, slots=True)
class Stuck:
    """What was seen while the store could not write."""

    evidence: Evidence
    stored: int
    """Rows that came into the store meanwhile."""
    shown: int
    """Alerts that a screen showed meanwhile."""


def stick(folder: Path) -> Stuck:
    """Hold the store's database, as a program does that writes into it for long."""
    with played(folder, Feed("suricata", "rename")) as play:
        cast = play.cast
        screen = cast.stage.screen(cast.hub, "lobby", start=False)
        screen.tail.start(ready=False)

        def shown() -> int:
            lines = [line for line in screen.tail.log().splitlines() if line.startswith("{")]
            return len({json.loads(line)["id"] for line in lines})

        play.author.burst(0, 10)
        wait_until(lambda: shown() >= 10, "the screen follows", limit=30, told=screen.tail.log)
        cast.wait(lambda: cast.stored() >= 10, "the first alerts are stored", limit=30)
        with closing(sqlite3.connect(cast.hub.folder / "state" / "zeus.db", isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            before = cast.stored()
            play.author.burst(0, ALERTS)
            cast.wait(lambda: shown() >= 10 + ALERTS, "the screen shows all", limit=20)
            cast.wait(lambda: cast.waiting() == 0, "everything is acknowledged", limit=20)
            stored = cast.stored() - before
            db.execute("ROLLBACK")
        return Stuck(play.evidence(), stored, shown() - 10)


@pytest.mark.play(of=stick)
def test_a_store_that_cannot_write_delays_only_the_store(outcome: Stuck) -> None:
    assert outcome.stored == 0
    assert outcome.shown >= ALERTS
    assert complaints(outcome.evidence) == []
