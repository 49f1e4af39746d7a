"""Every kind of condition in a real hub: raised once, kept over a restart while it lasts, and cleared once.

What is told after a restart must be what was told before: a hub that knows nothing yet must not say that
all is well. So the times in which a condition clears are tested with those in which a hub finds out.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import update

from socme.identity import utc_now
from socme.v1.alert_pb2 import Canary, Severity
from socme.v1.vitals_pb2 import Health, SourceVitals, Vitals
from socme.v1.watch_pb2 import WatchRequest
from socme.v1.watch_pb2_grpc import WatchStub
from tests.zeus_hub.kit import Hub, Link, Machine, alert, connect, hub, limits, linked
from tests.zeus_hub.watched import (
    CLEARED,
    RAISED,
    STEP,
    Fleet,
    Time,
    next_condition,
    stored_conditions,
)
from zeus_hub import database, deliver, vigil
from zeus_hub.conditions import TITLES
from zeus_hub.database import microseconds, writing
from zeus_hub.lookout import REDIAL_SECONDS
from zeus_hub.sinks.contract import SinkDownError
from zeus_hub.sinks.store import Store

LIMITS = limits(
    sensor_silent_seconds=60, no_traffic_seconds=60, lag_seconds=100, lag_bytes=1000, sink_stuck_seconds=60
)
INTERVAL = 100  # seconds between two canaries
LONGEST = 1500.0  # seconds until something must have been told
MEDIUM, HIGH, CRITICAL = Severity.SEVERITY_MEDIUM, Severity.SEVERITY_HIGH, Severity.SEVERITY_CRITICAL


@dataclass
class World:
    """A hub, a node, and whether something is wrong."""

    time: Time
    patch: pytest.MonkeyPatch
    ill: bool = False
    zeus: Hub | None = None
    link: Link | None = None
    node: Machine | None = None
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    """Of the hub that runs."""
    sequence: int = 0
    count: int = 0
    """Of whatever a case counts."""

    async def say(self, vitals: Vitals) -> None:
        """Send vitals."""
        vitals.hostname, vitals.agent_uptime_seconds = "box", 10_000 + int(self.time.ahead)
        await self.time.report(await self.linked(), vitals)

    async def batch(self, **fields: object) -> None:
        """Send one alert, and wait until it is taken."""
        link = await self.linked()
        self.sequence += 1
        await link.batch(self.sequence, [alert(self.sequence, **fields)])  # type: ignore[arg-type]
        await link.until_acked(self.sequence)

    async def linked(self) -> Link:
        """Return the node's stream; it connects where it has none."""
        if self.link is None:
            assert self.zeus is not None
            assert self.node is not None
            self.link = await self.stack.enter_async_context(linked(self.zeus.address, self.node))
        return self.link


Say = Callable[[World], Awaitable[None]]


def source(change: Callable[[World, SourceVitals], None]) -> Say:
    """Return a node that tells of one source."""

    async def say(world: World) -> None:
        vitals = Vitals()
        told = vitals.sources.add(name="eve.json", kind="suricata", last_record_age_seconds=1)
        change(world, told)
        await world.say(vitals)

    return say


def vitals(change: Callable[[World, Vitals], None]) -> Say:
    """Return a node that tells of no source."""

    async def say(world: World) -> None:
        told = Vitals()
        change(world, told)
        await world.say(told)

    return say


def unreadable(world: World, told: SourceVitals) -> None:
    told.problem = "permission denied" if world.ill else ""


def dropping(world: World, told: SourceVitals) -> None:
    seconds = int(world.time.ahead)
    told.sensor.uptime_seconds, told.sensor.packets = 1000 + seconds, 1000 * seconds
    if world.ill:
        world.count = seconds
    told.sensor.dropped = 200 * world.count


def blind(world: World, told: SourceVitals) -> None:
    seconds = int(world.time.ahead)
    told.sensor.uptime_seconds = 1000 + seconds
    told.sensor.packets = 7 if world.ill else 1000 + seconds


def lagging(world: World, told: SourceVitals) -> None:
    told.lag_bytes = 2000 + int(world.time.ahead) if world.ill else 0


def full(world: World, told: Vitals) -> None:
    told.spool.bytes, told.spool.capacity_bytes = 900 if world.ill else 100, 1000


def skewed(world: World, told: Vitals) -> None:
    told.time.FromDatetime(world.time.clocks.wall() + timedelta(seconds=30 * world.ill))


def unexplained(world: World, told: Vitals) -> None:
    told.spool.unaccounted = 7 * world.ill


async def well(world: World) -> None:
    await world.say(Vitals())


async def silent(world: World) -> None:
    if not world.ill:
        await well(world)


async def ending(world: World) -> None:
    """Let its certificate end soon; else it has a new one."""
    assert world.zeus is not None
    ends = utc_now() + timedelta(days=2 if world.ill else 300)
    with writing(world.zeus.engine) as connection:
        connection.execute(update(database.node).values(expires_us=microseconds(ends)))
    await well(world)


async def canaries(world: World) -> None:
    """Its tail stands still; else each canary goes the whole way."""
    number = 1 + int(world.time.ahead // INTERVAL)
    if not world.ill and number > world.count:
        world.count = number
        await world.batch(origin="eve.json", canary=Canary(number=number))
    told = Vitals()
    reached = told.sources.add(name="eve.json").canary
    reached.interval_seconds, reached.written = INTERVAL, number
    reached.read = reached.spooled = reached.acknowledged = world.count
    await world.say(told)


async def taking_turns(world: World) -> None:
    """Two machines with one identity, each of which takes the other's place, every few minutes."""
    assert world.zeus is not None
    assert world.node is not None
    turns = b"aba" if world.ill and world.time.ahead % 300 < STEP else b"a"
    for name in turns:
        async with connect(world.zeus.address, world.node) as channel:
            link = Link(channel)
            await link.greet(instance=bytes([name]) * 16)
            await world.time.report(link, Vitals())


SEND = Store.send


def locked(*_: object) -> None:
    raise SinkDownError("the database is locked")


async def stuck(world: World) -> None:
    world.patch.setattr(Store, "send", locked if world.ill else SEND)
    await world.batch()
    await well(world)


async def short(world: World) -> None:
    free = SimpleNamespace(free=2**20 if world.ill else 2**40)
    world.patch.setattr("zeus_hub.vigil.shutil.disk_usage", lambda _: free)
    await well(world)


async def tampered(world: World) -> None:
    """Let the store's tally be another than it was."""
    assert world.zeus is not None
    with writing(world.zeus.engine) as connection:
        connection.execute(update(database.tally).values(repeated=-1 if world.ill else 0))
    await world.batch()
    await well(world)


@dataclass(frozen=True)
class Case:
    """One kind, and how it is told."""

    kind: str
    say: Say
    severity: int
    health: int
    subject: str = ""
    words: str = ""
    """Of the reason."""
    place: str = "acme/acme-1"
    lasts: float = 300
    """How long it goes on after the restart: longer than a hub needs to find anything out."""


BLIND, LATE, DEGRADED = Health.HEALTH_BLIND, Health.HEALTH_LATE, Health.HEALTH_DEGRADED
CASES = [
    Case("node_silent", silent, HIGH, Health.HEALTH_SILENT, words="nothing was heard"),
    Case("source_silent", source(unreadable), HIGH, BLIND, "eve.json", "permission denied"),
    Case("sensor_drops", source(dropping), HIGH, BLIND, "eve.json", "more than 1%"),
    Case("sensor_blind", source(blind), HIGH, BLIND, "eve.json", "mirror port"),
    Case("spool_filling", vitals(full), HIGH, DEGRADED, words="80% full"),
    Case("lag_growing", source(lagging), MEDIUM, LATE, "eve.json", "more and more"),
    Case("clock_skew", vitals(skewed), MEDIUM, DEGRADED, words="5 s ahead"),
    Case("certificate_ending", ending, MEDIUM, DEGRADED, words="within 14 days"),
    Case("canary_lost", canaries, HIGH, BLIND, "eve.json", "stage tail"),
    Case("unaccounted", vitals(unexplained), HIGH, DEGRADED, "node", "own books"),
    Case("unaccounted", tampered, HIGH, DEGRADED, "store", "not in its store"),
    Case("clone_suspected", taking_turns, HIGH, DEGRADED, words="take turns", lasts=700),
    Case("sink_stuck", stuck, CRITICAL, LATE, "store", "(the database is locked)", "socme/zeus"),
    Case("hub_disk", short, HIGH, DEGRADED, words="1024 MiB", place="socme/zeus"),
]


def test_every_kind_has_a_case() -> None:
    assert {case.kind for case in CASES} == set(TITLES)


@pytest.fixture
def world(time: Time, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(deliver, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(vigil, "BALANCE_EVERY", 1)
    return World(time, monkeypatch)


@asynccontextmanager
async def running(world: World, state_dir: Path) -> AsyncIterator[Fleet]:
    """Run a hub to which the node is connected, and a screen."""
    async with AsyncExitStack() as stack:
        zeus = await stack.enter_async_context(hub(state_dir, clocks=world.time.clocks, conditions=LIMITS))
        world.zeus, world.node = zeus, world.node or await zeus.node()
        world.link, world.stack = None, stack
        channel = await stack.enter_async_context(connect(zeus.address, zeus.operator()))
        fleet = Fleet(channel)
        async with asyncio.TaskGroup() as group:
            follower = group.create_task(fleet.follow())
            yield fleet
            follower.cancel()


def told(world: World, case: Case) -> list[int]:
    """Return what the store was told of a case: raised and cleared, in turn."""
    assert world.zeus is not None
    return [
        stored.alert.condition.state
        for stored in stored_conditions(world.zeus)
        if stored.alert.condition.kind == case.kind
    ]


async def until(world: World, case: Case, condition: Callable[[], bool]) -> None:
    """Let time pass until something is so."""
    for _ in range(int(LONGEST / STEP)):
        if condition():
            return
        await world.time.pass_(STEP, each=lambda: case.say(world))
    raise AssertionError(f"{case.kind}: not within {LONGEST} s")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.subject}")
async def test_a_condition_is_told_once_however_often_the_hub_restarts(
    world: World, case: Case, tmp_path: Path
) -> None:
    client, _, name = case.place.partition("/")
    async with running(world, tmp_path) as fleet:
        call = WatchStub(fleet.channel).Alerts(WatchRequest())
        await world.time.pass_(100, each=lambda: case.say(world))
        assert fleet.state(client) == (Health.HEALTH_UP, [])
        world.ill = True
        await until(world, case, lambda: fleet.state(client)[0] == case.health)
        shown = await next_condition(call)
        await until(world, case, lambda: case.kind == "sink_stuck" or told(world, case) == [RAISED])
        call.cancel()
    reason = fleet.state(client)[1][0]

    assert (shown.condition.kind, shown.condition.subject) == (case.kind, case.subject)
    assert (shown.condition.state, shown.severity) == (RAISED, case.severity)
    assert shown.message.startswith(f"{case.place}: ")
    assert case.words in shown.message
    assert reason == shown.message.removeprefix(f"{case.place}: ") or reason.startswith(f"{name}: ")
    assert case.words in reason

    async with running(world, tmp_path) as fleet:
        await world.time.pass_(REDIAL_SECONDS - STEP)
        await world.time.pass_(case.lasts, each=lambda: case.say(world))
        assert fleet.state(client)[0] == case.health
        world.ill = False
        await until(world, case, lambda: told(world, case) == [RAISED, CLEARED])
        await until(world, case, lambda: fleet.state(client) == (Health.HEALTH_UP, []))
        await world.time.pass_(100, each=lambda: case.say(world))
        assert told(world, case) == [RAISED, CLEARED]
        over = [one.alert for one in stored_conditions(world.zeus) if one.alert.condition.kind == case.kind]  # type: ignore[arg-type]

    assert {(one.condition.subject, one.severity) for one in over} == {(case.subject, case.severity)}
    assert over[0].id == shown.id
