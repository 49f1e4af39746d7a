"""The Watch service: a snapshot, then every alert as it is committed; the status of nodes and clients.

What is urgent is shown first: each of the two tracks (tracks.py) is in the journal's order.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import NoReturn, TypeVar

import grpc
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from socme.errors import OperatorError
from socme.spiffe import Role
from socme.v1.alert_pb2 import Severity
from socme.v1.watch_pb2 import Bookmark, FleetEvent, FleetRequest, Lagged, WatchEvent, WatchRequest
from socme.v1.watch_pb2_grpc import WatchServicer
from zeus_hub import snapshot
from zeus_hub.authorise import Context, EndedError, Guard, Stream
from zeus_hub.changes import Bounds, Changes, ready
from zeus_hub.figures import Tally
from zeus_hub.fleet import Fleet, state_of, status
from zeus_hub.live import ForgottenError, Live, Shown
from zeus_hub.registry import HUB, Holder, get_client
from zeus_hub.snapshot import Standing, View
from zeus_hub.tracks import Cursor, Place, at

Answer = TypeVar("Answer")

WATCHERS = (Role.DISPLAY, Role.OPERATOR)
QUIET_SECONDS = 2.0  # between two signs of life; a screen must say within 5 s that it hears nothing
FLEET_SECONDS = 1.0  # between two looks at the fleet
PIECE_BYTES = 32 * 1024  # of alerts in one event, which a watcher holds while it does not read

Told = dict[tuple[str, ...], tuple[int, ...]]  # what a watcher of the fleet knows: of whom, and how new it is


class Watch(WatchServicer):
    """Serves displays and operators."""

    def __init__(
        self, engine: Engine, guard: Guard, live: Live, fleet: Fleet, clock: Callable[[], datetime]
    ) -> None:
        self._engine = engine
        self._guard = guard
        self._live = live
        self._changes = Changes(engine, live.stir)
        self._tally = Tally(engine)
        self._fleet = fleet
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "snapshot")

    async def Alerts(self, request: WatchRequest, context: Context) -> None:  # type: ignore[override]  # noqa: N802
        """Serve one watcher of alerts."""
        with self._changes.watched():
            await self._guard.serve(context, WATCHERS, lambda stream: self._alerts(stream, request, context))

    async def Fleet(self, request: FleetRequest, context: Context) -> None:  # type: ignore[override]  # noqa: N802
        """Serve one watcher of nodes."""
        await self._guard.serve(context, WATCHERS, lambda stream: self._nodes(stream, request, context))

    async def run(self) -> None:
        """Look for ever for what people do about alerts, while somebody watches."""
        await self._changes.run()

    def close(self) -> None:
        """Let go of the threads."""
        self._changes.close()
        self._thread.shutdown(wait=True)

    async def _alerts(self, stream: Stream, request: WatchRequest, context: Context) -> None:
        view = View(
            clients=await self._visible(stream.holder, request.clients),
            min_severity=request.min_severity,
            with_raw=request.with_raw,
            alerts=request.snapshot_alerts,
            redaction=self._live.redaction if stream.holder.redacted else None,
        )
        reached = await self._reached(request.cursor)
        if reached is None and request.cursor:
            await self._tell_lagged(context)
        while True:
            if reached is None:
                reached = await self._snapshot(view, context)
            with suppress(ForgottenError):
                await self._follow(*reached, view, context)
            await self._tell_lagged(context)
            reached = None

    async def _reached(self, cursor: bytes) -> tuple[Place, int] | None:
        """Return the place and the change that a watcher has reached; None where that is of no use here."""
        reached = self._live.decode(cursor)
        if reached is None or reached[1] > await self._asked(self._changes.now()):
            return None
        return reached

    async def _visible(self, holder: Holder, wanted: Collection[str]) -> frozenset[str] | None:
        """Return the clients to show (see `visible`); refuse those that there are not.

        Whoever may see all asked for a wrong name: an empty stream would look like peace. Others are not
        told which clients there are.
        """
        clients = visible(holder, wanted)
        if clients is not None and holder.clients is None:
            await self._ask(lambda: _check_names(self._engine, clients))
        return clients

    async def _ask(self, question: Callable[[], Answer]) -> Answer:
        """Ask the store something."""
        return await self._asked(asyncio.get_running_loop().run_in_executor(self._thread, question))

    async def _asked(self, answer: Awaitable[Answer]) -> Answer:
        """Wait for the store's answer."""
        try:
            return await answer
        except SQLAlchemyError as error:
            raise EndedError(grpc.StatusCode.UNAVAILABLE, f"the store cannot be read: {error}") from error

    async def _snapshot(self, view: View, context: Context) -> tuple[Place, int]:
        """Show where things stand; return the place, and the number of the change, to go on behind."""

        def take() -> Standing:
            now = self._clock()
            return snapshot.take(self._engine, view, now=now, figures=self._tally.figures(now))

        standing = await self._ask(take)
        place = at(standing.position + 1)
        await context.write(
            WatchEvent(snapshot=standing.snapshot, cursor=self._live.encode(place, standing.change))
        )
        return place, standing.change

    async def _follow(self, place: Place, change: int, view: View, context: Context) -> NoReturn:
        """Show alerts from a place on, and changes behind one, for ever.

        Raise ForgottenError where the journal has the next alerts no more.
        """
        loop = asyncio.get_running_loop()
        told = loop.time()
        while True:
            grown = self._live.grown()
            place, urgent = await self._next(place)
            known, (done, change) = change, await self._done(change, place, view)
            if done:
                await context.write(done)
                told = loop.time()
            if place.on(urgent=urgent).position <= self._live.last:
                event, place = await self._piece(place, change, view, urgent=urgent)
                if event:
                    await context.write(event)
                    told = loop.time()
            elif change == known:
                await _wait(grown, told + QUIET_SECONDS - loop.time())
            if loop.time() - told >= QUIET_SECONDS:
                told = loop.time()
                await context.write(self._bookmark(place, change))

    async def _next(self, place: Place) -> tuple[Place, bool]:
        """Return where to go on, and on which track: in a batch that was begun, else what is urgent first."""
        if place.other.index:
            return place, False
        place = await self._live.next(place, urgent=True)
        if place.urgent.position <= self._live.last:
            return place, True
        return await self._live.next(place, urgent=False), False

    async def _piece(self, place: Place, change: int, view: View, *, urgent: bool) -> tuple[bytes, Place]:
        """Return an event of some alerts of the batch in which a place is, and the place behind them.

        It is serialised, and empty where a watcher wants nothing of the batch. Joined bytes are joined
        messages: events of one alert each become one of them all, which gets its cursor in the same way.
        """
        cursor = place.on(urgent=urgent)
        redacted = view.redaction is not None
        raw = view.with_raw and not redacted
        page = await self._live.page(cursor.position, with_raw=raw, redacted=redacted)
        if page is None:
            raise ForgottenError
        wanted, cursor = piece(page, cursor, view)
        place = place.moved(cursor, urgent=urgent)
        if not wanted:
            return b"", place
        return b"".join([*wanted, self._cursor(place, change)]), place

    async def _done(self, change: int, place: Place, view: View) -> tuple[bytes, int]:
        """Return an event of what people did behind a change, as far as a watcher knows of the alerts.

        It is serialised, and empty where there is nothing; with it, the change to go on behind.
        """
        last = self._changes.last
        if last <= change:
            return b"", change
        told = await self._asked(self._changes.after(change))
        if not told:
            return b"", last
        passed = min(place.urgent.position, place.other.position)
        bounds = Bounds(passed, self._live.last, PIECE_BYTES)
        event, change = ready(told, bounds, view.clients, change)
        if event and view.redaction is not None:
            bare = WatchEvent.FromString(event)
            view.redaction.apply(bare)
            event = bare.SerializeToString()
        return event + self._cursor(place, change) if event else b"", change

    def _cursor(self, place: Place, change: int) -> bytes:
        """Return what, joined to an event's bytes, is its cursor."""
        return WatchEvent(cursor=self._live.encode(place, change)).SerializeToString()

    def _bookmark(self, place: Place, change: int) -> WatchEvent:
        event = WatchEvent(bookmark=Bookmark(), cursor=self._live.encode(place, change))
        event.bookmark.time.FromDatetime(self._clock())
        return event

    async def _tell_lagged(self, context: Context) -> None:
        reason = "what came after the cursor is no longer in the journal"
        await context.write(WatchEvent(lagged=Lagged(reason=reason)))

    async def _nodes(self, stream: Stream, request: FleetRequest, context: Context) -> None:
        clients = await self._visible(stream.holder, request.clients)
        told: Told = {}
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            for event in self._news(clients, told):
                if stream.holder.redacted:
                    self._live.redaction.apply(event)
                await context.write(event)
                last = loop.time()
            if loop.time() - last >= QUIET_SECONDS:
                last = loop.time()
                event = FleetEvent(bookmark=Bookmark())
                event.bookmark.time.FromDatetime(self._clock())
                await context.write(event)
            await asyncio.sleep(FLEET_SECONDS)

    def _news(self, clients: Collection[str] | None, told: Told) -> Iterator[FleetEvent]:
        """Yield what a watcher does not know yet, nodes before clients, and note in `told` that it does."""
        for seen in self._fleet.nodes():
            node, now = seen.node, self._clock()
            key, stage = (node.client, node.name), (seen.changes, state_of(node, now))
            if (clients is None or node.client in clients) and told.get(key) != stage:
                told[key] = stage
                yield FleetEvent(node=status(node, now))  # made only now: it holds all of the node's vitals
        for client in self._fleet.clients():
            name, changes = client.status.client, (client.changes,)
            if (clients is None or name in clients) and told.get((name,)) != changes:
                told[name,] = changes
                yield FleetEvent(client=client.status)


def visible(holder: Holder, wanted: Collection[str]) -> frozenset[str] | None:
    """Return the clients to show: those that are wanted, all of which the holder must be allowed to see.

    None: all that there are and will be.
    """
    if not wanted:
        return holder.clients
    hidden = [] if holder.clients is None else sorted(set(wanted) - holder.clients)
    if hidden:
        raise EndedError(
            grpc.StatusCode.PERMISSION_DENIED,
            f"this {holder.role.value} may not see the client {hidden[0]}: take it out of the settings,"
            " or enrol with a token that allows it",
        )
    return frozenset(wanted)


def _check_names(engine: Engine, names: Collection[str]) -> None:
    """End the stream where there is no client of one of these names."""
    for name in sorted(set(names) - {HUB[0]}):  # the hub itself is there before it says anything
        try:
            get_client(engine, name)
        except OperatorError:
            raise EndedError(
                grpc.StatusCode.PERMISSION_DENIED,
                f"the hub has no client {name}: mind the spelling, or see `zeus client list` there",
            ) from None


def piece(page: Sequence[Shown], cursor: Cursor, view: View) -> tuple[list[bytes], Cursor]:
    """Return some alerts of a batch from a place on, each as a WatchEvent, and the place behind them."""
    wanted: list[bytes] = []
    size = 0
    place = cursor
    for shown in page[cursor.index :]:
        if _is_wanted(shown, view):
            size += len(shown.event)
            if wanted and size > PIECE_BYTES:
                return wanted, place
            wanted.append(shown.event)
        place = shown.after
    return wanted, Cursor(cursor.position + 1)


def _is_wanted(shown: Shown, view: View) -> bool:
    """Tell whether a watcher follows an alert; one of unknown severity may be anything, so it does."""
    if shown.canary is not None or shown.repeated:
        return False
    if view.clients is not None and shown.client not in view.clients:
        return False
    return shown.severity >= view.min_severity or shown.severity == Severity.SEVERITY_UNSPECIFIED


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but not for ever."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
