"""What a wall counts, of all clients at once: alerts by severity, open and fresh ones, hours and tactics.

All of it is made of the store's quarters of an hour (slots.py), so that it costs the same for any number of
alerts; so "a day" is a day and up to a quarter of an hour.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import Connection, Engine, func, select

from socme.v1.alert_pb2 import Severity
from zeus_hub import database, schema
from zeus_hub.database import MICROSECOND, microseconds, reading, total
from zeus_hub.sinks.store import position
from zeus_hub.slots import DAY_US, QUARTER_US, SEVERITIES, begin

OPEN_LONG = timedelta(days=30)  # for which high and critical alerts are open, unless they are closed
LONG = (Severity.SEVERITY_HIGH, Severity.SEVERITY_CRITICAL)
SLOTS = 96  # quarters of an hour of a timeline
HOURS = 24
USUAL_DAYS = 28  # of which the usual hour is the median
LEAST_DAYS = 7  # that must be known for that
HOUR_US = 4 * QUARTER_US


@dataclass(slots=True)
class OfClient:
    """The figures of one client."""

    last_day: Counter[int] = field(default_factory=Counter)
    """By severity."""
    open: Counter[int] = field(default_factory=Counter)
    fresh: Counter[int] = field(default_factory=Counter)
    timeline: Counter[tuple[int, int]] = field(default_factory=Counter)
    """By quarter, 0 for the oldest, and severity."""
    hours: list[int] = field(default_factory=lambda: [0] * HOURS)
    """The oldest first; the last one has begun."""
    tactics: Counter[str] = field(default_factory=Counter)
    usual: float | None = None
    """How many alerts an hour like this one has; None where too few days are known."""


Clients = defaultdict[int, OfClient]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of all clients, by their id, all as of one moment."""

    clients: Mapping[int, OfClient]
    begin_us: int
    """When the timeline begins."""
    position: int
    """Up to which the journal is counted."""
    last: int
    """The number of the last alert that is counted."""
    change: int
    """The number of the last change of triage that is counted."""


class Tally:
    """Reckons figures, anew where something has changed. Used from one thread; blocks on the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: Figures | None = None
        self._usual: tuple[int, Mapping[int, float]] = (0, {})

    def figures(self, now: datetime) -> Figures:
        """Return the figures as of now."""
        now_us = microseconds(now)
        with reading(self._engine) as connection:
            known = self._known
            if known is not None and known.begin_us == _first_slot(now_us):
                as_of = (position(connection), last_change(connection))
                if as_of == (known.position, known.change):
                    return known
            hour = now_us // HOUR_US * HOUR_US
            if self._usual[0] != hour:
                self._usual = (hour, usual(connection, hour))
            self._known = reckon(connection, now_us, self._usual[1])
            return self._known


def reckon(connection: Connection, now_us: int, usual_hours: Mapping[int, float]) -> Figures:
    """Reckon figures, within a transaction."""
    begin_us = _first_slot(now_us)
    clients: Clients = defaultdict(OfClient)
    _count_day(connection, clients, now_us)
    _count_long(connection, clients, now_us)
    table = schema.tactic
    named = select(table.c.client_id, table.c.name, total(table.c.alerts).label("alerts"))
    named = named.where(table.c.begin_us >= begin_us).group_by(table.c.client_id, table.c.name)
    for row in connection.execute(named):
        clients[row.client_id].tactics[row.name] += row.alerts
    for client_id, alerts in usual_hours.items():
        clients[client_id].usual = alerts
    last = connection.execute(select(func.coalesce(func.max(database.alert.c.number), 0))).scalar_one()
    return Figures(clients, begin_us, position(connection), last, last_change(connection))


def last_change(connection: Connection) -> int:
    """Return the number of the last change of triage, within a transaction."""
    number = schema.triage_change.c.number
    return int(connection.execute(select(func.coalesce(func.max(number), 0))).scalar_one())


def usual(connection: Connection, hour_us: int) -> dict[int, float]:
    """Return how many alerts the hour that begins then usually has, by client, within a transaction."""
    table = schema.slot
    days = [hour_us - day * DAY_US for day in range(1, USUAL_DAYS + 1)]
    quarters = [day + quarter * QUARTER_US for day in days for quarter in range(4)]
    query = select(table.c.client_id, table.c.begin_us, table.c.alerts)
    query = query.where(table.c.severity.in_(SEVERITIES), table.c.begin_us.in_(quarters))
    counts: dict[int, Counter[int]] = {}
    for row in connection.execute(query):
        counts.setdefault(row.client_id, Counter())[row.begin_us // HOUR_US * HOUR_US] += row.alerts
    first = select(table.c.client_id, func.min(table.c.begin_us)).group_by(table.c.client_id)
    found: dict[int, float] = {}
    for client_id, since in connection.execute(first):
        known = [counts.get(client_id, Counter())[day] for day in days if since <= day]
        if len(known) >= LEAST_DAYS:
            found[client_id] = float(median(known))
    return found


def _count_day(connection: Connection, clients: Clients, now_us: int) -> None:
    """Count what came within a day."""
    table = schema.slot
    first_slot = _first_slot(now_us)
    first_hour = now_us // HOUR_US * HOUR_US - (HOURS - 1) * HOUR_US
    since = begin(now_us - DAY_US)
    query = select(table).where(table.c.severity.in_(SEVERITIES), table.c.begin_us >= since)
    for severity, begin_us, client_id, alerts, acknowledged, closed in connection.execute(query):
        one = clients[client_id]
        one.last_day[severity] += alerts
        if severity not in LONG:
            _count_open(one, severity, (alerts, acknowledged, closed))
        slot, hour = (begin_us - first_slot) // QUARTER_US, (begin_us - first_hour) // HOUR_US
        if 0 <= slot < SLOTS:
            one.timeline[slot, severity] += alerts
        if 0 <= hour < HOURS:
            one.hours[hour] += alerts


def _count_long(connection: Connection, clients: Clients, now_us: int) -> None:
    """Count the open ones of those that are open for long."""
    table = schema.slot
    sums = [total(column) for column in (table.c.alerts, table.c.acknowledged, table.c.closed)]
    since = begin(now_us - OPEN_LONG // MICROSECOND)
    query = select(table.c.client_id, table.c.severity, *sums)
    query = query.where(table.c.severity.in_(LONG), table.c.begin_us >= since)
    for client_id, severity, *counts in connection.execute(
        query.group_by(table.c.client_id, table.c.severity)
    ):
        _count_open(clients[client_id], severity, counts)


def _first_slot(now_us: int) -> int:
    """Return when the timeline of a moment begins."""
    return begin(now_us) - (SLOTS - 1) * QUARTER_US


def _count_open(one: OfClient, severity: int, counts: Sequence[int]) -> None:
    alerts, acknowledged, closed = counts
    one.open[severity] += alerts - closed
    one.fresh[severity] += alerts - closed - acknowledged
