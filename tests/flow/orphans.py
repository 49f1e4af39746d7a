"""Ends the programs of a test run that was ended itself, by SIGKILL too, so that nothing of it is left over.

A process beside the tests is told of each program, and sees the end of a pipe when the tests are gone. It
holds a descriptor of each process, not its number, which may be another's by then. A program that is
started in the very moment in which the tests are killed can still escape.
"""

import atexit
import os
import select
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

_STOP_SECONDS = 10.0
_turn = threading.Lock()
_keeper: "subprocess.Popen[bytes] | None" = None


def adopt(pid: int) -> None:
    """Let a child of this process, and its process group where it leads one, end with this process."""
    global _keeper  # noqa: PLW0603 - one for all programs of a process, begun with the first
    with _turn:
        if _keeper is None:
            command = [sys.executable, "-I", str(Path(__file__).absolute())]
            _keeper = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
            atexit.register(_close, _keeper)
        assert _keeper.stdin is not None
        _keeper.stdin.write(b"%d\n" % pid)
        _keeper.stdin.flush()


def _close(keeper: "subprocess.Popen[bytes]") -> None:
    assert keeper.stdin is not None
    keeper.stdin.close()
    keeper.wait(_STOP_SECONDS)


def _keep() -> None:
    """Take in processes until nobody tells of more; then end those that still run."""
    held: dict[int, int] = {}  # the descriptor of each
    for line in sys.stdin.buffer:
        with suppress(ProcessLookupError):
            held[int(line)] = os.pidfd_open(int(line))
        for pid in [pid for pid, descriptor in held.items() if _is_over(descriptor)]:
            os.close(held.pop(pid))
    for pid, descriptor in held.items():
        with suppress(ProcessLookupError):
            if not _is_over(descriptor) and os.getpgid(pid) == pid:
                os.killpg(pid, signal.SIGKILL)
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)


def _is_over(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


if __name__ == "__main__":
    _keep()
