"""Where things stand when a watcher arrives, all as of one moment: what the figures' position says."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, Row, Select, func, or_, select

from socme.v1.alert_pb2 import Severity
from socme.v1.watch_pb2 import (
    ClientSummary,
    SeverityCount,
    Slot,
    Snapshot,
    StoredAlert,
    TacticCount,
)
from zeus_hub import body, database, triaged
from zeus_hub.database import moment, reading
from zeus_hub.figures import SLOTS, Figures, OfClient, Tally
from zeus_hub.redact import Redaction
from zeus_hub.registry import HUB
from zeus_hub.slots import QUARTER_US

MOST_ALERTS = 1000
MOST_TACTICS = 14  # as many as ATT&CK has for companies
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
    change: int
    """The number of the last change of triage that it knows of."""


def take(engine: Engine, view: View, *, now: datetime, figures: Figures | None = None) -> Standing:
    """Take a snapshot as of now, or of the moment of figures that are known. Blocks on the database."""
    figures = figures or Tally(engine).figures(now)
    with reading(engine) as connection:
        clients = _clients(connection, view)
        mine = [figures.clients[row.id] for row in clients if row.id in figures.clients]
        snapshot = Snapshot(
            clients=_summaries(connection, clients, figures),
            alerts=_latest(connection, {row.id: row.name for row in clients}, view, figures.last),
            timeline=_timeline(mine, figures.begin_us),
            tactics=_tactics(mine),
        )
    snapshot.time.FromDatetime(now)
    snapshot.redacted = view.redaction is not None
    return Standing(snapshot, figures.position, figures.change)


def _clients(connection: Connection, view: View) -> Sequence[Row[tuple[object, ...]]]:
    table = database.client
    query = select(table).order_by(table.c.name)
    if view.clients is not None:
        query = query.where(table.c.name.in_(view.clients))
    return connection.execute(query).all()


def _summaries(
    connection: Connection, clients: Sequence[Row[tuple[object, ...]]], figures: Figures
) -> list[ClientSummary]:
    node = database.node
    query = select(node.c.client_id, func.count().label("nodes")).group_by(node.c.client_id)
    unrevoked = connection.execute(query.where(node.c.revoked_us.is_(None)))
    nodes = {row.client_id: row.nodes for row in unrevoked}
    summaries = []
    for row in clients:
        one = figures.clients.get(row.id, OfClient())
        summary = ClientSummary(
            client=row.name,
            name=row.title,
            nodes=nodes.get(row.id, 0) if row.name != HUB[0] else 0,  # what the hub says of itself has none
            last_day=_counts(one.last_day),
            open=_counts(one.open),
            fresh=_counts(one.fresh),
            short_name=row.short_name,
            hours=one.hours,
            usual=one.usual,
        )
        summaries.append(summary)
    return summaries


def _counts(alerts: Mapping[int, int]) -> list[SeverityCount]:
    """Return how many alerts there are, by severity."""
    return [
        SeverityCount(severity=severity, alerts=count)  # type: ignore[arg-type]  # any number goes on the wire
        for severity, count in sorted(alerts.items())
        if count > 0
    ]


def _timeline(clients: Iterable[OfClient], begin_us: int) -> list[Slot]:
    """Return the quarters of an hour of some clients together."""
    quarters: list[Counter[int]] = [Counter() for _ in range(SLOTS)]
    for client in clients:
        for (index, severity), alerts in client.timeline.items():
            quarters[index][severity] += alerts
    timeline = []
    for index, quarter in enumerate(quarters):
        slot = Slot(alerts=_counts(quarter))
        slot.begin.FromMicroseconds(begin_us + index * QUARTER_US)
        timeline.append(slot)
    return timeline


def _tactics(clients: Iterable[OfClient]) -> list[TacticCount]:
    """Return the tactics that some clients' alerts name, the most frequent first."""
    together: Counter[str] = Counter()
    for client in clients:
        together.update(client.tactics)
    found = sorted(together.items(), key=lambda one: (-one[1], one[0]))[:MOST_TACTICS]
    return [TacticCount(tactic=name, alerts=alerts) for name, alerts in found]


def _latest(connection: Connection, clients: Mapping[int, str], view: View, last: int) -> list[StoredAlert]:
    """Return the latest alerts, oldest first; fewer than asked for where they would be too large."""
    found: dict[int, StoredAlert] = {}
    total = 0
    query = _wanted(clients, view, last)
    with connection.execute(query.execution_options(yield_per=_PIECE)) as rows:
        for row in rows:
            stored = StoredAlert(client=clients[row.client_id], node=row.name, alert=body.decode(row.body))
            stored.received.FromDatetime(moment(row.received_us))
            if view.redaction is not None:
                view.redaction.apply(stored)
            elif not view.with_raw:
                stored.alert.ClearField("raw")
            total += stored.ByteSize()
            if total > MOST_BYTES:
                break
            found[row.number] = stored
    for number, triage in triaged.load(connection, list(found)).items():
        found[number].triage.CopyFrom(triage)
        if view.redaction is not None:
            view.redaction.apply(found[number].triage)
    return list(found.values())[::-1]


def _wanted(clients: Mapping[int, str], view: View, last: int) -> Select[tuple[int, int, str, int, bytes]]:
    """Return the query for the latest alerts, newest first."""
    alert, node = database.alert, database.node
    query = (
        select(alert.c.number, alert.c.client_id, node.c.name, alert.c.received_us, alert.c.body)
        .join_from(alert, node, alert.c.node_id == node.c.id)
        .where(alert.c.number <= last)
        .order_by(alert.c.number.desc())
        .limit(min(view.alerts, MOST_ALERTS))
    )
    if view.clients is not None:
        query = query.where(alert.c.client_id.in_(list(clients)))
    if view.min_severity > Severity.SEVERITY_UNSPECIFIED:
        unknown = Severity.SEVERITY_UNSPECIFIED  # may be anything, so it is never hidden
        query = query.where(or_(alert.c.severity >= view.min_severity, alert.c.severity == unknown))
    return query
