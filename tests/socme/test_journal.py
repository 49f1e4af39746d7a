"""The journal's promises: order, one transaction, positions that are never given twice."""

import shutil
import sqlite3
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from socme import journal as journals
from socme.batch import Packed
from socme.errors import OperatorError
from socme.journal import DamagedError, Depth, Draft, Held, Journal

GIB = 1 << 30


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Make a journal whose clock ticks a second with each append."""
    ticks = count(1)
    made = Journal(tmp_path / "j.db", clock=lambda: next(ticks) * 10**9)
    yield made
    made.close()


def draft(sequence: int, *, size: int = 10, lane: int = 1, origin: str = "", alerts: int = 2) -> Draft:
    return Draft(origin, lane, sequence, Packed(bytes([sequence % 256]) * size, 1, alerts, 99))


def sequences(journal: Journal, after: int = 0, *, entries: int = 100, size: int = GIB) -> list[int]:
    return [entry.sequence for entry in journal.read(after, entries=entries, size=size)]


def test_entries_come_back_as_they_went_in(journal: Journal) -> None:
    first, second = journal.append([draft(1, origin="acme/n1"), draft(2, lane=2)])

    assert journal.read(0, entries=10, size=GIB) == [first, second]
    assert (first.position, second.position) == (1, 2)
    assert (first.origin, first.lane, first.sequence) == ("acme/n1", 1, 1)
    assert first.received_us == second.received_us == 1_000_000
    assert first.packed == draft(1).packed


def test_a_reader_takes_what_it_can_carry(journal: Journal) -> None:
    """Bounded by number and by size; one entry comes however large it is."""
    journal.append([draft(each, size=100) for each in range(1, 6)])

    assert sequences(journal, entries=2) == [1, 2]
    assert sequences(journal, size=250) == [1, 2]
    assert sequences(journal, size=1) == [1]
    assert sequences(journal, after=3) == [4, 5]
    assert sequences(journal, after=5) == []


def test_a_failing_append_leaves_nothing(journal: Journal) -> None:
    """Entries, notes and what `also` did stand and fall together."""
    journal.append([draft(1)], notes={"a": b"1"})

    def fail(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO note VALUES ('b', x'02', 0)")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        journal.append([draft(2)], notes={"a": b"2"}, also=fail)

    assert sequences(journal) == [1]
    assert journal.notes("") == {"a": b"1"}
    journal.append([draft(2)])
    assert sequences(journal) == [1, 2]


def test_a_full_disk_ends_one_append_only(journal: Journal) -> None:
    """SQLite rolls back by itself then; its error rises, not one about the missing transaction."""
    journal.append([draft(1)])
    journal.query("PRAGMA max_page_count = 1")

    with pytest.raises(sqlite3.OperationalError, match="full"):
        journal.append([draft(2, size=100_000)], notes={"a": b"2"})

    journal.query("PRAGMA max_page_count = 1000000")
    journal.append([draft(2, size=100_000)])
    assert sequences(journal) == [1, 2]


def test_positions_are_never_given_twice(tmp_path: Path) -> None:
    """Not even after all entries are gone and the file was opened anew."""
    journal = Journal(tmp_path / "j.db")
    journal.append([draft(1), draft(2)])
    journal.trim_lane(1, 2)
    assert (sequences(journal), journal.last()) == ([], 2)
    journal.close()

    again = Journal(tmp_path / "j.db")
    (entry,) = again.append([draft(3)])

    assert entry.position == 3
    assert again.last() == 3
    again.close()


def test_depth(journal: Journal) -> None:
    assert journal.depth() == Depth(0, 0, 0, None)
    assert journal.oldest_us() is None
    journal.append([draft(1, origin="a/1")])
    journal.append([draft(1, origin="a/2", size=7)])

    assert journal.depth() == Depth(2, 4, 17, 1_000_000)
    assert journal.depth(after=1) == Depth(1, 2, 7, 2_000_000)
    assert journal.oldest_us() == 1_000_000


def gone(held: list[Held]) -> tuple[int, int, int]:
    """Return how many entries, alerts and bytes went."""
    sums = [(each.entries, each.alerts, each.bytes) for each in held]
    return sum(one for one, _, _ in sums), sum(two for _, two, _ in sums), sum(size for _, _, size in sums)


def test_trimming_a_lane_leaves_the_others(journal: Journal) -> None:
    """It tells what went; beyond the end and before the begin it does what it can."""
    journal.append([draft(1), draft(1, lane=2), draft(2), draft(3), draft(2, lane=2)])

    assert gone(journal.trim_lane(1, 0)) == (0, 0, 0)
    assert gone(journal.trim_lane(1, 2)) == (2, 4, 20)
    assert gone(journal.trim_lane(1, 2)) == (0, 0, 0)
    assert sequences(journal) == [1, 3, 2]
    assert gone(journal.trim_lane(1, 99)) == (1, 2, 10)
    assert sequences(journal) == [1, 2]
    assert gone(journal.trim_lane(2, 99)) == (2, 4, 20)


def test_a_beginning_is_forgotten_with_notes(journal: Journal) -> None:
    """As the hub does in the transaction of an append: all lanes, up to and with a position."""
    journal.append([draft(1), draft(1, lane=2, size=7), draft(2)], notes={"a": b"1", "b": b"2", "c": b"3"})
    assert journal.oldest(2) == [(1, 10), (2, 7)]

    def also(_db: sqlite3.Connection) -> None:
        journal.forget(2)
        journal.delete_notes(["a", "c", "none"])

    journal.append([draft(3)], also=also)

    assert journal.oldest(9) == [(3, 10), (4, 10)]
    assert journal.notes("") == {"b": b"2"}
    assert journal.last() == 4


def test_notes(tmp_path: Path) -> None:
    """They survive, each under its own name."""
    journal = Journal(tmp_path / "j.db")
    assert journal.note("epoch") is None
    journal.append([], notes={"position:a": b"1", "position:b%_": b"2", "other": b"3"})
    journal.close()

    again = Journal(tmp_path / "j.db")

    assert again.note("other") == b"3"
    assert again.notes("position:") == {"position:a": b"1", "position:b%_": b"2"}
    again.close()


def test_tables_of_the_owners_own(tmp_path: Path) -> None:
    """Made once with the file, written in the journal's transactions, read with `query`."""
    schema = "CREATE TABLE seen (key INTEGER PRIMARY KEY) STRICT;"
    for expected in ([1], [1, 2]):
        journal = Journal(tmp_path / "j.db", schema=schema)

        def see(db: sqlite3.Connection, key: int = expected[-1]) -> None:
            db.execute("INSERT INTO seen VALUES (?)", (key,))

        journal.append([], also=see)
        assert [row[0] for row in journal.query("SELECT key FROM seen WHERE key > ?", (0,))] == expected
        journal.close()


def test_the_file_is_private_and_durable(journal: Journal, tmp_path: Path) -> None:
    assert (tmp_path / "j.db").stat().st_mode & 0o777 == 0o600
    assert journal.query("PRAGMA journal_mode") == [("wal",)]
    assert journal.query("PRAGMA synchronous") == [(2,)]


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {journals.VERSION + 1}")
    db.close()

    with pytest.raises(OperatorError, match="newer version") as refusal:
        Journal(path)

    assert "Update" in refusal.value.mend


def test_a_file_that_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)

    with pytest.raises(OperatorError, match="is damaged") as refusal:
        Journal(path)

    assert "Move it away" in refusal.value.mend


def test_one_byte_is_no_empty_journal(tmp_path: Path) -> None:
    """SQLite takes it for one."""
    path = tmp_path / "j.db"
    path.write_bytes(b"S")

    with pytest.raises(DamagedError, match="1 bytes of it"):
        Journal(path)

    assert path.read_bytes() == b"S"


def test_a_log_without_its_file_is_not_begun_anew(tmp_path: Path) -> None:
    """SQLite would delete it, with all that was committed since the last checkpoint."""
    living = Journal(tmp_path / "living.db")
    living.append([draft(1)])
    log = tmp_path / "j.db-wal"
    shutil.copy(tmp_path / "living.db-wal", log)
    living.close()

    for _ in range(2):
        with pytest.raises(DamagedError, match="0 bytes of it"):
            Journal(tmp_path / "j.db")

    assert log.stat().st_size > 0
    assert not (tmp_path / "j.db").exists()


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot open") as refusal:
        Journal(tmp_path / "missing" / "j.db")

    assert "exists" in refusal.value.mend


@pytest.mark.parametrize("change", ["value = x'32'", "key = 'b'", '"check" = "check" + 1'])
def test_a_note_that_was_changed_is_none(journal: Journal, change: str) -> None:
    """A position or a number that passes for another would lose lines without a word."""
    journal.append([], notes={"a": b"1"})
    with journal.transaction() as db:
        db.execute(f"UPDATE note SET {change}")

    for ask in (lambda: journal.notes(""), lambda: journal.note("a") or journal.note("b"), journal.examine):
        with pytest.raises(DamagedError, match="was changed"):
            ask()
