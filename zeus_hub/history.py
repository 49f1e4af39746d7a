"""How the nodes were: a day of each node's numbers at full resolution, a month by the hour.

What comes is appended, in the order of time, whoever it is of: a page or two a write, for a thousand nodes as
well. A quarter of an hour that is over is packed: one row for each node, of some 500 bytes, and the rows that
came are deleted in the same transaction, in which its hour is reckoned anew. All calls block on the database.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, ScalarSelect, delete, func, insert, select

from zeus_hub import database
from zeus_hub.database import reading, writing
from zeus_hub.registry import get_node
from zeus_hub.samples import (
    NAMES,
    POINT_NAMES,
    Key,
    Place,
    Point,
    Sample,
    pack,
    point_values,
    summary,
    unpack,
    values,
)

QUARTER = 900  # seconds
HOUR = 3600
DAY = 24 * HOUR
MONTH = 31 * DAY
SETTLED = 15  # seconds after a quarter's end within which its last samples have been written
STEP = 100  # nodes packed in one transaction

recent, quarter, hour = database.vitals_recent, database.vitals_quarter, database.vitals_hour
_POINT = [column for column in hour.c if column is not hour.c.node_id]
_SAMPLE = [recent.c[name] for name in NAMES]


def put(connection: Connection, waiting: Mapping[Place, Sample]) -> None:
    """Write down samples within a transaction; those of nodes that are not registered are left out."""
    if not waiting:
        return
    client, node = database.client, database.node
    known = connection.execute(select(client.c.name, node.c.name, node.c.id).join_from(node, client))
    ids = {(row[0], row[1]): row[2] for row in known}
    rows: dict[tuple[int, int], dict[str, object]] = {
        (seconds, ids[key]): {**dict(zip(NAMES, values(sample), strict=True)), "node_id": ids[key]}
        for (key, seconds), sample in waiting.items()
        if key in ids
    }
    if not rows:
        return
    # A clock that was put back comes to the same moment again.
    first, last = min(rows)[0], max(rows)[0]
    there = select(recent.c.seconds, recent.c.node_id).where(recent.c.seconds.between(first, last))
    for row in connection.execute(there).all():
        rows.pop((row.seconds, row.node_id), None)
    if rows:
        connection.execute(insert(recent), [rows[place] for place in sorted(rows)])


def tend(engine: Engine, now: datetime) -> None:
    """Pack some of what has come, and forget some of what is too old: a bounded step of work."""
    seconds = int(now.timestamp())
    with reading(engine) as connection:
        oldest = connection.execute(select(func.min(recent.c.seconds))).scalar()
        spent = [
            (table, begin)
            for table, kept in ((quarter, DAY + QUARTER), (hour, MONTH))
            if (begin := connection.execute(select(func.min(table.c.seconds))).scalar()) is not None
            and begin < seconds - kept
        ]
    if oldest is not None and _begin(oldest, QUARTER) + QUARTER + SETTLED <= seconds:
        _pack(engine, _begin(oldest, QUARTER))
    if spent:
        with writing(engine) as connection:
            for table, begin in spent:
                connection.execute(delete(table).where(table.c.seconds == begin))


def day(engine: Engine, client: str, node: str, now: datetime) -> list[Sample]:
    """Return a node's samples of the last 24 hours, the oldest first; refuse a node that there is not."""
    get_node(engine, client, node)
    end = int(now.timestamp())
    begin = end - DAY
    quarters = range(_begin(begin, QUARTER), end + 1, QUARTER)
    mine = _id(client, node)
    packed = select(quarter.c.body).where(quarter.c.seconds.in_(quarters), quarter.c.node_id == mine)
    fresh = select(*_SAMPLE).where(recent.c.seconds.between(begin, end), recent.c.node_id == mine)
    with reading(engine) as connection:
        bodies = connection.execute(packed).scalars().all()
        rows = connection.execute(fresh).all()
    found = [sample for body in bodies for sample in unpack(body)] + [Sample(*row) for row in rows]
    return sorted((one for one in found if begin <= one.seconds <= end), key=lambda one: one.seconds)


def month(engine: Engine, client: str, node: str, now: datetime) -> list[Point]:
    """Return a node's hours of the last 31 days, the oldest first, the last one as far as it is packed."""
    get_node(engine, client, node)
    end = int(now.timestamp())
    hours = range(_begin(end - MONTH, HOUR), end + 1, HOUR)
    query = select(*_POINT).where(hour.c.seconds.in_(hours), hour.c.node_id == _id(client, node))
    with reading(engine) as connection:
        return [Point(*row) for row in connection.execute(query.order_by(hour.c.seconds))]


def fleet(engine: Engine, now: datetime, clients: Collection[str] = ()) -> dict[Key, list[Point]]:
    """Return the hours of all nodes, or of some clients', in the last 24: what a screen of many needs.

    The oldest come first. Of 1,000 nodes it takes a tenth of a second of CPU time.
    """
    client, node = database.client, database.node
    end = int(now.timestamp())
    query = (
        select(client.c.name.label("client"), node.c.name.label("node"), *_POINT)
        .join_from(hour, node, hour.c.node_id == node.c.id)
        .join(client, node.c.client_id == client.c.id)
        .where(hour.c.seconds.between(_begin(end - DAY, HOUR), end))
        .order_by(hour.c.seconds)
    )
    if clients:
        query = query.where(client.c.name.in_(clients))
    found: dict[Key, list[Point]] = {}
    with reading(engine) as connection:
        for row in connection.execute(query):
            found.setdefault((row[0], row[1]), []).append(Point(*row[2:]))
    return found


def _pack(engine: Engine, begin: int) -> None:
    """Pack what came of some nodes in the quarter that begins at `begin`, and reckon its hour of them."""
    span = recent.c.seconds.between(begin, begin + QUARTER - 1)
    start = _begin(begin, HOUR)
    with reading(engine) as connection:
        query = select(recent.c.node_id).distinct().where(span).order_by(recent.c.node_id).limit(STEP)
        nodes = connection.execute(query).scalars().all()
        some = recent.c.node_id.between(nodes[0], nodes[-1])
        fresh = _by_node(connection.execute(select(recent.c.node_id, *_SAMPLE).where(span, some)))
        quarters = [start + number * QUARTER for number in range(HOUR // QUARTER)]
        there = quarter.c.seconds.in_(quarters) & quarter.c.node_id.between(nodes[0], nodes[-1])
        packed: dict[int, list[Sample]] = {}
        for row in connection.execute(select(quarter).where(there)):
            packed.setdefault(row.node_id, []).extend(unpack(row.body))
    bodies, hours = [], []
    for node_id, samples in fresh.items():
        whole = list({one.seconds: one for one in samples + packed.get(node_id, [])}.values())
        inside = [one for one in whole if begin <= one.seconds < begin + QUARTER]
        bodies.append({"seconds": begin, "node_id": node_id, "body": pack(inside)})
        numbers = zip(POINT_NAMES, point_values(summary(start, whole)), strict=True)
        hours.append({**dict(numbers), "node_id": node_id})
    with writing(engine) as connection:
        for table, rows, at in ((quarter, bodies, begin), (hour, hours, start)):
            mine = table.c.node_id.in_(list(fresh))
            connection.execute(delete(table).where(table.c.seconds == at, mine))
            connection.execute(insert(table), rows)
        connection.execute(delete(recent).where(span, some))


def _by_node(rows: Iterable[Row[Any]]) -> dict[int, list[Sample]]:
    found: dict[int, list[Sample]] = {}
    for row in rows:
        numbers = tuple(row)
        found.setdefault(numbers[0], []).append(Sample(*numbers[1:]))
    return found


def _id(client: str, node: str) -> ScalarSelect[int]:
    owner, mine = database.client, database.node
    query = select(mine.c.id).join_from(mine, owner).where(owner.c.name == client, mine.c.name == node)
    return query.scalar_subquery()


def _begin(seconds: int, step: int) -> int:
    return seconds // step * step
