"""Take pictures of the wall: a made-up fleet in four states, at three sizes and in both themes.

    python -m scripts.screenshots [FOLDER]

FOLDER is `build/pictures` where none is given. The pictures that the documents show are renewed in
docs/pictures. Needs Chromium and the development packages.
"""

import asyncio
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Page

from hermes_display import pages
from hermes_display.board import Board, Link, fold
from hermes_display.pages import Pages
from tests.hermes_display.scenes import CRITICAL, NAMES, alert, live, scene
from tests.hermes_display.site import Site, chromium, site

SIZES = {"720p": (1280, 720), "1080p": (1920, 1080), "4k": (3840, 2160)}
THEMES = ("dark", "light")
NOW = datetime(2026, 3, 10, 14, 27, 8, tzinfo=UTC)
SETTLED = 1500  # ms, after which fonts are there and nothing moves any more
COLOURS = 255  # of a picture in the documents: a quarter of the bytes, and no difference to the eye
DOCUMENTS = Path(__file__).resolve().parent.parent / "docs" / "pictures"


def _nothing(_: Site) -> None:
    pass


def _alarm(at: Site) -> None:
    second = NOW + timedelta(seconds=1)
    at.add(live(alert(600, NAMES[6], CRITICAL, NOW), alert(601, NAMES[3], CRITICAL, second)))


def _lost(at: Site) -> None:
    since = datetime.now(UTC) - timedelta(seconds=42)
    at.add(Link(up=False, since=since, reason="connection refused"))


@dataclass(frozen=True)
class Shot:
    """What a picture shows."""

    state: str
    """Of the fleet: "quiet" or "busy"."""
    clients: int = 8
    happens: Callable[[Site], None] = _nothing
    """While one looks."""
    scale: float = 1.0
    language: str = "en"


SHOTS = {
    "quiet": Shot("quiet"),
    "busy": Shot("busy"),
    "alarm": Shot("busy", happens=_alarm),
    "lost": Shot("busy", happens=_lost),
}
# Taken once, at the usual size: with few clients and with many, in French, and large.
MORE = {
    **{f"clients-{number}": Shot("busy", number) for number in (1, 2, 3, 5, 14, 20, 60)},
    "french": Shot("busy", happens=_alarm, language="fr"),
    "large": Shot("busy", scale=1.4),
    "large-alarm": Shot("busy", happens=_alarm, scale=1.4),
}
# What the documents show: a name of theirs, the picture, its theme.
SHOWN = {
    "wall-busy": ("busy", "dark"),
    "wall-alarm": ("alarm", "dark"),
    "wall-lost": ("lost", "dark"),
    "wall-light": ("busy", "light"),
    "wall-many": ("clients-60", "dark"),
}


async def main(folder: Path) -> None:
    """Take all pictures."""
    async with chromium() as browser:
        await _shown(browser)
        for name, shot in SHOTS.items():
            for theme in THEMES:
                for size in SIZES:
                    _write(folder / f"wall-{name}-{theme}-{size}.png", await take(browser, shot, size, theme))
        for name, shot in MORE.items():
            _write(folder / f"wall-{name}.png", await take(browser, shot, "1080p", "dark"))


async def _shown(browser: Browser) -> None:
    """Renew what the documents show."""
    for shown, (name, theme) in SHOWN.items():
        picture = await take(browser, (SHOTS | MORE)[name], "720p", theme)
        _write(DOCUMENTS / f"{shown}.png", _small(picture))


def _write(file: Path, picture: bytes) -> None:
    file.write_bytes(picture)
    print(file)  # noqa: T201


def _small(picture: bytes) -> bytes:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    made = io.BytesIO()
    few = image.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
    few.save(made, "PNG", optimize=True)
    return made.getvalue()


async def take(browser: Browser, shot: Shot, size: str, theme: str) -> bytes:
    """Take one picture."""
    board = Board(link=Link(up=True, since=NOW), pages=Pages(most=pages.most(shot.scale)))
    for event in scene(shot.state, shot.clients, NOW):
        board = fold(board, event)
    width, height = SIZES[size]
    async with site(board, theme=theme, scale=shot.scale, language=shot.language) as at:
        page = await browser.new_page(
            viewport={"width": width, "height": height}, timezone_id="Europe/Paris", locale="fr-FR"
        )
        try:
            return await _look(page, at, shot)
        finally:
            await page.close()


async def _look(page: Page, at: Site, shot: Shot) -> bytes:
    await page.clock.install(time=NOW)
    await page.goto(at.url)
    await page.wait_for_selector(".tile")
    shot.happens(at)
    await page.wait_for_timeout(SETTLED)
    return await page.screenshot()


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "build/pictures")
    for each in (target, DOCUMENTS):
        each.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(target))
