"""Where things stand when a watcher arrives, all as of one moment: what the store's position says."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Row, func, or_, select

from socme.v1.alert_pb2 import Severity
from socme.v1.watch_pb2 import ClientSummary, SeverityCount, Snapshot, StoredAlert
from zeus_hub import body, database
from zeus_hub.database import microseconds, moment, reading
from zeus_hub.redact import Redaction
from zeus_hub.registry import HUB
from zeus_hub.sinks.store import position

DAY = timedelta(hours=24)
MOST_ALERTS = 1000
MOST_BYTES = 4 * 1024 * 1024  # of alerts in one snapshot: half of what a message may be
_PIECE = 50  # bodies read at once


@dataclass(frozen=True, slots=True)
class View:
    """What a watcher wants to see and may."""

    clients: Collection[str] | None
    """None: all."""
    min_severity: int
    with_raw: bool
    alerts: int
    """How many of the latest alerts."""
    redaction: Redaction | None = None
    """What leaves out what the watcher must not have; None: it may have all."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A snapshot, and the journal position that it goes up to."""

    snapshot: Snapshot
    position: int


def take(engine: Engine, view: View, *, now: datetime) -> Standing:
    """Take a snapshot. Blocks on the database."""
    with reading(engine) as connection:
        clients = _clients(connection, view)
        snapshot = Snapshot(
            clients=_summaries(connection, clients, now),
            alerts=_latest(connection, {row.id: row.name for row in clients}, view),
        )
        snapshot.time.FromDatetime(now)
        snapshot.redacted = view.redaction is not None
        return Standing(snapshot, position(connection))


def _clients(connection: Connection, view: View) -> Sequence[Row[tuple[object, ...]]]:
    table = database.client
    query = select(table).order_by(table.c.name)
    if view.clients is not None:
        query = query.where(table.c.name.in_(view.clients))
    return connection.execute(query).all()


def _summaries(
    connection: Connection, clients: Sequence[Row[tuple[object, ...]]], now: datetime
) -> list[ClientSummary]:
    node, alert = database.node, database.alert
    query = select(node.c.client_id, func.count().label("nodes")).group_by(node.c.client_id)
    unrevoked = connection.execute(query.where(node.c.revoked_us.is_(None)))
    nodes = {row.client_id: row.nodes for row in unrevoked}
    counts = connection.execute(
        select(alert.c.client_id, alert.c.severity, func.sum(alert.c.count).label("alerts"))
        .where(alert.c.received_us > microseconds(now - DAY))
        .group_by(alert.c.client_id, alert.c.severity)
        .order_by(alert.c.severity)
    )
    last_day: dict[int, list[SeverityCount]] = {}
    for count in counts:
        told = SeverityCount(severity=count.severity, alerts=count.alerts)
        last_day.setdefault(count.client_id, []).append(told)
    return [
        ClientSummary(
            client=row.name,
            name=row.title,
            nodes=nodes.get(row.id, 0) if row.name != HUB[0] else 0,  # what the hub says of itself has none
            last_day=last_day.get(row.id),
        )
        for row in clients
    ]


def _latest(connection: Connection, clients: dict[int, str], view: View) -> list[StoredAlert]:
    """Return the latest alerts, oldest first; fewer than asked for where they would be too large."""
    alert, node = database.alert, database.node
    query = (
        select(alert.c.client_id, node.c.name, alert.c.received_us, alert.c.body)
        .join_from(alert, node, alert.c.node_id == node.c.id)
        .order_by(alert.c.number.desc())
        .limit(min(view.alerts, MOST_ALERTS))
    )
    if view.clients is not None:
        query = query.where(alert.c.client_id.in_(list(clients)))
    if view.min_severity > Severity.SEVERITY_UNSPECIFIED:
        unknown = Severity.SEVERITY_UNSPECIFIED  # may be anything, so it is never hidden
        query = query.where(or_(alert.c.severity >= view.min_severity, alert.c.severity == unknown))
    found: list[StoredAlert] = []
    total = 0
    for row in connection.execute(query.execution_options(yield_per=_PIECE)):
        stored = StoredAlert(client=clients[row.client_id], node=row.name, alert=body.decode(row.body))
        stored.received.FromDatetime(moment(row.received_us))
        if view.redaction is not None:
            view.redaction.apply(stored)
        elif not view.with_raw:
            stored.alert.ClearField("raw")
        total += stored.ByteSize()
        if total > MOST_BYTES:
            break
        found.append(stored)
    return found[::-1]
