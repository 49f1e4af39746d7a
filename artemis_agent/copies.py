"""Which Suricata alerts were read, by their keys, so that Wazuh's copies are known after a restart too.

Keys are remembered in the transaction that spools their alerts, so a copy is recognised exactly where its
original is safe. Two tables are filled in turn; when it is the other's turn, that one is emptied first,
which costs SQLite next to nothing however full it is. So a key is known until MOST_KEYS / 2 newer ones
have come or TURN has passed, and for at most twice as long while alerts come.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable

MOST_KEYS = 500_000  # in both tables; about 12 MB on disk
TURN = 24 * 3600 * 1_000_000  # microseconds; a Wazuh that was down for a night has caught up by then

SCHEMA = """
-- Keys of Suricata alerts that were read (artemis_agent/copy_key.py), in two tables that are filled in turn.
CREATE TABLE copy_even (key INTEGER PRIMARY KEY) STRICT;
CREATE TABLE copy_odd (key INTEGER PRIMARY KEY) STRICT;

-- One row: whose turn it is.
CREATE TABLE copy_turn (
    odd      INTEGER NOT NULL,  -- 1 while copy_odd is being filled, else 0
    keys     INTEGER NOT NULL,  -- how many keys it was given in this turn
    since_us INTEGER NOT NULL   -- when the turn began, microseconds since 1970
) STRICT;
INSERT INTO copy_turn (odd, keys, since_us) VALUES (0, 0, 0);
"""

_EMPTY = ("DELETE FROM copy_even", "DELETE FROM copy_odd")
_INSERT = (
    "INSERT OR IGNORE INTO copy_even (key) VALUES (?)",
    "INSERT OR IGNORE INTO copy_odd (key) VALUES (?)",
)
_KNOWN = """
SELECT key FROM copy_even WHERE key IN (SELECT value FROM json_each(?))
UNION ALL
SELECT key FROM copy_odd WHERE key IN (SELECT value FROM json_each(?))
"""

Query = Callable[[str, Iterable[object]], list[tuple[object, ...]]]


def remember(db: sqlite3.Connection, keys: Collection[int], now_us: int, *, most: int = MOST_KEYS) -> None:
    """Remember keys, within the transaction that is open, and forget the oldest where there are too many."""
    if not keys:
        return
    odd, count, since_us = db.execute("SELECT odd, keys, since_us FROM copy_turn").fetchone()
    if count + len(keys) > most // 2 or not 0 <= now_us - since_us <= TURN:
        odd, count, since_us = 1 - odd, 0, now_us
        db.execute(_EMPTY[odd])
    db.executemany(_INSERT[odd], ((key,) for key in keys))
    db.execute("UPDATE copy_turn SET odd = ?, keys = ?, since_us = ?", (odd, count + len(keys), since_us))


def known(query: Query, keys: Collection[int]) -> set[int]:
    """Return which of the keys are remembered; `query` is the journal's.

    Keys of the reading at hand are not there yet: the caller adds them.
    """
    if not keys:
        return set()
    listed = json.dumps(list(keys))
    return {key for (key,) in query(_KNOWN, (listed, listed)) if isinstance(key, int)}
