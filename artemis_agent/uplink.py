"""Stream what the spool holds to the hub, and let the spool forget it once the hub has it.

The only place on a node that retries towards the hub. A batch leaves in the spool's order, at most a
window of them unacknowledged; acknowledgements are cumulative. `serve` decides nothing about one
connection and `_Stream` nothing about the next one.
"""

import asyncio
import contextlib
import logging
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias, cast

import grpc
import grpc.aio

from artemis_agent.spool import Spool, SpoolWriteError
from socme import VERSION, backoff, logs, service, tls
from socme.errors import OperatorError, first
from socme.identity import Identity
from socme.journal import Entry
from socme.text import clean
from socme.v1.uplink_pb2 import Ack, AlertBatch, Encoding, Hello, HubMessage, Lane, NodeMessage, Welcome
from socme.v1.uplink_pb2_grpc import UplinkStub
from socme.v1.vitals_pb2 import Vitals

LOG = logging.getLogger("artemis.uplink")

WINDOW_BYTES = 4 * tls.MIB  # unacknowledged batches; the hub may ask for less
WINDOW_BATCHES = 64
WELCOME_SECONDS = 30.0  # for the connection, TLS and the hub's answer to Hello
ACK_SECONDS = 120.0  # a hub that takes batches and acknowledges none for so long is dialled anew
SETTLE_SECONDS = 5.0  # how long a call may take to know why it ended
REFUSED_SECONDS = 60.0  # between attempts while the hub says that this node may not connect
LONGEST_PAUSE = 300.0  # seconds; what a hub may ask for when it goes away
STEADY_SECONDS = 10.0  # a connection that lasted so long was a success, and the pauses begin small again
LONGEST_REASON = 300  # characters of what the hub says

_REFUSALS = {grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED}


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection failed or ended; try again soon."""

    reason: str
    steady: bool
    """Whether it had been of use before."""


@dataclass(frozen=True, slots=True)
class Refused:
    """This node may not connect as it is; try again, but slowly."""

    reason: str


@dataclass(frozen=True, slots=True)
class Dismissed:
    """The hub asked to come back later."""

    reason: str
    seconds: float


Outcome: TypeAlias = Lost | Refused | Dismissed
Call: TypeAlias = "grpc.aio.StreamStreamCall[NodeMessage, HubMessage]"


@dataclass(slots=True)
class Link:
    """How the connection is, for the status; `changed` is set at each change."""

    state: str = "connecting"
    """"connecting", "connected", "waiting" (for the next attempt) or "refused"."""
    hub: str = ""
    """Address of the hub."""
    since: datetime | None = None
    """When it came into this state."""
    last_acknowledgement: datetime | None = None
    """When the hub last acknowledged a batch."""
    last_error: str = ""
    """Why the last connection failed; stays for the record when a new one is up."""
    clock_offset_seconds: float | None = None
    """How far the hub's clock is ahead of this node's; None before the first Welcome."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def become(self, state: str, *, error: str | None = None) -> None:
        """Change the state."""
        if state != self.state or self.since is None:
            self.state, self.since = state, datetime.now(UTC)
        if error is not None:
            self.last_error = error
        self.changed.set()


@dataclass(slots=True)
class Window:
    """Batches that were sent and not acknowledged. Pure bookkeeping."""

    most_bytes: int
    most_batches: int
    _flying: deque[tuple[int, int, int]] = field(default_factory=deque)
    _bytes: int = 0

    def has_room(self, size: int) -> bool:
        """Tell whether a batch may be sent; one always may, or it would never leave."""
        if not self._flying:
            return True
        return len(self._flying) < self.most_batches and self._bytes + size <= self.most_bytes

    def sent(self, entry: Entry) -> None:
        """Take note of a batch that leaves."""
        size = len(entry.packed.payload)
        self._flying.append((entry.lane, entry.sequence, size))
        self._bytes += size

    def acknowledged(self, lane: int, sequence: int) -> None:
        """Take note of all batches of a lane up to a sequence."""
        self._flying = deque(flying for flying in self._flying if flying[0] != lane or flying[1] > sequence)
        self._bytes = sum(size for _, _, size in self._flying)

    @property
    def empty(self) -> bool:
        """Whether everything that was sent is acknowledged."""
        return not self._flying


@dataclass(frozen=True, slots=True)
class Uplink:
    """What the uplink needs."""

    spool: Spool
    link: Link
    credentials: Callable[[], Awaitable[tuple[str, Identity]]]
    """Return the hub's address and the identity as they are now; asked before each attempt, so that an
    agent takes up a new certificate without a restart. May raise OperatorError."""
    vitals: Callable[[], Awaitable[Vitals]]
    interval_seconds: float
    """Between two vitals."""


async def serve(uplink: Uplink, rng: random.Random) -> None:
    """Keep a connection to the hub, for ever."""
    link, pauses = uplink.link, backoff.delays(rng)
    while True:
        outcome = await _attempt(uplink)
        service.raise_if_cancelled()
        match outcome:
            case Refused(reason):
                seconds = REFUSED_SECONDS * rng.uniform(0.8, 1.2)
                _report(link, "refused", "the hub refuses this node", reason, seconds)
            case Dismissed(reason, asked):
                pauses = backoff.delays(rng)
                seconds = _pause(asked) + rng.uniform(0.0, backoff.FIRST)
                _report(link, "waiting", "the hub went away", reason, seconds)
            case Lost(reason, steady):
                pauses = backoff.delays(rng) if steady else pauses
                seconds = next(pauses)
                _report(link, "waiting", "no connection to the hub", reason, seconds)
        await asyncio.sleep(seconds)


def _report(link: Link, state: str, message: str, reason: str, seconds: float) -> None:
    """Log a failure once per reason, and keep it for the status."""
    new = reason != link.last_error or link.state == "connected"
    level = logging.WARNING if new else logging.DEBUG
    logs.event(LOG, level, message, hub=link.hub, reason=reason, again_in=f"{seconds:.1f}s")
    link.become(state, error=reason)


def _pause(asked: float) -> float:
    """Return a sane number of seconds for what a hub asked for."""
    return min(max(asked, backoff.LEAST), LONGEST_PAUSE) if math.isfinite(asked) else backoff.LONGEST


async def _attempt(uplink: Uplink) -> Outcome:
    """Connect once and stay until it ends."""
    try:
        address, identity = await uplink.credentials()
    except OperatorError as error:
        return Refused(clean(" ".join(str(error).split()), LONGEST_REASON))
    uplink.link.hub = address
    # A new channel each time: its credentials cannot be changed, and a new one looks the name up anew.
    credentials = tls.channel_credentials(key=identity.key, chain=identity.chain, ca=identity.ca)
    async with grpc.aio.secure_channel(address, credentials, options=tls.CHANNEL_OPTIONS) as channel:
        call = UplinkStub(channel).Connect()
        try:
            return await _Stream(uplink, call).run()
        finally:
            call.cancel()


class _LeavingError(Exception):
    """Ends a stream from within, with its outcome."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class _Stream:
    """One connection, from Hello to its end."""

    def __init__(self, uplink: Uplink, call: Call) -> None:
        self._uplink = uplink
        self._call = call
        self._window = Window(WINDOW_BYTES, WINDOW_BATCHES)
        self._progress = asyncio.Event()  # set at each acknowledgement
        self._writing = asyncio.Lock()
        self._covered: dict[int, int] = {}  # what Welcome said the hub has, by lane
        self._sent: dict[int, int] = {}  # the last sequence that left on this stream, by lane
        self._welcomed = math.inf  # when, by the loop's clock
        self._useful = False  # whether the hub acknowledged anything

    async def run(self) -> Outcome:
        """Return how it ended."""
        outcome: Outcome = Lost("the hub closed the stream", self._is_steady())
        try:
            await self._greet()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._send_batches(), name="batches")
                group.create_task(self._send_vitals(), name="vitals")
                group.create_task(self._expect_acknowledgements(), name="acknowledgements")
                await self._receive()
        except* asyncio.InvalidStateError:  # gRPC's answer to a write on a stream that ended well
            outcome = Lost("the hub closed the stream", self._is_steady())
        except* grpc.aio.AioRpcError as errors:
            outcome = await self._judged(first(errors))
        except* SpoolWriteError as errors:  # a full disk, where there is a mark or a new epoch to write down
            outcome = Lost(f"the spool: {first(errors)}", self._is_steady())
        except* _LeavingError as errors:
            outcome = first(errors).outcome
        return outcome

    async def _judged(self, error: grpc.aio.AioRpcError) -> Outcome:
        """Return what a failed call means; a write that the hub's refusal overtakes does not know it yet."""
        code, details = error.code(), error.details()
        if code is grpc.StatusCode.INTERNAL:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_SECONDS):
                    code, details = await self._call.code(), await self._call.details()
        return _judge(code, tls.explain(details), steady=self._is_steady())

    async def _greet(self) -> None:
        """Say Hello and settle what the hub's Welcome says."""
        sent = datetime.now(UTC)
        hello = Hello(
            agent_version=VERSION,
            epoch=self._uplink.spool.epoch,
            vitals_interval_seconds=math.ceil(self._uplink.interval_seconds),
        )
        hello.time.FromDatetime(sent)
        try:
            async with asyncio.timeout(WELCOME_SECONDS):
                await self._write(NodeMessage(hello=hello))
                welcome = await self._welcome()
        except TimeoutError:
            raise self._lost(f"the hub did not answer within {WELCOME_SECONDS:.0f} s") from None
        link = self._uplink.link
        link.clock_offset_seconds = _clock_offset(welcome, sent, datetime.now(UTC))
        self._covered = {mark.lane: mark.sequence for mark in welcome.marks}
        if not await self._uplink.spool.follow(self._covered):
            raise self._lost("the spool is an old copy of itself: a new epoch begins")
        self._window = Window(
            min(welcome.window_bytes or WINDOW_BYTES, WINDOW_BYTES),
            min(welcome.window_batches or WINDOW_BATCHES, WINDOW_BATCHES),
        )
        self._welcomed = asyncio.get_running_loop().time()
        link.become("connected")
        logs.event(LOG, logging.INFO, "connected", hub=link.hub, hub_version=welcome.hub_version)

    async def _welcome(self) -> Welcome:
        while True:
            message = await self._read()
            if message.WhichOneof("message") == "welcome":
                return message.welcome

    async def _receive(self) -> None:
        """Take in what the hub says until it says no more."""
        while True:
            message = await self._read()
            if message.WhichOneof("message") == "ack":  # other kinds are from a hub that is newer than this
                self._acknowledged(message.ack)

    async def _read(self) -> HubMessage:
        message = await self._call.read()
        if not isinstance(message, HubMessage):  # grpc.aio.EOF
            raise self._lost("the hub closed the stream")
        if message.WhichOneof("message") == "going_away":
            leave = message.going_away
            raise _LeavingError(Dismissed(clean(leave.reason, LONGEST_REASON), leave.retry_after_seconds))
        return message

    def _acknowledged(self, ack: Ack) -> None:
        # What did not leave on this stream is not forgotten, whatever a hub says that errs; and it may name
        # more rightly: batches of a stream before, which it took in after its Welcome. They go again.
        sequence = min(ack.sequence, self._sent.get(ack.lane, 0))
        if not sequence:
            return
        self._useful = True
        self._window.acknowledged(ack.lane, sequence)
        self._uplink.spool.acknowledge(ack.lane, sequence)
        self._uplink.link.last_acknowledgement = datetime.now(UTC)
        self._progress.set()

    async def _send_batches(self) -> None:
        """Send the spool's batches behind the hub's mark in order, as the window allows."""
        position = 0
        while True:
            for entry in await self._uplink.spool.wait_for_more(position):
                position = entry.position
                if entry.sequence > self._covered.get(entry.lane, 0):
                    await self._send(entry)

    async def _send(self, entry: Entry) -> None:
        while not self._window.has_room(len(entry.packed.payload)):
            self._progress.clear()
            await self._progress.wait()
        self._window.sent(entry)  # before the write, because the acknowledgement may overtake its return
        self._sent[entry.lane] = entry.sequence
        await self._write(NodeMessage(batch=_batch(entry)))

    async def _send_vitals(self) -> None:
        while True:
            await self._write(NodeMessage(vitals=await self._uplink.vitals()))
            await asyncio.sleep(self._uplink.interval_seconds)

    async def _expect_acknowledgements(self) -> None:
        """End the stream where the hub holds batches and acknowledges none of them for long."""
        while True:
            waiting = not self._window.empty
            self._progress.clear()
            try:
                async with asyncio.timeout(ACK_SECONDS):
                    await self._progress.wait()
            except TimeoutError:
                if waiting:
                    raise self._lost(f"the hub acknowledged nothing for {ACK_SECONDS:.0f} s") from None

    async def _write(self, message: NodeMessage) -> None:
        async with self._writing:  # gRPC takes one write at a time
            await self._call.write(message)

    def _lost(self, reason: str) -> _LeavingError:
        return _LeavingError(Lost(reason, self._is_steady()))

    def _is_steady(self) -> bool:
        return self._useful or asyncio.get_running_loop().time() - self._welcomed > STEADY_SECONDS


def _batch(entry: Entry) -> AlertBatch:
    packed = entry.packed
    return AlertBatch(
        lane=cast("Lane.ValueType", entry.lane),
        sequence=entry.sequence,
        encoding=cast("Encoding.ValueType", packed.encoding),
        payload=packed.payload,
        alerts=packed.alerts,
        decoded_bytes=packed.decoded_bytes,
    )


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


def _judge(code: grpc.StatusCode, told: str, *, steady: bool) -> Outcome:
    """Return what a failed call means for the next one."""
    details = clean(told, LONGEST_REASON)
    if code in _REFUSALS:
        return Refused(details)
    reason = f"{code.name}: {details}"
    if "Socket closed" in details and not steady:  # all that TLS 1.3 tells a client that it refuses
        reason += " (the hub may have refused the certificate; `artemis check` tells)"
    return Lost(reason, steady)
