"""What it costs to follow a busy log: python -m bench.steady. CPU at 20 MB/s of eve.json, 0.5 % of it alerts.

Artemis filters, spools and sends over mutual TLS to a hub; the peers filter into a file, which is less.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from bench import eve, floors, outcome, peers
from bench.gauge import cpu_seconds, machine, median, memory_bytes, prefer
from bench.latency import socme
from bench.peers import Command

RATE = 20_000_000  # bytes a second
SECONDS = 10
AT_ONCE = 8  # lines in one write
MADE_MIB = 64  # of the log that is written, again and again
SETTLE = threading.Event()


def write(log: Path, lines: Sequence[bytes], rate: int, seconds: float) -> None:
    """Append lines at a rate."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    began, sent, place = time.perf_counter(), 0, 0
    while (passed := time.perf_counter() - began) < seconds:
        while sent < passed * rate:
            sent += os.write(descriptor, b"".join(lines[place : place + AT_ONCE]))
            place = (place + AT_ONCE) % len(lines)
        SETTLE.wait(0.001)
    os.close(descriptor)


@contextmanager
def artemis(folder: Path) -> Iterator[tuple[Path, int]]:
    """Give the log that a node follows, and its process id."""
    with socme(folder) as pair:
        yield pair.log, pair.sender


@contextmanager
def peer(make: Callable[..., Command], folder: Path) -> Iterator[tuple[Path, int]]:
    """Give the log that a peer follows, and its process id."""
    log = folder / "eve.json"
    log.touch()
    command = make(folder, log, folder / "out", decoding=False)
    with (folder / "log").open("wb") as told:
        process = subprocess.Popen(command.arguments, env=command.environment, stdout=told, stderr=told)
        try:
            yield log, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


Make = Callable[[Path], AbstractContextManager[tuple[Path, int]]]


def contenders() -> Iterator[tuple[str, Make]]:
    """Yield who takes part."""
    yield "artemis run", artemis
    if peers.find("syslog-ng"):
        yield "syslog-ng, text", partial(peer, peers.syslog_ng_filter)
    if peers.find("rsyslogd"):
        yield "rsyslog, text", partial(peer, peers.rsyslog_filter)


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    outcome.add_options(parser)
    given = parser.parse_args()
    prefer()
    print(machine())
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source.json"
        eve.write_log(source, MADE_MIB << 20)
        lines = source.read_bytes().splitlines(keepends=True)
        chosen = list(contenders())
        for turn in range(given.rounds):
            for who, make in chosen if turn % 2 == 0 else reversed(chosen):
                with tempfile.TemporaryDirectory(dir=name) as folder, make(Path(folder)) as (log, pid):
                    SETTLE.wait(2)
                    before = cpu_seconds(pid)
                    write(log, lines, RATE, SECONDS)
                    used = (cpu_seconds(pid) - before) / SECONDS
                    found.setdefault(who, []).append((used, memory_bytes(pid) / 2**20))
    cores: dict[str, float] = {}
    for who, rounds in found.items():
        cores[who] = median([used for used, _ in rounds])
        print(f"{who:20}{cores[who]:7.1%} of a core {median([held for _, held in rounds]):5.0f} MiB")
    shares = {who: 100 * used for who, used in cores.items()}
    chart = ("Following 20 MB/s of eve.json", "% of a core", shares)
    return outcome.end(given, floors.STEADY, shares, {"steady": chart})


if __name__ == "__main__":
    sys.exit(main())
