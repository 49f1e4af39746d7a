"""Keep a subscription to Zeus alive: the only place in Hermes that tries again.

Events are handed on in the hub's order, each once; after a break the stream goes on where it was. What
happens to the connection is an event too (Link), so that a screen never shows an old picture as a new one.
"""

import asyncio
import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import grpc

from hermes_display.board import LONGEST_REASON, Event, Link
from socme import logs, tls
from socme.backoff import delays
from socme.errors import first
from socme.identity import utc_now
from socme.service import raise_if_cancelled
from socme.text import clean
from socme.v1.watch_pb2 import FleetEvent, FleetRequest, Snapshot, WatchEvent, WatchRequest
from socme.v1.watch_pb2_grpc import WatchStub

if TYPE_CHECKING:
    from socme.v1.watch_pb2_grpc import WatchAsyncStub

LOG = logging.getLogger("hermes.downlink")

LONGEST_PAUSE = 5.0  # seconds between attempts; a wall is few screens, and a person waits for it
# Seconds without any event after which a connection is dead. A screen has 5 s to say so, and the hub says
# something every 2 s; of its fleet a second later at times, since it looks at that once a second.
SILENCE = 4.0
FLEET_SILENCE = 8.0

REFUSALS = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)

Connect = Callable[[], grpc.aio.Channel]
Deliver = Callable[[Event], None]
_Request = TypeVar("_Request", WatchRequest, FleetRequest)
_Answer = TypeVar("_Answer", WatchEvent, FleetEvent)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to subscribe to."""

    clients: tuple[str, ...] = ()
    """Empty for all that the certificate allows."""
    min_severity: int = 0
    """A Severity; 0 for all."""
    latest: int = 0
    """How many of the latest alerts to begin with."""
    with_raw: bool = False
    fleet: bool = False
    """Whether to follow the nodes as well."""
    fresh_after: float = math.inf
    """Seconds after which to take a new snapshot: a snapshot's counts are of the last day at its time."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Why a connection ended."""

    reason: str
    """For people."""
    refused: bool = False
    """Whether the hub was there and does not let this screen in."""


class _LostError(Exception):
    """The connection ended without an error of gRPC's."""


_WELL = Lost("")
_ENDINGS = (grpc.aio.AioRpcError, _LostError)


class Downlink:
    """One subscription, for as long as run() runs.

    `connect` opens a new channel; `deliver` gets every event and may raise, which ends run() with that
    (inside an ExceptionGroup while connected).
    """

    def __init__(
        self,
        connect: Connect,
        wanted: Wanted,
        deliver: Deliver,
        *,
        now: Callable[[], datetime] = utc_now,
        rng: random.Random | None = None,
    ) -> None:
        self._connect = connect
        self._wanted = wanted
        self._deliver = deliver
        self._now = now
        self._rng = rng or random.Random()  # noqa: S311 - spreads attempts, guards nothing
        self._cursor = b""
        self._link: Link | None = None

    async def run(self) -> None:
        """Follow the hub until cancelled."""
        pauses = delays(self._rng, longest=LONGEST_PAUSE)
        while True:
            lost = await self._session()
            raise_if_cancelled()
            if self._link is not None and self._link.up:
                pauses = delays(self._rng, longest=LONGEST_PAUSE)
            if lost.refused:
                self._cursor = b""  # nothing is kept of what was told before: once let in again, all of it
            self._set_link(up=False, lost=lost)
            await asyncio.sleep(next(pauses))

    async def _session(self) -> Lost:
        """Follow the hub over one connection; return why it ended."""
        try:
            async with self._connect() as channel, asyncio.TaskGroup() as group:
                stub: WatchAsyncStub = WatchStub(channel)
                connected = asyncio.Event()
                if self._wanted.fleet:
                    group.create_task(self._fleet(stub, connected), name="fleet")
                await self._alerts(stub, connected)
        except* _ENDINGS as endings:
            lost = _why(first(endings))
        return lost

    async def _alerts(self, stub: "WatchAsyncStub", connected: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        while True:
            call = stub.Alerts(self._request())
            stale_at = loop.time() + self._wanted.fresh_after
            stale = False
            while not stale:
                event = await _next(call, WatchEvent)
                self._set_link(up=True)
                connected.set()
                if event.WhichOneof("event") == "lagged":
                    logs.event(LOG, logging.WARNING, "missed alerts", reason=event.lagged.reason)
                self._deliver(event)
                self._cursor = event.cursor or self._cursor
                stale = loop.time() >= stale_at
            call.cancel()
            self._cursor = b""

    async def _fleet(self, stub: "WatchAsyncStub", connected: asyncio.Event) -> None:
        await connected.wait()  # the link is up before the first node is told
        call = stub.Fleet(FleetRequest(clients=self._wanted.clients))
        while True:
            self._deliver(await _next(call, FleetEvent, within=FLEET_SILENCE))

    def _request(self) -> WatchRequest:
        return WatchRequest(
            clients=self._wanted.clients,
            min_severity=self._wanted.min_severity,  # type: ignore[arg-type]  # any number goes on the wire
            cursor=self._cursor,
            with_raw=self._wanted.with_raw,
            snapshot_alerts=self._wanted.latest,
        )

    def _set_link(self, *, up: bool, lost: Lost = _WELL) -> None:
        """Tell a change of the link; `since` stays while only the reason changes."""
        old = self._link
        if old is not None and (old.up, old.reason) == (up, lost.reason):
            return
        since = old.since if old is not None and old.up == up else self._now()
        self._link = Link(up=up, since=since, reason=lost.reason, refused=lost.refused)
        if up:
            logs.event(LOG, logging.INFO, "connected")
        else:
            logs.event(LOG, logging.WARNING, "no contact with the hub, trying again", reason=lost.reason)
        self._deliver(self._link)


async def probe(connect: Connect) -> Lost | Snapshot:
    """Return where things stand at the hub; why it does not let this screen watch where it does not."""
    try:
        async with connect() as channel:
            stub: WatchAsyncStub = WatchStub(channel)
            return (await _next(stub.Alerts(WatchRequest()), WatchEvent)).snapshot
    except _ENDINGS as error:
        return _why(error)


async def _next(
    call: "grpc.aio.UnaryStreamCall[_Request, _Answer]", kind: type[_Answer], *, within: float | None = None
) -> _Answer:
    """Return the next event of a call; raise _LostError where it ends or falls silent."""
    limit = within or SILENCE
    try:
        async with asyncio.timeout(limit):
            event = await call.read()
    except TimeoutError:
        raise _LostError(f"no sign of life for {limit:g} s") from None
    if not isinstance(event, kind):
        raise _LostError("the hub ended the stream")
    return event


def _why(error: Exception) -> Lost:
    if isinstance(error, grpc.aio.AioRpcError):
        return Lost(clean(tls.explain(error.details()), LONGEST_REASON), refused=error.code() in REFUSALS)
    return Lost(str(error))
