"""What a program takes of its machine, from /proc, sampled by a thread: memory at most, and open files."""

import threading
from pathlib import Path

from tests.faults.judge import Used
from tests.flow.programs import Program

SECONDS = 0.2  # between two looks


class Meter:
    """Watches one program over its restarts."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._most = 0
        self._files = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)
        self._thread.start()

    def start(self) -> None:
        """Take what it has open now as what it needs."""
        self._files = open_files(self._program.pid)

    def end(self) -> Used:
        """Return what it took."""
        self._ending.set()
        self._thread.join()
        return Used(self._most, self._files, open_files(self._program.pid))

    def _run(self) -> None:
        while not self._ending.wait(SECONDS):
            if self._program.running:
                self._most = max(self._most, resident(self._program.pid))


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
