"""The command `zeus watch`."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import pytest

from socme.errors import OperatorError
from socme.service import Notifier
from socme.v1.watch_pb2 import (
    Bookmark,
    FleetRequest,
    Lagged,
    Snapshot,
    StoredAlert,
    StoredAlerts,
    WatchEvent,
    WatchRequest,
)
from socme.v1.watch_pb2_grpc import WatchServicer, add_WatchServicer_to_server
from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.stored import alert
from zeus_hub import hub
from zeus_hub.commands import watch
from zeus_hub.commands.state import read_plan

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[WatchRequest, WatchEvent]
else:
    Context = grpc.aio.ServicerContext  # which takes no types while it runs

LIMIT = 20.0  # seconds that anything here may take

Session = Callable[[WatchRequest, Context], Awaitable[None]]


class DoneError(Exception):
    """The test has seen what it wanted."""


class Scripted(WatchServicer):
    """A hub that answers each call with the next session of a script."""

    def __init__(self, *sessions: Session) -> None:
        self.sessions = list(sessions)
        self.cursors: list[bytes] = []

    async def Alerts(self, request: WatchRequest, context: Context) -> None:  # type: ignore[override]  # noqa: N802
        """Play one session."""
        self.cursors.append(request.cursor)
        await self.sessions.pop(0)(request, context)

    async def Fleet(self, request: FleetRequest, context: Context) -> None:  # type: ignore[override]  # noqa: N802
        """Play nothing."""


def say(*events: WatchEvent, then: grpc.StatusCode | None = None) -> Session:
    """Return a session of some events that ends well, or with an error."""

    async def session(_: WatchRequest, context: Context) -> None:
        for event in events:
            await context.write(event)
        if then is not None:
            await context.abort(then, "said\x1b[2J so")

    return session


def one(number: int) -> WatchEvent:
    """Return an alert's event."""
    return WatchEvent(alerts=StoredAlerts(alerts=[alert(number)]), cursor=str(number).encode())


@asynccontextmanager
async def serving(script: Scripted) -> AsyncIterator[str]:
    """Serve a script without TLS; yield the address."""
    server = grpc.aio.server()
    add_WatchServicer_to_server(script, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


async def follow(address: str, seen: list[int], *, until: int) -> None:
    """Follow until so many alerts were shown."""

    def show(stored: StoredAlert) -> None:
        seen.append(int.from_bytes(stored.alert.id))
        if len(seen) == until:
            raise DoneError

    async with asyncio.timeout(LIMIT):
        await watch.follow(lambda: grpc.aio.insecure_channel(address), address, WatchRequest(), show)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LONGEST_PAUSE", 0.1)


async def test_a_break_loses_and_repeats_nothing() -> None:
    """Each new call goes on after the last event, bookmarks included, however the one before ended."""
    script = Scripted(
        say(WatchEvent(snapshot=Snapshot(), cursor=b"0"), one(1), then=grpc.StatusCode.UNAVAILABLE),
        say(one(2), WatchEvent(bookmark=Bookmark(), cursor=b"2b")),
        say(then=grpc.StatusCode.INTERNAL),
        say(one(3)),
    )
    seen: list[int] = []

    async with serving(script) as address:
        with pytest.raises(DoneError):
            await follow(address, seen, until=3)

    assert seen == [1, 2, 3]
    assert script.cursors == [b"", b"1", b"2b", b"2b"]


async def test_a_hub_that_forgot_is_told_and_followed_on(caplog: pytest.LogCaptureFixture) -> None:
    lagged = WatchEvent(lagged=Lagged(reason="too long ago"))
    snapshot = WatchEvent(snapshot=Snapshot(alerts=[alert(9)]), cursor=b"8")
    seen: list[int] = []

    async with serving(Scripted(say(one(1)), say(lagged, snapshot, one(2)))) as address:
        with pytest.raises(DoneError):
            await follow(address, seen, until=2)

    assert seen == [1, 2]
    assert "missed alerts" in caplog.text


async def test_a_silent_hub_counts_as_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silence(_: WatchRequest, context: Context) -> None:
        await context.write(one(1))
        await asyncio.Event().wait()

    monkeypatch.setattr(watch, "SILENCE", 0.5)
    seen: list[int] = []

    async with serving(Scripted(silence, say(one(2)))) as address:
        with pytest.raises(DoneError):
            await follow(address, seen, until=2)

    assert seen == [1, 2]


async def test_a_hub_that_never_answered_is_an_error() -> None:
    async with serving(Scripted()) as address:
        pass

    with pytest.raises(OperatorError, match=f"no hub answers at {address}") as told:
        await follow(address, [], until=1)
    assert "zeus serve" in told.value.mend


@pytest.mark.parametrize("before", [[], [say(one(1))]])
async def test_a_refusal_ends_it(before: list[Session]) -> None:
    """At once, and also after a break; what the hub says cannot reach the terminal."""
    script = Scripted(*before, say(then=grpc.StatusCode.PERMISSION_DENIED))

    async with serving(script) as address:
        with pytest.raises(OperatorError, match="refuses: said\ufffd\\[2J so"):
            await follow(address, [], until=2)


async def test_this_machines_operator_is_let_in(place: Place) -> None:
    """Against a real hub, with the address and the certificate that the command finds by itself."""
    settings = read_plan(place.set_up('listen = "127.0.0.1:0"').config)
    ready = asyncio.Event()
    events: asyncio.Queue[str | None] = asyncio.Queue()

    async with asyncio.TaskGroup() as group, asyncio.timeout(LIMIT):
        serve = group.create_task(hub.serve(settings, Notifier(), lambda _: ready.set()))
        await ready.wait()
        connect, _ = watch.way_in(place.config, [])
        session = watch.session(
            connect, WatchRequest(), lambda event: events.put_nowait(event.WhichOneof("event"))
        )
        following = group.create_task(session)
        assert await events.get() == "snapshot"
        following.cancel()
        serve.cancel()


def test_an_alert_as_json_and_as_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    hostile = alert(1, name="evil\x1b[2J\n", raw=b'{"a":1}')

    watch._as_json(hostile)
    shown = json.loads(capfd.readouterr().out)
    assert (shown["raw"], shown["rule"]["name"]) == ('{"a":1}', "evil\x1b[2J\n")

    watch._as_line()(hostile)
    (line,) = capfd.readouterr().out.splitlines()
    assert line.startswith("2026-07-01 12:01:00  medium    acme/acme-1")
    assert "\x1b" not in line


def test_a_client_that_there_is_not_is_told(place: Place) -> None:
    place.database().dispose()

    with pytest.raises(OperatorError, match="there is no client 'nobody'"):
        place.try_("watch", "--client", "nobody")


def test_a_hub_that_is_down_is_told(place: Place) -> None:
    place.set_up('listen = "127.0.0.1:1"').database().dispose()

    with pytest.raises(OperatorError, match=r"no hub answers at 127\.0\.0\.1:1"):
        place.try_("watch")
