"""How many alerts a hub acknowledges in a second: python -m bench.ingest.

First the group commit alone, in one process without a network, with small and large groups waiting. Then, in
turns, a hub in a process of its own, over mutual TLS on loopback, with prebuilt batches from many nodes and
the store at work behind it; and peers' receivers, from 20 connections of plain TCP: NATS JetStream with
alerts one by one, a hundred in a message, and in the very batches that the hub gets, and rsyslog over RELP.
All lies on the real disk, for which an acknowledgement waits.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from artemis_agent.normalise import Normalised, normalise
from artemis_agent.source import Record
from bench import eve, floors, outcome, peers, receivers
from bench.gauge import cpu_seconds, machine, median
from bench.receivers import Rate
from bench.watchers import served
from socme.batch import Packed, pack
from socme.journal import Draft, Entry
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Lane, NodeMessage
from tests.zeus_hub.kit import Hub, Link, Machine, linked, message, settings
from zeus_hub.commit import Committer
from zeus_hub.database import open_database
from zeus_hub.hub import Running
from zeus_hub.journalist import Handed

IN_FLIGHT = 16  # unacknowledged batches of a node
AT_ONCE = 20  # nodes that connect together
MANY = 128  # unacknowledged messages of one alert; RELP's usual window

Contender = Callable[[Path], Rate]


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent."""

    nodes: int
    batches: int
    """Of each node."""
    alerts: int
    """Of each batch."""

    @property
    def total(self) -> int:
        """All alerts."""
        return self.nodes * self.batches * self.alerts


ALONE = Load(nodes=4, batches=500, alerts=50)
LOADS = (Load(nodes=20, batches=25, alerts=500), Load(nodes=200, batches=25, alerts=20))


def alerts_of(count: int) -> list[Alert]:
    """Return so many alerts as a node makes them."""
    observed = datetime.now(UTC)
    found = [
        normalise(Record(line, b"bench", 0), kind="suricata", origin="eve.json", observed=observed)
        for line in made(count)
    ]
    return [each.alert for each in found if isinstance(each, Normalised)]


def batches(load: Load, node: int) -> list[Packed]:
    """Return a node's batches; every alert is another one."""
    alerts, packed = alerts_of(load.alerts), []
    for batch in range(load.batches):
        for index, alert in enumerate(alerts):
            alert.id = ((node * load.batches + batch) * load.alerts + index).to_bytes(16, "big")
        packed.append(pack([alert.SerializeToString() for alert in alerts]))
    return packed


@cache
def made(count: int) -> list[bytes]:
    """Return lines of so many alerts, no two alike."""
    return eve.alerts(count)


def alone(folder: Path, work: Sequence[Sequence[Packed]], in_flight: int) -> float:
    """Return how long the group commit takes for everything, in seconds."""

    def committed(entries: Sequence[Entry], new: Collection[int]) -> None:
        del entries, new

    async def node(committer: Committer, name: str, mine: Sequence[Packed]) -> None:
        room = asyncio.Semaphore(in_flight)
        for sequence, packed in enumerate(mine, start=1):
            await room.acquire()
            draft = Draft(name, Lane.LANE_NORMAL, sequence, packed)
            await committer.hand_in(Handed(draft, b"e" * 16, lambda *_: room.release()))
        for _ in range(in_flight):
            await room.acquire()

    async def run() -> float:
        committer = Committer(folder / "journal.db", 1024**3, needed=lambda: 0, committed=committed)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(committer.run())
            started = time.perf_counter()
            async with asyncio.TaskGroup() as nodes:
                for number, mine in enumerate(work):
                    nodes.create_task(node(committer, f"c/n{number}", mine))
            seconds = time.perf_counter() - started
            task.cancel()
        return seconds

    return asyncio.run(run())


def whole(folder: Path, work: Sequence[Sequence[Packed]]) -> tuple[float, float]:
    """Return how long a hub takes to acknowledge everything, and its CPU, in seconds."""

    async def send(link: Link, mine: Sequence[Packed]) -> None:
        for sequence, packed in enumerate(mine, start=1):
            await link.send(NodeMessage(batch=message(sequence, packed)))
            await link.until_acked(max(0, sequence - IN_FLIGHT))
        await link.until_acked(len(mine))

    async def run() -> tuple[float, float]:
        state_dir = folder / "state"
        async with served(state_dir) as (process, addresses), AsyncExitStack() as stack:
            engine = open_database("sqlite:///zeus.db", state_dir)
            stack.callback(engine.dispose)
            zeus = Hub(settings(state_dir), Running(addresses, b""), engine)
            machines = [await zeus.node(f"client-{each // 10}", f"n{each}") for each in range(len(work))]
            links = await connected(stack, addresses.hub, machines)
            started, used = time.perf_counter(), cpu_seconds(process)
            async with asyncio.TaskGroup() as group:
                for link, mine in zip(links, work, strict=True):
                    group.create_task(send(link, mine))
            return time.perf_counter() - started, cpu_seconds(process) - used

    return asyncio.run(run())


async def connected(stack: AsyncExitStack, address: str, machines: Sequence[Machine]) -> list[Link]:
    """Return a stream of each node."""
    links: list[Link] = []
    for begin in range(0, len(machines), AT_ONCE):
        async with asyncio.TaskGroup() as together:
            some = [
                together.create_task(stack.enter_async_context(linked(address, each)))
                for each in machines[begin : begin + AT_ONCE]
            ]
        links += [task.result() for task in some]
    return links


def ours(load: Load) -> Iterator[tuple[str, Contender]]:
    """Yield a hub under a load; what is sent is made now."""
    work = [batches(load, number) for number in range(load.nodes)]

    def hub(folder: Path) -> Rate:
        seconds, used = whole(folder, work)
        return Rate(load.total / seconds, used / load.total)

    yield f"socme, {load.nodes} nodes, batches of {load.alerts}", hub


def theirs() -> Iterator[tuple[str, Contender]]:
    """Yield the peers that are here, and what they get."""
    largest = LOADS[0]
    plain = [alert.SerializeToString() for alert in alerts_of(largest.alerts)]
    packed = [packed.payload for packed in batches(Load(1, IN_FLIGHT, largest.alerts), 0)]
    hundreds = [b"".join(plain[begin : begin + 100]) for begin in range(0, len(plain), 100)]

    def loaded(make: receivers.Make, messages: Sequence[bytes], alerts: int, in_flight: int) -> Contender:
        async def run(folder: Path) -> Rate:
            async with make(folder) as receiver:
                return await receivers.load(receiver, messages, alerts, in_flight)

        return lambda folder: asyncio.run(run(folder))

    if peers.find("nats-server"):
        yield "JetStream, 1 alert a message", loaded(receivers.jetstream, plain, 1, MANY)
        yield "JetStream, 100 alerts a message", loaded(receivers.jetstream, hundreds, 100, IN_FLIGHT)
        name = f"JetStream, packed {largest.alerts}"
        yield name, loaded(receivers.jetstream, packed, largest.alerts, IN_FLIGHT)
    if peers.find("rsyslogd"):
        lines = [line.rstrip(b"\n") for line in made(largest.alerts)]
        yield "rsyslog, durable ack", loaded(receivers.relp, lines, 1, MANY)


def main() -> int:
    """Measure and print a table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    outcome.add_options(parser)
    given = parser.parse_args()
    print(machine())
    work = [batches(ALONE, number) for number in range(ALONE.nodes)]
    for in_flight in (1, IN_FLIGHT):
        with tempfile.TemporaryDirectory() as folder:
            seconds = alone(Path(folder), work, in_flight)
        print(f"commit alone, {in_flight:2} in flight {ALONE.total / seconds:31,.0f} alerts/s")
    chosen = [*(each for load in LOADS for each in ours(load)), *theirs()]
    found: dict[str, list[Rate]] = {}
    for turn in range(given.rounds):
        for name, contender in chosen if turn % 2 == 0 else reversed(chosen):
            with tempfile.TemporaryDirectory() as folder:
                found.setdefault(name, []).append(contender(Path(folder)))
    rates: dict[str, float] = {}
    for name, rounds in found.items():
        rates[name] = median([rate.alerts for rate in rounds])
        used = median([rate.cpu for rate in rounds])
        print(f"{name:38}{rates[name]:15,.0f} alerts/s  {used * 1e6:6.1f} us of its CPU each")
    chart = ("Alerts acknowledged once they are synced", "a second", rates)
    return outcome.end("ingest", given, floors.INGEST, rates, {"ingest": chart})


if __name__ == "__main__":
    sys.exit(main())
