"""What is measured of processes, and how figures are told: medians, ratios, the machine.

Everything that is compared runs in turns in one run on one machine: absolute figures are of that machine and
that hour, ratios are worth something.
"""

import os
import platform
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 300.0  # seconds after which something that is measured is given up
_NEVER = threading.Event()


class MeasureError(Exception):
    """What was to be measured did not do its work."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a piece of work took."""

    seconds: float
    cpu_seconds: float
    memory_bytes: int
    """Resident, at its most."""


def cpu_seconds(pid: int) -> float:
    """Return what a process has used so far, all threads, without its children.

    Its own clock (clock_getcpuclockid(3) gives this number) goes by nanoseconds, /proc by hundredths.
    """
    return time.clock_gettime((~pid << 3) | 2)


def memory_bytes(pid: int, field: str = "VmRSS") -> int:
    """Return the resident memory of a process: now, or at its most (`VmHWM`)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


def run(command: Sequence[str], output: Path, environment: Mapping[str, str] | None = None) -> Spent:
    """Run a command that ends by itself, its standard output in a file; raise MeasureError where it fails.

    Its memory is looked at while it runs: what the system tells at the end begins with that of its parent.
    """
    memory = 0
    with output.open("wb") as out:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, env=environment, stdin=subprocess.DEVNULL)
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            memory = max(memory, memory_bytes(process.pid, "VmHWM"))
            pause(0.001)
        seconds = time.perf_counter() - began
    _, status, used = ended
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise MeasureError(f"{command[0]} ended with {process.returncode}")
    return Spent(seconds, used.ru_utime + used.ru_stime, memory)


def wait_until(
    condition: Callable[[], bool], what: str, *, seconds: float = PATIENCE, every: float = 0.005
) -> None:
    """Look every few milliseconds until something is so; less often where a look costs more than that."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise MeasureError(f"not within {seconds:g} s: {what}")
        pause(every)


def pause(seconds: float) -> None:
    """Let time pass; what is measured goes on meanwhile."""
    _NEVER.wait(seconds)


def size_of(path: Path) -> int:
    """Return the size of a file; 0 where there is none."""
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def into_memory(path: Path) -> None:
    """Read a file once, so that its bytes lie in the page cache."""
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 22):
            pass


def median(figures: Sequence[float]) -> float:
    """Return the middle one; of two, their mean."""
    return statistics.median(figures)


def percentile(figures: Sequence[float], part: float) -> float:
    """Return the figure below which so great a part of the figures lies (0.99: all but one in a hundred)."""
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def machine() -> str:
    """Return in one line what this is measured on."""
    facts = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in facts if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    made = f"{os.cpu_count()} x {models[0] if models else platform.machine()}, {memory:.0f} GiB"
    runs = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{made}, {runs}, load {os.getloadavg()[0]:.1f}"
