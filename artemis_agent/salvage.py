"""A spool that is damaged or gone: it is set aside, never deleted, and a new one takes up where it is sure.

Reading resumes at the positions of `sure.json`; what is read twice is known at the hub by its id. Of a
source that has none there, the damaged spool's own position is the best that is known.
"""

import os
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from artemis_agent import file_identity, held_rows, ledger, scrutiny, sure
from artemis_agent.numbering import number
from artemis_agent.scrutiny import DAMAGE
from artemis_agent.shelf import Shelf
from artemis_agent.sure import Sure
from socme.batch import BatchError
from socme.errors import OperatorError
from socme.journal import DamagedError, Journal, check_of_note, disk_fault

FILE = "spool.db"
SET_ASIDE = "damaged"  # stands in the name of a spool that was set aside
FRESH = f"{FILE}.new"  # what is to stand in the place of a damaged one
SUSPECT = "spool.suspect"  # says that damage was met while the agent ran, or how a spool is being set aside
_PARTS = ("", "-wal", "-shm")
_LARGEST_TOTAL = 1 << 48  # alerts; a number beyond it is damage


@dataclass(frozen=True, slots=True)
class Opened:
    """A spool that is open."""

    state_dir: Path
    journal: Journal
    shelf: Shelf
    set_aside: str
    """Path of the damaged one that was in its place; empty where it was sound."""


def opened(state_dir: Path, *, schema: str, clock: Callable[[], int]) -> Opened:
    """Open the spool of a folder whose lock is held, making it where there is none. Blocks."""
    path = state_dir / FILE
    known = sure.read(state_dir)
    aside = _go_on(path)
    if not _has_content(path) and (known is not None or _has_content(Path(f"{path}-wal"))):
        aside = _begin_anew(path, known, schema, clock)
    try:
        journal, shelf = _open(path, schema, clock)
    except DamagedError:
        aside = _begin_anew(path, known, schema, clock)
        journal, shelf = _open(path, schema, clock)
    (state_dir / SUSPECT).unlink(missing_ok=True)
    return Opened(state_dir, journal, shelf, aside)


def suspect(state_dir: Path) -> None:
    """Make the next start look closely."""
    with suppress(OSError):  # it is met again then
        (state_dir / SUSPECT).touch()


def rename(path: Path, target: Path) -> bool:
    """Rename a file of SQLite with what belongs to it, itself last; return whether there was anything."""
    parts = [part for part in _PARTS if Path(f"{path}{part}").exists()]
    for part in reversed(parts):
        Path(f"{path}{part}").rename(f"{target}{part}")
    return bool(parts)


def _free_name(path: Path, now_ns: int) -> Path:
    stamp = datetime.fromtimestamp(now_ns / 1e9, UTC).strftime("%Y%m%dT%H%M%S")
    aside = path.with_name(f"{path.name}.{SET_ASIDE}-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.{SET_ASIDE}-{stamp}-{number}")
    return aside


def _moved(path: Path, aside: Path) -> str:
    """Rename a spool with what belongs to it; return its new path, or its old one if there was nothing."""
    try:
        return str(aside if rename(path, aside) else path)
    except OSError as error:
        raise OperatorError(
            f"{path} is damaged and cannot be renamed: {error.strerror}",
            "Make its folder writable, or move the file away (keep it: it may hold alerts).",
        ) from error


def _begin_anew(path: Path, known: Sure | None, schema: str, clock: Callable[[], int]) -> str:
    """Put a new spool in the place of a damaged one, and return the path of that.

    The new one has its positions before it has its name. Wherever this is cut off, the next start either
    does it again or finds all of it done: a spool without positions would begin at the end of the logs.
    """
    notes = _carried(path, known)
    fresh = path.with_name(FRESH)
    try:
        if known is None:
            sure.write(path.parent, Sure(b"", _positions(notes)))
        _write_intent(path, "")
        for part in _PARTS:
            Path(f"{fresh}{part}").unlink(missing_ok=True)
        journal, _ = _open(fresh, schema, clock)
        with closing(journal):
            journal.append([], notes=notes)
        aside = _free_name(path, clock())
        _write_intent(path, aside.name)
        moved = _moved(path, aside)
        rename(fresh, path)
    except (OSError, sqlite3.Error) as error:
        raise OperatorError(
            f"{path} is damaged, and no new spool can be made: {error}",
            "Check that its folder may be written to, and the free space.",
        ) from error
    return moved


def _write_intent(path: Path, name: str) -> None:
    """Write down under which name a spool is about to be set aside."""
    handle = os.open(path.with_name(SUSPECT), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(name)
        file.flush()
        os.fsync(file.fileno())


def _go_on(path: Path) -> str:
    """Finish what was cut off while a spool was set aside; return its new path, empty if nothing was.

    A file of SQLite that is parted from its log is an older copy of itself, and looks sound.
    """
    fresh = path.with_name(FRESH)
    try:
        name = path.with_name(SUSPECT).read_text()
    except (OSError, ValueError):
        return ""
    if not name.startswith(f"{FILE}.{SET_ASIDE}-") or not fresh.exists():
        return ""
    _moved(path, path.with_name(name))
    _moved(fresh, path)
    return str(path.with_name(name))


def _open(path: Path, schema: str, clock: Callable[[], int]) -> tuple[Journal, Shelf]:
    """Open a spool and look at it: at its notes and its order always, at all of it behind a doubt."""
    try:
        journal = Journal(path, schema=ledger.SCHEMA + held_rows.SCHEMA + schema, by_lane=True, clock=clock)
        try:
            return journal, _looked_at(journal, clock, closely=path.with_name(SUSPECT).exists())
        except BaseException:
            journal.close()
            raise
    except OperatorError:
        raise
    except sqlite3.DatabaseError as error:
        raise _explained(path, error) from error
    except (struct.error, *DAMAGE) as error:
        raise _damaged(path, error) from error


def _looked_at(journal: Journal, clock: Callable[[], int], *, closely: bool) -> Shelf:
    """Return what a journal holds; any error is its damage."""
    journal.notes("")
    wrong = scrutiny.order(journal.query)
    if closely:
        journal.examine()
        wrong = next(scrutiny.faults(journal.query), "")
    if wrong:
        raise BatchError(wrong)
    shelf = Shelf(journal, clock)
    if closely:
        shelf.before()
        shelf.hours()
    return shelf


def _explained(path: Path, error: sqlite3.DatabaseError) -> OperatorError:
    """Tell a file that is damaged from one that cannot be used now: only the first is set aside."""
    if disk_fault(error):
        return OperatorError(
            f"the spool {path} cannot be used: {error}",
            "Check that its folder may be written to, and the free space.",
        )
    return _damaged(path, error)


def _damaged(path: Path, error: Exception) -> DamagedError:
    return DamagedError(
        f"the spool {path} is damaged: {error}", "Move it away (keep it: it may hold alerts)."
    )


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _carried(path: Path, known: Sure | None) -> dict[str, bytes]:
    """Return the notes that a new spool begins with: where to read from, and the totals that can be read.

    Reading goes back to what is sure, and the files that the damaged spool knew beside that are looked for.
    Of a source without a sure position the damaged spool's own has to do: what it held of that one is then
    in the file that was set aside and nowhere else, as the alert about it says.
    """
    notes = {key: value for key, value in _notes(path) if _is_sound(key, value)}
    if known is not None:
        positions = {f"position:{name}": each for name, each in known.positions.items()}
        sound = {key: each for key, each in positions.items() if _is_sound(key, each)}
        notes |= {key: _taken_back(each, notes.get(key, each)) for key, each in sound.items()}
    return notes


def _taken_back(sure_position: bytes, last: bytes) -> bytes:
    decode = file_identity.decode
    return file_identity.encode(file_identity.taken_back(decode(sure_position), decode(last)))


def _notes(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the notes that can be read, from both ends; some twice."""
    for order in ("ASC", "DESC"):
        with (
            suppress(sqlite3.Error, *DAMAGE),
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db,
        ):
            for key, value, check in db.execute(
                f'SELECT key, value, "check" FROM note ORDER BY key {order}'  # noqa: S608 - constants
            ):
                if isinstance(key, str) and isinstance(value, bytes) and check == check_of_note(key, value):
                    yield key, value


def _is_sound(key: str, value: bytes) -> bool:
    """Tell whether a note of a damaged spool may be carried over: a bad one would end every start."""
    what, _, _ = key.partition(":")
    match what:
        case "position":
            with suppress(OperatorError, ValueError):
                file_identity.decode(value)
                return True
            return False
        case "acknowledged" | "dropped":
            return number(value) < _LARGEST_TOTAL
    return what == "counters"


def _positions(notes: dict[str, bytes]) -> dict[str, bytes]:
    found = {key.partition(":")[::2]: value for key, value in notes.items()}
    return {name: value for (what, name), value in found.items() if what == "position"}
