"""To whom groups were to be told, whose they are, and what became of that: what the outbox knows of groups.

All functions work within a transaction.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection, func, select

from zeus_hub import schema
from zeus_hub.database import moment
from zeus_hub.letters import State


@dataclass(frozen=True, slots=True)
class Sent:
    """How it stands with one group and one receiver."""

    group: str
    receiver: str
    state: State
    """Of the latest notice."""
    at: datetime | None
    """When the receiver had the latest that it took; None for never."""
    reference: str
    """What it calls the group; empty where it has no name there."""


class _Whose(msgspec.Struct):
    """Of a notice, the client alone."""

    client: str


_WHOSE = msgspec.json.Decoder(_Whose)


def of_groups(connection: Connection, groups: Collection[str]) -> list[Sent]:
    """Return to whom groups were to be told and what became of it, by group and receiver."""
    table = schema.outbox
    columns = (table.c.group_key, table.c.receiver, table.c.state, table.c.done_us, table.c.reference)
    found: dict[tuple[str, str], Sent] = {}
    for row in connection.execute(
        select(*columns).where(table.c.group_key.in_(groups)).order_by(table.c.number)
    ):
        key = (row.group_key, row.receiver)
        before = found.get(key, Sent(*key, State.WAITING, None, ""))
        at = moment(row.done_us) if row.state == State.TOLD else before.at
        found[key] = Sent(*key, State(row.state), at, row.reference or before.reference)
    return [found[key] for key in sorted(found)]


def clients(connection: Connection, receiver: str, groups: Collection[str]) -> dict[str, str]:
    """Return whose groups these are, as far as a receiver was to be told of them."""
    table = schema.outbox
    newest = (
        select(func.max(table.c.number))
        .where(table.c.receiver == receiver, table.c.group_key.in_(groups))
        .group_by(table.c.group_key)
    )
    rows = connection.execute(
        select(table.c.group_key, table.c.notice).where(table.c.number.in_(newest.scalar_subquery()))
    )
    known = {row.group_key: _client(row.notice) for row in rows}
    return {group: client for group, client in known.items() if client is not None}


def _client(notice: bytes) -> str | None:
    """Return whose a notice is; None where it is damaged."""
    try:
        return _WHOSE.decode(notice).client
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
