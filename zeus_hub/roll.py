"""Who holds a good certificate, and what has changed in the registry, which commands write to as well.

The hub asks all the time. With a thousand nodes it would make thousands of objects each second of what is as
it was, so rows are compared before anything is made of them. Everything here blocks on the database.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Engine, Row, select

from socme.spiffe import Role
from zeus_hub import database
from zeus_hub.database import moment, reading
from zeus_hub.registry import BOUND, Holder, Node, Rows, as_watcher, gather


class Roll:
    """All holders of certificates, read again and again: made anew only where something is different."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rows: Sequence[object] = ()
        self._holders: Mapping[bytes, Holder] = {}

    def read(self) -> Mapping[bytes, Holder]:
        """Return all holders by fingerprint, good or not: the same object as before where nothing changed."""
        rows = _rows(self._engine, None)
        plain = [[tuple(row) for row in kind] for kind in rows]
        if plain != self._rows:
            self._rows, self._holders = plain, {one.fingerprint: one for one in _holders(*rows)}
        return self._holders


class Entries:
    """The nodes' entries, read again and again for what has changed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rows: frozenset[tuple[object, ...]] = frozenset()

    def changed(self) -> list[Node]:
        """Return the nodes of which an entry is new or different; what the hub itself wrote is left out."""
        node, client = database.node, database.client
        query = select(
            client.c.name,
            node.c.name,
            node.c.enrolled_us,
            node.c.expires_us,
            node.c.revoked_us,
            client.c.enabled,
        ).join_from(node, client)
        with reading(self._engine) as connection:
            rows = frozenset(tuple(row) for row in connection.execute(query))
        before, self._rows = self._rows, rows
        return [
            Node(
                client=row[0],
                name=row[1],
                enrolled=_moment(row[2]),
                expires=_moment(row[3]),
                revoked=_moment(row[4]),
                connected=False,
                last_seen=None,
                interval_seconds=0,
                vitals=None,
                enabled=row[5],
            )
            for row in rows - before
        ]


def find_holder(engine: Engine, fingerprint: bytes) -> Holder | None:
    """Return whom a certificate belongs to, by its SHA-256; None where it is unknown here."""
    return next(_holders(*_rows(engine, fingerprint)), None)


def _rows(engine: Engine, fingerprint: bytes | None) -> tuple[Rows, ...]:
    """Return the rows of nodes and of watchers, of all or of one, and which clients watchers are bound to."""
    node, watcher, client = database.node, database.watcher, database.client
    nodes = select(
        node.c.fingerprint, node.c.name, node.c.expires_us, node.c.revoked_us, client.c.enabled
    ).add_columns(client.c.name.label("client"))
    nodes = nodes.join_from(node, client).where(node.c.fingerprint.is_not(None))
    watchers = select(watcher)
    if fingerprint is not None:
        nodes = nodes.where(node.c.fingerprint == fingerprint)
        watchers = watchers.where(watcher.c.fingerprint == fingerprint)
    with reading(engine) as connection:
        return tuple(connection.execute(query).all() for query in (nodes, watchers, BOUND))


def _holders(nodes: Rows, watchers: Rows, bound: Rows) -> Iterator[Holder]:
    """Return whom rows of `_rows` tell of."""
    for row in nodes:
        yield Holder(
            fingerprint=row.fingerprint,
            role=Role.NODE,
            name=row.name,
            client=row.client,
            clients=frozenset(),
            expires=moment(row.expires_us),
            revoked=row.revoked_us is not None,
            client_enabled=row.enabled,
        )
    seen = gather(bound)
    for row in watchers:
        yield _watching(row, seen)


def _watching(row: Row[tuple[object, ...]], seen: Mapping[int, frozenset[str]]) -> Holder:
    watcher = as_watcher(row, seen)
    return Holder(
        fingerprint=row.fingerprint,
        role=watcher.role,
        name=watcher.name,
        client="",
        clients=watcher.clients,
        expires=watcher.expires,
        revoked=watcher.revoked is not None,
        client_enabled=True,
        redacted=watcher.redacted,
    )


def _moment(us: int | None) -> datetime | None:
    return None if us is None else moment(us)
