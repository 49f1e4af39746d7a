"""The entries of a spool: two lanes in one journal, each with its own numbers, and the ledger beside them.

Everything here blocks and belongs to the spool's thread. Whatever is changed is changed together with
the ledger, in one transaction; what is remembered beside the file follows once that is committed.
"""

import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile

from artemis_agent import given_up, held_rows, ledger, scrutiny
from artemis_agent.latest import Latest
from artemis_agent.numbering import (
    DROPPED,
    Numbers,
    alerts_in,
    check_of,
    dropped_in,
    first_sequence,
    key_of,
    note,
    notes_of,
    number,
    read_numbers,
    shown,
)
from artemis_agent.portions import portions
from artemis_agent.progress import Progress, Waiting
from socme import batch
from socme.batch import Packed
from socme.journal import HOUR_US, LOWEST, Depth, Draft, Entry, Held, Journal, Outline
from socme.v1.uplink_pb2 import Lane, Mark
from socme.v1.vitals_pb2 import LedgerHour

MOST_ALERTS = 500  # in one batch
MOST_BYTES = 1024 * 1024  # of serialised alerts in one batch; one that is larger goes alone
NEXT_ENTRIES = 16  # batches that are handed out together
NEXT_BYTES = 256 * 1024  # the same in bytes, or one batch; an urgent one waits behind no more than that
EPOCH_BYTES = 16
PROTECTED = 64  # oldest entries of a lane that may be on their way or at the hub, and are never too old
EXPIRED_AT_ONCE = 256  # entries given up in one transaction
ENTRY_BYTES = 150  # what an entry takes on disk beside its payload, about

LANES = (Lane.LANE_URGENT, Lane.LANE_NORMAL)  # in the order in which they are sent


class Shelf:
    """What a spool holds."""

    def __init__(self, journal: Journal, clock: Callable[[], int]) -> None:
        self._journal = journal
        self._clock = clock
        missing = [name for name in ("epoch", "book") if journal.note(name) is None]
        if missing:
            journal.append([], notes={name: secrets.token_bytes(EPOCH_BYTES) for name in missing})
        self.epoch = journal.note("epoch") or b""
        """16 random bytes that name the sequences."""
        self._book = journal.note("book") or b""  # names the file's ledger, whatever its epoch
        self.acknowledged = number(journal.note("acknowledged"))
        """Alerts that the hub has taken."""
        self.depth = journal.depth()
        """What waits."""
        self._numbers: dict[int, Numbers] = {lane: read_numbers(journal.note(key_of(lane))) for lane in LANES}
        self._newest: dict[int, int] = {lane: journal.newest(lane) for lane in LANES}
        # By lane, the last position that may be on its way; until the hub is heard, of those before us too.
        self._latest = Latest()
        ahead = [(lane, self._first(lane)) for lane in LANES]
        self._handed: dict[int, int] = {lane: first[-1].position for lane, first in ahead if first}

    def now_us(self) -> int:
        """Return the time in microseconds since 1970."""
        return self._clock() // 1000

    def append(self, progress: Progress) -> None:
        """Commit progress as a whole."""
        source = progress.source
        notes = {f"position:{source}": progress.position, f"counters:{source}": progress.counters}
        self._put(source, progress.alerts, progress.tally, notes, progress.also)

    def take_back(self, source: str, alerts: Sequence[Waiting]) -> None:
        """Commit alerts of another spool; the ledger has them as made here: their lines were read there."""
        self._put(source, alerts, {"made": len(alerts)}, {}, None)

    def may_hold(self, after: Mapping[int, int]) -> bool:
        """Tell whether there may be batches behind these positions; new ones stand behind all others."""
        return any(after.get(lane, LOWEST) < newest for lane, newest in self._newest.items())

    def next(self, after: Mapping[int, int]) -> Sequence[Entry]:
        """Return the next few batches behind these positions, by lane; the urgent ones alone, if any.

        BatchError where one is not what was put there: it must not leave.
        """
        return self.fresh(after) or self._read(after)

    def fresh(self, after: Mapping[int, int]) -> Sequence[Entry]:
        """Return what `next` would where that was committed last, else nothing; asks no disk."""
        for lane in LANES:
            found = self._latest.behind(lane, after.get(lane, LOWEST))
            if found is None:
                break
            for few in portions(found, _size, most=NEXT_ENTRIES, largest=NEXT_BYTES):
                return self._hand_out(lane, few)
        return ()

    def _read(self, after: Mapping[int, int]) -> Sequence[Entry]:
        for lane in LANES:
            position = after.get(lane, LOWEST)
            found = self._journal.read_lane(lane, position, entries=NEXT_ENTRIES, size=NEXT_BYTES)
            if found:
                scrutiny.leaving(found, self._journal.outlines(lane, position, entries=len(found)))
                return self._hand_out(lane, found)
            self._newest[lane] = min(self._newest[lane], position)
        return ()

    def _hand_out(self, lane: int, entries: Sequence[Entry]) -> Sequence[Entry]:
        self._handed[lane] = max(entries[-1].position, self._handed.get(lane, LOWEST))
        return [shown(entry, self._numbers[lane].base) for entry in entries]

    def settle(self) -> None:
        """Take note that nothing is on its way."""
        self._handed.clear()

    def before(self) -> Mapping[int, int]:
        """Return for each lane how many alerts came before its first entry in this epoch.

        Never less than none: where damage made the counts disagree, the ledger says so.
        """
        standing = self._standing()
        return {lane: max(0, self._numbers[lane].total - standing[lane]) for lane in LANES}

    def agrees(self, marks: Iterable[Mark]) -> bool:
        """Tell whether the hub's marks are marks of what this spool gave."""
        return all(self._is_ours(mark) for mark in marks if mark.sequence)

    def trim(self, marks: Mapping[int, int]) -> None:
        """Forget what the hub has acknowledged: all batches of each lane up to a sequence."""
        with self._journal.transaction() as db:
            numbers, gone = self._forget(db, marks)
        self._trimmed(numbers, gone)

    def begin_epoch(self, marks: Mapping[int, int]) -> None:
        """Forget what was acknowledged, and give all that is left new numbers, from 1 on."""
        self._begin_epoch(marks, lambda: None)

    def alerts_of(self, lane: int, sequence: int) -> Sequence[bytes]:
        """Return the alerts of one entry, serialised; none where it is gone or cannot be read."""
        entry = self._at(lane, sequence)
        return () if entry is None else alerts_in(entry.packed)

    def split(self, lane: int, sequence: int, marks: Mapping[int, int]) -> None:
        """Make one entry one for each of its alerts, in a new epoch; one that cannot have left stays."""
        entry = self._at(lane, sequence)
        if entry is None or entry.position not in {each.position for each in self._first(lane)}:
            return
        pieces = [batch.pack([alert]) for alert in alerts_in(entry.packed)]
        if len(pieces) > 1:
            self._begin_epoch(marks, lambda: self._replace(entry, pieces))
            self.depth = self._journal.depth()

    def give_up(self, lane: int, sequence: int, reason: str) -> None:
        """Put a Dropped message in an entry's place; it takes in its neighbours of the same kind."""
        entry = self._at(lane, sequence)
        if entry is None or entry.packed.encoding == DROPPED:
            return
        before = self._journal.find(lane, entry.sequence - 1)
        start = before if before and before.packed.encoding == DROPPED else entry
        near = self._journal.outlines(lane, start.position - 1, entries=3)
        stretch = takewhile(lambda each: each.position == entry.position or each.encoding == DROPPED, near)
        self._bury(lane, list(stretch), reason)

    def expire(self, lane: int, limit_us: int) -> bool:
        """Give up some entries that were appended before a time; return whether there may be more."""
        first = self._first(lane)
        if len(first) < PROTECTED:
            return False
        start = max(first[-1].position, self._handed.get(lane, LOWEST))
        near = self._journal.outlines(lane, start, entries=EXPIRED_AT_ONCE)
        old = list(takewhile(lambda each: each.received_us < limit_us, near))
        if all(each.encoding == DROPPED for each in old):
            return False
        self._bury(lane, old, "age")
        return len(old) == EXPIRED_AT_ONCE

    def relieve(self, size: int, reason: str) -> bool:
        """Give up the oldest alerts that may wait and have not left; tell whether there were any.

        Some at a time, and no more than make up a size in bytes.
        """
        lane, freed = Lane.LANE_NORMAL, 0
        going: list[Outline] = []
        for each in self._journal.outlines(lane, self._handed.get(lane, LOWEST), entries=EXPIRED_AT_ONCE):
            if freed >= size:
                break
            going.append(each)
            freed += each.bytes + ENTRY_BYTES if each.encoding != DROPPED else 0
        if freed:
            self._bury(lane, going, reason)
        return freed > 0

    def hours(self) -> list[LedgerHour]:
        """Return the whole ledger, with all entries counted; what waits is counted anew as well."""
        held = self._journal.held()
        entries, alerts = sum(each.entries for each in held), sum(each.alerts for each in held)
        size = sum(each.bytes for each in held)
        self.depth = Depth(entries, alerts, size, self._journal.oldest_us())
        hours = ledger.hours(self._journal.query, held)
        for hour in hours:
            hour.book = self._book
        return hours

    def forget_hours(self) -> None:
        """Forget hours of the ledger that are old and balance."""
        old = ledger.settled(self.hours(), self.now_us() // HOUR_US)
        if old:
            with self._journal.transaction() as db:
                ledger.forget(db, old)

    def dropped(self) -> Mapping[str, int]:
        """Return how many alerts were given up after they had been spooled, by reason."""
        notes = self._journal.notes("dropped:")
        return {key.removeprefix("dropped:"): number(noted) for key, noted in notes.items()}

    def positions(self) -> Mapping[str, bytes]:
        """Return where each source stood at its last commit."""
        notes = self._journal.notes("position:")
        return {key.removeprefix("position:"): noted for key, noted in notes.items()}

    def holding(self) -> held_rows.Opened:
        """Return the windows that hold alerts for a roll-up."""
        return held_rows.opened(self._journal.query)

    def last(self) -> Mapping[int, int]:
        """Return the last sequence given in each lane, as on disk."""
        return {lane: self._numbers[lane].last for lane in LANES}

    def holds_until(self, last: Mapping[int, int]) -> bool:
        """Tell whether there is an entry of a lane at or before these sequences, as on disk."""
        return any(self._journal.find(lane, sequence) for lane, sequence in last.items())

    def _put(
        self,
        source: str,
        alerts: Sequence[Waiting],
        tally: Mapping[str, int],
        notes: Mapping[str, bytes],
        also: Callable[[sqlite3.Connection], None] | None,
    ) -> None:
        now = self.now_us()
        drafts, numbers = self._drafts(source, alerts)

        def with_ledger(db: sqlite3.Connection) -> None:
            ledger.add(db, source, now // HOUR_US, {**tally, "spooled": len(alerts)})
            if also is not None:
                also(db)

        notes = {**notes, **notes_of(numbers)}
        entries = self._journal.append(drafts, notes=notes, also=with_ledger, at_us=now)
        self._latest = Latest(entries, dict(self._newest))
        self._newest |= {entry.lane: entry.position for entry in entries}
        self._numbers |= numbers
        self._count(len(drafts), len(alerts), sum(len(draft.packed.payload) for draft in drafts))
        if drafts and self.depth.oldest_us is None:
            self.depth = replace(self.depth, oldest_us=now)

    def _drafts(self, source: str, waiting: Sequence[Waiting]) -> tuple[list[Draft], dict[int, Numbers]]:
        drafts: list[Draft] = []
        numbers: dict[int, Numbers] = {}
        for lane in LANES:
            alerts = [alert.payload for alert in waiting if alert.lane == lane]
            last = self._numbers[lane].last
            for portion in portions(alerts, len, most=MOST_ALERTS, largest=MOST_BYTES):
                last += 1
                drafts.append(Draft(source, lane, last, batch.pack(portion)))
            if alerts:
                total = self._numbers[lane].total + len(alerts)
                numbers[lane] = replace(self._numbers[lane], last=last, total=total)
        return drafts, numbers

    def _at(self, lane: int, sequence: int) -> Entry | None:
        """Return the entry of a sequence as the hub knows it."""
        wanted = sequence + self._numbers[lane].base
        entry = self._journal.find(lane, wanted)
        return entry if entry and entry.sequence == wanted else None

    def _is_ours(self, mark: Mark) -> bool:
        numbers = self._numbers.get(mark.lane)
        if numbers is None or mark.sequence + numbers.base > numbers.last:
            return False
        wanted = mark.sequence + numbers.base
        if wanted <= numbers.trimmed:  # less than was acknowledged: the hub is an old copy, and counts it
            return wanted < numbers.trimmed or mark.check == numbers.check
        entry = self._journal.find(mark.lane, wanted)
        if entry is not None and entry.sequence == wanted:
            return mark.check == check_of(shown(entry, numbers.base).packed)
        # Within what was given up it has alerts that we call dropped. Else a row is missing, which shows.
        behind = self._journal.find_behind(mark.lane, wanted)
        return behind is None or first_sequence(behind) > wanted

    def _begin_epoch(self, marks: Mapping[int, int], change: Callable[[], None]) -> None:
        epoch = secrets.token_bytes(EPOCH_BYTES)
        with self._journal.transaction() as db:
            numbers, gone = self._forget(db, marks)
            change()
            numbers = self._renumbered()
            self._journal.put({"epoch": epoch, **notes_of(numbers)})
        self._trimmed(numbers, gone)
        self.epoch = epoch

    def _renumbered(self) -> dict[int, Numbers]:
        """Return what the numbers are in a new epoch."""
        standing = self._standing()
        numbers: dict[int, Numbers] = {}
        for lane in LANES:
            last = self._numbers[lane].last
            first = self._journal.find_behind(lane, 0)
            base = last if first is None else first_sequence(first) - 1
            numbers[lane] = Numbers(base=base, last=last, total=standing[lane])
        return numbers

    def _forget(
        self, db: sqlite3.Connection, marks: Mapping[int, int]
    ) -> tuple[dict[int, Numbers], list[Held]]:
        """Forget what was acknowledged, within a transaction; return what to take note of behind it."""
        numbers: dict[int, Numbers] = {}
        gone: list[Held] = []
        self._latest = Latest()
        for lane, sequence in marks.items():
            known = self._numbers[lane]
            last = self._journal.find(lane, min(sequence + known.base, known.last))
            if last is not None:
                check = check_of(shown(last, known.base).packed)
                numbers[lane] = replace(known, trimmed=last.sequence, check=check)
                gone += self._journal.trim_lane(lane, last.sequence)
        for (source, hour), alerts in ledger.by_hour(gone).items():
            ledger.add(db, source, hour, {"acknowledged": alerts})
        total = self.acknowledged + sum(held.alerts for held in gone)
        self._journal.put({"acknowledged": note(total), **notes_of(numbers)})
        return numbers, gone

    def _trimmed(self, numbers: Mapping[int, Numbers], gone: Sequence[Held]) -> None:
        self._numbers |= numbers
        for held in gone:
            self.acknowledged += held.alerts
            self._count(-held.entries, -held.alerts, -held.bytes)
        self.depth = replace(self.depth, oldest_us=self._journal.oldest_us())

    def _replace(self, entry: Entry, pieces: Sequence[Packed]) -> None:
        """Put pieces in the place of an entry; they and what is before it in its lane go first of all."""
        position, shift = self._journal.first() or 0, len(pieces) - 1
        before = [each for each in self._first(entry.lane) if each.position < entry.position]
        self._journal.remove(entry.position)
        for back, piece in enumerate(reversed(pieces)):
            position -= 1
            draft = Draft(entry.origin, entry.lane, entry.sequence - back, piece)
            self._journal.insert(draft, entry.received_us, position)
        for outline in reversed(before):
            (moved,) = self._journal.read_lane(entry.lane, outline.position - 1, entries=1, size=1)
            moved = shown(moved, shift)
            self._journal.remove(outline.position)
            position -= 1
            draft = Draft(moved.origin, entry.lane, moved.sequence, moved.packed)
            self._journal.insert(draft, moved.received_us, position)

    def _bury(self, lane: int, outlines: Sequence[Outline], reason: str) -> None:
        self._latest = Latest()
        lost = given_up.lost(outlines)
        before = self.dropped().get(reason, 0)
        with self._journal.transaction() as db:
            entries, size = given_up.bury(self._journal, lane, outlines, reason)
            for (source, hour), alerts in lost.items():
                ledger.add(db, source, hour, {f"dropped:{reason}": alerts})
            self._journal.put({f"dropped:{reason}": note(before + lost.total())})
        self._count(entries, -lost.total(), size)

    def _first(self, lane: int) -> list[Outline]:
        """Return the entries of a lane that may be on their way."""
        return self._journal.outlines(lane, LOWEST, entries=PROTECTED)

    def _standing(self) -> Mapping[int, int]:
        """Return how many alerts the entries of each lane hold or stand for."""
        alerts: Counter[int] = Counter()
        for held in self._journal.held():
            alerts[held.lane] += held.alerts
        for lane in LANES:
            alerts[lane] += sum(dropped_in(each).alerts for each in self._journal.dropped(lane))
        return alerts

    def _count(self, entries: int, alerts: int, size: int) -> None:
        was = self.depth
        self.depth = Depth(was.entries + entries, was.alerts + alerts, was.bytes + size, was.oldest_us)


def _size(entry: Entry) -> int:
    return len(entry.packed.payload)
