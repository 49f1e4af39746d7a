"""The Uplink service: takes batches from nodes and acknowledges them once they are on disk.

Nothing of a batch is decoded here. Client and node come from the certificate, the rest of the envelope
is checked; a node that breaks the contract is told so and loses its stream, never another node's.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import grpc

from socme import VERSION, logs
from socme.batch import Packed
from socme.journal import Draft
from socme.spiffe import Role
from socme.v1.uplink_pb2 import (
    Ack,
    AlertBatch,
    Encoding,
    GoingAway,
    Hello,
    HubMessage,
    Mark,
    NodeMessage,
    Welcome,
)
from socme.v1.uplink_pb2_grpc import UplinkServicer
from zeus_hub.authorise import Context, EndedError, Guard, Stream
from zeus_hub.commit import Committer, Handed
from zeus_hub.fleet import Fleet, Key

LOG = logging.getLogger("zeus.ingest")

WINDOW_BATCHES = 64  # unacknowledged batches of one node that are held; the next are not read
WINDOW_BYTES = 4 * 1024 * 1024  # what the node is asked to keep to
HELLO_SECONDS = 10.0  # how long a new stream may be silent
EPOCH_BYTES = 16
HIGHEST_LANE = 15  # each lane costs a note in the journal
HIGHEST_SEQUENCE = 2**63 - 1  # what the journal can hold; at 1,000 batches a second, for 292 million years
# Of one batch, decompressed. A node cuts batches at 1 MiB and puts at least one alert of about 2 MiB in;
# what is more, one of few bytes could take any amount of memory behind here.
LARGEST_BATCH = 8 * 1024 * 1024
MOST_ALERTS = 5000  # in one batch; a node puts 500 in. Each costs some KiB of memory, however small it is
RETRY_SECONDS = 1.0  # how long nodes should wait when the hub stops
CLOCK_TOLERANCE = timedelta(minutes=1)


class Ingest(UplinkServicer):
    """Serves nodes."""

    def __init__(
        self, guard: Guard, committer: Committer, fleet: Fleet, clock: Callable[[], datetime]
    ) -> None:
        self._guard = guard
        self._committer = committer
        self._fleet = fleet
        self._clock = clock
        self._streams: dict[Key, Stream] = {}

    async def Connect(self, request_iterator: object, context: Context) -> None:  # type: ignore[override]  # noqa: N802
        """Serve one node for as long as it is connected."""
        del request_iterator  # the context reads as well, and can be waited for with a limit
        await self._guard.serve(
            context, (Role.NODE,), lambda stream: self._serve(stream, context), polite=True
        )

    async def _serve(self, stream: Stream, context: Context) -> None:
        key = (stream.holder.client, stream.holder.name)
        hello = await _hello(context)
        self._take_over(key, stream)
        try:
            self._fleet.connected(key, hello.vitals_interval_seconds)
            logs.event(
                LOG, logging.INFO, "node connected", client=key[0], node=key[1], version=hello.agent_version
            )
            self._judge_clock(key, hello)
            link = _Link(stream, context, key, hello.epoch)
            await context.write(HubMessage(welcome=await self._welcome(key, hello.epoch)))
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(self._read(link))
                await link.acknowledge(reader)
                reader.cancel()
        finally:
            if self._streams.get(key) is stream:
                del self._streams[key]
                self._fleet.gone(key)
                logs.event(LOG, logging.INFO, "node disconnected", client=key[0], node=key[1])

    def _take_over(self, key: Key, stream: Stream) -> None:
        """Let a node have one stream, the newest: it may have lost the old one without our knowing."""
        old = self._streams.get(key)
        if old is not None:
            logs.event(LOG, logging.WARNING, "second stream of a node", client=key[0], node=key[1])
            reason = "a newer stream of this node took over: does the same identity run on two machines?"
            old.end(EndedError(grpc.StatusCode.ABORTED, reason))
        self._streams[key] = stream

    async def _welcome(self, key: Key, epoch: bytes) -> Welcome:
        marks = await self._committer.marks("/".join(key), epoch)
        welcome = Welcome(
            hub_version=VERSION,
            # A lane that protobuf's types do not know keeps its number.
            marks=[Mark(lane=lane, sequence=sequence) for lane, sequence in marks.items()],  # type: ignore[arg-type]
            window_bytes=WINDOW_BYTES,
            window_batches=WINDOW_BATCHES,
        )
        welcome.time.FromDatetime(self._clock())
        return welcome

    async def _read(self, link: "_Link") -> None:
        """Take what a node sends until it sends no more."""
        while True:
            message = await link.context.read()
            if message is grpc.aio.EOF:
                return
            assert isinstance(message, NodeMessage)  # noqa: S101 - what the deserialiser makes
            match message.WhichOneof("message"):
                case "batch":
                    await self._take(link, message.batch)
                case "vitals":
                    if not self._fleet.reported(link.key, message.vitals):
                        raise EndedError(grpc.StatusCode.INVALID_ARGUMENT, "the vitals are too large")
                case "hello":
                    raise EndedError(grpc.StatusCode.INVALID_ARGUMENT, "a second Hello")
                case _:
                    self._fleet.heard(link.key)  # a kind that this hub is too old to know

    async def _take(self, link: "_Link", batch: AlertBatch) -> None:
        check(batch)
        self._fleet.heard(link.key)
        packed = Packed(batch.payload, batch.encoding, batch.alerts, batch.decoded_bytes)
        draft = Draft("/".join(link.key), batch.lane, batch.sequence, packed)
        await link.take()
        await self._committer.hand_in(Handed(draft, link.epoch, link.committed))

    def _judge_clock(self, key: Key, hello: Hello) -> None:
        off = abs(hello.time.ToSeconds() - self._clock().timestamp())
        if off > CLOCK_TOLERANCE.total_seconds():
            logs.event(
                LOG, logging.WARNING, "a node's clock is off", client=key[0], node=key[1], seconds=round(off)
            )


class _Link:
    """The acknowledgements of one stream: gathered while one is being sent, so that few are."""

    def __init__(self, stream: Stream, context: Context, key: Key, epoch: bytes) -> None:
        self.context = context
        self.key = key
        self.epoch = epoch
        self._stream = stream
        self._room = asyncio.Semaphore(WINDOW_BATCHES)
        self._held = 0  # batches that are taken and not on disk yet
        self._acks: dict[int, int] = {}

    async def take(self) -> None:
        """Wait until the hub may hold one more batch of this node."""
        await self._room.acquire()
        self._held += 1

    def committed(self, lane: int, sequence: int) -> None:
        """Take note that a batch is on disk."""
        self._acks[lane] = max(sequence, self._acks.get(lane, 0))
        self._held -= 1
        self._room.release()
        self._stream.wake.set()

    async def acknowledge(self, reader: asyncio.Task[None]) -> None:
        """Send acknowledgements until the node has said its last and has them all, or the hub stops."""
        reader.add_done_callback(lambda _: self._stream.wake.set())
        while not self._stream.leaving and not (reader.done() and not self._held and not self._acks):
            await self._stream.wake.wait()
            self._stream.wake.clear()
            await self._send()
        if self._stream.leaving:
            goodbye = GoingAway(reason="restart", retry_after_seconds=RETRY_SECONDS)
            await self.context.write(HubMessage(going_away=goodbye))

    async def _send(self) -> None:
        acks, self._acks = self._acks, {}
        for lane, sequence in acks.items():
            await self.context.write(HubMessage(ack=Ack(lane=lane, sequence=sequence)))  # type: ignore[arg-type]


def check(batch: AlertBatch) -> None:
    """Raise EndedError where a batch's envelope breaks the contract."""
    if batch.encoding != Encoding.ENCODING_ZSTD:
        raise EndedError(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"this hub ({VERSION}) does not know the encoding {batch.encoding}: update the hub",
        )
    problems = (
        (not 0 <= batch.lane <= HIGHEST_LANE, f"the lane {batch.lane} is not 0 to {HIGHEST_LANE}"),
        (not 0 < batch.sequence <= HIGHEST_SEQUENCE, f"the sequence {batch.sequence} is out of range"),
        (batch.decoded_bytes > LARGEST_BATCH, f"a batch of {batch.decoded_bytes} bytes is too large"),
        (batch.alerts > MOST_ALERTS, f"a batch of {batch.alerts} alerts is too large"),
        (not batch.alerts or not batch.payload, "a batch without alerts"),
    )
    for wrong, reason in problems:
        if wrong:
            raise EndedError(grpc.StatusCode.INVALID_ARGUMENT, reason)


async def _hello(context: Context) -> Hello:
    """Return the first message of a stream."""
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            message = await context.read()
    except TimeoutError as error:
        raise EndedError(grpc.StatusCode.DEADLINE_EXCEEDED, "no Hello came") from error
    if not isinstance(message, NodeMessage) or message.WhichOneof("message") != "hello":
        raise EndedError(grpc.StatusCode.INVALID_ARGUMENT, "the first message must be a Hello")
    if len(message.hello.epoch) != EPOCH_BYTES:
        raise EndedError(grpc.StatusCode.INVALID_ARGUMENT, f"the epoch must have {EPOCH_BYTES} bytes")
    return message.hello
