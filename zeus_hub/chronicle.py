"""What the vigil writes down: which conditions are open, and how each client was. All calls block."""

from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, and_, delete, func, insert, or_, select

from socme.journal import Journal
from socme.v1.vitals_pb2 import ClientStatus
from zeus_hub import database, health, opened
from zeus_hub.database import microseconds, moment, reading, writing
from zeus_hub.health import Moment, Standing
from zeus_hub.raising import Open
from zeus_hub.registry import Node
from zeus_hub.schema import plain

KEPT = timedelta(days=90)  # how long it is known how a client was


def open_conditions(journal: Path) -> list[Open]:
    """Return the conditions that are open, by the hub's journal; the hub may run or not."""
    if not journal.exists():
        return []
    with closing(Journal(journal)) as found:
        return opened.read(found.notes(opened.PREFIX))


def histories(engine: Engine, now: datetime, client: str | None = None) -> dict[str, list[Moment]]:
    """Return how clients were in the last 24 hours, each with the moment that held at their beginning."""
    table = database.health
    start = microseconds(now - health.DAY)
    newest = (
        select(table.c.client, func.max(table.c.since_us).label("since_us"))
        .where(table.c.since_us <= start)
        .group_by(table.c.client)
        .subquery()
    )
    holds = and_(newest.c.client == table.c.client, newest.c.since_us == table.c.since_us)
    query = (
        select(table)
        .outerjoin(newest, holds)
        .where(or_(table.c.since_us > start, newest.c.client.is_not(None)))
        .order_by(table.c.client, table.c.since_us)
    )
    if client is not None:
        query = query.where(table.c.client == client)
    found: dict[str, list[Moment]] = {}
    with reading(engine) as connection:
        for row in connection.execute(query):
            found.setdefault(row.client, []).append(Moment(moment(row.since_us), row.health, row.reason))
    return found


def between(connection: Connection, client: str, start: datetime, end: datetime) -> list[Moment]:
    """Return how a client was in a time, with the moment that held at its beginning, within a transaction."""
    table = database.health
    mine = table.c.client == client
    held = select(func.max(table.c.since_us)).where(mine, table.c.since_us <= microseconds(start))
    first = connection.execute(held).scalar_one()
    since = microseconds(start) if first is None else first
    query = select(table).where(mine, table.c.since_us >= since, table.c.since_us < microseconds(end))
    rows = connection.execute(query.order_by(table.c.since_us))
    return [Moment(moment(row.since_us), row.health, row.reason) for row in rows]


def record(engine: Engine, changes: Iterable[tuple[str, Moment]]) -> None:
    """Write down how clients are from some moment on."""
    table = database.health
    with writing(engine) as connection:
        for client, change in changes:
            since = microseconds(change.since)
            # What is later was written down by a clock that was ahead.
            later = (table.c.client == client) & (table.c.since_us >= since)
            connection.execute(delete(table).where(later))
            row = {
                "client": client,
                "since_us": since,
                "health": change.health,
                "reason": plain(change.reason),
            }
            connection.execute(insert(table).values(row))


def forget(engine: Engine, now: datetime) -> None:
    """Forget how clients were longer ago than KEPT, but not how they still are."""
    table = database.health
    before = microseconds(now - KEPT)
    later = table.alias()
    followed = select(later.c.client).where(
        later.c.client == table.c.client, later.c.since_us > table.c.since_us, later.c.since_us <= before
    )
    with writing(engine) as connection:
        connection.execute(delete(table).where(table.c.since_us < before, followed.exists()))


def standing(node: Node, conditions: Iterable[Open], *, heard: bool) -> Standing:
    """Return how a node is by what the hub wrote down of it; `heard` since the hub started."""
    mine = [one for one in conditions if (one.client, one.node) == (node.client, node.name)]
    seen = node.last_seen is not None
    return health.of_node(
        mine, revoked=node.revoked is not None, enabled=node.enabled, heard=heard and seen, seen=seen
    )


def status(name: str, now: Standing, history: list[Moment], time: datetime) -> ClientStatus:
    """Return a client as screens and commands see it."""
    message = ClientStatus(
        client=name,
        health=now.health,
        reasons=now.reasons,
        # Screens are told of each change: so not of every second.
        seeing=round(health.share(history, time), 3),
    )
    if history:
        message.since.FromDatetime(history[-1].since)
    return message
