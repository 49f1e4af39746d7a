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
_COLUMNS = "position, origin, lane, payload, encoding, alerts, decoded_bytes"
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
    """Yield the entries that hold alerts, oldest first; for each that cannot be read, why."""
    with closing(connect(path)) as db:
        try:
            for row in _rows(db):
                yield _read(row) if isinstance(row, tuple) else row
        except sqlite3.DatabaseError as error:
            yield f"the rest of {path}: {error}"


def _rows(db: sqlite3.Connection) -> Iterator[Row | str]:
    """Yield entries in order; past what SQLite cannot read, as far as it knows a way around."""
    after: int | None = LOWEST
    while after is not None:
        try:
            for row in db.execute(
                f"SELECT {_COLUMNS} FROM entry WHERE position > ? ORDER BY position",  # noqa: S608 - constants
                (after,),
            ):
                after = row[0]
                if row[4] == Encoding.ENCODING_ZSTD:
                    yield row
        except sqlite3.DatabaseError as error:
            place = "the beginning" if after == LOWEST else f"the entry at {after}"
            yield f"what lies behind {place}: {error}"
            after = _behind(db, after)
        else:
            return


def _behind(db: sqlite3.Connection, after: int) -> int | None:
    """Return from where on to read again: behind the one entry that fails, else behind all up to the end."""
    try:
        (next_,) = db.execute("SELECT min(position) FROM entry WHERE position > ?", (after,)).fetchone()
    except sqlite3.DatabaseError:
        lowest = after
        try:
            for (position,) in db.execute("SELECT position FROM entry ORDER BY position DESC"):
                lowest = position
        except sqlite3.DatabaseError:
            return lowest - 1 if lowest - 1 > after else None
        return None
    return None if next_ is None else int(next_)


def _read(row: Row) -> Remains | str:
    position, origin, lane, payload, encoding, alerts, size = row
    try:
        return Remains(origin, lane, batch.unpack(Packed(payload, encoding, alerts, size)))
    except (BatchError, TypeError) as error:  # a damaged row may hold anything
        return f"the entry at {position} {error}"
