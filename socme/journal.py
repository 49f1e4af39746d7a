"""A durable ordered log of batches in one SQLite file; the node's spool and the hub's journal.

What `append` returned for is on disk (WAL with synchronous=FULL) together with its notes, in one
transaction. Readers go through the log at their own pace; each keeps its own cursor, in the transaction that
holds what it made of the entries. All calls block; the owner makes them from one thread at a time.
"""

import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from socme.batch import Packed
from socme.entry import Depth, Draft, Entry, Held, Outline
from socme.journal_file import KEEP, VERSION, DamagedError, disk_fault, open_file, sql
from socme.v1.uplink_pb2 import Encoding

__all__ = ["VERSION", "DamagedError", "Depth", "Draft", "Entry", "Held", "Journal", "Outline", "disk_fault"]

HOUR_US = 3600 * 1_000_000
_FREE_PAGES = ("freelist_count", "page_size")
LOWEST = -(2**63)  # before all positions
_HIGHEST = 2**63 - 1
_DROPPED = Encoding.ENCODING_DROPPED
_HELD = "lane, origin, received_us / 3600000000, count(*), sum(alerts), sum(bytes)"
_BY_HOUR = "GROUP BY lane, origin, received_us / 3600000000"
_NOTE = 'key, value, "check"'
_COLUMNS = "position, origin, lane, sequence, received_us, alerts, encoding, decoded_bytes, payload"


def check_of_note(key: str, value: bytes) -> int:
    """Return what stands beside a note, so that one that was changed never passes for another."""
    return zlib.crc32(value, zlib.crc32(key.encode()))


class Journal:
    """One journal file, open for reading and writing.

    `also` of `append` runs inside the transaction with the journal's connection, for tables that an
    owner keeps beside the journal's own (`schema`, run once when the file is made). A journal that is opened
    `by_lane` gets the indexes that the calls with a lane want; in each lane its sequences ascend with the
    positions.
    """

    def __init__(
        self,
        path: Path,
        *,
        schema: str = "",
        by_lane: bool = False,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._clock = clock
        self._db = open_file(path, sql("lanes") + schema if by_lane else schema)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what is done inside as one; nothing of it where it fails, or the disk does."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # a full disk may have ended it already
                db.execute("ROLLBACK")
            raise

    def append(
        self,
        drafts: Sequence[Draft],
        *,
        notes: Mapping[str, bytes] | None = None,
        also: Callable[[sqlite3.Connection], None] | None = None,
        at_us: int | None = None,
    ) -> list[Entry]:
        """Commit entries and notes in one transaction; return the entries with their positions.

        `at_us` says when, in microseconds since 1970; by the clock unless it is given.
        """
        now = self._clock() // 1000 if at_us is None else at_us
        with self.transaction() as db:
            entries = [_insert(db, draft, now) for draft in drafts]
            if notes:
                self.put(notes)
            if also is not None:
                also(db)
        return entries

    def put(self, notes: Mapping[str, bytes]) -> None:
        """Write notes, within the transaction that is open."""
        self._db.executemany(
            'INSERT OR REPLACE INTO note (key, value, "check") VALUES (?, ?, ?)',
            [(key, value, check_of_note(key, value)) for key, value in notes.items()],
        )

    def read(self, after: int, *, entries: int, size: int) -> list[Entry]:
        """Return entries behind `after` in order: at most `entries`, and at most `size` bytes or one."""
        return _carry(
            self._db.execute(
                f"SELECT {_COLUMNS} FROM entry WHERE position > ? ORDER BY position LIMIT ?",  # noqa: S608 - constants
                (after, entries),
            ),
            size,
        )

    def last(self) -> int:
        """Return the last position ever given; 0 for none."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entry'").fetchone()
        return int(row[0]) if row else 0

    def oldest(self, entries: int) -> list[tuple[int, int]]:
        """Return position and size in bytes of the first few entries, in order."""
        rows = self._db.execute("SELECT position, bytes FROM entry ORDER BY position LIMIT ?", (entries,))
        return [(int(position), int(size)) for position, size in rows]

    def lanes(self, after: int, *, entries: int) -> list[tuple[int, int]]:
        """Return position and lane of the first few entries behind `after`, in order."""
        rows = self._db.execute(
            "SELECT position, lane FROM entry WHERE position > ? ORDER BY position LIMIT ?", (after, entries)
        )
        return [(int(position), int(lane)) for position, lane in rows]

    def forget(self, position: int) -> None:
        """Forget all entries up to and with a position, within the transaction that is open."""
        self._db.execute("DELETE FROM entry WHERE position <= ?", (position,))

    def depth(self, after: int = 0) -> Depth:
        """Return how much lies behind `after`."""
        entries, alerts, size, oldest = self._db.execute(
            "SELECT count(*), coalesce(sum(alerts), 0), coalesce(sum(bytes), 0), min(received_us)"
            " FROM entry WHERE position > ?",
            (after,),
        ).fetchone()
        return Depth(entries, alerts, size, oldest)

    def read_lane(self, lane: int, after: int, *, entries: int, size: int) -> list[Entry]:
        """Return entries of a lane behind a position, as `read` does."""
        return _carry(
            self._db.execute(
                f"SELECT {_COLUMNS} FROM entry WHERE lane = ? AND position > ? ORDER BY position LIMIT ?",  # noqa: S608 - constants
                (lane, after, entries),
            ),
            size,
        )

    def newest(self, lane: int) -> int:
        """Return the position of a lane's last entry; LOWEST where it has none. No payload is read."""
        row = self._db.execute("SELECT max(position) FROM entry WHERE lane = ?", (lane,)).fetchone()
        return LOWEST if row[0] is None else int(row[0])

    def find(self, lane: int, sequence: int) -> Entry | None:
        """Return the last entry of a lane up to and with a sequence; None where there is none."""
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM entry WHERE position = (SELECT position FROM entry WHERE lane = ?"  # noqa: S608 - constants
            " AND sequence <= ? ORDER BY position DESC LIMIT 1)",
            (lane, sequence),
        ).fetchone()
        return _entry(row) if row else None

    def find_behind(self, lane: int, sequence: int) -> Entry | None:
        """Return the first entry of a lane behind a sequence; None where there is none."""
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM entry WHERE lane = ? AND sequence > ? ORDER BY position LIMIT 1",  # noqa: S608 - constants
            (lane, sequence),
        ).fetchone()
        return _entry(row) if row else None

    def outlines(self, lane: int, after: int, *, entries: int) -> list[Outline]:
        """Return what entries of a lane behind a position are, without their payloads."""
        rows = self._db.execute(
            "SELECT position, origin, sequence, received_us, alerts, encoding, bytes FROM entry"
            " WHERE lane = ? AND position > ? ORDER BY position LIMIT ?",
            (lane, after, entries),
        )
        return [Outline(*row) for row in rows]

    def dropped(self, lane: int) -> Iterator[bytes]:
        """Yield the Dropped messages of a lane, serialised."""
        rows = self._db.execute(
            f"SELECT payload FROM entry WHERE lane = ? AND encoding = {_DROPPED} ORDER BY position",  # noqa: S608 - constants
            (lane,),
        )
        for (payload,) in rows:
            yield bytes(payload)

    def held(self) -> list[Held]:
        """Count everything by lane, origin and hour."""
        rows = self._db.execute(f"SELECT {_HELD} FROM entry INDEXED BY entry_lane {_BY_HOUR}")  # noqa: S608 - constants
        return [Held(*row) for row in rows]

    def trim_lane(self, lane: int, sequence: int) -> list[Held]:
        """Forget the entries of a lane up to and with a sequence; return how much that was.

        Only the entries up to the first that stays are looked at.
        """
        first = self._db.execute(
            "SELECT position FROM entry WHERE lane = ? AND sequence > ? ORDER BY position LIMIT 1",
            (lane, sequence),
        ).fetchone()
        values = (lane, first[0] if first else _HIGHEST)
        gone = self._db.execute(
            f"SELECT {_HELD} FROM entry WHERE lane = ? AND position < ? {_BY_HOUR}",  # noqa: S608 - constants
            values,
        ).fetchall()
        self._db.execute("DELETE FROM entry WHERE lane = ? AND position < ?", values)
        return [Held(*row) for row in gone]

    def insert(self, draft: Draft, at_us: int, position: int) -> None:
        """Add an entry at a position of its own, within the transaction that is open."""
        _insert(self._db, draft, at_us, position)

    def rewrite(self, position: int, packed: Packed) -> None:
        """Put something else in an entry's place, within the transaction that is open."""
        size = len(packed.payload)
        self._db.execute(
            "UPDATE entry SET alerts = ?, encoding = ?, decoded_bytes = ?, bytes = ?, payload = ?"
            " WHERE position = ?",
            (packed.alerts, packed.encoding, packed.decoded_bytes, size, packed.payload, position),
        )

    def remove(self, position: int) -> None:
        """Remove one entry, within the transaction that is open."""
        self._db.execute("DELETE FROM entry WHERE position = ?", (position,))

    def first(self) -> int | None:
        """Return the lowest position; None for no entry."""
        found = self._db.execute("SELECT min(position) FROM entry").fetchone()[0]
        return None if found is None else int(found)

    def oldest_us(self) -> int | None:
        """Return when the oldest entry was appended, in microseconds since 1970; None for no entry."""
        row = self._db.execute("SELECT received_us FROM entry ORDER BY position LIMIT 1").fetchone()
        return int(row[0]) if row else None

    def note(self, key: str) -> bytes | None:
        """Return a note, or None; DamagedError where it was changed."""
        row = self._db.execute(
            f"SELECT {_NOTE} FROM note WHERE key = ?",  # noqa: S608 - constants
            (key,),
        ).fetchone()
        return _sound_note(*row) if row else None

    def notes(self, prefix: str) -> dict[str, bytes]:
        """Return all notes whose key begins with a prefix; DamagedError where one was changed."""
        rows = self._db.execute(
            f"SELECT {_NOTE} FROM note WHERE key >= ? AND key < ?",  # noqa: S608 - constants
            (prefix, prefix + "\U0010ffff"),
        )
        return {key: _sound_note(key, value, check) for key, value, check in rows}

    def delete_notes(self, keys: Iterable[str]) -> None:
        """Delete notes, within the transaction that is open."""
        self._db.executemany("DELETE FROM note WHERE key = ?", [(key,) for key in keys])

    def reusable_bytes(self) -> int:
        """Return how much of the file is free: what forgotten entries took stays part of it."""
        (pages,), (size,) = (self._db.execute(f"PRAGMA {name}").fetchone() for name in _FREE_PAGES)
        return int(pages) * int(size)

    def examine(self) -> None:
        """Look through the whole file; DamagedError where it is not sound. Takes as long as reading it."""
        (found,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise DamagedError(f"the file is damaged: {found}", KEEP)
        self.notes("")

    def query(self, sql: str, values: Iterable[object] = ()) -> list[tuple[object, ...]]:
        """Read from a table that the owner keeps beside the journal's own."""
        return self._db.execute(sql, tuple(values)).fetchall()

    def close(self) -> None:
        """Close the file; the journal is not used afterwards."""
        self._db.close()


def _sound_note(key: str, value: bytes, check: int) -> bytes:
    if check_of_note(key, value) != check:
        raise DamagedError(f"the note {key!r} was changed", KEEP)
    return bytes(value)


def _insert(db: sqlite3.Connection, draft: Draft, now: int, position: int | None = None) -> Entry:
    packed = draft.packed
    row = db.execute(
        "INSERT INTO entry (position, origin, lane, sequence, received_us, alerts, encoding, decoded_bytes,"
        " bytes, payload) VALUES (?,?,?,?,?,?,?,?,?,?)",
        (
            position,
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


def _carry(rows: sqlite3.Cursor, size: int) -> list[Entry]:
    """Return the entries of a query up to a size in bytes, or one."""
    found: list[Entry] = []
    total = 0
    for row in rows:
        entry = _entry(row)
        total += len(entry.packed.payload)
        if found and total > size:
            break
        found.append(entry)
    rows.close()
    return found


def _entry(row: tuple[int, str, int, int, int, int, int, int, bytes]) -> Entry:
    position, origin, lane, sequence, received_us, alerts, encoding, decoded_bytes, payload = row
    return Entry(
        position, origin, lane, sequence, received_us, Packed(payload, encoding, alerts, decoded_bytes)
    )
