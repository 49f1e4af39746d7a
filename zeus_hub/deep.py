"""Everything that the hub keeps, looked at: pages, rows, bodies, batches, and whether they agree.

Nothing is changed, the hub may run meanwhile, and memory does not grow with what there is: tables are
read in pieces, each in a short transaction of its own, as far as they go when the check begins. Only a
database's own checks of a whole file or table take one transaction; while they last, SQLite's write-ahead log
grows, and PostgreSQL cleans nothing up.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import zstandard
from google.protobuf.message import DecodeError
from sqlalchemy import Connection, Engine, ForeignKey, RowMapping, Table, func, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from socme.batch import BatchError, unpack
from socme.errors import OperatorError
from socme.journal import Entry, Journal
from socme.v1.vitals_pb2 import LedgerHour
from socme.v1.watch_pb2 import StoredAlert
from zeus_hub import body, database, ledger, slots, sqlite
from zeus_hub.database import reading
from zeus_hub.schema import plain
from zeus_hub.sinks import store

ROWS = 500  # read in one transaction
FETCHED = 8  # alerts in memory at once; one may be 4 MiB, most are 2 KiB
ENTRIES = 64  # of the journal, read at once
ENTRY_BYTES = 4 * 1024 * 1024  # the same, or one entry
EXAMPLES = 10  # problems of one kind that are told; the rest is counted
IDENTITY = "journal"  # note of the journal: what positions in it are meant in


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check found."""

    name: str
    looked: int
    """How many things were looked at."""
    problems: int
    examples: Sequence[str]
    """The first of them, for people."""


@dataclass(slots=True)
class Looking:
    """One check while it runs."""

    engine: Engine
    journal: Path
    tell: Callable[[int], None]
    """Called now and then with how many things were looked at."""
    looked: int = 0
    places: dict[int, int] = field(default_factory=dict)
    """The client of each node, by their ids."""

    def saw(self, more: int) -> None:
        """Take note that things were looked at."""
        self.looked += more
        self.tell(self.looked)


def examine(engine: Engine, journal: Path, tell: Callable[[str, int], None]) -> Iterator[Verdict]:
    """Yield a verdict on each kind of thing; `tell` hears its name and how much was looked at so far."""
    for name, check in CHECKS:
        looking = Looking(engine, journal, lambda looked, name=name: tell(name, looked))  # type: ignore[misc]
        problems = _problems(check, looking)
        examples = list(islice(problems, EXAMPLES))
        rest = sum(1 for _ in problems)
        yield Verdict(name, looking.looked, len(examples) + rest, examples)


def _problems(check: "Check", looking: Looking) -> Iterator[str]:
    """Yield what a check finds; a file that cannot be read any further is a finding too."""
    try:
        yield from check(looking)
    except (SQLAlchemyError, sqlite3.Error) as error:
        yield f"cannot be read: {error.__cause__ or error}"
    except OperatorError as error:
        yield str(error).partition("\n")[0]


def database_pages(looking: Looking) -> Iterator[str]:
    """Let the database check itself: its pages, that rows are in order, and each index against its table."""
    with reading(looking.engine) as connection:
        if connection.dialect.name == sqlite.DIALECT:
            yield from _well(row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check"))
            looking.saw(connection.exec_driver_sql("PRAGMA page_count").scalar_one())
            return
    from zeus_hub import postgresql  # noqa: PLC0415 - its driver is loaded only where it is needed

    for table in database.METADATA.sorted_tables:
        with reading(looking.engine) as connection:
            yield from postgresql.examine(connection, table, looking.saw)


def journal_pages(looking: Looking) -> Iterator[str]:
    """Let SQLite check the journal."""
    if not looking.journal.exists():
        with reading(looking.engine) as connection:
            if store.position(connection):
                yield "there is none, and the store has read one: new alerts will come in a new one"
        return
    with closing(Journal(looking.journal)) as journal:
        yield from _well(row[0] for row in journal.query("PRAGMA integrity_check"))
        looking.saw(int(str(journal.query("PRAGMA page_count")[0][0])))


def schema(looking: Looking) -> Iterator[str]:
    """Look for every table and index that there must be."""
    inspector = inspect(looking.engine)
    for table in database.METADATA.sorted_tables:
        looking.saw(1 + len(table.indexes))
        if not inspector.has_table(table.name):
            yield f"there is no table {table.name}"
            continue
        there = {index["name"] for index in inspector.get_indexes(table.name)}
        yield from (f"there is no index {index.name}" for index in table.indexes if index.name not in there)


def references(looking: Looking) -> Iterator[str]:
    """Look for rows that name others which there are not."""
    with reading(looking.engine) as connection:
        for table in database.METADATA.sorted_tables:
            for key in table.foreign_keys:
                yield from _dangling(connection, table, key)
        alert, technique = database.alert, database.technique
        there = select(alert.c.number).where(alert.c.number == technique.c.alert_number).exists()
        query = select(technique).where(~there)
        for row in connection.execute(query.execution_options(yield_per=ROWS)):
            yield f"technique {row.id} is of alert number {row.alert_number}, which there is not"
        looking.saw(connection.execute(select(func.count()).select_from(technique)).scalar_one())


def alerts(looking: Looking) -> Iterator[str]:
    """Decode every stored alert and compare it with its columns."""
    node, technique, number = database.node, database.technique, database.alert.c.number
    last, named = 0, 0
    with reading(looking.engine) as connection:
        end = connection.execute(select(func.coalesce(func.max(number), 0))).scalar_one()
    while last < end:
        with reading(looking.engine) as connection:
            looking.places = {row.id: row.client_id for row in connection.execute(select(node))}
            before = last
            for row in _rows(connection, last, end):
                last = row["number"]
                looking.looked += 1
                stored = _decoded(row)
                if isinstance(stored, str):
                    yield f"alert number {last}: {stored}"
                    continue
                named += len(store.techniques(stored.alert))
                yield from (f"alert number {last}: {what}" for what in _differs(looking, row, stored))
        looking.saw(0)
        if last == before:  # what was left has been deleted since
            break
    with reading(looking.engine) as connection:
        count = select(func.count()).where(technique.c.alert_number <= end)
        there = connection.execute(count).scalar_one()
    if there != named:
        yield f"the alerts name {named} techniques, {there} are listed"


def journal_entries(looking: Looking) -> Iterator[str]:
    """Unpack every batch of the journal; what the store set aside as unreadable is known."""
    table = database.refused
    with reading(looking.engine) as connection:
        known = set(connection.execute(select(table.c.position)).scalars())
        oldest = min(known, default=0) if len(known) >= store.REFUSED_KEPT else 0
    if not looking.journal.exists():
        return
    with closing(Journal(looking.journal)) as journal:
        last, end = 0, journal.last()
        while last < end and (entries := journal.read(last, entries=ENTRIES, size=ENTRY_BYTES)):
            for entry in entries:
                if last and entry.position != last + 1:
                    yield f"entry {last} is followed by {entry.position}"
                last = entry.position
                problem = _unreadable(entry)
                if problem and last not in known and last >= oldest:
                    yield f"entry {last} of {entry.origin}: {problem}"
            looking.saw(len(entries))


def positions(looking: Looking) -> Iterator[str]:
    """Compare how far each sink has read with what the journal has."""
    with reading(looking.engine) as connection:
        sinks = connection.execute(select(database.sink)).all()
    if not looking.journal.exists():
        return
    with closing(Journal(looking.journal)) as journal:
        identity, last = journal.note(IDENTITY), journal.last()
        first = next(iter(journal.read(0, entries=1, size=0)), None)
    oldest = first.position if first is not None else last + 1
    for row in sinks:
        looking.saw(1)
        if row.journal != identity:
            yield f"the sink {row.name} has read another journal than the one that is there"
        elif row.position > last:
            yield f"the sink {row.name} stands at {row.position}, the journal ends at {last}"
        elif row.position + 1 < oldest:
            yield f"the sink {row.name} stands at {row.position}, the journal begins at {oldest}"


def counts(looking: Looking) -> Iterator[str]:
    """Compare what was counted of each node with the rows, and with what the journal took."""
    for (client, node), expected, there in ledger.rows(looking.engine):
        looking.saw(1)
        if there != expected:
            yield f"{client}/{node}: {expected} alerts were stored, {there} are there"
    for balance in ledger.balances(looking.engine, looking.journal):
        if balance.unaccounted:
            yield f"{balance.client}/{balance.node}: {balance.unaccounted} alerts are unaccounted for"


def wall(looking: Looking) -> Iterator[str]:
    """Compare what a wall shows with the alerts and with what people did about them."""
    with reading(looking.engine) as connection:
        yield from slots.wrong(connection)
        looking.saw(slots.held(connection))


def hours(looking: Looking) -> Iterator[str]:
    """Decode every hour of the nodes' ledgers."""
    table = database.ledger
    with reading(looking.engine) as connection:
        for row in connection.execute(select(table).execution_options(yield_per=ROWS)):
            looking.saw(1)
            try:
                told = LedgerHour.FromString(row.body)
            except DecodeError as error:
                yield f"an hour of node number {row.node_id} cannot be decoded: {error}"
                continue
            if (told.source, told.book, told.hour.ToMicroseconds()) != (row.source, row.book, row.hour_us):
                yield f"an hour of node number {row.node_id} is not the one that its columns say"


Check = Callable[[Looking], Iterator[str]]
CHECKS: tuple[tuple[str, Check], ...] = (
    ("database pages", database_pages),
    ("journal pages", journal_pages),
    ("schema", schema),
    ("references", references),
    ("alerts", alerts),
    ("ledger hours", hours),
    ("journal entries", journal_entries),
    ("positions", positions),
    ("counts", counts),
    ("wall counts", wall),
)


def _dangling(connection: Connection, table: Table, key: ForeignKey) -> Iterator[str]:
    """Yield rows of a table that name one of another which there is not."""
    mine, other = key.parent, key.column
    there = select(other).where(other == mine).exists()
    query = select(*table.primary_key).where(mine.is_not(None), ~there)
    for row in connection.execute(query.execution_options(yield_per=ROWS)):
        place = ", ".join(str(value) for value in row)
        yield f"row {place} of {table.name} names a {other.table.name} that there is not"


def _well(told: Iterator[object]) -> Iterator[str]:
    """Yield what SQLite's check complains of."""
    return (str(line) for line in told if line != "ok")


def _rows(connection: Connection, after: int, end: int) -> Iterator[RowMapping]:
    number = database.alert.c.number
    query = select(database.alert).where(number > after, number <= end).order_by(number).limit(ROWS)
    yield from connection.execute(query.execution_options(yield_per=FETCHED)).mappings()


def _decoded(row: RowMapping) -> StoredAlert | str:
    """Return the alert of a row; what is wrong where it cannot be decoded."""
    try:
        stored = StoredAlert(alert=body.decode(row["body"]))
    except (zstandard.ZstdError, DecodeError) as error:
        return f"cannot be decoded: {error}"
    stored.received.FromMicroseconds(row["received_us"])
    return stored


def _differs(looking: Looking, row: RowMapping, stored: StoredAlert) -> Iterator[str]:
    expected = store.columns(stored)
    wrong = [name for name, value in expected.items() if _plain(row[name]) != value]
    if wrong:
        yield f"differs from its columns {', '.join(wrong)}"
    node_id, client_id = row["node_id"], row["client_id"]
    if node_id not in looking.places:
        yield f"is of node number {node_id}, which there is not"
    elif looking.places[node_id] != client_id:
        yield f"is of client number {client_id}, its node is not"
    if stored.alert.HasField("canary"):
        yield "is a canary"


def _plain(value: object) -> object:
    """Return what a column holds as it would be written today."""
    return plain(value) if isinstance(value, str) else value


def _unreadable(entry: Entry) -> str:
    try:
        unpack(entry.packed)
    except BatchError as error:
        return str(error)
    return ""
