"""A spool that is damaged or gone is set aside, and reading resumes where it is sure."""

import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from artemis_agent import file_identity, ledger, salvage, sure
from artemis_agent.file_identity import Position
from artemis_agent.progress import Progress, Waiting
from artemis_agent.salvage import FILE, SUSPECT, Opened
from artemis_agent.sure import Sure
from socme.errors import OperatorError
from socme.journal import VERSION, DamagedError
from tests.artemis_agent.aside import put_aside

SURE = {"eve.json": file_identity.encode(Position(since=7))}
POSITION = file_identity.encode(Position(since=49))  # where the last of many alerts was read


def opened(folder: Path) -> Opened:
    return salvage.opened(folder, schema="", clock=time.time_ns)


def filled(folder: Path) -> bytes:
    """Make a spool that holds many alerts, and what is sure beside it; return its epoch."""
    spool = opened(folder)
    for number in range(50):
        alerts, position = [Waiting(random.randbytes(3000))], file_identity.encode(Position(since=number))
        spool.shelf.append(Progress("eve.json", position, b"totals", alerts))
    sure.write(folder, Sure(spool.shelf.epoch, SURE))
    spool.journal.close()
    return spool.shelf.epoch


def _noise(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[8192 : 8192 + 65536] = random.randbytes(65536)
    file.write_bytes(data)
    file.with_name(SUSPECT).touch()


def _junk(file: Path) -> None:
    file.write_bytes(b"no database at all" * 1000)


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


def _emptied(file: Path) -> None:
    file.write_bytes(b"")


DAMAGES = [_noise, _junk, _cut, _emptied, Path.unlink]


@pytest.mark.parametrize("damage", DAMAGES, ids=["noise", "junk", "cut", "emptied", "gone"])
def test_it_is_set_aside_and_reading_resumes_where_it_is_sure(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    epoch = filled(tmp_path)
    file = tmp_path / FILE
    damage(file)
    left = file.read_bytes() if file.exists() else None

    spool = opened(tmp_path)

    assert spool.set_aside
    assert spool.shelf.epoch != epoch
    assert spool.shelf.depth.entries == 0
    assert spool.shelf.positions() == SURE
    assert left is None or Path(spool.set_aside).read_bytes() == left
    assert not (tmp_path / SUSPECT).exists()
    spool.journal.close()
    again = opened(tmp_path)
    assert not again.set_aside
    again.journal.close()


def test_the_books_of_a_new_file_are_other_books(tmp_path: Path) -> None:
    """What it tells of an hour must not take the place of what the old one told."""
    filled(tmp_path)
    before = opened(tmp_path)
    book = before.journal.note("book")
    before.journal.close()
    _noise(tmp_path / FILE)
    after = opened(tmp_path)

    assert after.set_aside
    assert book != after.journal.note("book")
    after.journal.close()


def test_a_sound_one_stays(tmp_path: Path) -> None:
    """Also where an agent had a doubt."""
    epoch = filled(tmp_path)
    salvage.suspect(tmp_path)

    spool = opened(tmp_path)

    assert not spool.set_aside
    assert spool.shelf.epoch == epoch
    assert spool.shelf.depth.entries == 50
    assert spool.shelf.positions() == {"eve.json": POSITION}
    spool.journal.close()


def test_without_what_is_sure_its_own_positions_have_to_do(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / sure.NAME).unlink()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("DROP TABLE ledger")
        db.execute("DROP TABLE entry")

    spool = opened(tmp_path)

    assert spool.set_aside
    assert spool.shelf.positions() == {"eve.json": POSITION}
    assert spool.journal.note("counters:eve.json") == b"totals"
    assert ledger.hours(spool.journal.query, []) == []
    spool.journal.close()


def test_a_position_that_is_none_is_not_carried_over(tmp_path: Path) -> None:
    """It would end this start and every other."""
    filled(tmp_path)
    (tmp_path / sure.NAME).unlink()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("UPDATE note SET value = x'00ff' WHERE key LIKE 'position:%'")
        db.execute("DROP TABLE entry")

    spool = opened(tmp_path)

    assert spool.set_aside
    assert spool.shelf.positions() == {}
    spool.journal.close()


def test_a_newer_one_is_refused_and_not_touched(tmp_path: Path) -> None:
    filled(tmp_path)
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("PRAGMA user_version = 99")

    with pytest.raises(OperatorError, match="newer version"):
        opened(tmp_path)

    assert sorted(tmp_path.glob("*damaged*")) == []


def _older(file: Path) -> None:
    """Make a spool what version 2 of its schema was: its notes had no checks."""
    with closing(sqlite3.connect(file)) as db:
        db.executescript(
            "CREATE TABLE older (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"
            " INSERT INTO older SELECT key, value FROM note; DROP TABLE note;"
            " ALTER TABLE older RENAME TO note; PRAGMA user_version = 2"
        )


@pytest.mark.parametrize("suspected", [False, True])
def test_an_older_one_is_refused_and_not_touched(tmp_path: Path, *, suspected: bool) -> None:
    """It is sound: set aside as if it were damaged, what waits in it would not be sent by itself."""
    filled(tmp_path)
    _older(tmp_path / FILE)
    if suspected:
        salvage.suspect(tmp_path)
    before = (tmp_path / FILE).read_bytes()
    names = sorted(path.name for path in tmp_path.iterdir())

    with pytest.raises(OperatorError) as refusal:
        opened(tmp_path)

    older = f"was written by an older version (schema 2, this program needs {VERSION})"
    assert str(refusal.value).startswith(f"{tmp_path / FILE} {older}")
    assert "Let the version that wrote it finish its work first" in refusal.value.mend
    assert "move the file away (keep it" in refusal.value.mend
    assert not isinstance(refusal.value, DamagedError)
    assert (tmp_path / FILE).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_nothing_that_was_set_aside_is_overwritten(tmp_path: Path) -> None:
    names = set()
    for number in range(3):
        (tmp_path / FILE).write_bytes(b"%d" % number)
        names.add(put_aside(tmp_path / FILE, 0))

    assert sorted(Path(name).read_bytes() for name in names) == [b"0", b"1", b"2"]


@pytest.mark.parametrize("steps", range(4))
def test_cut_off_while_it_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Parted from its log it would be an older copy of itself, and pass for sound."""
    epoch, held_open = filled(tmp_path), sqlite3.connect(tmp_path / FILE)
    held_open.execute("SELECT count(*) FROM note").fetchone()  # so that the log stays
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("UPDATE note SET value = x'00' WHERE key = 'epoch'")
    db.close()
    assert (tmp_path / f"{FILE}-wal").stat().st_size
    left, real = [steps], Path.rename

    def rename(path: Path, target: str | Path) -> Path:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        opened(tmp_path)
    monkeypatch.undo()

    spool = opened(tmp_path)

    assert spool.shelf.epoch != epoch
    assert spool.shelf.positions() == SURE
    (aside,) = (path for path in tmp_path.glob("*damaged*") if not path.name.endswith(("-wal", "-shm")))
    assert spool.set_aside == str(aside)
    assert Path(f"{aside}-wal").stat().st_size, "with its log"
    assert not (tmp_path / f"{FILE}.new").exists()
    spool.journal.close()
    held_open.close()


@pytest.mark.parametrize("key", ["epoch", "lane:1", "acknowledged", "position:eve.json", "counters:eve.json"])
def test_a_note_that_was_changed_is_met_at_every_start(tmp_path: Path, key: str) -> None:
    """No start may be refused for it, nor may reading go on elsewhere."""
    filled(tmp_path)
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("INSERT OR IGNORE INTO note VALUES (?, x'01', 0)", (key,))
        db.execute("UPDATE note SET value = x'01' WHERE key = ?", (key,))
    db.close()

    spool = opened(tmp_path)

    assert spool.set_aside
    assert spool.shelf.positions() == SURE
    spool.journal.close()


def test_a_sure_position_that_is_none_is_not_carried_over(tmp_path: Path) -> None:
    filled(tmp_path)
    sure.write(tmp_path, Sure(b"", {"eve.json": b"nonsense"}))
    _junk(tmp_path / FILE)

    spool = opened(tmp_path)

    assert spool.shelf.positions() == {}
    spool.journal.close()
