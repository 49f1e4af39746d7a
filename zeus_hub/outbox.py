"""What is to be told, and to whom: a row for each notice and receiver, until it is told or refused.

Written in the transaction that decides to tell, so that nothing is told twice after a crash and nothing
forgotten. Each tells of its group as a whole, so one that still waits gives way to the next of its group: a
receiver that was down for a day is told of each group once. All functions work within a transaction.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
from sqlalchemy import Connection, Row, and_, delete, insert, or_, select, update

from zeus_hub import letters, schema
from zeus_hub.box import UnreadableError
from zeus_hub.database import microseconds, moment
from zeus_hub.letters import LONGEST_REASON, Standing, State
from zeus_hub.notice import Notice
from zeus_hub.receivers.contract import Receipt

LONGEST_REFERENCE = 128  # characters

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Notice)


@dataclass(frozen=True, slots=True)
class Letter:
    """One notice on its way to one receiver."""

    number: int
    """In the order of writing."""
    receiver: str
    notice: Notice
    attempts: int
    due: datetime
    reason: str
    """Why it did not arrive the last time; empty where nobody tried."""
    in_part: bool
    """Whether some people at the receiver have it, and it waits for the others."""

    @property
    def client(self) -> str:
        """Whose alerts it tells of."""
        return self.notice.client

    @property
    def about(self) -> str:
        """What it is about, for people."""
        return f"group {self.notice.group}"


def put(connection: Connection, receiver: str, notice: Notice, now: datetime) -> None:
    """Let a receiver be told; what waits of the same group is told with it, in the older one's place."""
    if tell_with_older(connection, receiver, notice, now):
        return
    connection.execute(
        insert(schema.outbox).values(
            receiver=receiver,
            group_key=notice.group,
            notice_number=notice.number,
            notice=_ENCODER.encode(notice),
            state=State.WAITING,
            attempts=0,
            created_us=microseconds(now),
            due_us=microseconds(now),
            done_us=0,
            reason="",
            reference="",
        )
    )


def tell_with_older(connection: Connection, receiver: str, notice: Notice, now: datetime) -> bool:
    """Let what waits of a group tell of a later notice as well; return whether something waits.

    What some people at the receiver have gives way to it: what comes is for all, and tells of the whole.
    """
    table = schema.outbox
    mine = (table.c.receiver == receiver, table.c.state == State.WAITING, table.c.group_key == notice.group)
    older = connection.execute(select(table).where(*mine).order_by(table.c.number).limit(1)).one_or_none()
    if older is None:
        return False
    said = read(older.notice)
    if said is None:
        _damaged(connection, [older.number], now)
        return False
    merged = _beyond(notice, 0) if older.done_us else together(said, notice)
    values: dict[str, object] = {"notice": _ENCODER.encode(merged), "notice_number": merged.number}
    if older.done_us:  # nobody has this one
        values |= {"done_us": 0, "reason": ""}
    connection.execute(update(table).where(table.c.number == older.number).values(**values))
    return True


def together(older: Notice, newer: Notice) -> Notice:
    """Return what tells both of two notices of one group: all that is fresh, and that it is new if it is."""
    first = "new" if older.reason == "new" and newer.reason != "over" else newer.reason
    return replace(newer, fresh=older.fresh + newer.fresh, reason=first)


def _beyond(newer: Notice, fresh: int) -> Notice:
    """Return a notice for those who know of the group, and of so much of what is fresh in it."""
    reason = "more" if newer.reason == "new" else newer.reason
    return replace(newer, fresh=newer.fresh - fresh, reason=reason)


def next_of(connection: Connection, receiver: str, now: datetime) -> Letter | None:
    """Return the first letter that is due, or else what is due first; None for nothing.

    Of those that are due, what was tried least often: one that never arrives keeps no other one waiting. No
    more than one of a group waits, so those of a group come in order.
    """
    table = schema.outbox
    mine = select(table).where(table.c.receiver == receiver, table.c.state == State.WAITING).limit(1)
    due = mine.where(table.c.due_us <= microseconds(now))
    for query in (
        due.where(table.c.attempts == 0).order_by(table.c.number),  # by itself: this one is quick
        due.order_by(table.c.attempts, table.c.number),
        mine.order_by(table.c.due_us, table.c.number),
    ):
        row = connection.execute(query).one_or_none()
        if row is not None:
            return _letter(row)
    return None


def move(connection: Connection, receiver: str, due: datetime, *, sooner: bool) -> None:
    """Let all that waits for a receiver be due then, as far as that is sooner, or later, than it is."""
    table, due_us = schema.outbox, microseconds(due)
    there = table.c.due_us > due_us if sooner else table.c.due_us < due_us
    connection.execute(
        update(table)
        .where(table.c.receiver == receiver, table.c.state == State.WAITING, there)
        .values(due_us=due_us)
    )


def skip_unreadable(connection: Connection, receiver: str, now: datetime) -> int:
    """Set aside what waits and cannot be read; return how many letters that are."""
    table = schema.outbox
    waiting = select(table.c.number, table.c.notice).where(
        table.c.receiver == receiver, table.c.state == State.WAITING
    )
    damaged = [row.number for row in connection.execute(waiting) if read(row.notice) is None]
    _damaged(connection, damaged, now)
    return len(damaged)


def told(connection: Connection, letter: Letter, receipt: Receipt, now: datetime) -> None:
    """Note that a receiver has it. Where it grew meanwhile, the rest is told as well."""
    letter = replace(letter, notice=replace(letter.notice, fresh=_counted(letter)))
    _close(connection, letter, State.TOLD, "; ".join(receipt.warnings), now, reference=receipt.reference)


def refused(connection: Connection, letter: Letter, reason: str, now: datetime) -> None:
    """Set it aside: the receiver will never take it."""
    _close(connection, letter, State.REFUSED, reason, now)


def postponed(connection: Connection, letter: Letter, reason: str, due: datetime) -> None:
    """Note that it did not arrive, and when to try again."""
    table = schema.outbox
    connection.execute(
        update(table)
        .where(table.c.number == letter.number)
        .values(
            attempts=table.c.attempts + 1,
            reason=_cut(reason),
            due_us=microseconds(due),
        )
    )


def told_in_part(connection: Connection, letter: Letter, reason: str, due: datetime, now: datetime) -> None:
    """Note that some people at the receiver have it, why others do not, and when to try those again.

    Where it grew meanwhile, what came since is told to all of them then.
    """
    table = schema.outbox
    row = connection.execute(select(table).where(table.c.number == letter.number)).one_or_none()
    if row is None:  # people gave it up meanwhile, and had it told with another one
        return
    postponed(connection, letter, reason, due)
    values: dict[str, object] = {"done_us": microseconds(now)}
    newer = read(row.notice)
    if (
        newer is not None and newer.number != letter.notice.number
    ):  # one that is damaged is found when it is due
        values = {"notice": _ENCODER.encode(_beyond(newer, _counted(letter))), "reason": ""}
    connection.execute(update(table).where(table.c.number == letter.number).values(**values))


def standings(connection: Connection) -> list[Standing]:
    """Return how it stands with each receiver that ever was to be told something, by name."""
    return letters.standings(connection, schema.outbox)


def set_aside(connection: Connection, receiver: str | None = None) -> Iterator[Letter]:
    """Yield what receivers refused, the oldest first."""
    table = schema.outbox
    query = select(table).where(table.c.state == State.REFUSED).order_by(table.c.number)
    if receiver is not None:
        query = query.where(table.c.receiver == receiver)
    for row in connection.execute(query):
        with suppress(UnreadableError):
            yield _letter(row)


def read(notice: bytes) -> Notice | None:
    """Return a notice as it stands in a row; None for one that is damaged."""
    try:
        return _DECODER.decode(notice)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def reference(connection: Connection, receiver: str, group: str) -> str:
    """Return what a receiver calls a group; empty where it has no name there."""
    table = schema.outbox
    found = connection.execute(
        select(table.c.reference)
        .where(table.c.receiver == receiver, table.c.group_key == group, table.c.reference != "")
        .order_by(table.c.number.desc())
        .limit(1)
    ).scalar_one_or_none()
    return found or ""


def forget(connection: Connection, now: datetime) -> int:
    """Forget some of what was told or refused long ago; return how many."""
    return letters.forget(connection, schema.outbox, now)


def _counted(letter: Letter) -> int:
    """Return how much of what a letter tells is fresh in its row, too, if that grew since it was read."""
    return 0 if letter.in_part else letter.notice.fresh


def _close(
    connection: Connection, letter: Letter, state: State, reason: str, now: datetime, *, reference: str = ""
) -> None:
    """Be done with a letter, unless its row has grown since it was read: then what is new is due."""
    table = schema.outbox
    row = connection.execute(select(table).where(table.c.number == letter.number)).one_or_none()
    if row is None:  # people gave it up meanwhile, and had it told with another one
        return
    grown = row.notice_number != letter.notice.number
    values: dict[str, object] = {
        "attempts": row.attempts + 1,
        "reason": _cut(reason),
    }
    if reference:
        values["reference"] = schema.plain(reference)[:LONGEST_REFERENCE]
    newer = read(row.notice)
    if newer is None:
        _damaged(connection, [row.number], now)
        return
    if grown and state is State.TOLD:
        rest = _beyond(newer, letter.notice.fresh)
        values |= {"notice": _ENCODER.encode(rest), "due_us": microseconds(now), "attempts": 0, "reason": ""}
    elif not grown:
        values |= {"state": state, "done_us": microseconds(now)}
    connection.execute(update(table).where(table.c.number == letter.number).values(**values))
    if state is State.TOLD:
        _outdate(connection, letter)


def _outdate(connection: Connection, told: Letter) -> None:
    """Forget what a receiver was told of a group before, and refused of it: it knows the whole by now."""
    table = schema.outbox
    known = or_(
        and_(table.c.state == State.TOLD, table.c.number < told.number),
        and_(table.c.state == State.REFUSED, table.c.notice_number < told.notice.number),
    )
    mine = and_(table.c.receiver == told.receiver, table.c.group_key == told.notice.group)
    connection.execute(delete(table).where(mine, known))


def _damaged(connection: Connection, numbers: Collection[int], now: datetime) -> None:
    table = schema.outbox
    values = {"state": State.UNREADABLE, "done_us": microseconds(now), "reason": "damaged in the database"}
    connection.execute(update(table).where(table.c.number.in_(numbers)).values(**values))


def _cut(reason: str) -> str:
    return schema.plain(reason)[:LONGEST_REASON]


def _letter(row: Row[tuple[object, ...]]) -> Letter:
    notice = read(row.notice)
    if notice is None:
        raise UnreadableError
    return Letter(
        number=row.number,
        receiver=row.receiver,
        notice=notice,
        attempts=row.attempts,
        due=moment(row.due_us),
        reason=row.reason,
        in_part=row.state == State.WAITING and row.done_us > 0,
    )
