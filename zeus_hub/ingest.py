"""The Uplink service: takes batches from nodes and acknowledges them once they are on disk.

Nothing of a batch is decoded here. Client and node come from the certificate, the rest of the envelope
is checked. A node that breaks the contract is told so and loses its stream; a batch that breaks a bound is
refused by its number, so that the node can mend it. Neither disturbs another node.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Mapping

import grpc
from google.protobuf.message import DecodeError

from socme import VERSION, logs
from socme.batch import Packed, pack
from socme.journal import Draft
from socme.spiffe import Role
from socme.v1.uplink_pb2 import AlertBatch, Hello, HubMessage, Lane, Mark, NodeMessage, Refusal, Told, Welcome
from socme.v1.uplink_pb2_grpc import UplinkServicer
from socme.v1.vitals_pb2 import Vitals
from zeus_hub import envelope, node_told, pace
from zeus_hub.authorise import Context, EndedError, Guard, Stream
from zeus_hub.clocks import Clocks
from zeus_hub.clone import Clones, Key
from zeus_hub.commit import Committer
from zeus_hub.envelope import Fault, Objection
from zeus_hub.fleet import LARGEST_VITALS, Fleet
from zeus_hub.journalist import Handed
from zeus_hub.link import Farewell, Link
from zeus_hub.readable import UNREADABLE

LOG = logging.getLogger("zeus.ingest")

HELLO_SECONDS = 10.0  # how long a new stream may be silent
EPOCH_BYTES = 16
INSTANCE_BYTES = 16
_CODES = {
    Fault.CONTRACT: grpc.StatusCode.INVALID_ARGUMENT,
    Fault.AGE: grpc.StatusCode.FAILED_PRECONDITION,
}


class Ingest(UplinkServicer):
    """Serves nodes."""

    def __init__(self, guard: Guard, committer: Committer, fleet: Fleet, clocks: Clocks) -> None:
        self._guard = guard
        self._committer = committer
        self._fleet = fleet
        self._clocks = clocks
        self._links: dict[Key, Link] = {}
        self._clones = Clones()
        self._farewell = Farewell()
        self._window = pace.FULL
        committer.listen(self._set_pace)

    def clones(self) -> Mapping[Key, str]:
        """Return the nodes of which two instances took turns of late, each with a sentence for people."""
        return self._clones.suspected(self._clocks.monotonic())

    async def Connect(self, request_iterator: object, context: Context) -> None:  # type: ignore[override]  # noqa: N802
        """Serve one node for as long as it is connected."""
        del request_iterator  # the context reads as well, and can be waited for with a limit
        await self._guard.serve(
            context, (Role.NODE,), lambda stream: self._serve(stream, context), polite=True
        )

    async def _serve(self, stream: Stream, context: Context) -> None:
        key = (stream.holder.client, stream.holder.name)
        hello = await _hello(context)
        link = Link(stream, context, key, hello.epoch, pace.FULL)
        try:
            self._take_over(link, hello.instance)
            self._fleet.connected(key, hello.vitals_interval_seconds)
            logs.event(
                LOG, logging.INFO, "node connected", client=key[0], node=key[1], version=hello.agent_version
            )
            await context.write(HubMessage(welcome=await self._welcome(link)))
            async with asyncio.TaskGroup() as group:
                reader = group.create_task(self._read(link))
                link.go_at(self._window)
                await link.tell(reader, self._farewell)
                reader.cancel()
        finally:
            self._end(link)

    def _take_over(self, link: Link, instance: bytes) -> None:
        """Let a node have one stream, the newest: it may have lost the old one without our knowing."""
        old, self._links[link.key] = self._links.get(link.key), link
        self._clones.seen(link.key, instance, link.context.peer(), self._clocks.monotonic())
        if old is not None:
            logs.event(LOG, logging.WARNING, "second stream of a node", client=link.key[0], node=link.key[1])
            reason = "a newer stream of this node took over: does the same identity run on two machines?"
            old.stream.end(EndedError(grpc.StatusCode.ABORTED, reason))
            # From here on nothing of the old stream gets to disk any more, but for what the disk is at. So
            # the marks in the new one's Welcome, which are read behind that, are the last word.
            self._close(old)

    def _end(self, link: Link) -> None:
        try:
            self._close(link)
        finally:  # whatever the node's last words are: who is gone must not stay connected
            if self._links.get(link.key) is link:
                del self._links[link.key]
                self._fleet.gone(link.key)
                logs.event(LOG, logging.INFO, "node disconnected", client=link.key[0], node=link.key[1])

    def _close(self, link: Link) -> None:
        """Take nothing of a stream any more but the vitals that wait."""
        try:
            self._report(link)
        finally:
            link.over = True

    def _set_pace(self) -> None:
        """Tell all nodes how much they may send, where that has changed."""
        committer = self._committer
        window = pace.window(self._window, share=committer.share, problem=committer.problem)
        if window != self._window:
            self._window = window
            for link in self._links.values():
                link.go_at(window)

    async def _welcome(self, link: Link) -> Welcome:
        try:
            known = await self._committer.marks(link.origin, link.epoch)
        except sqlite3.Error as error:
            reason = f"the hub cannot read its journal: {error}"
            raise EndedError(grpc.StatusCode.UNAVAILABLE, reason) from error
        welcome = Welcome(
            hub_version=VERSION,
            # A lane that protobuf's types do not know keeps its number.
            marks=[
                Mark(lane=lane, sequence=mark.sequence, check=mark.check)  # type: ignore[arg-type]
                for lane, mark in known.items()
            ],
            window_bytes=link.window.bytes,
            window_batches=link.window.batches,
        )
        welcome.time.FromDatetime(self._clocks.wall())
        return welcome

    async def _read(self, link: Link) -> None:
        """Take what a node sends until it sends no more, or a batch that is not taken."""
        while link.refusal is None:
            message = await _read(link.context)
            if message is None:
                return
            match message.WhichOneof("message"):
                case "batch":
                    await self._take(link, message.batch)
                case "vitals":
                    self._hear(link, message.vitals)
                    await _slow_down(link)
                case "told":
                    await self._hear_told(link, message.told)
                case "hello":
                    raise EndedError(grpc.StatusCode.INVALID_ARGUMENT, "a second Hello")
                case _:  # a kind that this hub is too old to know
                    self._fleet.heard(link.key)
                    await _slow_down(link)

    async def _take(self, link: Link, batch: AlertBatch) -> None:
        objection = envelope.objection(batch)
        if objection is not None:
            link.refusal = self._refuse(link.key, batch, objection)
            return
        self._fleet.heard(link.key)
        packed = Packed(batch.payload, batch.encoding, batch.alerts, batch.decoded_bytes)
        size = len(packed.payload)
        handed = Handed(
            Draft(link.origin, batch.lane, batch.sequence, packed),
            link.epoch,
            lambda lane, sequence: link.committed(lane, sequence, size),
            before=batch.alerts_before,
            given_up=envelope.given_up(batch),
            wanted=link.wanted,
        )
        await link.take(size)
        await self._committer.hand_in(handed)

    async def _hear_told(self, link: Link, told: Told) -> None:
        """Put a report in line for the journal, before the batches that come behind it on the stream."""
        objection = node_told.objection(told)
        if objection:
            raise EndedError(grpc.StatusCode.INVALID_ARGUMENT, objection)
        self._fleet.heard(link.key)
        report = node_told.report(*link.key, told.alerts, self._clocks.wall())
        draft = Draft(link.origin, Lane.LANE_URGENT, 0, pack([report.SerializeToString()]))
        await self._committer.hand_in(Handed(draft, b"", _nobody_waits, may_repeat=True))
        await _slow_down(link)

    def _refuse(self, key: Key, batch: AlertBatch, objection: Objection) -> Refusal:
        """Return what to tell of a batch that is not taken; raise EndedError where that mends nothing."""
        logs.event(LOG, logging.WARNING, "batch refused", client=key[0], node=key[1], reason=objection.reason)
        code = _CODES.get(objection.fault)
        if code is not None:
            raise EndedError(code, objection.reason)
        return Refusal(lane=batch.lane, sequence=batch.sequence, reason=objection.reason)

    def _hear(self, link: Link, vitals: Vitals) -> None:
        """Take a node's vitals, now or a little later where they come too fast.

        A fault of ours in that is seen in the log, and ends the stream either way; it is no other node's.
        """
        if vitals.ByteSize() > LARGEST_VITALS:
            raise EndedError(grpc.StatusCode.INVALID_ARGUMENT, "the vitals are too large")
        first = link.heartbeat.waiting is None
        link.heartbeat.offer(vitals)
        if not first:
            return
        delay = link.heartbeat.due(time.monotonic())
        if delay:
            asyncio.get_running_loop().call_later(delay, link.stream.do, lambda: self._report(link))
        else:  # in the same turn of the loop: another one costs as much as what is to be done
            self._report(link)

    def _report(self, link: Link) -> None:
        vitals = None if link.over else link.heartbeat.take(time.monotonic())
        if vitals is not None:
            self._fleet.reported(link.key, vitals)


def _nobody_waits(lane: int, sequence: int) -> None:
    """Take note that the hub's own report is on disk: whoever waits, waits for a batch behind it."""
    del lane, sequence


async def _slow_down(link: Link) -> None:
    """Listen later to a node that says too much; to others at once, without another turn of the loop."""
    seconds = link.talk.heard(time.monotonic())
    if seconds:
        await asyncio.sleep(seconds)


async def _read(context: Context) -> NodeMessage | None:
    """Return what a node says next; None for the end."""
    try:
        message = await context.read()
    except DecodeError as error:
        raise EndedError(grpc.StatusCode.INVALID_ARGUMENT, UNREADABLE) from error
    if message is grpc.aio.EOF:
        return None
    assert isinstance(message, NodeMessage)  # noqa: S101 - what the deserialiser makes
    return message


async def _hello(context: Context) -> Hello:
    """Return the first message of a stream."""
    try:
        async with asyncio.timeout(HELLO_SECONDS):
            message = await _read(context)
    except TimeoutError as error:
        raise EndedError(grpc.StatusCode.DEADLINE_EXCEEDED, "no Hello came") from error
    if message is None or message.WhichOneof("message") != "hello":
        raise EndedError(grpc.StatusCode.INVALID_ARGUMENT, "the first message must be a Hello")
    hello = message.hello
    if len(hello.epoch) != EPOCH_BYTES:
        raise EndedError(grpc.StatusCode.INVALID_ARGUMENT, f"the epoch must have {EPOCH_BYTES} bytes")
    if len(hello.instance) not in {0, INSTANCE_BYTES}:
        raise EndedError(grpc.StatusCode.INVALID_ARGUMENT, f"the instance must have {INSTANCE_BYTES} bytes")
    return hello
