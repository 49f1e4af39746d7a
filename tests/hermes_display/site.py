"""A wall that is served by a real server, as the wiring does it, and a real browser that looks at it."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from hermes_display.board import Board, Event, Link, Tick, fold
from hermes_display.config import WallSettings, looks_of
from hermes_display.plan import Looks
from hermes_display.wall import Wall, bind, serve
from tests.hermes_display.watch_server import NOON
from tests.lacking import lacking

if TYPE_CHECKING:
    from playwright.async_api import Browser

LIMIT = 20.0  # seconds for anything to happen
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--force-color-profile=srgb",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),  # Chromium's sandbox does not work for root
)


@dataclass
class Site:
    """A wall that is served, and a client for it."""

    wall: Wall
    browser: httpx.AsyncClient
    address: tuple[str, int]

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.address[1]}/"

    def add(self, *events: Event | Tick) -> None:
        """Let events arrive."""
        for event in events:
            self.wall.show(fold(self.wall.board, event))


def looks(**settings: object) -> Looks:
    """Return how a wall looks with these settings."""
    return looks_of(WallSettings(**settings))  # type: ignore[arg-type]


@asynccontextmanager
async def site(board: Board | None = None, **settings: object) -> AsyncIterator[Site]:
    """Serve a wall."""
    shown = Wall(board or Board(link=Link(up=True, since=NOON)))
    chosen = looks(**settings)
    ready = asyncio.Event()
    listener = bind("127.0.0.1:0")
    address: tuple[str, int] = listener.getsockname()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(shown.draw()),
            group.create_task(serve(shown, chosen, listener, ready.set)),
        ]
        await ready.wait()
        url = f"http://127.0.0.1:{address[1]}"
        async with httpx.AsyncClient(base_url=url, timeout=LIMIT) as browser:
            yield Site(shown, browser, address)
        for task in tasks:
            task.cancel()


def chromium_program() -> str:
    """Return where the machine's own Chromium is."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        lacking("there is no Chromium (Debian: apt install chromium)")
    return program


@asynccontextmanager
async def chromium() -> AsyncIterator["Browser"]:
    """Start the machine's own Chromium without a window."""
    try:
        from playwright.async_api import async_playwright  # noqa: PLC0415
    except ImportError:
        lacking("Playwright for Python is missing")
    program = chromium_program()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()
