"""Words of alerts on SQLite: an index of its module FTS5, which holds nothing but words and numbers.

Its tokenizer `ascii` parts words as terms.py says. It is written with the rows, and alerts that were there
before it are added later, from the newest down (backfill.py): `indexing` says up to which number they are
still missing, and those are compared one by one.
"""

from collections.abc import Sequence
from math import isqrt

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    table,
    text,
    update,
)
from sqlalchemy import true as everything

from zeus_hub.schema import indexing
from zeus_hub.terms import APART, Sought, Term

NAME = "alert_words"
# An alert's text for a search. White space is between the fields, so that no term is found across them.
SAID = """' ' || alert.rule_name || ' ' || alert.message || ' ' || alert.host || ' ' || alert."user" || ' '"""
PAGE = 50  # alerts that a person is shown at once
LOOKED_UP = 4  # times as long as to compare the next one of all takes, to look an alert up by its number
MAKE = (
    f"CREATE VIRTUAL TABLE {NAME} USING fts5(said, content='', columnsize=0, detail=none, tokenize='ascii')"
)
WORDS = "fts5"  # the row in `indexing`
_ADD = text(
    f"INSERT INTO {NAME} (rowid, said) SELECT alert.number, {SAID} FROM alert"  # noqa: S608 - constants
    " WHERE alert.number > :after AND alert.number <= :end ORDER BY alert.number"
)
_REMOVE = text(
    f"INSERT INTO {NAME} ({NAME}, rowid, said) SELECT 'delete', alert.number, {SAID} FROM alert"  # noqa: S608 - constants
    " WHERE alert.number > :rest AND alert.number IN :numbers ORDER BY alert.number"
).bindparams(bindparam("numbers", expanding=True))
_TABLE = table(NAME)
_MATCH = literal_column(NAME).op("MATCH", is_comparison=True)
_NUMBER: ColumnElement[int] = literal_column(f"{NAME}.rowid")


def add(connection: Connection, after: int, end: int) -> None:
    """Add alerts by their numbers, which the index does not know yet."""
    connection.execute(_ADD, {"after": after, "end": end})


def remove(connection: Connection, numbers: Sequence[int]) -> None:
    """Take alerts out that are about to be deleted."""
    connection.execute(_REMOVE, {"rest": rest(connection), "numbers": list(numbers)})


def rest(connection: Connection) -> int:
    """Return up to which number alerts are still missing; 0 for none."""
    query = select(indexing.c.number).where(indexing.c.name == WORDS)
    return connection.execute(query).scalar_one_or_none() or 0


def step(connection: Connection, size: int) -> int:
    """Add the newest alerts that are missing, `size` numbers of them at the most; return how many numbers."""
    before = rest(connection)
    after = max(0, before - size)
    if before:
        add(connection, after, before)
        connection.execute(update(indexing).where(indexing.c.name == WORDS).values(number=after))
    return before - after


def compared(sought: Sought) -> ColumnElement[bool]:
    """Return what is sought as a condition on the alert table, by a look at each alert."""
    said = func.lower(literal_column(SAID))
    found: ColumnElement[bool] = everything()
    for term in sought.terms:
        found = found & said.op("GLOB", is_comparison=True)(_pattern(term))
    return found


def worth_it(connection: Connection, sought: Sought, number: ColumnElement[int]) -> ColumnElement[bool]:
    """Return a condition on the alert table that leaves what is worth to be compared, where it is little.

    `number` is the table's key.
    """
    if not sought.words:
        return everything()
    query = " AND ".join(f'"{word.text}"{"*" if word.is_open else ""}' for word in sought.words)
    hits = select(_NUMBER).select_from(_TABLE).where(_MATCH(literal(query)))
    rare = _rare(connection, number)
    first = hits.limit(rare + 1).subquery()
    if connection.execute(select(func.count()).select_from(first)).scalar_one() > rare:
        return everything()
    left = rest(connection)
    return number.in_(hits) | (number <= left) if left else number.in_(hits)


def _rare(connection: Connection, number: ColumnElement[int]) -> int:
    """Return how many are few: to look them up and sort them takes as long as to walk along all by time.

    Of n among N, a page is found within PAGE * N / n steps.
    """
    there = connection.execute(select(func.coalesce(func.max(number), 0))).scalar_one()
    return isqrt(PAGE * there // LOOKED_UP)


def _pattern(term: Term) -> str:
    """Return a term as a pattern of GLOB; every text begins and ends with a space."""
    escaped = "".join(f"[{character}]" if character in "*?[" else character for character in term.text)
    before = f"*[{APART}]" if term.begins_word else "*"
    return f"{before}{escaped}{f'[{APART}]*' if term.ends_word else '*'}"
