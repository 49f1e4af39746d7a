"""Whatever a node sends over its stream: the hub answers by the contract, and nobody else notices."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socme import tls
from socme.batch import pack
from socme.v1.uplink_pb2 import AlertBatch, Dropped, Hello, HubMessage, NodeMessage
from socme.v1.vitals_pb2 import Vitals
from tests.zeus_hub.kit import LIMIT, Hub, Link, Machine, alert, connect, hub, linked
from tests.zeus_hub.whatever import TEXTS, TIMES, UINT32, UINT64, messages

Call: TypeAlias = "grpc.aio.StreamStreamCall[bytes, HubMessage]"
ANSWERS = {
    grpc.StatusCode.OK,
    grpc.StatusCode.ABORTED,  # a newer stream of the same node
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.INTERNAL,  # no answer of a hub: what the caller's own gRPC makes of a late write
}
SMALL = st.integers(0, 6)
PAYLOADS = (
    st.just(pack([alert(1).SerializeToString()]).payload)
    | st.binary(max_size=50)
    | st.builds(Dropped, first_sequence=SMALL | UINT64, alerts=UINT64, reason=TEXTS).map(
        lambda dropped: dropped.SerializeToString()
    )
)
HELLOS = st.builds(
    Hello,
    agent_version=TEXTS,
    epoch=st.sampled_from([b"e" * 16, b"f" * 16, b"", b"x" * 17]),
    time=st.none() | TIMES,
    vitals_interval_seconds=UINT32,
    instance=st.sampled_from([b"", b"i" * 16, b"j" * 16, b"short"]),
)
BATCHES = st.builds(
    AlertBatch,
    lane=SMALL | st.integers(-(2**31), 2**31 - 1),
    sequence=SMALL | UINT64,
    encoding=st.sampled_from([1, 1, 1, 2, 2, 0, 77]),
    payload=PAYLOADS,
    alerts=SMALL | UINT32,
    decoded_bytes=st.integers(0, 500) | UINT64,
    alerts_before=SMALL | UINT64,
)
VITALS = messages(Vitals)
MESSAGES = (
    BATCHES.map(lambda batch: NodeMessage(batch=batch).SerializeToString())
    | VITALS.map(lambda vitals: NodeMessage(vitals=vitals).SerializeToString())
    | HELLOS.map(lambda hello: NodeMessage(hello=hello).SerializeToString())
    | st.binary(max_size=60)
)
GREETING = NodeMessage(hello=Hello(epoch=b"e" * 16)).SerializeToString()
STREAMS = st.lists(MESSAGES, max_size=8).flatmap(
    lambda rest: st.sampled_from([[GREETING, *rest], [GREETING, *rest], rest])
)


@dataclass(repr=False)
class Crashes(logging.Handler):
    """Whatever is logged with a traceback, or by those who log only what nobody caught."""

    found: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    __hash__ = object.__hash__

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of a record."""
        if record.exc_info or record.name.split(".")[0] in {"asyncio", "grpc"}:
            self.found.append(self.format(record))


@dataclass(repr=False)
class Stage:
    """A hub, a node that sends nonsense, and one that does not."""

    loop: asyncio.AbstractEventLoop
    zeus: Hub
    machine: Machine
    """Of the one that sends nonsense."""
    rogue: grpc.aio.Channel
    witness: Link
    crashes: Crashes
    sequence: int = 0

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something on the hub's loop."""
        asyncio.run_coroutine_threadsafe(work, self.loop).result(3 * LIMIT)


@asynccontextmanager
async def _stage(folder: Path, crashes: Crashes) -> AsyncIterator[Stage]:
    async with hub(folder) as zeus:
        rogue: Machine = await zeus.node("rogue", "n1")
        good = await zeus.node()
        async with linked(zeus.address, good) as witness, connect(zeus.address, rogue) as channel:
            yield Stage(asyncio.get_running_loop(), zeus, rogue, channel, witness, crashes)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Run a hub in a thread, since hypothesis's examples are not asynchronous."""
    crashes = Crashes()
    logging.getLogger().addHandler(crashes)
    ready: list[Stage] = []
    up, over = threading.Event(), threading.Event()

    async def play() -> None:
        async with _stage(tmp_path_factory.mktemp("fuzz"), crashes) as made:
            ready.append(made)
            up.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=[play()])
    thread.start()
    try:
        assert up.wait(LIMIT)
        yield ready[0]
    finally:
        over.set()
        thread.join(LIMIT)
        logging.getLogger().removeHandler(crashes)


def _call(channel: grpc.aio.Channel) -> Call:
    """Open a stream that takes any bytes."""
    method = "/socme.v1.Uplink/Connect"
    return channel.stream_stream(method, response_deserializer=HubMessage.FromString)()


async def _say(stage: Stage, messages: Sequence[bytes]) -> None:
    """Send messages, then nothing more; hear the hub out."""
    call = _call(stage.rogue)
    async with asyncio.timeout(LIMIT):
        try:
            for message in messages:
                await call.write(message)
            await call.done_writing()
            while await call.read() is not grpc.aio.EOF:
                pass
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            pass
        code, details = await call.code(), await call.details()
    assert code in ANSWERS, f"{code}: {details}"


async def _bear_witness(stage: Stage) -> None:
    stage.sequence += 1
    await stage.witness.batch(stage.sequence, [alert(stage.sequence)])
    await stage.witness.until_acked(stage.sequence)


def _check(crashes: Crashes) -> None:
    found, crashes.found = crashes.found, []
    assert not found, "\n".join(found)


@given(messages=STREAMS)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_a_node_sends_nothing_crashes_and_nobody_else_notices(
    stage: Stage, messages: list[bytes]
) -> None:
    stage.run(_say(stage, messages))
    stage.run(_bear_witness(stage))

    _check(stage.crashes)


def test_a_message_beyond_all_measure_ends_its_stream_alone(stage: Stage) -> None:
    async def shout() -> None:
        node = stage.machine
        credentials = tls.channel_credentials(key=node.key, chain=node.chain, ca=node.ca)
        options = [("grpc.ssl_target_name_override", tls.SERVER_NAME), ("grpc.max_send_message_length", -1)]
        async with (
            asyncio.timeout(LIMIT),
            grpc.aio.secure_channel(stage.zeus.address, credentials, options=options) as channel,
        ):
            call = _call(channel)
            await call.write(GREETING)
            await call.read()
            await call.write(bytes(tls.LARGEST_MESSAGE + 1))
            assert await call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

    stage.run(shout())
    stage.run(_bear_witness(stage))

    _check(stage.crashes)
