"""Move a hub's database from SQLite to PostgreSQL: every table, as of one moment, and proved to be the same.

The hub does not run meanwhile, and one transaction holds the file, so that no command writes to it either:
what came while a large table is copied would have to be caught up in all tables at once, and nothing is lost
by waiting, for nodes keep what the hub does not take.

The target is marked before anything is in it, and opened by nothing else until all of it is proved. Rows are
copied in the order of their keys, some thousands in one transaction: whoever was cut off looks at what is
there already, begins those tables anew that are not the beginning of the source's, and goes on with the
others. So it ends the same, however often it was cut off, and whatever the hub did in between.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, func, inspect, select, tuple_
from sqlalchemy.exc import DataError, IntegrityError

from socme.errors import OperatorError
from zeus_hub import marker, postgresql, proof
from zeus_hub.database import (
    METADATA,
    explained,
    microseconds,
    moment,
    named,
    open_database,
    reading,
    reason,
    sink,
    writing,
)
from zeus_hub.marker import Mark
from zeus_hub.proof import Comparison, Proof
from zeus_hub.sinks.store import NAME
from zeus_hub.upgrade import revision

FETCHED = 8  # rows of the source in memory before they are in a piece; one may have 8 MiB
TABLES: Sequence[Table] = METADATA.sorted_tables  # those that others name come first
_BESIDE = frozenset({"alembic_version", "alert_words"})  # what a hub's database has that is not moved
_LOOK = "The file is as it was. `zeus check --deep` looks for damage in it."

Clock = Callable[[], datetime]
Tell = Callable[[str, str, int, int], None]
"""Hears what is done, with which table, how many of its rows are done, and of how many."""
Proved = Callable[[str, Comparison], None]
"""Hears what came of the comparison of a table."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What was done."""

    proofs: Mapping[str, Proof]
    """What each table holds, on both sides."""
    before: datetime | None
    """When that was done, where an earlier run did it; this one changed nothing."""


@dataclass(frozen=True, slots=True)
class _Way:
    """From where to where."""

    ours: Connection
    """Within the transaction that holds the source."""
    target: Engine
    tell: Tell


def move(source: Engine, url: str, state_dir: Path, clock: Clock, tell: Tell, proved: Proved) -> Moved:
    """Move everything to the database of a URL; the hub of the state folder must not run."""
    with writing(source) as ours:
        identity = _identity(ours)

        def admit(engine: Engine) -> None:
            _begin(engine, identity, microseconds(clock()))

        target = open_database(url, state_dir, admit=admit)
        try:
            with explained(target):
                return _move(_Way(ours, target, tell), clock, proved)
        finally:
            target.dispose()


def _move(way: _Way, clock: Clock, proved: Proved) -> Moved:
    with reading(way.target) as theirs:
        mark = marker.read(theirs)
    if mark is not None and mark.done_us is not None:
        return _before(way, mark, mark.done_us)
    _begin_anew(way, _stale(way))
    for table in TABLES:
        _copy(way, table)
    proofs = _prove(way, proved)
    with writing(way.target) as theirs:
        for table in TABLES:
            postgresql.follow(theirs, table)
        postgresql.analyse(theirs, TABLES)
        marker.finish(theirs, proofs, microseconds(clock()))
    return Moved(proofs, None)


def _identity(ours: Connection) -> bytes:
    """Return which hub's database it is: whose journal it was stored from; b"" where no hub ever ran."""
    found = ours.execute(select(sink.c.journal).where(sink.c.name == NAME)).scalar_one_or_none()
    return found or b""


def _begin(target: Engine, source: bytes, now_us: int) -> None:
    """Mark the target, or see that this hub's mark is on it; refuse any other that is not empty."""
    with writing(target) as theirs:
        mark = marker.read(theirs)
        if mark is None:
            _refuse_used(theirs, named(target))
            marker.make(theirs, source, now_us)
        elif mark.source != source:
            raise OperatorError(
                f"the database {named(target)} holds another hub, or a part of it", _name_another(target)
            )


def _refuse_used(theirs: Connection, name: str) -> None:
    names = set(inspect(theirs).get_table_names())
    used = sorted(names)
    if revision(theirs) is not None:  # a hub's are there, and may be empty
        ours = {table.name: table for table in TABLES}
        strange = names - ours.keys() - _BESIDE
        own = [ours[name] for name in names & ours.keys()]
        full = {table.name for table in own if theirs.execute(select(*table.primary_key).limit(1)).first()}
        used = sorted(strange | full)
    if used:
        found = ", ".join(used)
        raise OperatorError(
            f"the database {name} holds something already, and not of this hub's: {found}",
            _name_another(theirs.engine),
        )


def _name_another(target: Engine) -> str:
    name = target.url.database
    return (
        f"Name an empty database. Is nothing in {name} of use, drop it and make it anew (docs/postgresql.md)."
    )


def _before(way: _Way, mark: Mark, done_us: int) -> Moved:
    """See that what was moved before is still what there is to move."""
    proofs = {}
    for table in TABLES:
        with _understood(table):
            proofs[table.name] = proof.prove(proof.form(table), _rows(way.ours, table))
    changed = [name for name, found in proofs.items() if found != mark.proofs.get(name)]
    if changed:
        raise OperatorError(
            f"this hub was moved to {named(way.target)} at {moment(done_us):%Y-%m-%d %H:%M} UTC, and its file"
            f" has changed since: {', '.join(changed)}",
            f"What came since is in the file alone. {_name_another(way.target)}",
        )
    return Moved(proofs, moment(done_us))


def _stale(way: _Way) -> list[Table]:
    """Return the tables of the target that are not the beginning of the source's, and what names them."""
    stale: list[Table] = []
    for table in TABLES:
        with reading(way.target) as theirs, _understood(table):
            there = _count(theirs, table)
            ours = islice(_rows(way.ours, table), there)
            found = _compare(way, "looked at", table, ours, there, theirs) if there else None
        named = any(key.column.table in stale for key in table.foreign_keys)
        if named or (found is not None and found.difference):
            stale.append(table)
    return stale


def _begin_anew(way: _Way, tables: Sequence[Table]) -> None:
    if tables:
        with writing(way.target) as theirs:
            postgresql.empty(theirs, tables)


def _copy(way: _Way, table: Table) -> None:
    """Copy what the target lacks of a table."""
    form = proof.form(table)
    keys = list(table.primary_key.columns)
    with reading(way.target) as theirs:
        done = _count(theirs, table)
        last = theirs.execute(select(*keys).order_by(*(key.desc() for key in keys)).limit(1)).first()
    of = _count(way.ours, table)
    with _understood(table):
        for piece in proof.pieces(form, _rows(way.ours, table, tuple(last) if last else ())):
            try:
                with writing(way.target) as theirs:
                    postgresql.copy(theirs, table, piece)
            except (DataError, IntegrityError) as error:
                first, end = (proof.row_named(form, row) for row in (piece[0], piece[-1]))
                raise OperatorError(
                    f"{table.name}: a row between {first} and {end} is refused: {reason(error)}", _LOOK
                ) from error
            done += len(piece)
            way.tell("copied", table.name, done, of)


def _prove(way: _Way, proved: Proved) -> Mapping[str, Proof]:
    """Compare all tables, as of one moment; OperatorError where one is not the same."""
    proofs, wrong = {}, []
    with reading(way.target) as theirs:
        for table in TABLES:
            with _understood(table):
                of = _count(way.ours, table)
                found = _compare(way, "compared", table, _rows(way.ours, table), of, theirs)
            proved(table.name, found)
            proofs[table.name] = found.ours
            if found.difference:
                wrong.append(f"{table.name}: {found.difference}")
    if wrong:
        raise OperatorError(
            f"what was copied is not the same: {'; '.join(wrong)}",
            f"Run it again: it begins such tables anew. {_LOOK}",
        )
    return proofs


def _compare(
    way: _Way, doing: str, table: Table, ours: Iterator[proof.Row], of: int, theirs: Connection
) -> Comparison:
    done = 0

    def saw(more: int) -> None:
        nonlocal done
        done += more
        way.tell(doing, table.name, done, of)

    with closing(postgresql.rows(theirs, table)) as others:
        return proof.compare(proof.form(table), ours, others, saw)


def _rows(ours: Connection, table: Table, behind: Sequence[object] = ()) -> Iterator[proof.Row]:
    """Yield the source's rows in the order of their keys, those behind a key or all."""
    keys = list(table.primary_key.columns)
    query = select(table).order_by(*keys)
    if behind:
        query = query.where(tuple_(*keys) > tuple_(*behind))
    with explained(ours.engine):  # and not as a trouble of the target's
        found = ours.execute(query, execution_options={"yield_per": FETCHED})
        yield from proof.cleaned(proof.form(table), found)


def _count(connection: Connection, table: Table) -> int:
    with explained(connection.engine):
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


@contextmanager
def _understood(table: Table) -> Iterator[None]:
    """Tell of a value that its column cannot hold: SQLite keeps any value in any column."""
    try:
        yield
    except (TypeError, AttributeError, struct.error) as error:
        raise OperatorError(
            f"{table.name} has a value that its column cannot hold: {error}", _LOOK
        ) from error
