"""What connected nodes cost a hub: python -m bench.fleet [NODES].

A real hub in a process of its own, mutual TLS on loopback, each node with a connection and a certificate of
its own. They send vitals every ten seconds, more than nodes do, and nothing else. Then the same nodes with
a server of gRPC alone, which reads what they say and does nothing with it: no hub of this kind can go below.
"""

import argparse
import asyncio
import resource
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import floors, outcome
from bench.bare import bare
from bench.gauge import cpu_seconds, machine, memory_bytes
from bench.ingest import connected
from bench.watchers import served
from socme.v1.uplink_pb2 import NodeMessage
from socme.v1.vitals_pb2 import Vitals
from tests.zeus_hub.kit import Hub, Link, Machine, settings
from zeus_hub.database import open_database
from zeus_hub.hub import Running

NODES = 1000
PER_CLIENT = 10
INTERVAL = 10.0  # seconds between two vitals of a node
SECONDS = 30.0  # of which the CPU is taken
HUB, BARE = "socme", "gRPC alone"


def vitals(number: int) -> NodeMessage:
    """Return what a node with two sources says of itself."""
    told = Vitals(hostname=f"node-{number}", uptime_seconds=number, cpu_count=4, agent_version="0.1.0")
    for kind in ("suricata", "wazuh"):
        told.sources.add(name=f"/var/log/{kind}.json", kind=kind, bytes=10**9 + number, records=10**6)
    return NodeMessage(vitals=told)


async def speak(link: Link, number: int) -> None:
    """Send vitals for ever; not all nodes at the same moment."""
    await asyncio.sleep(INTERVAL * number / NODES)
    while True:
        await link.send(vitals(number))
        await asyncio.sleep(INTERVAL)


@dataclass(frozen=True, slots=True)
class Cost:
    """What nodes cost a server."""

    without: int
    """Bytes of resident memory before they came."""
    memory: int
    """With them."""
    core: float
    """Share of a core."""
    nodes: int

    @property
    def each(self) -> float:
        """Bytes of a node."""
        return (self.memory - self.without) / self.nodes

    def __str__(self) -> str:
        memory = f"{self.without >> 20:4} MiB without, {self.memory >> 20:4} with them"
        return f"{memory}, {self.each / 1024:4.0f} KiB each, {self.core:5.1%} of a core"


async def measure(process: int, address: str, machines: Sequence[Machine]) -> Cost:
    """Connect nodes and return what they cost."""
    before = memory_bytes(process)
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        links = await connected(stack, address, machines)
        tasks = [group.create_task(speak(link, number)) for number, link in enumerate(links)]
        await asyncio.sleep(2 * INTERVAL)
        used = cpu_seconds(process)
        await asyncio.sleep(SECONDS)
        used = (cpu_seconds(process) - used) / SECONDS
        after = memory_bytes(process)
        for task in tasks:
            task.cancel()
    return Cost(before, after, used, len(machines))


async def run(count: int) -> dict[str, Cost]:
    """Measure a new hub, and a server that does nothing."""
    with tempfile.TemporaryDirectory() as folder:
        state_dir = Path(folder) / "state"
        async with served(state_dir) as (_, addresses):
            engine = open_database("sqlite:///zeus.db", state_dir)
            zeus = Hub(settings(state_dir), Running(addresses, b""), engine)
            machines = [await zeus.node(f"client-{each // PER_CLIENT}", f"n{each}") for each in range(count)]
            engine.dispose()
        # The first start of all brought the database into being, and what that needs stays in memory.
        async with served(state_dir) as (process, addresses):
            found = {HUB: await measure(process, addresses.hub, machines)}
        async with bare(state_dir) as (process, address):
            return found | {BARE: await measure(process, address, machines)}


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("nodes", type=int, nargs="?", default=NODES)
    outcome.add_options(parser)
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(machine())
    print(f"{given.nodes} nodes, {given.nodes / INTERVAL:.0f} vitals a second")
    costs = asyncio.run(run(given.nodes))
    for name, cost in costs.items():
        print(f"{name:10} {cost}")
    return outcome.end("fleet", given, floors.FLEET, figures(costs), {})


def figures(costs: Mapping[str, Cost]) -> dict[str, float]:
    """Return what nodes cost each server, by name."""
    found: dict[str, float] = {}
    for name, cost in costs.items():
        found |= {f"{name}, memory of a node": cost.each / 1024, f"{name}, CPU": 100 * cost.core}
        found[f"{name}, MiB"] = cost.memory / 2**20
    return found


if __name__ == "__main__":
    sys.exit(main())
