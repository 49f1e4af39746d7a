"""The journal's thread: what one group of batches changes, and how it gets to disk. All calls block.

Batches, the marks that recognise a second delivery, and the accounts of what came are written in one
transaction, so that neither a restart nor two streams of one node can let a batch in twice. Some of the
disk is always left free: SQLite needs space to forget, too.
"""

import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from socme.journal import Draft, Entry, Journal
from zeus_hub import accounts, marks
from zeus_hub.accounts import Account
from zeus_hub.marks import Advance, GivenUp, Mark, Step

ENTRY_BYTES = 100  # what an entry takes on disk beside its payload, about
TRIMMED_AT_ONCE = 64  # entries forgotten in one transaction, beside as many as it adds
TRIMMED_IN_NEED = 4096  # the same, where the disk is full
RESERVE_BYTES = 64 * 1024 * 1024  # of the disk are left free
_IDENTITY = "journal"  # note: 16 random bytes, made with the journal
_OWN = "own:"  # note, for each origin: the last sequence of the hub's own batches about it


class NoRoomError(OSError):
    """The disk is so full that nothing is written any more; what was there is unharmed."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A batch that was handed in."""

    draft: Draft
    epoch: bytes
    """Of the node's spool; empty for the hub's own batch, whose sequence is given when it is written."""
    acknowledge: Callable[[int, int], None]
    """Called with lane and sequence, on the event loop, once the batch is on disk."""
    before: int = 0
    """Alerts of the lane before it, by the node's count."""
    given_up: GivenUp | None = None
    """What it says instead of alerts; it makes no entry then."""
    notes: Mapping[str, bytes | None] = field(default_factory=dict)
    """What is written down with the hub's own batch; None: what is forgotten."""
    may_repeat: bool = False
    """Whether the hub's own batch may have been written before, so that watchers are to be spared it."""
    wanted: Callable[[], bool] = lambda: True
    """Whether anybody still waits for it; otherwise it may be left out, and stays the node's."""

    @property
    def step(self) -> Step:
        """What it means for its lane's mark."""
        draft, lost = self.draft, self.given_up
        if lost is not None:
            return Step(draft.sequence, self.before, lost.alerts, lost.first_sequence)
        return Step(draft.sequence, self.before, draft.packed.alerts, draft.sequence)


@dataclass(frozen=True, slots=True)
class Gap:
    """A batch that came instead of the next."""

    origin: str
    lane: int
    mark: int
    sequence: int
    missing: int


@dataclass(frozen=True, slots=True)
class Committed:
    """What one group commit did."""

    entries: Sequence[Entry] = ()
    """What was new, in order."""
    new: Collection[int] = ()
    """The positions of the hub's own, and of those that a node gave in the first life of its spool that this
    journal heard of, while there was no other: it gives no alert twice in one. In a later one it may have
    read its files again, and what came in that, the first may give after it."""
    repeated: int = 0
    """Batches that were on disk already."""
    gaps: Sequence[Gap] = ()
    """Sequences that were left out, and alerts that are missing."""
    accounts: Mapping[str, Account] = field(default_factory=dict)
    """Those that changed, by origin, as they are now."""


@dataclass(slots=True)
class _Change:
    """What a group changes; nothing of it is on disk yet."""

    drafts: list[Draft] = field(default_factory=list)
    new: list[bool] = field(default_factory=list)
    """For each of them, whether its alerts cannot have come before."""
    marks: dict[str, Mark] = field(default_factory=dict)
    payloads: dict[str, bytes] = field(default_factory=dict)
    """For each mark's name, the last payload: hashing that one is enough."""
    accounts: dict[str, Account] = field(default_factory=dict)
    own: dict[str, int] = field(default_factory=dict)
    notes: dict[str, bytes | None] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    """Nodes with a lane, and so perhaps with a spool, that is new here."""
    gaps: list[Gap] = field(default_factory=list)
    repeated: int = 0


class Journalist:
    """Everything that touches the journal's file goes through here.

    Of what every sink has gone past, `keep_bytes` are kept, and RESERVE_BYTES of the disk are left free.
    """

    def __init__(self, path: Path, keep_bytes: int) -> None:
        self._journal = Journal(path)
        self._folder = path.parent
        self._keep_bytes = keep_bytes
        depth = self._journal.depth()
        self._held_bytes = depth.bytes + ENTRY_BYTES * depth.entries
        self._accounts = accounts.read(self._journal.notes(accounts.PREFIX))
        self._several = marks.of_several(self._journal.notes(marks.PREFIX))
        """Nodes with more than one spool: what one gives, another may have given; the first one too, where a
        copy of the machine ran, or an old copy of the spool was put back."""
        found = self._journal.note(_IDENTITY)
        self.identity = found or secrets.token_bytes(16)
        """Tells this journal from one that was in its place before."""
        if found is None:
            self._journal.append([], notes={_IDENTITY: self.identity})

    def accounts(self) -> dict[str, Account]:
        """Return all accounts by origin."""
        return dict(self._accounts)

    def notes(self, prefix: str) -> dict[str, bytes]:
        """Return the notes whose names begin with a prefix."""
        return self._journal.notes(prefix)

    def marks(self, origin: str, epoch: bytes) -> dict[int, Mark]:
        """Return the end of each lane of a node's spool."""
        prefix = marks.of_epoch(origin, epoch)
        notes = self._journal.notes(prefix)
        return {int(name.removeprefix(prefix)): marks.decode(note) for name, note in notes.items()}

    def commit(self, group: Sequence[Handed], needed: int) -> Committed:
        """Put what is new in a group on disk; entries up to `needed` may be forgotten.

        Raise NoRoomError, or what SQLite raises, where the disk does not take it: nothing is changed then.
        """
        self._make_room(needed)
        change = _Change()
        for handed in group:
            if handed.epoch:
                self._take(change, handed)
            else:
                self._take_own(change, handed)
        entries = self._write(change, needed)
        self._accounts.update(change.accounts)
        new = [entry.position for entry, new in zip(entries, change.new, strict=True) if new]
        return Committed(entries, new, change.repeated, change.gaps, change.accounts)

    def probe(self, needed: int) -> None:
        """Write something of no consequence; raise as `commit` does."""
        self._make_room(needed)
        self._journal.append([], notes={_IDENTITY: self.identity})

    def last(self) -> int:
        """Return the last position ever given."""
        return self._journal.last()

    def close(self) -> None:
        """Close the file."""
        self._journal.close()

    def _take(self, change: _Change, handed: Handed) -> None:
        draft = handed.draft
        name = marks.key(draft.origin, handed.epoch, draft.lane)
        mark = change.marks.get(name) or self._mark(name) or self._begin(change, handed)
        step = marks.advance(mark, handed.step)
        if step is None:
            change.repeated += 1
            return
        change.marks[name] = step.mark
        change.payloads[name] = draft.packed.payload
        account = self._account(change, draft.origin) or Account()
        change.accounts[draft.origin] = _entered(account, handed, step)
        if step.gap or step.missing:
            change.gaps.append(Gap(draft.origin, draft.lane, mark.sequence, draft.sequence, step.missing))
        if handed.given_up is None:
            change.drafts.append(draft)
            change.new.append(mark.first and draft.origin not in self._several)

    def _begin(self, change: _Change, handed: Handed) -> Mark:
        """Return the mark of a lane that is new here."""
        origin = handed.draft.origin
        change.begun.add(origin)
        start = marks.of_epoch(origin, handed.epoch)
        known = [mark for name, mark in change.marks.items() if name.startswith(start)]
        known += self.marks(origin, handed.epoch).values()
        first = self._account(change, origin) is None or any(mark.first for mark in known)
        if not first:
            self._several.add(origin)
        return marks.begin(handed.step, first=first)

    def _take_own(self, change: _Change, handed: Handed) -> None:
        change.notes |= handed.notes
        if not handed.draft.packed.alerts:
            return
        origin = handed.draft.origin
        last = change.own[origin] if origin in change.own else self._own(origin)
        change.own[origin] = last + 1
        change.drafts.append(replace(handed.draft, sequence=last + 1))
        change.new.append(not handed.may_repeat)  # what the hub itself sees, it tells once (opened.py)
        account = self._account(change, origin) or Account()
        change.accounts[origin] = account.with_own(handed.draft.packed.alerts)

    def _write(self, change: _Change, needed: int) -> list[Entry]:
        if not change.accounts and not change.notes:
            return []
        age = self._journal.last()
        notes = {accounts.key(origin): accounts.encode(each) for origin, each in change.accounts.items()}
        notes |= {f"{_OWN}{origin}": sequence.to_bytes(8, "big") for origin, sequence in change.own.items()}
        notes |= {name: note for name, note in change.notes.items() if note is not None}
        for name, mark in change.marks.items():
            found = marks.check(change.payloads[name])
            notes[name] = marks.encode(replace(mark, check=found, age=age))
        freed = 0

        def also(_db: sqlite3.Connection) -> None:
            nonlocal freed
            for origin in change.begun:
                self._forget_epochs(origin)
            self._journal.delete_notes(name for name, note in change.notes.items() if note is None)
            freed = self._trim(needed, TRIMMED_AT_ONCE + len(change.drafts), self._keep_bytes)

        entries = self._journal.append(change.drafts, notes=notes, also=also)
        self._held_bytes += sum(ENTRY_BYTES + len(draft.packed.payload) for draft in change.drafts) - freed
        return entries

    def _make_room(self, needed: int) -> None:
        """Keep some of the disk free: at the expense of what is only kept for watchers, else refuse."""
        while self._is_short():
            if not self._forget(needed):
                raise NoRoomError(f"less than {RESERVE_BYTES // 1024**2} MiB of its disk are free")

    def _forget(self, needed: int) -> int:
        """Forget a few entries that are not needed; return how many bytes that was.

        Few, because SQLite may write as much as it forgets before it can use the place anew.
        """
        freed = 0

        def also(_db: sqlite3.Connection) -> None:
            nonlocal freed
            keep = max(0, self._held_bytes - RESERVE_BYTES // 8)
            freed = self._trim(needed, TRIMMED_IN_NEED, keep)

        self._journal.append([], also=also)
        self._held_bytes -= freed
        return freed

    def _is_short(self) -> bool:
        disk = os.statvfs(self._folder)
        free = disk.f_bavail * disk.f_frsize
        return free < RESERVE_BYTES and free + self._journal.reusable_bytes() < RESERVE_BYTES

    def _trim(self, needed: int, most: int, keep_bytes: int) -> int:
        """Forget the oldest entries as far as there are too many bytes; return how many bytes that was."""
        if self._held_bytes <= keep_bytes:
            return 0
        freed, last = 0, 0
        for position, size in self._journal.oldest(most):
            if position > needed or self._held_bytes - freed <= keep_bytes:
                break
            freed, last = freed + ENTRY_BYTES + size, position
        self._journal.forget(last)
        return freed

    def _forget_epochs(self, origin: str) -> None:
        """Keep the marks of a node's newest spools only, so that marks cannot fill the journal."""
        notes = self._journal.notes(marks.of_origin(origin))
        self._journal.delete_notes(marks.outdated(origin, notes))

    def _mark(self, name: str) -> Mark | None:
        note = self._journal.note(name)
        return marks.decode(note) if note else None

    def _own(self, origin: str) -> int:
        return int.from_bytes(self._journal.note(f"{_OWN}{origin}") or b"", "big")

    def _account(self, change: _Change, origin: str) -> Account | None:
        return change.accounts.get(origin) or self._accounts.get(origin)


def _entered(account: Account, handed: Handed, step: Advance) -> Account:
    """Return an account with a batch that is new."""
    if handed.given_up is not None:
        return account.with_given_up(handed.given_up.reason, step.fresh, step.missing)
    return account.with_batch(step.fresh, step.missing)


class Stopwatch:
    """How long a thread has been at one piece of work. Read from any thread."""

    def __init__(self) -> None:
        self._began: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds since the work that is being done began; 0 where the thread is idle."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._began = None
