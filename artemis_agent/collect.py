"""One source through normalise, copies and filter into the spool: the loop that reads.

A record belongs to its file until the spool has committed what became of it together with the position
behind it. Nothing is dropped without being counted, and the counters commit in the same transaction.

Copies: Wazuh writes an alert for each alert of eve.json that it reads, so the original is on disk before
the copy. When a reading of Wazuh holds copies, every Suricata source is first read to its end, here and
now, and only then the copies' keys are looked up among the committed ones. No timer has a say in it.

What a flood is rolled up into is kept by `held` in the same transaction. A canary log is a source like any
other, but for what is done with its alerts: they are marked, and go.
"""

import asyncio
import logging
import math
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TypeVar

from artemis_agent import copies, counters, held, ledger
from artemis_agent.counters import Counters, Last
from artemis_agent.dead_letter import DeadLetters, Letter
from artemis_agent.examine import Bad, Examined, Found, Rules, dropped, examine
from artemis_agent.filter import CROWDED, SPOOL_FULL, WAZUH_COPY, has_room
from artemis_agent.gap import gap_alert
from artemis_agent.held import Held
from artemis_agent.portions import portions
from artemis_agent.rollup import Limits
from artemis_agent.sort import Sorted, sort, waiting
from artemis_agent.source import Health, Reading, Record, Reject, Source
from artemis_agent.spool import Progress, Spool, SpoolWriteError
from artemis_agent.worker import Worker
from socme import logs
from socme.journal import Journal
from socme.v1.alert_pb2 import Alert, Severity
from socme.v1.vitals_pb2 import SourceVitals

LOG = logging.getLogger("artemis.collect")

SAVE_SECONDS = 1.0  # age at which a position is saved though no alert came with it; each save is an fsync
REST_SECONDS = 10.0  # longest wait for a source to change before it is read all the same
LEAST_REST_SECONDS = 0.5  # between two looks whether roll-ups are due
LOOK_SECONDS = 2.0  # between two looks at a source that cannot be read now, for what is rotated meanwhile
SLICE_RECORDS = 200  # normalised in one go, so that other tasks get their turn in a large reading
SLICE_BYTES = 2 * 1024 * 1024
CATCH_UP_BYTES = 64 * 1024 * 1024  # beyond the end: a sensor that outruns us must not hold up Wazuh for ever
WRITE_PAUSE_SECONDS = 2.0  # between attempts while the disk does not take the spool
HEALTH_SECONDS = 2.0  # how long the vitals wait for a source that is busy
SCHEMA = copies.SCHEMA
"""What is kept in the spool's file beside its own tables."""
_SECOND = 1_000_000  # microseconds

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Site:
    """What all sources of a node share."""

    spool: Spool
    dead_letters: DeadLetters
    letters: Worker
    """The thread that writes the dead letters."""
    min_severity: Severity.ValueType
    """Alerts below it stay on the site."""
    keep_both: bool
    """Whether copies are sent as well."""
    clock: Callable[[], datetime]
    is_live: Callable[[], bool] = lambda: False
    """Tells whether the hub is connected."""
    rollup: Limits | None = None
    """When floods are rolled up; None for never."""
    drops_lowest: bool = False
    """Whether a spool that fills keeps what room it has for the severe alerts."""


class Collector:
    """Reads one source; made in the wiring, run by `run`, and made to catch up by Wazuh's collectors."""

    def __init__(
        self,
        source: Source,
        site: Site,
        *,
        originals: Sequence["Collector"] = (),
        canaries_of: "Collector | None" = None,
    ) -> None:
        """`originals` are the sources that this one's copies are copies of.

        `canaries_of` says that the source is the canary log of another one, whose thread it shares.
        """
        self.worker: Worker = canaries_of.worker if canaries_of else Worker(f"source-{source.kind}")
        self.source_name: str = canaries_of.source_name if canaries_of else source.name
        self.canary_read = self.canary_spooled = 0  # numbers of the last canaries that came so far
        self.spool_seconds = 0.0  # from the reading of that which was spooled to its commit
        self._source = source
        self._site = site
        self._rules = Rules(
            kind=source.kind,
            source=self.source_name,
            min_severity=site.min_severity,
            rolls_up=site.rollup is not None,
            canaries=canaries_of is not None,
        )
        self._originals = () if site.keep_both else originals
        self._turn = asyncio.Lock()
        self._held: Held | None = None  # known, as all totals are, from `restore` on
        self._counted = Counters()  # in all runs; what only the health knows is added later
        self._unbooked = Counters()  # since the last save
        self._rotations = 0  # as of the last save
        self._health = Health(lag_bytes=0, problem="", lost_bytes=0, rotations=0)
        self._position = self._saved_position = b""  # behind the last reading, and the last save
        self._saved = -math.inf  # when a position was saved last
        self._announced: list[Alert] = []
        self._last = Last()
        self._read_at = -math.inf
        self.trouble = ""
        """Why the spool does not take what was read; empty when it does."""

    @property
    def name(self) -> str:
        """What the spool knows the source by: its own name."""
        return self._source.name

    async def run(self) -> None:
        """Read the source for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_hold())
            while True:
                reading = await self.turn()
                if not reading.more:
                    await self._rest()

    async def turn(self) -> Reading:
        """Read once and see to everything that was read."""
        async with self._turn:
            return await self._take()

    async def catch_up(self) -> None:
        """Read to the end as of now."""
        async with self._turn:
            ahead = (await self.worker.do(self._source.health)).lag_bytes + CATCH_UP_BYTES
            while ahead > 0:
                reading = await self._take()
                if not reading.more:
                    return
                ahead -= reading.bytes

    async def vitals(self) -> SourceVitals:
        """Return how the source is doing."""
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                self._health = await self.worker.do(self._source.health)
        except TimeoutError:
            pass  # the last one known will do: the thread is in the middle of something
        vitals = counters.message(self._totals(), name=self.source_name, kind=self._source.kind)
        vitals.lag_bytes = self._health.lag_bytes
        vitals.problem = self._health.problem
        self._last.tell(vitals, self._health.sensor)
        return vitals

    async def restore(self) -> None:
        """Take up what the spool knows of the source; needed once, before anything else."""
        note = await self._site.spool.counters(self.name)
        self._counted = counters.parse(note)
        known = counters.read(note)
        self.canary_read = self.canary_spooled = known.canary.spooled
        self._last = Last.of(known, self._site.clock())
        limits = self._site.rollup
        self._held = await self._site.spool.ask(lambda journal: held.load(journal.query, self.name, limits))

    async def pending(self) -> int:
        """Return how many alerts of the source the hub has still to acknowledge."""
        return await self._site.spool.ask(lambda journal: ledger.pending(journal.query, self.name.__eq__))

    def announce(self, alert: Alert) -> None:
        """Send with the next turn what the node has to say of itself."""
        self._announced.append(alert)

    @property
    def holds(self) -> bool:
        """Whether something waits for its roll-up."""
        return self._known().windows.due_us() is not None

    async def close(self) -> None:
        """Let go of the source."""
        await self.worker.do(self._source.close)
        if not self._rules.canaries:
            self.worker.close()

    async def _take(self) -> Reading:
        if self._held is None:
            await self.restore()
        await self._wait_for_room()
        reading, observed, examined = await self.worker.do(self._read)
        for records in islice(_slices(reading), 1, None):
            examined += await self.worker.do(partial(self._examine, records, observed))
        alerts = await self._without_copies([each for each in examined if isinstance(each, Found)])
        self.canary_read = max((each.canary for each in alerts), default=self.canary_read)
        letters = await self._bury([*(each for each in examined if isinstance(each, Bad)), *reading.rejects])
        result = self._sort(reading, alerts, observed)
        passed = reading.passed + examined.count(None)
        found = Counters(alerts=len(alerts), not_alert=passed, undecodable=letters)
        self._count(reading, result, found)
        await self._keep(reading, alerts, result, urgent=letters > 0)
        return reading

    async def _wait_for_room(self) -> None:
        """Wait while the spool is full: the log file is the buffer.

        By the operator's choice, what may wait is given up first.
        """
        spool = self._site.spool
        if self._site.drops_lowest and spool.share >= CROWDED:
            await self._insist(lambda: spool.relieve(CROWDED, SPOOL_FULL))
        await spool.wait_for_room()

    async def _keep_hold(self) -> None:
        """Look at the source while it is not read: until there is room, or somebody else has caught up.

        Rotation goes on meanwhile, and what it deletes can be read only if it was opened before. Nothing of
        a look is committed: the position that is saved is that of the last reading.
        """
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if time.monotonic() - self._read_at >= LOOK_SECONDS:
                await self.worker.do(self._source.look)

    def _read(self) -> tuple[Reading, datetime, list[Examined | None]]:
        """Return what was read, when, and what the first slice of it is; of few records that is all."""
        self._read_at = time.monotonic()
        reading, self._health = self._source.read(), self._source.health()
        observed = self._site.clock()
        return reading, observed, self._examine(next(_slices(reading), ()), observed)

    def _examine(self, records: Sequence[Record], observed: datetime) -> list[Examined | None]:
        return [examine(record, self._rules, observed) for record in records]

    async def _without_copies(self, alerts: list[Found]) -> list[Found]:
        """Return the alerts with those that are copies of an alert that was read marked as dropped."""
        keys = {alert.copy_of for alert in alerts if alert.copy_of is not None}
        if not keys or not self._originals:
            return alerts
        for original in self._originals:
            await original.catch_up()
        known = await self._ask(lambda journal: copies.known(journal.query, keys))
        return [dropped(each, WAZUH_COPY) if each.copy_of in known else each for each in alerts]

    async def _bury(self, unreadable: Sequence[Bad | Reject]) -> int:
        """Put what cannot be read on disk, before the position behind it is; return how many those are."""
        letters = [_letter(each, self.source_name) for each in unreadable]
        if letters:
            dead_letters, observed = self._site.dead_letters, self._site.clock()
            await self._site.letters.do(lambda: dead_letters.append(letters, observed=observed))
        return len(letters)

    def _sort(self, reading: Reading, alerts: Sequence[Found], observed: datetime) -> Sorted:
        share = self._site.spool.share if self._site.drops_lowest else 0.0
        gaps = () if self._rules.canaries else reading.gaps  # a canary's number says that it is lost
        lost = [gap_alert(gap, origin=self.source_name, observed=observed) for gap in gaps]
        return sort(
            alerts,
            self._known(),
            _microseconds(observed),
            has_room=lambda severity: self._rules.canaries or has_room(severity, share),
            more=[*self._announced, *lost],
        )

    def _known(self) -> Held:
        assert self._held is not None  # noqa: S101 - `restore` came first
        return self._held

    def _count(self, reading: Reading, result: Sorted, found: Counters) -> None:
        if reading.lines:
            self._last.record = time.monotonic()
        read = found + Counters(
            bytes=reading.bytes,
            records=reading.lines,
            spooled=len(result.going),
            dropped=result.dropped,
            rolled_up=result.held,
            made=result.made,
        )
        self._counted += read
        self._unbooked += read

    def _totals(self) -> Counters:
        return self._counted + Counters(lost_bytes=self._health.lost_bytes, rotations=self._health.rotations)

    async def _keep(self, reading: Reading, alerts: Sequence[Found], result: Sorted, *, urgent: bool) -> None:
        """Commit what must not be read again; leave a bare position for later."""
        self._position = reading.position
        keys = [alert.copy_key for alert in alerts if alert.copy_key is not None]
        # The first position says where a new source began; behind a rotation the old one may find nothing.
        urgent = urgent or math.isinf(self._saved) or self._health.rotations != self._rotations
        if result.going or result.held or keys or urgent:
            live = self._site.is_live() and not reading.more
            await self._save(result, keys, live=live)
        elif self._is_behind() and time.monotonic() - self._saved >= SAVE_SECONDS:
            await self._save()

    def _is_behind(self) -> bool:
        """Tell whether the position on disk is not the newest."""
        return self._position != self._saved_position

    async def _save(
        self, result: Sorted | None = None, keys: Sequence[int] = (), *, live: bool = False
    ) -> None:
        known = self._known()
        going, dues = (result.going, result.dues) if result else ((), ())
        firsts = await self._ask(lambda journal: held.firsts(journal.query, self.name, dues)) if dues else {}
        now_us = _microseconds(self._site.clock())

        def also(db: sqlite3.Connection) -> None:
            copies.remember(db, keys, now_us)
            known.keep(db)

        totals = counters.message(self._totals(), name=self.source_name, kind=self._source.kind)
        totals.canary.spooled = self.canary_read
        self._last.note(totals, self._health.sensor, self._site.clock())
        progress = Progress(
            source=self.name,
            position=self._position,
            counters=totals.SerializeToString(),
            alerts=waiting(going, firsts, live=live),
            tally=counters.tally(self._unbooked),
            also=also,
        )
        await self._insist(lambda: self._site.spool.append(progress))
        known.kept()
        if result is not None:
            self._announced.clear()
        if self.canary_read > self.canary_spooled:
            self.spool_seconds = time.monotonic() - self._read_at
        self._unbooked, self.canary_spooled = Counters(), self.canary_read
        self._saved, self._saved_position = time.monotonic(), progress.position
        self._rotations = self._health.rotations

    async def _insist(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Return what the spool answers, however long its disk fails; say so once, and in `trouble`.

        Giving up is no way out: the source has given what was read, and will not again.
        """
        while True:
            try:
                done = await work()
            except SpoolWriteError as error:
                if not self.trouble:
                    logs.event(LOG, logging.ERROR, "the spool cannot be written", reason=error)
                self.trouble = str(error)
            else:
                self.trouble = ""
                return done
            await asyncio.sleep(WRITE_PAUSE_SECONDS)

    async def _ask(self, question: Callable[[Journal], Result]) -> Result:
        return await self._insist(lambda: self._site.spool.ask(question))

    async def _rest(self) -> None:
        """Wait until there is something to read or to send; save a position that is not on disk yet."""
        try:
            async with asyncio.timeout(self._patience()):
                await self._source.changed()
        except TimeoutError:
            async with self._turn:
                if self._is_behind():
                    await self._save()

    def _patience(self) -> float:
        """Return for how many seconds nothing is to be done unless the source changes."""
        due_us = self._known().windows.due_us()
        seconds = SAVE_SECONDS if self._is_behind() else REST_SECONDS
        if due_us is None:
            return seconds
        return min(seconds, max(LEAST_REST_SECONDS, (due_us - _microseconds(self._site.clock())) / _SECOND))


def _microseconds(time: datetime) -> int:
    return int(time.timestamp() * _SECOND)


def _slices(reading: Reading) -> Iterator[Sequence[Record]]:
    """Yield the records in portions that do not hold up the source's thread for long."""
    return portions(reading.records, lambda record: len(record.raw), most=SLICE_RECORDS, largest=SLICE_BYTES)


def _letter(bad: Bad | Reject, source: str) -> Letter:
    if isinstance(bad, Reject):
        return Letter(source, bad.file, bad.offset, bad.size, bad.reason, bad.head)
    record = bad.record
    return Letter(source, record.file, record.offset, len(record.raw), bad.reason, record.raw)
