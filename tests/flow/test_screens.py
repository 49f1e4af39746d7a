"""Screens as devices, with the real programs: let in once, cut off for good, redacted, never told twice."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from hermes_display.board import Board, Event, Link
from hermes_display.display import connector
from hermes_display.downlink import Downlink, Wanted
from hermes_display.picture import picture
from socme import identity
from socme.identity import utc_now
from socme.v1.watch_pb2 import WatchEvent
from tests.flow.programs import Follow, Screen, Stage, run, wait_until

pytestmark = pytest.mark.slow

BLANK_SECONDS = 5.0


class Page:
    """What a browser has of a wall now, as the page keeps it: the newest of every part."""

    def __init__(self) -> None:
        self.parts: dict[str, object] = {}

    @property
    def text(self) -> str:
        """All of it in JSON."""
        return json.dumps(self.parts)

    @property
    def refused(self) -> bool:
        """Whether it says that the hub refuses this screen."""
        link = self.parts.get("link")
        return isinstance(link, dict) and bool(link["refused"])

    @property
    def left(self) -> list[str]:
        """The parts that say more than those of a wall that was told nothing."""
        board = Board(Link(up=False, since=utc_now(), refused=True))
        nothing = json.loads(json.dumps(picture(board)))
        return [name for name, part in self.parts.items() if name != "link" and part != nothing.get(name)]

    def follow(self, address: str) -> None:
        """Read until the wall ends."""
        with httpx.Client(timeout=60) as browser, browser.stream("GET", f"http://{address}/events") as page:
            for line in page.iter_lines():
                if line.startswith("data: {"):
                    news = json.loads(line.removeprefix("data: "))["parts"]
                    self.parts = {k: v for k, v in (self.parts | news).items() if v is not None}


@contextmanager
def looking(screen: Screen) -> Iterator[Page]:
    """Look at a wall for as long as it is up; ends it."""
    page = Page()
    browser = threading.Thread(target=page.follow, args=[screen.address])
    browser.start()
    try:
        yield page
    finally:
        screen.program.stop()
        browser.join()


def alert(number: int, signature: str = "Scan") -> bytes:
    record = {
        "timestamp": f"2026-11-28T12:00:{number % 60:02}.000000+0000",
        "event_type": "alert",
        "flow_id": number,
        "src_ip": "192.0.2.77",
        "dest_ip": "198.51.100.7",
        "host": "dc1-sensor",
        "alert": {"signature_id": number, "signature": f"{signature} {number}", "severity": 1},
    }
    return json.dumps(record).encode() + b"\n"


def test_a_revoked_screen_is_blank_within_seconds_and_stays_so(stage: Stage, tmp_path: Path) -> None:
    log = tmp_path / "eve.json"
    log.write_bytes(alert(1))
    hub = stage.hub()
    stage.node(hub, "acme", "acme-1", Follow("suricata", log))
    screen = stage.screen(hub, "lobby")
    with looking(screen) as page:
        wait_until(lambda: "Scan 1" in page.text and "192.0.2.77" in page.text, "the wall shows the alert")

        hub.zeus("display", "revoke", "lobby")
        revoked = time.monotonic()
        wait_until(lambda: page.refused, "the wall says that it is refused")
        took = time.monotonic() - revoked

        assert took < BLANK_SECONDS
        assert not page.left, "not even how many alerts came when"
        for word in ("Scan", "192.0.2.77", "acme"):
            assert word not in page.text
    done = run("hermes", "check", "--config", str(screen.config))
    assert done.returncode == 1
    assert "revoked" in done.stderr
    screen.program.start()
    with looking(screen) as page:
        wait_until(lambda: page.refused, "a wall that was started anew says so too")
        assert "Scan" not in page.text


def test_a_token_is_good_for_one_screen_once(stage: Stage) -> None:
    hub = stage.hub()
    token = hub.display_token("lobby")
    first, second = Screen(stage.folder / "first"), Screen(stage.folder / "second")
    first.enrol(token)

    done = run("hermes", "enroll", token, "--config", str(second.config))

    assert done.returncode == 1
    assert "used already" in done.stderr
    assert "ok  hub" in first.hermes("check")


def test_a_lobbys_wall_has_no_host_user_or_address(stage: Stage, tmp_path: Path) -> None:
    """Not on the page, and not in its terminal either, whatever is asked for there."""
    log = tmp_path / "eve.json"
    log.write_bytes(alert(1))
    hub = stage.hub()
    stage.node(hub, "acme", "dc1-sensor", Follow("suricata", log))
    screen = Screen(stage.folder / "lobby")
    screen.enrol(hub.display_token("lobby", "--redact"))
    screen.program.start()
    screen.tail.start(ready=False)
    try:
        with looking(screen) as page:
            wait_until(lambda: "Scan 1" in page.text and "nodes" in page.text, "the wall shows the alert")
            wait_until(lambda: "Scan 1" in screen.tail.log(), "and so does the terminal")
            shown = page.text + screen.tail.log()
    finally:
        screen.tail.end()

    assert "redacted" in screen.hermes("check")
    assert re.findall(r"192\.0\.2|198\.51|dc1|eve\.json", shown) == []
    (told,) = [json.loads(line) for line in hub.zeus("display", "list", "--json").splitlines()]
    assert told["redacted"] is True


def test_a_screen_goes_on_where_it_was_when_the_hub_was_killed(stage: Stage, tmp_path: Path) -> None:
    """No second snapshot, nothing twice, nothing left out."""
    log = tmp_path / "eve.json"
    log.write_bytes(b"".join(map(alert, range(5))))
    hub = stage.hub()
    stage.node(hub, "acme", "acme-1", Follow("suricata", log))
    hub.wait_for_alerts(5)
    screen = stage.screen(hub, "wall", start=False)
    me = identity.load(screen.folder / "state", now=identity.utc_now(), command="")
    events: list[Event] = []

    def told() -> list[str]:
        found: list[str] = []
        for event in events:
            if isinstance(event, WatchEvent):
                found += [each.alert.rule.name for each in event.snapshot.alerts]
                found += [each.alert.rule.name for each in event.alerts.alerts]
        return [name for name in found if name.startswith("Scan")]

    def kill_and_write() -> None:
        wait_until(lambda: len(told()) == 5, "the snapshot is here")
        hub.program.kill()
        with log.open("ab") as file:
            file.write(b"".join(map(alert, range(5, 20))))
        hub.program.start()
        wait_until(lambda: len(told()) >= 20, "what came meanwhile is here", told=lambda: str(told()))

    async def follow() -> None:
        link = Downlink(connector(me, me.hub_address), Wanted(latest=50), events.append)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(link.run())
            await asyncio.to_thread(kill_and_write)
            task.cancel()

    asyncio.run(follow())

    assert told() == [f"Scan {number}" for number in range(20)]
    assert sum(isinstance(each, WatchEvent) and each.HasField("snapshot") for each in events) == 1
    assert [each.up for each in events if isinstance(each, Link)][-1]
