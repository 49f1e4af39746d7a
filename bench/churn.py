"""Whether a hub grows while nodes come and go: python -m bench.churn [CONNECTS].

A real hub in a process of its own, mutual TLS on loopback. A thousand nodes take turns, a hundred at a time:
each connects anew, says Hello, sends vitals and a batch, and once that is acknowledged it leaves. Every
second one has its connection cut, so that neither TLS nor HTTP/2 says goodbye. In an hour in which each came
back once a minute there would be 60,000 connects; here they follow as fast as both ends shake hands.
"""

import argparse
import asyncio
import itertools
import resource
import socket
import struct
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc

from bench import floors, outcome
from bench.fleet import vitals
from bench.gauge import cpu_seconds, machine, memory_bytes
from bench.watchers import served
from socme.batch import pack
from socme.v1.uplink_pb2 import NodeMessage
from tests.zeus_hub.kit import Hub, Link, Machine, alert, linked, message, settings
from zeus_hub.database import open_database
from zeus_hub.hub import Running

NODES = 1000
CONNECTS = 12_000
HOUR = 60_000  # connects, of a thousand nodes that come back once a minute
AT_ONCE = 100  # nodes that are connected
ALERTS = 5  # of each batch
STAY_SECONDS = 0.3  # after the acknowledgement
PARTS = 10  # of the way, after each of which the memory is told
_AT_ONCE_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset


@dataclass(frozen=True, slots=True)
class Sample:
    """The hub at one moment."""

    connects: int
    memory: int
    seconds: float


class Relay:
    """Stands between one node and the hub, and cuts the connection on both sides."""

    def __init__(self) -> None:
        self._writers: list[asyncio.StreamWriter] = []

    def cut(self) -> None:
        """Reset both sides."""
        for writer in self._writers:
            plug: socket.socket = writer.get_extra_info("socket")
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE_RESET)
            writer.transport.abort()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes until there is no more."""
        self._writers.append(writer)
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()


@asynccontextmanager
async def relayed(address: str) -> AsyncIterator[tuple[str, Relay]]:
    """Give an address that leads to the hub, and what cuts the way."""
    relay = Relay()
    host, _, port = address.rpartition(":")

    async def way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        async with asyncio.TaskGroup() as group:
            group.create_task(relay.pump(reader, far_writer))
            group.create_task(relay.pump(far_reader, writer))

    server = await asyncio.start_server(way, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", relay


async def speak(link: Link, number: int, sequence: int) -> None:
    """Send vitals and a batch, and wait until it is taken."""
    await link.send(vitals(number))
    first = (number * HOUR + sequence) * ALERTS
    alerts = [alert(first + each).SerializeToString() for each in range(ALERTS)]
    await link.send(NodeMessage(batch=message(sequence, pack(alerts))))
    await link.until_acked(sequence)
    await asyncio.sleep(STAY_SECONDS)


async def visit(address: str, me: Machine, number: int, sequence: int) -> None:
    """Come, speak, and say goodbye, or be cut off."""
    if (number + sequence) % 2:
        async with linked(address, me) as link:
            await speak(link, number, sequence)
            await link.call.done_writing()
            while await link.call.read() is not grpc.aio.EOF:
                pass
        return
    async with relayed(address) as (near, relay), linked(near, me) as link:
        await speak(link, number, sequence)
        relay.cut()


async def churn(process: int, address: str, machines: Sequence[Machine], connects: int) -> list[Sample]:
    """Let nodes come and go; return the hub's memory after each part of the way."""
    turns = iter(range(connects))
    done, samples, began = itertools.count(1), [Sample(0, memory_bytes(process), 0.0)], time.monotonic()

    async def worker() -> None:
        for turn in turns:
            number, sequence = turn % len(machines), turn // len(machines) + 1
            await visit(address, machines[number], number, sequence)
            count = next(done)
            if count % (connects // PARTS) == 0:
                sample = Sample(count, memory_bytes(process), time.monotonic() - began)
                samples.append(sample)
                print(
                    f"{count:>7,} connects {sample.seconds:5.0f} s  {sample.memory / 2**20:6.1f} MiB",
                    flush=True,
                )

    async with asyncio.TaskGroup() as group:
        for _ in range(min(AT_ONCE, len(machines))):
            group.create_task(worker())
    return samples


def slope(samples: Sequence[Sample]) -> float:
    """Return by how many bytes memory grows with each connect, by least squares over the second half."""
    half = [sample for sample in samples if sample.connects * 2 >= samples[-1].connects]
    middle = sum(sample.connects for sample in half) / len(half)
    level = sum(sample.memory for sample in half) / len(half)
    spread = sum((sample.connects - middle) ** 2 for sample in half)
    return sum((sample.connects - middle) * (sample.memory - level) for sample in half) / spread


async def run(connects: int) -> tuple[list[Sample], float]:
    """Measure a new hub; return its memory, and its CPU seconds of each connect."""
    with tempfile.TemporaryDirectory() as folder:
        state_dir = Path(folder) / "state"
        async with served(state_dir) as (process, addresses):
            engine = open_database("sqlite:///zeus.db", state_dir)
            zeus = Hub(settings(state_dir), Running(addresses, b""), engine)
            machines = [await zeus.node(f"client-{each // 10}", f"n{each}") for each in range(NODES)]
            engine.dispose()
            used = cpu_seconds(process)
            samples = await churn(process, zeus.address, machines, connects)
            return samples, (cpu_seconds(process) - used) / connects


def figures(samples: Sequence[Sample]) -> Iterator[tuple[str, float]]:
    """Yield the memory after half of the way and at its end, in MiB."""
    for name, part in (("half way", PARTS // 2), ("at the end", PARTS)):
        yield name, samples[part].memory / 2**20


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("connects", type=int, nargs="?", default=CONNECTS)
    outcome.add_options(parser)
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(machine())
    print(f"{given.connects:,} connects of {NODES:,} nodes, {given.connects / HOUR:.0%} of an hour's")
    samples, each = asyncio.run(run(given.connects))
    grown = slope(samples)
    print(f"second half: {grown:+.0f} bytes a connect, {grown * HOUR / 2**20:+.1f} MiB in an hour")
    print(f"{each * 1000:.1f} ms of the hub's CPU a connect")
    return outcome.end("churn", given, floors.CHURN, dict(figures(samples)), {})


if __name__ == "__main__":
    sys.exit(main())
