"""What became of everything that was read, by source and hour: a table beside the spool's entries.

    read    = not_alert + filtered + rolled_up + undecodable + (spooled - made)
    spooled = acknowledged + pending + dropped
    held    = released + holding

Each count is added in the transaction that does what it counts. What is pending, or held for a roll-up, is
never counted up or down but found by counting what lies there, so that what went another way shows. An alert
that is held is booked under the hour in which its window began, which may be the one before it was read.
"""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from artemis_agent import held_rows
from artemis_agent.held_rows import Query
from socme.journal import Held
from socme.v1.vitals_pb2 import LedgerHour

SCHEMA = """
-- What became of what was read (artemis_agent/ledger.py).
CREATE TABLE ledger (
    source TEXT    NOT NULL,
    hour   INTEGER NOT NULL,  -- in which it was read, hours since 1970
    key    TEXT    NOT NULL,  -- "read", "filtered:min_severity", as in socme.v1.LedgerHour
    count  INTEGER NOT NULL,
    PRIMARY KEY (source, hour, key)
) STRICT, WITHOUT ROWID;
"""

HOUR_SECONDS = 3600
KEPT_HOURS = 7 * 24  # an hour that balances is forgotten after them
SHOWN_HOURS = 48
DAY_HOURS = 24

_PENDING = """
SELECT source, sum(CASE key WHEN 'spooled' THEN count ELSE -count END) FROM ledger
WHERE key IN ('spooled', 'acknowledged') OR key LIKE 'dropped:%' GROUP BY source
"""
_PLAIN = {
    "read",
    "not_alert",
    "rolled_up",
    "undecodable",
    "spooled",
    "made",
    "acknowledged",
    "held",
    "released",
}
_BY_REASON = {"filtered", "dropped"}


def add(db: sqlite3.Connection, source: str, hour: int, counts: Mapping[str, int]) -> None:
    """Add counts to an hour, within the transaction that is open; ValueError for a key that is none."""
    for key in counts:
        if key not in _PLAIN and key.partition(":")[0] not in _BY_REASON:
            raise ValueError(f"the ledger knows no {key!r}")
    db.executemany(
        "INSERT INTO ledger (source, hour, key, count) VALUES (?,?,?,?)"
        " ON CONFLICT DO UPDATE SET count = count + excluded.count",
        [(source, hour, key, count) for key, count in counts.items() if count],
    )


def hours(query: Query, held: Sequence[Held]) -> list[LedgerHour]:
    """Return all hours, oldest first; `held` is what the entries hold now."""
    found: dict[tuple[int, str], LedgerHour] = {}

    def at(hour: int, source: str) -> LedgerHour:
        if (hour, source) not in found:
            found[hour, source] = LedgerHour(source=source)
            found[hour, source].hour.FromSeconds(hour * HOUR_SECONDS)
        return found[hour, source]

    for source, hour, key, count in query("SELECT source, hour, key, count FROM ledger", ()):
        _put(at(int(str(hour)), str(source)), str(key), int(str(count)))
    for each in held:
        at(each.hour, each.origin).pending += each.alerts
    for source, hour, alerts in held_rows.by_hour(query):
        at(hour, source).holding = alerts
    for ledger in found.values():
        ledger.unaccounted = unaccounted(ledger)
    return [found[key] for key in sorted(found)]


def unaccounted(hour: LedgerHour) -> int:
    """Return by how much the equations fail, taken together; 0 where all is well."""
    explained = hour.not_alert + sum(hour.filtered.values()) + hour.rolled_up + hour.undecodable
    lines = hour.read - explained - (hour.spooled - hour.made)
    alerts = hour.spooled - hour.acknowledged - hour.pending - sum(hour.dropped.values())
    floods = hour.held - hour.released - hour.holding
    return abs(lines) + abs(alerts) + abs(floods)


def recent(found: Sequence[LedgerHour], now_hour: int) -> list[LedgerHour]:
    """Return the hours that are shown: the last SHOWN_HOURS, with the one that has begun."""
    first = (now_hour - SHOWN_HOURS + 1) * HOUR_SECONDS
    return [hour for hour in found if hour.hour.seconds >= first]


def settled(found: Sequence[LedgerHour], now_hour: int) -> list[LedgerHour]:
    """Return the hours that may be forgotten: old ones that balance and of which nothing waits."""
    limit = (now_hour - KEPT_HOURS) * HOUR_SECONDS
    return [hour for hour in found if hour.hour.seconds < limit and _is_over(hour)]


def forget(db: sqlite3.Connection, found: Sequence[LedgerHour]) -> None:
    """Forget hours, within the transaction that is open."""
    db.executemany(
        "DELETE FROM ledger WHERE source = ? AND hour = ?",
        [(hour.source, hour.hour.seconds // HOUR_SECONDS) for hour in found],
    )


def pending(query: Query, wanted: Callable[[str], bool]) -> int:
    """Return how many alerts of some sources wait, by what was booked alone: the entries are not counted."""
    rows = query(_PENDING, ())
    return sum(int(str(count)) for source, count in rows if wanted(str(source)))


def day_records(query: Query, now_hour: int) -> dict[str, int]:
    """Return how many lines of each source were read in the hour that has begun and the 23 before it."""
    first = now_hour - DAY_HOURS + 1
    rows = query(
        "SELECT source, sum(count) FROM ledger WHERE key = 'read' AND hour >= ? GROUP BY source", (first,)
    )
    return {str(source): int(str(count)) for source, count in rows}


def this_hour() -> int:
    """Return the hour that has begun, since 1970."""
    return int(time.time() // HOUR_SECONDS)


def by_hour(held: Sequence[Held]) -> dict[tuple[str, int], int]:
    """Return how many alerts are held by source and hour."""
    alerts: Counter[tuple[str, int]] = Counter()
    for each in held:
        alerts[each.origin, each.hour] += each.alerts
    return alerts


def _is_over(hour: LedgerHour) -> bool:
    return not (hour.unaccounted or hour.pending or hour.holding)


def _put(hour: LedgerHour, key: str, count: int) -> None:
    plain, _, reason = key.partition(":")
    if plain == "filtered":
        hour.filtered[reason] = count
    elif plain == "dropped":
        hour.dropped[reason] = count
    else:
        setattr(hour, plain, count)
