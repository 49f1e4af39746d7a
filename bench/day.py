"""What days leave behind: python -m bench.day [--days 3] [--seconds 80]. A node and a hub in a hurry.

The time of day that both see runs a thousand times as fast (tests/faults/clock.c), and what a day brings
comes at that speed: up to 8,640 vitals, 24 rotations of a log of which seven are kept, 10,000 alerts at a low
rate, 24 connections that break. Canaries come as often as settings allow, each second. What goes by a
stop-watch (looks at files, keepalive, the status file) takes its own time: minutes of it, not days. Told is
what both hold at each tenth of the way, and by how much their memory grew over its second half: caches that
have a bound (SQLite's, the hub's last batches, 64 rotated files, 48 hours of the ledger) are full by then.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import eve
from bench.gauge import MeasureError, cpu_seconds, machine, memory_bytes, pause, size_of, wait_until
from bench.growth import spooled, stored
from tests.faults.cast import Clock
from tests.faults.meter import open_files
from tests.faults.proxy import Proxy, proxied
from tests.flow.programs import Follow, Hub, Node, Program, staged

DAY = 24 * 3600
SECONDS = 80  # that a day takes
DAYS = 3
VITALS = 8_640
ALERTS = 10_000
ROTATIONS = 24
KEPT = 7  # rotated files
BREAKS = 24  # of the connection
TICK = 0.02  # seconds
SAMPLES = 100
DISK = {
    "node": ("spool.db", "spool.db-wal", "sure.json", "status.json"),
    "hub": ("journal.db", "journal.db-wal", "zeus.db", "zeus.db-wal"),
}


@dataclass(frozen=True, slots=True)
class Held:
    """What a program has at one moment."""

    memory: int
    """Resident, in bytes."""
    files: int
    """Descriptors."""
    threads: int
    disk: Sequence[int]
    """Bytes of its files, of which `DISK` says which."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who lives through the day."""

    hub: Hub
    node: Node
    log: Path
    clock: Clock
    proxy: Proxy

    def programs(self) -> Iterator[tuple[str, Program, Path]]:
        """Yield name, program and state folder of both."""
        yield "node", self.node.program, self.node.folder / "state"
        yield "hub", self.hub.program, self.hub.folder / "state"

    def held(self) -> dict[str, Held]:
        """Return what both have now."""
        return {
            name: Held(
                memory_bytes(program.pid),
                open_files(program.pid),
                len(list(Path(f"/proc/{program.pid}/task").iterdir())),
                [size_of(state / file) for file in DISK[name]],
            )
            for name, program, state in self.programs()
        }


@contextmanager
def cast(folder: Path, vitals_seconds: float) -> Iterator[Cast]:
    """Give a node that follows logs of both kinds, and its hub, behind a proxy."""
    log, clock = folder / "eve.json", Clock(folder)
    if not clock.real:
        raise MeasureError("a C compiler is needed for the clock")
    with staged(folder / "stage") as stage:
        hub = stage.hub(start=False)
        hub.program.environment.update(clock.environment())
        hub.program.start()
        with proxied(hub.address) as proxy:
            follows = [Follow("suricata", log), Follow("wazuh", folder / "alerts.json")]
            for each in follows:
                each.path.touch()
            settings = f'hub_address = "{proxy.address}"\ncanary.interval_seconds = 1\n'
            node = stage.node(hub, "acme", "n1", *follows, settings=settings, start=False)
            node.program.environment.update(clock.environment())
            node.program.before = [sys.executable, "-m", "bench.hasty", str(vitals_seconds)]
            node.program.start()
            yield Cast(hub, node, log, clock, proxy)


def rotate(log: Path) -> None:
    """Do what logrotate does."""
    for number in range(KEPT - 1, 0, -1):
        if (older := Path(f"{log}.{number}")).exists():
            older.replace(f"{log}.{number + 1}")
    log.replace(f"{log}.1")
    log.touch()


def live(day: Cast, seconds: float, days: int) -> list[dict[str, Held]]:
    """Live through days of so many seconds; return what both had at the beginning and at each hundredth."""
    alerts = [line + b"\n" for line in eve.alerts(ALERTS * days)]
    samples = [day.held()]
    written = rotations = breaks = 0
    began = time.monotonic()
    while (part := (time.monotonic() - began) / seconds) < days:
        day.clock.set(int(part * (DAY - seconds)))
        due = int(part * ALERTS)
        if due > written:
            with day.log.open("ab") as file:
                file.writelines(alerts[written:due])
            written = due
        if rotations < int(part * ROTATIONS):
            rotate(day.log)
            rotations += 1
        if breaks < int(part * BREAKS + 0.5):
            day.proxy.cut()
            breaks += 1
        if len(samples) <= part / days * SAMPLES:
            samples.append(day.held())
        pause(TICK)
    with day.log.open("ab") as file:
        file.writelines(alerts[written:])
    wait_until(
        lambda: stored(day.hub) >= len(alerts) and spooled(day.node) == 0, "all alerts are stored", every=1
    )
    if stored(day.hub) != len(alerts):
        raise MeasureError(f"{stored(day.hub)} alerts are stored, not {len(alerts)}")
    return [*samples, day.held()]


def slope(samples: Sequence[float], days: int) -> float:
    """Return by how much a figure grows in a day, from the second half of what was sampled."""
    half = samples[len(samples) // 2 :]
    times = [days * index / (len(samples) - 1) for index in range(len(half))]
    return statistics.linear_regression(times, half).slope


def main() -> None:
    """Live through a day and print what both held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="that a day takes")
    parser.add_argument("--days", type=int, default=DAYS)
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder, cast(Path(folder), given.seconds / VITALS) as day:
        pause(5)
        samples = live(day, given.seconds, given.days)
        used = {name: cpu_seconds(program.pid) for name, program, _ in day.programs()}
    for name, disk in DISK.items():
        print(f"{name:8}{'MiB':>8}{'files':>7}{'threads':>9}" + "".join(f"{each:>17}" for each in disk))
        for number, sample in enumerate(samples[:: SAMPLES // 10]):
            held = sample[name]
            sizes = "".join(f"{size / 1024:13,.0f} KiB" for size in held.disk)
            print(f"{number / 10:8.0%}{held.memory / 2**20:8.1f}{held.files:7}{held.threads:9}{sizes}")
        grown = slope([sample[name].memory / 1024 for sample in samples], given.days)
        print(f"{name}: {grown:+.0f} KiB a day by the second half of it, {used[name]:.0f} s of CPU")


if __name__ == "__main__":
    main()
