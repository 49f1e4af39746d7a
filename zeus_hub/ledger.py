"""The accounts of all alerts, read side by side: what nodes say became of theirs, and what the hub did.

For each node, taken + own = stored + repeated + canaries + unreadable + waiting. The left side is written
in the journal's transactions, the right side in the store's, so each is right by itself; here the two files
are read at one moment, whether the hub runs or not.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, Row, select

from socme.errors import OperatorError
from socme.journal import Journal
from socme.v1.vitals_pb2 import LedgerHour
from zeus_hub import accounts, database
from zeus_hub.accounts import Account
from zeus_hub.database import microseconds, reading
from zeus_hub.sinks.store import position

ATTEMPTS = 50  # at a moment in which the journal does not forget what the store has just taken
_HOURS_AT_ONCE = 500
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
    """What a node says became of one source's lines of one hour."""

    client: str
    node: str
    told: LedgerHour

    @property
    def unaccounted(self) -> int:
        """By how much the node's equations fail, by its own word or by its numbers."""
        return max(self.told.unaccounted, _failing(self.told))


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
        select(client.c.name.label("client"), node.c.name.label("node"), table.c.body)
        .join_from(table, node)
        .join(client, client.c.id == node.c.client_id)
        .order_by(client.c.name, node.c.name, table.c.source, table.c.hour_us.desc())
    )
    if since is not None:
        query = query.where(table.c.hour_us >= microseconds(since))
    with reading(engine) as connection:
        for row in connection.execute(query.execution_options(yield_per=_HOURS_AT_ONCE)):
            yield Hour(row.client, row.node, LedgerHour.FromString(row.body))


def _failing(hour: LedgerHour) -> int:
    """Return by how much the equations of an hour (see LedgerHour) fail, taken together."""
    kept = hour.not_alert + sum(hour.filtered.values()) + hour.rolled_up + hour.undecodable
    lines = hour.read - kept - (hour.spooled - hour.made)
    sent = hour.spooled - hour.acknowledged - hour.pending - sum(hour.dropped.values())
    return abs(lines) + abs(sent) + abs(hour.held - hour.released - hour.holding)


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
