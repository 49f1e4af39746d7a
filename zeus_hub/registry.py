"""Who is known to the hub: clients, their nodes, and those who may watch.

A certificate is good while its SHA-256 stands here, neither it nor its client is shut out, and it has not
expired. Enrolling a name again replaces the certificate: the old one is unknown from then on.
How one gets in: tokens.py. All functions block on the database.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, bindparam, delete, func, insert, null, select, update
from sqlalchemy.exc import IntegrityError

from socme.errors import OperatorError
from socme.spiffe import NAME_RULE, Role, is_name
from socme.v1.vitals_pb2 import Health
from zeus_hub import database, words
from zeus_hub.database import microseconds, moment, reading, writing

HUB = ("socme", "zeus")  # client and node of what the hub says of itself

Rows = Sequence[Any]  # of a table: what they have is said by the query

BOUND = select(database.watcher_client.c.watcher_id, database.client.c.name).join_from(
    database.watcher_client, database.client
)
_OWNER = (
    select(database.client.c.id).where(database.client.c.name == bindparam("of_client")).scalar_subquery()
)
# Vitals stay where a sighting has none.
_SIGHTING = (
    update(database.node)
    .where(database.node.c.client_id == _OWNER, database.node.c.name == bindparam("of_name"))
    .values(
        connected=bindparam("is_connected"),
        last_seen_us=bindparam("seen_us"),
        interval_seconds=bindparam("interval"),
        vitals=func.coalesce(bindparam("told", type_=database.node.c.vitals.type), database.node.c.vitals),
    )
)


@dataclass(frozen=True, slots=True)
class Client:
    """A client of the SOC team."""

    id: int
    name: str
    title: str
    """For people; the name where none was given."""
    enabled: bool
    """Whether anything is taken from its nodes."""
    created: datetime
    short_name: str
    """For screens; empty where none was given."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a client, and what the hub last knew of it."""

    client: str
    name: str
    enrolled: datetime | None
    """None: known from the journal alone (the database was lost); it must enrol again."""
    expires: datetime | None
    """Until when its certificate is good."""
    revoked: datetime | None
    connected: bool
    """Whether it had a stream when the hub last wrote this down."""
    last_seen: datetime | None
    interval_seconds: int
    """Seconds between two vitals, as the node said; 0: it never said."""
    vitals: bytes | None
    """The last serialised socme.v1.Vitals."""
    health: Health.ValueType = Health.HEALTH_UNSPECIFIED
    """What can be relied on, and why, the worst first; the registry itself does not know (vigil.py)."""
    reasons: tuple[str, ...] = ()
    enabled: bool = True
    """Whether anything is taken from its client."""

    @property
    def shut_out(self) -> bool:
        """Whether nothing is taken from it."""
        return self.revoked is not None or not self.enabled


@dataclass(frozen=True, slots=True)
class Watcher:
    """A display or an operator."""

    role: Role
    name: str
    enrolled: datetime
    expires: datetime
    revoked: datetime | None
    clients: frozenset[str] | None
    """The clients that it sees; None: all."""
    redacted: bool = False
    """Whether it is sent no hosts, users and addresses (redact.py)."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a certificate that is known here belongs to."""

    fingerprint: bytes
    role: Role
    name: str
    client: str
    """Of a node; empty otherwise."""
    clients: frozenset[str] | None
    """Of a watcher: the clients that it sees; None: all. Of a node: none."""
    expires: datetime
    revoked: bool
    client_enabled: bool
    redacted: bool = False
    """Of a watcher: whether it is sent no hosts, users and addresses."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is to be written down of a node (see Node)."""

    connected: bool
    last_seen: datetime
    interval_seconds: int
    vitals: bytes | None


def add_client(engine: Engine, name: str, *, title: str = "", short_name: str = "", now: datetime) -> Client:
    """Add a client; refuse a name that is taken or that is no name."""
    check_name("client", name)
    if name == HUB[0]:
        raise OperatorError(f"{name} is what the hub calls itself", "Take another name for the client.")
    row = {"name": name, "title": title or name, "enabled": True, "created_us": microseconds(now)}
    row["short_name"] = words.short_name(short_name)
    try:
        with writing(engine) as connection:
            connection.execute(insert(database.client).values(row))
    except IntegrityError as error:
        raise OperatorError(f"there is a client {name} already", "See `zeus client list`.") from error
    return get_client(engine, name)


def list_clients(engine: Engine) -> list[Client]:
    """Return all clients by name."""
    with reading(engine) as connection:
        rows = connection.execute(select(database.client).order_by(database.client.c.name))
        return [_client(row) for row in rows]


def get_client(engine: Engine, name: str) -> Client:
    """Return a client; raise OperatorError where there is none."""
    with reading(engine) as connection:
        row = connection.execute(select(database.client).where(database.client.c.name == name)).one_or_none()
    if row is None:
        raise _no_client(name)
    return _client(row)


def disable_client(engine: Engine, name: str) -> None:
    """Take nothing more from a client's nodes; their streams end within two seconds."""
    _set(engine, name, enabled=False)


def enable_client(engine: Engine, name: str) -> None:
    """Take a client's alerts again."""
    _set(engine, name, enabled=True)


def set_short_name(engine: Engine, name: str, short_name: str) -> None:
    """Give a client a name for screens; an empty one takes it away."""
    _set(engine, name, short_name=words.short_name(short_name))


def list_nodes(engine: Engine, *, client: str | None = None, with_vitals: bool = True) -> list[Node]:
    """Return the nodes of one client, or of all, by client and name."""
    query = _nodes(with_vitals=with_vitals).order_by(database.client.c.name, database.node.c.name)
    if client is not None:
        get_client(engine, client)
        query = query.where(database.client.c.name == client)
    with reading(engine) as connection:
        return [_node(row) for row in connection.execute(query)]


def get_node(engine: Engine, client: str, name: str) -> Node:
    """Return a node; raise OperatorError where there is none."""
    query = _nodes().where(database.client.c.name == client, database.node.c.name == name)
    with reading(engine) as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        raise OperatorError(f"there is no node {name} of client {client}", "See `zeus node list`.")
    return _node(row)


def revoke_node(engine: Engine, client: str, name: str, *, now: datetime) -> None:
    """Take nothing more from a node until it enrols again; its stream ends within two seconds."""
    get_node(engine, client, name)
    table = database.node
    owner = select(database.client.c.id).where(database.client.c.name == client).scalar_subquery()
    with writing(engine) as connection:
        connection.execute(
            update(table)
            .where(table.c.client_id == owner, table.c.name == name, table.c.revoked_us.is_(None))
            .values(revoked_us=microseconds(now))
        )


def list_watchers(engine: Engine) -> list[Watcher]:
    """Return displays and operators, by role and name."""
    table = database.watcher
    with reading(engine) as connection:
        seen = _seen(connection)
        rows = connection.execute(select(table).order_by(table.c.role, table.c.name))
        return [as_watcher(row, seen) for row in rows]


def revoke_watcher(engine: Engine, role: Role, name: str, *, now: datetime) -> None:
    """Show nothing more to a display or an operator; its streams end within two seconds."""
    table = database.watcher
    with writing(engine) as connection:
        done = connection.execute(
            update(table)
            .where(table.c.role == role.value, table.c.name == name)
            .values(revoked_us=microseconds(now))
        )
    if not done.rowcount:
        raise OperatorError(f"there is no {role.value} {name}", "Check the name.")


def is_good(holder: Holder, now: datetime) -> bool:
    """Tell whether a holder may do what its role may."""
    return holder.client_enabled and not holder.revoked and now < holder.expires


def record_sightings(engine: Engine, sightings: Mapping[tuple[str, str], Sighting]) -> None:
    """Write down how nodes, by client and name, are."""
    with writing(engine) as connection:
        put_sightings(connection, sightings)


def put_sightings(connection: Connection, sightings: Mapping[tuple[str, str], Sighting]) -> None:
    """Write down how nodes (one or more), by client and name, are within a transaction."""
    rows = [
        {
            "of_client": client,
            "of_name": name,
            "is_connected": seen.connected,
            "seen_us": microseconds(seen.last_seen),
            "interval": seen.interval_seconds,
            "told": seen.vitals,
        }
        for (client, name), seen in sightings.items()
    ]
    connection.execute(_SIGHTING, rows)


def put_watcher(connection: Connection, watcher: Watcher, fingerprint: bytes) -> None:
    """Make a watcher known within a transaction, in place of any of the same role and name."""
    table = database.watcher
    old = select(table.c.id).where(table.c.role == watcher.role.value, table.c.name == watcher.name)
    bound = database.watcher_client
    connection.execute(delete(bound).where(bound.c.watcher_id.in_(old)))
    connection.execute(delete(table).where(table.c.role == watcher.role.value, table.c.name == watcher.name))
    row = {
        "role": watcher.role.value,
        "name": watcher.name,
        "fingerprint": fingerprint,
        "enrolled_us": microseconds(watcher.enrolled),
        "expires_us": microseconds(watcher.expires),
        "sees_all": watcher.clients is None,
        "redacted": watcher.redacted,
    }
    key = connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one()
    for client_id in client_ids(connection, watcher.clients or ()):
        connection.execute(insert(bound).values(watcher_id=key, client_id=client_id))


def put_node(
    connection: Connection,
    client_id: int,
    name: str,
    *,
    fingerprint: bytes,
    enrolled: datetime,
    expires: datetime,
) -> None:
    """Make a node's certificate known within a transaction, in place of any that it had."""
    table = database.node
    values = {
        "fingerprint": fingerprint,
        "enrolled_us": microseconds(enrolled),
        "expires_us": microseconds(expires),
        "revoked_us": None,
    }
    mine = (table.c.client_id == client_id) & (table.c.name == name)
    if not connection.execute(update(table).where(mine).values(values)).rowcount:
        fresh = {"client_id": client_id, "name": name, "connected": False, "interval_seconds": 0}
        connection.execute(insert(table).values(fresh | values))


def client_ids(connection: Connection, names: Collection[str]) -> list[int]:
    """Return the ids of clients; raise OperatorError where one is unknown."""
    table = database.client
    found = {
        row.name: row.id
        for row in connection.execute(select(table.c.id, table.c.name).where(table.c.name.in_(names)))
    }
    for name in names:
        if name not in found:
            raise _no_client(name)
    return list(found.values())


def check_name(kind: str, name: str) -> None:
    """Raise OperatorError where something cannot be called so."""
    if not is_name(name):
        raise OperatorError(f"{name!r} cannot be the name of a {kind}", f"Names have {NAME_RULE}.")


def _set(engine: Engine, name: str, **values: object) -> None:
    table = database.client
    with writing(engine) as connection:
        done = connection.execute(update(table).where(table.c.name == name).values(values))
    if not done.rowcount:
        raise _no_client(name)


def _no_client(name: str) -> OperatorError:
    return OperatorError(f"there is no client {name!r}", "Add it with `zeus client add NAME`.")


def _nodes(*, with_vitals: bool = True) -> Select[tuple[object, ...]]:
    table = database.node
    columns = [column for column in table.c if column is not table.c.vitals]
    vitals = table.c.vitals if with_vitals else null().label("vitals")
    client = database.client
    owner = client.c.name.label("client"), client.c.enabled
    return select(*owner, *columns, vitals).join_from(table, client)


def _seen(connection: Connection) -> dict[int, frozenset[str]]:
    """Return the names of the clients that each watcher, by id, is bound to."""
    return gather(connection.execute(BOUND).all())


def gather(bound: Rows) -> dict[int, frozenset[str]]:
    """Return the names of the clients that each watcher, by id, is bound to, by the rows of BOUND."""
    seen: dict[int, frozenset[str]] = {}
    for row in bound:
        seen[row.watcher_id] = seen.get(row.watcher_id, frozenset()) | {row.name}
    return seen


def _client(row: Row[tuple[object, ...]]) -> Client:
    return Client(row.id, row.name, row.title, row.enabled, moment(row.created_us), row.short_name)


def _node(row: Row[tuple[object, ...]]) -> Node:
    return Node(
        client=row.client,
        name=row.name,
        enrolled=_moment(row.enrolled_us),
        expires=_moment(row.expires_us),
        revoked=_moment(row.revoked_us),
        connected=row.connected,
        last_seen=_moment(row.last_seen_us),
        interval_seconds=row.interval_seconds,
        vitals=row.vitals,
        enabled=row.enabled,
    )


def as_watcher(row: Row[tuple[object, ...]], seen: Mapping[int, frozenset[str]]) -> Watcher:
    """Return whom a row tells of, given which clients watchers are bound to."""
    return Watcher(
        role=Role(row.role),
        name=row.name,
        enrolled=moment(row.enrolled_us),
        expires=moment(row.expires_us),
        revoked=_moment(row.revoked_us),
        clients=None if row.sees_all else seen.get(row.id, frozenset()),
        redacted=row.redacted,
    )


def _moment(us: int | None) -> datetime | None:
    return None if us is None else moment(us)
