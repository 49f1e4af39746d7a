"""What a person has seen of what is missing, and takes as lost: from then on, only what exceeds it counts.

Amounts only grow, so that without this a loss would be told for ever and the next one not at all. What was
settled of an hour is noted with the hour (see hours.py), the rest of a node's in one row.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Engine, insert, select, update

from zeus_hub import database
from zeus_hub.database import microseconds, moment, reading, writing

LONGEST_NAME = 63  # characters of who did it

Key = tuple[str, str]  # client and node


@dataclass(frozen=True, slots=True)
class Amounts:
    """Alerts of one node that are not where they should be, by where that was noticed."""

    missing: int = 0
    """That never reached the hub's disk (accounts.Account)."""
    unstored: int = 0
    """By how much what was taken and what became of it differ (ledger.Balance)."""
    rows: int = 0
    """By how much what was stored and the rows that are there differ."""
    told: int = 0
    """By how much the node's own books fail, by the node's word (SpoolVitals.unaccounted)."""

    def beyond(self, settled: "Amounts") -> "Amounts":
        """Return what exceeds what was settled."""
        return Amounts(
            missing=max(0, self.missing - settled.missing),
            unstored=max(0, self.unstored - settled.unstored),
            rows=max(0, self.rows - settled.rows),
            told=max(0, self.told - settled.told),
        )


@dataclass(frozen=True, slots=True)
class Settled:
    """What was settled last of a node."""

    amounts: Amounts = Amounts()
    hours: int = 0
    """Alerts of its hours."""
    by: str = ""
    """The user; empty where nothing was."""
    time: datetime | None = None

    def facts(self) -> dict[str, object]:
        """Return what is to be logged of it."""
        amounts = {field.name: getattr(self.amounts, field.name) for field in fields(self.amounts)}
        return {"by": self.by, "time": self.time, "hours": self.hours, **amounts}


def settled(engine: Engine) -> dict[Key, Settled]:
    """Return what was settled, by client and node. Blocks on the database."""
    node, client, table = database.node, database.client, database.books
    query = select(client.c.name, node.c.name, table).join_from(table, node)
    with reading(engine) as connection:
        rows = connection.execute(query.join(client, client.c.id == node.c.client_id)).all()
    return {
        (row[0], row[1]): Settled(
            Amounts(row.missing, row.unstored, row.rows, row.told),
            row.hours,
            row.settled_by,
            moment(row.settled_us),
        )
        for row in rows
        if row.settled_us is not None
    }


def settle(engine: Engine, key: Key, amounts: Amounts, *, by: str, now: datetime) -> Settled:
    """Take all that is missing of a node now as lost; return what that is. Blocks on the database."""
    node, client, ledger = database.node, database.client, database.ledger
    owner = select(node.c.id).join_from(node, client).where(client.c.name == key[0], node.c.name == key[1])
    with writing(engine) as connection:
        node_id = connection.execute(owner).scalar_one()
        fails = (ledger.c.node_id == node_id) & (ledger.c.unaccounted > 0)
        hours = sum(connection.execute(select(ledger.c.unaccounted).where(fails)).scalars())
        connection.execute(update(ledger).where(fails).values(settled=ledger.c.unaccounted))
        values = {field.name: getattr(amounts, field.name) for field in fields(amounts)}
        by = by[:LONGEST_NAME]
        values |= {"hours": hours, "settled_by": by, "settled_us": microseconds(now)}
        table = database.books
        if not connection.execute(update(table).where(table.c.node_id == node_id).values(values)).rowcount:
            connection.execute(insert(table).values(node_id=node_id, **values))
    return Settled(amounts, hours, by, now)


def fresh(before: Mapping[Key, Settled], now: Mapping[Key, Settled]) -> Iterator[tuple[Key, Settled]]:
    """Return what was settled since it was looked at last, for the log."""
    return ((key, one) for key, one in now.items() if before.get(key, Settled()).time != one.time)
