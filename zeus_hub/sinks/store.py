"""The sink that makes alerts searchable: rows and its position in one transaction, each alert once.

An alert that is there already (a node's spool was lost and its files were read again) is recognised by
node and Alert.id, counted and left out. Batches that cannot be read are set aside in `refused`. The same
transaction counts in `tally`, for each node, what became of every alert, so that none can go unnoticed; in
`slot` and `tactic` what a wall shows; and it closes the alerts of conditions that are over.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from socme import logs
from socme.v1.alert_pb2 import Alert, AlertSource
from socme.v1.watch_pb2 import StoredAlert
from zeus_hub import body, database, over, slots
from zeus_hub.database import reading, writing
from zeus_hub.enrich import Arrival, Unreadable, time_us
from zeus_hub.over import IsOpen
from zeus_hub.raising import Key
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
Row = dict[str, Any]  # what the driver takes: whole numbers, text and bytes


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
        _open(engine, journal, last)

    def position(self) -> int:
        """Return the position up to which alerts are stored."""
        with reading(self._engine) as connection:
            return position(connection)

    def send(self, batches: Sequence[Arrival | Unreadable]) -> None:
        """Store batches."""
        try:
            with writing(self._engine) as connection:
                tally = self._write(connection, [batch for batch in batches if isinstance(batch, Arrival)])
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
        except SQLAlchemyError as error:
            self._places.clear()  # what was found in a transaction that is gone
            raise SinkDownError(str(error.__cause__ or error)) from error

    def close(self) -> None:
        """Do nothing: the engine belongs to whoever made it."""

    def _write(self, connection: Connection, arrivals: Sequence[Arrival]) -> Tally:
        """Insert what is not there yet; return what became of the alerts."""
        fresh: dict[tuple[bytes, int], tuple[Arrival, StoredAlert, Place]] = {}
        tally: Tally = Counter()
        for arrival in arrivals:
            place = self._origin(connection, arrival)
            tally[place, "canaries"] += len(arrival.canaries)
            for stored in arrival.alerts:
                key = (stored.alert.id, place[1])
                tally[place, "repeated" if key in fresh else "stored"] += 1
                fresh.setdefault(key, (arrival, stored, place))
        for key in _known(connection, [alert_id for alert_id, _ in fresh]):
            found = fresh.pop(key, None)
            if found is not None:
                tally[found[2], "stored"] -= 1
                tally[found[2], "repeated"] += 1
        self._insert(connection, list(fresh.values()))
        return tally

    def _insert(self, connection: Connection, fresh: Sequence[tuple[Arrival, StoredAlert, Place]]) -> None:
        last = connection.execute(select(func.coalesce(func.max(database.alert.c.number), 0))).scalar_one()
        rows: list[Row] = []
        named: list[Row] = []
        tactics: slots.Tactics = Counter()
        for number, (arrival, stored, place) in enumerate(fresh, last + 1):
            row = self._row(number, arrival.entry.position, stored, place)
            rows.append(row)
            if stored.alert.HasField("threat"):
                named += [{"id": name, "alert_number": number} for name in techniques(stored.alert)]
                slots.name(tactics, row, stored.alert.threat.tactic_names)
        _insert_all(connection, database.alert, rows)
        _insert_all(connection, database.technique, named)
        slots.count(connection, range(last + 1, last + 1 + len(rows)), tactics)
        self._end(connection, rows, fresh)

    def _end(
        self, connection: Connection, rows: Sequence[Row], fresh: Sequence[tuple[Arrival, StoredAlert, Place]]
    ) -> None:
        """Close the alerts of conditions that are over; once in a quarter of an hour, forget old counts."""
        for row, (_, stored, (_, node_id)) in zip(rows, fresh, strict=True):
            if row["source"] == _SOCME and over.ends(stored):
                over.close(connection, stored, node_id, self._is_open)
        begin_us = slots.begin(rows[-1]["received_us"]) if rows else 0
        if begin_us > self._forgotten:
            slots.forget(connection, begin_us)
            self._forgotten = begin_us

    def _row(self, number: int, at: int, stored: StoredAlert, place: Place) -> Row:
        return {
            "number": number,
            "client_id": place[0],
            "node_id": place[1],
            "position": at,
            "body": body.encode(stored.alert),
            **columns(stored),
        }

    def _origin(self, connection: Connection, batch: Arrival | Unreadable) -> Place:
        """Return the ids of a batch's client and node; names that only the journal knows are put in."""
        client, _, node = batch.entry.origin.partition("/")
        place = self._places.get((client, node))
        if place is None:
            client_id = _id_of(connection, "client", {"name": client})
            node_id = _id_of(connection, "node", {"client_id": client_id, "name": node})
            place = self._places[client, node] = (client_id, node_id)
        return place


def _insert_all(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows that all have the same columns: whole numbers, text and bytes.

    SQLite's driver takes those as they are; SQLAlchemy's look at each value takes as long as the insertion.
    """
    if not rows:
        return
    statement = insert(table).compile(connection.engine, column_keys=list(rows[0]))
    if statement.positiontup is None:  # another database's driver
        connection.execute(insert(table), rows)
    else:
        names = statement.positiontup
        connection.exec_driver_sql(str(statement), [tuple(row[name] for name in names) for row in rows])


def columns(stored: StoredAlert) -> Row:
    """Return what the columns beside `body` say of an alert."""
    alert = stored.alert
    return {
        "id": alert.id,
        "time_us": time_us(stored),
        "received_us": stored.received.ToMicroseconds(),
        "severity": alert.severity,
        "source": alert.source,
        "action": alert.action,
        "count": alert.count,
        "level": alert.rule.level if alert.rule.HasField("level") else None,
        "rule_id": alert.rule.id[:LONGEST_WORD],
        "rule_name": alert.rule.name[:LONGEST_TEXT],
        "source_ip": alert.source_endpoint.ip[:LONGEST_WORD],
        "source_port": alert.source_endpoint.port,
        "destination_ip": alert.destination_endpoint.ip[:LONGEST_WORD],
        "destination_port": alert.destination_endpoint.port,
        "host": alert.host.name[:LONGEST_WORD],
        "user": alert.user[:LONGEST_WORD],
        "message": alert.message[:LONGEST_TEXT],
    }


def techniques(alert: Alert) -> list[str]:
    """Return the ATT&CK techniques of an alert that are searchable."""
    names = list(dict.fromkeys(name[:LONGEST_TECHNIQUE] for name in alert.threat.technique_ids))
    return names[:MOST_TECHNIQUES]


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


def _known(connection: Connection, ids: Sequence[bytes]) -> list[tuple[bytes, int]]:
    """Return the alerts, by id and node, that are stored already."""
    table = database.alert
    known: list[tuple[bytes, int]] = []
    for begin in range(0, len(ids), _ASKED_AT_ONCE):
        asked = ids[begin : begin + _ASKED_AT_ONCE]
        rows = connection.execute(select(table.c.id, table.c.node_id).where(table.c.id.in_(asked)))
        known += [(row.id, row.node_id) for row in rows]
    return known


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
            "reason": batch.reason[:LONGEST_TEXT],
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
