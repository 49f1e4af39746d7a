"""How fast a node reads its log, beside `grep -F` on the same file: `make bench`.

The file is made from the project's own recording of Suricata, repeated; it lies in memory when it is read, so
that the disk is not what is measured. The best of three rounds counts, since others use the machine too.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from artemis_agent.normalise import Normalised, normalise
from artemis_agent.sift import NEEDLE, Sieve
from artemis_agent.source import Record

RECORDING = Path(__file__).resolve().parent.parent / "tests" / "data" / "eve.json"
SIZE = 128 * 1024 * 1024  # bytes
RECORDS_PER_ALERT = 100  # a site with a busy rule set
BLOCK = 256 * 1024  # bytes; what the tail hands on
ROUNDS = 3


def make_log(path: Path) -> int:
    """Write the log and return how many alerts it holds."""
    lines = RECORDING.read_bytes().splitlines(keepends=True)
    alerts = [line for line in lines if NEEDLE in line]
    others = [line for line in lines if NEEDLE not in line]
    written = count = 0
    with path.open("wb") as log:
        while written < SIZE:
            for index in range(RECORDS_PER_ALERT - 1):
                written += log.write(others[(count + index) % len(others)])
            written += log.write(alerts[count % len(alerts)])
            count += 1
    return count


def blocks(path: Path) -> Iterator[tuple[bytearray, int, int]]:
    """Yield the log as the tail does: a buffer, how much of it is whole lines, and where that begins."""
    buffer = bytearray(BLOCK)
    with path.open("rb", buffering=0) as log:
        offset = 0
        while got := log.readinto(buffer):
            size = buffer.rfind(b"\n", 0, got) + 1
            yield buffer, size, offset
            offset = log.seek(offset + size)


def sift(path: Path) -> int:
    """Count the candidates."""
    sieve = Sieve("suricata")
    return sum(len(sieve.sift(buffer, size).spans) for buffer, size, _ in blocks(path))


def sift_and_normalise(path: Path) -> int:
    """Count the alerts that would be sent, encoded."""
    sieve = Sieve("suricata")
    now = datetime.now(UTC)
    alerts = 0
    for buffer, size, offset in blocks(path):
        for start, end in sieve.sift(buffer, size).spans:
            record = Record(bytes(buffer[start:end]), b"bench", offset + start)
            found = normalise(record, kind="suricata", origin=str(path), observed=now)
            if isinstance(found, Normalised):
                found.alert.SerializeToString()
                alerts += 1
    return alerts


def grep(path: Path) -> int:
    """Count the lines that grep finds."""
    done = subprocess.run(["grep", "-cF", NEEDLE.decode(), str(path)], capture_output=True, check=True)
    return int(done.stdout)


def best_of(work: Callable[[Path], int], path: Path, expected: int) -> float:
    """Return the shortest time that the work took, in seconds; it must find every alert."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        found = work(path)
        times.append(time.perf_counter() - started)
        if found != expected:
            sys.exit(f"{work.__name__} found {found} alerts, not {expected}")
    return min(times)


def main() -> None:
    """Measure and print a table."""
    measured = [sift, sift_and_normalise, *([grep] if shutil.which("grep") else [])]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "eve.json"
        alerts = make_log(path)
        size = path.stat().st_size / 1e6
        print(f"{size:.0f} MB of eve.json, {alerts} alerts, one in {RECORDS_PER_ALERT} records")
        print(f"Python {platform.python_version()}, {os.cpu_count()} processors, {platform.machine()}")
        for work in measured:
            seconds = best_of(work, path, alerts)
            name = work.__name__.replace("_", " ")
            print(f"{name:20}{seconds:8.3f} s {size / seconds:8.0f} MB/s {alerts / seconds:10.0f} alerts/s")


if __name__ == "__main__":
    main()
