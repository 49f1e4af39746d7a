"""How many alerts came in each quarter of an hour, and what became of them: kept with every transaction.

A wall's sums are made of these alone (figures.py), so that they cost the same for a thousand alerts and for
a hundred million.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import lru_cache

from sqlalchemy import Connection, bindparam, delete, func, select, text, update

from socme.text import clean
from socme.triage import ACKNOWLEDGED, CLOSED
from zeus_hub import retention, schema
from zeus_hub.database import MICROSECOND
from zeus_hub.enrich import HIGHEST_SEVERITY

QUARTER = timedelta(minutes=15)
QUARTER_US = QUARTER // MICROSECOND
# Longer than an alert counts as open, and than a month until it is told (periods.py).
KEPT_US = timedelta(days=34) // MICROSECOND
DAY_US = timedelta(days=1) // MICROSECOND
TACTICS_KEPT_US = timedelta(hours=25) // MICROSECOND
MOST_TACTICS = 64  # names of one client in a quarter of an hour; ATT&CK has 14 for each of its matrices
SEVERITIES = range(HIGHEST_SEVERITY + 1)

Slot = tuple[int, int, int]  # severity, begin_us, client_id
Named = tuple[int, int, str]  # begin_us, client_id, name of a tactic
Tactics = Counter[Named]
Shift = tuple[int, int]  # by how many more are acknowledged, and closed

# Understood by SQLite and PostgreSQL alike. Bounded at both ends, else SQLite reads the whole table.
_COUNT = text(
    "INSERT INTO slot (severity, begin_us, client_id, alerts, acknowledged, closed)"
    " SELECT severity, received_us - received_us % :quarter, client_id, sum(count), 0, 0"
    " FROM alert WHERE number BETWEEN :first AND :last GROUP BY 1, 2, 3"
    " ON CONFLICT (severity, begin_us, client_id) DO UPDATE SET alerts = slot.alerts + excluded.alerts"
)
_RECKON = text(
    "SELECT severity, received_us - received_us % :quarter, client_id, CAST(sum(count) AS BIGINT),"
    " CAST(sum(CASE WHEN status = :acknowledged THEN count ELSE 0 END) AS BIGINT),"
    " CAST(sum(CASE WHEN status = :closed THEN count ELSE 0 END) AS BIGINT)"
    " FROM alert LEFT JOIN triage ON alert_number = number WHERE received_us >= :first GROUP BY 1, 2, 3"
)
_NAME = text(
    "INSERT INTO tactic (begin_us, client_id, name, alerts) VALUES (:begin_us, :client_id, :name, :alerts)"
    " ON CONFLICT (begin_us, client_id, name) DO UPDATE SET alerts = tactic.alerts + excluded.alerts"
)
_SHIFT = (
    update(schema.slot)
    .where(
        schema.slot.c.severity == bindparam("of_severity"),
        schema.slot.c.begin_us == bindparam("of_begin_us"),
        schema.slot.c.client_id == bindparam("of_client_id"),
    )
    .values(
        acknowledged=schema.slot.c.acknowledged + bindparam("more_acknowledged"),
        closed=schema.slot.c.closed + bindparam("more_closed"),
    )
)


def begin(time_us: int) -> int:
    """Return when the quarter of an hour began in which a moment lies."""
    return time_us - time_us % QUARTER_US


def name(tactics: Tactics, received_us: int, client_id: int, count: int, names: Iterable[str]) -> None:
    """Count tactics that alerts of a client name, each once; there are `count` of them."""
    for found in {_cleaned(name) for name in names} - {""}:
        tactics[begin(received_us), client_id, found] += count


def count(connection: Connection, numbers: range, tactics: Tactics) -> None:
    """Count the alerts of these numbers, which were stored in the same transaction.

    The database does it: in Python it would take a tenth of the time that storing takes.
    """
    if not numbers:
        return
    connection.execute(_COUNT, {"quarter": QUARTER_US, "first": numbers[0], "last": numbers[-1]})
    rows = [
        {"begin_us": begin_us, "client_id": client_id, "name": name, "alerts": alerts}
        for (begin_us, client_id, name), alerts in _bounded(connection, tactics).items()
    ]
    if rows:
        connection.execute(_NAME, rows)


def forget(connection: Connection, now_us: int) -> None:
    """Forget what is too old to be asked for, within a transaction.

    It is no more than a day each time: a clock that is put forward by mistake must not take a month with it.
    """
    slot, tactic = schema.slot, schema.tactic
    oldest = connection.execute(select(func.min(slot.c.begin_us))).scalar_one() or 0
    old = slot.c.begin_us < min(now_us - KEPT_US, oldest + DAY_US)
    connection.execute(delete(slot).where(slot.c.severity.in_(SEVERITIES), old))
    connection.execute(delete(tactic).where(tactic.c.begin_us < now_us - TACTICS_KEPT_US))


def shift(connection: Connection, shifts: Mapping[Slot, Shift]) -> None:
    """Note that alerts of some slots were acknowledged, closed or opened again, in the same transaction."""
    rows = [
        {
            "of_severity": severity,
            "of_begin_us": begin_us,
            "of_client_id": client_id,
            "more_acknowledged": acknowledged,
            "more_closed": closed,
        }
        for (severity, begin_us, client_id), (acknowledged, closed) in shifts.items()
        if acknowledged or closed
    ]
    if rows:
        connection.execute(_SHIFT, rows)


@lru_cache(MOST_TACTICS)  # there are few, and they come again and again
def _cleaned(name: str) -> str:
    return clean(name.strip(), schema.LONGEST_TACTIC)


def held(connection: Connection) -> int:
    """Return how many slots there are, within a transaction."""
    return int(connection.execute(select(func.count()).select_from(schema.slot)).scalar_one())


def wrong(connection: Connection) -> Iterator[str]:
    """Yield what differs between the counts and the alerts that are all kept, within a transaction."""
    kept = retention.noted(connection)
    table = schema.slot
    first = connection.execute(select(func.min(table.c.begin_us))).scalar_one()
    if first is None:
        return
    slots = {tuple(row[:3]): tuple(row[3:]) for row in connection.execute(select(table))}
    there = {tuple(row[:3]): tuple(row[3:]) for row in connection.execute(_RECKON, _asked(first))}
    for slot in sorted(slots.keys() | there.keys()):
        counted, reckoned = slots.get(slot, (0, 0, 0)), there.get(slot, (0, 0, 0))
        severity, begin_us, client_id = slot
        if counted != reckoned and not kept.is_past(client_id, severity, begin_us):
            yield (
                f"severity {severity} of client number {client_id} in the quarter of an hour that begins at"
                f" {begin_us // 1_000_000}: {counted} are counted, {reckoned} are there"
            )


def _asked(first: int) -> dict[str, int]:
    return {"quarter": QUARTER_US, "first": first, "acknowledged": ACKNOWLEDGED, "closed": CLOSED}


def _bounded(connection: Connection, tactics: Tactics) -> Tactics:
    """Leave out names beyond those that one client may have in a quarter: who writes rules chooses them."""
    if not tactics:
        return tactics
    table = schema.tactic
    begins, clients = {key[0] for key in tactics}, {key[1] for key in tactics}
    query = select(table.c.begin_us, table.c.client_id, table.c.name)
    query = query.where(table.c.begin_us.in_(begins), table.c.client_id.in_(clients))
    known: dict[tuple[int, int], set[str]] = {}
    for begin_us, client_id, name in connection.execute(query):
        known.setdefault((begin_us, client_id), set()).add(name)
    kept: Tactics = Counter()
    for key, count in tactics.items():
        names = known.setdefault(key[:2], set())
        if key[2] in names or len(names) < MOST_TACTICS:
            names.add(key[2])
            kept[key] = count
    return kept
