"""Show a board as a web page on this machine: one page, one stream, nothing to write to.

The page has no login, so it is served on loopback, and only to browsers that ask for it by an address:
a foreign site whose name is made to point here (DNS rebinding) gets nothing. Every answer carries a policy
under which text of an attacker cannot become markup or script.

A browser that stalls costs one frame: what it has not taken is replaced by what is newer, part by part.
"""

import asyncio
import contextlib
import ipaddress
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hermes_display import files
from hermes_display.board import Board
from hermes_display.files import File
from hermes_display.picture import SLOW, picture
from hermes_display.plan import Looks
from socme.address import split
from socme.errors import OperatorError

PACE = 0.5  # seconds between two pictures; an eye takes in no more, and a browser draws no more than it must
HEARTBEAT = 1.5  # seconds; the page calls the picture old after 5 s without a frame
MOST_BROWSERS = 32  # at once; a wall has one, and a few people look on
STOPPING = 2  # seconds that a browser gets to take its last frame

BARS = 5.0  # seconds between two pictures of what nobody watches second by second
HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(eq=False, slots=True)
class _Browser:
    """What one browser has not taken yet."""

    pending: dict[str, str] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self) -> dict[str, str]:
        self.changed.clear()
        taken, self.pending = self.pending, {}
        return taken

    def add(self, parts: Mapping[str, str]) -> None:
        self.pending.update(parts)
        self.changed.set()


class Wall:
    """The newest picture, and the browsers that look at it."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._changed = asyncio.Event()
        self._parts = _encode(board)
        self._browsers: set[_Browser] = set()
        self._closed = False

    @property
    def board(self) -> Board:
        """Return what the wall shows."""
        return self._board

    def show(self, board: Board) -> None:
        """Replace what the wall shows; browsers get it with the next picture."""
        if board is not self._board:
            self._board = board
            self._changed.set()

    async def draw(self) -> None:
        """Send each new picture to every browser, until cancelled."""
        loop = asyncio.get_running_loop()
        bars_at = loop.time()
        while True:
            await self._changed.wait()
            self._changed.clear()
            with_bars = loop.time() >= bars_at
            self._draw(_encode(self._board), with_bars=with_bars)
            if with_bars:
                bars_at = loop.time() + BARS
            await asyncio.sleep(PACE)

    def _draw(self, parts: dict[str, str], *, with_bars: bool) -> None:
        if not with_bars and not self._board.link.refused:  # what is there stays for a while
            parts |= {name: part for name, part in self._parts.items() if _is_slow(name) and name in parts}
        news = {name: part for name, part in parts.items() if self._parts.get(name) != part}
        news |= dict.fromkeys(self._parts.keys() - parts.keys(), "null")
        self._parts = parts
        if news:
            for browser in self._browsers:
                browser.add(news)

    @contextlib.contextmanager
    def looking(self) -> Iterator[AsyncIterator[str]]:
        """Give one browser's stream: the whole picture, then what changed, and a heartbeat."""
        browser = _Browser(dict(self._parts))
        self._browsers.add(browser)
        try:
            yield self._frames(browser)
        finally:
            self._browsers.discard(browser)

    @property
    def full(self) -> bool:
        """Whether no further browser is let in."""
        return len(self._browsers) >= MOST_BROWSERS

    def close(self) -> None:
        """End every browser's stream."""
        self._closed = True
        for browser in self._browsers:
            browser.changed.set()

    async def _frames(self, browser: _Browser) -> AsyncIterator[str]:
        while not self._closed:
            yield _frame(browser.take())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT):
                    await browser.changed.wait()


@dataclass(frozen=True, slots=True)
class _Stream:
    """The answer to one browser; whatever ends it, the browser leaves the wall."""

    wall: Wall
    build: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.wall.looking() as frames:
            answer = StreamingResponse(_greeted(self.build, frames), media_type="text/event-stream")
            await answer(scope, receive, send)


def application(wall: Wall, looks: Looks) -> ASGIApp:
    """Return the web application that shows a wall."""
    served = files.load(looks)
    build = files.build(served)
    answers = {address: _answer(each) for address, each in served.items()}

    async def file(request: Request) -> Response:
        return answers[request.url.path]

    async def events(_: Request) -> ASGIApp:
        if wall.full:
            return PlainTextResponse("too many browsers look at this wall", 503, headers={"retry-after": "5"})
        return _Stream(wall, build)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok", "hub": "up" if wall.board.link.up else "down", "build": build})

    routes = [
        *(Route(address, file) for address in answers),
        Route("/events", events),
        Route("/healthz", health),
    ]
    return _guarded(Starlette(routes=routes))


def bind(listen: str) -> socket.socket:
    """Return a socket that listens on "host:port" of this machine's loopback.

    Raise OperatorError with the mend where that fails, or where others could reach it.
    """
    host, port = split(listen)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if not ipaddress.ip_address(address[0]).is_loopback:
            raise OperatorError(
                f"cannot serve the wall on {listen}: it has no login, so it is for this machine alone",
                "Set `listen` to 127.0.0.1 and a port; from elsewhere, look at it through `ssh -L`.",
            )
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = (error.strerror or "").partition(" (")[0]  # Python adds the address
        raise OperatorError(
            f"cannot serve the wall on {listen}: {reason}",
            "Is it running already? Otherwise set `listen` to a free port of this machine.",
        ) from error


async def serve(wall: Wall, looks: Looks, listener: socket.socket, started: Callable[[], None]) -> None:
    """Serve a wall until cancelled; call `started` when browsers can connect."""
    config = uvicorn.Config(
        application(wall, looks),
        access_log=False,
        lifespan="off",
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=STOPPING,
    )
    server = _Server(config, started)
    try:
        await server.serve(sockets=[listener])
    finally:
        wall.close()
        if server.started:
            await server.shutdown(sockets=[listener])


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: socme.service has those."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._on_start()


def _encode(board: Board) -> dict[str, str]:
    return {name: json.dumps(part, separators=(",", ":")) for name, part in picture(board).items()}


def _frame(parts: Mapping[str, str]) -> str:
    """Return parts that are JSON already as one event; JSON has no line feed that could end it early."""
    members = ",".join(f"{json.dumps(name)}:{part}" for name, part in parts.items())
    return f'data: {{"now":{round(time.time() * 1000)},"parts":{{{members}}}}}\n\n'


async def _greeted(build: str, frames: AsyncIterator[str]) -> AsyncIterator[str]:
    """Yield what the page needs once, then the frames: an updated page loads itself anew."""
    yield f"retry: 1000\nevent: build\ndata: {build}\n\n"
    async for frame in frames:
        yield frame


def _answer(file: File) -> Response:
    return Response(file.content, media_type=file.media_type, headers={"cache-control": file.cache})


def _is_slow(part: str) -> bool:
    return part.partition("/")[0] in SLOW


def _guarded(app: ASGIApp) -> ASGIApp:
    """Refuse requests by foreign names, and put the security headers on every answer."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableHeaders(scope=message)
                given.update({"cache-control": "no-store", **dict(given.items()), **HEADERS})
            await send(message)

        if scope["type"] != "http":
            return
        answer = app if _is_address(Headers(scope=scope).get("host", "")) else _FOREIGN
        await answer(scope, receive, with_headers)

    return guarded


_FOREIGN = PlainTextResponse("ask for this page by its address, as in http://127.0.0.1:8080/", 421)


def _is_address(host: str) -> bool:
    """Tell whether a Host header names an address or this machine, nothing that a DNS server answers for."""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
