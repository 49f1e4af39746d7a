"""Where alerts wait for the hub: batches and the read position they came from, in one transaction.

One SQLite file, `<state_dir>/spool.db`, in the hands of one thread; the rest of the agent awaits it. An
alert belongs to its source's file until `append` returns, to the spool until the hub has acknowledged
it, and to the hub from then on. A batch's sequence is never used twice within an epoch and lane.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import DecodeError

from artemis_agent import age, ledger, lock, reserve, salvage
from artemis_agent.peek import size_of
from artemis_agent.progress import Progress, Waiting
from artemis_agent.scrutiny import DAMAGE
from artemis_agent.shelf import LANES
from artemis_agent.sure import Horizon
from artemis_agent.worker import Worker
from socme.batch import BatchError
from socme.errors import OperatorError
from socme.journal import HOUR_US, DamagedError, Depth, Entry, Journal, disk_fault
from socme.v1.uplink_pb2 import Mark
from socme.v1.vitals_pb2 import LedgerHour

__all__ = ["Progress", "Spool", "SpoolWriteError", "Waiting", "open_spool"]

TRIM_SECONDS = 1.0  # how long acknowledgements are gathered before the entries go in one commit, at most
TRIM_BYTES = 64 * 1024 * 1024  # for less in a spool that is smaller: what comes meanwhile must not crowd it
TEND_SECONDS = 5.0  # between two looks at what is sure and at what is too old
FORGET_SECONDS = 3600.0  # between two looks at which hours of the ledger are old
COUNT_SHARE = 0.02  # of the time may go into counting all entries for the ledger
MAX_AGE_SECONDS = 30 * 24 * 3600.0
AGE_NOTED_US = 60 * 1_000_000  # between two notes of how far the clocks are; what comes after is not counted
FILE = salvage.FILE
_MEND = "Start it again: it looks at its spool closely then, and sets it aside if it is damaged."

Result = TypeVar("Result")


class SpoolWriteError(Exception):
    """The spool cannot be written now (disk full, I/O error); nothing of the append was kept."""


@dataclass(slots=True)
class _Counted:
    """The ledger as it was counted last."""

    hours: Sequence[LedgerHour] = ()
    again: float = 0.0
    """When it is to be counted again, by the monotonic clock."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """Somebody waits for batches behind these positions."""

    after: Mapping[int, int]
    granted: "asyncio.Future[Sequence[Entry]]"

    def grant(self, entries: Sequence[Entry]) -> None:
        if not self.granted.done():
            self.granted.set_result(entries)


class Spool:
    """The spool of one agent; made by `open_spool`, used from one event loop."""

    def __init__(
        self,
        opened: salvage.Opened,
        handle: int,
        *,
        max_bytes: int,
        max_age_seconds: float,
        stopwatch: Callable[[], int],
    ) -> None:
        self.worker = Worker("spool")
        self.problem = ""
        """Why it cannot be written now; empty when all is well."""
        self.set_aside = opened.set_aside
        """Path of a damaged spool that this start set aside; empty where it was sound."""
        self._journal = opened.journal
        self._shelf = opened.shelf
        self._state_dir = opened.state_dir
        self._horizon = Horizon(opened.state_dir)
        self._lock = handle
        self._max_bytes = max_bytes
        self._max_age_us = int(max_age_seconds * 1_000_000)
        self._stopwatch = stopwatch
        shelf, noted = opened.shelf, opened.journal.note(age.NOTE)
        self._clocks = age.resumed(noted, shelf.now_us(), stopwatch() // 1000, shelf.depth.oldest_us)
        self._noted_us = 0  # when the clocks were noted last in this run
        self._changed = asyncio.Condition()
        self._wishes: list[_Wish] = []
        self._trim_due = asyncio.Event()
        self._marks: dict[int, int] = {}  # by lane, the last acknowledged sequence that is not trimmed yet
        self._counted = _Counted()
        self._forget_again = 0.0  # when hours of the ledger are to be forgotten, by the monotonic clock

    @property
    def epoch(self) -> bytes:
        """16 random bytes that name this spool's sequences."""
        return self._shelf.epoch

    @property
    def depth(self) -> Depth:
        """What waits for an acknowledgement."""
        return self._shelf.depth

    @property
    def acknowledged(self) -> int:
        """Alerts that the hub has taken since the spool was made."""
        return self._shelf.acknowledged

    @property
    def share(self) -> float:
        """How full it is: 1 at its bound."""
        return size_of(self._shelf.depth) / self._max_bytes

    @property
    def unaccounted(self) -> int:
        """By how much all ledgers of the spool failed when they were counted last."""
        return sum(hour.unaccounted for hour in self._counted.hours)

    async def append(self, progress: Progress) -> None:
        """Commit progress as a whole; raise SpoolWriteError where the disk does not take it."""
        for wish, entries in await self._write(lambda: self._append(progress)):
            wish.grant(entries)
        await self._tell()

    async def position(self, source: str) -> bytes | None:
        """Return where a source stood at the last commit; None for a new one."""
        return await self._call(lambda: self._journal.note(f"position:{source}"))

    async def begin(self, source: str, position: bytes) -> None:
        """Take note of where a new source begins: from there it is read again if this spool is lost soon."""
        await self._call(lambda: self._horizon.begin(self._shelf, source, position))

    @property
    def unsure(self) -> str:
        """Why it cannot be noted what is sure; empty where it can."""
        return self._horizon.problem

    async def counters(self, source: str) -> bytes | None:
        """Return the totals of a source at the last commit; None for a new one."""
        return await self._call(lambda: self._journal.note(f"counters:{source}"))

    async def ask(self, question: Callable[[Journal], Result]) -> Result:
        """Return what `question` makes of the journal, in the spool's thread; it must not write."""
        return await self._call(lambda: question(self._journal))

    async def wait_for_room(self) -> None:
        """Wait until the spool is below its bound."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.share < 1)

    async def relieve(self, share: float, reason: str) -> None:
        """Give up alerts that may wait, the oldest first, until it is less full than a share or none is left.

        Those that may be on their way stay. SpoolWriteError where the disk does not take it.
        """
        while self.share >= share:
            excess = int((self.share - share) * self._max_bytes) + 1
            if not await self._write(partial(self._shelf.relieve, excess, reason)):
                break
            await self._tell()

    async def next(self, after: Mapping[int, int]) -> Sequence[Entry]:
        """Wait until there may be batches behind these positions, by lane; return the first few, if any.

        Urgent ones come alone and before all others. A lane that is not in `after` is read from its begin.
        """
        if self.may_hold(after):
            return await self._call(lambda: self._shelf.next(after))
        wish = _Wish(after, asyncio.get_running_loop().create_future())
        self._wishes.append(wish)
        try:
            return await wish.granted
        finally:
            self._wishes.remove(wish)

    def may_hold(self, after: Mapping[int, int]) -> bool:
        """Tell whether there may be batches behind these positions; asks no disk."""
        return self._shelf.may_hold(after)

    async def before(self) -> Mapping[int, int]:
        """Return for each lane AlertBatch.alerts_before of the first batch that it holds."""
        return await self._call(self._shelf.before)

    def acknowledge(self, lane: int, sequence: int) -> None:
        """Take note that the hub has all batches of a lane up to a sequence; `run_trim` forgets them."""
        self._marks[lane] = max(sequence, self._marks.get(lane, 0))
        self._trim_due.set()

    async def run_trim(self) -> None:
        """Forget what is acknowledged, many batches in one commit, and what is too old, for ever."""
        tended = time.monotonic()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(TEND_SECONDS):
                    await self._trim_due.wait()
                await asyncio.sleep(trim_seconds(self._max_bytes))
                await self.trim()
            if time.monotonic() - tended >= TEND_SECONDS:
                await self.tend()
                tended = time.monotonic()

    async def trim(self) -> None:
        """Forget acknowledged batches now; where the disk does not take it, later."""
        self._trim_due.clear()
        marks, self._marks, epoch = self._marks, {}, self.epoch
        try:
            await self._write(lambda: self._shelf.trim(marks))
        except SpoolWriteError:
            if epoch == self.epoch:
                for lane, sequence in marks.items():
                    self.acknowledge(lane, sequence)
            return
        await self._tell()

    async def tend(self) -> None:
        """Give up what is too old, note what is sure, and forget old hours; where the disk fails, later."""
        with suppress(SpoolWriteError):  # `problem` says so
            while await self._write(self._expire):
                pass
            await self._call(lambda: self._horizon.look(self._shelf))
            if time.monotonic() >= self._forget_again:
                await self._write(self._shelf.forget_hours)
                self._forget_again = time.monotonic() + FORGET_SECONDS
            await self._tell()

    async def follow(self, marks: Sequence[Mark]) -> bool:
        """Forget what the hub says it has of this epoch; return whether the stream may go on.

        Where the hub has sequences that this spool never gave, or another batch under one of them, the
        spool is an old copy of itself (a restored backup) or has a twin. It begins a new epoch then, so
        that no number stands for two batches, and the stream must be opened anew; the hub recognises
        alerts that it has by their ids. Nothing may be on its way when it is called.
        """
        if not await self._call(lambda: self._shelf.agrees(marks)):
            await self._renumber(self._shelf.begin_epoch)
            return False
        for mark in marks:
            self.acknowledge(mark.lane, mark.sequence)
        await self.trim()
        if not self._marks:  # else the disk did not take it, and what the hub has is here still
            await self._call(self._shelf.settle)
        return True

    async def alerts_of(self, lane: int, sequence: int) -> Sequence[bytes]:
        """Return the alerts of one batch, serialised; none where it is gone or cannot be read."""
        return await self._call(lambda: self._shelf.alerts_of(lane, sequence))

    async def split(self, lane: int, sequence: int) -> None:
        """Make one batch one for each of its alerts; a new epoch begins. Nothing may be on its way."""
        await self._renumber(lambda marks: self._shelf.split(lane, sequence, marks))

    async def give_up(self, lane: int, sequence: int, reason: str) -> None:
        """Give up one batch, for a reason in one word. Nothing may be on its way."""
        await self._write(lambda: self._shelf.give_up(lane, sequence, reason))
        await self._tell()

    async def ledger(self) -> list[LedgerHour]:
        """Return what became of everything, by source and hour, of the last 48 hours, oldest first.

        It is counted anew unless the last count took long: a large spool is counted less often.
        """
        if time.monotonic() >= self._counted.again:
            self._counted = await self._call(self._count)
        return ledger.recent(self._counted.hours, self._shelf.now_us() // HOUR_US)

    async def dropped(self) -> Mapping[str, int]:
        """Return how many alerts were given up after they had been spooled, by reason."""
        return await self._call(self._shelf.dropped)

    async def close(self) -> None:
        """Let go of the file; what was asked before is finished first."""
        await self._call(self._journal.close)
        self.worker.close()
        os.close(self._lock)

    async def _tell(self) -> None:
        for wish in self._wishes:
            if self.may_hold(wish.after):
                wish.grant(())  # what there is has to be read
        async with self._changed:
            self._changed.notify_all()

    async def _renumber(self, work: Callable[[Mapping[int, int]], None]) -> None:
        """Do what begins a new epoch; the marks are of the old one, so they go with it."""
        marks, self._marks = self._marks, {}
        try:
            await self._write(lambda: work(marks))
        except SpoolWriteError:
            self._marks = marks
            raise
        await self._tell()

    async def _write(self, work: Callable[[], Result]) -> Result:
        done = await self._call(work)
        self.problem = ""
        return done

    async def _call(self, work: Callable[[], Result]) -> Result:
        try:
            return await self.worker.do(work)
        except (sqlite3.DatabaseError, BatchError, DamagedError, DecodeError) as error:
            problem = disk_fault(error) if isinstance(error, sqlite3.Error) else ""
            if problem:
                self.problem = problem
                raise SpoolWriteError(problem) from error
            salvage.suspect(self._state_dir)
            raise OperatorError(f"the spool is damaged: {error}", _MEND) from error
        except DAMAGE:  # or a mistake of ours, which is to be seen
            salvage.suspect(self._state_dir)
            raise

    def _append(self, progress: Progress) -> list[tuple[_Wish, Sequence[Entry]]]:
        """Commit progress; return what of it those get who wait: in the same turn of the spool's thread."""
        if shortage := reserve.shortage(self._lock, self._journal.reusable_bytes):
            self.problem = shortage
            raise SpoolWriteError(shortage)
        self._shelf.append(progress)
        self._clocks = self._look()  # at each entry, for a clock that is set forth and back between two looks
        wishes = list(self._wishes)  # the event loop adds to them meanwhile, and looks for those again
        return [(wish, entries) for wish in wishes if (entries := self._shelf.fresh(wish.after))]

    def _look(self) -> age.Clocks:
        return self._clocks.look(self._shelf.now_us(), self._stopwatch() // 1000)

    def _expire(self) -> bool:
        clocks = self._look()
        self._clocks = clocks if self._shelf.depth.entries else clocks.emptied()
        if abs(clocks.now_us - self._noted_us) >= AGE_NOTED_US:
            self._journal.append([], notes={age.NOTE: self._clocks.noted()})
            self._noted_us = clocks.now_us
        limit = self._clocks.limit_us(self._max_age_us)
        more = [self._shelf.expire(lane, limit) for lane in LANES]
        return True in more

    def _count(self) -> _Counted:
        begun = time.monotonic()
        hours = self._shelf.hours()
        end = time.monotonic()
        return _Counted(hours, end + (end - begun) / COUNT_SHARE)


def trim_seconds(max_bytes: int) -> float:
    """Return for how long a spool of a size gathers acknowledgements."""
    return TRIM_SECONDS * min(1.0, max_bytes / TRIM_BYTES)


def open_spool(
    state_dir: Path,
    *,
    max_bytes: int,
    max_age_seconds: float = MAX_AGE_SECONDS,
    schema: str = "",
    clock: Callable[[], int] = time.time_ns,
    stopwatch: Callable[[], int] = time.monotonic_ns,
) -> Spool:
    """Open the spool, making it where there is none; refuse where another agent has it.

    A damaged one is set aside, and reading resumes where everything is sure to be at the hub. What has waited
    while the agent ran for `max_age_seconds`, by the `stopwatch`, is given up. `schema` makes the tables of
    those who write in the same transactions (Progress.also).
    """
    handle = lock.take(state_dir)
    try:
        opened = salvage.opened(state_dir, schema=schema, clock=clock)
        return Spool(
            opened, handle, max_bytes=max_bytes, max_age_seconds=max_age_seconds, stopwatch=stopwatch
        )
    except BaseException:
        os.close(handle)
        raise
