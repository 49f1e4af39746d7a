"""What a thousand watchers that stop reading cost a hub: `python -m bench.watchers [WATCHERS]`.

A real hub in a process of its own, mutual TLS on loopback, each watcher with a connection of its own. They
open their stream, read nothing, and a node sends until far more has come than any buffer between can hold.
One watcher reads all the while: it must miss nothing. Told is the hub's resident memory.
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from socme.batch import pack
from socme.v1.uplink_pb2 import NodeMessage
from socme.v1.watch_pb2 import WatchEvent, WatchRequest
from socme.v1.watch_pb2_grpc import WatchStub
from tests.zeus_hub.kit import Hub, Machine, alert, connect, linked, message, settings
from zeus_hub.database import open_database
from zeus_hub.hub import Running
from zeus_hub.local import Addresses

WATCHERS = 1000
BATCHES = 400
PER_BATCH = 50  # alerts
TEXT = 2000  # characters of each alert: 40 MB in all, for each watcher
IN_FLIGHT = 16  # unacknowledged batches
AT_ONCE = 50  # watchers that connect together, with one certificate; the hub allows it 64 streams
LIMIT = 120.0  # seconds that anything may take
MIB = 1024 * 1024


@asynccontextmanager
async def served(state_dir: Path) -> AsyncIterator[tuple[int, Addresses]]:
    """Run a hub; return its process id and where it listens."""
    config, told = state_dir.parent / "zeus.toml", state_dir / "hub.json"
    config.write_text(f'state_dir = "{state_dir}"\nlisten = "127.0.0.1:0"\n')
    told.unlink(missing_ok=True)  # of a hub that ran here before: this one listens elsewhere
    command = [sys.executable, "-m", "zeus_hub", "serve", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(LIMIT):
            # It makes this identity once it listens, at its first start.
            while not (told.exists() and (state_dir / "operator" / "identity").exists()):
                if process.returncode is not None:
                    raise RuntimeError("the hub does not start")
                await asyncio.sleep(0.05)
        yield process.pid, Addresses(**json.loads(told.read_text()))
    finally:
        process.terminate()
        await process.wait()


def memory(process: int) -> int:
    """Return a process's resident memory in bytes."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def stop_reading(zeus: Hub, stack: AsyncExitStack, count: int) -> None:
    """Open streams that nobody reads, and wait until each is served."""

    async def one(me: Machine) -> None:
        channel = await stack.enter_async_context(connect(zeus.address, me))
        call = WatchStub(channel).Alerts(WatchRequest())
        stack.callback(call.cancel)
        async with asyncio.timeout(LIMIT):
            await call.read()  # the snapshot; nothing after it

    for begin in range(0, count, AT_ONCE):
        wall = await zeus.display(f"wall-{begin}")
        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, count - begin)):
                group.create_task(one(wall))


async def send(zeus: Hub) -> None:
    """Send alerts as a node."""
    text = "x" * TEXT
    async with linked(zeus.address, await zeus.node()) as link:
        for sequence in range(1, BATCHES + 1):
            first = sequence * PER_BATCH
            made = [alert(first + index, url=text).SerializeToString() for index in range(PER_BATCH)]
            await link.send(NodeMessage(batch=message(sequence, pack(made))))
            await link.until_acked(max(0, sequence - IN_FLIGHT))
        await link.until_acked(BATCHES)


async def look(zeus: Hub) -> tuple[int, float]:
    """Read as a watcher does that keeps up; return how many alerts came, and in how many seconds."""
    async with connect(zeus.address, zeus.operator()) as channel:
        call = WatchStub(channel).Alerts(WatchRequest())
        seen, begun = 0, time.monotonic()
        while seen < BATCHES * PER_BATCH:
            async with asyncio.timeout(LIMIT):
                event = await call.read()
            if not isinstance(event, WatchEvent):
                break
            seen += len(event.alerts.alerts)
        call.cancel()
    return seen, time.monotonic() - begun


@dataclass(frozen=True)
class Memory:
    """The hub's resident memory in bytes."""

    connected: int
    """Once all watchers had their snapshot."""
    peak: int
    after: int


async def measure(
    state_dir: Path, process: int, addresses: Addresses, count: int
) -> tuple[Memory, int, float]:
    """Return what it took, and what the watcher that reads saw in how many seconds."""
    engine = open_database("sqlite:///zeus.db", state_dir)
    zeus = Hub(settings(state_dir), Running(addresses, b""), engine)
    peak = 0

    async def keep_an_eye() -> None:
        nonlocal peak
        while True:
            peak = max(peak, memory(process))
            await asyncio.sleep(0.1)

    async with AsyncExitStack() as stack:
        await stop_reading(zeus, stack, count)
        connected = memory(process)
        async with asyncio.TaskGroup() as group:
            eye = group.create_task(keep_an_eye())
            looking = group.create_task(look(zeus))
            await send(zeus)
            await asyncio.wait([looking])
            eye.cancel()
        found = Memory(connected, peak, memory(process))
    engine.dispose()
    return found, *looking.result()


async def run(count: int) -> tuple[Memory, int, float]:
    """Measure a new hub."""
    with tempfile.TemporaryDirectory() as folder:
        state_dir = Path(folder) / "state"
        async with served(state_dir) as (process, addresses):
            return await measure(state_dir, process, addresses, count)


def main() -> None:
    """Measure a hub without and with watchers that do not read, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("watchers", type=int, nargs="?", default=WATCHERS)
    count = parser.parse_args().watchers
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}")
    print(f"{BATCHES * PER_BATCH} alerts, {BATCHES * PER_BATCH * TEXT // MIB} MiB for each watcher\n")
    peaks = []
    for watchers in (0, count):
        found, seen, seconds = asyncio.run(run(watchers))
        peaks.append(found.peak)
        sizes = [size // MIB for size in (found.connected, found.peak, found.after)]
        print(
            f"{watchers:>5} that do not read:"
            f" hub {sizes[0]} MiB before, {sizes[1]} at its peak, {sizes[2]} after"
        )
        print(f"      one that reads: {seen} of {BATCHES * PER_BATCH} alerts in {seconds:.1f} s")
    print(f"\n{(peaks[1] - peaks[0]) / count / 1024:.0f} KiB for each watcher that does not read")


if __name__ == "__main__":
    main()
