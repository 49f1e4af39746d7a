"""The ledger hours that nodes tell: which are kept, and for how long.

A node may claim anything: what is kept of one is bounded, and what is not kept is counted.
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
MOST_SOURCES = 32  # of one node; an honest one has two or three
MOST_TOLD = 2048  # hours in one message, and hours of one node that wait to be written
LARGEST = 2048  # bytes of one hour: a name and a few rules
HOUR = timedelta(hours=1)

Key = tuple[str, str]  # client and node
Slot = tuple[str, int]  # source, and the beginning of the hour in microseconds since 1970


@dataclass(frozen=True, slots=True)
class Told:
    """What a node told."""

    hours: Mapping[Slot, bytes]
    """Those that can be kept."""
    refused: int
    """How many cannot: too many, too large, or of no hour that can be."""


def read(hours: Iterable[LedgerHour], now: datetime) -> Told:
    """Return those of a node's hours that can be kept."""
    kept: dict[Slot, bytes] = {}
    refused = 0
    for hour in hours:
        start = _start(hour, now)
        fits = hour.ByteSize() <= LARGEST and len(kept) < MOST_TOLD
        if start is None or not fits:
            refused += 1
            continue
        kept[hour.source, start] = hour.SerializeToString()
    return Told(kept, refused)


def keep(engine: Engine, told: Mapping[Key, Mapping[Slot, bytes]]) -> int:
    """Write down hours of nodes in place of what was known of them; return how many were one source too many.

    Nodes that are not registered are left out. Blocks on the database.
    """
    with writing(engine) as connection:
        return sum(_keep(connection, key, hours) for key, hours in told.items())


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


def _keep(connection: Connection, key: Key, hours: Mapping[Slot, bytes]) -> int:
    node, client, table = database.node, database.client, database.ledger
    owner = select(node.c.id).join_from(node, client).where(client.c.name == key[0], node.c.name == key[1])
    node_id = connection.execute(owner).scalar_one_or_none()
    if node_id is None:
        return 0
    mine = table.c.node_id == node_id
    known = set(connection.execute(select(table.c.source).distinct().where(mine)).scalars())
    refused = 0
    for (source, start), body in hours.items():
        if source not in known and len(known) >= MOST_SOURCES:
            refused += 1
            continue
        known.add(source)
        here = mine & (table.c.source == source) & (table.c.hour_us == start)
        if not connection.execute(update(table).where(here).values(body=body)).rowcount:
            row = {"node_id": node_id, "source": source, "hour_us": start, "body": body}
            connection.execute(insert(table).values(row))
    return refused
