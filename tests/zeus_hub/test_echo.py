"""Canaries are looked for where watchers would see alerts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from socme.v1.alert_pb2 import Alert, Canary
from socme.v1.vitals_pb2 import CanaryVitals, Vitals
from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub.kit import eventually
from zeus_hub.canary import LIVE, Tracker, sink_stage
from zeus_hub.clocks import Clocks
from zeus_hub.echo import POSITIONS, Echo
from zeus_hub.live import Shown
from zeus_hub.tracks import Cursor


def canary(number: int) -> StoredAlert:
    return StoredAlert(
        client="acme", node="acme-1", alert=Alert(origin="eve.json", canary=Canary(number=number))
    )


@dataclass
class Pages:
    """A live stream with a canary in the batches that say so, and how often one looked."""

    last: int
    canaries: dict[int, int]
    asked: list[int] = field(default_factory=list)

    async def page(self, position: int, *, with_raw: bool) -> list[Shown] | None:
        """Return a batch: an alert, then a canary."""
        del with_raw
        self.asked.append(position)
        if position not in self.canaries:
            return None
        return [
            Shown("acme", 1, Cursor(position, 1), b""),
            Shown("acme", 1, Cursor(position + 1), b"", canary=canary(self.canaries[position])),
        ]


@dataclass
class Eyes:
    """The part of a lookout that is needed here."""

    tracker: Tracker
    clocks: Clocks = field(default_factory=Clocks)

    def skew_seconds(self, key: tuple[str, str]) -> float:
        """Return that all clocks are right."""
        del key
        return 0.0


def tracked() -> Tracker:
    tracker = Tracker(["store"])
    vitals = Vitals()
    vitals.sources.add(name="eve.json").canary.CopyFrom(CanaryVitals(interval_seconds=60))
    tracker.told(("acme", "acme-1"), vitals, 0)
    return tracker


def numbers(tracker: Tracker) -> tuple[int, int]:
    """Return the last canary at the sink and in the live stream."""
    (view,) = tracker.view(("acme", "acme-1"))
    stages = cast("dict[str, dict[str, int]]", view["stages"])
    return stages[sink_stage("store")]["number"], stages[LIVE]["number"]


@asynccontextmanager
async def running(pages: Pages, tracker: Tracker) -> AsyncIterator[Echo]:
    echo = Echo(Eyes(tracker), pages)  # type: ignore[arg-type]  # all that it needs of them
    async with asyncio.TaskGroup() as group:
        task = group.create_task(echo.run())
        yield echo
        task.cancel()


async def test_a_canary_that_a_sink_showed_is_found_in_the_live_stream() -> None:
    tracker, pages = tracked(), Pages(9, {4: 1, 7: 2})
    async with running(pages, tracker) as echo:
        echo.sunk("store", 4, [canary(1)])
        await eventually(lambda: numbers(tracker) == (1, 1))
        echo.sunk("store", 7, [canary(2)])
        await eventually(lambda: numbers(tracker) == (2, 2))


async def test_what_is_not_in_the_live_stream_is_not_found() -> None:
    """Forgotten by the journal, or not published."""
    tracker, pages = tracked(), Pages(9, {11: 2})
    async with running(pages, tracker) as echo:
        echo.sunk("store", 5, [canary(1)])
        echo.sunk("store", 11, [canary(2)])
        await eventually(lambda: pages.asked == [5])

    assert numbers(tracker) == (2, 0)


async def test_what_waits_is_bounded_and_the_newest_counts() -> None:
    tracker = tracked()
    places = {place: place for place in range(1, 1001)}
    pages = Pages(1000, places)
    async with running(pages, tracker) as echo:
        for place in places:
            echo.sunk("store", place, [canary(place)])
        await eventually(lambda: numbers(tracker) == (1000, 1000))

    assert len(pages.asked) == POSITIONS
