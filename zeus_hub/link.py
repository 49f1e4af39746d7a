"""One stream of a node: what the hub holds of it, and what it is to be told.

A stream has two loops. One reads and calls `take`; the other, `tell`, is the only one that writes. What is
to be written is gathered while a write is under way, so that few messages say all of it, and a node that
reads slowly costs nobody anything.
"""

import asyncio
import math
import random
from contextlib import suppress
from dataclasses import dataclass, field

from socme.v1.uplink_pb2 import Ack, GoingAway, HubMessage, Pace, Refusal
from zeus_hub import pace
from zeus_hub.authorise import Bell, Context, Stream
from zeus_hub.clone import Key
from zeus_hub.heartbeat import Heartbeat
from zeus_hub.pace import Talk, Window

RESTART = "restart"
# An acknowledgement right behind another waits for more, so long and for so large a share of the window at
# most: each is a message, and makes gRPC send two window updates with the node's next batch.
GATHER_SECONDS = 0.025
GATHER_SHARE = 1 / 8


@dataclass(slots=True)
class Farewell:
    """Tells nodes to come back one after another when the hub stops."""

    _told: int = 0

    def next(self) -> GoingAway:
        """Return what the next node is told."""
        after = pace.retry_after(self._told, random.random())  # noqa: S311 - spreads load, guards nothing
        self._told += 1
        return GoingAway(reason=RESTART, retry_after_seconds=after)


@dataclass(slots=True)
class Link:
    """A stream after its Hello."""

    stream: Stream
    context: Context
    key: Key
    epoch: bytes
    """Of the node's spool."""
    window: Window
    """What the node was told last."""
    heartbeat: Heartbeat = field(default_factory=Heartbeat)
    talk: Talk = field(default_factory=Talk)
    over: bool = False
    """Whether the stream has ended: what is not on disk yet stays the node's."""
    refusal: Refusal | None = None
    """The batch that is not taken; nothing is read behind it."""
    _held: int = 0  # batches that are taken and not on disk yet
    _held_bytes: int = 0
    _room: Bell = field(default_factory=Bell)
    _acks: dict[int, int] = field(default_factory=dict)
    _owed: int = 0  # batches that are on disk and not acknowledged
    _said: float = -math.inf  # when something was acknowledged last, by the loop's clock
    _told: dict[int, int] = field(default_factory=dict)  # the last acknowledgement of each lane
    _paced: Window | None = None  # what the node is to be told of its window

    @property
    def origin(self) -> str:
        """The node as the journal knows it."""
        return "/".join(self.key)

    def wanted(self) -> bool:
        """Return whether anybody waits for what was taken."""
        return not self.over

    async def take(self, size: int) -> None:
        """Wait until the hub may hold one more batch of this node, of `size` bytes."""
        while self._held >= pace.FULL.batches or self._held_bytes >= pace.FULL.bytes:
            self._room.clear()
            await self._room.wait()
        self._held += 1
        self._held_bytes += size

    def committed(self, lane: int, sequence: int, size: int) -> None:
        """Take note that a batch is on disk."""
        if sequence > self._told.get(lane, 0):  # else it came again, and was acknowledged before
            self._acks[lane] = max(sequence, self._acks.get(lane, 0))
            self._owed += 1
        self._held -= 1
        self._held_bytes -= size
        self._room.set()
        self.stream.wake.set()

    def go_at(self, window: Window) -> None:
        """Have the node told of its window, if it is another one."""
        self._paced = window if window != self.window else None
        self.stream.wake.set()

    async def tell(self, reader: asyncio.Task[None], farewell: Farewell) -> None:
        """Write what there is to say until the node has said its last and knows all, or the hub stops."""
        reader.add_done_callback(lambda _: self.stream.wake.set())
        while not self.stream.leaving and not (reader.done() and not self._held and not self._acks):
            await self.stream.wake.wait()
            self.stream.wake.clear()
            await self._gather(reader)
            await self._say()
        if self.stream.leaving:
            await self.context.write(HubMessage(going_away=farewell.next()))
        elif self.refusal is not None:
            await self.context.write(HubMessage(refusal=self.refusal))

    async def _gather(self, reader: asyncio.Task[None]) -> None:
        """Where something was acknowledged just now, wait for more, unless what there is to say cannot."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._said + GATHER_SECONDS):
                while not (self._is_pressing() or reader.done()):
                    await self.stream.wake.wait()
                    self.stream.wake.clear()

    def _is_pressing(self) -> bool:
        has_other_news = self.stream.leaving or self._paced is not None
        return has_other_news or self._owed >= self.window.batches * GATHER_SHARE

    async def _say(self) -> None:
        acks, self._acks, self._owed = self._acks, {}, 0
        self._told |= acks
        if acks:
            self._said = asyncio.get_running_loop().time()
        for lane, sequence in acks.items():
            await self.context.write(HubMessage(ack=Ack(lane=lane, sequence=sequence)))  # type: ignore[arg-type]
        if self._paced is not None:
            self.window, self._paced = self._paced, None
            told = Pace(
                window_batches=self.window.batches,
                window_bytes=self.window.bytes,
                reason=self.window.reason,
            )
            await self.context.write(HubMessage(pace=told))
