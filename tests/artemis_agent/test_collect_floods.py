"""Whatever happens to a collector and its spool while floods are rolled up, each line is counted once.

A roll-up stands for lines of its key one behind the other, from the one that it shows, so that it can be
told which lines those are. Where spools are set aside, lines are read again: then none may be missing.
"""

import asyncio
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from artemis_agent import collect, ledger
from artemis_agent.collect import Collector, Site
from artemis_agent.rollup import Limits
from artemis_agent.salvage import FILE
from artemis_agent.spool import Progress, Spool, SpoolWriteError, open_spool
from socme.batch import unpack
from tests.artemis_agent.sources import SCHEMA, site_of
from tests.artemis_agent.test_collect_crashes import Killed, Log, LogSource, Write, line

NOW = datetime(2026, 11, 22, 10, 50, tzinfo=UTC)
BOUND = 2500  # bytes of the spool: a few batches fill it
WAITS_SECONDS = 20.0  # for what must come at once
SETTLED = 40  # turns of the event loop in which a collector that waits for room has come to it


@dataclass(frozen=True)
class Turn:
    """The collector reads; where the spool is full, the hub makes room, or the agent is ended meanwhile."""

    end: str


@dataclass(frozen=True)
class Refuse:
    """The disk does not take the next commits."""

    times: int


@dataclass(frozen=True)
class Clock:
    """The clock goes on, or is set."""

    seconds: int


@dataclass(frozen=True)
class Restart:
    """With other settings: roll-up off, or on."""

    limits: Limits | None


@dataclass(frozen=True)
class Simple:
    """Take: the hub takes all there is. Tend: what is sure is written down. Lose: the spool is damaged."""

    what: str


Step = Write | Turn | Refuse | Clock | Restart | Simple

LIMITS = st.one_of(
    st.none(),
    st.builds(
        Limits,
        burst=st.integers(1, 4),
        window_us=st.sampled_from([1_000_000, 60_000_000, 3_600_000_000]),
        most_windows=st.integers(1, 4),
    ),
)
USUAL = (
    st.builds(Write, st.integers(1, 3), st.integers(1, 12), st.integers(-90, 90)),
    st.builds(Turn, st.sampled_from(["", "", "before", "behind", "stop"])),
    st.builds(Turn, st.just("")),
    st.builds(Refuse, st.integers(1, 3)),
    st.builds(Clock, st.sampled_from([-86400, -61, -5, 1, 20, 70, 3600, 259_200])),
    st.builds(Restart, LIMITS),
    st.builds(Simple, st.sampled_from(["take", "tend", "tend"])),
)

LOSSY = (
    USUAL[0],
    st.just(Turn("")),
    st.builds(Clock, st.sampled_from([20, 70])),
    st.builds(Simple, st.sampled_from(["take", "tend", "tend", "lose"])),
)


class Spoiled:
    """A spool whose user is killed at a commit, or whose disk does not take some."""

    def __init__(self, spool: Spool) -> None:
        self.kill = ""
        self.refused = 0
        self._spool = spool

    async def append(self, progress: Progress) -> None:
        """Append, or do not."""
        if self.refused:
            self.refused -= 1
            raise SpoolWriteError("the disk is full")
        kill, self.kill = self.kill, ""
        if kill == "before":
            raise Killed
        await self._spool.append(progress)
        if kill == "behind":
            raise Killed

    def __getattr__(self, name: str) -> object:
        return getattr(self._spool, name)


class Life:
    """One node's life, its log, and what the hub has of it."""

    def __init__(self, folder: Path) -> None:
        self.log = Log()
        self.hub: dict[bytes, tuple[bytes, int]] = {}  # lines and how many they stand for, by id
        self.sent = 0
        self.unaccounted = self.holding = 0
        self._folder = folder
        self._now = NOW
        self._limits: Limits | None = Limits(burst=2, window_us=60_000_000)
        self._site: Site
        self._spool: Spool
        self._spoiled: Spoiled
        self._collector: Collector | None = None
        self._stack = AsyncExitStack()

    async def live(self, steps: Sequence[Step]) -> None:
        """Do the steps, then let everything end well."""
        await self._open()
        await self._turn("")
        await self._spool.tend()  # the first position, before any line
        for step in steps:
            await self._do(step)
        self._spoiled.refused = 0
        for _ in range(len(self.log.lines) + 3):
            await self._turn("")
            self._now += timedelta(hours=1)
        await self._take()
        found = await self._spool.ask(lambda journal: ledger.hours(journal.query, journal.held()))
        self.unaccounted = sum(hour.unaccounted for hour in found)
        self.holding = sum(hour.holding for hour in found)
        await self._close()

    async def _do(self, step: Step) -> None:
        match step:
            case Write(rule, lines, second):
                for _ in range(lines):
                    self.log.lines.append(line(rule, rule, second, len(self.log.lines)))
            case Turn(end):
                await self._turn(end)
            case Refuse(times):
                self._spoiled.refused = times
            case Clock(seconds):
                self._now += timedelta(seconds=seconds)
            case Restart(limits):
                self._limits = limits
                await self._end()
            case Simple(what):
                await {"take": self._take, "tend": self._spool.tend, "lose": self._lose}[what]()

    async def _open(self) -> None:
        self._spool = open_spool(
            self._folder,
            max_bytes=BOUND,
            schema=SCHEMA,
            clock=lambda: int(self._now.timestamp()) * 10**9,
        )
        self._stack.push_async_callback(self._spool.close)
        self._spoiled = Spoiled(self._spool)
        site = await self._stack.enter_async_context(site_of(self._spool, self._folder))
        self._site = replace(site, spool=self._spoiled, clock=lambda: self._now)  # type: ignore[arg-type]

    async def _close(self) -> None:
        await self._end()
        await self._stack.aclose()

    async def _lose(self) -> None:
        await self._close()
        damage(self._folder / FILE)
        await self._open()
        assert self._spool.set_aside

    async def _turn(self, end: str) -> None:
        if self._collector is None:
            position = await self._spool.position("eve")
            self._collector = Collector(
                LogSource(self.log, position), replace(self._site, rollup=self._limits)
            )
        self._spoiled.kill = end if end != "stop" else ""
        turn = asyncio.create_task(self._collector.turn())  # noqa: TID251 - ended below, whatever happens
        if self._spool.share >= 1:
            for _ in range(SETTLED):
                await asyncio.sleep(0)
            assert not turn.done(), "a full spool is waited for"
            if end == "stop":
                turn.cancel()
            else:
                await self._take()
        try:
            async with asyncio.timeout(WAITS_SECONDS):
                await turn
        except (Killed, asyncio.CancelledError):
            await self._end()

    async def _end(self) -> None:
        collector, self._collector = self._collector, None
        if collector is not None:
            await collector.close()

    async def _take(self) -> None:
        while self._spool.depth.alerts:
            for entry in await self._spool.next({}):
                for alert in unpack(entry.packed):
                    self.sent += 1
                    told = (alert.raw, alert.count)
                    assert self.hub.setdefault(alert.id, told) == told
                self._spool.acknowledge(entry.lane, entry.sequence)
            await self._spool.trim()

    def counted(self) -> Counter[bytes]:
        """Return how often each line is counted at the hub."""
        by_rule: dict[int, list[bytes]] = defaultdict(list)
        for each in self.log.lines:
            by_rule[rule_of(each)].append(each)
        counted: Counter[bytes] = Counter()
        for raw, count in self.hub.values():
            same = by_rule[rule_of(raw)]
            first = same.index(raw)
            assert first + count <= len(same), "more than there were"
            counted.update(same[first : first + count])
        return counted


def damage(path: Path) -> None:
    path.write_bytes(b"\xff" * 100 + path.read_bytes()[100:])
    Path(f"{path}-wal").unlink(missing_ok=True)


def rule_of(raw: bytes) -> int:
    return int(json.loads(raw)["alert"]["signature_id"])


def lived(steps: Sequence[Step]) -> Life:
    """Return a life in which these steps were done."""

    async def live() -> Life:
        with tempfile.TemporaryDirectory() as folder:
            life = Life(Path(folder))
            await life.live(steps)
            return life

    with patch.object(collect, "WRITE_PAUSE_SECONDS", 0.0):
        return asyncio.run(live())


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(*USUAL), max_size=30))
def test_every_line_is_counted_once(steps: list[Step]) -> None:
    life = lived(steps)

    assert life.counted() == Counter(life.log.lines)
    assert life.sent == len(life.hub)
    assert (life.unaccounted, life.holding) == (0, 0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(*LOSSY, st.one_of(*USUAL)), max_size=20))
def test_no_line_is_lost_where_spools_are_set_aside(steps: list[Step]) -> None:
    """A line that is rolled up anew may be counted twice."""
    life = lived(steps)

    assert set(life.counted()) == set(life.log.lines)
    assert (life.unaccounted, life.holding) == (0, 0)


def test_a_flood_is_held_when_the_spool_is_set_aside() -> None:
    """Though everything that was spooled is acknowledged, and the positions are looked at again and again."""
    flood: list[Step] = [Write(1, 7, 0), Turn(""), Simple("take"), *[Simple("tend")] * 3, Simple("lose")]
    life = lived(flood)

    assert life.counted() == Counter(life.log.lines)


def test_a_roll_up_waits_for_the_hub_when_the_spool_is_set_aside() -> None:
    steps: list[Step] = [Write(1, 7, 0), Turn(""), Simple("tend"), Simple("take"), Clock(61), Turn("")]
    life = lived([*steps, *[Simple("tend")] * 3, Simple("lose")])

    assert life.counted() == Counter(life.log.lines)


def test_a_window_that_is_set_aside_again_and_again_loses_nothing() -> None:
    steps: list[Step] = []
    for _ in range(3):
        steps += [Write(1, 7, 0), Turn(""), Simple("take"), Simple("tend"), Clock(61), Turn("")]
        steps += [Simple("take"), Simple("tend"), Simple("tend"), Write(1, 5, 61), Turn(""), Simple("lose")]
    life = lived(steps)

    assert set(life.counted()) == set(life.log.lines)
