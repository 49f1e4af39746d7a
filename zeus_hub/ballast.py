"""A little of the disk that is set aside, and given back when the hub starts on a disk that is full.

SQLite cannot even open its files where not a byte is free. A hub that runs tells nodes why it takes nothing,
and people what to do; one that does not start tells nobody.
"""

import asyncio
import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path

from socme import logs

LOG = logging.getLogger("zeus.ballast")

NAME = "ballast"
SIZE = 1024 * 1024  # bytes: what SQLite keeps beside two files, and some commits
ROOM = 16 * SIZE  # that must be free before so much is set aside again
LOOK_SECONDS = 30.0  # between two looks


def drop_where_needed(state_dir: Path) -> None:
    """Give the ballast back where next to nothing is free. Blocks."""
    with suppress(OSError):  # whoever needs the room says it better
        if shutil.disk_usage(state_dir).free < SIZE:
            (state_dir / NAME).unlink(missing_ok=True)


async def keep(state_dir: Path) -> None:
    """See that the ballast is there whenever there is room for it, for ever."""
    trouble = ""
    while True:
        before, trouble = trouble, await asyncio.to_thread(_set_aside, state_dir / NAME)
        if trouble and trouble != before:
            logs.event(LOG, logging.WARNING, "no room can be set aside for a start", reason=trouble)
        await asyncio.sleep(LOOK_SECONDS)


def _set_aside(path: Path) -> str:
    """Make the ballast where there is room; return why it could not be made, or nothing."""
    try:
        if not _is_whole(path) and shutil.disk_usage(path.parent).free >= ROOM:
            with path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, SIZE)
    except OSError as error:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        return str(error)
    return ""


def _is_whole(path: Path) -> bool:
    """Tell whether it is there; a hub that was killed while it was made leaves an empty one."""
    try:
        return path.stat().st_size == SIZE
    except FileNotFoundError:
        return False
