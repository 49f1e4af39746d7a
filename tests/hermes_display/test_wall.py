import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from importlib import resources
from typing import Any

import httpx
import pytest

from hermes_display import wall
from hermes_display.board import Board, Link, fold
from hermes_display.files import STATIC, load
from hermes_display.wall import HEADERS, Wall, bind
from socme.errors import OperatorError
from socme.v1.watch_pb2 import StoredAlerts, WatchEvent
from tests.hermes_display.site import LIMIT, looks, site
from tests.hermes_display.watch_server import NOON, snapshot, stored, summary

HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[2J\u202e\u2028\n\ndata: {}"
FILES = load(looks())


async def frames(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """Yield what a page's onmessage gets: the data of events without a name."""
    name = ""
    async for line in answer.aiter_lines():
        field, _, value = line.partition(": ")
        if not line:
            name = ""
        elif field == "event":
            name = value
        elif field == "data" and not name:
            yield json.loads(value)


async def first(stream: AsyncIterator[dict[str, Any]], *names: str) -> dict[str, Any]:
    """Return the parts of the first frame that has these."""
    async with asyncio.timeout(LIMIT):
        async for frame in stream:
            if set(names) <= frame["parts"].keys():
                parts: dict[str, Any] = frame["parts"]
                return parts
    raise AssertionError(f"the stream ended without {names}")


@pytest.mark.parametrize("path", [*FILES, "/healthz", "/nothing-here", "/events"])
async def test_every_answer_carries_the_security_headers(path: str) -> None:
    async with site() as at, at.browser.stream("GET", path) as answer:
        assert answer.headers.items() >= HEADERS.items()
        assert "server" not in answer.headers
    policy = HEADERS["content-security-policy"]
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy


@pytest.mark.parametrize(("path", "kind"), [(path, file.media_type) for path, file in FILES.items()])
async def test_the_page_and_its_files_are_served(path: str, kind: str) -> None:
    async with site() as at:
        answer = await at.browser.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)


async def test_nothing_can_be_written() -> None:
    async with site() as at:
        for path in [*FILES, "/healthz", "/events"]:
            assert (await at.browser.post(path)).status_code == 405


async def test_health_tells_how_the_hub_is() -> None:
    async with site() as at:
        assert (await at.browser.get("/healthz")).json().items() >= {"status": "ok", "hub": "up"}.items()
        at.wall.show(fold(at.wall.board, Link(up=False, since=NOON)))
        assert (await at.browser.get("/healthz")).json()["hub"] == "down"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("localhost:8080", 200),
        ("localhost", 200),
        ("[::1]:8080", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example:8080", 421),
        ("", 421),
    ],
)
async def test_only_addresses_are_answered(host: str, status: int) -> None:
    """A foreign site whose name is made to point here (DNS rebinding) reads nothing."""
    async with site() as at:
        answer = await at.browser.get("/", headers={"host": host})
        assert answer.status_code == status
        assert answer.headers.items() >= HEADERS.items()


async def test_a_browser_gets_the_whole_picture_and_then_what_changed() -> None:
    async with site() as at, at.browser.stream("GET", "/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = frames(answer)
        whole = await first(stream)
        assert whole.keys() == {
            *("link", "verdict", "tiles", "feed", "rate", "alarm", "timeline", "tactics", "nodes")
        }

        at.add(WatchEvent(snapshot=snapshot(clients=(summary("acme", high=1), summary("globex")))))
        parts = await first(stream, "tiles")
        tiles = {"tile/acme", "tile/globex", "hours/acme", "hours/globex"}
        assert parts.keys() - {"timeline"} == {"link", "verdict", "tiles", *tiles}

        at.add(WatchEvent(alerts=StoredAlerts(alerts=[stored(1)])))
        parts = await first(stream, "feed")
        assert parts.keys() == {"feed", "tile/acme"}, "bars come more slowly"
        assert parts["tile/acme"]["number"] == "2"

        at.add(WatchEvent(snapshot=snapshot(clients=(summary("globex"),))))
        assert (await first(stream, "tiles"))["tile/acme"] is None


async def test_bars_come_more_slowly_than_numbers_and_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wall, "BARS", 0.1)
    async with site() as at, at.browser.stream("GET", "/events") as answer:
        stream = frames(answer)
        await anext(stream)
        at.add(WatchEvent(snapshot=snapshot(clients=(summary("acme", hours=[0] * 24),))))
        await first(stream, "hours/acme")
        at.add(WatchEvent(alerts=StoredAlerts(alerts=[stored(1)])))
        parts = await first(stream, "hours/acme")
    assert parts["hours/acme"]["counts"][-1] == 1


async def test_fonts_may_be_kept_and_nothing_else() -> None:
    async with site() as at:
        kept = {path: (await at.browser.get(path)).headers["cache-control"] for path in FILES}
    lasting = {path for path, value in kept.items() if value != "no-store"}
    assert lasting == {path for path in FILES if path.startswith("/fonts/")}


async def test_a_quiet_wall_sends_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wall, "HEARTBEAT", 0.05)
    async with site() as at, at.browser.stream("GET", "/events") as answer:
        stream = frames(answer)
        await anext(stream)
        async with asyncio.timeout(LIMIT):
            beats = [await anext(stream) for _ in range(3)]
    assert [beat["parts"] for beat in beats] == [{}, {}, {}]
    assert beats[0]["now"] <= beats[2]["now"]


async def test_the_heartbeat_is_well_within_what_the_page_waits() -> None:
    script = resources.files("hermes_display").joinpath("static", "wall.js").read_text()
    found = re.search(r"OLD_AFTER = ([\d_]+)", script)
    assert found is not None
    assert 2 * wall.HEARTBEAT + wall.PACE < int(found[1]) / 1000 <= 5.0


async def test_hostile_text_arrives_as_text() -> None:
    """It cannot end an event of the stream, and control characters are gone."""
    async with site() as at, at.browser.stream("GET", "/events") as answer:
        stream = frames(answer)
        await anext(stream)
        at.add(WatchEvent(alerts=StoredAlerts(alerts=[stored(1, name=HOSTILE, client="<b>", node="\x07")])))
        parts = await first(stream, "feed")
    title = parts["feed"][0]["title"]
    assert title.startswith("</script><img src=x onerror=alert(1)>")
    assert not {"\x1b", "\u202e", "\u2028", "\n"} & set(title)
    assert parts["tile/<b>"]["name"] == "<b>"


async def test_a_stalled_browser_costs_one_frame() -> None:
    """What it has not taken is replaced; another browser is served meanwhile."""
    board = Board(link=Link(up=True, since=NOON))
    shown = Wall(board)
    with shown.looking() as stalled, shown.looking() as reading:
        await anext(stalled)
        await anext(reading)
        async with asyncio.TaskGroup() as group:
            drawing = group.create_task(_draw_quickly(shown))
            for number in range(50):
                board = fold(board, WatchEvent(alerts=StoredAlerts(alerts=[stored(number)])))
                shown.show(board)
                async with asyncio.timeout(LIMIT):
                    while f'"number":"{number + 1}"' not in await anext(reading):
                        pass
            drawing.cancel()
        late = json.loads((await anext(stalled)).removeprefix("data: "))
    assert len(json.dumps(late)) < 16 * 1024
    assert late["parts"]["tile/acme"]["number"] == "50"


async def _draw_quickly(shown: Wall) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wall, "PACE", 0.0)
        await shown.draw()


async def test_a_browser_that_never_reads_holds_up_nobody() -> None:
    """Over a real socket: one that opened the stream and stopped reading, and one that reads on."""
    async with site() as at:
        with socket.socket() as frozen:
            frozen.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            frozen.connect(at.address)
            frozen.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            async with at.browser.stream("GET", "/events") as answer:
                stream = frames(answer)
                await anext(stream)
                for number in range(3):
                    at.add(WatchEvent(alerts=StoredAlerts(alerts=[stored(number)])))
                    parts = await first(stream, "tile/acme")
                    assert parts["tile/acme"]["number"] == str(number + 1)


async def test_too_many_browsers_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wall, "MOST_BROWSERS", 1)
    async with site() as at:
        async with at.browser.stream("GET", "/events") as answer:
            await anext(frames(answer))
            refused = await at.browser.get("/events")
            assert refused.status_code == 503
            assert refused.headers["retry-after"]
        async with asyncio.timeout(LIMIT):
            while (await at.browser.get("/healthz")).is_success and at.wall.full:
                pass  # until the first one has left


async def test_the_page_learns_of_an_update() -> None:
    """The stream begins with what tells one build of the page from another."""
    async with site() as at, at.browser.stream("GET", "/events") as answer:
        lines = answer.aiter_lines()
        head = [await anext(lines) for _ in range(3)]
        build = (await at.browser.get("/healthz")).json()["build"]
    assert head == ["retry: 1000", "event: build", f"data: {build}"]


async def test_open_streams_end_with_the_service() -> None:
    async with site() as at, at.browser.stream("GET", "/events") as answer:
        stream = frames(answer)
        await anext(stream)
        at.wall.close()
        async with asyncio.timeout(LIMIT):
            assert [frame["parts"] async for frame in stream] == []


def test_the_page_names_no_other_host_and_makes_no_markup() -> None:
    """It works offline, and text is set as text."""
    static = resources.files("hermes_display").joinpath("static")
    for name in ("index.html", *STATIC):
        text = static.joinpath(name).read_text().replace('"http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?:|//\w", text.replace("// ", ""))
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(", text
        )
        assert " style=" not in text
        assert " on" + "click" not in text


def test_a_host_that_is_nowhere_is_told() -> None:
    with pytest.raises(OperatorError, match="listen"):
        bind("nowhere.invalid:80").close()


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            OperatorError, match=f"cannot serve the wall on 127.0.0.1:{port}: Address already in use"
        ):
            bind(f"127.0.0.1:{port}")


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0"])
def test_a_wall_is_served_to_its_own_machine_alone(listen: str) -> None:
    """It has no login."""
    with pytest.raises(OperatorError, match="no login") as caught:
        bind(listen).close()
    assert "ssh -L" in str(caught.value)


def test_ipv6_is_understood() -> None:
    with bind("[::1]:0") as listener:
        assert listener.family is socket.AF_INET6
