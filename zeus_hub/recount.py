"""What there is to tell of a client's day or month, from the hub's database.

Counts are exact and read from an index alone, so that a million alerts take a fraction of a second. What most
alerts say and where they come from stands in their rows: of many, only one in so many is looked at, and the
report says so. Alerts belong to the time of their arrival at the hub.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from sqlalchemy import ColumnElement, Connection, Engine, and_, exists, func, select, true

from socme.text import clean
from socme.triage import ACKNOWLEDGED, CLOSED, NEW
from socme.v1.alert_pb2 import Severity
from socme.v1.vitals_pb2 import Health
from socme.v1.watch_pb2 import Verdict
from zeus_hub import chronicle, retention, schema, slots
from zeus_hub.database import MICROSECOND, alert, microseconds, moment, reading
from zeus_hub.digest import MOST_LINES, STATES, UNKNOWN, Judged, NodeState, Report, watched
from zeus_hub.health import AWAY, Moment
from zeus_hub.notice import Title
from zeus_hub.periods import LATE, Period
from zeus_hub.registry import Client, Node
from zeus_hub.routes.summary import LONGEST_TITLE

LOOKED_AT = 50_000  # alerts whose rows are read, at most twice as many
OPEN = frozenset((Severity.SEVERITY_UNSPECIFIED, Severity.SEVERITY_HIGH, Severity.SEVERITY_CRITICAL))
"""Severities of which an alert that nobody has closed keeps anybody from saying that nothing happened."""
_MARGIN = LATE // MICROSECOND  # by which the hub's clock may have been set while numbers were given


@dataclass(frozen=True, slots=True)
class _Span:
    """A client's alerts of some time."""

    client_id: int
    start_us: int
    end_us: int
    first: int
    """Numbers of alerts between which all of them are."""
    last: int

    @property
    def holds(self) -> ColumnElement[bool]:
        return and_(
            alert.c.received_us >= self.start_us,
            alert.c.received_us < self.end_us,
            # As a sum, for which there is no index: that of the time of arrival covers what is counted, and
            # by the client's own each of its alerts ever would be looked at.
            alert.c.client_id + 0 == self.client_id,
        )


@dataclass(slots=True)
class _Counts:
    rows: int = 0
    alerts: Counter[int] = field(default_factory=Counter)
    """By severity; a roll-up counts as all that it stands for."""


_Verdicts = Counter[tuple[int, int]]  # alerts that are closed, by verdict and severity


@dataclass(frozen=True, slots=True)
class _Tally:
    """Alerts by severity; a roll-up counts as all that it stands for."""

    came: Counter[int]
    closed: Counter[int]

    @property
    def open(self) -> Counter[int]:
        return self.came - self.closed


@dataclass(frozen=True, slots=True)
class _Reckoned:
    """What came of all of them, kept or not."""

    came: Counter[int]
    judged: Judged
    kept_since: datetime | None
    untold: bool


def report(
    engine: Engine,
    client: Client,
    period: Period,
    nodes: Iterable[Node],
    *,
    now: datetime,
    away: datetime | None = None,
) -> Report:
    """Return what there is to tell. Blocks on the database.

    It begins where the client was added, if that is later. `away`: since when no hub has run, if none does.
    """
    start, end = max(period.start, client.created), max(period.end, client.created)
    absent = period.end <= client.created
    with reading(engine) as connection:
        span = _span(connection, client.id, start, end)
        counts = _counts(connection, span)
        every = 1 + counts.rows // LOOKED_AT
        titles, sources = _most(connection, span, every)
        reckoned = _reckoned(connection, span, counts.alerts, now)
        history = _until(away, chronicle.between(connection, client.name, start, end))
    return Report(
        client=client.name,
        client_name=client.title,
        start=period.start if absent else start,
        end=period.end if absent else end,
        joined=client.created if absent else None,
        counts=tuple(sorted(reckoned.came.items(), reverse=True)),
        titles=titles,
        sources=sources,
        judged=reckoned.judged,
        watched=watched(history, start, end),
        nodes=tuple(_node(each) for each in nodes if each.revoked is None or each.revoked > start),
        sampled=every,
        kept_since=reckoned.kept_since,
        untold=reckoned.untold,
    )


def _until(away: datetime | None, history: Sequence[Moment]) -> Sequence[Moment]:
    if away is None:
        return history
    return [*(each for each in history if each.since < away), Moment(away, Health.HEALTH_UNSPECIFIED, AWAY)]


def _node(node: Node) -> NodeState:
    return NodeState(node.name, STATES.get(node.health, UNKNOWN))


def _span(connection: Connection, client_id: int, start: datetime, end: datetime) -> _Span:
    start_us, end_us = microseconds(start), microseconds(end)
    when = alert.c.received_us
    earliest = select(alert.c.number).where(when >= start_us - _MARGIN).order_by(when).limit(1)
    latest = select(alert.c.number).where(when < end_us + _MARGIN).order_by(when.desc()).limit(1)
    first = connection.execute(earliest).scalar_one_or_none() or 0
    last = connection.execute(latest).scalar_one_or_none() or 0
    return _Span(client_id, start_us, end_us, first, last)


def _counts(connection: Connection, span: _Span) -> _Counts:
    query = select(alert.c.severity, func.count(), func.sum(alert.c.count)).where(span.holds)
    found = _Counts()
    for severity, rows, alerts in connection.execute(query.group_by(alert.c.severity)):
        found.rows += rows
        found.alerts[severity] += int(alerts)
    return found


def _reckoned(connection: Connection, span: _Span, alerts: Counter[int], now: datetime) -> _Reckoned:
    """Return what came of the alerts, given those that are there, by severity.

    What was purged still stands in the slots; what is too old for those may still be there.
    """
    verdicts, kept_since = _verdicts(connection, span), _kept_since(connection, span)
    there = _Tally(alerts, _by_severity(verdicts))
    counted = there if kept_since is None else _slotted(connection, span)
    judged = _judged(connection, span, verdicts, there.open | counted.open)
    forgotten = kept_since is not None and span.start_us < microseconds(now) - slots.KEPT_US
    gone = counted.closed - there.closed
    untold = forgotten or (bool(gone) and _attacks_gone(connection, span))
    return _Reckoned(there.came | counted.came, judged, kept_since, untold)


def _kept_since(connection: Connection, span: _Span) -> datetime | None:
    """Return from when on all are kept, where that is within the time."""
    since_us = [
        since_us
        for (client_id, _), since_us in retention.noted(connection).since_us.items()
        if client_id == span.client_id and since_us > span.start_us
    ]
    return moment(max(since_us)) if since_us else None


def _slotted(connection: Connection, span: _Span) -> _Tally:
    """Return how many came and are closed, as it was counted when they did and were."""
    table = schema.slot
    query = select(table.c.severity, func.sum(table.c.alerts), func.sum(table.c.closed)).where(
        table.c.severity.in_(slots.SEVERITIES),
        table.c.begin_us >= slots.begin(span.start_us),
        table.c.begin_us < span.end_us,
        table.c.client_id == span.client_id,
    )
    found = _Tally(Counter(), Counter())
    for severity, came, closed in connection.execute(query.group_by(table.c.severity)):
        found.came[severity], found.closed[severity] = int(came), int(closed)
    return found


def _attacks_gone(connection: Connection, span: _Span) -> bool:
    """Tell whether any alert of the time that is not kept any more was an attack.

    What was done to it stays written down, but not whose it was: it may have been another client's.
    """
    table, when = schema.triage_change, alert.c.received_us
    later = table.alias()
    earlier = select(alert.c.number).where(when < span.start_us - _MARGIN).order_by(when.desc()).limit(1)
    behind = select(alert.c.number).where(when >= span.end_us + _MARGIN).order_by(when).limit(1)
    first = connection.execute(earlier).scalar_one_or_none() or 0
    last = connection.execute(behind).scalar_one_or_none()
    query = select(table.c.alert_number).where(
        table.c.alert_number > first,
        true() if last is None else table.c.alert_number < last,
        table.c.time_us >= span.start_us,
        table.c.status == CLOSED,
        table.c.verdict == Verdict.VERDICT_TRUE_POSITIVE,
        ~exists().where(later.c.alert_number == table.c.alert_number, later.c.number > table.c.number),
        ~exists().where(alert.c.number == table.c.alert_number),
    )
    return connection.execute(query.limit(1)).first() is not None


def _most(connection: Connection, span: _Span, every: int) -> tuple[tuple[Title, ...], tuple[Title, ...]]:
    """Return what most alerts say and where most come from, by one in `every` of them."""
    columns = (alert.c.rule_name, alert.c.message, alert.c.rule_id, alert.c.source_ip, alert.c.count)
    query = select(*columns).where(span.holds, alert.c.number % every == 0)
    titles: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    for name, message, rule_id, ip, count in connection.execute(query):
        titles[clean(name or message or f"rule {rule_id}", LONGEST_TITLE)] += count * every
        if ip:
            sources[ip] += count * every
    return _lines(titles), _lines(sources)


def _lines(counts: Counter[str]) -> tuple[Title, ...]:
    return tuple(Title(text, count) for text, count in counts.most_common(MOST_LINES))


def _verdicts(connection: Connection, span: _Span) -> _Verdicts:
    """Return how those that are closed and there were judged until now."""
    closed: _Verdicts = Counter()
    table = schema.triage
    query = (
        select(table.c.verdict, alert.c.severity, func.sum(alert.c.count))
        .join(alert, alert.c.number == table.c.alert_number)
        .where(table.c.alert_number.between(span.first, span.last), table.c.status == CLOSED, span.holds)
        .group_by(table.c.verdict, alert.c.severity)
    )
    for verdict, severity, alerts in connection.execute(query):
        closed[verdict, severity] += int(alerts)
    return closed


def _by_severity(verdicts: _Verdicts) -> Counter[int]:
    found: Counter[int] = Counter()
    for (_, severity), alerts in verdicts.items():
        found[severity] += alerts
    return found


def _judged(connection: Connection, span: _Span, verdicts: _Verdicts, still: Counter[int]) -> Judged:
    """Return what people have done about them until now; `still` are open, by severity."""
    acknowledged, waited = _acknowledged(connection, span)

    def of(verdict: int) -> int:
        return sum(alerts for (each, _), alerts in verdicts.items() if each == verdict)

    return Judged(
        acknowledged=acknowledged,
        true_positive=of(Verdict.VERDICT_TRUE_POSITIVE),
        false_positive=of(Verdict.VERDICT_FALSE_POSITIVE),
        benign=of(Verdict.VERDICT_BENIGN),
        duplicate=of(Verdict.VERDICT_DUPLICATE),
        open=sum(alerts for severity, alerts in still.items() if severity in OPEN),
        seconds_to_acknowledge=waited,
    )


def _acknowledged(connection: Connection, span: _Span) -> tuple[int, float | None]:
    """Return how many somebody took on, closed since or not, and for how long half of them waited."""
    table = schema.triage_change
    query = (
        select(func.min(table.c.time_us) - alert.c.received_us, alert.c.count)
        # As a sum, for the same reason: from the few changes to their alerts, and not the other way.
        .join(alert, alert.c.number == table.c.alert_number + 0)
        .where(
            table.c.alert_number.between(span.first, span.last),
            table.c.before == NEW,
            table.c.status == ACKNOWLEDGED,
            span.holds,
        )
        .group_by(alert.c.number, alert.c.received_us, alert.c.count)
    )
    rows = [(int(waited), int(count)) for waited, count in connection.execute(query)]
    if not rows:
        return 0, None
    return sum(count for _, count in rows), max(0.0, median(waited for waited, _ in rows) / 1_000_000)
