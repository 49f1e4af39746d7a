"""From a line in a log to whoever watches, over mutual TLS on loopback: python -m bench.latency.

Three things of each contender, in turns: how old alerts are when they are seen, at fixed rates (from right
before their write); how fast a burst is drained; and what both cost: CPU of sender and receiver, resident
memory, and bytes on the wire for each byte of the log. For SOCme, seen means in a watcher's live stream,
which is after the hub committed it; for peers, that it can be read in the receiver's file, before a sync.
"""

import argparse
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from bench import eve, floors, outcome, peers
from bench.gauge import (
    MeasureError,
    cpu_seconds,
    machine,
    median,
    memory_bytes,
    pause,
    percentile,
    size_of,
    wait_until,
)
from bench.peers import Command, MakePair
from tests.certificates import make_authority
from tests.flow.programs import Follow, Hub, Node, Stage, free_port, staged
from zeus_hub.ca import private_pem

ALERTS = 10_000  # different ones; more repeat them
RATES = (1000, 5000)  # alerts a second
SECONDS = 8
BURST = 40_000
WARM = 200  # alerts before anything counts


@dataclass(frozen=True, slots=True)
class Pair:
    """A sender and a receiver that run."""

    log: Path
    sender: int
    """Process id."""
    receiver: int
    port: int
    watch: Callable[[int, Path], "subprocess.Popen[bytes]"]
    """Begins to watch for so many alerts, and writes what it saw into a file; returns when it watches."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What was seen of alerts at one rate, or in a burst."""

    sent: int
    seconds: Sequence[float]
    """How old each was when it was seen."""
    took: float
    """From the first write to the last sight."""
    sender_cpu: float
    receiver_cpu: float
    sender_memory: int
    receiver_memory: int
    wire: float
    """Bytes from sender to receiver for each byte of the log."""


Make = Callable[[Path], AbstractContextManager[Pair]]


def run_phase(pair: Pair, alerts: Path, folder: Path, rate: int, count: int) -> Phase:
    """Write alerts and return what was seen of them."""
    result = folder / f"seen-{rate}-{count}.json"
    pause(1)  # a hub shows a new watcher what is not searchable yet, of the phase before
    watcher = pair.watch(count, result)
    before = cpu_seconds(pair.sender), cpu_seconds(pair.receiver), sent_bytes(pair.port), size_of(pair.log)
    began = time.time_ns()
    writer = [sys.executable, "-m", "bench.writer", str(pair.log), str(alerts), str(rate), str(count)]
    subprocess.run(writer, check=True)
    watcher.wait(120)
    after = cpu_seconds(pair.sender), cpu_seconds(pair.receiver), sent_bytes(pair.port), size_of(pair.log)
    seen = json.loads(result.read_text())
    result.unlink()
    used = [later - earlier for earlier, later in zip(before, after, strict=True)]
    if len(seen["seconds"]) != count:
        raise MeasureError(f"{len(seen['seconds'])} of {count} alerts were seen")
    return Phase(
        sent=count,
        seconds=seen["seconds"],
        took=(seen["last_ns"] - began) / 1e9,
        sender_cpu=used[0],
        receiver_cpu=used[1],
        sender_memory=memory_bytes(pair.sender),
        receiver_memory=memory_bytes(pair.receiver),
        wire=used[2] / used[3],
    )


def sent_bytes(port: int) -> int:
    """Return what was sent to a port over the connections that are open now, without what was sent again."""
    command = ["ss", "-tinH", "state", "established", f"dport = :{port}"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sum(int(number) for number in re.findall(r"bytes_acked:(\d+)", told))


@contextmanager
def socme(folder: Path) -> Iterator[Pair]:
    """Give a node and a hub."""
    log = folder / "eve.json"
    log.touch()
    with staged(folder / "stage") as stage:
        hub = stage.hub()
        node = calm_node(stage, hub, log)
        screen = stage.screen(hub, "lobby", start=False)

        def watch(count: int, result: Path) -> "subprocess.Popen[bytes]":
            ready = result.with_suffix(".ready")
            arguments = [str(screen.folder / "state"), hub.address, str(count), str(result), str(ready)]
            process = subprocess.Popen([sys.executable, "-m", "bench.screen", *arguments])
            wait_until(ready.exists, "the screen watches")
            ready.unlink()
            return process

        port = int(hub.address.rpartition(":")[2])
        yield Pair(log, node.program.pid, hub.program.pid, port, watch)


def calm_node(stage: Stage, hub: Hub, log: Path) -> Node:
    """Return a node whose vitals come as seldom as they are shipped, and no canaries."""
    source = Follow("suricata", log, start="beginning")
    node = stage.node(hub, "acme", "n1", source, settings="canary.interval_seconds = 0\n", start=False)
    node.config.write_text(node.config.read_text().replace("vitals_interval_seconds = 1\n", ""))
    node.program.start()
    return node


@contextmanager
def peer(make: MakePair, folder: Path) -> Iterator[Pair]:
    """Give a peer's sender and receiver."""
    log, output, port = folder / "eve.json", folder / "out", free_port()
    log.touch()
    write_certificates(folder)
    with ExitStack() as stack:
        sending, receiving = make(folder, output, port)
        receiver = started(stack, receiving, folder, "receiver")
        wait_until(lambda: listens(port), "the receiver listens", seconds=20)
        sender = started(stack, sending, folder, "sender")

        def watch(count: int, result: Path) -> "subprocess.Popen[bytes]":
            arguments = [str(output), str(size_of(output)), str(count), str(result)]
            return subprocess.Popen([sys.executable, "-m", "bench.reader", *arguments])

        yield Pair(log, sender.pid, receiver.pid, port, watch)


def started(stack: ExitStack, command: Command, folder: Path, name: str) -> "subprocess.Popen[bytes]":
    """Start a peer, which ends with the stack; what it says goes into a log of its name."""
    told = stack.enter_context((folder / f"{name}.log").open("wb"))
    process = subprocess.Popen(
        command.arguments, env=command.environment, stdout=told, stderr=told, cwd=folder
    )
    stack.callback(process.wait, 30)
    stack.callback(process.send_signal, signal.SIGTERM)
    return process


def listens(port: int) -> bool:
    """Tell whether something listens on a port."""
    command = ["ss", "-tlnH", f"sport = :{port}"]
    return bool(subprocess.run(command, capture_output=True, check=True).stdout)


def write_certificates(folder: Path) -> None:
    """Write a CA and a certificate for each side."""
    authority = make_authority()
    (folder / "ca.pem").write_bytes(authority.pem)
    names = {
        "sender": x509.UniformResourceIdentifier("spiffe://bench/sender"),
        "receiver": x509.DNSName("127.0.0.1"),  # syslog-ng compares it as text
    }
    for side, name in names.items():
        key = ec.generate_private_key(ec.SECP256R1())
        chain = authority.sign(key.public_key(), name)
        (folder / f"{side}.key").write_bytes(private_pem(key))
        (folder / f"{side}.pem").write_bytes(chain.removesuffix(authority.pem))


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
    found: dict[tuple[str, str], list[Phase]] = {}
    with tempfile.TemporaryDirectory() as name:
        alerts = Path(name) / "alerts.json"
        alerts.write_bytes(b"\n".join(eve.alerts(ALERTS)) + b"\n")
        chosen = [each for each in contenders() if given.only in each[0]]
        for turn in range(given.rounds):
            for who, make in chosen if turn % 2 == 0 else reversed(chosen):
                folder = Path(name) / f"{who.replace(', ', '-').replace(' ', '-')}-{turn}"
                folder.mkdir()
                for name_of, phase in phases(make, alerts, folder):
                    found.setdefault((who, name_of), []).append(phase)
                    print(told(who, name_of, [phase]), flush=True)
    print("medians")
    for (who, name_of), rounds in found.items():
        print(told(who, name_of, rounds))
    named = figures(found)
    return outcome.end("latency", given, floors.LATENCY, named, dict(charts(named)))


def figures(found: Mapping[tuple[str, str], Sequence[Phase]]) -> Mapping[str, float]:
    """Return all medians by contender, phase and what they are."""
    return {
        f"{who} {phase} {what}": figure
        for (who, phase), rounds in found.items()
        for what, figure in medians(rounds).items()
    }


def medians(rounds: Sequence[Phase]) -> Mapping[str, float]:
    """Return what is compared: milliseconds, alerts a second, and bytes on the wire for each of the log."""
    return {
        "p50": median([percentile(each.seconds, 0.5) for each in rounds]) * 1e3,
        "p99": median([percentile(each.seconds, 0.99) for each in rounds]) * 1e3,
        "speed": median([each.sent / each.took for each in rounds]),
        "wire": median([each.wire for each in rounds]),
    }


def charts(figures: Mapping[str, float]) -> Iterator[tuple[str, tuple[str, str, Mapping[str, float]]]]:
    """Yield what is drawn: name, title, unit, and the figures by contender."""
    for name, title, unit, ending in (
        ("age", "How old an alert is when it is seen, 5,000 a second (p99)", "ms", " 5000/s p99"),
        ("drain", "A burst of 40,000 alerts", "alerts/s", " burst speed"),
        ("wire", "Bytes on the wire for each byte of the log, 1,000 alerts a second", "", " 1000/s wire"),
    ):
        drawn = {key.removesuffix(ending): value for key, value in figures.items() if key.endswith(ending)}
        if drawn:
            yield name, (title, unit, drawn)


def phases(make: Make, alerts: Path, folder: Path) -> Iterator[tuple[str, Phase]]:
    """Yield what each phase of one contender gave; one that does not get through ends its turn."""
    with make(folder) as pair:
        try:
            run_phase(pair, alerts, folder, WARM, WARM)
            for rate in RATES:
                yield f"{rate}/s", run_phase(pair, alerts, folder, rate, rate * SECONDS)
            yield "burst", run_phase(pair, alerts, folder, 0, BURST)
        except (MeasureError, subprocess.TimeoutExpired) as error:
            print(f"{folder.name}: {error}", flush=True)


def told(who: str, phase: str, rounds: Sequence[Phase]) -> str:
    """Return a row: medians over the rounds."""

    def middle(figure: Callable[[Phase], float]) -> float:
        return median([figure(each) for each in rounds])

    middles = medians(rounds)
    sender = middle(lambda each: each.sender_cpu / each.took)
    receiver = middle(lambda each: each.receiver_cpu / each.took)
    memory = [middle(lambda each: each.sender_memory), middle(lambda each: each.receiver_memory)]
    return (
        f"{who:26}{phase:8}p50 {middles['p50']:9.2f} ms  p99 {middles['p99']:9.2f} ms"
        f"  {middles['speed']:8.0f}/s"
        f"  CPU {sender:5.1%} {receiver:5.1%}  {memory[0] / 2**20:4.0f} {memory[1] / 2**20:4.0f} MiB"
        f"  wire {middles['wire']:.3f}"
    )


if __name__ == "__main__":
    sys.exit(main())
