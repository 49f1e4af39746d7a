"""One state folder, one agent: the lock that a running agent holds, and commands that must not disturb it."""

import fcntl
import os
import time
from pathlib import Path

from socme.errors import OperatorError

NAME = "artemis.lock"
PATIENCE_SECONDS = 1.0  # a command that looks whether an agent runs holds the lock for an instant
_PAUSE_SECONDS = 0.01


def take(state_dir: Path) -> int:
    """Return an open file that holds the lock until it is closed; OperatorError where another has it."""
    path = state_dir / NAME
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OperatorError(
            f"cannot write to the state folder {path.parent}: {error.strerror}",
            "Run this as the user that owns the folder, or set state_dir to another.",
        ) from error
    if not _taken(handle):
        os.close(handle)
        raise OperatorError(
            f"another artemis runs with the state folder {path.parent}",
            "Stop it first (systemctl stop artemis), or give this one a state_dir of its own.",
        )
    return handle


def _taken(handle: int) -> bool:
    """Take the lock, and tell whether that could be done in the time that a look may last."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
        else:
            return True
        time.sleep(_PAUSE_SECONDS)  # noqa: TID251 - flock has no limit of its own


def is_running(state_dir: Path) -> bool:
    """Tell whether an agent has the lock of this folder."""
    path = state_dir / NAME
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise OperatorError(
            f"cannot read {path}: {error.strerror}", "Run this as the user that artemis runs as, or as root."
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
