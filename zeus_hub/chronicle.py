"""What the vigil writes down: which conditions are open, and how each client was. All calls block."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, Row, and_, delete, func, insert, or_, select

from socme.v1.vitals_pb2 import ClientStatus
from zeus_hub import database, health
from zeus_hub.database import microseconds, moment, reading, writing
from zeus_hub.health import Moment, Standing
from zeus_hub.raising import Open
from zeus_hub.registry import Node

KEPT = timedelta(days=90)  # how long it is known how a client was
_ASKED_AT_ONCE = 500  # ids in one query


def open_conditions(engine: Engine, client: str | None = None) -> list[Open]:
    """Return the open conditions of one client, or of all."""
    table = database.condition
    query = select(table).order_by(table.c.client, table.c.node, table.c.kind, table.c.subject)
    if client is not None:
        query = query.where(table.c.client == client)
    with reading(engine) as connection:
        return [_open(row) for row in connection.execute(query)]


def put_conditions(engine: Engine, conditions: Sequence[Open]) -> None:
    """Write down that conditions are open, in place of older ones of the same keys."""
    with writing(engine) as connection:
        for condition in conditions:
            row = {
                "client": condition.client,
                "node": condition.node,
                "kind": condition.kind,
                "subject": condition.subject,
                "since_us": microseconds(condition.since),
                "severity": condition.severity,
                "message": condition.message,
            }
            connection.execute(delete(database.condition).where(_is(condition)))
            connection.execute(insert(database.condition).values(row))


def drop_conditions(engine: Engine, conditions: Sequence[Open]) -> None:
    """Write down that conditions are over; younger ones of the same keys stay."""
    since_us = database.condition.c.since_us
    with writing(engine) as connection:
        for condition in conditions:
            mine = _is(condition) & (since_us <= microseconds(condition.since))
            connection.execute(delete(database.condition).where(mine))


def stored(engine: Engine, ids: Collection[bytes]) -> set[bytes]:
    """Return which alerts the store has."""
    table = database.alert
    asked = list(ids)
    found: set[bytes] = set()
    with reading(engine) as connection:
        for start in range(0, len(asked), _ASKED_AT_ONCE):
            some = asked[start : start + _ASKED_AT_ONCE]
            found.update(connection.execute(select(table.c.id).where(table.c.id.in_(some))).scalars())
    return found


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


def record(engine: Engine, changes: Iterable[tuple[str, Moment]]) -> None:
    """Write down how clients are from some moment on."""
    table = database.health
    with writing(engine) as connection:
        for client, change in changes:
            since = microseconds(change.since)
            same = (table.c.client == client) & (table.c.since_us == since)
            connection.execute(delete(table).where(same))
            row = {"client": client, "since_us": since, "health": change.health, "reason": change.reason}
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


def standing(node: Node, opened: Iterable[Open]) -> Standing:
    """Return how a node is by what the hub wrote down of it."""
    mine = [one for one in opened if (one.client, one.node) == (node.client, node.name)]
    seen = node.last_seen is not None
    return health.of_node(mine, revoked=node.revoked is not None, heard=seen, seen=seen)


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


def _is(condition: Open) -> ColumnElement[bool]:
    table = database.condition
    return and_(
        table.c.client == condition.client,
        table.c.node == condition.node,
        table.c.kind == condition.kind,
        table.c.subject == condition.subject,
    )


def _open(row: Row[tuple[object, ...]]) -> Open:
    return Open(row.client, row.node, row.kind, row.subject, moment(row.since_us), row.severity, row.message)
