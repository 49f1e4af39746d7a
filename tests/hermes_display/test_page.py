"""The page in a real browser: what it shows, what it never does, and what it costs."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hermes_display import files, pages, wall
from hermes_display.board import Board, Link, Tick, fold, order
from hermes_display.pages import Pages
from socme.v1.vitals_pb2 import ClientStatus, Health
from socme.v1.watch_pb2 import (
    FleetEvent,
    StoredAlert,
    TacticCount,
    TriageChange,
    TriageChanges,
    TriageStatus,
    WatchEvent,
)
from tests.hermes_display.scenes import CRITICAL, HIGH, MEDIUM, NAMES, alert, clients, key, live, scene
from tests.hermes_display.site import Site, chromium, site
from tests.hermes_display.watch_server import snapshot, status, stored, summary

if TYPE_CHECKING:
    from playwright.async_api import Browser, CDPSession, Page, Route

pytestmark = pytest.mark.slow

ACKNOWLEDGED = TriageStatus.TRIAGE_STATUS_ACKNOWLEDGED
SECOND = 1000.0  # ms
FULL_HD = (1920, 1080)
WATCH = """
  const note = (event) => (window.violations ??= []).push(event.violatedDirective);
  addEventListener("securitypolicyviolation", note);
  window.tones = 0;
  window.OscillatorNode = class extends OscillatorNode { start() { window.tones += 1; super.start(); } };
"""


@dataclass
class Screen:
    """A page that looks at a wall, and what went wrong on it."""

    at: Site
    page: "Page"
    wrong: list[str]

    async def find(self, selector: str, *, within: float = 20 * SECOND, text: str = "") -> str:
        """Wait until something is to be seen; return its text."""
        found = self.page.locator(selector, has_text=text).first
        await found.wait_for(state="visible", timeout=within)
        return await found.inner_text()

    async def gone(self, selector: str, *, within: float = 20 * SECOND) -> None:
        """Wait until something is not to be seen."""
        await self.page.locator(selector).first.wait_for(state="hidden", timeout=within)

    async def show(self, board: Board) -> None:
        """Replace the picture, and wait until the page has it."""
        self.at.wall.show(board)
        keys = pages.on_page(order(board), board.pages)[1]
        at_last = self.page.locator(f".tile[data-key='{keys[-1]}']:nth-child({len(keys)}):last-child")
        await at_last.wait_for()

    async def cut(self) -> list[str]:
        """Return what of the tiles and the header is not to be seen whole."""
        await self.page.evaluate("() => document.fonts.ready.then(() => 0)")
        await self.page.wait_for_timeout(50)  # until it has drawn what it got
        wrong: list[str] = await self.page.evaluate(CUT)
        return wrong

    async def number(self, code: str) -> float:
        """Return what a function on the page returns."""
        found: float = await self.page.evaluate(f"() => {code}")
        return found


@asynccontextmanager
async def screen(
    browser: "Browser",
    board: Board,
    *,
    size: tuple[int, int] = FULL_HD,
    motion: str = "no-preference",
    with_clock: bool = False,
    **looks: object,
) -> AsyncIterator[Screen]:
    """Show a board; fail where the page breaks its own policy or has an error."""
    async with site(board, **looks) as at:
        page = await browser.new_page(
            viewport={"width": size[0], "height": size[1]},
            reduced_motion=motion,  # type: ignore[arg-type]
        )
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        await page.add_init_script(WATCH)
        if with_clock:
            await page.clock.install()
        await page.goto(at.url)
        await page.wait_for_selector("#verdict span")
        yield Screen(at, page, wrong)
        assert await page.evaluate("() => window.violations ?? []") == []
        await page.close()
        assert wrong == []


def now() -> datetime:
    return datetime.now(UTC)


def board(state: str, number: int) -> Board:
    made = Board(link=Link(up=True, since=now()))
    for event in scene(state, number, now()):
        made = fold(made, event)
    return made


async def test_a_busy_fleet_is_on_the_page() -> None:
    async with chromium() as browser, screen(browser, board("busy", 8)) as shown:
        assert await shown.find("#verdict .critical") == "1 client critical"
        assert await shown.page.locator(".tile").count() == 8
        tile = await shown.find(".tile.critical")
        assert [line for line in tile.splitlines() if line][:3] == ["Auriel Santé", "CRITICAL", "1/1 node"]
        assert "1 client" in await shown.find("#verdict")
        assert await shown.find("#feed .times:not(:empty)") == "\N{MULTIPLICATION SIGN}12"
        assert await shown.find("#tactics li", text="Credential Access")
        assert "6 of 10 healthy" in await shown.find("#nodes h2")
        assert await shown.number("document.fonts.check('700 20px \"Wall Digits\"') ? 1 : 0") == 1
        assert (
            await shown.number("[...document.fonts].filter((font) => font.status === 'loaded').length") == 3
        )


async def test_nothing_on_the_page_waits_for_a_key() -> None:
    async with chromium() as browser, screen(browser, board("busy", 8)) as shown:
        keyed = "a, button, input, select, textarea, [tabindex], [contenteditable]"
        assert await shown.page.locator(keyed).count() == 0


PAYLOADS = (
    '<img src=x onerror="window.broken=1">',
    "<script>window.broken=1</script>",
    "<svg onload=window.broken=1>",
    "javascript:window.broken=1",
    "{{constructor.constructor('window.broken=1')()}}",
    "${window.broken=1}",
    "</style><script>window.broken=1</script>",
    "\x1b]0;x\x07\x1b[2J\x00\x9b",
    "\u202egnp.exe\u2066\u200b",
    "A" * 600,
    "__proto__",
    "constructor",
)


def hostile() -> Iterator[WatchEvent | FleetEvent]:
    """Yield events with every payload in every text that somebody else may choose."""
    summaries = [summary(text, name=text, short=text, open={"critical": 1}, hours=[1]) for text in PAYLOADS]
    alerts: list[StoredAlert] = []
    for number, text in enumerate(PAYLOADS):
        one = stored(number, client=text, node=text, name=text, severity=CRITICAL, status=ACKNOWLEDGED)
        one.triage.owner = one.triage.reason = one.triage.changed_by = text
        one.alert.message = one.alert.user = one.alert.host.name = text
        one.alert.source_endpoint.ip = one.alert.destination_endpoint.ip = text
        one.alert.threat.technique_ids[:] = [text, text]
        one.alert.threat.tactic_names[:] = [text]
        alerts.append(one)
    told = snapshot(*alerts, clients=tuple(summaries))
    told.tactics.extend(TacticCount(tactic=text, alerts=9) for text in PAYLOADS)
    yield WatchEvent(snapshot=told)
    for text in PAYLOADS:
        blind = status(text, client=text)
        blind.health, blind.reasons[:] = Health.HEALTH_BLIND, [text]
        yield FleetEvent(node=blind)
        yield FleetEvent(client=ClientStatus(client=text, health=Health.HEALTH_BLIND, reasons=[text]))
    for number, one in enumerate(alerts):
        one.ClearField("triage")
        one.alert.id = (1000 + number).to_bytes(16, "big")
        yield live(one)


async def test_hostile_text_stays_text_wherever_it_stands() -> None:
    """No element, no attribute and no script comes of it; control and bidirectional characters are gone."""
    made = Board(link=Link(up=False, since=now(), reason=PAYLOADS[0], refused=True))
    async with chromium() as browser, screen(browser, made, title="<b>wall</b>") as shown:
        shown.at.add(*hostile())
        for number in range(len(PAYLOADS)):
            shown.at.add(Tick(now() + timedelta(seconds=number)))
        await shown.find("#alarm .client")
        await shown.find("#banner", text="<img src=x")
        for place in (
            ".tile .name",
            "#feed .title",
            "#feed .facts",
            "#nodes li",
            "#tactics li",
            ".brand bdi",
        ):
            assert await shown.find(place, text="<")
        text = await shown.page.inner_text("body")
        assert not {*"\x1b\x07\x00\x9b\u202e\u2066\u200b"} & set(text)
        assert await shown.number("window.broken ?? 0") == 0
        assert await shown.number("document.querySelectorAll('script').length") == 1
        assert await shown.number("document.querySelectorAll('img').length") == 1, "the logo"
        assert await shown.number("document.querySelectorAll('[onerror], [onload]').length") == 0


# Whether what is seen is what is


async def test_a_lost_hub_is_told_at_once_and_the_picture_is_old_until_it_is_back() -> None:
    async with chromium() as browser, screen(browser, board("quiet", 3)) as shown:
        shown.at.add(Link(up=False, since=now() - timedelta(seconds=42), reason="connection refused"))
        assert "No contact with Zeus for 42 s" in await shown.find("#banner", within=2 * SECOND)
        assert await shown.find("#banner b") == "STALE"
        opacity = "() => Number(getComputedStyle(document.querySelector('main')).opacity)"
        assert await shown.page.evaluate(opacity) < 0.5
        shown.at.add(Link(up=True, since=now()))
        await shown.gone("#banner", within=2 * SECOND)
        assert await shown.page.evaluate(opacity) == 1


async def test_a_service_that_says_nothing_is_told_within_five_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with chromium() as browser, screen(browser, board("quiet", 3)) as shown:
        monkeypatch.setattr(wall, "HEARTBEAT", 3600.0)
        await asyncio.sleep(0)
        assert "Hermes has not answered for 4 s" in await shown.find("#banner", within=8 * SECOND)
        old = await shown.find("#banner span")
        assert int(old.partition("for ")[2].partition(" s")[0]) <= 5


async def test_before_the_hub_was_ever_there_nothing_is_called_old() -> None:
    empty = Board(link=Link(up=False, since=now(), reason="not connected yet"))
    async with chromium() as browser, screen(browser, empty) as shown:
        assert await shown.find("#banner span") == "No contact with Zeus yet."


async def test_the_page_works_without_the_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FONTS", {})
    async with chromium() as browser, screen(browser, board("quiet", 3)) as shown:
        assert await shown.find(".tile .name") == "Auriel Santé"
        shown.wrong.clear()  # the browser says that there are none


# Alarms


def critical(number: int, name: str = NAMES[6]) -> WatchEvent:
    return live(alert(number, name, CRITICAL, now()))


def took(number: int, name: str) -> WatchEvent:
    """Return that somebody looks after a critical alert."""
    one = alert(number, name, CRITICAL, now())
    taken = TriageChange(
        client=one.client, node=one.node, id=one.alert.id, severity=CRITICAL, count=1, received=one.received
    )
    taken.after.status, taken.after.owner = ACKNOWLEDGED, "m.riviere"
    return WatchEvent(triage=TriageChanges(changes=[taken]))


# How many points of the last day's picture have a colour.
INK = """(() => {
  const canvas = document.querySelector("#timeline canvas");
  const points = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return points.filter((value, index) => index % 4 === 3 && value).length;
})()"""


async def test_a_new_critical_alert_takes_the_bottom_row_and_flashes_its_tile() -> None:
    async with chromium() as browser, screen(browser, board("quiet", 8)) as shown:
        assert not await shown.page.is_visible("#alarm")
        shown.at.add(critical(600))
        assert await shown.find("#alarm .client", within=2 * SECOND) == NAMES[6]
        assert await shown.find(".tile.flash.critical .name") == "Galéane"
        top = "document.querySelector('#alarm').offsetTop"
        for each in ("#tiles", "#feed"):
            box = f"document.querySelector('{each}')"
            assert await shown.number(f"{top} - {box}.offsetTop - {box}.offsetHeight") >= 0
        assert await shown.find("#feed .title", text="LSASS")
        await shown.gone(".tile.flash", within=5 * SECOND)
        await shown.page.wait_for_function("() => !document.getAnimations().length", timeout=5 * SECOND)
        assert await shown.number("window.tones") == 0, "sound is off unless it is wanted"


async def test_the_first_picture_raises_no_alarm() -> None:
    made = fold(board("busy", 8), critical(600))
    async with chromium() as browser, screen(browser, made) as shown:
        await shown.find(".tile.critical")
        assert not await shown.page.is_visible("#alarm")


async def test_alarms_that_pile_up_are_counted_and_sound_once() -> None:
    async with chromium() as browser, screen(browser, board("quiet", 8), sound=True) as shown:
        shown.at.add(critical(600), critical(601), critical(602, NAMES[2]))
        assert await shown.find("#alarm .more", within=2 * SECOND) == "+2 more"
        assert await shown.find("#alarm .client") == NAMES[2]
        shown.at.add(critical(603, NAMES[1]))
        await shown.find("#alarm .more", text="+3 more")
        assert await shown.find("#alarm .client") == NAMES[1]
        assert await shown.number("window.tones") == 1


async def test_a_flood_of_alarms_is_one_panel_that_sounds_once() -> None:
    """The panel stays up, shows each for two seconds at least, and is not raised anew for every alert."""
    async with chromium() as browser, screen(browser, board("quiet", 8), sound=True) as shown:
        shown.at.add(critical(600))
        await shown.find("#alarm")
        await shown.page.evaluate(
            """() => {
              window.hides = 0;
              const panel = document.querySelector("#alarm");
              const look = () => { if (panel.hidden) window.hides += 1; };
              new MutationObserver(look).observe(panel, { attributes: true });
            }"""
        )
        for number in range(601, 625):
            shown.at.add(critical(number, NAMES[number % 8]))
            await shown.page.wait_for_timeout(100)
        await shown.find("#alarm .more", text="+24 more")
        assert await shown.number("window.hides") == 0
        assert await shown.number("window.tones") == 1


async def test_an_alarm_that_was_taken_before_its_turn_is_not_shown() -> None:
    async with chromium() as browser, screen(browser, board("quiet", 8)) as shown:
        shown.at.add(critical(600))
        await shown.find("#alarm")
        shown.at.add(critical(601, NAMES[2]))
        await shown.find(f".tile[data-key='{key(NAMES[2])}'].critical")
        shown.at.add(took(601, NAMES[2]))
        await shown.find(f".tile[data-key='{key(NAMES[2])}'].handled")
        await shown.page.wait_for_timeout(3 * SECOND)
        assert await shown.find("#alarm .client") == NAMES[6]


async def test_a_screen_that_is_shut_out_is_blank() -> None:
    """Not one number, name or line of the last day is left, painted or in the service."""
    async with chromium() as browser, screen(browser, board("busy", 8)) as shown:
        shown.at.add(critical(600))
        await shown.find("#alarm")
        shown.at.add(critical(601), Link(up=False, since=now(), reason="revoked", refused=True))
        await shown.find("#banner", text="revoked")
        await shown.gone("#alarm")
        await shown.gone(".tile")
        assert await shown.number(INK) == 0
        left = await shown.page.evaluate("() => document.querySelector('main').innerText")
        for word in (*NAMES, "Credential", "LSASS"):
            assert word not in left
        await shown.page.wait_for_timeout(3 * SECOND)
        assert not await shown.page.is_visible("#alarm"), "one that waited for its turn is gone, too"
        async with shown.at.browser.stream("GET", "/events") as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    parts = json.loads(line.removeprefix("data: "))["parts"]
                    break
        assert (parts["timeline"], parts["tactics"], parts["feed"]) == (None, [], [])


async def test_an_alarm_ends_when_somebody_takes_the_alert_and_the_tile_calms_down() -> None:
    async with chromium() as browser, screen(browser, board("quiet", 8)) as shown:
        shown.at.add(critical(600))
        await shown.find("#alarm")
        shown.at.add(took(600, NAMES[6]))
        await shown.gone("#alarm", within=2 * SECOND)
        assert "IN HAND" in await shown.find(".tile.handled")
        assert "m.riviere" in await shown.find("#feed .owner")


async def test_an_alarm_is_over_after_twenty_seconds() -> None:
    async with chromium() as browser, screen(browser, board("quiet", 8), with_clock=True) as shown:
        shown.at.add(critical(600))
        await shown.find("#alarm")
        await shown.page.clock.run_for(18_000)
        assert await shown.page.is_visible("#alarm")
        await shown.page.clock.run_for(3_000)
        await shown.gone("#alarm")


async def test_whoever_wants_no_motion_gets_none() -> None:
    async with chromium() as browser, screen(browser, board("quiet", 8), motion="reduce") as shown:
        shown.at.add(critical(600))
        await shown.find("#alarm")
        await shown.find(".tile.flash")
        assert await shown.number("document.getAnimations().length") == 0


# Many clients, sizes, languages, themes


async def test_sixty_clients_take_turns_and_one_with_news_comes_to_the_front() -> None:
    async with chromium() as browser, screen(browser, board("quiet", 60)) as shown:
        assert await shown.find(".brand small") == "page 1/3"
        assert await shown.page.locator(".tile").count() == 20
        shown.at.add(Tick(now()), Tick(now() + timedelta(seconds=15)))
        await shown.find(".brand small", text="page 2/3")
        last = max(clients(60), key=key)
        shown.at.add(critical(600, last))
        assert await shown.find("#alarm .client") == last
        assert await shown.find(".brand small") == "page 3/3"
        await shown.find(".tile.critical")


# What must hold for every tile: it is inside the grid, over no other, and nothing that counts is cut.
CUT = """() => {
  const box = (target) => target.getBoundingClientRect();
  const inside = (one, other) => one.left >= other.left - 1 && one.right <= other.right + 1
    && one.top >= other.top - 1 && one.bottom <= other.bottom + 1;
  const wrong = [];
  const tiles = [...document.querySelectorAll(".tile")];
  const area = box(document.querySelector("main"));
  tiles.forEach((tile, index) => {
    const name = tile.querySelector(".name").textContent;
    if (!inside(box(tile), area)) wrong.push(`${name} is not inside`);
    for (const part of [".number", ".lines", ".name"]) {
      if (!inside(box(tile.querySelector(part)), box(tile))) wrong.push(`${part} of ${name} is cut`);
    }
    for (const line of tile.querySelectorAll(".lines i")) {
      if (line.scrollWidth > line.clientWidth + 1) wrong.push(`${line.textContent} of ${name} is cut`);
    }
    const word = tile.querySelector(".word");
    if (word.scrollWidth > word.clientWidth + 1) wrong.push(`${word.textContent} of ${name} is cut`);
    for (const other of tiles.slice(index + 1)) {
      const [one, two] = [box(tile), box(other)];
      const apart = one.right <= two.left + 1 || two.right <= one.left + 1 || one.bottom <= two.top + 1
        || two.bottom <= one.top + 1;
      if (!apart) wrong.push(`${name} lies over another`);
    }
  });
  for (const panel of document.querySelectorAll("header > *")) {
    if (panel.scrollWidth > panel.clientWidth + 1) wrong.push(`${panel.id || panel.className} is too wide`);
  }
  if (document.documentElement.scrollHeight > innerHeight) wrong.push("the page is too high");
  return wrong;
}"""
SIZES = [(1280, 720), FULL_HD, (3840, 2160), (1920, 1200), (1024, 768), (3440, 1440)]


async def test_from_one_client_to_sixty_nothing_is_cut_at_any_size() -> None:
    async with chromium() as browser, screen(browser, board("busy", 1)) as shown:
        for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 16, 17, 20, 60):
            await shown.show(board("busy", number))
            for width, height in SIZES:
                await shown.page.set_viewport_size({"width": width, "height": height})
                assert await shown.cut() == [], (number, width, height)


@pytest.mark.parametrize(
    "looks",
    [{"language": "fr"}, {"theme": "light"}, {"scale": 1.3}, {"scale": 1.5, "language": "fr"}],
    ids=str,
)
async def test_nothing_is_cut_in_any_language_theme_or_scale(looks: dict[str, Any]) -> None:
    async with chromium() as browser, screen(browser, board("busy", 1), **looks) as shown:
        for number in (2, 3, 8, 13, 20, 60):
            made = board("busy", number)
            await shown.show(replace(made, pages=Pages(most=pages.most(looks.get("scale", 1.0)))))
            assert await shown.cut() == [], number


async def test_the_wall_speaks_french() -> None:
    async with chromium() as browser, screen(browser, board("busy", 8), language="fr") as shown:
        assert await shown.page.get_attribute("html", "lang") == "fr"
        assert await shown.find("#verdict .critical") == "1 client critique"
        assert await shown.find("#feed h2 span") == "Alertes en direct"
        assert "MUET" in await shown.find(".tile.silent")
        assert await shown.find("#tactics li", text="Accès initial")
        shape = """async () => {
          const { LANGUAGES } = await import("/words.js");
          const told = (words) => JSON.stringify(Object.entries(words).map(([key, value]) =>
            [key, typeof value === "object" ? Object.keys(value).sort() : typeof value]).sort());
          return Object.values(LANGUAGES).map(told);
        }"""
        english, french = await shown.page.evaluate(shape)
        assert french == english


async def test_the_light_theme_is_light() -> None:
    async with chromium() as browser, screen(browser, board("busy", 8), theme="light") as shown:
        colour = await shown.page.evaluate("() => getComputedStyle(document.body.parentNode).backgroundColor")
        assert min(int(part) for part in colour[4:-1].split(",")) > 200


# What it costs


async def test_the_picture_moves_a_little_against_burn_in() -> None:
    """Each ten minutes, by a few pixels, and it comes back to where it was."""
    async with chromium() as browser, screen(browser, board("quiet", 8)) as shown:
        places = []
        for step in range(6):
            await shown.page.clock.install(time=datetime(2026, 3, 1, 12, step * 10, 1, tzinfo=UTC))
            await shown.page.reload()
            await shown.find(".tile")
            places.append(await shown.number("document.querySelector('#tiles').getBoundingClientRect().left"))
        assert len(set(places[:5])) == 5
        assert max(places) - min(places) <= 8
        assert places[5] == places[0]


@pytest.mark.parametrize(("hour", "anew"), [(4, True), (5, False)])
async def test_the_page_begins_anew_in_the_night(hour: int, *, anew: bool) -> None:
    """At four by its own clock, which here stands at four for the new page as well."""
    async with chromium() as browser, screen(browser, board("quiet", 8)) as shown:
        page = shown.page
        before = await page.evaluate("() => new Date(2026, 2, 1, 12).getTimezoneOffset()")
        night = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=hour, minutes=before)
        await page.clock.install(time=night - timedelta(hours=2))
        await page.reload()
        await shown.find(".tile")
        begun: list[str] = []
        page.on("load", lambda loaded: begun.append(loaded.url))
        # While time is skipped the page hears nothing, and would begin anew for that.
        await page.route("**/healthz", lambda route: route.abort())
        await page.clock.fast_forward(2 * 3_600_000 - 10_000)
        await shown.gone("#banner")
        shown.wrong.clear()
        await page.unroute("**/healthz")
        assert begun == []
        # The page asks whether it may; the new one has no answer, or it would do so again, and again.
        asked: list[Route] = []

        async def answer_once(route: "Route") -> None:
            asked.append(route)
            if len(asked) == 1:
                await route.continue_()

        await page.route("**/healthz", answer_once)
        if anew:
            await page.wait_for_event("load", timeout=60 * SECOND)
            await page.wait_for_selector("#verdict span")
            assert len(begun) == 1
        else:
            await page.wait_for_timeout(15 * SECOND)  # its clock goes on as ours does
            assert not asked
            assert not begun


async def test_an_idle_page_draws_a_frame_a_second() -> None:
    """The clock's. Whatever moves without end would show here."""
    async with chromium() as browser, screen(browser, board("busy", 20)) as shown:
        await shown.page.wait_for_timeout(3 * SECOND)
        await browser.start_tracing(page=shown.page, categories=["viz", "benchmark"])
        await shown.page.wait_for_timeout(5 * SECOND)
        events = json.loads(await browser.stop_tracing())["traceEvents"]
        frames = [
            one for one in events if one["name"] == "Graphics.Pipeline.DrawAndSwap" and one["ph"] != "e"
        ]
        assert 3 <= len(frames) <= 20


async def test_ten_thousand_alerts_keep_the_page_small_and_quick() -> None:
    """As many as a minute may bring, in a quarter of one."""
    names = clients(20)
    async with chromium() as browser, screen(browser, board("busy", 20)) as shown:
        devtools = await shown.page.context.new_cdp_session(shown.page)
        await devtools.send("Performance.enable")
        before = await _measured(shown, devtools)
        for step in range(150):
            severity = CRITICAL if step % 50 == 9 else HIGH if step % 5 == 0 else MEDIUM
            shown.at.add(
                *(
                    live(
                        alert(
                            10_000 + 67 * step + each,
                            names[each % 20],
                            severity if each == 0 else MEDIUM,
                            now(),
                        )
                    )
                    for each in range(67)
                )
            )
            if step % 10 == 0:
                shown.at.add(Tick(now()))
            await asyncio.sleep(0.1)
        after = await _measured(shown, devtools)
    seconds = after["Timestamp"] - before["Timestamp"]
    assert after["elements"] <= before["elements"] + 40
    assert after["JSHeapUsedSize"] <= before["JSHeapUsedSize"] + 2 * 1024 * 1024
    assert (after["TaskDuration"] - before["TaskDuration"]) / seconds < 0.5


async def _measured(shown: Screen, devtools: "CDPSession") -> dict[str, float]:
    await devtools.send("HeapProfiler.collectGarbage")
    metrics = (await devtools.send("Performance.getMetrics"))["metrics"]
    elements = await shown.number("document.querySelectorAll('*').length")
    return {each["name"]: each["value"] for each in metrics} | {"elements": elements}
