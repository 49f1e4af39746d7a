"""The alerts of a group that people were told of, for those who mean all of it.

A group itself knows how many alerts it has, and not which; where each went is kept beside it for as long as
the alert is (groups.py). So they are looked for among all that came since the group's first one. That also
finds those of a group that has ended, as long as the outbox still knows it.

All functions block on the database.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, Engine, func, select

from socme.errors import OperatorError
from zeus_hub import schema
from zeus_hub.database import alert, microseconds, reading
from zeus_hub.triaged import ASKED_AT_ONCE

LOOKED_AT = 10_000  # alerts in one query
_MARGIN = timedelta(days=1)  # by which the hub's clock may have been set while numbers were given
_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Grouped:
    """All alerts of a group that nobody has closed."""

    id: str
    """32 hexadecimal digits."""
    client: str
    first: datetime
    """When the hub took the first of them."""


class _Notice(msgspec.Struct):
    """What is asked of a notice."""

    client: str
    first: datetime


_NOTICES = msgspec.json.Decoder(_Notice)


def named(engine: Engine, digits: str) -> Grouped:
    """Return the group whose id begins with these hexadecimal digits."""
    with reading(engine) as connection:
        found = _told(connection, digits) | _living(connection, digits)
    if not found:
        raise OperatorError(
            f"there is no group {digits}, or no longer", "The last line of a message names its group."
        )
    if len(found) > 1:
        raise OperatorError(f"several groups begin with {digits}: {', '.join(sorted(found))}", "Give more.")
    return next(iter(found.values()))


def portions(engine: Engine, group: Grouped) -> Iterator[Sequence[int]]:
    """Yield the numbers of its alerts, open or not, the oldest first, at most ASKED_AT_ONCE in one go.

    What comes meanwhile is left out: a busy hub would keep it going for ever.
    """
    with reading(engine) as connection:
        number = schema.routed.c.alert_number
        last = connection.execute(select(func.max(number))).scalar_one() or 0
        after = _before(connection, group.first)
    while after < last:
        with reading(engine) as connection:
            after, mine = _some(connection, group.id, after, last)
        for begin in range(0, len(mine), ASKED_AT_ONCE):
            yield mine[begin : begin + ASKED_AT_ONCE]


def _some(connection: Connection, group: str, after: int, last: int) -> tuple[int, list[int]]:
    """Return up to which number was looked, and those of the group among these."""
    from zeus_hub import groups  # noqa: PLC0415 - half a second, which other commands need not wait for

    table = schema.routed
    query = select(table).where(table.c.alert_number > after, table.c.alert_number <= last)
    rows = connection.execute(query.order_by(table.c.alert_number).limit(LOOKED_AT)).all()
    # The id stands in the bytes as it is: to read all of them takes ten times as long.
    likely = [row.alert_number for row in rows if group.encode() in row.content]
    mine: list[int] = []
    for begin in range(0, len(likely), ASKED_AT_ONCE):
        for number, went in groups.routed(connection, likely[begin : begin + ASKED_AT_ONCE]).items():
            if any(ticket.group == group for ticket in went.tickets):
                mine.append(number)
    return (rows[-1].alert_number if len(rows) == LOOKED_AT else last), sorted(mine)


def _before(connection: Connection, first: datetime) -> int:
    """Return a number that is before those of all alerts that came since then."""
    when = alert.c.received_us
    query = select(alert.c.number).where(when >= microseconds(first - _MARGIN)).order_by(when).limit(1)
    number = connection.execute(query).scalar_one_or_none()
    return 0 if number is None else number - 1


def _living(connection: Connection, digits: str) -> dict[str, Grouped]:
    from zeus_hub.routes.kept import decode_row  # noqa: PLC0415 - as above

    table = schema.living_group
    rows = connection.execute(select(table).where(table.c.id.between(*_range(digits))))
    found = {}
    for kept in rows:
        try:
            row = decode_row(kept.content)
        except ValueError:  # damaged: the outbox may know it, and the router tells of it
            continue
        found[kept.id] = Grouped(kept.id, row.group.client, row.summary.first)
    return found


def _told(connection: Connection, digits: str) -> dict[str, Grouped]:
    table = schema.outbox
    mine = table.c.group_key.between(*_range(digits))
    newest = select(func.max(table.c.number)).where(mine).group_by(table.c.group_key)
    rows = connection.execute(
        select(table.c.group_key, table.c.notice).where(table.c.number.in_(newest.scalar_subquery()))
    )
    found = {}
    for row in rows:
        try:
            notice = _NOTICES.decode(row.notice)
        except ValueError:  # msgspec's errors are such, and those of UTF-8
            continue
        found[row.group_key] = Grouped(row.group_key, notice.client, notice.first)
    return found


def _range(digits: str) -> tuple[str, str]:
    return digits.ljust(_DIGITS, "0"), digits.ljust(_DIGITS, "f")
