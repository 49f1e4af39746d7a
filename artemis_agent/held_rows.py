"""The tables of what is held for roll-ups, for those who write the alerts and for those who count them.

Alerts that can be sent have a row in both: one without its first alert, which somebody deleted, is lost.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

SCHEMA = """
-- Alerts that wait to be rolled up (artemis_agent/rollup.py): a row for each window that holds some.
CREATE TABLE held (
    source    TEXT NOT NULL,
    key       BLOB NOT NULL,     -- what they have in common
    opened_us INTEGER NOT NULL,  -- all times in microseconds since 1970; the fields are those of Window
    began_us  INTEGER NOT NULL,
    passed    INTEGER NOT NULL,
    held      INTEGER NOT NULL,
    first_us  INTEGER NOT NULL,
    last_us   INTEGER NOT NULL,
    PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;

-- The first alert of each, apart from the numbers, which change with every commit.
CREATE TABLE held_first (
    source TEXT NOT NULL,
    key    BLOB NOT NULL,
    alert  BLOB NOT NULL,        -- a serialised Alert
    PRIMARY KEY (source, key)
) STRICT;
"""
TABLES = ("held", "held_first")
HOUR_US = 3600 * 1_000_000
_WHOLE = "FROM held JOIN held_first USING (source, key)"

Query = Callable[[str, Iterable[object]], list[tuple[object, ...]]]
Opened: TypeAlias = frozenset[tuple[object, ...]]
"""Windows that hold something. Each is known by its source, its key, and when it was opened and began."""


def hour_of(opened_us: int) -> int:
    """Return the hour under which a window's alerts are booked: when it began, by this node's clock."""
    return opened_us // HOUR_US


def opened(query: Query) -> Opened:
    """Return the windows that hold something now."""
    return frozenset(query(f"SELECT source, key, opened_us, began_us {_WHOLE}", ()))


def by_hour(query: Query) -> Iterator[tuple[str, int, int]]:
    """Yield source, hour and number of the alerts that are held now."""
    rows = query(
        f"SELECT source, opened_us / {HOUR_US} AS hour, sum(held) {_WHOLE} GROUP BY source, hour",
        (),
    )
    for source, hour, alerts in rows:
        yield str(source), int(str(hour)), int(str(alerts))
