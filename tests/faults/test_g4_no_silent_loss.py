"""G4: every loss that cannot be avoided is counted with a reason and shown at the hub in a heartbeat."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.judge import Evidence, complaints
from tests.faults.plan import Feed
from tests.faults.test_scenarios import said
from tests.faults.trial import played

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

GRACE = 10.0  # seconds for which a file that is gone is looked for under other names
HEARTBEAT = 1.0  # seconds; how often the node of these tests speaks
SLACK = 4.0  # seconds for two busy processors


@dataclass(frozen=True, slots=True)
class Loss:
    """A log that was deleted while nobody read it."""

    evidence: Evidence
    message: str
    seconds: float
    """From the node's connection to the alert."""


def lose(folder: Path) -> Loss:
    """Write while the agent is dead, and delete the log before it comes back."""
    with played(folder, Feed("suricata", "delete"), Feed("wazuh", "wazuh")) as play:
        play.author.burst(0, 100)
        play.cast.wait(lambda: play.cast.stored() >= 100, "the first alerts are stored", limit=30)
        play.cast.node.program.end()
        play.author.burst(0, 100)
        play.author.rotate(0)
        for feed in (0, 1):
            play.author.burst(feed, 50)
        play.cast.node.program.start()
        play.cast.wait(play.cast.connected, "the node is back", limit=30)
        began = time.monotonic()
        message = said(play, "socme.gap")
        seconds = time.monotonic() - began
        return Loss(play.evidence(), message, seconds)


@pytest.mark.play(of=lose)
def test_a_deleted_log_is_a_gap(outcome: Loss) -> None:
    """What was written into it while nobody read it is lost, all the rest is stored, and the hub says so."""
    evidence = outcome.evidence
    assert len(evidence.issued) - len(evidence.stored) == 100
    assert {gap.feed for gap in evidence.gaps} == {0}
    assert complaints(evidence) == []
    assert "eve.json" in outcome.message
    assert outcome.seconds <= GRACE + HEARTBEAT + SLACK
