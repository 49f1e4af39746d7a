"""`zeus top`: the fleet and the alerts, live in a terminal, until q or Ctrl-C."""

import asyncio
import os
import random
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from socme.backoff import delays
from socme.commands import ConfigOption
from socme.errors import OperatorError
from socme.identity import utc_now
from zeus_hub.commands import watch
from zeus_hub.commands.options import CONFIG, MinSeverityOption, plain

if TYPE_CHECKING:
    from rich.live import Live

    from socme.v1.watch_pb2 import FleetEvent, FleetRequest, WatchEvent, WatchRequest
    from zeus_hub.overview import Overview
    from zeus_hub.plan import Plan

REFRESH_SECONDS = 0.5
LOOK_BACK_SECONDS = 300  # between two looks at how nodes were: each bar stands for an hour
LATEST = 100  # alerts to begin with
LONGEST_PAUSE = 2.0  # seconds between attempts to reach the hub
QUIT = b"qQ\x03\x04"  # q, and Ctrl-C and Ctrl-D where a terminal hands them on
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Days = Callable[[], "Mapping[tuple[str, str], str]"]  # how nodes were, by client and node; blocks
Ended = asyncio.Future[None]  # when it is over, and the error that ends it, if one does


def top(
    *,
    config: ConfigOption = CONFIG,
    client: Annotated[
        list[str] | None,
        typer.Option("--client", metavar="NAME", parser=plain, help="Only this client; may be given again."),
    ] = None,
    min_severity: MinSeverityOption = None,
) -> None:
    """Show the fleet, worst first, and the alerts as they come, in a terminal; q ends it."""
    from rich.live import Live  # noqa: PLC0415

    from socme.table import console  # noqa: PLC0415
    from socme.v1.watch_pb2 import FleetRequest, WatchRequest  # noqa: PLC0415
    from zeus_hub.commands import state  # noqa: PLC0415
    from zeus_hub.overview import Overview  # noqa: PLC0415

    out = console()
    if not out.is_terminal or out.is_dumb_terminal or not sys.stdin.isatty():
        raise OperatorError("zeus top needs a terminal", "Use `zeus node list` and `zeus watch` in scripts.")
    connect, address = watch.way_in(config, client or [])
    alerts = WatchRequest(clients=client or [], snapshot_alerts=LATEST)
    alerts.min_severity = min_severity or 0  # type: ignore[assignment]  # any number goes on the wire
    fleet = FleetRequest(clients=client or [])
    live = Live(console=out, auto_refresh=False, screen=True, redirect_stdout=False, redirect_stderr=False)
    days = partial(_days, state.read_plan(config), client or [])
    asyncio.run(show(connect, Overview(address), alerts, fleet, live, days))


async def show(
    connect: watch.Connect,
    overview: "Overview",
    alerts: "WatchRequest",
    fleet: "FleetRequest",
    live: "Live",
    days: Days,
) -> None:
    """Draw what the hub says until a person ends it; OperatorError where it refuses, or never answered."""
    loop = asyncio.get_running_loop()
    ended: Ended = loop.create_future()
    redraw = asyncio.Event()
    for number in _SIGNALS:
        loop.add_signal_handler(number, _end, ended)
    loop.add_signal_handler(signal.SIGWINCH, redraw.set)
    ended.add_done_callback(lambda _: redraw.set())
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_follow(connect, request, overview, ended), name=name)
            for name, request in (("alerts", alerts), ("fleet", fleet))
        ]
        tasks.append(group.create_task(_look_back(days, overview), name="days"))
        with suppress(OSError), _keys(ended), live:  # OSError: the terminal went away
            while not ended.done():
                _draw(overview, live)
                redraw.clear()
                await _wait(redraw)
        for task in tasks:
            task.cancel()
    if ended.done():
        ended.result()


async def _follow(
    connect: watch.Connect, request: "WatchRequest | FleetRequest", overview: "Overview", ended: Ended
) -> None:
    """Take what the hub says on one stream, over and over."""
    from socme.v1.watch_pb2 import FleetRequest, WatchEvent, WatchRequest  # noqa: PLC0415
    from zeus_hub.overview import ALERTS, FLEET  # noqa: PLC0415

    stream = FLEET if isinstance(request, FleetRequest) else ALERTS
    pauses = delays(random.Random(), longest=LONGEST_PAUSE)  # noqa: S311 - spreads attempts, guards nothing
    met = False

    def take(event: "WatchEvent | FleetEvent") -> None:
        nonlocal met, pauses
        pauses = delays(random.Random(), longest=LONGEST_PAUSE)  # noqa: S311
        met = True
        if isinstance(event, WatchEvent) and isinstance(request, WatchRequest):
            request.cursor = event.cursor or request.cursor
        overview.take(event, time.monotonic())

    while True:
        try:
            await watch.session(connect, request, take)
        except watch.LostError as error:
            if error.refused or not met:
                _end(ended, watch.unreachable(overview.hub, error))
                return
            overview.lost(stream, str(error))
        await asyncio.sleep(next(pauses))


async def _look_back(days: Days, overview: "Overview") -> None:
    """Learn how nodes were, over and over, in a thread of its own: a picture waits for nothing."""
    while True:
        try:
            overview.was(await asyncio.to_thread(days))
        except OperatorError as error:
            overview.was({}, f"no bars of the last 24 hours: {' '.join(str(error).split())}")
        await asyncio.sleep(LOOK_BACK_SECONDS)


def _days(settings: "Plan", clients: "Collection[str]") -> "Mapping[tuple[str, str], str]":
    """Return how nodes were, as the hub wrote it down. Blocks on the database."""
    from zeus_hub.commands import past, state  # noqa: PLC0415

    with state.opened(settings) as engine:
        return past.processors(engine, utc_now(), clients)


def _draw(overview: "Overview", live: "Live") -> None:
    from rich.text import Text  # noqa: PLC0415

    from zeus_hub.screenful import draw  # noqa: PLC0415

    width, height = live.console.size
    lines = draw(overview, width=width, height=height, at=time.monotonic())
    live.update(Text("\n", no_wrap=True, overflow="crop").join(lines), refresh=True)


async def _wait(redraw: asyncio.Event) -> None:
    """Wait until the next picture is due, the terminal has another size, or it is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(REFRESH_SECONDS):
            await redraw.wait()


@contextmanager
def _keys(ended: Ended) -> Iterator[None]:
    """Read keys one by one, and leave the terminal as it was."""
    loop, keyboard = asyncio.get_running_loop(), sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)

    def pressed() -> None:
        try:
            typed = os.read(keyboard, 100)
        except OSError:
            typed = b""
        if not typed or any(key in QUIT for key in typed):
            loop.remove_reader(keyboard)
            _end(ended)

    tty.setcbreak(keyboard)
    loop.add_reader(keyboard, pressed)
    try:
        yield
    finally:
        loop.remove_reader(keyboard)
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _end(ended: Ended, error: OperatorError | None = None) -> None:
    if ended.done():
        return
    if error is None:
        ended.set_result(None)
    else:
        ended.set_exception(error)
