"""Take the alerts of a spool that was set aside back into the one in use; the agent must not run.

They are sent again with all others; the hub knows those that it has by their ids. So nothing is lost where
this is cut off, or done twice.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from artemis_agent import lock, reserve, salvage
from artemis_agent.progress import Waiting
from artemis_agent.remains import remains
from artemis_agent.salvage import FILE, SET_ASIDE
from socme.errors import OperatorError
from socme.journal import disk_fault

DONE = "repaired"  # stands in the name of a spool in the place of SET_ASIDE once its alerts are taken back
PARTLY = "partly-repaired"  # the same, where some could not be read: doing it again would find no more


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was taken back of one file."""

    file: Path
    """Where it is now."""
    alerts: int
    unreadable: list[str]
    """Why each of the entries that could not be read was not."""


def repair(
    state_dir: Path, file: Path | None, *, schema: str, clock: Callable[[], int] = time.time_ns
) -> Iterator[Repaired]:
    """Look closely at the spool in use, set it aside if it is damaged, and yield what is taken back.

    Of `file`; without one, of every spool in the folder that was set aside. Blocks.
    """
    _refuse(state_dir, file)
    handle = lock.take(state_dir)
    try:
        salvage.suspect(state_dir)
        opened = salvage.opened(state_dir, schema=schema, clock=clock)
        with closing(opened.journal):
            for each in [file] if file else set_aside(state_dir):
                yield _take_back(opened, handle, each)
    finally:
        os.close(handle)


def set_aside(state_dir: Path) -> list[Path]:
    """Return the spools of a folder that were set aside and not taken back, oldest first."""
    found = state_dir.glob(f"{FILE}.{SET_ASIDE}-*")
    return sorted(path for path in found if not path.name.endswith(("-wal", "-shm")))


def _refuse(state_dir: Path, file: Path | None) -> None:
    """Raise OperatorError where there is nothing to repair, or nothing to take it back into."""
    spool = state_dir / FILE
    if not spool.exists() and not set_aside(state_dir):
        raise OperatorError(
            f"there is neither a spool in {state_dir} nor one that was set aside",
            "Name the right --config; on a new node start artemis once, which makes its spool.",
        )
    if file is not None and file.exists() and spool.exists() and file.samefile(spool):
        raise OperatorError(f"{file} is the spool in use", "Name one that was set aside, or none.")


def _take_back(opened: salvage.Opened, handle: int, file: Path) -> Repaired:
    alerts, unreadable = 0, []
    for each in remains(file):
        if isinstance(each, str):
            unreadable.append(each)
            continue
        waiting = [Waiting(alert.SerializeToString(), each.lane) for alert in each.alerts]
        if shortage := reserve.shortage(handle, opened.journal.reusable_bytes):
            raise _no_room(file, shortage)
        try:
            opened.shelf.take_back(each.origin, waiting)
        except sqlite3.OperationalError as error:
            raise _no_room(file, disk_fault(error) or str(error)) from error
        alerts += len(waiting)
    return Repaired(_mark_done(file, PARTLY if unreadable else DONE), alerts, unreadable)


def _no_room(file: Path, reason: str) -> OperatorError:
    return OperatorError(
        f"the spool cannot take alerts back now: {reason}",
        f"Make room on its disk and do this again: {file} is as it was.",
    )


def _mark_done(file: Path, how: str) -> Path:
    """Give a spool that was set aside the name of one that is done; it is kept."""
    if not file.name.startswith(f"{FILE}.{SET_ASIDE}-"):
        return file
    done = file.with_name(file.name.replace(SET_ASIDE, how, 1))
    salvage.rename(file, done)
    return done
