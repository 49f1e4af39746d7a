"""The group commit: batches of all nodes that wait together go to disk together, then are acknowledged.

A batch that was handed in is the hub's from the moment its callback runs, not before. One thread owns
the journal. The high-water marks that recognise a second delivery are read and written in the same
transaction as the batches, so that neither a restart nor two streams of one node can let one in twice.

At the bound of waiting batches `hand_in` waits, and with it the stream that calls it: gRPC's flow control
then makes the node wait, whose spool holds what comes meanwhile. Where the disk fails, nothing is
acknowledged, and the same group is tried again until it works.
"""

import asyncio
import logging
import random
import secrets
import sqlite3
import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from socme import logs
from socme.backoff import delays
from socme.errors import OperatorError
from socme.journal import Draft, Entry, Journal

LOG = logging.getLogger("zeus.commit")

WAITING_BYTES = 64 * 1024 * 1024  # of payloads of all nodes that wait for the disk
WAITING_BATCHES = 4096  # the same, counted
GROUP_BYTES = 16 * 1024 * 1024  # of payloads in one transaction, or one batch
GROUP_BATCHES = 1024  # in one transaction
EPOCHS_KEPT = 16  # spools of one node whose marks are remembered; Alert.id recognises what is older
ENTRY_BYTES = 100  # what an entry takes on disk beside its payload, about
TRIMMED_AT_ONCE = 64  # entries forgotten in one transaction, beside as many as it adds
LONGEST_PAUSE = 5.0  # seconds between two attempts where the disk fails
_IDENTITY = "journal"  # note: 16 random bytes, made with the journal
_MARK = struct.Struct(">QQ")  # sequence, and the journal's position then, which orders epochs by age


@dataclass(frozen=True, slots=True)
class Handed:
    """A batch that was handed in."""

    draft: Draft
    epoch: bytes
    acknowledge: Callable[[int, int], None]
    """Called with lane and sequence, on the event loop, once the batch is on disk."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What one group commit did."""

    entries: Sequence[Entry]
    """What was new, in order."""
    repeated: int
    """Batches that were on disk already."""
    gaps: Sequence[tuple[str, int, int, int]]
    """Origin, lane, the mark and the sequence that came instead of the next."""


class Journalist:
    """The journal's thread: everything that touches the file goes through here. All calls block."""

    def __init__(self, path: Path, keep_bytes: int) -> None:
        self._journal = Journal(path)
        self._keep_bytes = keep_bytes
        depth = self._journal.depth()
        self._held_bytes = depth.bytes + ENTRY_BYTES * depth.entries
        found = self._journal.note(_IDENTITY)
        self.identity = found or secrets.token_bytes(16)
        """Tells this journal from one that was in its place before."""
        if found is None:
            self._journal.append([], notes={_IDENTITY: self.identity})

    def marks(self, origin: str, epoch: bytes) -> dict[int, int]:
        """Return the last sequence on disk of each lane of a node's spool."""
        prefix = _prefix(origin, epoch)
        notes = self._journal.notes(prefix)
        return {int(key.removeprefix(prefix)): _MARK.unpack(note)[0] for key, note in notes.items()}

    def commit(self, group: Sequence[Handed], needed: int) -> Committed:
        """Put what is new in a group on disk; entries up to `needed` may be forgotten."""
        marks: dict[str, int] = {}
        drafts: list[Draft] = []
        gaps: list[tuple[str, int, int, int]] = []
        begun: set[str] = set()  # nodes with a lane, and so perhaps with a spool, that is new here
        for handed in group:
            draft = handed.draft
            key = f"{_prefix(draft.origin, handed.epoch)}{draft.lane}"
            mark = marks[key] if key in marks else self._mark(key)
            if draft.sequence > mark:
                drafts.append(draft)
                if draft.sequence != mark + 1:
                    gaps.append((draft.origin, draft.lane, mark, draft.sequence))
                if not mark:
                    begun.add(draft.origin)
            marks[key] = max(mark, draft.sequence)
        entries = self._append(drafts, marks, begun, needed) if drafts else []
        return Committed(entries, len(group) - len(entries), gaps)

    def last(self) -> int:
        """Return the last position ever given."""
        return self._journal.last()

    def close(self) -> None:
        """Close the file."""
        self._journal.close()

    def _append(
        self, drafts: Sequence[Draft], marks: dict[str, int], begun: set[str], needed: int
    ) -> list[Entry]:
        age = self._journal.last()
        notes = {key: _MARK.pack(sequence, age) for key, sequence in marks.items()}
        freed = 0

        def also(db: sqlite3.Connection) -> None:
            nonlocal freed
            for origin in begun:
                _forget_old_epochs(db, origin)
            if self._held_bytes > self._keep_bytes:
                freed = self._trim(db, needed, TRIMMED_AT_ONCE + len(drafts))

        entries = self._journal.append(drafts, notes=notes, also=also)
        self._held_bytes += sum(ENTRY_BYTES + len(draft.packed.payload) for draft in drafts) - freed
        return entries

    def _trim(self, db: sqlite3.Connection, needed: int, most: int) -> int:
        """Forget the oldest entries as far as there are too many bytes; return how many bytes that was."""
        freed, last = 0, 0
        rows = db.execute("SELECT position, bytes FROM entry ORDER BY position LIMIT ?", (most,)).fetchall()
        for position, size in rows:
            if position > needed or self._held_bytes - freed <= self._keep_bytes:
                break
            freed, last = freed + ENTRY_BYTES + size, position
        db.execute("DELETE FROM entry WHERE position <= ?", (last,))
        return freed

    def _mark(self, key: str) -> int:
        note = self._journal.note(key)
        return int(_MARK.unpack(note)[0]) if note else 0


class Committer:
    """Collects what nodes hand in and commits it in groups.

    `needed` says up to which position every sink has read; `committed` is called, on the event loop,
    with what is new on disk, before anything is acknowledged.
    """

    def __init__(
        self,
        path: Path,
        keep_bytes: int,
        *,
        needed: Callable[[], int],
        committed: Callable[[Sequence[Entry]], None],
    ) -> None:
        self._journalist = Journalist(path, keep_bytes)
        self._thread = ThreadPoolExecutor(1, "journal")
        self._needed = needed
        self._committed = committed
        self._waiting: deque[Handed] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Condition()
        self.problem = ""
        """Why nothing can be written now; empty when all is well."""
        self.repeated = 0
        """Batches that came a second time, since the start."""
        self.gaps = 0
        """Sequences that did not follow their mark, since the start."""

    @property
    def identity(self) -> bytes:
        """What tells this journal from one that was in its place before."""
        return self._journalist.identity

    def last(self) -> int:
        """Return the last position in the journal; for the start, before `run`."""
        return self._journalist.last()

    async def marks(self, origin: str, epoch: bytes) -> dict[int, int]:
        """Return the last sequence on disk of each lane of a node's spool."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._journalist.marks, origin, epoch)

    async def hand_in(self, handed: Handed) -> None:
        """Put a batch in line for the disk; waits while too much is in line."""
        async with self._changed:
            await self._changed.wait_for(self._has_room)
            self._waiting.append(handed)
            self._waiting_bytes += len(handed.draft.packed.payload)
            self._changed.notify_all()

    async def run(self) -> None:
        """Commit for ever; in the end, close the journal."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                group = await self._group()
                done = await self._persist(
                    lambda group=group: loop.run_in_executor(  # type: ignore[misc]
                        self._thread, self._journalist.commit, group, self._needed()
                    )
                )
                self._finish(group, done)
        finally:
            self._thread.submit(self._journalist.close)
            self._thread.shutdown(wait=True)

    def _has_room(self) -> bool:
        return self._waiting_bytes < WAITING_BYTES and len(self._waiting) < WAITING_BATCHES

    async def _group(self) -> list[Handed]:
        """Wait for batches and take those that go to disk together."""
        group: list[Handed] = []
        size = 0
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._waiting))
            while self._waiting and len(group) < GROUP_BATCHES and size < GROUP_BYTES:
                handed = self._waiting.popleft()
                size += len(handed.draft.packed.payload)
                group.append(handed)
            self._waiting_bytes -= size
            self._changed.notify_all()
        return group

    async def _persist(self, step: Callable[[], asyncio.Future[Committed]]) -> Committed:
        """Try until the disk takes it: the nodes keep what is not acknowledged."""
        pauses = delays(random.Random(), longest=LONGEST_PAUSE)  # noqa: S311 - spreads load, guards nothing
        while True:
            try:
                done = await step()
            except (sqlite3.Error, OSError) as error:
                if not self.problem:
                    logs.event(LOG, logging.ERROR, "the journal cannot be written", reason=error)
                self.problem = str(error)
                await asyncio.sleep(next(pauses))
                continue
            if self.problem:
                self.problem = ""
                logs.event(LOG, logging.INFO, "the journal can be written again")
            return done

    def _finish(self, group: Sequence[Handed], done: Committed) -> None:
        self.repeated += done.repeated
        self.gaps += len(done.gaps)
        for origin, lane, mark, sequence in done.gaps[:1]:
            logs.event(
                LOG, logging.WARNING, "gap in a lane", origin=origin, lane=lane, after=mark, came=sequence
            )
        if done.entries:
            self._committed(done.entries)
        for handed in group:
            handed.acknowledge(handed.draft.lane, handed.draft.sequence)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Tell a person what to do where the journal cannot be used."""
    try:
        yield
    except sqlite3.Error as error:
        raise OperatorError(
            f"cannot use the journal {path}: {error}",
            "Check the free space, and that no other program holds it. Where it is damaged, move it away"
            " (keep it: it may hold alerts) and start again.",
        ) from error


def _prefix(origin: str, epoch: bytes) -> str:
    return f"mark:{origin}/{epoch.hex()}/"


def _forget_old_epochs(db: sqlite3.Connection, origin: str) -> None:
    """Keep the marks of a node's newest spools only, so that a node cannot fill the journal with marks."""
    start = f"mark:{origin}/"
    rows = db.execute("SELECT key, value FROM note WHERE key >= ? AND key < ?", (start, start + "\U0010ffff"))
    ages: dict[str, int] = {}
    for key, value in rows:
        epoch = key.removeprefix(start).partition("/")[0]
        ages[epoch] = max(ages.get(epoch, 0), _MARK.unpack(value)[1])
    for epoch in sorted(ages, key=lambda epoch: ages[epoch])[:-EPOCHS_KEPT]:
        db.execute("DELETE FROM note WHERE key >= ? AND key < ?", (f"{start}{epoch}/", f"{start}{epoch}0"))
