"""What of one source is held back for a roll-up, in memory and in the spool's transaction.

The lines that a roll-up stands for are gone past once their position is committed; so what is held is
committed with them, and is deleted in the transaction that spools the roll-up. Wherever the agent is
killed, each line is in exactly one place.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from artemis_agent import held_rows, ledger
from artemis_agent.held_rows import TABLES, Query
from artemis_agent.rollup import Limits, Window, Windows, rolled_up
from socme.v1.alert_pb2 import Alert

_OFF = Limits(burst=0, window_us=0)


@dataclass(frozen=True, slots=True)
class Due:
    """A roll-up that is to be sent."""

    key: bytes
    window: Window
    first: bytes
    """The first alert that it holds, serialised; empty where that lies in the spool."""

    def alert(self, firsts: Mapping[bytes, bytes]) -> Alert:
        """Return it; `firsts` are those from the spool."""
        return rolled_up(self.first or firsts[self.key], self.window)


@dataclass(slots=True)
class Held:
    """What one source holds; used by its collector, one turn at a time."""

    source: str
    windows: Windows
    _firsts: dict[bytes, bytes] = field(default_factory=dict)  # not committed yet
    _changed: set[bytes] = field(default_factory=set)
    _gone: set[bytes] = field(default_factory=set)
    _booked: dict[int, Counter[str]] = field(default_factory=dict)  # by hour, for the ledger

    def hold(self, key: bytes, time_us: int, now_us: int, payload: bytes) -> tuple[bool, Due | None]:
        """Return whether a serialised alert is held, and a roll-up that is due before it, if one is."""
        held, ended = self.windows.hold(key, time_us, now_us)
        due = self._due(ended.key, ended.window) if ended else None
        window = self.windows.held(key)
        if held and window is not None:
            if window.held == 1:
                self._firsts[key] = payload
            self._changed.add(key)
            self._book(window, "held", 1)
        return held, due

    def end_due(self, now_us: int) -> Iterator[Due]:
        """Yield the roll-ups whose windows are over by this node's clock."""
        for ended in self.windows.end_due(now_us):
            yield self._due(ended.key, ended.window)

    def keep(self, db: sqlite3.Connection) -> None:
        """Write what changed since `kept`, within the transaction that is open."""
        for table in TABLES:
            db.executemany(
                f"DELETE FROM {table} WHERE source = ? AND key = ?",  # noqa: S608 - constants
                [(self.source, key) for key in self._gone],
            )
        windows = [(key, self.windows.held(key)) for key in self._changed]
        db.executemany(
            "INSERT OR REPLACE INTO held VALUES (?,?,?,?,?,?,?,?)",
            [(self.source, key, *_row(window)) for key, window in windows if window],
        )
        db.executemany(
            "INSERT OR REPLACE INTO held_first VALUES (?,?,?)",
            [(self.source, key, first) for key, first in self._firsts.items()],
        )
        for hour, counts in self._booked.items():
            ledger.add(db, self.source, hour, counts)

    def kept(self) -> None:
        """Take note that the transaction is committed."""
        for each in (self._firsts, self._changed, self._gone, self._booked):
            each.clear()

    def _due(self, key: bytes, window: Window) -> Due:
        self._changed.discard(key)
        self._gone.add(key)
        self._book(window, "released", window.held)
        return Due(key, window, self._firsts.pop(key, b""))

    def _book(self, window: Window, what: str, alerts: int) -> None:
        self._booked.setdefault(held_rows.hour_of(window.opened_us), Counter())[what] += alerts


def load(query: Query, source: str, limits: Limits | None) -> Held:
    """Return what a source holds, as the spool has it; `query` is the journal's.

    Without limits (roll-up is off) whatever is held is due at once.
    """
    windows = Windows(limits or _OFF)
    rows = query(
        "SELECT key, opened_us, began_us, passed, held, first_us, last_us FROM held"
        " JOIN held_first USING (source, key) WHERE source = ? ORDER BY opened_us",
        (source,),
    )
    for key, *numbers in rows:
        windows.restore(_bytes(key), Window(*(_number(number) for number in numbers)))
    return Held(source, windows)


def firsts(query: Query, source: str, dues: Iterable[Due]) -> dict[bytes, bytes]:
    """Return the first alerts of those roll-ups that have theirs in the spool, by key."""
    return {
        due.key: _sound(_bytes(alert))
        for due in dues
        if not due.first
        for (alert,) in query("SELECT alert FROM held_first WHERE source = ? AND key = ?", (source, due.key))
    }


def sources(query: Query) -> list[str]:
    """Return the sources that hold something, also those that are no longer followed."""
    return [str(name) for (name,) in query("SELECT DISTINCT source FROM held ORDER BY source", ())]


def lines(query: Query) -> int:
    """Return how many lines are held, of all sources together."""
    ((total,),) = query("SELECT coalesce(sum(held), 0) FROM held", ())
    return _number(total)


def _row(window: Window) -> tuple[int, ...]:
    return (
        window.opened_us,
        window.began_us,
        window.passed,
        window.held,
        window.first_us,
        window.last_us,
    )


def _sound(alert: bytes) -> bytes:
    Alert.FromString(alert)  # DecodeError here, in the spool's hands, and not where it is rolled up
    return alert


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes)  # noqa: S101 - the table is STRICT
    return value


def _number(value: object) -> int:
    assert isinstance(value, int)  # noqa: S101 - the table is STRICT
    return value
