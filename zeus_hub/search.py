"""Free text in alerts: kept searchable as they are stored and purged, and what is sought as a condition.

What a text means is said in terms.py. Whatever is stored is found: by an index, or by a look at each alert
that no index knows yet.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection

from zeus_hub import fts, sqlite, tsvector
from zeus_hub.database import alert
from zeus_hub.terms import parse


def add(connection: Connection, after: int, end: int) -> None:
    """Make alerts searchable, by their numbers, in the transaction that stores them."""
    if connection.dialect.name == sqlite.DIALECT and end > after:
        fts.add(connection, after, end)


def remove(connection: Connection, numbers: Sequence[int]) -> None:
    """Forget the words of alerts, in the transaction that deletes them, and before it does."""
    if connection.dialect.name == sqlite.DIALECT:
        fts.remove(connection, numbers)


def condition(connection: Connection, text: str) -> ColumnElement[bool]:
    """Return what a person typed as a condition on the alert table, good within the transaction."""
    sought = parse(text)
    if connection.dialect.name == sqlite.DIALECT:
        return fts.condition(connection, sought, alert.c.number)
    return tsvector.condition(sought)
