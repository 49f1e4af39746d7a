"""What people do about letters: have them tried again, told again, or given up. Each within a transaction.

Of a group one letter waits for a receiver at the most: the next notice is told with it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, delete, exists, func, select, update

from zeus_hub import letters, outbox, schema
from zeus_hub.database import microseconds
from zeus_hub.letters import State

_AT_ONCE = 1000  # letters in one statement


def again(connection: Connection, receiver: str, now: datetime, numbers: Collection[int] = ()) -> int:
    """Let what was refused be tried again, and what waits at once; return how many of both.

    Of each group the latest notice alone, and none where a later one waits: that tells of more.
    """
    table, later = schema.outbox, schema.outbox.alias()
    overtaken = exists().where(
        later.c.receiver == table.c.receiver,
        later.c.group_key == table.c.group_key,
        later.c.notice_number >= table.c.notice_number,
        later.c.number != table.c.number,
        later.c.state == State.WAITING,
    )
    chosen = and_(table.c.receiver == receiver, table.c.state == State.REFUSED, ~overtaken)
    if numbers:
        chosen = and_(chosen, table.c.number.in_(numbers))
    columns = (table.c.group_key, table.c.number)
    ordered = select(*columns).where(chosen).order_by(table.c.notice_number, table.c.number)
    newest = {row.group_key: row.number for row in connection.execute(ordered)}
    waiting = and_(table.c.receiver == receiver, table.c.state == State.WAITING)
    at_once = {"due_us": microseconds(now), "attempts": 0}
    hurried = connection.execute(update(table).where(waiting).values(**at_once)).rowcount
    left = _tell_together(connection, receiver, list(newest.values()), now)
    _reopen(connection, left, now)
    return len(left) + hurried


def drop(connection: Connection, receiver: str, why: str, now: datetime) -> int:
    """Set aside what waits for a receiver, reports too, as if it had refused it; return how much."""
    return sum(letters.drop(connection, each, receiver, why, now) for each in (schema.outbox, schema.report))


def replay(connection: Connection, receiver: str, since: datetime, now: datetime) -> int:
    """Let a receiver be told again of each group of which it was told since a time; return of how many.

    Of the whole, and once: the last notice of each, unless one waits.
    """
    table = schema.outbox
    waiting = select(table.c.group_key).where(table.c.receiver == receiver, table.c.state == State.WAITING)
    latest = (
        select(func.max(table.c.number))
        .where(
            table.c.receiver == receiver,
            table.c.state == State.TOLD,
            table.c.done_us >= microseconds(since),
            table.c.group_key.not_in(waiting.scalar_subquery()),
        )
        .group_by(table.c.group_key)
    )
    numbers = list(connection.execute(latest).scalars())
    _reopen(connection, numbers, now)
    return len(numbers)


def _tell_together(
    connection: Connection, receiver: str, numbers: Sequence[int], now: datetime
) -> Sequence[int]:
    """Have letters told with one of their group that waits; return those for which there is none."""
    table, told = schema.outbox, set[int]()
    groups = select(table.c.group_key).where(table.c.receiver == receiver, table.c.state == State.WAITING)
    for begin in range(0, len(numbers), _AT_ONCE):
        part = table.c.number.in_(numbers[begin : begin + _AT_ONCE])
        rows = connection.execute(select(table).where(part, table.c.group_key.in_(groups))).all()
        for row in rows:
            notice = outbox.read(row.notice)
            if notice is not None and outbox.tell_with_older(connection, receiver, notice, now):
                connection.execute(delete(table).where(table.c.number == row.number))
                told.add(row.number)
    return [number for number in numbers if number not in told]


def _reopen(connection: Connection, numbers: Sequence[int], now: datetime) -> None:
    """Let letters wait again."""
    table = schema.outbox
    values = {"state": State.WAITING, "done_us": 0, "due_us": microseconds(now), "attempts": 0, "reason": ""}
    for begin in range(0, len(numbers), _AT_ONCE):
        part = numbers[begin : begin + _AT_ONCE]
        connection.execute(update(table).where(table.c.number.in_(part)).values(**values))
