"""Kill the collector wherever it can be killed: each line is accounted for, once, and roll-ups count all."""

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from artemis_agent.collect import Collector, Site
from artemis_agent.rollup import Limits
from artemis_agent.source import Gap, Health, Kind, Reading, Record
from artemis_agent.spool import Progress, Spool
from socme.batch import unpack
from socme.v1.alert_pb2 import Alert, AlertSource, Severity
from socme.v1.vitals_pb2 import LedgerHour
from tests.artemis_agent.sources import hours, open_site_spool, site_of

NOW = datetime(2026, 11, 22, 10, 50, tzinfo=UTC)
STATS = b'{"event_type":"stats"}'
BROKEN = b'{"event_type":"alert"'
MOST = 7  # lines of a reading


class Killed(Exception):  # noqa: N818 - a test's own way out
    """The process is gone."""


class Fragile:
    """A spool whose user is killed just before or just behind a commit."""

    def __init__(self, spool: Spool) -> None:
        self.share = 0.0
        self.kill = ""
        self._spool = spool

    async def append(self, progress: Progress) -> None:
        """Append, and die where that is wanted."""
        kill, self.kill = self.kill, ""
        if kill == "before":
            raise Killed
        await self._spool.append(progress)
        if kill == "behind":
            raise Killed

    async def wait_for_room(self) -> None:
        """Never wait."""

    def __getattr__(self, name: str) -> object:
        return getattr(self._spool, name)


@dataclass
class Log:
    """Lines that were written; a source reads on from a position among them."""

    lines: list[bytes] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)


class LogSource:
    """Reads a log, some lines at a time."""

    kind: Kind = "suricata"
    name = "eve"

    def __init__(self, log: Log, position: bytes | None) -> None:
        self._log = log
        self._next = int(position or b"0")

    def read(self) -> Reading:
        """Read some lines."""
        begin, self._next = self._next, min(self._next + MOST, len(self._log.lines))
        lines = self._log.lines[begin : self._next]
        # A sieve has left out what is certainly no alert.
        records = [Record(line, b"f", begin + n) for n, line in enumerate(lines) if line != STATS]
        gaps = [Gap(b"f", place, 1, "gone") for place in self._log.gaps if begin <= place < self._next]
        more = self._next < len(self._log.lines)
        passed = lines.count(STATS)
        return Reading(records, (), b"%d" % self._next, 1, len(lines), more=more, passed=passed, gaps=gaps)

    def look(self) -> None:
        """Nothing goes away."""

    def health(self) -> Health:
        """All is well."""
        return Health(0, "", 0, 0)

    async def changed(self) -> None:
        """Never change."""
        await asyncio.Event().wait()

    def close(self) -> None:
        """Nothing is open."""


def line(rule: int, severity: int, second: int, number: int) -> bytes:
    time = (NOW + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.%f+0000")
    alert = {"signature_id": rule, "signature": f"rule {rule}", "severity": severity}
    return json.dumps(
        {"timestamp": time, "flow_id": number, "event_type": "alert", "alert": alert}, separators=(",", ":")
    ).encode()


@dataclass(frozen=True)
class Write:
    """Some lines of one rule are written."""

    rule: int
    lines: int
    second: int


@dataclass(frozen=True)
class Other:
    """A line that is no alert, or that cannot be read; or a part that is lost."""

    what: str


@dataclass(frozen=True)
class Turn:
    """The collector reads; time passes; it may be killed."""

    seconds: int
    kill: str
    share: float


@dataclass(frozen=True)
class Acknowledge:
    """The hub takes what there is."""


STEPS = st.lists(
    st.one_of(
        st.builds(Write, st.integers(1, 3), st.integers(1, 12), st.integers(-90, 90)),
        st.builds(Other, st.sampled_from(["stats", "broken", "gap"])),
        st.builds(
            Turn,
            st.sampled_from([0, 1, 20, 70, 1800]),
            st.sampled_from(["", "", "before", "behind"]),
            st.sampled_from([0.0, 0.6, 0.8]),
        ),
        st.just(Acknowledge()),
    ),
    max_size=30,
)


class Play:
    """One agent's life."""

    def __init__(self, site: Site, spool: Spool) -> None:
        self.log = Log()
        self.taken: list[Alert] = []
        self.saved = 0  # lines before the last position that is on disk
        self._now = NOW
        self._spool = spool
        self._fragile = Fragile(spool)
        self._site = replace(site, spool=self._fragile, clock=lambda: self._now)  # type: ignore[arg-type]
        self._collector: Collector | None = None

    async def perform(self, steps: Sequence[Write | Other | Turn | Acknowledge]) -> None:
        """Do as the steps say, then let all windows end, and the hub take what is left."""
        for step in steps:
            match step:
                case Turn():
                    await self._turn(step)
                case Acknowledge():
                    await self._take()
                case _:
                    self._write(step)
        for _ in range(len(self.log.lines) // MOST + 1):
            await self._turn(Turn(0, "", 0.0))
        await self._turn(Turn(7200, "", 0.0))
        await self._take()
        await self._end()
        self.saved = int(await self._spool.position("eve") or 0)

    def _write(self, step: Write | Other) -> None:
        match step:
            case Write(rule, lines, second):
                for _ in range(lines):
                    self.log.lines.append(line(rule, rule, second, len(self.log.lines)))
            case Other(what):
                if what == "gap":
                    self.log.gaps.append(len(self.log.lines))
                self.log.lines.append(BROKEN if what == "broken" else STATS)

    async def _turn(self, turn: Turn) -> None:
        self._now += timedelta(seconds=turn.seconds)
        self._fragile.kill, self._fragile.share = turn.kill, turn.share
        if self._collector is None:
            position = await self._spool.position("eve")
            self._collector = Collector(LogSource(self.log, position), self._site)
        try:
            await self._collector.turn()
        except Killed:
            await self._end()

    async def _end(self) -> None:
        collector, self._collector = self._collector, None
        if collector is not None:
            await collector.close()

    async def _take(self) -> None:
        while self._spool.depth.alerts:
            for entry in await self._spool.next({}):
                self.taken += unpack(entry.packed)
                self._spool.acknowledge(entry.lane, entry.sequence)
            await self._spool.trim()


async def life(steps: Sequence[Write | Other | Turn | Acknowledge]) -> tuple[Play, list[LedgerHour]]:
    """Return how it went, and the ledger at its end."""
    with tempfile.TemporaryDirectory() as folder:
        spool = open_site_spool(Path(folder))
        async with site_of(spool, Path(folder)) as site:
            limits = Limits(burst=3, window_us=60_000_000, most_windows=2)
            flooded = replace(site, rollup=limits, drops_lowest=True, min_severity=Severity.SEVERITY_MEDIUM)
            play = Play(flooded, spool)
            await play.perform(steps)
            ledger = await hours(spool)
        await spool.close()
    return play, ledger


@settings(max_examples=120, deadline=None)
@given(STEPS)
def test_every_line_is_in_one_place_wherever_the_agent_is_killed(
    steps: list[Write | Other | Turn | Acknowledge],
) -> None:
    play, ledger = asyncio.run(life(steps))

    lines = Counter("alert" if b'"alert":' in each else each for each in play.log.lines)
    own = [alert for alert in play.taken if alert.source == AlertSource.ALERT_SOURCE_SOCME]
    theirs = [alert for alert in play.taken if alert.source != AlertSource.ALERT_SOURCE_SOCME]
    filtered = sum(sum(hour.filtered.values()) for hour in ledger)
    assert sum(alert.count for alert in theirs) + filtered == lines["alert"]
    assert len({alert.id for alert in play.taken}) == len(play.taken)
    assert len(own) == len(set(play.log.gaps))
    assert all(alert.raw in play.log.lines for alert in theirs)
    assert sum(hour.read for hour in ledger) == play.saved  # what lies behind it is read again
    assert sum(hour.undecodable for hour in ledger) == lines[BROKEN]
    assert [hour.unaccounted for hour in ledger] == [0] * len(ledger)
    assert sum(hour.acknowledged for hour in ledger) == len(play.taken)


async def test_the_ledger_shows_what_was_taken_away(tmp_path: Path) -> None:
    """A row that is deleted by hand is missed."""
    spool = open_site_spool(tmp_path)
    async with site_of(spool, tmp_path) as site:
        log = Log([line(1, 1, 0, number) for number in range(5)])
        collector = Collector(LogSource(log, None), site)
        await collector.turn()
        await spool.ask(lambda journal: journal.remove(journal.first() or 0))
        await collector.close()
        (hour,) = await hours(spool)
    await spool.close()

    assert hour.unaccounted == 5
