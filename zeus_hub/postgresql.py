"""What only PostgreSQL understands: how it is reached, one writer at a time, text by its bytes, rows by COPY.

The hub was written for one writer at a time, as SQLite has it: numbers are given in the order of the commits,
and what a transaction that writes has read stays true until its end. So each of them takes one lock.
"""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

import psycopg
from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    Table,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from socme.errors import OperatorError

DIALECT = "postgresql"
DRIVER = "postgresql+psycopg"
LEAST_VERSION = 15
WRITER = 0x736F636D65  # "socme": the key of the lock of all that write, in this database alone
# What libpq is told unless the URL says otherwise. A server that is away must be noticed, by either side.
REACH: Mapping[str, object] = {
    "application_name": "zeus",
    "connect_timeout": 10,  # seconds
    "keepalives_idle": 30,  # seconds
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # milliseconds until what was sent must be acknowledged
}
# What the server is told of each connection; what the URL says comes behind it, and counts.
SESSION = (
    "-c lock_timeout=10s",  # as long as SQLite waits for another process that writes
    "-c synchronous_commit=on",  # the journal is trimmed behind what is committed
    "-c plan_cache_mode=force_custom_plan",  # how to find alerts depends on what is sought
    "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3",
)
_DAMAGE = "XX"  # class of SQLSTATE
_MAKE = "CREATE DATABASE zeus OWNER zeus ENCODING 'UTF8' TEMPLATE template0"
_TEXTS = text(
    "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)"
    " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
    " JOIN pg_collation l ON l.oid = a.attcollation AND l.collname = 'default'"
    " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')"
    " AND c.relname = ANY(:tables) AND a.attnum > 0 AND NOT a.attisdropped"
    " ORDER BY c.relname, a.attnum"
)

_AMCHECK = text("SELECT count(*) FROM pg_extension WHERE extname = 'amcheck'")
_INDICES = text(
    "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " JOIN pg_am a ON a.oid = c.relam AND a.amname = 'btree'"
    " WHERE i.indrelid = CAST(:table AS regclass) ORDER BY 1"
)
_SEQUENCE = text("SELECT pg_get_serial_sequence(:table, :column)")
_GO_ON = text("SELECT setval(CAST(:sequence AS regclass), :highest)")
_LOOK = text("SELECT bt_index_check(CAST(:index AS regclass), true)")  # that it knows of every row, too


def make(target: URL) -> Engine:
    """Return an engine for a URL; nothing is connected yet."""
    reach = {name: value for name, value in REACH.items() if name not in target.query}
    given = target.query.get("options", "")
    reach["options"] = " ".join((*SESSION, *((given,) if isinstance(given, str) else given)))
    engine = create_engine(
        target.set(drivername=DRIVER),
        connect_args=reach,
        hide_parameters=True,
        pool_pre_ping=True,  # a server that was restarted is no error
        pool_use_lifo=True,
    )
    event.listen(engine, "begin", _begun)
    return engine


def refuse_unfit(engine: Engine) -> None:
    """Raise OperatorError where the server or the database cannot hold what the hub writes."""
    with engine.connect() as connection:
        told = cast("psycopg.Connection", connection.connection.dbapi_connection).info
        version, encoding = told.server_version // 10_000, told.parameter_status("server_encoding")
    if version < LEAST_VERSION:
        raise OperatorError(f"PostgreSQL {version} is too old", f"Zeus needs {LEAST_VERSION} or newer.")
    if encoding != "UTF8":
        raise OperatorError(
            f"the database {engine.url.database} has the encoding {encoding}", f"Make another one: {_MAKE}"
        )


def trouble(name: str, error: DatabaseError, reason: str) -> OperatorError:
    """Return what to tell a person where the database cannot be used."""
    if isinstance(error, OperationalError):
        return OperatorError(
            f"cannot use the database {name}: {reason}",
            "Check that PostgreSQL runs there, has room, and lets this user in; its password may stand in a"
            " file that PGPASSFILE names.",
        )
    if isinstance(error.orig, psycopg.Error) and (error.orig.sqlstate or "").startswith(_DAMAGE):
        return OperatorError(
            f"the database {name} is damaged: {reason}", "Restore it from a dump: see docs/postgresql.md."
        )
    if isinstance(error.orig, psycopg.ProgrammingError) and not error.orig.sqlstate:  # no server was asked
        return OperatorError(
            f"the address of the database {name} is wrong: {reason}",
            "Mend it; docs/postgresql.md says what may stand behind its question mark.",
        )
    return OperatorError(
        f"the database {name} refuses: {reason}", f"The user of store.url must own the database: {_MAKE}"
    )


def copy(connection: Connection, table: Table, rows: Sequence[Sequence[object]]) -> None:
    """Insert rows of all columns, in the table's order: whole numbers, true and false, text and bytes.

    A number that is too large for its column is cut, not refused.
    """
    formatted = connection.dialect.identifier_preparer
    columns = ", ".join(formatted.format_column(column) for column in table.columns)
    statement = f"COPY {formatted.format_table(table)} ({columns}) FROM STDIN (FORMAT binary)"
    with _copying(connection, table, statement) as copying:
        for row in rows:
            copying.write_row(row)


def rows(connection: Connection, table: Table) -> Generator[Sequence[object]]:
    """Yield all rows of a table in the order of its key, as they come: none waits in memory."""
    formatted = connection.dialect.identifier_preparer
    columns = ", ".join(formatted.format_column(column) for column in table.columns)
    keys = ", ".join(formatted.format_column(column) for column in table.primary_key.columns)
    query = f"SELECT {columns} FROM {formatted.format_table(table)} ORDER BY {keys}"  # noqa: S608 - its names
    connection.exec_driver_sql("SET LOCAL enable_sort = off")  # by the index: a large table would fill a disk
    with _copying(connection, table, f"COPY ({query}) TO STDOUT (FORMAT binary)") as copying:
        yield from copying.rows()


def follow(connection: Connection, table: Table) -> None:
    """Have a table whose rows are numbered by the database go on behind the highest number."""
    formatted = connection.dialect.identifier_preparer
    for column in table.primary_key.columns:
        names = {"table": formatted.format_table(table), "column": column.name}
        sequence = connection.execute(_SEQUENCE, names).scalar_one()
        highest = connection.execute(select(func.max(column))).scalar_one() if sequence else None
        if highest is not None:
            connection.execute(_GO_ON, {"sequence": sequence, "highest": max(highest, 1)})


def analyse(connection: Connection, tables: Iterable[Table]) -> None:
    """Have the server look at what is in tables, so that it knows how to search them."""
    formatted = connection.dialect.identifier_preparer
    connection.exec_driver_sql(f"ANALYZE {', '.join(map(formatted.format_table, tables))}")


def empty(connection: Connection, tables: Iterable[Table]) -> None:
    """Take everything out of tables; those that name them by a key must be among them."""
    formatted = connection.dialect.identifier_preparer
    connection.exec_driver_sql(f"TRUNCATE {', '.join(map(formatted.format_table, tables))}")


@contextmanager
def _copying(connection: Connection, table: Table, statement: str) -> Iterator[psycopg.Copy]:
    cursor = cast("psycopg.Cursor", connection.connection.cursor())
    try:
        with cursor, cursor.copy(statement.encode()) as copying:
            copying.set_types([_type(column.type) for column in table.columns])
            yield copying
    except psycopg.Error as error:
        raise DBAPIError.instance(
            statement, None, error, psycopg.Error, hide_parameters=True, dialect=connection.dialect
        ) from error


def examine(connection: Connection, table: Table, saw: Callable[[int], None]) -> Iterator[str]:
    """Read a table from its beginning to its end, and each of its indices where the database has amcheck.

    PostgreSQL compares each page with its checksum where it was made with any. `saw` hears how many rows and
    indices were looked at.
    """
    quote = connection.dialect.identifier_preparer.quote
    for way in ("indexscan", "indexonlyscan", "bitmapscan"):
        connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
    saw(connection.execute(select(func.count()).select_from(table)).scalar_one())
    if not connection.execute(_AMCHECK).scalar_one():
        return
    for (index,) in connection.execute(_INDICES, {"table": quote(table.name)}).all():
        try:
            with connection.begin_nested():
                connection.execute(_LOOK, {"index": index})
        except DatabaseError as error:
            yield f"{index}: {error.orig}"
        saw(1)


def compare_bytes(connection: Connection, tables: Collection[str]) -> None:
    """Have the texts of tables compared by their bytes, as SQLite does, whatever language the database has.

    Ranges, the order of lists and which letters are the same then do not depend on the server. To change it
    rewrites no rows.
    """
    found: dict[str, list[str]] = {}
    quote = connection.dialect.identifier_preparer.quote
    for table, column, kind in connection.execute(_TEXTS, {"tables": list(tables)}):
        found.setdefault(table, []).append(f'ALTER COLUMN {quote(column)} TYPE {kind} COLLATE "C"')
    for table, changes in found.items():
        connection.exec_driver_sql(f"ALTER TABLE {quote(table)} {', '.join(changes)}")


def _begun(connection: Connection) -> None:
    """Begin to write, as the only one, or to read, all as of one moment."""
    raw = cast("psycopg.Connection", connection.connection.dbapi_connection)
    writing = bool(connection.get_execution_options().get("writing", False))
    raw.read_only = not writing
    raw.isolation_level = None if writing else psycopg.IsolationLevel.REPEATABLE_READ
    if writing and not connection.get_execution_options().get("beside", False):
        # Each statement behind it sees what was committed before it.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER})")


def _type(kind: object) -> str:
    if isinstance(kind, BigInteger):
        return "int8"
    if isinstance(kind, Integer):
        return "int4"
    if isinstance(kind, Boolean):
        return "bool"
    return "bytea" if isinstance(kind, LargeBinary) else "text"
