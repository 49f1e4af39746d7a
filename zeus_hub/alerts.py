"""Questions to the alert table: filters in, stored alerts out.

Text in filters is compared, never interpreted: what a search by text means is said in terms.py. Answers
come in pieces, each read in a short transaction of its own, so that neither memory nor SQLite's write-ahead
log grows with the number of alerts or while whoever reads them takes a pause.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    and_,
    any_,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)

from socme.errors import OperatorError
from socme.triage import NEW
from socme.v1.alert_pb2 import Severity
from socme.v1.watch_pb2 import StoredAlert
from zeus_hub import body, registry, search, sqlite, triaged
from zeus_hub.database import SEGMENT, alert, client, microseconds, moment, node, reading, technique
from zeus_hub.schema import triage

# Large, because each such piece may have to be sorted out of all that match: it must not happen often.
KEYS = 50_000  # places of alerts that are looked up at once, about 10 MB
BODIES = 50  # alerts that are read at once; one may be 4 MiB, most are 2 KiB
MOST_ALIKE = 20  # alerts that begin with the same digits, more of which nobody reads
FEW = 10_000  # alerts that are looked up by their numbers
_HEX_DIGITS = 32  # of an alert's id

Key = tuple[int, int]  # time_us, number: the order of all lists


@dataclass(frozen=True, slots=True)
class Filters:
    """Which alerts to return: those that meet every condition that is given."""

    client: str | None = None
    node: str | None = None
    since: datetime | None = None
    """Not before this time, by the sensor's clock."""
    until: datetime | None = None
    """Before this time."""
    severity: int | None = None
    """Exactly this socme.v1.Severity."""
    min_severity: int | None = None
    """At least this one; alerts without a severity have less than any."""
    source: int | None = None
    """A socme.v1.AlertSource."""
    rule: str | None = None
    """The rule's id."""
    ip: str | None = None
    """The address of either end, in its short form."""
    technique: str | None = None
    """An ATT&CK technique; one without a dot stands for its sub-techniques too."""
    text: str | None = None
    """Words of the rule's name, the message, the host or the user (terms.py)."""
    statuses: frozenset[int] | None = None
    """Any of these socme.v1.TriageStatus."""
    owner: str | None = None
    """Who looks after it; "" for nobody."""


def find(
    engine: Engine, filters: Filters, *, newest_first: bool = True, limit: int | None = None
) -> Generator[StoredAlert, None, None]:
    """Yield the alerts that meet the filters by time, at most `limit` of them."""
    left, after = limit, None
    while left is None or left > 0:
        size = KEYS if left is None else min(KEYS, left)
        with reading(engine) as connection:
            found = keys(connection, filters, after, newest_first=newest_first, size=size)
        for start in range(0, len(found), BODIES):
            yield from _read(engine, [number for _, number in found[start : start + BODIES]])
        if len(found) < size:
            return
        after = found[-1]
        left = None if left is None else left - len(found)


def with_id(engine: Engine, digits: str) -> list[StoredAlert]:
    """Return the alerts whose id begins with these hexadecimal digits, at most MOST_ALIKE.

    An id is unique within its node only, so there may be several even for a whole one.
    """
    lowest = bytes.fromhex(digits.ljust(_HEX_DIGITS, "0"))
    highest = bytes.fromhex(digits.ljust(_HEX_DIGITS, "f"))
    query = select(alert.c.number).where(alert.c.id.between(lowest, highest))
    with reading(engine) as connection:
        numbers = connection.scalars(query.order_by(alert.c.id, alert.c.node_id).limit(MOST_ALIKE)).all()
    return list(_read(engine, numbers))


def check_names(engine: Engine, filters: Filters) -> None:
    """Refuse filters by a client or a node that there is not: an empty answer would look like peace."""
    if filters.client is not None:
        registry.get_client(engine, filters.client)
    if filters.node is not None:
        known = registry.list_nodes(engine, client=filters.client)
        if filters.node not in {one.name for one in known}:
            raise OperatorError(f"there is no node {filters.node!r}", "See `zeus node list`.")


def condition(connection: Connection, filters: Filters, *, narrowed: bool = False) -> ColumnElement[bool]:
    """Return filters as a condition on the alert table, good within the transaction.

    `narrowed` is for who asks all alerts, not a few: see search.condition.
    """
    parts: list[ColumnElement[bool]] = []
    if filters.client is not None:
        parts.append(_is_of(connection, _apart(alert.c.client_id, filters), client, filters.client))
    if filters.node is not None:
        parts.append(_is_of(connection, _apart(alert.c.node_id, filters), node, filters.node))
    if filters.since is not None:
        parts.append(alert.c.time_us >= microseconds(filters.since))
    if filters.until is not None:
        parts.append(alert.c.time_us < microseconds(filters.until))
    if filters.severity is not None:
        parts.append(alert.c.severity == filters.severity)
    if filters.min_severity is not None:
        unknown = Severity.SEVERITY_UNSPECIFIED  # may be anything, so it is never hidden
        parts.append(or_(alert.c.severity >= filters.min_severity, alert.c.severity == unknown))
    if filters.source is not None:
        parts.append(alert.c.source == filters.source)
    return and_(
        true(), *parts, *_about(connection, filters, narrowed=narrowed), *_handled(connection, filters)
    )


def _apart(column: Column[int], filters: Filters) -> ColumnElement[int]:
    """Return a column as a sum where an address is sought: SQLite would prefer its index to the address's."""
    return column if filters.ip is None else column + 0


def _is_of(
    connection: Connection, column: ColumnElement[int], table: Table, name: str
) -> ColumnElement[bool]:
    """Compare with ids, not with a query for them: a database that sees the value knows how many it has."""
    ids = connection.scalars(select(table.c.id).where(table.c.name == name)).all()
    return column == ids[0] if len(ids) == 1 else column.in_(ids)


def _about(connection: Connection, filters: Filters, *, narrowed: bool) -> Iterator[ColumnElement[bool]]:
    """Yield conditions on what an alert says, as opposed to where it comes from and how bad it is."""
    if filters.rule is not None:
        yield alert.c.rule_id == filters.rule
    if filters.ip is not None:
        segments = _segments(connection)
        ends = (alert.c.source_ip, alert.c.destination_ip)
        yield or_(*(and_(alert.c.segment.in_(segments), end == filters.ip) for end in ends))
    if filters.technique is not None:
        yield _among(connection, select(technique.c.alert_number).where(_technique(filters.technique)))
    if filters.text is not None:
        yield search.condition(connection, filters.text, narrowed=narrowed)


def _handled(connection: Connection, filters: Filters) -> Iterator[ColumnElement[bool]]:
    """Yield conditions on what people have done about an alert; most alerts have no row in `triage`."""
    mine = exists().where(triage.c.alert_number == alert.c.number)
    listed = select(triage.c.alert_number)
    if filters.statuses is not None:
        if NEW in filters.statuses:
            yield ~mine.where(triage.c.status.not_in(filters.statuses))
        else:
            yield _among(connection, listed.where(triage.c.status.in_(filters.statuses)))
    if filters.owner:
        yield _among(connection, listed.where(triage.c.owner != "", triage.c.owner == filters.owner))
    elif filters.owner is not None:
        yield ~mine.where(triage.c.owner != "")


def _among(connection: Connection, numbers: Select[tuple[int]]) -> ColumnElement[bool]:
    """Return whether an alert's number is among those of a query.

    PostgreSQL looks at every alert for them; where they are few, it is given the numbers.
    """
    if connection.dialect.name != sqlite.DIALECT:
        few = connection.scalars(numbers.limit(FEW + 1)).all()
        if len(few) <= FEW:
            return alert.c.number == any_(literal(few, ARRAY(BigInteger)))
    return alert.c.number.in_(numbers)


def _technique(name: str) -> ColumnElement[bool]:
    # "/" is the character after ".": a range, unlike LIKE, finds its way by the index.
    below = and_(technique.c.id >= f"{name}.", technique.c.id < f"{name}/")
    return or_(technique.c.id == name, below)


def _segments(connection: Connection) -> Sequence[int]:
    """Return all segments: an index finds its way by each that is named, and looks at all rows otherwise."""
    highest = connection.execute(select(func.coalesce(func.max(alert.c.number), 0))).scalar_one()
    return range(highest // SEGMENT + 1)


def keys(
    connection: Connection, filters: Filters, after: Key | None, *, newest_first: bool, size: int
) -> Sequence[Key]:
    """Return the places of some alerts that meet the filters, behind `after`, within a transaction."""
    query = (
        select(alert.c.time_us, alert.c.number)
        .where(condition(connection, filters, narrowed=True))
        .limit(size)
    )
    place = tuple_(alert.c.time_us, alert.c.number)
    if after is not None:
        query = query.where(place < after if newest_first else place > after)
    order = (alert.c.time_us, alert.c.number)
    query = query.order_by(*(column.desc() for column in order) if newest_first else order)
    return [(time, number) for time, number in connection.execute(query)]


def _read(engine: Engine, numbers: Sequence[int]) -> Iterator[StoredAlert]:
    """Yield alerts in the order of their numbers in the list."""
    query = (
        select(alert.c.number, client.c.name, node.c.name, alert.c.received_us, alert.c.body)
        .join(client, client.c.id == alert.c.client_id)
        .join(node, node.c.id == alert.c.node_id)
        .where(alert.c.number.in_(numbers))
    )
    with reading(engine) as connection:
        rows = {row[0]: row for row in connection.execute(query)}
        handled = triaged.load(connection, list(rows))
    for number in numbers:
        if number in rows:  # else it was deleted since
            _, client_name, node_name, received_us, packed = rows[number]
            stored = StoredAlert(client=client_name, node=node_name, alert=body.decode(packed))
            stored.received.FromDatetime(moment(received_us))
            if number in handled:
                stored.triage.CopyFrom(handled[number])
            yield stored
