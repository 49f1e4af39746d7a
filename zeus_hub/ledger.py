"""The accounts of all alerts, read side by side: what nodes say became of theirs, and what the hub did.

For each node, taken + own = stored + repeated + canaries + unreadable + waiting. The left side is written
in the journal's transactions, the right side in the store's, so each is right by itself; here the two files
are read at one moment, whether the hub runs or not. And what was stored must be there, row by row.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from sqlalchemy import Connection, Engine, Row, func, select

from socme.errors import OperatorError
from socme.journal import Journal
from socme.v1.vitals_pb2 import LedgerHour
from zeus_hub import accounts, database
from zeus_hub.accounts import Account
from zeus_hub.database import microseconds, reading, total
from zeus_hub.sinks.store import position

ATTEMPTS = 50  # at a moment in which the journal does not forget what the store has just taken
_HOURS_AT_ONCE = 500
_COUNTS = (
    *("read", "not_alert", "rolled_up", "undecodable", "spooled", "made", "acknowledged", "pending"),
    *("held", "released", "holding"),
)
# One statement, for what is read in one is of one moment.
_SIDE = """
SELECT key, value, NULL, NULL FROM note WHERE key >= ? AND key < ?
UNION ALL SELECT origin, NULL, sum(alerts), min(position) FROM entry WHERE position > ? GROUP BY origin
UNION ALL SELECT NULL, NULL, seq, NULL FROM sqlite_sequence WHERE name = 'entry'
"""

Key = tuple[str, str]  # client and node


@dataclass(frozen=True, slots=True)
class Balance:
    """What the hub knows of the alerts of one node since its journal was made, canaries included."""

    client: str
    node: str
    account: Account
    stored: int = 0
    """That became rows of the store."""
    repeated: int = 0
    """That were there already."""
    canaries: int = 0
    unreadable: int = 0
    """Of batches that were set aside, as claimed."""
    waiting: int = 0
    """In the journal, where the store has not read yet."""

    @property
    def unaccounted(self) -> int:
        """By how many alerts the equation fails; 0 where all is well."""
        done = self.stored + self.repeated + self.canaries + self.unreadable + self.waiting
        return abs(self.account.taken + self.account.own - done)


@dataclass(frozen=True, slots=True)
class _Side:
    """What a journal says, as of one moment, to a store that has read up to some position."""

    accounts: Mapping[str, Account]
    waiting: Mapping[str, int]
    whole: bool
    """Whether everything behind the position is there."""


@dataclass(frozen=True, slots=True)
class Hour:
    """What a node says became of one source's lines of one hour, in all of its spools."""

    client: str
    node: str
    told: LedgerHour
    """Their sum."""
    unaccounted: int
    """By how much the equations of each fail, by the node's word or by its numbers, taken together."""
    settled: int
    """How much of that a person has seen (settle.py)."""


def balances(engine: Engine, journal: Path) -> list[Balance]:
    """Return the balance of every node that ever sent anything, by client and node. Blocks on both files."""
    if not journal.exists():
        return []
    with closing(Journal(journal)) as opened:
        for _ in range(ATTEMPTS):
            found = _balances(engine, opened)
            if found is not None:
                return found
    raise OperatorError(
        "the journal forgets faster than it can be read", "Try again, or set a larger journal.keep_bytes."
    )


def hours(engine: Engine, *, since: datetime | None = None) -> Iterator[Hour]:
    """Yield the hours that nodes told, by client, node and source, the newest first."""
    node, client, table = database.node, database.client, database.ledger
    query = (
        select(client.c.name.label("client"), node.c.name.label("node"), table)
        .join_from(table, node)
        .join(client, client.c.id == node.c.client_id)
        .order_by(client.c.name, node.c.name, table.c.source, table.c.hour_us.desc())
    )
    if since is not None:
        query = query.where(table.c.hour_us >= microseconds(since))
    with (
        reading(engine) as connection,
        connection.execute(query.execution_options(yield_per=_HOURS_AT_ONCE)) as rows,
    ):
        for (client_name, name, _, _), found in groupby(
            rows, lambda row: (row.client, row.node, row.source, row.hour_us)
        ):
            words = list(found)
            yield Hour(
                client_name,
                name,
                _sum([LedgerHour.FromString(row.body) for row in words]),
                sum(row.unaccounted for row in words),
                sum(min(row.settled, row.unaccounted) for row in words),
            )


def failing(engine: Engine) -> dict[Key, int]:
    """Return for each node by how much its hours fail beyond what was settled. Blocks on the database."""
    node, client, table = database.node, database.client, database.ledger
    beyond = total(table.c.unaccounted - table.c.settled)
    query = (
        select(client.c.name, node.c.name, beyond)
        .join_from(table, node)
        .join(client, client.c.id == node.c.client_id)
        .where(table.c.unaccounted > 0, table.c.unaccounted > table.c.settled)
        .group_by(client.c.name, node.c.name)
    )
    with reading(engine) as connection:
        return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def refused(engine: Engine) -> dict[Key, int]:
    """Return how many hours of each node could not be kept (see hours.py). Blocks on the database."""
    node, client, table = database.node, database.client, database.books
    query = select(client.c.name, node.c.name, table.c.refused).join_from(table, node)
    query = query.join(client, client.c.id == node.c.client_id).where(table.c.refused > 0)
    with reading(engine) as connection:
        return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def rows(engine: Engine) -> Iterator[tuple[Key, int, int]]:
    """Return for each node how many rows there must be in the store, and how many there are.

    Counts all of them; blocks on the database for that long.
    """
    node, client, table, alert = database.node, database.client, database.tally, database.alert
    expected = select(client.c.name, node.c.name, table.c.node_id, table.c.stored + table.c.rows_before)
    expected = expected.join_from(table, node).join(client, client.c.id == node.c.client_id)
    with reading(engine) as connection:
        per_node = select(alert.c.node_id, func.count()).group_by(alert.c.node_id)
        there = {row[0]: row[1] for row in connection.execute(per_node)}
        found = [((row[0], row[1]), row[3], there.get(row[2], 0)) for row in connection.execute(expected)]
    return iter(found)


def _sum(words: Sequence[LedgerHour]) -> LedgerHour:
    """Return what several spools say of one hour, added up."""
    first, *others = words
    for other in others:
        for name in _COUNTS:
            setattr(first, name, min(getattr(first, name) + getattr(other, name), accounts.HIGHEST))
        for name in ("filtered", "dropped"):
            sums = Counter(dict(getattr(first, name))) + Counter(dict(getattr(other, name)))
            for reason, count in sums.items():
                getattr(first, name)[reason] = min(count, accounts.HIGHEST)
    return first


def _balances(engine: Engine, journal: Journal) -> list[Balance] | None:
    """Return all balances; None where the two files could not be read as of one moment.

    The journal is read last, so it may be ahead of the store: what came since waits. It must not have
    forgotten any of that, as it may once the store has gone past it.
    """
    with reading(engine) as connection:
        stored_to, tallies = position(connection), _tallies(connection)
    side = _side(journal, stored_to)
    with reading(engine) as connection:
        if not side.whole and position(connection) != stored_to:
            return None
    origins = sorted({*side.accounts, *tallies, *side.waiting})
    return [_balance(origin, side, tallies) for origin in origins]


def _balance(origin: str, side: _Side, tallies: Mapping[str, Row[tuple[object, ...]]]) -> Balance:
    client, _, node = origin.partition("/")
    account, waiting = side.accounts.get(origin, Account()), side.waiting.get(origin, 0)
    tally = tallies.get(origin)
    if tally is None:
        return Balance(client, node, account, waiting=waiting)
    counts = {name: getattr(tally, name) for name in ("stored", "repeated", "canaries", "unreadable")}
    return Balance(client, node, account, waiting=waiting, **counts)


def _tallies(connection: Connection) -> dict[str, Row[tuple[object, ...]]]:
    node, client, table = database.node, database.client, database.tally
    query = select(client.c.name, node.c.name, table).join_from(table, node)
    rows = connection.execute(query.join(client, client.c.id == node.c.client_id))
    return {f"{row[0]}/{row[1]}": row for row in rows}


def _side(journal: Journal, after: int) -> _Side:
    notes: dict[str, bytes] = {}
    waiting: dict[str, int] = {}
    first = last = after
    rows = journal.query(_SIDE, (accounts.PREFIX, accounts.PREFIX + "\U0010ffff", after))
    for name, note, number, oldest in rows:
        if isinstance(note, bytes):
            notes[str(name)] = note
        elif name is None:
            last = int(str(number))
        else:
            waiting[str(name)] = int(str(number))
            first = min(first, int(str(oldest))) if first > after else int(str(oldest))
    whole = first == after + 1 if waiting else last <= after
    return _Side(accounts.read(notes), waiting, whole)
