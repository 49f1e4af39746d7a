"""A hub for the uplink's tests: the real service on a real port, with a memory instead of a journal."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc
import grpc.aio

from socme import tls
from socme.batch import Packed, unpack
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Ack, AlertBatch, Hello, HubMessage, Lane, Mark, NodeMessage, Welcome
from socme.v1.uplink_pb2_grpc import UplinkServicer, add_UplinkServicer_to_server
from socme.v1.vitals_pb2 import Vitals
from tests.certificates import Authority

Context: TypeAlias = "grpc.aio.ServicerContext[NodeMessage, HubMessage]"
LIMIT = 20.0  # seconds for any condition; far more than it takes


@dataclass
class Hub(UplinkServicer):
    """What the hub was told, and how it behaves."""

    hellos: list[Hello] = field(default_factory=list)
    batches: list[AlertBatch] = field(default_factory=list)
    vitals: list[Vitals] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    """Kinds of the messages in the order of arrival."""
    marks: dict[bytes, int] = field(default_factory=dict)
    """By epoch: what Welcome tells."""
    acknowledge: Callable[[AlertBatch], int] = lambda batch: batch.sequence
    """The sequence to acknowledge after a batch; 0 for none."""
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

    async def Connect(  # type: ignore[override]  # noqa: N802 - gRPC's name
        self, request_iterator: AsyncIterator[NodeMessage], context: Context
    ) -> None:
        """Serve one node."""
        self.stream = context
        async for message in request_iterator:
            await self._take(message, context)
            async with self.changed:
                self.changed.notify_all()
            if self.closing.is_set():
                return

    async def _take(self, message: NodeMessage, context: Context) -> None:
        kind = message.WhichOneof("message")
        self.order.append(kind or "unknown")
        if message.HasField("hello"):
            await self._greet(message.hello, context)
        elif message.HasField("batch"):
            self.batches.append(message.batch)
            if (covered := self.acknowledge(message.batch)) > 0:
                await self.ack(covered, context)
        elif message.HasField("vitals"):
            self.vitals.append(message.vitals)

    async def _greet(self, hello: Hello, context: Context) -> None:
        self.hellos.append(hello)
        if self.refuse:
            await context.abort(*self.refuse)
        for message in self.first:
            await context.write(message)
        mark = self.marks.get(hello.epoch, 0)
        welcome = Welcome(
            hub_version="test",
            marks=[Mark(lane=Lane.LANE_NORMAL, sequence=mark)] if mark else [],
            window_bytes=self.window[0],
            window_batches=self.window[1],
        )
        welcome.time.CopyFrom(hello.time)
        await context.write(HubMessage(welcome=welcome))
        for message in self.then:
            await context.write(message)

    async def ack(self, sequence: int, context: "Context | None" = None) -> None:
        """Acknowledge up to a sequence."""
        stream = context or self.stream
        assert stream is not None
        self.marks[self.hellos[-1].epoch] = sequence
        await stream.write(HubMessage(ack=Ack(lane=Lane.LANE_NORMAL, sequence=sequence)))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on what was received holds."""
        async with asyncio.timeout(LIMIT), self.changed:
            await self.changed.wait_for(condition)

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
        once = {batch.sequence: batch for batch in self.batches}
        return [alert.raw for batch in once.values() for alert in alerts_of(batch)]


def alerts_of(batch: AlertBatch) -> Sequence[Alert]:
    """Return what a batch holds."""
    return unpack(Packed(batch.payload, batch.encoding, batch.alerts, batch.decoded_bytes))


@asynccontextmanager
async def serving(hub: Hub, authority: Authority, port: int = 0) -> AsyncIterator[int]:
    """Serve with mutual TLS on a port of loopback; yield the port."""
    server = grpc.aio.server(options=tls.SERVER_OPTIONS)
    add_UplinkServicer_to_server(hub, server)
    leaf = authority.server()
    credentials = tls.mutual_server_credentials(key=leaf.key, chain=leaf.chain, ca=authority.pem)
    bound = server.add_secure_port(f"127.0.0.1:{port}", credentials)
    await server.start()
    try:
        yield bound
    finally:
        await server.stop(None)
