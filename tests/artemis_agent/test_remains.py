"""What can be read of a damaged spool is read; what cannot be is named, and read around."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from artemis_agent import ledger
from artemis_agent.progress import Progress, Waiting
from artemis_agent.remains import Remains, remains
from artemis_agent.shelf import Shelf
from socme.errors import OperatorError
from socme.journal import Journal
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Lane

ENTRIES = 200
PAGE = 4096


def filled(path: Path) -> None:
    """Make a spool of many entries, each of two alerts and larger than a page."""
    journal = Journal(path, schema=ledger.SCHEMA, by_lane=True)
    shelf = Shelf(journal, lambda: 0)
    for number in range(ENTRIES):
        raws = [random.Random(number).randbytes(3000), random.Random(-number - 1).randbytes(3000)]
        alerts = [Waiting(Alert(offset=number, raw=raw).SerializeToString()) for raw in raws]
        shelf.append(Progress("eve.json", b"p", b"c", alerts))
    journal.close()


def read(path: Path) -> tuple[list[int], list[str]]:
    """Return the numbers of the entries that could be read, and why others could not."""
    found = list(remains(path))
    read = [each for each in found if isinstance(each, Remains)]
    assert all((each.origin, each.lane) == ("eve.json", Lane.LANE_NORMAL) for each in read)
    assert all(len(each.alerts) == 2 for each in read)
    return [each.alerts[0].offset for each in read], [each for each in found if isinstance(each, str)]


def test_all_of_a_sound_one(tmp_path: Path) -> None:
    filled(tmp_path / "spool.db")

    assert read(tmp_path / "spool.db") == (list(range(ENTRIES)), [])


@pytest.mark.parametrize("seed", range(12))
def test_every_page_but_the_bad_ones(tmp_path: Path, seed: int) -> None:
    """Whichever they are: what comes is in order, once, and true; something is said of the rest."""
    path = tmp_path / "spool.db"
    filled(path)
    data, dice = bytearray(path.read_bytes()), random.Random(seed)
    for page in dice.sample(range(8, len(data) // PAGE), 2):
        data[page * PAGE : (page + 1) * PAGE] = dice.randbytes(PAGE)
    path.write_bytes(data)

    numbers, reasons = read(path)

    assert numbers == sorted(set(numbers))
    assert len(numbers) > ENTRIES // 2
    assert reasons or len(numbers) == ENTRIES, "an index may be hit, or a free page"


def _junk(path: Path) -> None:
    path.write_bytes(b"no database at all" * 999)


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_junk, _emptied])
def test_nothing_of_a_file_that_is_no_spool(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    damage(tmp_path / "spool.db")

    numbers, reasons = read(tmp_path / "spool.db")

    assert numbers == []
    assert len(reasons) == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="there is no spool"):
        list(remains(tmp_path / "nowhere"))


def _pages(path: Path, name: str) -> list[int]:
    """Return the pages, counted from 0, that hold the rows of a table or an index, in order."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        query = "SELECT pageno - 1 FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path"
        return [page for (page,) in db.execute(query, (name,))]


@pytest.mark.parametrize("index", [True, False], ids=["by its index", "without its index"])
def test_all_between_two_bad_pages(tmp_path: Path, *, index: bool) -> None:
    """One look for each place, where SQLite knows no way around."""
    path = tmp_path / "spool.db"
    filled(path)
    leaves, data = _pages(path, "entry"), bytearray(path.read_bytes())
    for page in (leaves[3], leaves[-3], *(() if index else _pages(path, "entry_lane"))):
        data[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)
    path.write_bytes(data)

    numbers, reasons = read(path)

    held = -(-ENTRIES // len(leaves))  # entries of a page, at most
    assert numbers == sorted(set(numbers))
    assert len(numbers) >= ENTRIES - 2 * held
    assert len(reasons) == 2
    assert "entries from 10995116" in reasons[0]


def test_a_source_whose_name_is_no_text_any_more(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    filled(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE entry SET origin = CAST(x'ff' AS TEXT) WHERE sequence % 2")

    assert len([each for each in remains(path) if isinstance(each, Remains)]) == ENTRIES
