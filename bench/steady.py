"""What it costs to follow a busy log: python -m bench.steady. CPU at 20 MB/s of eve.json, 0.5 % of it alerts.

Artemis filters, spools and sends over mutual TLS to a hub; the peers filter into a file, which is less.
"""

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import eve, floors, outcome, peers
from bench.gauge import MeasureError, cpu_seconds, machine, median, memory_bytes, pause, wait_until
from bench.latency import socme
from bench.peers import Command

RATE = 20_000_000  # bytes a second
SECONDS = 10
MADE_MIB = 64  # of the log that is written, again and again


@dataclass(frozen=True, slots=True)
class Follower:
    """Who follows a log."""

    log: Path
    pid: int
    alerts_out: Callable[[], int]
    """Counts the alerts that are through."""


def write(log: Path, lines: Sequence[bytes], rate: int, seconds: float) -> int:
    """Append lines at a rate, one write each as Suricata does; return how many."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    began, sent, place = time.perf_counter(), 0, 0
    while (passed := time.perf_counter() - began) < seconds:
        while sent < passed * rate:
            sent += os.write(descriptor, lines[place % len(lines)])
            place += 1
        pause(0.001)
    os.close(descriptor)
    return place


@contextmanager
def artemis(folder: Path) -> Iterator[Follower]:
    """Give a node; what is through is in the hub's journal."""
    with socme(folder) as pair:
        (journal,) = folder.glob("stage/hub-*/state/journal.db")

        def through() -> int:
            with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
                return int(db.execute("SELECT coalesce(sum(alerts), 0) FROM entry").fetchone()[0])

        yield Follower(pair.log, pair.sender, through)


@contextmanager
def peer(make: Callable[..., Command], folder: Path) -> Iterator[Follower]:
    """Give a peer; what is through is in its file, traps as well."""
    log, output = folder / "eve.json", folder / "out"
    log.touch()
    command = make(folder, log, output, decoding=False)

    def through() -> int:
        return sum(is_alert(line) for line in output.read_bytes().splitlines()) if output.exists() else 0

    with (folder / "log").open("wb") as told:
        process = subprocess.Popen(command.arguments, env=command.environment, stdout=told, stderr=told)
        try:
            yield Follower(log, process.pid, through)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def is_alert(line: bytes) -> bool:
    """Tell a made alert from everything else, traps too."""
    return line.find(eve.NEEDLE) in range(150)


Make = Callable[[Path], AbstractContextManager[Follower]]


def contenders() -> Iterator[tuple[str, Make]]:
    """Yield who takes part."""
    yield "artemis run", artemis
    if peers.find("syslog-ng"):
        yield "syslog-ng, text", partial(peer, peers.syslog_ng_filter)
    if peers.find("rsyslogd"):
        yield "rsyslog, text", partial(peer, peers.rsyslog_filter)


def follow(follower: Follower, lines: Sequence[bytes]) -> tuple[float, float]:
    """Return the share of a core and the MiB that it took to follow a log until all alerts are through."""
    pause(2)
    before = cpu_seconds(follower.pid)
    count = write(follower.log, lines, RATE, SECONDS)
    expected = sum(is_alert(lines[number % len(lines)]) for number in range(count))
    wait_until(lambda: follower.alerts_out() >= expected, f"{expected} alerts are through", seconds=30)
    used = (cpu_seconds(follower.pid) - before) / SECONDS
    if follower.alerts_out() != expected:
        raise MeasureError(f"{follower.alerts_out()} alerts came out, not {expected}")
    return used, memory_bytes(follower.pid) / 2**20


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    outcome.add_options(parser)
    given = parser.parse_args()
    print(machine())
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "source.json"
        eve.write_log(source, MADE_MIB << 20)
        lines = source.read_bytes().splitlines(keepends=True)
        chosen = list(contenders())
        for turn in range(given.rounds):
            for who, make in chosen if turn % 2 == 0 else reversed(chosen):
                with tempfile.TemporaryDirectory(dir=name) as folder, make(Path(folder)) as follower:
                    found.setdefault(who, []).append(follow(follower, lines))
    cores: dict[str, float] = {}
    for who, rounds in found.items():
        cores[who] = median([used for used, _ in rounds])
        print(f"{who:20}{cores[who]:7.1%} of a core {median([held for _, held in rounds]):5.0f} MiB")
    shares = {who: 100 * used for who, used in cores.items()}
    chart = ("Following 20 MB/s of eve.json", "% of a core", shares)
    return outcome.end("steady", given, floors.STEADY, shares, {"steady": chart})


if __name__ == "__main__":
    sys.exit(main())
