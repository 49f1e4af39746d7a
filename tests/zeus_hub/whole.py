"""A hub's database with rows in every table that there is, and what of it is in another one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Engine,
    Integer,
    LargeBinary,
    Table,
    delete,
    insert,
    select,
)

from tests.zeus_hub import engines
from zeus_hub.database import METADATA, open_database, reading, writing
from zeus_hub.schema import NUMBER

ROWS = 5  # of each table
# What must come through as it is: markup, controls, direction, what COPY and C read as something else.
HOSTILE = "<b>\\N\t\\.\r\n\x1b[31m\u202e\N{SNOWMAN}\U0001f600\x7f\ufffd'\""

Row = Mapping[str, object]


def fill(state_dir: Path, rows: int = ROWS) -> Engine:
    """Make a SQLite database with so many rows in every table; the caller disposes of it."""
    engine = open_database("sqlite:///zeus.db", state_dir)
    with writing(engine) as connection:
        for table in METADATA.sorted_tables:
            connection.execute(delete(table))  # a new database has a row of its own on its index of words
            connection.execute(insert(table), [row(table, number) for number in range(1, rows + 1)])
    return engine


def row(table: Table, number: int) -> Row:
    """Return a row of a table, which has that number in its keys."""
    return {column.name: _value(column, number) for column in table.columns}


def held(engine: Engine) -> Mapping[str, Sequence[tuple[object, ...]]]:
    """Return all rows of all tables."""
    with reading(engine) as connection:
        return {
            table.name: [
                tuple(found) for found in connection.execute(select(table).order_by(*table.primary_key))
            ]
            for table in METADATA.sorted_tables
        }


def empty(template: str = "template0") -> str:
    """Make an empty database on the server, which is there until the test ends; return its URL."""
    name = engines.DATABASES.make(template)
    engines.DATABASES.use(Path(name), name)
    return engines.DATABASES.server.url(name)


def _value(column: "Column[object]", number: int) -> object:
    kind = column.type
    is_key = column.primary_key or bool(column.foreign_keys)
    if column.nullable and not is_key and number % 2:
        return None
    if isinstance(kind, Boolean):
        return number % 2 == 0
    if isinstance(kind, Integer):
        large = isinstance(kind, BigInteger) or kind is NUMBER
        return number if is_key else (1 - 2 * (number % 2)) * (2 ** (63 if large else 31) - number)
    if isinstance(kind, LargeBinary):
        return bytes([number, 0, 255]) + HOSTILE.encode()
    longest = getattr(kind, "length", None) or 100
    return f"{number}{HOSTILE}"[:longest]
