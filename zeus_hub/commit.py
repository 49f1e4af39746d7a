"""The group commit: batches of all nodes that wait together go to disk together, then are acknowledged.

A batch that was handed in is the hub's from the moment its callback runs, not before. One thread owns
the journal (see journalist).

At the bound of waiting batches `hand_in` waits, and with it the stream that calls it: gRPC's flow control
then makes the node wait, whose spool holds what comes meanwhile. Where the disk fails, nothing is
acknowledged, `problem` says why, and the same batches are tried again until it works.
"""

import asyncio
import logging
import random
import sqlite3
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from socme import logs
from socme.backoff import delays
from socme.batch import pack
from socme.errors import OperatorError
from socme.journal import Draft, Entry
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Lane
from zeus_hub.accounts import Account
from zeus_hub.journalist import Committed, Gap, Handed, Journalist, Stopwatch
from zeus_hub.marks import Mark

LOG = logging.getLogger("zeus.commit")

WAITING_BYTES = 64 * 1024 * 1024  # of payloads of all nodes that wait for the disk
WAITING_BATCHES = 4096  # the same, counted
GROUP_BYTES = 16 * 1024 * 1024  # of payloads in one transaction, or one batch
GROUP_BATCHES = 1024  # in one transaction
LONGEST_PAUSE = 5.0  # seconds between two attempts where the disk fails
_MEND = (
    "Check the free space, and that no other program holds it. Where it is damaged, move it away (keep it: it"
    " may hold alerts) and start again."
)

Result = TypeVar("Result")


class Committer:
    """Collects what nodes hand in and commits it in groups.

    `needed` says up to which position every sink has read; `committed` is called, on the event loop,
    with the entries that are new on disk, before anything is acknowledged, and with the positions of those
    that hold no alert which may have come before (Committed.new).
    """

    def __init__(
        self,
        path: Path,
        keep_bytes: int,
        *,
        needed: Callable[[], int],
        committed: Callable[[Sequence[Entry], Collection[int]], None],
    ) -> None:
        self._journalist = Journalist(path, keep_bytes)
        self._thread = ThreadPoolExecutor(1, "journal")
        self._watch = Stopwatch()
        self._needed = needed
        self._committed = committed
        self._waiting: deque[Handed] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Condition()
        self._listener: Callable[[], None] = lambda: None
        self._accounts = self._journalist.accounts()
        self._untried = True
        self.problem = ""
        """Why nothing can be written now; empty when all is well."""
        self.repeated = 0
        """Batches that came a second time, since the start."""
        self.gaps = 0
        """Batches with something missing before them, since the start."""

    @property
    def identity(self) -> bytes:
        """What tells this journal from one that was in its place before."""
        return self._journalist.identity

    @property
    def busy_seconds(self) -> float:
        """How long the journal's thread has been at the one piece of work that it does now; 0 where idle."""
        return self._watch.seconds

    @property
    def share(self) -> float:
        """How much of what may wait for the disk does wait: 0 to 1, a little more at the most."""
        return max(self._waiting_bytes / WAITING_BYTES, len(self._waiting) / WAITING_BATCHES)

    def accounts(self) -> Mapping[str, Account]:
        """Return what is on disk of each origin, "client/node", and what is missing; a view, not a copy."""
        return MappingProxyType(self._accounts)

    def last(self) -> int:
        """Return the last position in the journal; for the start, before `run`."""
        return self._journalist.last()

    def notes(self, prefix: str) -> Mapping[str, bytes]:
        """Return the notes whose names begin with a prefix; for the start, before `run`."""
        return self._journalist.notes(prefix)

    def listen(self, listener: Callable[[], None]) -> None:
        """Have a function called whenever `problem` or `share` may have changed."""
        self._listener = listener

    async def marks(self, origin: str, epoch: bytes) -> Mapping[int, Mark]:
        """Return the end of each lane of a node's spool that is on disk.

        What was handed in for it and is no longer wanted will not come on top of it.
        """
        return await self._do(lambda: self._journalist.marks(origin, epoch))

    async def hand_in(self, handed: Handed) -> None:
        """Put a batch in line for the disk; waits while too much is in line."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.share < 1)
            self._waiting.append(handed)
            self._waiting_bytes += len(handed.draft.packed.payload)
            self._changed.notify_all()
        self._listener()

    async def announce(self, origin: str, alerts: Sequence[Alert], notes: Mapping[str, bytes | None]) -> None:
        """Put the hub's own alerts about a node into the journal with notes; return once all is on disk.

        Alerts, if any, go the way of all alerts, in the urgent lane; a note of None is deleted. While the
        disk fails this waits. Whoever stops waiting does not know whether it gets there: the notes will tell.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def acknowledge(lane: int, sequence: int) -> None:
            del lane, sequence
            if not done.done():  # nobody waits any more
                done.set_result(None)

        packed = pack([alert.SerializeToString() for alert in alerts])
        await self.hand_in(Handed(Draft(origin, Lane.LANE_URGENT, 0, packed), b"", acknowledge, notes=notes))
        await done

    async def run(self) -> None:
        """Commit for ever; in the end, close the journal."""
        pauses = _pauses()
        try:
            while True:
                group = await self._group()
                try:
                    done = await self._commit(group)
                except (sqlite3.Error, OSError) as error:
                    await self._put_back(group)
                    self._fail(error)
                    await asyncio.sleep(next(pauses))
                    continue
                if self.problem:
                    self._recover()
                    pauses = _pauses()
                self._finish(group, done)
        finally:
            self._thread.submit(self._journalist.close)
            self._thread.shutdown(wait=True)

    async def _group(self) -> list[Handed]:
        """Wait for batches and take those that go to disk together; none where the disk is to be tried.

        So it is at the start: what was wrong with it before must not pass for mended until a batch comes.
        """
        group: list[Handed] = []
        size = 0
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._waiting or self.problem or self._untried))
            while self._waiting and len(group) < GROUP_BATCHES and size < GROUP_BYTES:
                handed = self._waiting.popleft()
                self._waiting_bytes -= len(handed.draft.packed.payload)
                if handed.wanted():
                    size += len(handed.draft.packed.payload)
                    group.append(handed)
            self._changed.notify_all()
        return group

    async def _commit(self, group: Sequence[Handed]) -> Committed:
        needed, tried, self._untried = self._needed(), not self._untried, False
        if group:
            return await self._do(lambda: self._journalist.commit(group, needed))
        if self.problem or not tried:
            await self._do(lambda: self._journalist.probe(needed))
        return Committed()

    async def _put_back(self, group: Sequence[Handed]) -> None:
        """Put a group that the disk did not take where it was; its nodes keep it all the while."""
        async with self._changed:
            self._waiting.extendleft(reversed(group))
            self._waiting_bytes += sum(len(handed.draft.packed.payload) for handed in group)

    def _fail(self, error: sqlite3.Error | OSError) -> None:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if reason != self.problem:
            logs.event(LOG, logging.ERROR, "the journal cannot be written", reason=error)
        self.problem = reason
        self._listener()

    def _recover(self) -> None:
        self.problem = ""
        logs.event(LOG, logging.INFO, "the journal can be written again")
        self._listener()

    def _finish(self, group: Sequence[Handed], done: Committed) -> None:
        self._accounts.update(done.accounts)
        self.repeated += done.repeated
        self.gaps += len(done.gaps)
        for gap in done.gaps[:1]:
            _report(gap)
        if done.entries:
            self._committed(done.entries, done.new)
        for handed in group:
            handed.acknowledge(handed.draft.lane, handed.draft.sequence)
        self._listener()

    async def _do(self, work: Callable[[], Result]) -> Result:
        """Do something in the journal's thread."""

        def timed() -> Result:
            with self._watch:
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._thread, timed)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Tell a person what to do where the journal cannot be used."""
    try:
        yield
    except sqlite3.Error as error:
        raise OperatorError(f"cannot use the journal {path}: {error}", _MEND) from error


def _pauses() -> Iterator[float]:
    return delays(random.Random(), longest=LONGEST_PAUSE)  # noqa: S311 - spreads load, guards nothing


def _report(gap: Gap) -> None:
    logs.event(
        LOG,
        logging.WARNING,
        "alerts are missing",
        origin=gap.origin,
        lane=gap.lane,
        after=gap.mark,
        came=gap.sequence,
        missing=gap.missing,
    )
