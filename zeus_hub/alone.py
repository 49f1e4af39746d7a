"""A state folder for one process alone: while it is held, no hub runs on it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from socme.errors import OperatorError


@contextmanager
def alone(state_dir: Path) -> Iterator[None]:
    """Hold the state folder as a running hub does; OperatorError where one runs."""
    with (state_dir / "hub.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OperatorError(
                f"a hub runs with the state folder {state_dir}", "Stop it first: systemctl stop zeus"
            ) from error
        yield
