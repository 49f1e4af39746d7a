"""What connected nodes cost a hub: python -m bench.fleet [NODES].

A real hub in a process of its own, mutual TLS on loopback, each node with a connection and a certificate of
its own. They send vitals every ten seconds, as nodes do, and nothing else.
"""

import argparse
import asyncio
import resource
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from bench.gauge import cpu_seconds, machine, memory_bytes
from bench.ingest import connected
from bench.watchers import served
from socme.v1.uplink_pb2 import NodeMessage
from socme.v1.vitals_pb2 import Vitals
from tests.zeus_hub.kit import Hub, Link, settings
from zeus_hub.database import open_database
from zeus_hub.hub import Running
from zeus_hub.local import Addresses

NODES = 1000
PER_CLIENT = 10
INTERVAL = 10.0  # seconds between two vitals of a node
SECONDS = 30.0  # of which the CPU is taken


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


async def measure(process: int, state_dir: Path, addresses: Addresses, count: int) -> None:
    """Connect nodes and print what they cost."""
    engine = open_database("sqlite:///zeus.db", state_dir)
    zeus = Hub(settings(state_dir), Running(addresses, b""), engine)
    machines = [await zeus.node(f"client-{each // PER_CLIENT}", f"n{each}") for each in range(count)]
    before = memory_bytes(process)
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        links = await connected(stack, zeus.address, machines)
        tasks = [group.create_task(speak(link, number)) for number, link in enumerate(links)]
        await asyncio.sleep(2 * INTERVAL)
        used = cpu_seconds(process)
        await asyncio.sleep(SECONDS)
        used = (cpu_seconds(process) - used) / SECONDS
        after = memory_bytes(process)
        for task in tasks:
            task.cancel()
    engine.dispose()
    each = (after - before) / count / 1024
    print(f"{count} nodes: hub {before >> 20} MiB without, {after >> 20} with them, {each:.0f} KiB each")
    print(f"{count / INTERVAL:.0f} vitals a second: {used:.1%} of a core")


async def run(count: int) -> None:
    """Measure a new hub."""
    with tempfile.TemporaryDirectory() as folder:
        state_dir = Path(folder) / "state"
        async with served(state_dir) as (process, addresses):
            await measure(process, state_dir, addresses, count)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("nodes", type=int, nargs="?", default=NODES)
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(machine())
    asyncio.run(run(given.nodes))


if __name__ == "__main__":
    main()
