"""One connection to the hub, from Hello to its end.

Each lane is sent in order, an urgent batch before anything else that could be sent; a batch leaves once on
a stream, and is forgotten when the hub has acknowledged it. A stream decides nothing about the next one.
"""

import asyncio
import logging
import math
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import cast

from artemis_agent.link import Link
from artemis_agent.outcome import LONGEST_REASON, Dismissed, Lost, Outcome, Rejected, Renewed, judge
from artemis_agent.spool import Spool, SpoolWriteError
from artemis_agent.window import Window
from artemis_agent.wire import BrokenError, Wire
from socme import VERSION, logs
from socme.errors import first
from socme.journal import Entry
from socme.text import clean
from socme.v1.uplink_pb2 import (
    Ack,
    AlertBatch,
    Dropped,
    Encoding,
    Hello,
    HubMessage,
    Lane,
    NodeMessage,
    Pace,
    Refusal,
    Told,
    Welcome,
)
from socme.v1.vitals_pb2 import Vitals

LOG = logging.getLogger("artemis.uplink")

WELCOME_SECONDS = 20.0  # for the connection, TLS and the hub's answer to Hello
ACK_SECONDS = 60.0  # a hub that takes batches and acknowledges none for so long is dialled anew
STEADY_SECONDS = 10.0  # a connection that lasted so long was a success, and the pauses begin small again
SETTLE_SECONDS = 5.0  # how long a stream may take to know why it ended
INSTANCE_BYTES = 16
MOST_TOLD = 2000  # ids in one message, by the contract
_URGENT, _NORMAL = Lane.LANE_URGENT, Lane.LANE_NORMAL  # looked up once: protobuf's enums are slow to ask
_LANES = (_URGENT, _NORMAL)
_DROPPED = Encoding.ENCODING_DROPPED
_BEYOND = 2**63 - 1  # a position behind all


@dataclass(frozen=True, slots=True, kw_only=True)
class Cargo:
    """What streams carry, one after the other."""

    spool: Spool
    link: Link
    vitals: Callable[[], Awaitable[Vitals]]
    interval_seconds: float
    """Between two vitals."""
    bury: Callable[[bytes, str], Awaitable[None]]
    """Keep a serialised alert that the hub does not take, and why, for a person."""
    told_since: Callable[[int], Awaitable[tuple[int, Sequence[bytes]]]] | None = None
    """Return ids of alerts that this node told people of itself, behind the first few of them, and how many
    there are; None where it tells nobody."""
    instance: bytes = field(default_factory=lambda: secrets.token_bytes(INSTANCE_BYTES))
    """Names this run of the agent: the hub tells two machines with one identity apart by it."""


class _LeavingError(Exception):
    """Ends a stream from within, with its outcome."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Stream:
    """One connection; `run` is called once."""

    def __init__(self, cargo: Cargo, wire: Wire) -> None:
        self._cargo = cargo
        self._spool = cargo.spool
        self._link = cargo.link
        self._wire = wire
        self._now = asyncio.get_running_loop().time
        self._window = Window()
        self._changed = asyncio.Event()  # a new one after each change of what may be sent
        # For each lane, behind which positions it goes on: of its own behind what left, of others nowhere.
        self._after: dict[int, dict[int, int]] = {
            lane: {each: _BEYOND for each in _LANES if each != lane} for lane in _LANES
        }
        self._writing = asyncio.Lock()
        self._saying = asyncio.Lock()
        self._said = 0  # ids of told alerts that left on this stream, those before them counted
        self._before: dict[int, int] = {}  # alerts in front of the next batch of each lane
        self._covered: dict[int, int] = {}  # what Welcome said the hub has, by lane
        self._sent: dict[int, int] = {}  # the last sequence that left on this stream, by lane
        self._taken = 0  # batches that the hub acknowledged
        self._welcomed = math.inf  # when, by the loop's clock

    async def run(self) -> Outcome:
        """Return how it ended."""
        outcome: Outcome = Lost("the hub closed the stream", steady=False)
        try:
            await self._greet()
            async with asyncio.TaskGroup() as group:
                for lane in _LANES:
                    group.create_task(self._send_lane(lane), name=f"lane-{lane}")
                group.create_task(self._send_vitals(), name="vitals")
                group.create_task(self._expect_acknowledgements(), name="acknowledgements")
                await self._receive()
        except* BrokenError as errors:
            broken = first(errors)
            welcomed = self._welcomed < math.inf
            outcome = judge(broken.code, broken.details, steady=self._is_steady(), welcomed=welcomed)
        except* SpoolWriteError as errors:  # a full disk, where there is a mark or a new epoch to write down
            outcome = self._lost(f"the spool: {first(errors)}")
        except* _LeavingError as errors:
            outcome = first(errors).outcome
        return outcome

    async def _greet(self) -> None:
        """Say Hello and settle what the hub's Welcome says."""
        sent = datetime.now(UTC)
        hello = Hello(
            agent_version=VERSION,
            epoch=self._spool.epoch,
            vitals_interval_seconds=math.ceil(self._cargo.interval_seconds),
            instance=self._cargo.instance,
        )
        hello.time.FromDatetime(sent)
        try:
            async with asyncio.timeout(WELCOME_SECONDS):
                await self._wire.write(NodeMessage(hello=hello))
                welcome = await self._welcome()
        except TimeoutError:
            lost = self._lost(f"the hub did not answer within {WELCOME_SECONDS:.0f} s")
            raise _LeavingError(lost) from None
        self._link.clock_offset_seconds = _clock_offset(welcome, sent, datetime.now(UTC))
        self._covered = {mark.lane: mark.sequence for mark in welcome.marks}
        if not await self._spool.follow(list(welcome.marks)):
            raise _LeavingError(Renewed("the spool and the hub disagree on its past: a new epoch begins"))
        await self._settle()
        self._before = dict(await self._spool.before())
        self._window = Window(welcome.window_bytes, welcome.window_batches)
        self._welcomed = self._now()
        self._link.become("connected")
        logs.event(LOG, logging.INFO, "connected", hub=self._link.hub, hub_version=welcome.hub_version)

    async def _welcome(self) -> Welcome:
        while True:
            message = await self._read()
            if message.WhichOneof("message") == "welcome":
                return message.welcome

    async def _settle(self) -> None:
        """Part the batch that the hub did not take, or give it up where it is a single alert.

        Nothing is on its way now, and what the hub has is forgotten: a new epoch renumbers nothing twice.
        """
        bad, link = self._link.rejected, self._link
        if bad is None:
            return
        alerts = []
        if bad.epoch == self._spool.epoch and bad.sequence > self._covered.get(bad.lane, 0):
            alerts = list(await self._spool.alerts_of(bad.lane, bad.sequence))
        if len(alerts) > 1:
            await self._spool.split(bad.lane, bad.sequence)
            link.rejected = None
            raise _LeavingError(Renewed(f"the hub refused a batch, which is split: {bad.reason}"))
        if alerts:
            await self._cargo.bury(alerts[0], bad.reason)
            await self._spool.give_up(bad.lane, bad.sequence, "refused")
            logs.event(LOG, logging.ERROR, "an alert was given up: the hub refuses it", reason=bad.reason)
        link.rejected = None

    async def _receive(self) -> None:
        """Take in what the hub says until it says no more."""
        while True:
            message = await self._read()
            match message.WhichOneof("message"):  # other kinds are from a hub that is newer than this
                case "ack":
                    self._acknowledged(message.ack)
                case "pace":
                    self._paced(message.pace)
                case "refusal":
                    raise _LeavingError(self._rejected(message.refusal))

    async def _read(self) -> HubMessage:
        message = await self._wire.read()
        if message.WhichOneof("message") == "going_away":
            leave = message.going_away
            raise _LeavingError(Dismissed(clean(leave.reason, LONGEST_REASON), leave.retry_after_seconds))
        return message

    def _acknowledged(self, ack: Ack) -> None:
        # What did not leave on this stream is not forgotten, whatever a hub says that errs.
        sequence = min(ack.sequence, self._sent.get(ack.lane, 0))
        covered = self._window.acknowledged(ack.lane, sequence, self._now())
        if covered:
            self._taken += covered
            self._spool.acknowledge(ack.lane, sequence)
            self._link.last_acknowledgement = datetime.now(UTC)
            self._wake()

    def _paced(self, pace: Pace) -> None:
        self._window.pace(pace.window_bytes, pace.window_batches)
        reason = clean(pace.reason, LONGEST_REASON)
        if self._window.paused:
            reason = reason or "the hub asks to wait"
        if reason != self._link.slowed:
            level = logging.WARNING if reason else logging.INFO
            logs.event(LOG, level, "the hub's pace changed", hub=self._link.hub, reason=reason)
        self._link.slow(reason, paused=self._window.paused)
        self._wake()

    def _rejected(self, refusal: Refusal) -> Outcome:
        lane, sequence, reason = refusal.lane, refusal.sequence, clean(refusal.reason, LONGEST_REASON)
        if not self._window.holds(lane, sequence):
            return self._lost(f"the hub refuses a batch that it was not sent: {reason}")
        useful = self._taken > 0
        self._link.rejected = Rejected(self._spool.epoch, lane, sequence, reason, useful)
        return self._link.rejected

    async def _send_lane(self, lane: int) -> None:
        """Send a lane's batches behind the hub's mark in order, as the window allows."""
        after = self._after[lane]
        size = 0  # of the next batch, where it is known
        while True:
            await self._until(partial(self._may_send, lane, size))
            await self._say_told()
            entries = await self._spool.next(after)
            for entry in entries:
                size = len(entry.packed.payload)
                if not self._may_send(lane, size):
                    break  # what was read may be another by the time that it may leave
                after[lane] = entry.position
                await self._send(entry)
                size = 0
            self._wake()  # whoever waits until nothing urgent is there

    async def _say_told(self) -> None:
        """Say which alerts people were told of, before a batch that may hold one leaves."""
        if self._cargo.told_since is None:
            return
        async with self._saying:  # the other lane waits, too
            self._said, ids = await self._cargo.told_since(self._said)
            for begin in range(0, len(ids), MOST_TOLD):
                await self._write(NodeMessage(told=Told(alerts=ids[begin : begin + MOST_TOLD])))

    def _may_send(self, lane: int, size: int) -> bool:
        if not self._window.has_room(lane, size):
            return False
        return lane == _URGENT or not self._spool.may_hold(self._after[_URGENT])

    async def _send(self, entry: Entry) -> None:
        before = self._before.get(entry.lane, 0)
        self._before[entry.lane] = before + _alerts(entry)
        if entry.sequence <= self._covered.get(entry.lane, 0):
            return  # the disk is too full to forget it
        # Before the write, because the acknowledgement may overtake its return.
        self._window.sent(entry.lane, entry.sequence, len(entry.packed.payload), self._now())
        self._sent[entry.lane] = entry.sequence
        self._wake()
        await self._write(NodeMessage(batch=_batch(entry, before)))

    async def _send_vitals(self) -> None:
        news = self._link.news
        while True:
            news.clear()  # what comes up while these are measured is told with the next ones, at once
            await self._write(NodeMessage(vitals=await self._cargo.vitals()))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._cargo.interval_seconds):
                    await news.wait()

    async def _expect_acknowledgements(self) -> None:
        """End the stream where the hub holds batches, says nothing of it, and acknowledges none for long."""
        while True:
            await self._until(self._is_owed)
            try:
                async with asyncio.timeout(ACK_SECONDS):
                    await self._until(partial(self._is_settled, self._taken))
            except TimeoutError:
                lost = self._lost(f"the hub acknowledged nothing for {ACK_SECONDS:.0f} s")
                raise _LeavingError(lost) from None

    def _is_owed(self) -> bool:
        return not self._window.empty and not self._window.paused

    def _is_settled(self, taken: int) -> bool:
        return self._taken != taken or not self._is_owed()

    async def _write(self, message: NodeMessage) -> None:
        async with self._writing:  # gRPC takes one write at a time
            try:
                await self._wire.write(message)
            except BrokenError:
                await asyncio.sleep(SETTLE_SECONDS)  # _receive hears why, and may hear the hub's last word
                raise

    def _wake(self) -> None:
        """Let everybody look again who waits in _until."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._changed.wait()

    def _lost(self, reason: str) -> Lost:
        return Lost(reason, self._is_steady())

    def _is_steady(self) -> bool:
        return self._taken > 0 or self._now() - self._welcomed > STEADY_SECONDS


def _batch(entry: Entry, before: int) -> AlertBatch:
    packed = entry.packed
    return AlertBatch(
        lane=cast("Lane.ValueType", entry.lane),
        sequence=entry.sequence,
        encoding=cast("Encoding.ValueType", packed.encoding),
        payload=packed.payload,
        alerts=packed.alerts,
        decoded_bytes=packed.decoded_bytes,
        alerts_before=before,
    )


def _alerts(entry: Entry) -> int:
    """Return how many alerts an entry stands for, with those that were given up."""
    if entry.packed.encoding == _DROPPED:
        return Dropped.FromString(entry.packed.payload).alerts
    return entry.packed.alerts


def _clock_offset(welcome: Welcome, sent: datetime, received: datetime) -> float | None:
    """Return how far the hub's clock is ahead, taking it that both ways took equally long."""
    if not welcome.HasField("time"):
        return None
    try:
        told = welcome.time.ToDatetime(UTC)
    except ValueError:  # beyond the years 1 to 9999: no time at all
        return None
    middle = sent + (received - sent) / 2
    return (told - middle).total_seconds()
