"""The sink that makes alerts searchable: rows and its position in one transaction, each alert once.

An alert that is there already (a node's spool was lost and its files were read again) is recognised by
node and Alert.id, counted and left out. Batches that cannot be read are set aside in `refused`. The same
transaction counts in `tally`, for each node, what became of every alert, so that none can go unnoticed; in
`slot` and `tactic` what a wall shows; and it closes the alerts of conditions that are over.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from socme import logs
from socme.journal import Entry
from socme.v1.alert_pb2 import Alert, AlertSource
from socme.v1.watch_pb2 import StoredAlert
from zeus_hub import body, database, over, search, slots, sqlite
from zeus_hub.database import reading, reason, writing
from zeus_hub.enrich import Arrival, Unreadable, microseconds, time_us
from zeus_hub.over import IsOpen
from zeus_hub.raising import Key
from zeus_hub.schema import plain
from zeus_hub.sinks.contract import SinkDownError

LOG = logging.getLogger("zeus.store")

NAME = "store"
LONGEST_TEXT = 4096  # characters of a message in its column; `body` has it whole
LONGEST_WORD = 512  # characters of rule ids, addresses, host and user names
LONGEST_TECHNIQUE = 32  # characters
MOST_TECHNIQUES = 32  # of one alert
REFUSED_KEPT = 64  # batches set aside that are kept, the newest; one may be 8 MiB
_ASKED_AT_ONCE = 500  # ids in one query
_SOCME = AlertSource.ALERT_SOURCE_SOCME  # looked up once: protobuf's enums are slow to ask

Place = tuple[int, int]  # ids of client and node
Tally = Counter[tuple[Place, str]]  # alerts, by what became of them: the name of a column of `tally`
Row = dict[str, object]
Values = tuple[object, ...]

_ALERT = [column.name for column in database.alert.columns]
_SAID = _ALERT[_ALERT.index("time_us") : _ALERT.index("body")]


class Made(NamedTuple):
    """An alert as a row, and what is noted beside it."""

    values: Values
    """The columns from `id` on."""
    stands_for: int
    techniques: Sequence[str]
    tactics: tuple[str, ...]
    ends: StoredAlert | None
    """The alert itself, where it says that a condition is over."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch as rows, without what only the database can say: their numbers, client and node."""

    entry: Entry
    alerts: Sequence[Made]
    canaries: int


def _never_open(key: Key, since: datetime) -> bool:
    del key, since
    return False


class Store:
    """See sinks/contract.py.

    `journal` is the identity of the journal that positions are meant in, `last` its last position; `is_open`
    knows the conditions that the hub holds open.
    """

    name = NAME

    def __init__(self, engine: Engine, journal: bytes, last: int, is_open: IsOpen = _never_open) -> None:
        self._engine = engine
        self._journal = journal
        self._is_open = is_open
        self._forgotten = 0  # the quarter of an hour in which old counts were forgotten last
        self._places: dict[tuple[str, str], Place] = {}  # names never change their id
        self._are_repeated = False  # whether alerts that were there already were among the last ones
        _open(engine, journal, last)

    def position(self) -> int:
        """Return the position up to which alerts are stored."""
        with reading(self._engine) as connection:
            return position(connection)

    def prepare(self, arrival: Arrival) -> Rows:
        """Make rows of a batch."""
        alerts = arrival.alerts
        bodies = body.encode_all(stored.alert for stored in alerts)
        received_us = arrival.entry.received_us
        made = [_made(stored, received_us, packed) for stored, packed in zip(alerts, bodies, strict=True)]
        return Rows(arrival.entry, made, len(arrival.canaries))

    def send(self, batches: Sequence[Rows | Unreadable]) -> None:
        """Store batches.

        Hardly ever is an alert there already, so that is not asked before: where the table refuses one, all
        is done again with a look at each id, and so is what follows, until nothing is repeated any more.
        """
        try:
            try:
                self._take(batches)
            except IntegrityError:
                self._places.clear()  # what was found in a transaction that is gone
                self._are_repeated = True
                self._take(batches)
        except SQLAlchemyError as error:
            self._places.clear()
            raise SinkDownError(reason(error)) from error

    def close(self) -> None:
        """Do nothing: the engine belongs to whoever made it."""

    def _take(self, batches: Sequence[Rows | Unreadable]) -> None:
        with writing(self._engine) as connection:
            tally = self._write(connection, [batch for batch in batches if isinstance(batch, Rows)])
            unreadable = [batch for batch in batches if isinstance(batch, Unreadable)]
            _set_aside(connection, unreadable)
            for batch in unreadable:
                tally[self._origin(connection, batch), "unreadable"] += batch.entry.packed.alerts
            _count(connection, tally)
            repeated = sum(count for (_, kind), count in tally.items() if kind == "repeated")
            table = database.sink
            connection.execute(
                update(table)
                .where(table.c.name == NAME)
                .values(
                    position=batches[-1].entry.position,
                    repeated=table.c.repeated + repeated,
                    refused=table.c.refused + len(unreadable),
                )
            )
        self._are_repeated = bool(repeated)

    def _write(self, connection: Connection, batches: Sequence[Rows]) -> Tally:
        """Insert what is not there yet; return what became of the alerts."""
        tally: Tally = Counter()
        tactics: slots.Tactics = Counter()
        known = _known(connection, batches) if self._are_repeated else set()
        last = connection.execute(select(func.coalesce(func.max(database.alert.c.number), 0))).scalar_one()
        rows: list[Values] = []
        named: list[Values] = []
        ended: list[tuple[StoredAlert, int]] = []
        for batch in batches:
            place, at = self._origin(connection, batch), batch.entry.position
            named_here: Counter[tuple[str, ...]] = Counter()
            fresh = _fresh(batch, place, known) if self._are_repeated else batch.alerts
            tally[place, "canaries"] += batch.canaries
            tally[place, "stored"] += len(fresh)
            tally[place, "repeated"] += len(batch.alerts) - len(fresh)
            for number, made in enumerate(fresh, last + len(rows) + 1):
                rows.append((number, number // database.SEGMENT, *place, at, *made.values))
                named += [(name, number) for name in made.techniques]
                if made.tactics:
                    named_here[made.tactics] += made.stands_for
                if made.ends is not None:
                    ended.append((made.ends, place[1]))
            for names, count in named_here.items():
                slots.name(tactics, batch.entry.received_us, place[0], count, names)
        _insert_all(connection, database.alert, rows)
        _insert_all(connection, database.technique, named)
        search.add(connection, last, last + len(rows))
        slots.count(connection, range(last + 1, last + 1 + len(rows)), tactics)
        for stored, node_id in ended:
            over.close(connection, stored, node_id, self._is_open)
        self._forget(
            connection, max((batch.entry.received_us for batch in batches if batch.alerts), default=0)
        )
        return tally

    def _forget(self, connection: Connection, now_us: int) -> None:
        """Once in a quarter of an hour, forget old counts."""
        begin_us = slots.begin(now_us)
        if begin_us > self._forgotten:
            slots.forget(connection, begin_us)
            self._forgotten = begin_us

    def _origin(self, connection: Connection, batch: Rows | Unreadable) -> Place:
        """Return the ids of a batch's client and node; names that only the journal knows are put in."""
        client, _, node = batch.entry.origin.partition("/")
        place = self._places.get((client, node))
        if place is None:
            client_id = _id_of(connection, "client", {"name": client})
            node_id = _id_of(connection, "node", {"client_id": client_id, "name": node})
            place = self._places[client, node] = (client_id, node_id)
        return place


def _insert_all(connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows of all columns, in the table's order: whole numbers, text and bytes."""
    if not rows:
        return
    if connection.dialect.name == sqlite.DIALECT:
        sqlite.put(connection, table, rows)
    else:
        from zeus_hub import postgresql  # noqa: PLC0415 - its driver is loaded only where it is needed

        postgresql.copy(connection, table, rows)


def _made(stored: StoredAlert, received_us: int, packed: bytes) -> Made:
    alert = stored.alert
    named = alert.HasField("threat")
    return Made(
        (alert.id, *_said(stored, received_us), packed),
        alert.count,
        techniques(alert) if named else (),
        # A copy: protobuf's own list would keep all that was decoded with it.
        tuple(alert.threat.tactic_names) if named else (),
        stored if alert.source == _SOCME and over.ends(stored) else None,
    )


def columns(stored: StoredAlert) -> Row:
    """Return what the columns beside `body` say of an alert."""
    return {
        "id": stored.alert.id,
        **dict(zip(_SAID, _said(stored, microseconds(stored.received)), strict=True)),
    }


def _said(stored: StoredAlert, received_us: int) -> Values:
    """Return the columns _SAID of an alert."""
    alert = stored.alert
    rule, source, destination = alert.rule, alert.source_endpoint, alert.destination_endpoint
    return (
        time_us(stored),
        received_us,
        alert.severity,
        alert.source,
        alert.action,
        alert.count,
        rule.level if rule.HasField("level") else None,
        plain(rule.id[:LONGEST_WORD]),
        plain(rule.name[:LONGEST_TEXT]),
        plain(source.ip[:LONGEST_WORD]),
        source.port,
        plain(destination.ip[:LONGEST_WORD]),
        destination.port,
        plain(alert.host.name[:LONGEST_WORD]),
        plain(alert.user[:LONGEST_WORD]),
        plain(alert.message[:LONGEST_TEXT]),
    )


def techniques(alert: Alert) -> list[str]:
    """Return the ATT&CK techniques of an alert that are searchable."""
    names = [plain(name[:LONGEST_TECHNIQUE]) for name in alert.threat.technique_ids]
    return list(dict.fromkeys(names))[:MOST_TECHNIQUES]


def refused(connection: Connection) -> int:
    """Return how many batches were set aside since the beginning, within a transaction."""
    table = database.sink
    found = connection.execute(select(table.c.refused).where(table.c.name == NAME)).scalar_one_or_none()
    return found or 0


def position(connection: Connection) -> int:
    """Return the store's position, within a transaction."""
    table = database.sink
    found = connection.execute(select(table.c.position).where(table.c.name == NAME)).scalar_one_or_none()
    return found or 0


def _open(engine: Engine, journal: bytes, last: int) -> None:
    """Begin anew where the journal is another one, or an older copy; ids tell what is stored already."""
    table = database.sink
    with writing(engine) as connection:
        row = connection.execute(select(table).where(table.c.name == NAME)).one_or_none()
        if row is None:
            connection.execute(
                insert(table).values(name=NAME, journal=journal, position=0, refused=0, repeated=0)
            )
        elif row.journal != journal or row.position > last:
            logs.event(LOG, logging.WARNING, "the journal is a new one: reading it from its beginning")
            connection.execute(update(table).where(table.c.name == NAME).values(journal=journal, position=0))
            _count_anew(connection)


def _count_anew(connection: Connection) -> None:
    """Begin the tallies of another journal: of what is there already, none came from it."""
    connection.execute(delete(database.tally))
    connection.execute(update(database.books).values(missing=0, unstored=0, rows=0))
    per_node = select(database.alert.c.node_id, func.count()).group_by(database.alert.c.node_id)
    for node_id, rows in connection.execute(per_node).all():
        connection.execute(
            insert(database.tally).values(
                node_id=node_id, stored=0, repeated=0, canaries=0, unreadable=0, rows_before=rows
            )
        )


def _count(connection: Connection, tally: Tally) -> None:
    """Add to what is counted of each node."""
    table = database.tally
    columns = ("stored", "repeated", "canaries", "unreadable")
    for place in {place for place, _ in tally}:
        counts = {column: tally[place, column] for column in columns}
        mine = update(table).where(table.c.node_id == place[1])
        more = {column: table.c[column] + count for column, count in counts.items()}
        if not connection.execute(mine.values(more)).rowcount:
            connection.execute(insert(table).values(node_id=place[1], **counts))


def _known(connection: Connection, batches: Sequence[Rows]) -> set[tuple[object, int]]:
    """Return the alerts, by id and node, that are stored already."""
    table = database.alert
    ids = [made.values[0] for batch in batches for made in batch.alerts]
    known: set[tuple[object, int]] = set()
    for begin in range(0, len(ids), _ASKED_AT_ONCE):
        asked = ids[begin : begin + _ASKED_AT_ONCE]
        rows = connection.execute(select(table.c.id, table.c.node_id).where(table.c.id.in_(asked)))
        known.update((row.id, row.node_id) for row in rows)
    return known


def _fresh(batch: Rows, place: Place, known: set[tuple[object, int]]) -> Sequence[Made]:
    """Return the alerts of a batch that are not known yet; from then on they are."""
    fresh: list[Made] = []
    for made in batch.alerts:
        key = (made.values[0], place[1])
        if key not in known:
            known.add(key)
            fresh.append(made)
    return fresh


def _id_of(connection: Connection, kind: str, key: Mapping[str, object]) -> int:
    """Return the id of a client or node.

    Where it is missing (the database was lost, the journal was not) it is made without a certificate.
    """
    table = {"client": database.client, "node": database.node}[kind]
    query = select(table.c.id).where(*(table.c[column] == value for column, value in key.items()))
    found = connection.execute(query).scalar_one_or_none()
    if found is None:
        rest: Row = (
            {"title": key["name"], "enabled": True, "created_us": 0}
            if kind == "client"
            else {"connected": False, "interval_seconds": 0}
        )
        found = connection.execute(insert(table).values({**key, **rest}).returning(table.c.id)).scalar_one()
        logs.event(LOG, logging.WARNING, "known from the journal alone", kind=kind, name=key["name"])
    return int(found)


def _set_aside(connection: Connection, batches: Sequence[Unreadable]) -> None:
    table = database.refused
    for batch in batches:
        entry = batch.entry
        row = {
            "sink": NAME,
            "position": entry.position,
            "origin": entry.origin,
            "received_us": entry.received_us,
            "reason": plain(batch.reason[:LONGEST_TEXT]),
            "encoding": entry.packed.encoding,
            "alerts": entry.packed.alerts,
            "decoded_bytes": entry.packed.decoded_bytes,
            "payload": entry.packed.payload,
        }
        key = connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one()
        connection.execute(delete(table).where(table.c.sink == NAME, table.c.id <= key - REFUSED_KEPT))
    for batch in batches[:1]:  # the rest of them is counted
        origin, reason = batch.entry.origin, batch.reason
        logs.event(LOG, logging.WARNING, "set aside", batches=len(batches), origin=origin, reason=reason)
