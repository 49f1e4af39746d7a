"""A durable ordered log of batches in one SQLite file; the node's spool and the hub's journal.

What `append` returned for is on disk (WAL with synchronous=FULL) together with its notes, in one
transaction. Readers go through the log at their own pace; each keeps its own cursor, in the transaction that
holds what it made of the entries. All calls block; the owner makes them from one thread at a time.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from socme.batch import Packed
from socme.errors import OperatorError

VERSION = 1  # of the schema, kept in PRAGMA user_version
BUSY_SECONDS = 10.0  # how long to wait for another process (`artemis status`) that holds the file
_FREE_PAGES = ("freelist_count", "page_size")
_COLUMNS = "position, origin, lane, sequence, received_us, alerts, encoding, decoded_bytes, payload"


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that is not in a journal yet."""

    origin: str
    lane: int
    sequence: int
    packed: Packed


@dataclass(frozen=True, slots=True)
class Entry:
    """One batch as it lies in a journal."""

    position: int
    origin: str
    lane: int
    sequence: int
    received_us: int
    """When it was appended, in microseconds since 1970."""
    packed: Packed


@dataclass(frozen=True, slots=True)
class Depth:
    """What lies in a journal beyond some position."""

    entries: int
    alerts: int
    bytes: int
    oldest_us: int | None
    """When the oldest of them was appended, in microseconds since 1970; None where there is none."""


class Journal:
    """One journal file, open for reading and writing.

    `also` of `append` runs inside the transaction with the journal's connection, for tables that an
    owner keeps beside the journal's own (`schema`, run once when the file is made).
    """

    def __init__(self, path: Path, *, schema: str = "", clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._db = _open(path, schema)

    def append(
        self,
        drafts: Sequence[Draft],
        *,
        notes: Mapping[str, bytes] | None = None,
        also: Callable[[sqlite3.Connection], None] | None = None,
    ) -> list[Entry]:
        """Commit entries and notes in one transaction; return the entries with their positions."""
        now = self._clock() // 1000
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            entries = [_insert(db, draft, now) for draft in drafts]
            if notes:
                db.executemany("INSERT OR REPLACE INTO note (key, value) VALUES (?, ?)", notes.items())
            if also is not None:
                also(db)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # a full disk may have ended it already
                db.execute("ROLLBACK")
            raise
        return entries

    def read(self, after: int, *, entries: int, size: int) -> list[Entry]:
        """Return entries behind `after` in order: at most `entries`, and at most `size` bytes or one."""
        found: list[Entry] = []
        total = 0
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM entry WHERE position > ? ORDER BY position LIMIT ?",  # noqa: S608 - constants
            (after, entries),
        )
        for row in rows:
            entry = _entry(row)
            total += len(entry.packed.payload)
            if found and total > size:
                break
            found.append(entry)
        rows.close()
        return found

    def last(self) -> int:
        """Return the last position ever given; 0 for none."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entry'").fetchone()
        return int(row[0]) if row else 0

    def depth(self, after: int = 0) -> Depth:
        """Return how much lies behind `after`."""
        entries, alerts, size, oldest = self._db.execute(
            "SELECT count(*), coalesce(sum(alerts), 0), coalesce(sum(bytes), 0), min(received_us)"
            " FROM entry WHERE position > ?",
            (after,),
        ).fetchone()
        return Depth(entries, alerts, size, oldest)

    def trim_lane(self, lane: int, sequence: int) -> Depth:
        """Forget the entries of a lane up to and with a sequence; return how much that was.

        For a journal of one origin, where a lane's sequences ascend with the positions: only the entries
        up to the first that stays are looked at.
        """
        rows = self._db.execute(
            "DELETE FROM entry WHERE lane = ?1 AND position < coalesce("
            " (SELECT position FROM entry WHERE lane = ?1 AND sequence > ?2 ORDER BY position LIMIT 1),"
            " 9223372036854775807) RETURNING alerts, bytes",
            (lane, sequence),
        ).fetchall()
        return Depth(len(rows), sum(row[0] for row in rows), sum(row[1] for row in rows), None)

    def oldest_us(self) -> int | None:
        """Return when the oldest entry was appended, in microseconds since 1970; None for no entry."""
        row = self._db.execute("SELECT received_us FROM entry ORDER BY position LIMIT 1").fetchone()
        return int(row[0]) if row else None

    def note(self, key: str) -> bytes | None:
        """Return a note, or None."""
        row = self._db.execute("SELECT value FROM note WHERE key = ?", (key,)).fetchone()
        return bytes(row[0]) if row else None

    def notes(self, prefix: str) -> dict[str, bytes]:
        """Return all notes whose key begins with a prefix."""
        rows = self._db.execute(
            "SELECT key, value FROM note WHERE key >= ? AND key < ?", (prefix, prefix + "\U0010ffff")
        )
        return {key: bytes(value) for key, value in rows}

    def reusable_bytes(self) -> int:
        """Return how much of the file is free: what forgotten entries took stays part of it."""
        (pages,), (size,) = (self._db.execute(f"PRAGMA {name}").fetchone() for name in _FREE_PAGES)
        return int(pages) * int(size)

    def query(self, sql: str, values: Iterable[object] = ()) -> list[tuple[object, ...]]:
        """Read from a table that the owner keeps beside the journal's own."""
        return self._db.execute(sql, tuple(values)).fetchall()

    def close(self) -> None:
        """Close the file; the journal is not used afterwards."""
        self._db.close()


def _open(path: Path, schema: str) -> sqlite3.Connection:
    with suppress(OSError):  # SQLite says it better, and gives its log, which holds alerts, this file's mode
        path.touch(mode=0o600)
    try:
        db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version > VERSION:
            db.close()
            raise OperatorError(
                f"{path} was written by a newer version (schema {version}, this program knows {VERSION})",
                "Update this program, or move the file away to begin anew.",
            )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if version == 0:
            _create(db, schema)
    except sqlite3.OperationalError as error:
        raise OperatorError(
            f"cannot open {path}: {error}",
            "Check that its folder exists, that this user may write there, and the free space.",
        ) from error
    except sqlite3.DatabaseError as error:
        raise OperatorError(
            f"{path} is damaged: {error}", "Move it away (keep it: it may hold alerts) and start again."
        ) from error
    path.chmod(0o600)
    return db


def _create(db: sqlite3.Connection, schema: str) -> None:
    own = resources.files("socme").joinpath("sql/journal.sql").read_text()
    db.executescript(f"BEGIN IMMEDIATE;\n{own}\n{schema}\nPRAGMA user_version = {VERSION};\nCOMMIT;")


def _insert(db: sqlite3.Connection, draft: Draft, now: int) -> Entry:
    packed = draft.packed
    row = db.execute(
        "INSERT INTO entry (origin, lane, sequence, received_us, alerts, encoding, decoded_bytes, bytes,"
        " payload) VALUES (?,?,?,?,?,?,?,?,?)",
        (
            draft.origin,
            draft.lane,
            draft.sequence,
            now,
            packed.alerts,
            packed.encoding,
            packed.decoded_bytes,
            len(packed.payload),
            packed.payload,
        ),
    )
    return Entry(row.lastrowid or 0, draft.origin, draft.lane, draft.sequence, now, packed)


def _entry(row: tuple[int, str, int, int, int, int, int, int, bytes]) -> Entry:
    position, origin, lane, sequence, received_us, alerts, encoding, decoded_bytes, payload = row
    return Entry(
        position, origin, lane, sequence, received_us, Packed(payload, encoding, alerts, decoded_bytes)
    )
