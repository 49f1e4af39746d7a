"""What is kept of groups of alerts: read once at the start, and written in the transaction that moves on.

All functions work within a transaction.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import zstandard
from google.protobuf.message import DecodeError
from sqlalchemy import Connection, Select, Table, delete, func, insert, select, update
from sqlalchemy import Row as SqlRow

from socme import logs
from socme.v1.alert_pb2 import Alert
from socme.v1.watch_pb2 import StoredAlert
from zeus_hub import body, database, schema
from zeus_hub.database import moment
from zeus_hub.figures import last_change
from zeus_hub.notice import Member
from zeus_hub.routes.grouping import NOWHERE, Changes
from zeus_hub.routes.inhibition import Source, Sources
from zeus_hub.routes.kept import Kept, Routed, Row, decode_routed, decode_row, decode_source, decode_steady
from zeus_hub.routes.kept import encode as encoded
from zeus_hub.routes.steady import Steady

LOG = logging.getLogger("zeus.groups")

NAME = "router"
_AT_ONCE = 500  # names in one statement

Decoded = TypeVar("Decoded")

_STORED = (
    select(database.alert.c.number, database.client.c.name.label("client"))
    .add_columns(database.node.c.name.label("node"), database.alert.c.received_us, database.alert.c.body)
    .join(database.client, database.client.c.id == database.alert.c.client_id)
    .join(database.node, database.node.c.id == database.alert.c.node_id)
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the router has come."""

    alert: int
    """The number of the last alert that it took."""
    change: int
    """The number of the last change of triage that it took."""
    silence: int
    """The number of the last silence that it has put the groups of before under."""
    steady: Steady
    damaged: bool = False
    """Whether the clock that is kept cannot be read: `steady` is a new one, which is to be kept instead."""


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody did about one alert."""

    number: int
    alert: int
    before: int
    """A socme.v1.TriageStatus, as the next."""
    after: int


def progress(connection: Connection) -> Progress | None:
    """Return how far the router has come; None before it ever began."""
    table = schema.router
    row = connection.execute(select(table).where(table.c.name == NAME)).one_or_none()
    if row is None:
        return None
    steady = next(_readable([row.clock], decode_steady), None)
    numbers = row.alert_number, row.change_number, row.silence_number
    return Progress(*numbers, steady or Steady(), damaged=steady is None)


def begin(connection: Connection, steady: Steady) -> Progress:
    """Let the router begin behind all that is there: nobody wants to be told of last year."""
    highest = connection.execute(select(func.coalesce(func.max(database.alert.c.number), 0))).scalar_one()
    begun = Progress(highest, last_change(connection), 0, steady)
    connection.execute(insert(schema.router).values(name=NAME, **_columns(begun)))
    return begun


def load(connection: Connection) -> tuple[list[Row], list[Source]]:
    """Return all groups that live, and all that inhibits."""
    groups = schema.living_group
    rows = connection.execute(select(groups.c.content)).scalars()
    return list(_readable(rows, decode_row)), _sources(connection)


def inhibited(connection: Connection, now: datetime) -> Callable[[str], bool]:
    """Return what tells whether a name in an alert's veil, as routes.inhibition gives it, holds it back."""
    reached = progress(connection)
    seconds = reached.steady.at(now).seconds if reached else 0.0
    sources = Sources(_sources(connection))
    return lambda veil: sources.holds(veil, seconds)


def save(connection: Connection, changes: Changes, reached: Progress) -> None:
    """Keep what has changed, and how far the router has come with it."""
    _put(connection, schema.living_group, "id", {row.group.id: row for row in changes.rows}, changes.ended)
    _put(connection, schema.firing, "name", {each.name: each for each in changes.sources}, changes.silent)
    table = schema.router
    connection.execute(update(table).where(table.c.name == NAME).values(_columns(reached)))


def arrivals(connection: Connection, after: int, limit: int) -> list[tuple[int, StoredAlert]]:
    """Return some alerts behind a number, in order, as they came: without what people did since."""
    query = _STORED.where(database.alert.c.number > after).order_by(database.alert.c.number).limit(limit)
    return list(_read(connection.execute(query)))


def remembered(connection: Connection, client: str, members: Sequence[Member]) -> list[StoredAlert]:
    """Return the alerts that a group remembers, whole."""
    ids = [bytes.fromhex(member.id) for member in members]
    # The client is not asked for in SQL: SQLite would look for it first, and read all that it ever sent.
    found = connection.execute(_STORED.where(database.alert.c.id.in_(ids)))
    return [stored for _, stored in _read(row for row in found if row.client == client)]


def changes(connection: Connection, after: int, limit: int) -> list[Change]:
    """Return some changes behind a number, in order."""
    table = schema.triage_change
    return _changes(connection, select(table).where(table.c.number > after).limit(limit))


def changes_of(connection: Connection, alerts: Sequence[int], up_to: int) -> list[Change]:
    """Return the changes up to a number that are about some alerts, in order."""
    table = schema.triage_change
    mine = (table.c.alert_number.in_(alerts), table.c.number <= up_to)
    return _changes(connection, select(table).where(*mine)) if alerts else []


def keep_routed(connection: Connection, routed: Mapping[int, Routed]) -> None:
    """Keep where alerts went, by their numbers."""
    rows = [
        {"alert_number": number, "content": encoded(each)}
        for number, each in routed.items()
        if each != NOWHERE
    ]
    if rows:
        connection.execute(insert(schema.routed), rows)


def routed(connection: Connection, numbers: Sequence[int]) -> dict[int, Routed]:
    """Return where alerts went; of those that went nowhere, nothing."""
    table = schema.routed
    rows = connection.execute(select(table).where(table.c.alert_number.in_(numbers)))
    found = ((row.alert_number, list(_readable([row.content], decode_routed))) for row in rows)
    return {number: each for number, went in found for each in went}


def is_told_by_node(connection: Connection, stored: StoredAlert) -> bool:
    """Tell whether an alert came as one of which its node had told people itself."""
    alert, client, node = database.alert, database.client, database.node
    query = (
        select(schema.routed.c.content)
        .join(alert, alert.c.number == schema.routed.c.alert_number)
        .join(client, client.c.id == alert.c.client_id)
        .join(node, node.c.id == alert.c.node_id)
        .where(alert.c.id == stored.alert.id, client.c.name == stored.client, node.c.name == stored.node)
    )
    return any(decode_routed(content).told for content in connection.execute(query).scalars())


def titles(connection: Connection) -> dict[str, str]:
    """Return what clients are called for people, by name."""
    table = database.client
    return {row.name: row.title for row in connection.execute(select(table.c.name, table.c.title))}


def _changes(connection: Connection, query: Select[Any]) -> list[Change]:
    rows = connection.execute(query.order_by(schema.triage_change.c.number))
    return [Change(row.number, row.alert_number, row.before, row.status) for row in rows]


def _read(rows: Iterable[SqlRow[tuple[object, ...]]]) -> Iterator[tuple[int, StoredAlert]]:
    """Yield alerts with their numbers; one that is damaged is told, and no reason to stop at it for ever."""
    for row in rows:
        try:
            alert = body.decode(row.body)
        except (zstandard.ZstdError, DecodeError) as error:
            logs.event(LOG, logging.ERROR, "an alert is damaged", number=row.number, reason=str(error))
            alert = Alert()
        stored = StoredAlert(client=row.client, node=row.node, alert=alert)
        stored.received.FromDatetime(moment(row.received_us))
        yield row.number, stored


def _columns(reached: Progress) -> dict[str, object]:
    return {
        "alert_number": reached.alert,
        "change_number": reached.change,
        "silence_number": reached.silence,
        "clock": encoded(reached.steady),
    }


def _sources(connection: Connection) -> list[Source]:
    kept = connection.execute(select(schema.firing.c.content)).scalars()
    return list(_readable(kept, decode_source))


def _readable(kept: Iterable[bytes], decode: Callable[[bytes], Decoded]) -> Iterator[Decoded]:
    """Yield what can be read; what is damaged, or of a later version, is told and left out."""
    for content in kept:
        try:
            yield decode(content)
        except ValueError as error:  # msgspec's errors are such
            logs.event(LOG, logging.ERROR, "what is kept of groups cannot be read", reason=str(error))


def _put(
    connection: Connection, table: Table, key: str, kept: Mapping[str, Kept], gone: Sequence[str]
) -> None:
    """Replace some rows, and delete others."""
    column = table.c[key]
    stale = [*kept, *gone]
    for begin_at in range(0, len(stale), _AT_ONCE):
        part = stale[begin_at : begin_at + _AT_ONCE]
        connection.execute(delete(table).where(column.in_(part)))
    if kept:
        rows = [{key: name, "content": encoded(each)} for name, each in kept.items()]
        connection.execute(insert(table), rows)
