"""How fast alerts are found in a log that is there: python -m bench.scan [--mib 1024] [--rounds 3].

`artemis sift` and the daemon beside tools and daemons that do the same, in turns. The log lies in memory.
Commands are timed as a whole, peers from their start until the last alert is in their output file, Artemis
from the moment at which the log stands where it looks until the last alert is committed to its spool, with
the position. Each must give exactly the alerts that are there; what looks for text alone gives traps too.
"""

import argparse
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

from bench import eve, floors, outcome, peers
from bench.eve import NEEDLE, Counted
from bench.gauge import (
    MeasureError,
    Spent,
    cpu_seconds,
    into_memory,
    machine,
    median,
    memory_bytes,
    run,
    size_of,
    wait_until,
)
from bench.peers import Command
from tests.flow.programs import Follow, Node, Stage, staged

DAEMON_MIB = 256  # of the log, for daemons that take a minute for more
TEXT = NEEDLE.decode()


@dataclass(frozen=True, slots=True)
class Log:
    """What is read."""

    path: Path
    holds: Counted


@dataclass(frozen=True, slots=True)
class Contender:
    """Who takes part."""

    name: str
    work: Callable[[Log, Path], Spent]
    """Does the work in a new folder."""
    decodes: bool
    """Whether it must tell traps from alerts."""
    small: bool = False
    """Whether it is given a shorter log."""


def contenders() -> Iterator[Contender]:
    """Yield all that are here."""
    yield Contender("artemis sift", _sift, decodes=True)
    yield Contender("artemis run", _daemon, decodes=True)
    if shutil.which("cc"):
        yield Contender("C, memmem", _limit, decodes=False)
    yield Contender("grep -F", partial(_command, ["grep", "-F", TEXT]), decodes=False)
    if ripgrep := peers.find("rg"):
        yield Contender(
            "ripgrep -F", partial(_command, [str(ripgrep), "-F", "-N", "-I", "-a", TEXT]), decodes=False
        )
    if peers.find("syslog-ng"):
        yield Contender(
            "syslog-ng, text", partial(_peer, peers.syslog_ng_filter, decoding=False), decodes=False
        )
        yield Contender(
            "syslog-ng, JSON", partial(_peer, peers.syslog_ng_filter, decoding=True), decodes=True, small=True
        )
    if peers.find("rsyslogd"):
        yield Contender(
            "rsyslog, text", partial(_peer, peers.rsyslog_filter, decoding=False), decodes=False, small=True
        )
        yield Contender(
            "rsyslog, JSON", partial(_peer, peers.rsyslog_filter, decoding=True), decodes=True, small=True
        )


def _command(command: Sequence[str], log: Log, folder: Path) -> Spent:
    spent = run([*command, str(log.path)], folder / "out", os.environ | {"LC_ALL": "C"})
    _must_be(folder / "out", log.holds.matching_bytes)
    return spent


def _limit(log: Log, folder: Path) -> Spent:
    program = folder / "limit"
    source = Path(__file__).with_name("limit.c")
    subprocess.run(["cc", "-O2", "-o", str(program), str(source)], check=True)
    return _command([str(program)], log, folder)


def _sift(log: Log, folder: Path) -> Spent:
    spent = run([sys.executable, "-m", "artemis_agent", "sift", str(log.path)], folder / "out")
    _must_be(folder / "out", log.holds.alert_bytes)
    return spent


def _peer(make: Callable[..., Command], log: Log, folder: Path, *, decoding: bool) -> Spent:
    output = folder / "out"
    command = make(folder, log.path, output, decoding=decoding)
    expected = log.holds.alert_bytes if decoding else log.holds.matching_bytes
    with (folder / "log").open("wb") as told:
        began = perf_counter()
        process = subprocess.Popen(command.arguments, env=command.environment, stdout=told, stderr=told)
        try:
            wait_until(
                lambda: size_of(output) >= expected or process.poll() is not None, "all alerts are out"
            )
            seconds = perf_counter() - began
            spent = Spent(seconds, cpu_seconds(process.pid), memory_bytes(process.pid, "VmHWM"))
        except OSError as error:
            raise MeasureError((folder / "log").read_text()) from error
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    _must_be(output, expected)
    return spent


def _daemon(log: Log, folder: Path) -> Spent:
    with _waiting_node(folder) as (node, path):
        before = cpu_seconds(node.program.pid)
        began = perf_counter()
        path.hardlink_to(log.path)
        spool = node.folder / "state" / "spool.db"
        wait_until(lambda: _spooled(spool) >= log.holds.alerts, "all alerts are in the spool")
        seconds = perf_counter() - began
        used = cpu_seconds(node.program.pid) - before
        memory = memory_bytes(node.program.pid, "VmHWM")
        _must_have_read_all(node, log.holds)
    return Spent(seconds, used, memory)


@contextmanager
def _waiting_node(folder: Path) -> Iterator[tuple[Node, Path]]:
    """Give a running node that has no hub, and the path at which it waits for its log."""
    with staged(folder / "stage") as stage:
        path = folder / "eve.json"
        yield _node(stage, path), path


def _node(stage: Stage, path: Path) -> Node:
    hub = stage.hub()
    follow = Follow("suricata", path, start="beginning")
    node = stage.node(hub, "acme", "n1", follow, settings="canary.interval_seconds = 0\n", start=False)
    hub.program.end()
    node.program.start()
    return node


def _spooled(spool: Path) -> int:
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{spool}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT coalesce(sum(alerts), 0) FROM entry").fetchone()[0])
    return 0


def _must_have_read_all(node: Node, holds: Counted) -> None:
    """Compare what the node counted with what there is, to the record."""

    def told() -> Mapping[str, int]:
        (source,) = node.status()["sources"]
        return {key: int(source[key]) for key in ("bytes", "records", "alerts")}

    expected = {"bytes": holds.bytes, "records": holds.lines, "alerts": holds.alerts}
    wait_until(lambda: told() == expected, f"{expected} in the status", seconds=10)
    if _spooled(node.folder / "state" / "spool.db") != holds.alerts:
        raise MeasureError("the spool holds more than the alerts")


def _must_be(output: Path, expected: int) -> None:
    if size_of(output) != expected:
        raise MeasureError(f"{size_of(output)} bytes came out, not {expected}")


def measure(log: Log, small: Log, rounds: int, only: str) -> Mapping[str, list[tuple[float, Spent]]]:
    """Return of each contender for each round MB/s and what it took; every second round runs backwards."""
    found: dict[str, list[tuple[float, Spent]]] = {}
    chosen = [each for each in contenders() if only in each.name]
    for turn in range(rounds):
        for each in chosen if turn % 2 == 0 else reversed(chosen):
            given = small if each.small else log
            with tempfile.TemporaryDirectory(dir=log.path.parent) as folder:
                spent = each.work(given, Path(folder))
            found.setdefault(each.name, []).append((given.holds.bytes / 1e6 / spent.seconds, spent))
    return found


def main() -> int:
    """Measure and print a table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="contenders with this in their name")
    outcome.add_options(parser)
    given = parser.parse_args()
    print(machine())
    speeds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        log, small = (_make(Path(folder), mib) for mib in (given.mib, min(given.mib, DAEMON_MIB)))
        print(log.holds)
        for name, rounds in measure(log, small, given.rounds, given.only).items():
            speeds[name] = median([each for each, _ in rounds])
            per_cpu = median([each * spent.seconds / spent.cpu_seconds for each, spent in rounds])
            memory = median([spent.memory_bytes for _, spent in rounds]) / 2**20
            print(f"{name:20}{speeds[name]:8.0f} MB/s {per_cpu:8.0f} MB/CPU-s {memory:6.0f} MiB")
    chart = ("Finding the alerts of 1 GiB of eve.json", "MB/s", speeds)
    return outcome.end("scan", given, floors.SCAN, speeds, {"scan": chart})


def _make(folder: Path, mib: int) -> Log:
    path = folder / f"eve-{mib}.json"
    holds = eve.write_log(path, mib << 20)
    into_memory(path)
    return Log(path, holds)


if __name__ == "__main__":
    sys.exit(main())
