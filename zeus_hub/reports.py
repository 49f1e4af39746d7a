"""The days and months that are to be told, and to whom: a row for each client, period and receiver.

A row is there from the moment at which a report is due, with all that it says, until long after it was told:
that it is there is why nobody is told twice. All functions work within a transaction.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import get_args
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from zeus_hub import letters, schema
from zeus_hub.box import UnreadableError
from zeus_hub.database import microseconds, moment
from zeus_hub.digest import Report
from zeus_hub.letters import LONGEST_REASON, Standing, State
from zeus_hub.periods import Kind
from zeus_hub.receivers.contract import Receipt

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Report)
_KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A report before it is known who is told."""

    name: str
    """As in the rules."""
    kind: Kind
    period: str
    """ "2026-07-01" or "2026-07"."""
    zone: ZoneInfo
    content: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A report on its way to one receiver."""

    number: int
    receiver: str
    draft: Draft
    due: datetime
    attempts: int = 0
    reason: str
    """Why it did not arrive the last time; empty where nobody tried."""
    in_part: bool = False
    """Whether some people at the receiver have it, and it waits for the others."""

    @property
    def client(self) -> str:
        """Whose it is."""
        return self.draft.content.client

    @property
    def about(self) -> str:
        """What it is about, for people."""
        return f"{self.draft.name}, {self.draft.content.client}, {self.draft.period}"

    @property
    def key(self) -> str:
        """The same whenever it is sent, and no other's."""
        draft = self.draft
        said = json.dumps([draft.name, draft.content.client, draft.period, self.receiver])
        return hashlib.sha256(said.encode()).hexdigest()[:32]


def written(connection: Connection, name: str, period: str) -> set[tuple[str, str]]:
    """Return of which clients a report of a period is there, and for which receivers."""
    table = schema.report
    query = select(table.c.client, table.c.receiver).where(table.c.name == name, table.c.period == period)
    return {(row.client, row.receiver) for row in connection.execute(query)}


def put(connection: Connection, receiver: str, draft: Draft, now: datetime) -> None:
    """Let a receiver be told of what it was not told of yet."""
    row = {
        "name": draft.name,
        "client": draft.content.client,
        "period": draft.period,
        "receiver": receiver,
        "kind": draft.kind,
        "zone": draft.zone.key,
        "content": _ENCODER.encode(draft.content),
        "state": State.WAITING,
        "attempts": 0,
        "created_us": microseconds(now),
        "due_us": microseconds(now),
        "done_us": 0,
        "reason": "",
    }
    connection.execute(insert(schema.report).values(row))


def next_of(connection: Connection, receiver: str, now: datetime) -> Letter | None:
    """Return the first report that is due, or else what is due first; None for nothing.

    Of those that are due, what was tried least often: one that never arrives keeps no other one waiting.
    """
    table = schema.report
    mine = select(table).where(table.c.receiver == receiver, table.c.state == State.WAITING).limit(1)
    due = mine.where(table.c.due_us <= microseconds(now)).order_by(table.c.attempts, table.c.number)
    row = connection.execute(due).one_or_none()
    if row is None:
        row = connection.execute(mine.order_by(table.c.due_us, table.c.number)).one_or_none()
    return None if row is None else _letter(row)


def move(connection: Connection, receiver: str, due: datetime, *, sooner: bool) -> None:
    """Let all that waits for a receiver be due then, as far as that is sooner, or later, than it is."""
    table, due_us = schema.report, microseconds(due)
    there = table.c.due_us > due_us if sooner else table.c.due_us < due_us
    mine = (table.c.receiver == receiver, table.c.state == State.WAITING, there)
    connection.execute(update(table).where(*mine).values(due_us=due_us))


def skip_unreadable(connection: Connection, receiver: str, now: datetime) -> int:
    """Set aside what waits and cannot be read; return how many reports that are."""
    table = schema.report
    mine = select(table).where(table.c.receiver == receiver, table.c.state == State.WAITING)
    damaged = [row.number for row in connection.execute(mine) if not _is_readable(row)]
    values = {"state": State.UNREADABLE, "done_us": microseconds(now), "reason": "damaged in the database"}
    connection.execute(update(table).where(table.c.number.in_(damaged)).values(**values))
    return len(damaged)


def told(connection: Connection, letter: Letter, receipt: Receipt, now: datetime) -> None:
    """Note that a receiver has it."""
    _close(connection, letter, State.TOLD, "; ".join(receipt.warnings), now)


def refused(connection: Connection, letter: Letter, reason: str, now: datetime) -> None:
    """Set it aside: the receiver will never take it."""
    _close(connection, letter, State.REFUSED, reason, now)


def postponed(connection: Connection, letter: Letter, reason: str, due: datetime) -> None:
    """Note that it did not arrive, and when to try again."""
    table = schema.report
    values = {"reason": schema.plain(reason)[:LONGEST_REASON], "due_us": microseconds(due)}
    here = table.c.number == letter.number
    connection.execute(update(table).where(here).values(attempts=table.c.attempts + 1, **values))


def told_in_part(connection: Connection, letter: Letter, reason: str, due: datetime, now: datetime) -> None:
    """Note that some people at the receiver have it, why others do not, and when to try those again."""
    table = schema.report
    postponed(connection, letter, reason, due)
    done = {"done_us": microseconds(now)}
    connection.execute(update(table).where(table.c.number == letter.number).values(done))


def again(connection: Connection, receiver: str, now: datetime) -> int:
    """Let what was refused be tried again, and what waits at once; return how many of both."""
    table = schema.report
    chosen = (table.c.receiver == receiver, table.c.state.in_((State.WAITING, State.REFUSED)))
    values = {"state": State.WAITING, "done_us": 0, "due_us": microseconds(now), "attempts": 0}
    return connection.execute(update(table).where(*chosen).values(values)).rowcount


def set_aside(connection: Connection, receiver: str | None = None) -> Iterator[Letter]:
    """Yield what receivers refused, the oldest first."""
    table = schema.report
    query = select(table).where(table.c.state == State.REFUSED).order_by(table.c.number)
    if receiver is not None:
        query = query.where(table.c.receiver == receiver)
    for row in connection.execute(query):
        with suppress(UnreadableError):
            yield _letter(row)


def standings(connection: Connection) -> list[Standing]:
    """Return how it stands with the reports of each receiver, by name."""
    return letters.standings(connection, schema.report)


def forget(connection: Connection, now: datetime) -> int:
    """Forget some of what was told or refused long ago; return how many."""
    return letters.forget(connection, schema.report, now)


def _close(connection: Connection, letter: Letter, state: State, reason: str, now: datetime) -> None:
    table = schema.report
    values = {"state": state, "reason": schema.plain(reason)[:LONGEST_REASON], "done_us": microseconds(now)}
    here = table.c.number == letter.number
    connection.execute(update(table).where(here).values(attempts=table.c.attempts + 1, **values))


def _is_readable(row: Row[tuple[object, ...]]) -> bool:
    try:
        _letter(row)
    except UnreadableError:
        return False
    return True


def _letter(row: Row[tuple[object, ...]]) -> Letter:
    try:
        [kind] = (each for each in _KINDS if each == row.kind)
        zone, content = ZoneInfo(row.zone), _DECODER.decode(row.content)
    except (msgspec.MsgspecError, ValueError, LookupError, OSError) as error:
        raise UnreadableError from error
    return Letter(
        number=row.number,
        receiver=row.receiver,
        draft=Draft(name=row.name, kind=kind, period=row.period, zone=zone, content=content),
        due=moment(row.due_us),
        attempts=row.attempts,
        reason=row.reason,
        in_part=row.state == State.WAITING and row.done_us > 0,
    )
