"""One source through normalise, copies and filter into the spool: the loop that reads.

A record belongs to its file until the spool has committed what became of it together with the position
behind it. Nothing is dropped without being counted, and the counters commit in the same transaction.

Copies: Wazuh writes an alert for each alert of eve.json that it reads, so the original is on disk before
the copy. When a reading of Wazuh holds copies, every Suricata source is first read to its end, here and
now, and only then the copies' keys are looked up among the committed ones. No timer has a say in it.
"""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeAlias

from artemis_agent import copies, counters
from artemis_agent.config import Kind
from artemis_agent.counters import Counters
from artemis_agent.dead_letter import DeadLetters, Letter
from artemis_agent.filter import WAZUH_COPY, Drop, verdict
from artemis_agent.normalise import NotAnAlert, Undecodable, normalise
from artemis_agent.portions import portions
from artemis_agent.source import Health, Reading, Record, Reject, Source
from artemis_agent.spool import Progress, Spool, SpoolWriteError
from artemis_agent.worker import Worker
from socme import logs
from socme.v1.alert_pb2 import Severity
from socme.v1.vitals_pb2 import SourceVitals

LOG = logging.getLogger("artemis.collect")

SAVE_SECONDS = 1.0  # age at which a position is saved though no alert came with it; each save is an fsync
REST_SECONDS = 10.0  # longest wait for a source to change before it is read all the same
SLICE_RECORDS = 200  # normalised in one go, so that other tasks get their turn in a large reading
SLICE_BYTES = 2 * 1024 * 1024
CATCH_UP_BYTES = 64 * 1024 * 1024  # beyond the end: a sensor that outruns us must not hold up Wazuh for ever
WRITE_PAUSE_SECONDS = 5.0  # between attempts while the disk does not take the spool
HEALTH_SECONDS = 2.0  # how long the vitals wait for a source that is busy


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


@dataclass(frozen=True, slots=True)
class Found:
    """An alert on its way to the spool."""

    payload: bytes
    """The serialised Alert message."""
    copy_key: int | None
    copy_of: int | None
    """See normalise.Normalised."""
    drop: str
    """Why it stays on the site; empty when it goes."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that could not be decoded."""

    record: Record
    reason: str


Examined: TypeAlias = Found | Bad


class Collector:
    """Reads one source; made in the wiring, run by `run`, and made to catch up by Wazuh's collectors."""

    def __init__(self, source: Source, site: Site, *, originals: Sequence["Collector"] = ()) -> None:
        """`originals` are the sources that this one's copies are copies of."""
        self.worker = Worker(f"source-{source.kind}")
        self._source = source
        self._site = site
        self._originals = () if site.keep_both else originals
        self._turn = asyncio.Lock()
        self._counted: Counters | None = None  # in all runs; what only the health knows is added later
        self._rotations = 0  # as of the last save
        self._health = Health(lag_bytes=0, problem="", lost_bytes=0, rotations=0)
        self._position = b""  # behind the last reading
        self._saved_position = b""
        self._saved = -math.inf  # when a position was saved last
        self._last_record: float | None = None
        self._trouble = ""

    async def run(self) -> None:
        """Read the source for ever."""
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
        vitals = counters.message(self._totals(), name=self._source.name, kind=self._source.kind)
        vitals.lag_bytes = self._health.lag_bytes
        vitals.problem = self._trouble or self._health.problem
        if self._last_record is not None:
            vitals.last_record_age_seconds = time.monotonic() - self._last_record
        return vitals

    async def close(self) -> None:
        """Let go of the source."""
        await self.worker.do(self._source.close)
        self.worker.close()

    async def _take(self) -> Reading:
        if self._counted is None:
            self._counted = counters.parse(await self._site.spool.counters(self._source.name))
        await self._site.spool.wait_for_room()
        reading, self._health = await self.worker.do(self._read)
        observed = self._site.clock()
        examined: list[Examined] = []
        for records in portions(reading.records, _size, most=SLICE_RECORDS, largest=SLICE_BYTES):
            examined += await self.worker.do(partial(self._examine, records, observed))
        alerts = await self._without_copies([each for each in examined if isinstance(each, Found)])
        bad = [each for each in examined if isinstance(each, Bad)]
        unreadable: list[Bad | Reject] = [*bad, *reading.rejects]
        letters = [_letter(each, self._source.name) for each in unreadable]
        if letters:  # on disk before the position behind them is
            dead_letters = self._site.dead_letters
            await self._site.letters.do(lambda: dead_letters.append(letters, observed=observed))
        self._count(reading, alerts, len(letters))
        await self._keep(reading, alerts, urgent=bool(letters))
        return reading

    def _read(self) -> tuple[Reading, Health]:
        return self._source.read(), self._source.health()

    def _examine(self, records: Sequence[Record], observed: datetime) -> list[Examined]:
        kind, name, least = self._source.kind, self._source.name, self._site.min_severity
        return [
            each
            for record in records
            if (each := examine(record, kind=kind, origin=name, observed=observed, min_severity=least))
        ]

    async def _without_copies(self, alerts: list[Found]) -> list[Found]:
        """Return the alerts with those that are copies of an alert that was read marked as dropped."""
        keys = {alert.copy_of for alert in alerts if alert.copy_of is not None}
        if not keys or not self._originals:
            return alerts
        for original in self._originals:
            await original.catch_up()
        known = await self._site.spool.ask(lambda journal: copies.known(journal.query, keys))
        return [replace(alert, drop=WAZUH_COPY) if alert.copy_of in known else alert for alert in alerts]

    def _count(self, reading: Reading, alerts: Sequence[Found], undecodable: int) -> None:
        if reading.lines:
            self._last_record = time.monotonic()
        dropped = Counter(alert.drop for alert in alerts if alert.drop)
        read = Counters(
            bytes=reading.bytes,
            records=reading.lines,
            alerts=len(alerts),
            spooled=len(alerts) - dropped.total(),
            undecodable=undecodable,
            dropped=dropped,
        )
        self._counted = (self._counted or Counters()) + read

    def _totals(self) -> Counters:
        since_opened = Counters(lost_bytes=self._health.lost_bytes, rotations=self._health.rotations)
        return (self._counted or Counters()) + since_opened

    async def _keep(self, reading: Reading, alerts: Sequence[Found], *, urgent: bool) -> None:
        """Commit what must not be read again; leave a bare position for later."""
        self._position = reading.position
        payloads = [alert.payload for alert in alerts if not alert.drop]
        keys = [alert.copy_key for alert in alerts if alert.copy_key is not None]
        # The first position says where a new source began; behind a rotation the old one may find nothing.
        urgent = urgent or math.isinf(self._saved) or self._health.rotations != self._rotations
        if payloads or keys or urgent:
            await self._save(payloads, keys)
        elif self._is_behind() and time.monotonic() - self._saved >= SAVE_SECONDS:
            await self._save()

    def _is_behind(self) -> bool:
        """Tell whether the position on disk is not the newest."""
        return self._position != self._saved_position

    async def _save(self, payloads: Sequence[bytes] = (), keys: Sequence[int] = ()) -> None:
        now_us = int(self._site.clock().timestamp() * 1_000_000)
        totals = counters.message(self._totals(), name=self._source.name, kind=self._source.kind)
        progress = Progress(
            source=self._source.name,
            position=self._position,
            counters=totals.SerializeToString(),
            alerts=payloads,
            also=lambda db: copies.remember(db, keys, now_us),
        )
        while True:
            if await self._append(progress):
                self._saved, self._saved_position = time.monotonic(), progress.position
                self._rotations = self._health.rotations
                return
            await asyncio.sleep(WRITE_PAUSE_SECONDS)

    async def _append(self, progress: Progress) -> bool:
        """Return whether the disk took it; where not, say so once and in the vitals."""
        try:
            await self._site.spool.append(progress)
        except SpoolWriteError as error:
            if not self._trouble:
                logs.event(LOG, logging.ERROR, "the spool cannot be written", reason=error)
            self._trouble = f"the spool cannot be written: {error}"
            return False
        self._trouble = ""
        return True

    async def _rest(self) -> None:
        """Wait until there is something to read; save a position that is not on disk yet."""
        try:
            async with asyncio.timeout(SAVE_SECONDS if self._is_behind() else REST_SECONDS):
                await self._source.changed()
        except TimeoutError:
            async with self._turn:
                if self._is_behind():
                    await self._save()


def examine(
    record: Record, *, kind: Kind, origin: str, observed: datetime, min_severity: Severity.ValueType
) -> Examined | None:
    """Return what a record is and what is to become of it; None for one that is no alert."""
    match normalise(record, kind=kind, origin=origin, observed=observed):
        case NotAnAlert():
            return None
        case Undecodable(reason):
            return Bad(record, reason)
        case normalised:
            judged = verdict(normalised.alert, min_severity)
            return Found(
                payload=normalised.alert.SerializeToString(),
                copy_key=normalised.copy_key,
                copy_of=normalised.copy_of,
                drop=judged.reason if isinstance(judged, Drop) else "",
            )


def _size(record: Record) -> int:
    return len(record.raw)


def _letter(bad: Bad | Reject, source: str) -> Letter:
    if isinstance(bad, Reject):
        return Letter(source, bad.file, bad.offset, bad.size, bad.reason, bad.head)
    record = bad.record
    return Letter(source, record.file, record.offset, len(record.raw), bad.reason, record.raw)
