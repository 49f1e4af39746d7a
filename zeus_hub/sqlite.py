"""What only SQLite understands: its one file, how each connection is set, and one writer at a time."""

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from itertools import chain
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, OperationalError

from socme.errors import OperatorError

DIALECT = "sqlite"
NAME = "zeus.db"  # of the file where the URL names none
CACHE_KIB = 64 * 1024  # of a connection that writes: a large transaction of the store
PAGE_BYTES = 8192  # of a new file; rows are written in half as many pages as there would be by default
CHECKPOINT_PAGES = 8000  # of the write-ahead log, 64 MB: a page that is written again is copied once
ROWS_AT_ONCE = (400, 20, 1)  # put in by one statement; as many values as SQLite takes would be 1,400 alerts
BUSY_MILLISECONDS = 10_000  # how long to wait for another process (`zeus client add`) that writes
_BEGIN_ANEW = (
    "Restore a backup: zeus restore DIR. Without one, move it away (keep it) and start again: what the"
    " journal still holds is stored anew; clients, nodes and screens have to be added and enrolled again."
)


def file(target: URL, state_dir: Path) -> Path:
    """Return where the database lies; a relative path is relative to `state_dir`."""
    return state_dir / (target.database or NAME)


def make(target: URL, state_dir: Path) -> Engine:
    """Return an engine for a URL; its folder is made where it is missing."""
    path = file(target, state_dir)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_emptied(path, state_dir)
    with suppress(OSError):  # SQLite says it better, and gives its log the mode of the file
        path.touch(mode=0o600)
    # The connection that was used last has the pages in its cache that the store needs next.
    engine = create_engine(target.set(database=str(path)), hide_parameters=True, pool_use_lifo=True)
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    return engine


def put(connection: Connection, table: Table, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows of all columns, in the table's order: whole numbers, text and bytes.

    The driver takes those as they are; SQLAlchemy's look at each value takes as long as the insertion. Other
    threads run while a statement does, but each change between them costs, and to get Python's lock back from
    one that is busy takes up to socme.service.SWITCH_SECONDS: so many rows are in one. Where one row is
    refused, those before it stay in the transaction, which is not to be committed then; without OR FAIL,
    SQLite would keep a copy of each page until a statement's end.
    """
    for at_once in ROWS_AT_ONCE:
        whole = len(rows) - len(rows) % at_once
        if whole:
            parts = (rows[begin : begin + at_once] for begin in range(0, whole, at_once))
            values = [tuple(chain.from_iterable(part)) for part in parts]
            connection.exec_driver_sql(_inserting(table, at_once), values)
        rows = rows[whole:]


@cache
def _inserting(table: Table, rows: int) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    values = f"({', '.join('?' for _ in table.columns)})"
    return f'INSERT OR FAIL INTO "{table.name}" ({names}) VALUES {", ".join([values] * rows)}'  # noqa: S608 - names of our own


def trouble(engine: Engine, error: DatabaseError) -> OperatorError:
    """Return what to tell a person where the database cannot be used."""
    if isinstance(error, OperationalError):
        return OperatorError(
            f"cannot use the database {engine.url.database}: {error.orig}",
            "Check that its folder exists, that this user may write there, the free space, and that no other"
            " program holds it.",
        )
    return OperatorError(f"the database {engine.url.database} is damaged: {error.orig}", _BEGIN_ANEW)


def _refuse_emptied(path: Path, state_dir: Path) -> None:
    """Refuse an empty file where a hub has run before: made anew, it would know no client and no node."""
    log = path.with_name(f"{path.name}-wal")
    is_empty = path.is_file() and not path.stat().st_size and not (log.exists() and log.stat().st_size)
    if is_empty and (state_dir / "journal.db").exists():
        raise OperatorError(f"the database {path} is empty, and the hub's journal is not", _BEGIN_ANEW)


def _connected(dbapi: object, _record: object) -> None:
    dbapi.isolation_level = None  # type: ignore[attr-defined]  # transactions begin where we say
    cursor = dbapi.cursor()  # type: ignore[attr-defined]
    for pragma in (
        f"busy_timeout = {BUSY_MILLISECONDS}",
        f"page_size = {PAGE_BYTES}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begun(connection: Connection) -> None:
    # A reader that turned writer later would fail where another one wrote in between.
    immediate = connection.get_execution_options().get("writing", False)
    if immediate:
        connection.exec_driver_sql(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
