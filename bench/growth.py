"""What the hundredfold costs: python -m bench.growth. The same work at 1, 10 and 100 times the size.

`artemis sift` and the daemon over a log of 20 MiB, 200 MiB and 2 GiB; a node that spools 10,000, 100,000 and
1,000,000 alerts while its hub is away, is started anew with them and drains them when the hub is back; and
the hub's group commit alone. Told is CPU for each unit, how that compares with the least size, and the most
memory that was taken: what grows with what has come before has a ratio above 1. No two alerts are alike.
"""

import argparse
import multiprocessing
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench import eve, ingest
from bench.eve import NEEDLE
from bench.gauge import MeasureError, cpu_seconds, machine, median, memory_bytes, run, size_of, wait_until
from tests.flow.programs import Follow, Hub, Node, staged

TIMES = {1: 3, 10: 1, 100: 1}  # how often each size is measured: the smaller ones are soon told by noise
LOG_BYTES = 20 << 20
ALERTS = 10_000
WARM = 200  # alerts before anything counts
BATCH = 50  # alerts of a batch of the group commit
NODES = 4  # that hand in together
SLICE = 1 << 20  # bytes that are written at once

_FLOW = b'"flow_id":'
_STORED = "SELECT count(*) FROM alert WHERE rule_id NOT LIKE 'socme.%'"  # those are the hub's own


@dataclass(frozen=True, slots=True)
class Cost:
    """What one piece of work of one size took."""

    each: float
    """CPU for each unit."""
    memory_bytes: int
    """Resident, at its most."""


Costs = dict[tuple[str, str], dict[int, list[Cost]]]
"""By what it was and its unit, then by size."""


def renewed(block: bytes, turn: int) -> bytes:
    """Return lines with other flow ids, so that no alert is like one of another turn."""
    return block.replace(_FLOW, b"%b%d" % (_FLOW, 100 + turn))


@cache
def made_log() -> bytes:
    """Return the log of the least size."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "eve.json"
        eve.write_log(path, LOG_BYTES)
        return path.read_bytes()


@cache
def made_alerts() -> bytes:
    """Return as many alerts as the least backlog has."""
    return b"\n".join(eve.alerts(ALERTS)) + b"\n"


def write(path: Path, block: bytes, times: int) -> None:
    """Write a block so many times, each time with other flow ids."""
    with path.open("wb") as file:
        for turn in range(times):
            file.write(renewed(block, turn))


def sift(folder: Path, times: int) -> Iterator[tuple[str, str, Cost]]:
    """Let `artemis sift` read a log; its start, which a log of nothing tells, does not count."""
    empty, log, out = folder / "empty.json", folder / "eve.json", folder / "out"
    empty.touch()
    write(log, made_log(), times)
    command = [sys.executable, "-m", "artemis_agent", "sift"]
    rounds = 9 if times == 1 else 3
    start = median([run([*command, str(empty)], out).cpu_seconds for _ in range(rounds)])
    runs = [run([*command, str(log)], out) for _ in range(rounds)]
    if len(out.read_bytes().splitlines()) != alerts_in(made_log()) * times:
        raise MeasureError("other alerts came out than went in")
    each = (median([spent.cpu_seconds for spent in runs]) - start) * 1e3 / (size_of(log) / 2**30)
    yield "artemis sift", "ms a GiB", Cost(each, max(spent.memory_bytes for spent in runs))


def daemon(folder: Path, times: int) -> Iterator[tuple[str, str, Cost]]:
    """Let a node whose hub is away read a log."""
    with alone(folder) as (_, node):
        write(folder / "next.json", made_log(), times)
        size = size_of(folder / "next.json")
        used, held = read(node, folder, alerts_in(made_log()) * times)
        yield "artemis run", "ms a GiB", Cost(used * 1e3 / (size / 2**30), held)


def outage(folder: Path, times: int) -> Iterator[tuple[str, str, Cost]]:
    """Let a node spool alerts while its hub is away, start with them, and drain them."""
    alerts = ALERTS * times
    with alone(folder) as (hub, node):
        write(folder / "next.json", made_alerts(), times)
        used, held = read(node, folder, alerts)
        yield "spooling", "us an alert", Cost(used * 1e6 / alerts, held)
        (folder / "eve.json").unlink()
        node.program.stop()
        node.program.start()
        pid = node.program.pid
        yield "start with a backlog", "ms", Cost(cpu_seconds(pid) * 1e3, memory_bytes(pid, "VmHWM"))
        before = cpu_seconds(pid)
        hub.program.start()
        hub_before = cpu_seconds(hub.program.pid)
        wait_until(lambda: spooled(node) == 0, "the spool is empty", every=0.1)
        used = cpu_seconds(pid) - before
        yield "draining, node", "us an alert", Cost(used * 1e6 / alerts, memory_bytes(pid, "VmHWM"))
        wait_until(lambda: stored(hub) == alerts + WARM, "all alerts are stored", every=1)
        used, held = cpu_seconds(hub.program.pid) - hub_before, memory_bytes(hub.program.pid, "VmHWM")
        yield "draining, hub and store", "us an alert", Cost(used * 1e6 / alerts, held)


@contextmanager
def alone(folder: Path) -> Iterator[tuple[Hub, Node]]:
    """Give a running node that has read a few alerts, and its hub, which is away."""
    log = folder / "eve.json"
    log.write_bytes(b"\n".join(eve.alerts(WARM, seed=1)) + b"\n")
    with staged(folder / "stage") as stage:
        hub = stage.hub()
        follow = Follow("suricata", log, start="beginning")
        settings = "canary.interval_seconds = 0\n"
        node = stage.node(hub, "acme", "n1", follow, settings=settings, start=False)
        hub.program.stop()
        node.program.start()
        wait_until(lambda: spooled(node) == WARM, "the first alerts are in the spool")
        yield hub, node


def read(node: Node, folder: Path, alerts: int) -> tuple[float, int]:
    """Rotate the log, so that next.json is it; return CPU and memory until its alerts are in the spool."""
    pid = node.program.pid
    before = cpu_seconds(pid)
    (folder / "eve.json").rename(folder / "eve.json.1")
    (folder / "next.json").rename(folder / "eve.json")
    wait_until(lambda: spooled(node) >= alerts + WARM, "all alerts are in the spool", every=0.05)
    used = cpu_seconds(pid) - before
    if spooled(node) != alerts + WARM:
        raise MeasureError("the spool holds more than the alerts")
    return used, memory_bytes(pid, "VmHWM")


def spooled(node: Node) -> int:
    """Return how many alerts a node's spool holds; -1 where that cannot be read just now."""
    return _count(node.folder / "state" / "spool.db", "SELECT coalesce(sum(alerts), 0) FROM entry")


def stored(hub: Hub) -> int:
    """Return how many alerts a hub's store holds; -1 where that cannot be read just now."""
    return _count(hub.folder / "state" / "zeus.db", _STORED)


def _count(path: Path, query: str) -> int:
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return int(database.execute(query).fetchone()[0])
    return -1


def commit(folder: Path, times: int) -> Iterator[tuple[str, str, Cost]]:
    """Let the group commit take batches, in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
        used, held = apart.submit(committed, folder, times).result()
    yield "hub's group commit", "us an alert", Cost(used * 1e6 / (ALERTS * times), held)


def committed(folder: Path, times: int) -> tuple[float, int]:
    """Return the CPU, in seconds, and the memory that the group commit took."""
    load = ingest.Load(nodes=1, batches=1, alerts=BATCH)
    (packed,) = ingest.batches(load, 0)
    each = ALERTS * times // BATCH // NODES
    before = time.process_time()
    ingest.alone(folder, [[packed] * each] * NODES, ingest.IN_FLIGHT)
    return time.process_time() - before, memory_bytes(os.getpid(), "VmHWM")


def alerts_in(block: bytes) -> int:
    """Return how many alerts a made log holds; traps say so elsewhere."""
    return sum(0 < line.find(NEEDLE) < 150 for line in block.splitlines())


def measure(times: int, costs: Costs) -> None:
    """Do all work of one size once."""
    for work in (sift, daemon, outage, commit):
        with tempfile.TemporaryDirectory() as folder:
            for what, unit, cost in work(Path(folder), times):
                costs.setdefault((what, unit), {}).setdefault(times, []).append(cost)
                print(f"{times:3} x {what:26}{cost.each:9.1f} {unit}", flush=True)


def told(what: str, unit: str, by_size: dict[int, list[Cost]]) -> str:
    """Return a row: cost for each unit, ratio to the first, memory."""
    each = {size: median([one.each for one in costs]) for size, costs in by_size.items()}
    first = next(iter(each.values()))
    parts = [
        f"{cost:9.1f} ({cost / first:4.2f}) {max(one.memory_bytes for one in by_size[size]) >> 20:4} MiB"
        for size, cost in each.items()
    ]
    return f"{what:26}{unit:12}" + "".join(f"{part:>28}" for part in parts)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(TIMES), help="times the least size")
    given = parser.parse_args()
    print(machine())
    costs: Costs = {}
    for size in given.sizes:
        for _ in range(TIMES.get(size, 1)):
            measure(size, costs)
    print(f"{'CPU':26}{'':12}" + "".join(f"{f'{size} x':>28}" for size in given.sizes))
    for (what, unit), by_size in costs.items():
        print(told(what, unit, by_size))


if __name__ == "__main__":
    main()
