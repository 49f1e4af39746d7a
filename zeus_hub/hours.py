"""The ledger hours that nodes tell: whether they come out even, which are kept, and for how long.

A node may claim anything: what is kept of one is bounded, and what is not kept is counted. A spool that
was set aside has said its last word on its hours; what the new one says of them stands beside it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, delete, insert, select, update

from socme.v1.vitals_pb2 import LedgerHour
from zeus_hub import database
from zeus_hub.database import microseconds, writing

KEPT = timedelta(days=30)
AHEAD = timedelta(days=1)  # how far a node's clock may be fast
MOST_BOOKED = 64  # sources of one node, each as often as its spool was made anew; an honest one has three
MOST_TOLD = 2048  # hours in one message, and hours of one node that wait to be written
LARGEST = 2048  # bytes of one hour: a name and a few rules
LARGEST_BOOK = 16  # bytes
MOST_FAILING = 1 << 40  # alerts of one hour: what a node claims beyond that makes no difference
HOUR = timedelta(hours=1)

Key = tuple[str, str]  # client and node
Slot = tuple[str, bytes, int]  # source, book, and the beginning of the hour in microseconds since 1970
Word = tuple[bytes, int]  # a serialised LedgerHour, and by how much it fails


@dataclass(frozen=True, slots=True)
class Told:
    """What a node told."""

    hours: Mapping[Slot, Word]
    """Those that can be kept."""
    refused: int
    """How many cannot: too many, too large, or of no hour that can be."""


def failing(hour: LedgerHour) -> int:
    """Return by how much an hour's equations (see LedgerHour) fail, by its numbers or the node's word."""
    stayed = hour.not_alert + sum(hour.filtered.values()) + hour.rolled_up + hour.undecodable
    lines = hour.read - stayed - (hour.spooled - hour.made)
    sent = hour.spooled - hour.acknowledged - hour.pending - sum(hour.dropped.values())
    rolled = hour.held - hour.released - hour.holding
    return min(max(hour.unaccounted, abs(lines) + abs(sent) + abs(rolled)), MOST_FAILING)


def read(hours: Iterable[LedgerHour], now: datetime) -> Told:
    """Return those of a node's hours that can be kept."""
    kept: dict[Slot, Word] = {}
    refused = 0
    for hour in hours:
        start = _start(hour, now)
        fits = hour.ByteSize() <= LARGEST and len(hour.book) <= LARGEST_BOOK and len(kept) < MOST_TOLD
        if start is None or not fits or "\0" in hour.source:  # no file is called so, and no database takes it
            refused += 1
            continue
        kept[hour.source, hour.book, start] = hour.SerializeToString(), failing(hour)
    return Told(kept, refused)


def keep(
    engine: Engine, told: Mapping[Key, Mapping[Slot, Word]], refused: Mapping[Key, int] | None = None
) -> int:
    """Write down hours of nodes in place of what was known of them; return how many could not be kept.

    So is how many that were, and how many were `refused` before. Nodes that are not registered are left
    out. Blocks on the database.
    """
    refused = refused or {}
    more = 0
    with writing(engine) as connection:
        for key in {**told, **refused}:
            node_id = _owner(connection, key)
            if node_id is not None:
                beyond = _keep(connection, node_id, told.get(key, {}))
                _count(connection, node_id, beyond + refused.get(key, 0))
                more += beyond
    return more


def forget(engine: Engine, now: datetime) -> None:
    """Forget hours that are older than KEPT. Blocks on the database."""
    with writing(engine) as connection:
        table = database.ledger
        connection.execute(delete(table).where(table.c.hour_us < microseconds(now - KEPT)))


def _start(hour: LedgerHour, now: datetime) -> int | None:
    """Return when an hour began, in microseconds since 1970; None where it is none or lies too far off."""
    seconds = hour.hour.seconds
    if hour.hour.nanos or seconds % HOUR.seconds:
        return None
    earliest, latest = (now - KEPT).timestamp(), (now + AHEAD).timestamp()
    return seconds * 1_000_000 if earliest <= seconds <= latest else None


def _owner(connection: Connection, key: Key) -> int | None:
    node, client = database.node, database.client
    owner = select(node.c.id).join_from(node, client).where(client.c.name == key[0], node.c.name == key[1])
    return connection.execute(owner).scalar_one_or_none()


def _keep(connection: Connection, node_id: int, hours: Mapping[Slot, Word]) -> int:
    table = database.ledger
    mine = table.c.node_id == node_id
    known = {
        tuple(row) for row in connection.execute(select(table.c.source, table.c.book).distinct().where(mine))
    }
    refused = 0
    for (source, book, start), (body, unaccounted) in hours.items():
        if (source, book) not in known and len(known) >= MOST_BOOKED:
            refused += 1
            continue
        known.add((source, book))
        here = mine & (table.c.source == source) & (table.c.book == book) & (table.c.hour_us == start)
        word = {"body": body, "unaccounted": unaccounted}
        if not connection.execute(update(table).where(here).values(word)).rowcount:
            slot = {"node_id": node_id, "source": source, "book": book, "hour_us": start}
            connection.execute(insert(table).values({**slot, **word, "settled": 0}))
    return refused


def _count(connection: Connection, node_id: int, refused: int) -> None:
    table = database.books
    if not refused:
        return
    more = {"refused": table.c.refused + refused}
    if not connection.execute(update(table).where(table.c.node_id == node_id).values(more)).rowcount:
        connection.execute(insert(table).values(node_id=node_id, refused=refused))
