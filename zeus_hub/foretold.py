"""Alerts that a node told people of before the hub had them, kept until they come.

The report of it (node_told.py) is stored before they are, so the router meets it first. What one node says is
about its own alerts alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, tuple_

from socme.v1.alert_pb2 import AlertSource
from socme.v1.watch_pb2 import StoredAlert
from zeus_hub import schema
from zeus_hub.database import microseconds

KEPT = timedelta(days=40)  # alerts that have not come since were given up by their node
MOST_OF_A_NODE = 20_000  # what a node says beyond that is not kept, and told again
_TABLE = schema.told_by_node
_AT_ONCE = 500  # ids in one statement
_SOCME = AlertSource.ALERT_SOURCE_SOCME  # looked up once: protobuf's enums are slow to ask


def take(connection: Connection, alerts: Sequence[StoredAlert], now: datetime) -> frozenset[int]:
    """Return the places of alerts of which people know already, and of reports that say so.

    They come in the order in which they were stored. Each is looked for once.
    """
    reports = {place for place, stored in enumerate(alerts) if _is_report(stored)}
    for place in sorted(reports):
        _keep(connection, alerts[place], now)
    if connection.execute(select(_TABLE.c.told_us).limit(1)).first() is None:  # as it is nearly always
        return frozenset(reports)
    wanted = [(_origin(stored), stored.alert.id) for stored in alerts]
    known = set(_known(connection, [alert_id for _, alert_id in wanted])).intersection(wanted)
    _forget(connection, known)
    return frozenset(reports | {place for place, one in enumerate(wanted) if one in known})


def _is_report(stored: StoredAlert) -> bool:
    return stored.alert.source == _SOCME and bool(stored.alert.told)


def _keep(connection: Connection, report: StoredAlert, now: datetime) -> None:
    origin = _origin(report)
    connection.execute(delete(_TABLE).where(_TABLE.c.told_us < microseconds(now - KEPT)))
    ids = [(origin, each) for each in dict.fromkeys(report.alert.told)]
    _forget(connection, ids)
    mine = select(func.count()).select_from(_TABLE).where(_TABLE.c.origin == origin)
    room = MOST_OF_A_NODE - connection.execute(mine).scalar_one()
    rows = [
        {"alert_id": alert_id, "origin": origin, "told_us": microseconds(now)}
        for origin, alert_id in ids[: max(0, room)]
    ]
    if rows:
        connection.execute(insert(_TABLE), rows)


def _known(connection: Connection, ids: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield what is kept of alerts with these ids, of whatever node."""
    for begin in range(0, len(ids), _AT_ONCE):
        query = select(_TABLE).where(_TABLE.c.alert_id.in_(ids[begin : begin + _AT_ONCE]))
        yield from ((row.origin, row.alert_id) for row in connection.execute(query))


def _forget(connection: Connection, known: Iterable[tuple[str, bytes]]) -> None:
    stale = list(known)
    for begin in range(0, len(stale), _AT_ONCE):
        part = stale[begin : begin + _AT_ONCE]
        connection.execute(delete(_TABLE).where(tuple_(_TABLE.c.origin, _TABLE.c.alert_id).in_(part)))


def _origin(stored: StoredAlert) -> str:
    return f"{stored.client}/{stored.node}"
