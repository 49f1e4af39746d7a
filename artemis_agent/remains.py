"""What can still be read of a spool's file, entry by entry, however damaged it is. Nothing is written."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from socme import batch
from socme.batch import BatchError, Packed
from socme.errors import OperatorError
from socme.journal import LOWEST
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Encoding

_MEND = "Run this as the user that artemis runs as, or as root."
MOST_TRIES = 100_000  # places that are tried one by one where nothing can be read; a few seconds
_SELECT = "SELECT position, origin, lane, payload, encoding, alerts, decoded_bytes FROM entry"
_BY_INDEX = """
SELECT min(position) FROM (
    SELECT * FROM (SELECT position FROM entry INDEXED BY entry_lane WHERE lane = 1 AND position > ?1
                   ORDER BY position LIMIT 1)
    UNION ALL
    SELECT * FROM (SELECT position FROM entry INDEXED BY entry_lane WHERE lane = 2 AND position > ?1
                   ORDER BY position LIMIT 1)
)
"""
_ENDS = (
    "SELECT max(position) FROM entry NOT INDEXED",
    "SELECT max(position) FROM entry INDEXED BY entry_lane WHERE lane = 1",
    "SELECT max(position) FROM entry INDEXED BY entry_lane WHERE lane = 2",
    "SELECT seq FROM sqlite_sequence WHERE name = 'entry'",
)
_FIRST = (1 << 40) - 10_000  # before all places that are likely (socme/sql/lanes.sql)
_OF_A_PAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR)  # errors that need not be there elsewhere
Row = tuple[int, str, int, bytes, int, int, int]


@dataclass(frozen=True, slots=True)
class Remains:
    """One entry that could be read."""

    origin: str
    """Its source's name."""
    lane: int
    alerts: Sequence[Alert]


def connect(path: Path) -> sqlite3.Connection:
    """Open a spool's file for reading; an agent that has it open is not disturbed."""
    try:
        if not path.is_file():
            raise OperatorError(
                f"there is no spool {path}", "Name the file that was set aside, or start artemis."
            )
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise OperatorError(f"cannot read {path}: {error}", _MEND) from error


def remains(path: Path) -> Iterator[Remains | str]:
    """Yield the entries that hold alerts, oldest first; for those that cannot be read, why."""
    with closing(connect(path)) as db:
        db.text_factory = _text
        try:
            for row in _rows(db):
                if isinstance(row, str):
                    yield row
                elif row[4] == Encoding.ENCODING_ZSTD:
                    yield _read(row)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the second: of SQLite's own message
            yield f"the rest of {path}: {error}"


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _rows(db: sqlite3.Connection) -> Iterator[Row | str]:
    """Yield entries in order; of those that SQLite cannot read, from where to where they stand."""
    after: int | None = LOWEST
    while after is not None:
        try:
            for row in db.execute(f"{_SELECT} WHERE position > ? ORDER BY position", (after,)):
                after = row[0]
                yield row
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF not in _OF_A_PAGE:
                raise
            missed, row = _past(db, after)
            if missed or row is None:
                yield f"{_stretch(after, missed)}: {error}"
            if row is not None:
                yield row
            after = row[0] if row is not None else _from_the_end(db, [after, *missed][-1])
        else:
            return


def _past(db: sqlite3.Connection, after: int) -> tuple[list[int], Row | None]:
    """Return the places behind one at which nothing can be read, and the first entry behind them."""
    missed: list[int] = []
    end = max((end for sql in _ENDS if (end := _answer(db, sql)) is not None), default=LOWEST)
    place = _next_place(db, after, end)
    for _ in range(MOST_TRIES):
        if place is None:
            break
        try:
            row = db.execute(f"{_SELECT} WHERE position = ?", (place,)).fetchone()
        except sqlite3.DatabaseError:
            missed.append(place)
        else:
            if row is not None:
                return missed, row
        place = _next_place(db, place, end)
    return missed, None


def _next_place(db: sqlite3.Connection, place: int, end: int) -> int | None:
    """Return where the next entry stands by the index; where that cannot be read, where it may stand."""
    known = _answer(db, _BY_INDEX, place)
    if known is not None:
        return known
    return max(place + 1, _FIRST) if place < end else None


def _from_the_end(db: sqlite3.Connection, after: int) -> int | None:
    """Return from where on all can be read up to the end, if that is behind a place."""
    lowest = after
    try:
        for (position,) in db.execute("SELECT position FROM entry NOT INDEXED ORDER BY position DESC"):
            lowest = position
    except sqlite3.DatabaseError:
        return lowest - 1 if lowest - 1 > after else None
    return None


def _answer(db: sqlite3.Connection, sql: str, *values: int) -> int | None:
    """Return the number that a query finds; None where there is none, or it cannot be read."""
    try:
        found = db.execute(sql, values).fetchone()
    except sqlite3.DatabaseError:
        return None
    return found[0] if found and isinstance(found[0], int) else None


def _stretch(after: int, missed: list[int]) -> str:
    if not missed:
        return "what lies behind " + ("the beginning" if after == LOWEST else f"the entry at {after}")
    return f"{len(missed)} entries from {missed[0]} to {missed[-1]}"


def _read(row: Row) -> Remains | str:
    position, origin, lane, payload, encoding, alerts, size = row
    try:
        return Remains(origin, lane, batch.unpack(Packed(payload, encoding, alerts, size)))
    except (BatchError, TypeError) as error:  # a damaged row may hold anything
        return f"the entry at {position} {error}"
