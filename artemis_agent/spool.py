"""Where alerts wait for the hub: batches and the read position they came from, in one transaction.

One SQLite file, `<state_dir>/spool.db`, in the hands of one thread; the rest of the agent awaits it. An
alert belongs to its source's file until `append` returns, to the spool until the hub has acknowledged
it, and to the hub from then on. A batch's sequence is never used twice within an epoch.
"""

import asyncio
import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from artemis_agent.portions import portions
from artemis_agent.worker import Worker
from socme import batch
from socme.errors import OperatorError
from socme.journal import Depth, Draft, Entry, Journal
from socme.v1.uplink_pb2 import Lane

MOST_ALERTS = 500  # in one batch
MOST_BYTES = 1024 * 1024  # of serialised alerts in one batch; one that is larger goes alone
AT_ONCE = 16  # batches that are read from the disk together
RESERVE_BYTES = 64 * 1024 * 1024  # of the disk are left free: SQLite needs space to forget, too
TRIM_SECONDS = 0.2  # how long acknowledgements are gathered before the entries go in one commit
EPOCH_BYTES = 16
FILE = "spool.db"
LOCK = "artemis.lock"
_LANE = Lane.LANE_NORMAL  # the only one that this agent fills so far
_SEQUENCE = f"sequence:{_LANE}"  # note: the last sequence given in the lane
_MEND = (
    f"Check that its disk has space. If it is damaged, move {FILE} in the state folder away (keep it: it may"
    " hold alerts) and start again."
)

Result = TypeVar("Result")


class SpoolWriteError(Exception):
    """The spool cannot be written now (disk full, I/O error); nothing of the append was kept."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What one commit keeps: alerts, and how far their source has been read."""

    source: str
    """Its name."""
    position: bytes
    """Where it stands, opaque."""
    counters: bytes
    """Its totals, opaque."""
    alerts: Sequence[bytes] = ()
    """Serialised Alert messages in order."""
    also: Callable[[sqlite3.Connection], None] | None = None
    """What else belongs into the transaction."""


@dataclass(slots=True)
class _State:
    """What the loop knows of the file without asking the thread, which keeps `depth` and `acknowledged`."""

    depth: Depth
    acknowledged: int
    marks: dict[int, int] = field(default_factory=dict)
    """For each lane, the last acknowledged sequence that is not trimmed yet."""


class Spool:
    """The spool of one agent; made by `open_spool`, used from one event loop."""

    def __init__(self, journal: Journal, lock: int, *, max_bytes: int) -> None:
        self._journal = journal
        self.worker = Worker("spool")
        self._lock = lock
        self._max_bytes = max_bytes
        self._changed = asyncio.Condition()
        self._trim_due = asyncio.Event()
        self._state = _State(journal.depth(), _number(journal.note("acknowledged")))
        self._epoch = journal.note("epoch") or b""

    @property
    def epoch(self) -> bytes:
        """16 random bytes that name this spool's sequences."""
        return self._epoch

    @property
    def depth(self) -> Depth:
        """What waits for an acknowledgement."""
        return self._state.depth

    @property
    def acknowledged(self) -> int:
        """Alerts that the hub has taken since the first start of this epoch."""
        return self._state.acknowledged

    async def append(self, progress: Progress) -> None:
        """Commit progress as a whole; raise SpoolWriteError where the disk does not take it."""
        await self._call(lambda: self._append(progress))
        async with self._changed:
            self._changed.notify_all()

    async def position(self, source: str) -> bytes | None:
        """Return where a source stood at the last commit; None for a new one."""
        return await self._call(lambda: self._journal.note(f"position:{source}"))

    async def counters(self, source: str) -> bytes | None:
        """Return the totals of a source at the last commit; None for a new one."""
        return await self._call(lambda: self._journal.note(f"counters:{source}"))

    async def ask(self, question: Callable[[Journal], Result]) -> Result:
        """Return what `question` makes of the journal, in the spool's thread; it must not write."""
        return await self._call(lambda: question(self._journal))

    async def wait_for_room(self) -> None:
        """Wait until the spool is below its bound."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._state.depth.bytes < self._max_bytes)

    async def read(self, after: int, *, entries: int, size: int) -> list[Entry]:
        """Return batches behind a position, in order: at most `entries`, and at most `size` bytes or one."""
        return await self._call(lambda: self._journal.read(after, entries=entries, size=size))

    async def wait_for_more(self, after: int) -> list[Entry]:
        """Wait until there are batches behind a position; return the first few."""
        async with self._changed:
            while not (found := await self.read(after, entries=AT_ONCE, size=MOST_BYTES)):
                await self._changed.wait()
        return found

    def acknowledge(self, lane: int, sequence: int) -> None:
        """Take note that the hub has all batches of a lane up to a sequence; `run_trim` forgets them."""
        marks = self._state.marks
        marks[lane] = max(sequence, marks.get(lane, 0))
        self._trim_due.set()

    async def run_trim(self) -> None:
        """Forget acknowledged batches, many in one commit, for ever."""
        while True:
            await self._trim_due.wait()
            await asyncio.sleep(TRIM_SECONDS)
            await self.trim()

    async def trim(self) -> None:
        """Forget acknowledged batches now; where the disk does not take it, later."""
        self._trim_due.clear()
        marks, self._state.marks = self._state.marks, {}
        try:
            await self._call(lambda: self._trim(marks))
        except SpoolWriteError:
            for lane, sequence in marks.items():
                self.acknowledge(lane, sequence)
            return
        async with self._changed:
            self._changed.notify_all()

    async def follow(self, marks: Mapping[int, int]) -> bool:
        """Forget what the hub says it has of this epoch; return whether the stream may go on.

        A hub that has sequences which this spool never gave means that the spool is an old copy of
        itself (a restored backup). It begins a new epoch then, so that no number stands for two batches,
        and the stream must be opened anew; the hub recognises alerts that it has by their ids.
        """
        if await self._call(lambda: self._is_behind(marks)):
            self._epoch = await self._call(self._begin_epoch)
            return False
        self.acknowledge(_LANE, marks.get(_LANE, 0))
        await self.trim()
        return True

    async def close(self) -> None:
        """Let go of the file; what was asked before is finished first."""
        await self._call(self._journal.close)
        self.worker.close()
        os.close(self._lock)

    async def _call(self, work: Callable[[], Result]) -> Result:
        try:
            return await self.worker.do(work)
        except sqlite3.OperationalError as error:
            raise SpoolWriteError(str(error)) from error
        except sqlite3.DatabaseError as error:
            raise OperatorError(f"the spool is damaged: {error}", _MEND) from error

    def _append(self, progress: Progress) -> None:
        self._leave_reserve()
        last = _number(self._journal.note(_SEQUENCE))
        drafts = [
            Draft("", _LANE, last + number, batch.pack(alerts))
            for number, alerts in enumerate(
                portions(progress.alerts, len, most=MOST_ALERTS, largest=MOST_BYTES), start=1
            )
        ]
        notes = {
            f"position:{progress.source}": progress.position,
            f"counters:{progress.source}": progress.counters,
        }
        if drafts:
            notes[_SEQUENCE] = _bytes(drafts[-1].sequence)
        entries = self._journal.append(drafts, notes=notes, also=progress.also)
        for entry in entries:
            self._state.depth = _deeper(self._state.depth, entry)

    def _leave_reserve(self) -> None:
        """Refuse what might take the last of the disk: then nothing could be forgotten either, for ever."""
        disk = os.fstatvfs(self._lock)
        free = disk.f_bavail * disk.f_frsize
        if free < RESERVE_BYTES and free + self._journal.reusable_bytes() < RESERVE_BYTES:
            raise SpoolWriteError(f"less than {RESERVE_BYTES // 1024**2} MiB of its disk are free")

    def _trim(self, marks: Mapping[int, int]) -> None:
        forgotten: list[Depth] = []
        total = self._state.acknowledged

        def forget(db: sqlite3.Connection) -> None:
            nonlocal total
            forgotten.extend(self._journal.trim_lane(lane, sequence) for lane, sequence in marks.items())
            total += sum(depth.alerts for depth in forgotten)
            db.execute("INSERT OR REPLACE INTO note VALUES ('acknowledged', ?)", (_bytes(total),))

        self._journal.append([], also=forget)
        self._state.acknowledged = total
        for depth in forgotten:
            self._state.depth = _shallower(self._state.depth, depth, self._journal.oldest_us())

    def _is_behind(self, marks: Mapping[int, int]) -> bool:
        return marks.get(_LANE, 0) > _number(self._journal.note(_SEQUENCE))

    def _begin_epoch(self) -> bytes:
        epoch = secrets.token_bytes(EPOCH_BYTES)

        def renumber(db: sqlite3.Connection) -> None:
            rows = db.execute("SELECT position FROM entry ORDER BY position").fetchall()
            numbered = [(number, row[0]) for number, row in enumerate(rows, start=1)]
            db.executemany("UPDATE entry SET sequence = ? WHERE position = ?", numbered)
            db.execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (_SEQUENCE, _bytes(len(numbered))))

        self._journal.append([], notes={"epoch": epoch}, also=renumber)
        return epoch


def open_spool(
    state_dir: Path, *, max_bytes: int, schema: str = "", clock: Callable[[], int] = time.time_ns
) -> Spool:
    """Open the spool, making it where there is none; refuse where another agent has it.

    `schema` makes the tables of those who write in the same transactions (Progress.also).
    """
    lock = _take(state_dir / LOCK)
    try:
        journal = Journal(state_dir / FILE, schema=schema, clock=clock)
        if journal.note("epoch") is None:
            journal.append([], notes={"epoch": secrets.token_bytes(EPOCH_BYTES)})
        return Spool(journal, lock, max_bytes=max_bytes)
    except BaseException as error:
        os.close(lock)
        if isinstance(error, sqlite3.DatabaseError):
            raise OperatorError(f"the spool cannot be opened: {error}", _MEND) from error
        raise


def is_running(state_dir: Path) -> bool:
    """Tell whether an agent has the spool of this folder open."""
    path = state_dir / LOCK
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise OperatorError(
            f"cannot read {path}: {error.strerror}", "Run this as the user that artemis runs as, or as root."
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


@dataclass(frozen=True, slots=True)
class Peek:
    """What a spool holds, seen from outside the agent that owns it."""

    notes: Mapping[str, bytes]
    depth: Depth

    @property
    def acknowledged(self) -> int:
        """Alerts that the hub has taken since the first start of this epoch."""
        return _number(self.notes.get("acknowledged"))

    def of_sources(self, what: str) -> dict[str, bytes]:
        """Return each source's "position" or "counters", by its name."""
        prefix = f"{what}:"
        return {key.removeprefix(prefix): note for key, note in self.notes.items() if key.startswith(prefix)}


def peek(state_dir: Path) -> Peek | None:
    """Return what the spool of a state folder holds, None for no spool; its agent is not disturbed."""
    path = state_dir / FILE
    try:
        if not path.is_file():
            return None
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            notes = {str(key): bytes(value) for key, value in db.execute("SELECT key, value FROM note")}
            row = db.execute(
                "SELECT count(*), coalesce(sum(alerts), 0), coalesce(sum(bytes), 0), min(received_us)"
                " FROM entry"
            ).fetchone()
    except (OSError, sqlite3.Error) as error:
        raise OperatorError(
            f"cannot read {path}: {error}", "Run this as the user that artemis runs as, or as root."
        ) from error
    return Peek(notes, Depth(*row))


def _deeper(depth: Depth, entry: Entry) -> Depth:
    packed = entry.packed
    return Depth(
        depth.entries + 1,
        depth.alerts + packed.alerts,
        depth.bytes + len(packed.payload),
        entry.received_us if depth.oldest_us is None else depth.oldest_us,
    )


def _shallower(depth: Depth, gone: Depth, oldest_us: int | None) -> Depth:
    return Depth(
        depth.entries - gone.entries, depth.alerts - gone.alerts, depth.bytes - gone.bytes, oldest_us
    )


def _take(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OperatorError(
            f"cannot write to the state folder {path.parent}: {error.strerror}",
            "Run this as the user that owns the folder, or set state_dir to another.",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise OperatorError(
            f"another artemis runs with the state folder {path.parent}",
            "Stop it first (systemctl stop artemis), or give this one a state_dir of its own.",
        ) from None
    return handle


def _bytes(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _number(note: bytes | None) -> int:
    return int.from_bytes(note or b"", "big")
