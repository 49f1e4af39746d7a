"""How many alerts came in each quarter of an hour, and what became of them: kept with every transaction.

A wall's sums are made of these alone (figures.py), so that they cost the same for a thousand alerts and for
a hundred million.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta

from sqlalchemy import Connection, bindparam, delete, select, text, update

from socme.text import clean
from zeus_hub import schema
from zeus_hub.database import MICROSECOND
from zeus_hub.enrich import HIGHEST_SEVERITY

QUARTER = timedelta(minutes=15)
QUARTER_US = QUARTER // MICROSECOND
KEPT_US = timedelta(days=31) // MICROSECOND  # longer than an alert counts as open
TACTICS_KEPT_US = timedelta(hours=25) // MICROSECOND
MOST_TACTICS = 64  # names of one client in a quarter of an hour; ATT&CK has 14 for each of its matrices
SEVERITIES = range(HIGHEST_SEVERITY + 1)

Slot = tuple[int, int, int]  # severity, begin_us, client_id
Named = tuple[int, int, str]  # begin_us, client_id, name of a tactic
Tactics = Counter[Named]
Shift = tuple[int, int]  # by how many more are acknowledged, and closed

# Understood by SQLite and PostgreSQL alike.
_ADD = text(
    "INSERT INTO slot (severity, begin_us, client_id, alerts, acknowledged, closed)"
    " VALUES (:severity, :begin_us, :client_id, :alerts, 0, 0)"
    " ON CONFLICT (severity, begin_us, client_id) DO UPDATE SET alerts = slot.alerts + excluded.alerts"
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


def tactic_names(names: Iterable[str]) -> list[str]:
    """Return the tactics that an alert names, as they are counted: each once."""
    return list(dict.fromkeys(clean(name.strip(), schema.LONGEST_TACTIC) for name in names if name.strip()))


def add(connection: Connection, alerts: Mapping[Slot, int], tactics: Tactics) -> None:
    """Count alerts that are stored in the same transaction; forget what is too old to be asked for."""
    if not alerts:
        return
    rows = [
        {"severity": severity, "begin_us": begin_us, "client_id": client_id, "alerts": count}
        for (severity, begin_us, client_id), count in alerts.items()
    ]
    connection.execute(_ADD, rows)
    known = [
        {"begin_us": begin_us, "client_id": client_id, "name": name, "alerts": count}
        for (begin_us, client_id, name), count in _bounded(connection, tactics).items()
    ]
    if known:
        connection.execute(_NAME, known)


def forget(connection: Connection, now_us: int) -> None:
    """Forget what is too old to be asked for, within a transaction."""
    slot, tactic = schema.slot, schema.tactic
    old = slot.c.begin_us < now_us - KEPT_US
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


def _bounded(connection: Connection, tactics: Tactics) -> Tactics:
    """Leave out names beyond those that one client may have in a quarter: who writes rules chooses them."""
    table = schema.tactic
    kept: Tactics = Counter()
    for begin_us, client_id in dict.fromkeys(key[:2] for key in tactics):
        mine = (table.c.begin_us == begin_us) & (table.c.client_id == client_id)
        known = set(connection.execute(select(table.c.name).where(mine)).scalars())
        for key in (key for key in tactics if key[:2] == (begin_us, client_id)):
            if key[2] in known or len(known) < MOST_TACTICS:
                known.add(key[2])
                kept[key] = tactics[key]
    return kept
