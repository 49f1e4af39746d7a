"""Each stage of the way in a real hub: where canaries stop is named within two intervals."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from socme import journal_file
from socme.batch import unpack
from socme.journal import Journal
from socme.v1.alert_pb2 import Alert, Canary
from socme.v1.uplink_pb2 import HubMessage
from socme.v1.vitals_pb2 import CanaryVitals, Health, Vitals
from socme.v1.watch_pb2 import StoredAlert, WatchEvent, WatchRequest
from socme.v1.watch_pb2_grpc import WatchStub
from tests.zeus_hub.kit import Hub, Link, alert, connect, eventually, hub, limits, linked
from tests.zeus_hub.watched import (
    CLEARED,
    RAISED,
    STEP,
    Fleet,
    Time,
    conditions,
    next_condition,
)
from zeus_hub import commit, deliver, sqlite
from zeus_hub.canary import JOURNAL, LIVE, Tracker, sink_stage
from zeus_hub.clocks import Clocks
from zeus_hub.live import Live, Shown
from zeus_hub.sinks.contract import SinkDownError
from zeus_hub.sinks.store import Store

INTERVAL = 40  # seconds between two canaries; vitals come each 5 s


@dataclass
class Node:
    """A node whose canaries go as far as `stops`."""

    link: Link
    clocks: Clocks
    seen: Counter[str]
    """By the stage of the hub, the last canary that it noticed there."""
    stops: str = ""
    written: int = 0
    read: int = 0
    spooled: int = 0
    sent: int = 0
    acknowledged: dict[int, int] = field(default_factory=dict)
    """By the sequence of its batch, the canary's number."""

    async def follow(self) -> None:
        """Take acknowledgements, until it is cancelled."""
        while True:
            message = await self.link.call.read()
            assert isinstance(message, HubMessage), "the stream ended"
            ack = message.ack
            self.link.acked[ack.lane] = max(self.link.acked.get(ack.lane, 0), ack.sequence)

    async def step(self, time: Time) -> None:
        """Write a canary where one is due, take it as far as it goes, and send vitals."""
        due = int(self.clocks.monotonic() // INTERVAL)
        if due > self.written and self.stops != "write":
            self.written = due
        if self.stops != "tail":
            self.read = self.written
        if self.stops != "spool" and self.read > self.spooled:
            self.spooled = self.read
        if self.stops != "uplink" and self.spooled > max(self.acknowledged.values(), default=0):
            self.sent += 1
            self.acknowledged[self.sent] = self.spooled
            canary = alert(self.spooled, origin="eve.json", canary=Canary(number=self.spooled))
            await self.link.batch(self.sent, [canary])
            await self._arrival()
        told = Vitals(hostname="box")
        told.sources.add(name="eve.json").canary.CopyFrom(
            CanaryVitals(
                interval_seconds=INTERVAL,
                written=self.written,
                read=self.read,
                spooled=self.spooled,
                acknowledged=self.acknowledged.get(self.link.acked.get(1, 0), 0),
            )
        )
        await time.report(self.link, told)

    async def _arrival(self) -> None:
        """Wait until a canary is where it can get to: no time must pass while the hub is at it."""
        if self.stops != JOURNAL:
            await eventually(lambda: self.link.acked.get(1, 0) >= self.sent)
        for stage in (sink_stage("store"), LIVE):
            if self.stops not in {JOURNAL, sink_stage("store"), stage}:
                await eventually(lambda stage=stage: self.seen[stage] >= self.spooled)  # type: ignore[misc]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a database as another program might."""
    db = sqlite3.connect(path, isolation_level=None, timeout=20)
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
        db.close()


@contextmanager
def unseen() -> Iterator[None]:
    """Let nothing be seen in the live stream."""
    with pytest.MonkeyPatch.context() as patch:

        async def page(
            self: Live, position: int, *, with_raw: bool, redacted: bool = False
        ) -> Sequence[Shown] | None:
            return None

        patch.setattr(Live, "page", page)
        yield


Call = grpc.aio.UnaryStreamCall[WatchRequest, WatchEvent]
Stop = Callable[[Hub], AbstractContextManager[object]]
STAGES: dict[str, Stop] = {
    **dict.fromkeys(("write", "tail", "spool", "uplink"), lambda _: nullcontext()),
    "journal": lambda zeus: locked(zeus.journal),
    "sink store": lambda zeus: locked(zeus.settings.state_dir / "zeus.db"),
    "live": lambda _: unseen(),
}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return, by the stage of the hub, the last canary that it noticed there."""
    made: Counter[str] = Counter()
    arrived = Tracker.arrived

    def noted(self: Tracker, stage: str, stored: StoredAlert, **rest: Any) -> None:  # noqa: ANN401 - passed on
        made[stage] = stored.alert.canary.number
        arrived(self, stage, stored, **rest)

    monkeypatch.setattr(Tracker, "arrived", noted)
    return made


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for long for a database that is held."""
    monkeypatch.setattr(journal_file, "BUSY_SECONDS", 0.005)
    monkeypatch.setattr(sqlite, "BUSY_MILLISECONDS", 1000)
    monkeypatch.setattr(commit, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(deliver, "LONGEST_PAUSE", 0.1)


@asynccontextmanager
async def watched(zeus: Hub) -> AsyncIterator[Fleet]:
    async with connect(zeus.address, zeus.operator()) as channel, asyncio.TaskGroup() as group:
        fleet = Fleet(channel)
        follower = group.create_task(fleet.follow())
        yield fleet
        follower.cancel()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("into", [0, 35])
async def test_the_stage_that_stops_is_named_within_two_intervals(
    tmp_path: Path, time: Time, seen: Counter[str], stage: str, into: int
) -> None:
    async with (
        hub(tmp_path, clocks=time.clocks) as zeus,
        linked(zeus.address, await zeus.node()) as link,
        watched(zeus) as fleet,
        asyncio.TaskGroup() as group,
    ):
        node = Node(link, time.clocks, seen)
        acks = group.create_task(node.follow())

        def reasons() -> list[str]:
            return [reason for reason in fleet.state("acme")[1] if "canaries" in reason]

        await time.pass_(3 * INTERVAL + into, each=lambda: node.step(time))
        assert fleet.state("acme") == (Health.HEALTH_UP, [])
        began = time.ahead
        node.stops = stage
        with STAGES[stage](zeus):
            while not reasons():
                assert time.ahead - began < 2 * INTERVAL, "two intervals are over"
                await time.pass_(STEP, each=lambda: node.step(time))
            assert f"stop at the stage {stage}:" in reasons()[0]
        node.stops = ""
        while lost(zeus)[-1:] != [CLEARED]:
            assert time.ahead - began < 10 * INTERVAL, "that it is over is told"
            await time.pass_(STEP, each=lambda: node.step(time))
        assert lost(zeus) == [RAISED, CLEARED]
        acks.cancel()


def lost(zeus: Hub) -> list[int]:
    """Return what the store was told of canaries: raised and cleared, in turn."""
    return [state for _, kind, state in conditions(zeus) if kind == "canary_lost"]


async def in_time(call: Call, time: Time, link: Link) -> Alert:
    """Let time pass until a condition is told; return it."""
    async with asyncio.TaskGroup() as group:
        condition = group.create_task(next_condition(call))
        while not condition.done():
            await time.pass_(STEP, each=lambda: time.report(link, Vitals()))
    return condition.result()


async def test_a_store_that_is_held_is_told_while_it_is(
    tmp_path: Path, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    """Telling must not need what is stuck."""
    async with (
        hub(tmp_path, clocks=time.clocks, conditions=limits(sink_stuck_seconds=20)) as zeus,
        linked(zeus.address, await zeus.node()) as link,
        watched(zeus) as fleet,
    ):
        call = WatchStub(fleet.channel).Alerts(WatchRequest())
        await time.report(link, Vitals())
        await time.pass_(STEP)
        with locked(zeus.settings.state_dir / "zeus.db"):
            await link.batch(1, [alert(1)])
            await link.until_acked(1)
            await eventually(lambda: "sink is down" in caplog.text)
            raised = await in_time(call, time, link)
            await eventually(lambda: fleet.state("socme")[0] == Health.HEALTH_LATE)
            assert conditions(zeus) == []
        await eventually(lambda: conditions(zeus) == [("socme/zeus", "sink_stuck", RAISED)])
        cleared = await in_time(call, time, link)
        call.cancel()

    assert (raised.condition.kind, raised.condition.state) == ("sink_stuck", RAISED)
    assert "locked" in raised.message
    assert (cleared.condition.kind, cleared.condition.state) == ("sink_stuck", CLEARED)


async def test_what_was_told_is_not_told_again_where_the_store_is_behind(
    tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise SinkDownError("it is away")

    unreadable = Vitals()
    unreadable.sources.add(name="eve.json", problem="permission denied")
    send = Store.send
    async with hub(tmp_path, clocks=time.clocks) as zeus:
        node = await zeus.node()
        monkeypatch.setattr(Store, "send", down)
        async with linked(zeus.address, node) as link:
            await time.pass_(15, each=lambda: time.report(link, unreadable))
            await eventually(lambda: told(zeus.journal) == ["socme.source_silent"])
    async with hub(tmp_path, clocks=time.clocks) as zeus:
        await time.pass_(10)
        monkeypatch.setattr(Store, "send", send)
        await eventually(lambda: conditions(zeus) == [("acme/acme-1", "source_silent", RAISED)])

        assert told(zeus.journal) == ["socme.source_silent"]


def told(path: Path) -> list[str]:
    """Return what the hub told of, by its journal."""
    opened = Journal(path)
    entries = opened.read(0, entries=100, size=10**8)
    opened.close()
    return [found.rule.id for entry in entries for found in unpack(entry.packed)]
