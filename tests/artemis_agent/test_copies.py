"""Keys of alerts that were read are known across a restart, and forgotten within bounds."""

import sqlite3
from pathlib import Path

import pytest

from artemis_agent.copies import SCHEMA, TURN, known, remember
from artemis_agent.copy_key import copy_key
from socme.journal import Journal

NOW = 1_795_374_216_000_000


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "spool.db", schema=SCHEMA)


def keep(journal: Journal, keys: list[int], now_us: int = NOW, *, most: int = 100) -> None:
    journal.append([], also=lambda db: remember(db, keys, now_us, most=most))


def test_a_key_is_known_once_its_transaction_is_committed(journal: Journal) -> None:
    keep(journal, [1, 2**63 - 1])
    assert known(journal.query, [1, 2, 2**63 - 1]) == {1, 2**63 - 1}
    assert known(journal.query, []) == set()


def test_a_key_of_a_transaction_that_failed_is_not_known(journal: Journal) -> None:
    def fail(db: sqlite3.Connection) -> None:
        remember(db, [1], NOW)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        journal.append([], also=fail)
    assert known(journal.query, [1]) == set()


def test_keys_survive_a_restart(tmp_path: Path) -> None:
    before = Journal(tmp_path / "spool.db", schema=SCHEMA)
    keep(before, [7])
    before.close()
    after = Journal(tmp_path / "spool.db", schema=SCHEMA)
    assert known(after.query, [7, 8]) == {7}


def test_a_key_may_come_twice(journal: Journal) -> None:
    """Several alerts of one packet share a key."""
    keep(journal, [5, 5])
    keep(journal, [5])
    assert known(journal.query, [5]) == {5}


def test_half_of_the_keys_are_always_kept_and_never_more_than_all(journal: Journal) -> None:
    for first in range(0, 1000, 10):
        keep(journal, list(range(first, first + 10)), most=100)
        found = known(journal.query, range(1000))
        assert len(found) <= 100
        assert set(range(max(0, first - 40), first + 10)) <= found


def test_keys_are_forgotten_with_time(journal: Journal) -> None:
    keep(journal, [1], NOW)
    keep(journal, [2], NOW + TURN)
    assert known(journal.query, [1, 2]) == {1, 2}
    keep(journal, [3], NOW + TURN + 1)
    assert known(journal.query, [1, 2, 3]) == {1, 2, 3}
    keep(journal, [4], NOW + 3 * TURN)
    assert known(journal.query, [1, 2, 3, 4]) == {3, 4}


def test_a_clock_that_was_set_back_does_not_keep_keys_for_ever(journal: Journal) -> None:
    keep(journal, [1], NOW)
    keep(journal, [2], NOW - 10 * TURN)
    assert known(journal.query, [1, 2]) == {1, 2}
    keep(journal, [3], NOW - 8 * TURN)
    assert known(journal.query, [1, 2, 3]) == {2, 3}


def test_more_keys_than_one_turn_holds_are_all_remembered(journal: Journal) -> None:
    """A single reading is bounded elsewhere; its keys must not be lost here."""
    keep(journal, list(range(300)), most=100)
    assert known(journal.query, range(300)) == set(range(300))


def test_keys_are_looked_up_and_not_searched_for(journal: Journal) -> None:
    plan = journal.query(
        "EXPLAIN QUERY PLAN SELECT key FROM copy_even WHERE key IN (SELECT value FROM json_each(?))", ["[1]"]
    )
    assert any("SEARCH copy_even USING INTEGER PRIMARY KEY" in str(row) for row in plan)


def test_a_commit_touches_few_pages_however_many_keys_there_are(tmp_path: Path) -> None:
    """What the minute in a key's upper bits is for: a thousand new keys do not rewrite a thousand pages."""
    path = tmp_path / "spool.db"
    journal = Journal(path, schema=SCHEMA)
    for minute in range(60):
        stamp = f"2026-11-16T06:{minute:02}"
        keep(journal, [copy_key(f"{stamp}:00", "1", str(flow)) for flow in range(1000)], most=200_000)
    journal.query("PRAGMA wal_checkpoint(TRUNCATE)")
    keep(journal, [copy_key("2026-11-16T07:00:00", "1", str(flow)) for flow in range(1000)], most=200_000)
    pages = (tmp_path / "spool.db-wal").stat().st_size // 4096
    assert pages < 20
