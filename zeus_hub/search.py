"""Free text in alerts: kept searchable as they are stored and purged, and what is sought as a condition.

What a text means is said in terms.py. Whatever is stored is found: by an index, or by a look at each alert
that no index knows yet.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, true

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
    else:
        tsvector.remove(connection, numbers)


def condition(connection: Connection, text: str, *, narrowed: bool) -> ColumnElement[bool]:
    """Return what a person typed as a condition on the alert table, good within the transaction.

    Narrowed, it finds its way by an index; where few alerts are asked in any case, that would be in vain.
    """
    sought = parse(text)
    if connection.dialect.name == sqlite.DIALECT:
        narrow = fts.worth_it(connection, sought, alert.c.number) if narrowed else true()
        return fts.compared(sought) & narrow
    return tsvector.compared(sought) & (
        tsvector.worth_it(connection, sought, alert.c.number) if narrowed else true()
    )
