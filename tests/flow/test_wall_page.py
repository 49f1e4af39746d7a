"""The whole chain up to a browser: a line on a node, the hub, the daemon, and a page that stays open."""

import itertools
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.flow.programs import Follow, Stage
from tests.hermes_display.site import FLAGS, chromium_program
from tests.lacking import lacking

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

PROMPT = 1.0  # seconds from a node's log to the page
LOST = 5.0  # seconds in which people must learn that what they see is old
BUSY = 2.0  # seconds more, for a machine that does much else
LEAST, MOST = 3, 11  # alerts, of which the middle one is judged


@pytest.fixture
def page() -> Iterator["Page"]:
    """Give a page of the machine's own Chromium."""
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415
    except ImportError:
        lacking("Playwright for Python is missing")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_program(), args=list(FLAGS))
        try:
            yield browser.new_page(viewport={"width": 1280, "height": 720})
        finally:
            browser.close()


def line(number: int) -> str:
    """Return a high alert as Wazuh writes it."""
    told = {
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime()),
        "rule": {"level": 12, "description": f"Alert {number}", "id": str(100_000 + number)},
        "agent": {"id": "001", "name": "web-1"},
        "manager": {"name": "m"},
        "id": f"{number}.1",
        "location": "log",
    }
    return json.dumps(told) + "\n"


def test_an_alert_is_on_the_page_within_a_second(stage: Stage, tmp_path: Path, page: "Page") -> None:
    """From the line in the node's log, half of them at least: the machine has other things to do."""
    log = tmp_path / "alerts.json"
    log.touch()
    hub = stage.hub()
    stage.node(hub, "acme", "acme-1", Follow("wazuh", log))
    screen = stage.screen(hub, "lobby")
    page.goto(f"http://{screen.address}/")
    page.locator(".tile .online", has_text="1/1").wait_for(timeout=30_000)

    took: list[float] = []
    for number in range(MOST):
        begun = time.monotonic()
        with log.open("a") as file:
            file.write(line(number))
        page.locator("#feed .title", has_text=f"Alert {number}").wait_for(timeout=10_000)
        took.append(time.monotonic() - begun)
        if len(took) >= LEAST and statistics.median(took) < PROMPT:
            break
        page.wait_for_timeout(1_500)  # a row a second
    assert statistics.median(took) < PROMPT, took


def test_an_open_page_outlives_the_hub_and_the_daemon(stage: Stage, tmp_path: Path, page: "Page") -> None:
    """It says within five seconds (and two) that it is old, and goes on by itself; nobody touches it."""
    log = tmp_path / "alerts.json"
    log.write_text(line(1))
    hub = stage.hub()
    stage.node(hub, "acme", "acme-1", Follow("wazuh", log))
    screen = stage.screen(hub, "lobby")
    page.goto(f"http://{screen.address}/")
    page.locator(".tile.high").wait_for(timeout=30_000)
    page.evaluate("() => { window.mark = 1; }")

    numbers = itertools.count(2)
    for program, words in (
        (hub.program, "No contact with Zeus"),
        (screen.program, "Hermes has not answered"),
    ):
        program.kill()
        page.locator("#banner", has_text=words).wait_for(timeout=1000 * (LOST + BUSY))
        program.start()
        page.locator("#banner").wait_for(state="hidden", timeout=30_000)
        number = next(numbers)
        with log.open("a") as file:
            file.write(line(number))
        page.locator("#feed .title", has_text=f"Alert {number}").wait_for(timeout=30_000)
    assert page.evaluate("() => window.mark") == 1, "the page was not loaded anew"

    screen.program.stop()
    screen.config.write_text(screen.config.read_text() + '\n[wall]\ntheme = "light"\nlanguage = "fr"\n')
    screen.program.start()
    page.locator("html[lang=fr][data-theme=light]").wait_for(timeout=30_000)
    page.locator(".tile.high").wait_for(timeout=30_000)
