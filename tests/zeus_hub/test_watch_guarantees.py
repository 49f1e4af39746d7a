"""The seven guarantees of a stream of alerts, as etcd names them, against a real hub.

Hypothesis chooses what two nodes send, what a watcher wants, where it breaks off, whether it reads while
alerts come or only afterwards, and where the hub restarts. What the watcher saw, break by break, is compared
with the journal: the truth of what was committed, and in which order. Order is that of each of the two
tracks: what is urgent overtakes all else that was not shown yet.
"""

# ruff: noqa: D102 - names say it, as for functions

import asyncio
import random
import struct
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socme.journal import Journal
from socme.v1.alert_pb2 import Alert, Severity
from socme.v1.uplink_pb2 import Lane
from socme.v1.watch_pb2 import StoredAlert, WatchEvent, WatchRequest
from socme.v1.watch_pb2_grpc import WatchStub
from tests.zeus_hub.kit import LIMIT, Hub, Link, Machine, alert, connect, eventually, give, hub, linked
from zeus_hub import watch
from zeus_hub.enrich import Arrival, enrich

if TYPE_CHECKING:
    import grpc

CLIENTS = ("acme", "beta")
URGENT, NORMAL = Lane.LANE_URGENT, Lane.LANE_NORMAL
LANES = (URGENT, NORMAL)  # in the order in which they are shown
SEVERITIES = (0, 1, 2, 3, 4, 99)
CANARY = -1
LAST = 1_000_000  # number of the alert behind which nobody looks
End = tuple[int, int]  # position of a batch and index within: a place on one track
Seen = tuple[str, bytes]  # client and id
Batch = tuple[str, int, Sequence[int]]
Found = TypeVar("Found")


@dataclass(frozen=True)
class Part:
    """What is sent between two breaks, and how the watcher behaves meanwhile."""

    batches: Sequence[Batch]
    """Client, lane, and the severity of each alert; CANARY is no alert."""
    reads: int
    """Events after which the watcher breaks off."""
    late: bool
    """Whether it reads only once all of it was committed."""
    restart: bool
    """Whether the hub restarts behind it."""


@dataclass(frozen=True)
class Plan:
    """One run."""

    clients: Sequence[str]
    """What the watcher wants; empty for all."""
    min_severity: int
    with_raw: bool
    parts: Sequence[Part]

    def wants(self, client: str, made: Alert) -> bool:
        """Tell whether the watcher should see an alert."""
        if made.HasField("canary") or (self.clients and client not in self.clients):
            return False
        return made.severity in (0, *range(self.min_severity, 100))

    def request(self, cursor: bytes) -> WatchRequest:
        return WatchRequest(
            clients=self.clients,
            min_severity=self.min_severity,  # type: ignore[arg-type]  # any number goes on the wire
            with_raw=self.with_raw,
            cursor=cursor,
        )


@dataclass(frozen=True)
class Truth:
    """One alert as it was committed."""

    end: End
    """The place behind it, on its track."""
    lane: int
    seen: Seen
    wanted: bool
    """Whether the watcher wants it."""

    @property
    def commit(self) -> int:
        """Return the position of its batch."""
        return self.end[0] if self.end[1] else self.end[0] - 1

    def is_before(self, place: "Place") -> bool:
        """Tell whether a watcher that stands there has passed it."""
        return self.end <= place[self.lane]


@dataclass
class History:
    """What was seen, and what there was to see."""

    plan: Plan
    events: list[WatchEvent] = field(default_factory=list)
    """Of all connections, one after another."""
    truth: list[Truth] = field(default_factory=list)
    """What was committed, in the journal's order."""

    def alerts(self) -> list[WatchEvent]:
        return [event for event in self.events if event.HasField("alerts")]

    def seen(self) -> list[Seen]:
        return [who(stored) for event in self.alerts() for stored in event.alerts.alerts]

    def wanted(self) -> list[Truth]:
        return [one for one in self.truth if one.wanted]

    def told(self) -> list[Truth]:
        """Return the alerts that were seen, as they were committed."""
        known = {one.seen: one for one in self.truth}
        return [known[seen] for seen in self.seen()]


def who(stored: StoredAlert) -> Seen:
    return stored.client, stored.alert.id


Place = dict[int, End]  # by lane


def place(event: WatchEvent) -> Place:
    _, _, urgent, urgent_index, other, other_index, _ = struct.unpack(">B8sQIQIQ", event.cursor)
    return {URGENT: (urgent, urgent_index), NORMAL: (other, other_index)}


def on(lane: int, some: Iterable[Truth]) -> list[Truth]:
    """Return those of one track."""
    return [one for one in some if one.lane == lane]


def plans() -> st.SearchStrategy[Plan]:
    severities = st.lists(st.sampled_from((*SEVERITIES, CANARY)), min_size=1, max_size=5)
    batch = st.tuples(st.sampled_from(CLIENTS), st.sampled_from(LANES), severities)
    part = st.builds(
        Part,
        batches=st.lists(batch, min_size=1, max_size=5),
        reads=st.integers(1, 12),
        late=st.booleans(),
        restart=st.booleans(),
    )
    return st.builds(
        Plan,
        clients=st.sampled_from(((), ("acme",), CLIENTS)),
        min_severity=st.sampled_from((0, 2, 4)),
        with_raw=st.booleans(),
        parts=st.lists(part, min_size=1, max_size=3),
    )


class Run:
    """A hub, two nodes and a watcher; the hub may be another one after each part."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.history = History(plan)
        self._folder = folder
        self._sequences: Counter[tuple[str, int]] = Counter()
        self._number = 0
        self.nodes: dict[str, Machine] = {}
        self.cursor = b""

    async def begin(self, zeus: Hub) -> None:
        """Enrol, and look for the first time: at a hub that has nothing yet."""
        for client in CLIENTS:
            self.nodes[client] = await zeus.node(client, f"{client}-1")
        async with connect(zeus.address, zeus.operator()) as channel:
            await self.read(WatchStub(channel).Alerts(self.history.plan.request(b"")), 1)

    async def send(self, zeus: Hub, batches: Sequence[Batch]) -> None:
        """Send batches, the two nodes at the same time; return once all are committed."""
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            for client in CLIENTS:
                link = await stack.enter_async_context(linked(zeus.address, self.nodes[client]))
                made: list[tuple[int, int, list[Alert]]] = []
                for name, lane, severities in batches:
                    if name == client:
                        self._sequences[client, lane] += 1
                        alerts = [self._alert(severity) for severity in severities]
                        made.append((lane, self._sequences[client, lane], alerts))
                group.create_task(_deliver(link, made))

    async def read(
        self, call: "grpc.aio.UnaryStreamCall[WatchRequest, WatchEvent]", most: int, until: Seen | None = None
    ) -> None:
        """Read some events, or until one alert was there, then break off."""
        for _ in range(most):
            async with asyncio.timeout(LIMIT):
                event = await call.read()
            assert isinstance(event, WatchEvent), event
            self.history.events.append(event)
            self.cursor = event.cursor
            if until in [who(stored) for stored in event.alerts.alerts]:
                break
        call.cancel()

    async def part(self, zeus: Hub, part: Part) -> None:
        async with connect(zeus.address, zeus.operator()) as channel:
            call = WatchStub(channel).Alerts(self.history.plan.request(self.cursor))
            if part.late:
                await self.send(zeus, part.batches)
                await self.read(call, part.reads)
            else:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self.send(zeus, part.batches))
                    group.create_task(self.read(call, part.reads))

    async def finish(self, zeus: Hub) -> None:
        """Read all that is left, and the truth."""
        last = alert(LAST, Severity.SEVERITY_CRITICAL)
        async with linked(zeus.address, self.nodes["acme"]) as link:
            sequence = self._sequences["acme", NORMAL] + 1
            await link.batch(sequence, [last])
            await link.until_acked(sequence)
        async with connect(zeus.address, zeus.operator()) as channel:
            call = WatchStub(channel).Alerts(self.history.plan.request(self.cursor))
            await self.read(call, 10_000, until=("acme", last.id))
        self.history.truth = list(_truth(zeus, self.history.plan))

    def _alert(self, severity: int) -> Alert:
        self._number += 1
        if severity == CANARY:
            return alert(self._number, canary={"number": self._number})
        return alert(self._number, severity)


async def _deliver(link: Link, batches: Sequence[tuple[int, int, Sequence[Alert]]]) -> None:
    for lane, sequence, alerts in batches:
        await link.batch(sequence, alerts, lane)
    for lane, sequence in {lane: sequence for lane, sequence, _ in batches}.items():
        await link.until_acked(sequence, lane)


def _truth(zeus: Hub, plan: Plan) -> Iterator[Truth]:
    with closing(Journal(zeus.journal)) as journal:
        for entry in journal.read(0, entries=10_000, size=2**40):
            arrival = enrich(entry)
            assert isinstance(arrival, Arrival)
            found = [*arrival.alerts, *arrival.canaries]
            for index, stored in enumerate(found, start=1):
                end = (entry.position, index) if index < len(found) else (entry.position + 1, 0)
                wanted = plan.wants(stored.client, stored.alert)
                yield Truth(end, entry.lane, (stored.client, stored.alert.id), wanted)
                if stored.alert.rule.id == str(LAST):
                    return


async def _run(folder: Path, plan: Plan, afterwards: Callable[[Hub, Run], Awaitable[Found]]) -> Found:
    run = Run(folder, plan)
    stack = AsyncExitStack()
    async with stack:
        zeus = await stack.enter_async_context(hub(folder))
        await run.begin(zeus)
        for part in plan.parts:
            await run.part(zeus, part)
            if part.restart:
                await stack.aclose()
                zeus = await stack.enter_async_context(hub(folder))
        await run.finish(zeus)
        return await afterwards(zeus, run)


def history(plan: Plan) -> History:
    """Carry a plan out and return what was seen."""

    async def seen(_: Hub, run: Run) -> History:
        return run.history

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_run(Path(folder), plan, seen))


def again(plan: Plan, choose: Callable[[History], WatchEvent]) -> tuple[History, WatchEvent, list[Seen]]:
    """Carry a plan out, then go on once more behind a chosen event; return what is seen from there on."""

    async def resume(zeus: Hub, run: Run) -> tuple[History, WatchEvent, list[Seen]]:
        chosen = choose(run.history)
        more = Run(Path(), plan)
        async with connect(zeus.address, zeus.operator()) as channel:
            call = WatchStub(channel).Alerts(plan.request(chosen.cursor))
            last = run.history.truth[-1]
            if not last.is_before(place(chosen)):
                await more.read(call, 10_000, until=last.seen)
        return run.history, chosen, more.history.seen()

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_run(Path(folder), plan, resume))


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let signs of life come between alerts, where they could do harm, and few alerts stand in one event."""
    monkeypatch.setattr(watch, "QUIET_SECONDS", 0.005)
    monkeypatch.setattr(watch, "PIECE_BYTES", 300)


def ordered(seen: History) -> None:
    """Alerts of each track come in the order in which they were committed, over all breaks."""
    for lane in LANES:
        ends = [one.end for one in on(lane, seen.told())]
        assert ends == sorted(ends)
    told = iter(seen.told())
    for event in seen.alerts():
        *_, last = islice(told, len(event.alerts.alerts))
        assert place(event)[last.lane] >= last.end


def unique(seen: History) -> None:
    """No alert comes twice, over all breaks."""
    assert len(seen.seen()) == len(set(seen.seen()))


def reliable(seen: History) -> None:
    """Nothing is left out between the first event and the last: slow readers, breaks, restarts."""
    for lane in LANES:
        assert on(lane, seen.told()) == on(lane, seen.wanted())
    assert [event.WhichOneof("event") for event in seen.events].count("lagged") == 0


def bookmarked(seen: History) -> None:
    """See that a bookmark stands behind all that came before it and before all that comes after."""
    for lane in LANES:
        places = [place(event)[lane] for event in seen.events]
        assert places == sorted(places)
    passed: set[Seen] = set()
    for event in seen.events:
        passed.update(who(stored) for stored in event.alerts.alerts)
        if event.HasField("bookmark"):
            assert {one.seen for one in seen.wanted() if one.is_before(place(event))} == passed


def filtered(seen: History) -> None:
    """Only what was asked for comes, and raw lines only on request; never a canary."""
    for stored in (stored for event in seen.alerts() for stored in event.alerts.alerts):
        assert seen.plan.wants(stored.client, stored.alert)
        assert bool(stored.alert.raw) is seen.plan.with_raw


SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@settings(max_examples=8, deadline=None, suppress_health_check=SLOW)
@given(plans())
def test_it_is_ordered_unique_reliable_bookmarked_and_filtered(plan: Plan) -> None:
    seen = history(plan)
    for guarantee in (ordered, unique, reliable, bookmarked, filtered):
        guarantee(seen)


@settings(max_examples=4, deadline=None, suppress_health_check=SLOW)
@given(plans(), st.randoms(use_true_random=False))
def test_it_is_atomic(plan: Plan, rng: random.Random) -> None:
    """The alerts of one commit come together under ascending cursors, and one can resume inside it."""
    seen, chosen, rest = again(plan, lambda history: rng.choice(history.alerts()))
    commits = [one.commit for one in seen.told()]

    assert len([key for key, _ in groupby(commits)]) == len(set(commits)), "nothing of another in between"
    assert rest == what_follows(seen, chosen)


@settings(max_examples=4, deadline=None, suppress_health_check=SLOW)
@given(plans(), st.randoms(use_true_random=False))
def test_it_is_resumable(plan: Plan, rng: random.Random) -> None:
    """Behind any event, of whatever kind, the stream can be taken up again with exactly what follows."""
    seen, chosen, rest = again(plan, lambda history: rng.choice(history.events))

    assert rest == what_follows(seen, chosen)


def what_follows(seen: History, chosen: WatchEvent) -> list[Seen]:
    """Return what a watcher sees that goes on behind an event when all is committed.

    That is the rest of a batch that was begun, then what is urgent, then all else.
    """
    stands = place(chosen)
    left = [one for one in seen.wanted() if not one.is_before(stands)]
    begun = stands[NORMAL][0] if stands[NORMAL][1] else 0
    rest = [one for one in on(NORMAL, left) if one.commit == begun]
    return [one.seen for one in dict.fromkeys((*rest, *on(URGENT, left), *on(NORMAL, left)))]


async def test_what_is_urgent_overtakes_a_backlog(tmp_path: Path) -> None:
    """Of a node that comes back, for all who watch: what happens now, there or elsewhere, is shown now."""
    async with hub(tmp_path) as zeus:
        back, other = await zeus.node("acme", "acme-1"), await zeus.node("beta", "beta-1")
        async with connect(zeus.address, zeus.operator()) as channel:
            slow = WatchStub(channel).Alerts(WatchRequest())
            await _read_one(slow)
            async with linked(zeus.address, back) as link:
                for sequence in range(1, 41):
                    numbers = range(sequence * 100, sequence * 100 + 100)
                    await link.batch(sequence, [alert(each, url="x" * 8000) for each in numbers])
                await link.until_acked(40)
                async with linked(zeus.address, other) as elsewhere:
                    await elsewhere.batch(1, [alert(1, Severity.SEVERITY_CRITICAL)], URGENT)
                    await elsewhere.until_acked(1, URGENT)
            shown: list[str] = []
            while len(shown) < 4001:
                event = await _read_one(slow)
                shown += [stored.alert.rule.id for stored in event.alerts.alerts]

    assert shown.index("1") < 4000, "32 MB: gRPC does not take so much for one who does not read"
    assert [*map(int, shown)] == [
        *range(100, 100 + shown.index("1")),
        1,
        *range(100 + shown.index("1"), 4100),
    ]


async def _read_one(call: "grpc.aio.UnaryStreamCall[WatchRequest, WatchEvent]") -> WatchEvent:
    async with asyncio.timeout(LIMIT):
        event = await call.read()
    assert isinstance(event, WatchEvent), event
    return event


async def test_a_bookmark_moves_on_over_what_is_not_wanted(tmp_path: Path) -> None:
    """Else a watcher of a quiet client would come back to a cursor that the journal has forgotten."""
    async with hub(tmp_path) as zeus:
        acme, beta = await zeus.node("acme", "acme-1"), await zeus.node("beta", "beta-1")
        async with connect(zeus.address, zeus.operator()) as channel:
            call = WatchStub(channel).Alerts(WatchRequest(clients=["acme"]))
            seen: list[WatchEvent] = []

            async def look() -> None:
                while True:
                    event = await call.read()
                    assert isinstance(event, WatchEvent)
                    seen.append(event)

            async with asyncio.TaskGroup() as group:
                looking = group.create_task(look())
                async with linked(zeus.address, beta) as link:
                    for sequence in range(1, 6):
                        await link.batch(sequence, [alert(sequence)])
                    await link.until_acked(5)
                await give(zeus, acme, [alert(7, canary={"number": 1})])
                await eventually(lambda: bool(seen) and place(seen[-1])[NORMAL] >= (7, 0))
                looking.cancel()

    assert {event.WhichOneof("event") for event in seen} == {"snapshot", "bookmark"}
