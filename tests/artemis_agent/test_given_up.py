"""What stands in a lane for alerts that were given up."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from artemis_agent import given_up
from socme.batch import pack
from socme.journal import LOWEST, Draft, Journal
from socme.v1.uplink_pb2 import Dropped, Encoding

LANE = 1


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "spool.db", by_lane=True)
    journal.append([Draft("eve.json", LANE, number, pack([b"a", b"b"])) for number in range(1, 7)])
    yield journal
    journal.close()


def bury(journal: Journal, begin: int, end: int, reason: str = "age") -> tuple[int, int]:
    outlines = journal.outlines(LANE, LOWEST, entries=99)
    chosen = [each for each in outlines if begin <= each.sequence <= end]
    with journal.transaction():
        return given_up.bury(journal, LANE, chosen, reason)


def told(journal: Journal) -> list[tuple[int, int, int, str]]:
    """Return what stands in the lane: first and last sequence, alerts, and why they were given up."""
    found = []
    for entry in journal.read_lane(LANE, LOWEST, entries=99, size=1 << 30):
        if entry.packed.encoding == Encoding.ENCODING_DROPPED:
            message = Dropped.FromString(entry.packed.payload)
            found.append((message.first_sequence, entry.sequence, message.alerts, message.reason))
        else:
            found.append((entry.sequence, entry.sequence, entry.packed.alerts, ""))
    return found


def test_neighbours_become_one(journal: Journal) -> None:
    before = journal.depth()
    entries, size = bury(journal, 2, 4)

    assert told(journal) == [(1, 1, 2, ""), (2, 4, 6, "age"), (5, 5, 2, ""), (6, 6, 2, "")]
    after = journal.depth()
    assert (entries, size) == (after.entries - before.entries, after.bytes - before.bytes)


def test_what_was_given_up_before_is_taken_in(journal: Journal) -> None:
    bury(journal, 2, 3)
    bury(journal, 2, 5)

    assert told(journal) == [(1, 1, 2, ""), (2, 5, 8, "age"), (6, 6, 2, "")]


def test_another_reason_stands_apart(journal: Journal) -> None:
    bury(journal, 2, 2, "refused")
    bury(journal, 2, 4, "age")

    assert told(journal)[1:3] == [(2, 2, 2, "refused"), (3, 4, 4, "age")]


def test_only_alerts_are_lost_and_each_once(journal: Journal) -> None:
    bury(journal, 2, 3)
    outlines = journal.outlines(LANE, LOWEST, entries=99)

    assert sum(given_up.lost(outlines).values()) == 8  # of the four batches that are left
