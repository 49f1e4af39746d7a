"""A spool that is damaged or gone: it is set aside, never deleted, and a new one takes up where it is sure.

Reading resumes at the positions of `sure.json`; what is read twice is known at the hub by its id. Where
that file is missing too, the damaged spool's own positions are the best that is known.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from artemis_agent import ledger, sure
from artemis_agent.shelf import Shelf
from artemis_agent.sure import Sure
from socme.errors import OperatorError
from socme.journal import DamagedError, Journal

FILE = "spool.db"
SUSPECT = "spool.suspect"  # says that damage was met while the agent ran
_PARTS = ("", "-wal", "-shm")
_CARRIED = ("counters:", "acknowledged", "dropped:")


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
    aside = ""
    if known is not None and not _has_content(path):
        aside = set_aside(path, clock())
    try:
        journal, shelf = _open(path, schema, clock)
    except DamagedError:
        aside = set_aside(path, clock())
        journal, shelf = _open(path, schema, clock)
    (state_dir / SUSPECT).unlink(missing_ok=True)
    if aside:
        journal.append([], notes=_carried(Path(aside), known))
    return Opened(state_dir, journal, shelf, aside)


def suspect(state_dir: Path) -> None:
    """Make the next start look closely."""
    with suppress(OSError):  # it is met again then
        (state_dir / SUSPECT).touch()


def set_aside(path: Path, now_ns: int) -> str:
    """Rename a spool with what belongs to it; return its new path, or its old one if there was nothing."""
    stamp = datetime.fromtimestamp(now_ns / 1e9, UTC).strftime("%Y%m%dT%H%M%S")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    try:
        moved = [part for part in _PARTS if Path(f"{path}{part}").exists()]
        for part in reversed(moved):  # the file itself last: until then this start would do the same again
            Path(f"{path}{part}").rename(f"{aside}{part}")
    except OSError as error:
        raise OperatorError(
            f"{path} is damaged and cannot be renamed: {error.strerror}",
            "Make its folder writable, or move the file away (keep it: it may hold alerts).",
        ) from error
    return str(aside if moved else path)


def _open(path: Path, schema: str, clock: Callable[[], int]) -> tuple[Journal, Shelf]:
    journal = Journal(path, schema=ledger.SCHEMA + schema, by_lane=True, clock=clock)
    try:
        if path.with_name(SUSPECT).exists():
            journal.examine()
        return journal, Shelf(journal, clock)
    except sqlite3.DatabaseError as error:
        journal.close()
        raise _explained(path, error) from error
    except BaseException:
        journal.close()
        raise


def _explained(path: Path, error: sqlite3.DatabaseError) -> OperatorError:
    """Tell a file that is damaged from one that cannot be used now: only the first is set aside."""
    if isinstance(error, sqlite3.OperationalError):
        return OperatorError(
            f"the spool {path} cannot be used: {error}",
            "Check that its folder may be written to, and the free space.",
        )
    return DamagedError(
        f"the spool {path} is damaged: {error}", "Move it away (keep it: it may hold alerts)."
    )


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _carried(aside: Path, known: Sure | None) -> dict[str, bytes]:
    """Return the notes that a new spool begins with: sure positions, and the totals that can still be read.

    Without sure positions those of the damaged spool have to do: what it held is then in the file that was
    set aside and nowhere else, as the alert about it says.
    """
    found: dict[str, bytes] = {}
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{aside.as_uri()}?mode=ro", uri=True)) as db:
        for key, value in db.execute("SELECT key, value FROM note"):
            found[str(key)] = bytes(value)
    notes = {key: value for key, value in found.items() if key.startswith(_CARRIED)}
    if known is not None:
        return notes | {f"position:{name}": each for name, each in known.positions.items()}
    return notes | {key: value for key, value in found.items() if key.startswith("position:")}
