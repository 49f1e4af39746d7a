"""How many alerts a hub acknowledges in a second: `python -m bench.ingest`.

First the group commit alone, in one process without a network, with small and large groups waiting; then a
whole hub over mutual TLS on loopback, with the store at work behind it. Journal and database lie on the real
disk, since it is the disk that an acknowledgement waits for.
"""

import asyncio
import os
import platform
import tempfile
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from artemis_agent.normalise import Normalised, normalise
from artemis_agent.sift import NEEDLE
from artemis_agent.source import Record
from socme.batch import Packed, pack
from socme.journal import Draft, Entry
from socme.v1.uplink_pb2 import Lane, NodeMessage
from tests.zeus_hub.kit import Machine, hub, linked, message
from zeus_hub.commit import Committer
from zeus_hub.journalist import Handed

RECORDING = Path(__file__).resolve().parent.parent / "tests" / "data" / "eve.json"
PER_BATCH = 50  # alerts, as a node of a busy site sends them
BATCHES = 500  # of each node
NODES = 4
IN_FLIGHT = 16  # unacknowledged batches of a node


def batches(node: int) -> list[Packed]:
    """Return a node's batches, made of the project's recording; every alert has an id of its own."""
    lines = [line for line in RECORDING.read_bytes().splitlines() if NEEDLE in line]
    found = [
        normalise(Record(line, b"b", 0), kind="suricata", origin="b", observed=datetime.now(UTC))
        for line in lines
    ]
    alerts = [each.alert for each in found if isinstance(each, Normalised)]
    made = []
    for batch in range(BATCHES):
        plain = []
        for index in range(PER_BATCH):
            alert = alerts[index % len(alerts)]
            alert.id = ((node * BATCHES + batch) * PER_BATCH + index).to_bytes(16, "big")
            plain.append(alert.SerializeToString())
        made.append(pack(plain))
    return made


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


def whole(folder: Path, work: Sequence[Sequence[Packed]]) -> float:
    """Return how long a hub takes to acknowledge everything, in seconds."""

    async def node(address: str, machine: Machine, mine: Sequence[Packed]) -> None:
        async with linked(address, machine) as link:
            for sequence, packed in enumerate(mine, start=1):
                await link.send(NodeMessage(batch=message(sequence, packed)))
                await link.until_acked(max(0, sequence - IN_FLIGHT))
            await link.until_acked(len(mine))

    async def run() -> float:
        async with hub(folder) as zeus:
            machines = [await zeus.node("acme", f"n{number}") for number in range(len(work))]
            started = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for machine, mine in zip(machines, work, strict=True):
                    group.create_task(node(zeus.address, machine, mine))
            return time.perf_counter() - started

    return asyncio.run(run())


def main() -> None:
    """Measure and print a table."""
    work = [batches(number) for number in range(NODES)]
    total = NODES * BATCHES * PER_BATCH
    size = sum(len(packed.payload) for mine in work for packed in mine)
    print(f"{NODES} nodes, {total} alerts in batches of {PER_BATCH}, {size / 1e6:.1f} MB compressed")
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, {platform.machine()}")
    rows: list[tuple[str, float]] = []
    for in_flight in (1, IN_FLIGHT):
        with tempfile.TemporaryDirectory() as folder:
            rows.append((f"commit alone, {in_flight} in flight", alone(Path(folder), work, in_flight)))
    with tempfile.TemporaryDirectory() as folder:
        rows.append(("a hub over mutual TLS", whole(Path(folder), work)))
    for name, seconds in rows:
        print(f"{name:32}{seconds:8.3f} s {total / seconds:10.0f} alerts/s")


if __name__ == "__main__":
    main()
