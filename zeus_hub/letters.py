"""What rows of letters have in common, whatever is in them: notices (outbox.py) and reports (reports.py).

All functions work within a transaction.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum

from sqlalchemy import Connection, Table, and_, delete, func, or_, select, update

from zeus_hub import schema
from zeus_hub.database import microseconds, moment

KEPT = timedelta(days=30)  # after which what was told is forgotten
KEPT_ASIDE = timedelta(days=365)  # the same of what was refused, which waits for a person
LONGEST_REASON = 1000  # characters
MOST_FORGOTTEN = 1000  # rows in one transaction


class State(IntEnum):
    """What became of a row; the numbers stand in the database."""

    WAITING = 0
    TOLD = 1
    REFUSED = 2
    UNREADABLE = 3
    """Damaged in the database."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with one receiver."""

    receiver: str
    waiting: int
    refused: int
    told: int
    """Within the time that is kept."""
    oldest: datetime | None
    """Since when the oldest that waits does so."""
    reason: str
    """Why that one did not arrive the last time it was tried."""


def standings(connection: Connection, table: Table) -> list[Standing]:
    """Return how it stands with each receiver of a table, by name."""
    found: dict[str, dict[int, int]] = {}
    counts = select(table.c.receiver, table.c.state, func.count()).group_by(table.c.receiver, table.c.state)
    for receiver, state, count in connection.execute(counts):
        found.setdefault(receiver, {})[state] = count
    return [_standing(connection, table, receiver, found[receiver]) for receiver in sorted(found)]


def joined(one: Standing, other: Standing) -> Standing:
    """Return how it stands with a receiver for which two kinds of letters wait."""
    sooner = one.oldest is not None and (other.oldest is None or one.oldest <= other.oldest)
    first = one if sooner else other
    return replace(
        first,
        waiting=one.waiting + other.waiting,
        refused=one.refused + other.refused,
        told=one.told + other.told,
    )


def drop(connection: Connection, table: Table, receiver: str, why: str, now: datetime) -> int:
    """Set aside what waits for a receiver, as if it had refused it; return how much."""
    waiting = (table.c.receiver == receiver, table.c.state == State.WAITING)
    reason = schema.plain(why)[:LONGEST_REASON]
    values = {"state": State.REFUSED, "done_us": microseconds(now), "reason": reason}
    return connection.execute(update(table).where(*waiting).values(**values)).rowcount


def forget(connection: Connection, table: Table, now: datetime) -> int:
    """Forget some of what was told or refused long ago; return how many."""
    is_old = or_(
        and_(table.c.state == State.TOLD, table.c.done_us < microseconds(now - KEPT)),
        and_(table.c.state > State.TOLD, table.c.done_us < microseconds(now - KEPT_ASIDE)),
    )
    old = select(table.c.number).where(is_old).limit(MOST_FORGOTTEN)
    numbers = list(connection.execute(old).scalars())
    connection.execute(delete(table).where(table.c.number.in_(numbers)))
    return len(numbers)


def _standing(connection: Connection, table: Table, receiver: str, counts: dict[int, int]) -> Standing:
    first = connection.execute(
        select(table.c.created_us, table.c.reason)
        .where(table.c.receiver == receiver, table.c.state == State.WAITING)
        .order_by(table.c.number)
        .limit(1)
    ).one_or_none()
    return Standing(
        receiver=receiver,
        waiting=counts.get(State.WAITING, 0),
        refused=counts.get(State.REFUSED, 0) + counts.get(State.UNREADABLE, 0),
        told=counts.get(State.TOLD, 0),
        oldest=None if first is None else moment(first.created_us),
        reason="" if first is None else first.reason,
    )
