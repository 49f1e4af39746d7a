"""Takes alerts out of the database that are not kept any more, a little at a time.

Whoever stores alerts waits for no more than one small transaction, and has several times as long for itself
in between. With an alert go its techniques and where it stands; what was done to it stays written down, and
so does what a wall counts. The alert with the highest number stays, so that no number is given twice.

What was purged and is sent again (a node's spool was lost) is a new alert: nothing is left to know it by.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import zstandard
from google.protobuf.message import DecodeError
from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from socme import logs
from zeus_hub import body, database, schema, search
from zeus_hub.database import alert, microseconds, reading, technique, writing
from zeus_hub.plan import Retention
from zeus_hub.retention import Horizons, horizons, noted
from zeus_hub.sinks import store

LOG = logging.getLogger("zeus.purge")

EVERY_SECONDS = 900.0  # between two passes
LOOKED_AT_ONCE = 2000  # places of alerts that are read together, from an index alone
FIRST_PIECE, LEAST_PIECE, MOST_PIECE = 50, 10, 500  # alerts in one transaction
HOLD_SECONDS = 0.015  # that one transaction is to take
REST = 4  # times as long as that others have their turn
LEAST_REST = 0.02  # seconds
_TECHNIQUE = delete(technique).where(
    technique.c.id == bindparam("of_id"), technique.c.alert_number == bindparam("of_number")
)

Place = tuple[int, int]  # received_us and number of an alert


@dataclass(frozen=True, slots=True)
class Found:
    """A step along the alerts, the oldest first."""

    spent: Sequence[int]
    """Numbers of those that are not kept any more."""
    after: Place | None
    """Behind which the next step begins; None at the end."""


class Purge:
    """Lives on the event loop, with a thread for what blocks."""

    def __init__(self, engine: Engine, settings: Retention, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._settings = settings
        self._clock = clock
        self._piece = FIRST_PIECE
        self._trouble = ""

    async def run(self) -> None:
        """Purge for ever."""
        with ThreadPoolExecutor(1, "purge") as thread:
            while True:
                try:
                    purged = await self.once(thread)
                except SQLAlchemyError as error:
                    self._tell(database.reason(error))
                else:
                    self._tell("")
                    if purged:
                        logs.event(LOG, logging.INFO, "purged", alerts=purged)
                await asyncio.sleep(EVERY_SECONDS)

    async def once(self, thread: ThreadPoolExecutor) -> int:
        """Purge what is not kept any more; return how many alerts that were. May raise SQLAlchemyError."""
        loop = asyncio.get_running_loop()
        kept = await loop.run_in_executor(thread, advance, self._engine, self._settings, self._clock())
        purged, after = 0, (0, 0)
        while True:
            found = await loop.run_in_executor(thread, look, self._engine, kept, after)
            left = found.spent
            while left:
                begun = time.monotonic()
                await loop.run_in_executor(thread, take_out, self._engine, left[: self._piece])
                took = time.monotonic() - begun
                purged, left = purged + len(left[: self._piece]), left[self._piece :]
                self._piece = piece(self._piece, took)
                await asyncio.sleep(max(LEAST_REST, REST * took))
            if found.after is None:
                return purged
            after = found.after

    def _tell(self, trouble: str) -> None:
        if trouble and not self._trouble:
            logs.event(LOG, logging.ERROR, "old alerts cannot be purged", reason=trouble)
        self._trouble = trouble


def piece(now: int, took: float) -> int:
    """Return how many alerts to take next, given how many seconds so many took."""
    fits = int(now * HOLD_SECONDS / took) if took else MOST_PIECE
    return max(LEAST_PIECE, min(fits, 2 * now, MOST_PIECE))


def advance(engine: Engine, settings: Retention, now: datetime) -> Horizons:
    """Write down from when on alerts are kept now, before any of them goes. Blocks on the database."""
    client, table = database.client, schema.horizon
    with writing(engine) as connection:
        before = noted(connection)
        clients = {row.id: row.name for row in connection.execute(select(client.c.id, client.c.name))}
        oldest = connection.execute(select(func.min(alert.c.received_us))).scalar_one()
        now_us = microseconds(now)
        oldest_us = now_us if oldest is None else oldest
        kept = horizons(settings, clients, before, oldest_us=oldest_us, now_us=now_us)
        moved = {key: us for key, us in kept.since_us.items() if before.since_us.get(key) != us}
        for (client_id, severity), since_us in moved.items():
            mine = (table.c.client_id == client_id) & (table.c.severity == severity)
            if not connection.execute(update(table).where(mine).values(since_us=since_us)).rowcount:
                row = {"client_id": client_id, "severity": severity, "since_us": since_us}
                connection.execute(insert(table).values(row))
    return kept


def look(engine: Engine, kept: Horizons, after: Place) -> Found:
    """Look at some alerts behind a place. Blocks on the database.

    What the router has not seen yet stays, however old it is: a hub without right rules may be behind.
    """
    number, received = alert.c.number, alert.c.received_us
    newest = max(kept.since_us.values(), default=0)
    query = (
        select(received, number, alert.c.client_id, alert.c.severity)
        .where(received >= after[0], received < newest)
        .where(or_(received > after[0], number > after[1]))
        .order_by(received, number)
        .limit(LOOKED_AT_ONCE)
    )
    with reading(engine) as connection:
        last = connection.execute(select(func.coalesce(func.max(number), 0))).scalar_one()
        routed = connection.execute(select(schema.router.c.alert_number)).scalar_one_or_none()
        rows = connection.execute(query).all()
    spent = [
        row.number
        for row in rows
        if row.number < last
        and (routed is None or row.number <= routed)
        and kept.is_past(row.client_id, row.severity, row.received_us)
    ]
    whole = len(rows) < LOOKED_AT_ONCE
    return Found(spent, None if whole else (rows[-1].received_us, rows[-1].number))


def take_out(engine: Engine, numbers: Sequence[int]) -> None:
    """Delete alerts in one transaction, with what belongs to them. Blocks on the database."""
    query = select(alert.c.number, alert.c.node_id, alert.c.body).where(alert.c.number.in_(numbers))
    tally = database.tally
    with writing(engine) as connection:
        rows = connection.execute(query).all()
        named: list[dict[str, object]] = []
        for row in rows:
            names = _techniques(connection, row.number, row.body)
            named += [{"of_id": name, "of_number": row.number} for name in names]
        if named:
            connection.execute(_TECHNIQUE, named)
        for table in (schema.triage, schema.routed):
            connection.execute(delete(table).where(table.c.alert_number.in_(numbers)))
        search.remove(connection, numbers)
        connection.execute(delete(alert).where(alert.c.number.in_(numbers)))
        for node_id, count in Counter(row.node_id for row in rows).items():
            fewer = {"rows_before": tally.c.rows_before - count}
            connection.execute(update(tally).where(tally.c.node_id == node_id).values(fewer))


def _techniques(connection: Connection, number: int, packed: bytes) -> Sequence[str]:
    """Return the techniques of an alert: by its body, for their table finds nothing by an alert's number."""
    try:
        return store.techniques(body.decode(packed))
    except (zstandard.ZstdError, DecodeError):  # damaged: all of the table has to be looked at
        query = select(technique.c.id).where(technique.c.alert_number == number)
        return connection.execute(query).scalars().all()
