"""Every value of a spool is looked at, and what was changed is named."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from artemis_agent import held_rows, ledger, scrutiny
from artemis_agent.progress import Progress, Waiting
from artemis_agent.shelf import Shelf
from socme.batch import BatchError
from socme.journal import Journal
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Lane

HELD = """
INSERT INTO held VALUES ('eve.json', x'01', 0, 0, 0, 1, 0, 0);
INSERT INTO held_first VALUES ('eve.json', x'01', x'');
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a spool of five batches, one of them given up, with an alert that is held."""
    path = tmp_path / "spool.db"
    journal = Journal(path, schema=ledger.SCHEMA + held_rows.SCHEMA + HELD, by_lane=True)
    shelf = Shelf(journal, lambda: 0)
    for number in range(5):
        alerts = [Waiting(Alert(offset=number, raw=b"x" * 50).SerializeToString()) for _ in range(3)]
        shelf.append(Progress("eve.json", b"p", b"c", alerts, {"read": 3}))
    shelf.give_up(Lane.LANE_NORMAL, 2, "refused")
    journal.close()
    return path


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal(path, by_lane=True)
    yield journal
    journal.close()


def test_a_sound_one(journal: Journal) -> None:
    assert list(scrutiny.faults(journal.query)) == []


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (
            "UPDATE entry SET payload = substr(payload, 1, length(payload) - 1) WHERE encoding = 3",
            "cannot be",
        ),
        ("UPDATE entry SET alerts = 4 WHERE encoding = 3", "holds 3 alerts, claims 4"),
        ("UPDATE entry SET encoding = 7 WHERE encoding = 3", "unknown encoding 7"),
        ("UPDATE entry SET payload = x'ffffffff' WHERE encoding = 2", "cannot be decoded"),
        ("UPDATE entry SET payload = x'0801' WHERE encoding = 2", ""),
        ("UPDATE entry SET payload = x'' WHERE encoding = 2", "were never there"),
        ("UPDATE entry SET sequence = 5 WHERE sequence = (SELECT max(sequence) FROM entry)", "out of order"),
        ("UPDATE note SET value = x'ff' WHERE key = 'position:eve.json'", "the note 'position:eve.json'"),
        ("UPDATE ledger SET key = 'reed' WHERE key = 'read'", "the ledger"),
        ("UPDATE ledger SET hour = -999999999", "the ledger"),
        ("UPDATE held_first SET alert = x'ffff'", "the first alert of a roll-up"),
        ("DELETE FROM held_first", "have lost their first alert"),
    ],
)
def test_what_was_changed_is_named(path: Path, journal: Journal, damage: str, fault: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(damage)
    db.close()

    found = list(scrutiny.faults(journal.query))

    assert bool(found) == bool(fault)
    assert fault in "".join(found[:1])


def test_an_entry_that_is_not_what_the_index_says_does_not_leave(journal: Journal) -> None:
    """A number that was changed would make the hub take it for one that it has."""
    entries, outlines = (
        journal.read(0, entries=2, size=1 << 20),
        journal.outlines(Lane.LANE_NORMAL, 0, entries=2),
    )

    scrutiny.leaving(entries, outlines)
    with pytest.raises(BatchError, match="is not what the index says"):
        scrutiny.leaving(entries, [outlines[0], outlines[0]])
