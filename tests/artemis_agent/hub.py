"""A hub for the uplink's tests: the real service on a real port, with a memory instead of a journal.

It is strict: what the contract forbids a node to send is a breach, and a test with one fails.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc
import grpc.aio

from socme import tls
from socme.batch import Packed, unpack
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import (
    Ack,
    AlertBatch,
    Dropped,
    Encoding,
    Hello,
    HubMessage,
    Lane,
    Mark,
    NodeMessage,
    Pace,
    Refusal,
    Told,
    Welcome,
)
from socme.v1.uplink_pb2_grpc import UplinkServicer, add_UplinkServicer_to_server
from socme.v1.vitals_pb2 import Vitals
from tests.certificates import Authority

Context: TypeAlias = "grpc.aio.ServicerContext[NodeMessage, HubMessage]"
LIMIT = 60.0  # seconds for any condition; far more than it takes on a machine that is not busy
LARGEST_BATCH = 8 * 1024 * 1024  # bytes, decompressed
MOST_ALERTS = 5000
HIGHEST_LANE = 15


@dataclass
class Books:
    """What the hub knows of one spool's epoch, whatever streams it came by; and what was wrong with it."""

    marks: dict[int, int] = field(default_factory=dict)
    """By lane: the last sequence that is on the hub's disk."""
    checks: dict[int, bytes] = field(default_factory=dict)
    """By lane: Mark.check."""
    ends: dict[tuple[int, int], int] = field(default_factory=dict)
    """By lane and sequence: alerts up to and with that batch, as the node counts them."""

    def of(self, batch: AlertBatch) -> Iterable[str]:
        """Yield what is wrong with a batch, and take note of it."""
        lane, sequence = batch.lane, batch.sequence
        dropped = dropped_of(batch)
        first = dropped.first_sequence if dropped else sequence
        if not 0 <= lane <= HIGHEST_LANE:
            yield f"lane {lane}"
        if not batch.payload or not sequence:
            yield "nothing in it"
        if dropped is None and not (batch.encoding == Encoding.ENCODING_ZSTD and batch.alerts):
            yield f"encoding {batch.encoding}, {batch.alerts} alerts"
        if dropped and (batch.alerts or not dropped.reason or not 0 < first <= sequence):
            yield f"a bad Dropped {dropped}"
        if batch.decoded_bytes > LARGEST_BATCH or batch.alerts > MOST_ALERTS:
            yield "too large"
        if sequence <= self.marks.get(lane, 0):
            yield f"sequence {sequence} of lane {lane} again, which was acknowledged"
        before = self.ends.get((lane, first - 1), 0 if first == 1 else None)
        if before is not None and before != batch.alerts_before:
            yield f"{batch.alerts_before} alerts before {lane}/{sequence}, not {before}"
        self.ends[lane, sequence] = batch.alerts_before + (dropped.alerts if dropped else batch.alerts)

    def commit(self, batch: AlertBatch) -> None:
        """Take note that a batch is on disk."""
        self.marks[batch.lane] = batch.sequence
        self.checks[batch.lane] = hashlib.blake2b(batch.payload).digest()[:8]

    def known(self) -> list[Mark]:
        """Return what Welcome tells."""
        return [
            Mark(lane=lane, sequence=sequence, check=self.checks.get(lane, b""))  # type: ignore[arg-type]
            for lane, sequence in self.marks.items()
        ]


@dataclass
class Order:
    """What one stream has sent; each lane ascends without a hole."""

    last: dict[int, int] = field(default_factory=dict)
    """By lane: the last sequence."""
    flying: dict[tuple[int, int], int] = field(default_factory=dict)
    """Size of each batch that is not acknowledged, by lane and sequence."""

    def of(self, batch: AlertBatch, marks: dict[int, int], window: tuple[int, int]) -> Iterable[str]:
        """Yield what is wrong with a batch as the next of its stream."""
        dropped = dropped_of(batch)
        first = dropped.first_sequence if dropped else batch.sequence
        last = self.last.get(batch.lane, marks.get(batch.lane))
        if last is not None and first != last + 1:
            yield f"sequence {first} of lane {batch.lane} behind {last}"
        self.last[batch.lane] = batch.sequence
        self.flying[batch.lane, batch.sequence] = len(batch.payload)
        size, batches = window
        if len(self.flying) > 1 and (
            (batches and len(self.flying) > batches) or (size and sum(self.flying.values()) > size)
        ):
            yield f"{len(self.flying)} batches of {sum(self.flying.values())} bytes on their way"

    def acknowledged(self, lane: int, sequence: int) -> None:
        """Take note of all batches of a lane up to a sequence."""
        self.flying = {key: size for key, size in self.flying.items() if key[0] != lane or key[1] > sequence}


@dataclass
class Hub(UplinkServicer):
    """What the hub was told, and how it behaves."""

    hellos: list[Hello] = field(default_factory=list)
    batches: list[AlertBatch] = field(default_factory=list)
    came: list[tuple[bytes, AlertBatch]] = field(default_factory=list)
    """The batches, each with its epoch."""
    vitals: list[Vitals] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    """Kinds of the messages in the order of arrival."""
    books: dict[bytes, Books] = field(default_factory=dict)
    """By epoch: what the hub has."""
    breaches: list[str] = field(default_factory=list)
    """What the node sent against the contract."""
    acknowledge: Callable[[AlertBatch], int] = lambda batch: batch.sequence
    """The sequence to acknowledge after a batch; 0 for none."""
    reject: Callable[[AlertBatch], str] = lambda _: ""
    """Why the hub does not take a batch; empty where it does."""
    first: Sequence[HubMessage] = ()
    """Sent before Welcome."""
    then: Sequence[HubMessage] = ()
    """Sent after Welcome."""
    refuse: tuple[grpc.StatusCode, str] | None = None
    window: tuple[int, int] = (0, 0)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Once set, streams end well after their next message."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    stream: "Context | None" = None
    streams: int = 0
    """How many are open, as far as the hub knows."""
    _order: Order = field(default_factory=Order)

    async def Connect(  # type: ignore[override]  # noqa: N802 - gRPC's name
        self, request_iterator: AsyncIterator[NodeMessage], context: Context
    ) -> None:
        """Serve one node."""
        self.stream, self._order = context, Order()
        self.streams += 1
        try:
            async for message in request_iterator:
                goes_on = await self._take(message, context)
                async with self.changed:
                    self.changed.notify_all()
                if self.closing.is_set() or not goes_on:
                    return
        finally:
            self.streams -= 1

    async def _take(self, message: NodeMessage, context: Context) -> bool:
        """Return whether the stream goes on."""
        kind = message.WhichOneof("message")
        self.order.append(kind or "unknown")
        if message.HasField("hello"):
            await self._greet(message.hello, context)
        elif message.HasField("batch"):
            return await self._batch(message.batch, context)
        elif message.HasField("vitals"):
            self.vitals.append(message.vitals)
        elif message.HasField("told"):
            self.told.append(message.told)
        return True

    async def _greet(self, hello: Hello, context: Context) -> None:
        self.hellos.append(hello)
        if not (len(hello.epoch) == len(hello.instance) == 16 and hello.vitals_interval_seconds):
            self.breaches.append(f"a bad Hello {hello}")
        if self.refuse:
            await context.abort(*self.refuse)
        for message in self.first:
            await context.write(message)
        welcome = Welcome(
            hub_version="test",
            marks=self.own.known(),
            window_bytes=self.window[0],
            window_batches=self.window[1],
        )
        welcome.time.CopyFrom(hello.time)
        await context.write(HubMessage(welcome=welcome))
        for message in self.then:
            await context.write(message)

    async def _batch(self, batch: AlertBatch, context: Context) -> bool:
        self.breaches += self.own.of(batch)
        self.breaches += self._order.of(batch, self.own.marks, self.window)
        self.batches.append(batch)
        self.came.append((self.hellos[-1].epoch, batch))
        if reason := self.reject(batch):
            refusal = Refusal(lane=batch.lane, sequence=batch.sequence, reason=reason)
            await context.write(HubMessage(refusal=refusal))
            return False
        if (covered := self.acknowledge(batch)) > 0:
            await self.ack(covered, batch.lane, context)
        return True

    async def ack(
        self, sequence: int, lane: int = Lane.LANE_NORMAL, context: "Context | None" = None
    ) -> None:
        """Acknowledge a lane up to a sequence."""
        stream = context or self.stream
        assert stream is not None
        for batch in self.batches:
            if (batch.lane, batch.sequence) == (lane, sequence):
                self.own.commit(batch)
        self._order.acknowledged(lane, sequence)
        await stream.write(HubMessage(ack=Ack(lane=lane, sequence=sequence)))  # type: ignore[arg-type]

    async def pace(self, size: int, batches: int, reason: str = "") -> None:
        """Ask for another window."""
        assert self.stream is not None
        await self.stream.write(
            HubMessage(pace=Pace(window_bytes=size, window_batches=batches, reason=reason))
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on what was received holds."""
        async with asyncio.timeout(LIMIT), self.changed:
            await self.changed.wait_for(condition)

    @property
    def own(self) -> Books:
        """The books of the epoch that was last heard of."""
        return self.books.setdefault(self.hellos[-1].epoch, Books())

    @property
    def sequences(self) -> list[int]:
        """Of the batches, in order of arrival."""
        return [batch.sequence for batch in self.batches]

    @property
    def messages(self) -> list[str]:
        """Of the alerts, in order of arrival."""
        return [alert.message for batch in self.batches for alert in alerts_of(batch)]

    @property
    def raw(self) -> list[bytes]:
        """Lines of the alerts, each batch once however often it came, in order of arrival."""
        once = {(epoch, batch.lane, batch.sequence): batch for epoch, batch in self.came}
        return [alert.raw for batch in once.values() for alert in alerts_of(batch)]


def dropped_of(batch: AlertBatch) -> Dropped | None:
    """Return what stands in the place of batches that were given up; None for a batch of alerts."""
    return Dropped.FromString(batch.payload) if batch.encoding == Encoding.ENCODING_DROPPED else None


def alerts_of(batch: AlertBatch) -> Sequence[Alert]:
    """Return what a batch holds."""
    if batch.encoding == Encoding.ENCODING_DROPPED:
        return []
    return unpack(Packed(batch.payload, batch.encoding, batch.alerts, batch.decoded_bytes))


@asynccontextmanager
async def serving(
    hub: Hub, authority: Authority, port: int = 0, host: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """Serve with mutual TLS on a port of this machine; yield the port. A breach fails the test."""
    server = grpc.aio.server(options=tls.SERVER_OPTIONS)
    add_UplinkServicer_to_server(hub, server)
    leaf = authority.server()
    credentials = tls.mutual_server_credentials(key=leaf.key, chain=leaf.chain, ca=authority.pem)
    bound = server.add_secure_port(f"{host}:{port}", credentials)
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(None)
    assert hub.breaches == []
