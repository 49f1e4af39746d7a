"""What a program takes of its machine, from /proc, sampled by a thread: memory at most, and open files."""

import threading
from collections.abc import Sequence
from pathlib import Path

from tests.faults.judge import Used
from tests.flow.programs import Program

SECONDS = 0.2  # between two looks
LEAST_LOOKS = 50  # at a life of which something can be said: 10 s


class Meter:
    """Watches one program over its restarts."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._most = 0
        self._lives: dict[int, list[int]] = {}  # descriptors at each look, by process
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)
        self._thread.start()

    def end(self) -> Used:
        """Return what it took."""
        self._ending.set()
        self._thread.join()
        self._look()
        return Used(self._most, [ends_of(life) for life in self._lives.values() if len(life) >= LEAST_LOOKS])

    def _run(self) -> None:
        while not self._ending.wait(SECONDS):
            self._look()

    def _look(self) -> None:
        if not self._program.running:
            return
        pid = self._program.pid
        self._most = max(self._most, resident(pid))
        files = open_files(pid)
        if files:  # none: it ends just now
            self._lives.setdefault(pid, []).append(files)


def ends_of(looks: Sequence[int]) -> tuple[int, int]:
    """Return what a life had for most of it, and at its end.

    How long it takes to begin is the machine's affair; a leak goes on to the end.
    """
    return max(looks[: len(looks) * 2 // 3]), looks[-1]


def resident(pid: int) -> int:
    """Return the most bytes that a process ever had in memory; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def open_files(pid: int) -> int:
    """Return how many descriptors a process has; 0 where it is gone."""
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return 0
