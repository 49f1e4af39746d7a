"""What people do about alerts, told to those who watch: in order, each change once.

People work in other processes (commands, a console), so the log of changes in the database is looked at twice
a second while somebody watches; where nothing has changed, that is one look at its last number. A watcher is
the number of the last change that it knows, and nothing else. The latest changes are kept in memory,
serialised once for all; one that is further behind is read from the database. A change waits for the watcher
to have passed its alert, so that nobody hears of an alert's end before its beginning.
"""

import asyncio
import bisect
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, Row, select
from sqlalchemy.exc import SQLAlchemyError

from socme import logs
from socme.v1.watch_pb2 import TriageChange, TriageChanges, WatchEvent
from zeus_hub import database, schema, triaged
from zeus_hub.database import moment, reading
from zeus_hub.figures import last_change

LOG = logging.getLogger("zeus.changes")

POLL_SECONDS = 0.5  # between two looks at the log
AT_ONCE = 1000  # changes read together
KEPT = 5000  # changes in memory, about 2 MB


@dataclass(frozen=True, slots=True)
class Told:
    """One change as watchers get it, the same message for all of them."""

    number: int
    client: str
    position: int
    """Of the alert's batch in the journal."""
    event: bytes
    """A serialised WatchEvent of it alone."""


class Changes:
    """Lives on the event loop. `stir` wakes the watchers."""

    def __init__(self, engine: Engine, stir: Callable[[], None]) -> None:
        self.last = 0
        """The number of the last change that is known of; others are found while somebody watches."""
        self._engine = engine
        self._stir = stir
        self._watchers = 0
        self._recent: deque[Told] = deque()  # all behind _floor, up to `last`
        self._floor = 0
        self._thread = ThreadPoolExecutor(1, "changes")
        self._trouble = ""

    async def run(self) -> None:
        """Look for changes for ever, while somebody watches."""
        while True:
            if self._watchers:
                await self._look()
            await asyncio.sleep(POLL_SECONDS)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Say that somebody watches, for as long as the context lasts."""
        self._watchers += 1
        try:
            yield
        finally:
            self._watchers -= 1

    async def now(self) -> int:
        """Return the number of the last change that there is; may raise SQLAlchemyError."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask_last)

    async def after(self, number: int) -> Sequence[Told]:
        """Return some of the changes behind one, in order; may raise SQLAlchemyError."""
        if number >= self._floor:
            begin = bisect.bisect_right(self._recent, number, key=lambda told: told.number)
            return [self._recent[index] for index in range(begin, min(begin + AT_ONCE, len(self._recent)))]
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, number)

    def close(self) -> None:
        """Let go of the thread."""
        self._thread.shutdown(wait=True)

    async def _look(self) -> None:
        """Take what is new, and wake the watchers where there is something."""
        try:
            last = await self.now()
            if last - self.last > KEPT:  # nobody has watched for a while, or very much was done at once
                self._recent.clear()
                self._floor = self.last = last - KEPT
            while self.last < last:
                await self._take(last)
                self._stir()
        except SQLAlchemyError as error:
            self._tell(f"the store cannot be read: {error}")
        else:
            self._tell("")

    async def _take(self, last: int) -> None:
        """Take some of the changes that are new, up to `last` at least where there are no more."""
        loop = asyncio.get_running_loop()
        told = await loop.run_in_executor(self._thread, self._read, self.last)
        self._recent.extend(told)
        while len(self._recent) > KEPT:
            self._floor = self._recent.popleft().number
        found = told[-1].number if told else 0
        self.last = found if len(told) == AT_ONCE else max(last, found)

    def _tell(self, trouble: str) -> None:
        """Say once that there is trouble; none where it is over."""
        if trouble and not self._trouble:
            logs.event(LOG, logging.WARNING, "watchers do not hear what people do", reason=trouble)
        self._trouble = trouble

    def _ask_last(self) -> int:
        with reading(self._engine) as connection:
            return last_change(connection)

    def _read(self, number: int) -> list[Told]:
        with reading(self._engine) as connection:
            return list(read(connection, number))


def read(connection: Connection, number: int) -> Iterator[Told]:
    """Yield some of the changes behind one, in order, within a transaction."""
    change, alert = schema.triage_change, database.alert
    query = (
        select(change, database.client.c.name.label("client"), database.node.c.name.label("node"))
        .add_columns(alert.c.id, alert.c.severity, alert.c.received_us, alert.c.position)
        .add_columns(alert.c.count.label("alerts"))
        .join_from(change, alert, alert.c.number == change.c.alert_number)
        .join(database.client, database.client.c.id == alert.c.client_id)
        .join(database.node, database.node.c.id == alert.c.node_id)
        .where(change.c.number > number)
        .order_by(change.c.number)
        .limit(AT_ONCE)
    )
    for row in connection.execute(query):
        yield Told(row.number, row.client, row.position, _event(row))


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a watcher may be told at once."""

    passed: int
    """The first position of the journal that it has not passed."""
    last: int
    """The last one that there is; one behind that is of another journal, and nobody waits for it."""
    size: int
    """Bytes of one event."""


def ready(
    told: Sequence[Told], bounds: Bounds, clients: Collection[str] | None, known: int
) -> tuple[bytes, int]:
    """Return an event of those changes that may be told now, empty for none, and the last of them."""
    events: list[bytes] = []
    total = 0
    for one in told:
        if bounds.passed <= one.position <= bounds.last or total > bounds.size:
            break
        known = one.number
        if clients is None or one.client in clients:
            events.append(one.event)
            total += len(one.event)
    return b"".join(events), known


def _event(row: Row[tuple[object, ...]]) -> bytes:
    change = TriageChange(
        client=row.client,
        node=row.node,
        id=row.id,
        severity=row.severity,
        count=row.alerts,
        before=row.before,
        after=triaged.message(row, row.time_us, row.actor),
    )
    change.received.FromDatetime(moment(row.received_us))
    return WatchEvent(triage=TriageChanges(changes=[change])).SerializeToString()
