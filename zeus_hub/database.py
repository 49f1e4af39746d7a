"""The hub's database: its tables, how it is opened, and how one reads and writes in it.

SQLAlchemy Core, on SQLite or PostgreSQL: what only one of them understands stands in sqlite.py and
postgresql.py. Times are integers, microseconds since 1970 UTC (`_us`).

Every commit is synced (SQLite: `synchronous=FULL` under WAL). The store could do with less, for what it loses
in a power cut it would read again from the journal; but then the journal must not be trimmed behind a
cursor that is not on disk yet, and a whole batch gains only 5 %.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Engine,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    cast,
    func,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, SQLAlchemyError

from socme.errors import OperatorError
from zeus_hub import admission, schema, series, sqlite
from zeus_hub.marker import refuse_half
from zeus_hub.upgrade import revision, upgrade

HEAD = "0010"  # revision of the schema below; the newest file in migrations/versions
URLS = 'Write it as "sqlite:///zeus.db" or "postgresql://USER@HOST/NAME".'
_FIRST = "Begin with `zeus client add NAME` or `zeus serve`, or name the right --config."
SEGMENT = 1 << 17  # rows of the alert table whose addresses are indexed together; some 3 MB of each index
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
METADATA = schema.METADATA
_NUMBER = schema.NUMBER

client = Table(
    "client",
    METADATA,
    Column("id", _NUMBER, primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("title", Text, nullable=False),  # for people; the name where none was given
    Column("enabled", Boolean, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("short_name", String(14), nullable=False, server_default=""),  # for screens; "" for none
)

# A node of a client. One row for its whole life: enrolling again replaces the certificate.
node = Table(
    "node",
    METADATA,
    Column("id", _NUMBER, primary_key=True),
    Column("client_id", ForeignKey("client.id"), nullable=False),
    Column("name", String(63), nullable=False),
    Column("fingerprint", LargeBinary(32), unique=True),  # SHA-256 of the certificate; NULL: has none
    Column("enrolled_us", BigInteger),
    Column("expires_us", BigInteger),
    Column("revoked_us", BigInteger),  # NULL: not revoked
    # What the running hub knows of it, written every few seconds (fleet.py).
    Column("connected", Boolean, nullable=False),
    Column("last_seen_us", BigInteger),
    Column(
        "interval_seconds", Integer, nullable=False
    ),  # between two vitals, as the node said; 0: never said
    Column("vitals", LargeBinary),  # the last serialised socme.v1.Vitals
    UniqueConstraint("client_id", "name"),
)

# Who may watch, and the tokens by which nodes and displays come in (admission.py).
watcher, watcher_client, token, token_client = admission.tables(METADATA)

# Alerts, written by the store sink alone. The columns are for searching and listing; `body` is the
# whole message (see body.py). Texts are cut to the length that the store gives them.
alert = Table(
    "alert",
    METADATA,
    Column("number", _NUMBER, primary_key=True),  # in the journal's order
    Column("segment", Integer, nullable=False, server_default="0"),  # number // SEGMENT
    Column("client_id", Integer, nullable=False),
    Column("node_id", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),  # of its batch in the journal
    Column("id", LargeBinary(16), nullable=False),  # Alert.id
    Column("time_us", BigInteger, nullable=False),  # by the sensor's clock; where unknown, the node's
    Column("received_us", BigInteger, nullable=False),  # by the hub's clock
    Column("severity", Integer, nullable=False),  # socme.v1.Severity, or a number that it does not know
    Column("source", Integer, nullable=False),  # socme.v1.AlertSource
    Column("action", Integer, nullable=False),  # socme.v1.Action
    Column("count", BigInteger, nullable=False),  # how many alerts it stands for
    Column("level", Integer),  # native severity
    Column("rule_id", Text, nullable=False),
    Column("rule_name", Text, nullable=False),
    Column("source_ip", Text, nullable=False),  # "" where there is none
    Column("source_port", _NUMBER, nullable=False),  # 0 where there is none; a node may say any
    Column("destination_ip", Text, nullable=False),
    Column("destination_port", _NUMBER, nullable=False),
    Column("host", Text, nullable=False),  # Alert.host.name
    Column("user", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # An id counts within its node: no node can keep another's alert out by sending its id first.
    UniqueConstraint("id", "node_id"),
    Index(None, "time_us"),
    Index(None, "client_id", "time_us"),
    Index(None, "severity", "time_us"),
    Index(None, "rule_id", "time_us"),
    Index(None, "node_id", "time_us"),
    Index(None, "source", "time_us"),
    # Covers the counts of a snapshot; rows arrive in its order, which makes it cheap.
    Index(None, "received_us", "client_id", "severity", "count"),
    # Addresses come in no order: in one index of all rows each new one would rewrite a page of its own. So
    # each segment has its part of the index, and only the pages of the last one change.
    Index(None, "segment", "source_ip"),
    Index(None, "segment", "destination_ip"),
)
# ATT&CK techniques of alerts, one row each.
technique = Table(
    "technique",
    METADATA,
    Column("id", String(32), primary_key=True),  # as the source spelled it, "T1059.001"
    Column("alert_number", BigInteger, primary_key=True),
    sqlite_with_rowid=False,  # its key is all there is
)

# How far each sink has read in the journal.
sink = Table(
    "sink",
    METADATA,
    Column("name", String(63), primary_key=True),
    Column("journal", LargeBinary(16), nullable=False),  # which journal: positions begin anew with a new one
    Column("position", BigInteger, nullable=False),  # everything up to and with it is done
    Column("refused", BigInteger, nullable=False),  # batches set aside since the beginning
    Column("repeated", BigInteger, nullable=False),  # alerts that were there already
)

# Batches that could not be read, kept as they came; only the newest (store.py says how many).
refused = Table(
    "refused",
    METADATA,
    Column("id", _NUMBER, primary_key=True),
    Column("sink", String(63), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("origin", Text, nullable=False),  # "client/node"
    Column("received_us", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("encoding", Integer, nullable=False),  # socme.v1.Encoding
    Column("alerts", BigInteger, nullable=False),  # as claimed
    Column("decoded_bytes", BigInteger, nullable=False),  # as claimed
    Column("payload", LargeBinary, nullable=False),
)

# What the store did with the alerts of one node since its journal began, in the transaction of the rows.
# Whatever was taken is here or still waits in the journal; anything else is unaccounted.
tally = Table(
    "tally",
    METADATA,
    Column("node_id", ForeignKey("node.id"), primary_key=True),
    Column("stored", BigInteger, nullable=False),  # alerts that became rows
    Column("repeated", BigInteger, nullable=False),  # alerts that were there already
    Column("canaries", BigInteger, nullable=False),  # they never become rows
    Column("unreadable", BigInteger, nullable=False),  # alerts of batches set aside, as claimed
    # Rows that were there before that journal, less what was purged: with `stored`, all that there must be.
    Column("rows_before", BigInteger, nullable=False, server_default="0"),
)

# What nodes say became of everything that they read; each spool's newest word on each hour of each source.
ledger = Table(
    "ledger",
    METADATA,
    Column("node_id", ForeignKey("node.id"), primary_key=True),
    Column("source", Text, primary_key=True),  # LedgerHour.source
    Column("hour_us", BigInteger, primary_key=True),  # LedgerHour.hour
    Column("book", LargeBinary(16), primary_key=True),  # LedgerHour.book
    Column("body", LargeBinary, nullable=False),  # a serialised socme.v1.LedgerHour
    Column("unaccounted", BigInteger, nullable=False),  # by how much it fails, as the hub reckons
    Column("settled", BigInteger, nullable=False),  # how much of that a person has seen (settle.py)
)
Index(
    "ix_ledger_unaccounted",
    ledger.c.unaccounted,
    sqlite_where=ledger.c.unaccounted > 0,
    postgresql_where=ledger.c.unaccounted > 0,
)

# What is noted of a node's books as a whole.
books = Table(
    "books",
    METADATA,
    Column("node_id", ForeignKey("node.id"), primary_key=True),
    Column("refused", BigInteger, nullable=False, server_default="0"),  # hours that could not be kept
    # What a person has seen, and takes as lost (settle.Amounts): what exceeds it counts.
    Column("missing", BigInteger, nullable=False, server_default="0"),
    Column("unstored", BigInteger, nullable=False, server_default="0"),
    Column("rows", BigInteger, nullable=False, server_default="0"),
    Column("told", BigInteger, nullable=False, server_default="0"),
    Column("hours", BigInteger, nullable=False, server_default="0"),  # of its hours, for the record
    Column("settled_by", String(63), nullable=False, server_default=""),
    Column("settled_us", BigInteger),  # NULL: never
)

# How each client was, one row a change; the newest row is how it is. Names, not ids: the hub itself is one.
health = Table(
    "health",
    METADATA,
    Column("client", String(63), primary_key=True),
    Column("since_us", BigInteger, primary_key=True),
    Column("health", Integer, nullable=False),  # socme.v1.Health
    Column("reason", Text, nullable=False),  # for people; "" where all is well
)

# How the nodes were (history.py).
vitals_recent, vitals_quarter, vitals_hour = series.tables(METADATA)


class NoDatabaseError(OperatorError):
    """There is no hub's database yet."""


def open_database(
    url: str, state_dir: Path, *, create: bool = True, admit: Callable[[Engine], None] = refuse_half
) -> Engine:
    """Open the database and bring its schema up to date; safe in several processes at once.

    A relative SQLite path is relative to `state_dir`, which is made where it is missing. Without `create`,
    nothing is made: NoDatabaseError where there is no hub's database. Before anything is made, `admit` may
    raise OperatorError.
    """
    target = _parsed(url)
    is_file = target.get_backend_name() == sqlite.DIALECT
    if is_file and not create and not sqlite.file(target, state_dir).exists():
        raise NoDatabaseError(f"there is no hub in {state_dir} yet", _FIRST)
    if create:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = sqlite.make(target, state_dir) if is_file else _server().make(target)
    try:
        with explained(engine):
            if not is_file:
                _server().refuse_unfit(engine)
            admit(engine)
            if not create:
                _refuse_empty(engine)
            upgrade(engine, HEAD)
    except BaseException:
        engine.dispose()
        raise
    return engine


def database_file(url: str, state_dir: Path) -> Path | None:
    """Return where the database lies; None where it is a server's."""
    target = _parsed(url)
    return sqlite.file(target, state_dir) if target.get_backend_name() == sqlite.DIALECT else None


def named(engine: Engine) -> str:
    """Return what to call the database in messages; never a password."""
    if engine.dialect.name == sqlite.DIALECT:
        return str(engine.url.database)
    return bare(engine.url.set(query={}))


def bare(url: str | URL) -> str:
    """Return a server's URL as PostgreSQL's own tools take it, without its password."""
    target = make_url(url).difference_update_query(("password", "sslpassword"))
    return target.set(drivername="postgresql")._replace(password=None).render_as_string()


@contextmanager
def explained(engine: Engine) -> Iterator[None]:
    """Tell a person what to do where the database cannot be used."""
    try:
        yield
    except DatabaseError as error:
        if engine.dialect.name == sqlite.DIALECT:
            raise sqlite.trouble(engine, error) from error
        raise _server().trouble(named(engine), error, reason(error)) from error


def reason(error: SQLAlchemyError) -> str:
    """Return why something failed, on one line, without what was to be written."""
    cause = error.__cause__
    diagnosis = getattr(cause, "diag", None)  # of PostgreSQL, whose details have values in them
    return " ".join(str(getattr(diagnosis, "message_primary", None) or cause or error).split())


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Read in one transaction: everything seen in it is of one moment."""
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Write in one transaction, which takes its turn at once: what is read in it stays true until its end."""
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        yield connection


@contextmanager
def writing_beside(engine: Engine) -> Iterator[Connection]:
    """Write in one transaction that holds up nobody, where the database can (PostgreSQL), as writing() else.

    For what nobody else writes, and nobody reads to write something else.
    """
    with engine.connect().execution_options(writing=True, beside=True) as connection, connection.begin():
        yield connection


def microseconds(moment: datetime) -> int:
    """Return a moment as it is stored."""
    return (moment - EPOCH) // MICROSECOND


def moment(us: int) -> datetime:
    """Return a stored time as a moment in UTC; the store keeps only times that one can hold."""
    return EPOCH + us * MICROSECOND


def total(column: ColumnElement[int]) -> ColumnElement[int]:
    """Return a column's sum as a whole number, which PostgreSQL's is not by itself."""
    return cast(func.sum(column), BigInteger)


def _server() -> ModuleType:
    """Return what speaks to PostgreSQL, whose driver is loaded only where it is needed."""
    from zeus_hub import postgresql  # noqa: PLC0415

    return postgresql


def _parsed(url: str) -> URL:
    """Read a URL. Messages do not repeat it: there may be a password in it."""
    try:
        target = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise OperatorError("store.url is no database URL", URLS) from error
    if target.drivername not in (sqlite.DIALECT, "postgresql", "postgresql+psycopg"):
        raise OperatorError(f"store.url: {target.drivername} is not supported", URLS)
    return target


def _refuse_empty(engine: Engine) -> None:
    with engine.connect() as connection, connection.begin():
        if revision(connection) is None:
            raise NoDatabaseError(f"there is no hub in {named(engine)} yet", _FIRST)
