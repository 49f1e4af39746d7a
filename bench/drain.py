"""How fast one node gives what it held back when the hub is there again: python -m bench.drain.

The receiver is away while alerts are written, and comes back once the sender has taken all of them: SOCme
into its spool, peers into their queues. Counted is from the first to the last that has arrived: for SOCme
what is synced in the hub's journal, for peers what can be read in the receiver's file, before a sync. What
arrives twice is counted.
"""

import argparse
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import eve, floors, outcome, peers
from bench.gauge import (
    MeasureError,
    cpu_seconds,
    machine,
    median,
    memory_bytes,
    pause,
    size_of,
    wait_until,
)
from bench.latency import calm_node, listens, started, write_certificates
from bench.peers import MakePair
from tests.flow.programs import free_port, staged

ALERTS = 100_000
QUIET = 3.0  # seconds without work after which a peer has taken what it takes


@dataclass(frozen=True, slots=True)
class Outage:
    """A sender whose receiver is away."""

    log: Path
    sender: int
    """Process id."""
    has_taken: Callable[[int], bool]
    """Tells whether the sender holds so many alerts."""
    end: Callable[[], None]
    """Brings the receiver back."""
    arrived: Callable[[], int]
    """Counts the bytes or alerts that have arrived."""
    whole: int
    """What `arrived` counts when all have."""
    repeated: Callable[[], int]
    """Counts the alerts that arrived twice; MeasureError where one is missing."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What a drain took."""

    speed: float
    """Alerts a second."""
    sender_cpu: float
    """Seconds for each alert."""
    sender_memory: int
    """Bytes, at its most."""
    repeated: int
    """Alerts that arrived twice."""


Make = Callable[[Path, int], AbstractContextManager[Outage]]


def drained(outage: Outage, lines: bytes) -> Drained:
    """Write alerts, end the outage, and return what the drain took."""
    outage.log.write_bytes(lines)
    wait_until(lambda: outage.has_taken(ALERTS), "the sender has taken all alerts")
    outage.end()
    before = cpu_seconds(outage.sender)
    wait_until(lambda: outage.arrived() > 0, "the first has arrived")
    began, first = time.perf_counter(), outage.arrived()
    wait_until(lambda: outage.arrived() >= outage.whole, "all have arrived")
    seconds = time.perf_counter() - began
    used = cpu_seconds(outage.sender) - before
    pause(1)
    return Drained(
        speed=ALERTS * (1 - first / outage.whole) / seconds,
        sender_cpu=used / ALERTS,
        sender_memory=memory_bytes(outage.sender, "VmHWM"),
        repeated=outage.repeated(),
    )


@contextmanager
def socme(folder: Path, size: int) -> Iterator[Outage]:
    """Give a node whose hub is away; `size` is of no use here."""
    del size
    log = folder / "eve.json"
    log.touch()
    with staged(folder / "stage") as stage:
        hub = stage.hub()
        node = calm_node(stage, hub, log)
        spool, journal = node.folder / "state" / "spool.db", hub.folder / "state" / "journal.db"
        hub.program.end()
        yield Outage(
            log,
            node.program.pid,
            lambda count: _alerts(spool) >= count,
            hub.program.start,
            lambda: _alerts(journal),
            ALERTS,
            lambda: _alerts(journal) - ALERTS,
        )


def _alerts(path: Path) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT coalesce(sum(alerts), 0) FROM entry").fetchone()[0])


@contextmanager
def peer(make: MakePair, folder: Path, size: int) -> Iterator[Outage]:
    """Give a peer's sender without its receiver; `size` is of all that arrives."""
    log, output, port = folder / "eve.json", folder / "out", free_port()
    log.touch()
    write_certificates(folder)
    with ExitStack() as stack:

        def end() -> None:
            started(stack, receiving, folder, "receiver")
            wait_until(lambda: listens(port), "the receiver listens", seconds=20)

        sending, receiving = make(folder, output, port)
        sender = started(stack, sending, folder, "sender")
        pause(1)
        yield Outage(
            log,
            sender.pid,
            lambda _: _rests(sender.pid),
            end,
            lambda: size_of(output),
            size,
            lambda: _repeated(output),
        )


def _repeated(output: Path) -> int:
    lines = output.read_bytes().splitlines()
    missing = ALERTS - len(set(lines))
    if missing:
        raise MeasureError(f"{missing} alerts are missing")
    return len(lines) - ALERTS


def _rests(pid: int) -> bool:
    """Tell whether a process does nothing for a while."""
    before = cpu_seconds(pid)
    pause(QUIET)
    return cpu_seconds(pid) - before < QUIET / 50


def contenders() -> Iterator[tuple[str, Make]]:
    """Yield who takes part, by name."""
    yield "socme", socme
    yield from ((who, partial(peer, make)) for who, make in peers.pairs())


def main() -> int:
    """Measure and print a table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="contenders with this in their name")
    outcome.add_options(parser)
    given = parser.parse_args()
    print(machine())
    lines = b"\n".join(eve.alerts(ALERTS)) + b"\n"
    chosen = [each for each in contenders() if given.only in each[0]]
    found: dict[str, list[Drained]] = {}
    for turn in range(given.rounds):
        for who, make in chosen if turn % 2 == 0 else reversed(chosen):
            with tempfile.TemporaryDirectory() as name, make(Path(name), len(lines)) as outage:
                found.setdefault(who, []).append(drained(outage, lines))
                print(told(who, found[who][-1:]), flush=True)
    print("medians")
    for who, rounds in found.items():
        print(told(who, rounds))
    chart = ("100,000 alerts after an outage", "alerts/s", speeds(found))
    return outcome.end("drain", given, floors.DRAIN, figures(found), {"outage": chart})


def speeds(found: Mapping[str, list[Drained]]) -> dict[str, float]:
    """Return alerts a second by contender."""
    return {who: median([each.speed for each in rounds]) for who, rounds in found.items()}


def figures(found: Mapping[str, list[Drained]]) -> dict[str, float]:
    """Return speeds, and what each sender held, by name."""
    return speeds(found) | {f"{who} MiB": _memory(rounds) / 2**20 for who, rounds in found.items()}


def told(who: str, rounds: list[Drained]) -> str:
    """Return a row: medians over the rounds."""
    speed = median([each.speed for each in rounds])
    cpu = median([each.sender_cpu for each in rounds])
    memory = _memory(rounds)
    repeated = median([each.repeated for each in rounds])
    return (
        f"{who:26}{speed:10,.0f} alerts/s  {cpu * 1e6:5.1f} us of the sender's CPU each"
        f"  {memory / 2**20:4.0f} MiB  {repeated:.0f} twice"
    )


def _memory(rounds: list[Drained]) -> float:
    return median([each.sender_memory for each in rounds])


if __name__ == "__main__":
    sys.exit(main())
