"""One call to the hub over real gRPC: every way in which it may end, and connections that only seem to be."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from artemis_agent.spool import open_spool
from artemis_agent.wire import BrokenError, Wire, dial
from socme.v1.uplink_pb2 import Hello, NodeMessage
from tests.artemis_agent.hub import Hub, serving
from tests.artemis_agent.line import at, running, spool_batches, until
from tests.certificates import Authority, make_authority
from tests.faults.proxy import Way, proxied

HELLO = NodeMessage(hello=Hello(epoch=b"e" * 16, instance=b"i" * 16, vitals_interval_seconds=1))
FOUND_SECONDS = 20.0  # within which either end knows that its connection is dead
QUIET_SECONDS = 2.0  # for pings of a new connection to be over: one that is under way would find out at once


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


@pytest.fixture
async def hub(authority: Authority) -> AsyncIterator[Hub]:
    made = Hub()
    async with serving(made, authority) as port:
        made.window = (port, 0)
        yield made


async def ending(wire: Wire, use: Callable[[Wire], Awaitable[object]]) -> BrokenError:
    """Return how a stream ends that is used so until it does."""
    async with asyncio.timeout(10):
        try:
            while True:
                await use(wire)
        except BrokenError as error:
            return error


def reading(wire: Wire) -> Awaitable[object]:
    return wire.read()


def writing(wire: Wire) -> Awaitable[object]:
    return wire.write(NodeMessage())


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    ],
)
async def test_the_hubs_last_word_is_heard(authority: Authority, hub: Hub, code: grpc.StatusCode) -> None:
    """CANCELLED, too, which must not be taken for this very task's end."""
    hub.refuse = (code, "because")
    node = at(authority, hub.window[0])
    async with dial(node.hub_address, node) as wire:
        await wire.write(HELLO)
        error = await ending(wire, reading)

    assert (error.code, error.details) == (code.name, "because")


async def test_who_only_writes_hears_of_the_end_as_well(authority: Authority, hub: Hub) -> None:
    """If not always why."""
    hub.refuse = (grpc.StatusCode.CANCELLED, "because")
    node = at(authority, hub.window[0])
    async with dial(node.hub_address, node) as wire:
        await wire.write(HELLO)
        error = await ending(wire, writing)

    assert error.code in {"CANCELLED", "INTERNAL"}


@pytest.mark.parametrize("use", [reading, writing])
async def test_a_stream_that_ends_well_has_ended(
    authority: Authority, hub: Hub, use: Callable[[Wire], Awaitable[object]]
) -> None:
    hub.closing.set()
    node = at(authority, hub.window[0])
    async with dial(node.hub_address, node) as wire:
        await wire.write(HELLO)

        assert (await ending(wire, use)).code in {"OK", "INTERNAL"}


async def test_nobody_there(authority: Authority) -> None:
    node = at(authority, 1)
    async with dial(node.hub_address, node) as wire:
        error = await ending(wire, writing)

    assert (error.code, error.details) == ("UNAVAILABLE", "Connection refused")


@pytest.mark.parametrize("use", [reading, writing])
async def test_who_is_stopped_is_stopped(
    authority: Authority, hub: Hub, use: Callable[[Wire], Awaitable[object]]
) -> None:
    """A cancelled task ends as one, although gRPC ends the call in the same breath."""
    node = at(authority, hub.window[0])
    async with dial(node.hub_address, node) as wire, asyncio.TaskGroup() as group:
        await wire.write(HELLO)
        task = group.create_task(ending(wire, use))
        await hub.until(lambda: len(hub.hellos) == 1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    assert task.cancelled()


@dataclass(frozen=True, slots=True)
class Found:
    """When a dead connection was noticed, in seconds."""

    way: Way
    busy: bool
    """Whether there was something to send."""
    by_node: float
    by_hub: float


@pytest.mark.slow
async def test_a_dead_connection_is_found(tmp_path: Path, authority: Authority) -> None:
    """Bytes go nowhere and nobody is told, as behind a firewall that forgot: both ends find out by pings.

    One way or both, with and without something to send; all at once, because it takes its time. Once the
    network is well, what was on its way arrives.
    """
    ways = (Way.BOTH, Way.DOWN, Way.UP)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(dies(tmp_path / f"{way.name}-{busy}", authority, way, busy=busy))
            for way in ways
            for busy in (False, True)
        ]
    for found in (task.result() for task in tasks):
        print(f"\n{found}", end="")  # noqa: T201 - a measurement, for who asks (pytest -s)
        assert found.by_node <= FOUND_SECONDS
        assert found.by_hub <= FOUND_SECONDS


async def dies(folder: Path, authority: Authority, way: Way, *, busy: bool) -> Found:
    """Let a connection die and see when it is noticed, and how it comes back."""
    hub, spool = Hub(), open_spool(folder, max_bytes=1 << 30)
    async with serving(hub, authority) as port:
        with proxied(f"127.0.0.1:{port}") as proxy:
            async with running(spool, authority.node(proxy.address), interval=0.5 if busy else 60.0) as line:
                await hub.until(lambda: bool(hub.vitals))
                await asyncio.sleep(QUIET_SECONDS)
                proxy.half_open(way)
                if busy:
                    await spool_batches(spool, *"abc")
                async with asyncio.TaskGroup() as group:
                    node = group.create_task(noticed(lambda: not line.link.live, FOUND_SECONDS))
                    other = group.create_task(noticed(lambda: not hub.streams, FOUND_SECONDS))
                proxy.heal()
                await until(lambda: line.link.live, "a new stream")
                if busy:
                    await until(lambda: set(hub.messages) >= set("abc"), "what was on its way")
    await spool.close()
    return Found(way, busy, node.result(), other.result())


async def noticed(condition: Callable[[], bool], limit: float) -> float:
    """Return after how many seconds a condition came to hold; infinite where it did not in time."""
    begun = asyncio.get_running_loop().time()
    with suppress(TimeoutError):
        async with asyncio.timeout(limit + 5):
            while not condition():  # noqa: ASYNC110 - conditions on plain attributes
                await asyncio.sleep(0.05)
            return asyncio.get_running_loop().time() - begun
    return math.inf
