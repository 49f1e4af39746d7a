"""How fast alerts are found: python -m bench.search [--rows N] [--sqlite-rows N] [--repeats N].

A table of so many alerts on PostgreSQL, and a smaller one on SQLite, of clients, nodes, rules, addresses and
words as unequal as they are. Each kind of question is asked for its first page of 50, and for one in the
middle of all that time; of the slowest question the plan is printed.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection, Engine, delete, event, insert

from bench.gauge import machine, median, percentile
from socme.triage import ACKNOWLEDGED, CLOSED, NEW, OPEN
from socme.v1.alert_pb2 import Alert
from tests import postgres
from zeus_hub import alerts, body, database, fts, postgresql, schema, tsvector
from zeus_hub.alerts import Filters, Key
from zeus_hub.database import open_database, reading, writing

ROWS = 5_000_000
SQLITE_ROWS = 1_000_000
REPEATS = 20
PAGE = 50
PIECE = 50_000
BEGINNING = datetime(2026, 8, 1, tzinfo=UTC)
STEP_US = 1_500_000  # between two alerts: five million in 87 days
CLIENTS, NODES = 20, 100
SETTINGS = (
    "shared_buffers=512MB",
    "maintenance_work_mem=512MB",
    "max_wal_size=8GB",
    "fsync=off",  # nothing is written while it is measured
)


class Feed:
    """Makes rows of the alert table."""

    def __init__(self, seed: int = 7) -> None:
        self._dice = random.Random(seed)
        dice = self._dice
        self.words = [
            f"{dice.choice(_SYLLABLES)}{dice.choice(_SYLLABLES)}{number}" for number in range(20_000)
        ]
        self._rules = [(str(100_000 + number), " ".join(self._some(5))) for number in range(1000)]
        made = Alert(message=" ".join(self._some(20)), raw=" ".join(self._some(60)).encode())
        self._body = body.encode(made)

    def rows(self, count: int) -> Iterator[tuple[object, ...]]:
        """Yield rows, in the order of the table's columns."""
        dice, begin = self._dice, database.microseconds(BEGINNING)
        severities = dice.choices((1, 2, 3, 4, 0), (600, 300, 90, 9, 1), k=count)
        sources = dice.choices((1, 2, 3), (4999, 4999, 2), k=count)
        for number, severity, source in zip(range(1, count + 1), severities, sources, strict=True):
            node = self._low(NODES)
            rule, name = self._rules[self._low(1000)]
            at = begin + number * STEP_US
            host = f"host{node}-{dice.randrange(5)}.example.com"
            line = f"{host} sshd[{dice.randrange(99_999)}]: {' '.join(self._some(8))}"
            yield (
                *(number, number // database.SEGMENT, node % CLIENTS + 1, node + 1, number),
                *(dice.randbytes(16), at - dice.randrange(60_000_000), at, severity, source, 0, 1, 5, rule),
                *(name, f"10.{dice.randrange(4)}.{dice.randrange(64)}.{dice.randrange(255)}", 1024),
                *(f"198.18.{dice.randrange(256)}.{dice.randrange(255)}", 443, host),
                *(self.words[self._low(2000)], line, self._body),
            )

    def _some(self, count: int) -> list[str]:
        return [self.words[self._low(20_000)] for _ in range(count)]

    def _low(self, below: int) -> int:
        """Return a number that is the rarer the higher it is."""
        return int(below * self._dice.random() ** 3)


_SYLLABLES = ["fail", "pass", "scan", "root", "user", "port", "key", "log", "net", "web", "mail", "dns"]


def fill(engine: Engine, count: int) -> None:
    """Put rows into an empty database, and their indices behind them."""
    begun = time.perf_counter()
    feed = Feed()
    is_server = engine.dialect.name == postgresql.DIALECT
    with writing(engine) as connection:
        _registry(connection)
        later = _without_indices(connection) if is_server else []
        rows = feed.rows(count)
        while piece := list(islice(rows, PIECE)):
            _put(connection, piece)
        numbers = random.Random(1).sample(range(1, count), min(20_000, count // 50))
        connection.execute(insert(schema.triage), [_touched(number) for number in numbers])
    print(f"{count:,} rows in {time.perf_counter() - begun:.0f} s", end="", flush=True)
    begun = time.perf_counter()
    with writing(engine) as connection:
        for statement in later:
            connection.exec_driver_sql(statement)
        if is_server:  # a hub on SQLite has no statistics
            tsvector.step(connection, count)
            connection.exec_driver_sql(_WORDS)
            connection.exec_driver_sql("ANALYZE")
    print(f", the rest of their indices in {time.perf_counter() - begun:.0f} s", flush=True)


_WORDS = "CREATE INDEX ix_alert_words ON alert_words USING gin (words)"


def _registry(connection: Connection) -> None:
    names = [
        {"id": one + 1, "name": f"c{one}", "title": "", "enabled": True, "created_us": 0}
        for one in range(CLIENTS)
    ]
    connection.execute(insert(database.client), names)
    nodes = [
        {
            "id": one + 1,
            "client_id": one % CLIENTS + 1,
            "name": f"n{one}",
            "connected": False,
            "interval_seconds": 0,
        }
        for one in range(NODES)
    ]
    connection.execute(insert(database.node), nodes)
    connection.execute(delete(schema.indexing))


def _without_indices(connection: Connection) -> list[str]:
    """Drop what is made faster behind the rows; return how."""
    query = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'alert' AND indexname LIKE 'ix_%%'"
    found = connection.exec_driver_sql(query).all()
    for name in (*(name for name, _ in found), "ix_alert_words"):
        connection.exec_driver_sql(f"DROP INDEX {name}")
    return [definition for _, definition in found]


def _put(connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    named = [(f"T1{row[0] % 97:03}", row[0]) for row in rows if not row[0] % 10]  # type: ignore[operator]
    if connection.dialect.name == postgresql.DIALECT:
        postgresql.copy(connection, database.alert, rows)
        postgresql.copy(connection, database.technique, named)
        return
    names = [column.name for column in database.alert.columns]
    statement = insert(database.alert).compile(connection.engine, column_keys=names)
    connection.exec_driver_sql(str(statement), list(rows))
    connection.exec_driver_sql("INSERT INTO technique VALUES (?, ?)", named)
    fts.add(connection, rows[0][0] - 1, rows[-1][0])  # type: ignore[operator,arg-type]


def _touched(number: int) -> dict[str, object]:
    state = CLOSED if number % 3 else ACKNOWLEDGED
    return {
        "alert_number": number,
        "status": state,
        "verdict": 0,
        "reason": "",
        "comments": 0,
        "owner": f"o{number % 7}",
        "changed_us": 0,
        "changed_by": "o",
    }


def questions(words: Sequence[str]) -> Mapping[str, Filters]:
    """Return what is asked, by its name."""
    common, usual, rare = words[0], words[300], words[19_900]
    since = BEGINNING + timedelta(days=8)
    return {
        "everything": Filters(),
        "client, large": Filters(client="c0"),
        "client, small": Filters(client="c19"),
        "node, small": Filters(node="n99"),
        "client and node": Filters(client="c19", node="n99"),
        "severity critical": Filters(severity=4),
        "at least high": Filters(min_severity=3),
        "at least critical": Filters(min_severity=4),
        "sensor, common": Filters(source=1),
        "sensor, rare": Filters(source=3),
        "sensor, none": Filters(source=9),
        "rule, common": Filters(rule="100000"),
        "rule, rare": Filters(rule="100999"),
        "address": Filters(ip="10.1.2.3"),
        "technique": Filters(technique="T1050"),
        "time": Filters(since=since, until=since + timedelta(hours=1)),
        "status open": Filters(statuses=OPEN),
        "status new": Filters(statuses=frozenset({NEW})),
        "status acknowledged": Filters(statuses=frozenset({ACKNOWLEDGED})),
        "owner": Filters(owner="o3"),
        "client, at least high": Filters(client="c19", min_severity=3),
        "client, rule": Filters(client="c19", rule="100500"),
        "node, rule, critical": Filters(node="n99", rule="100900", severity=4),
        "client, address": Filters(client="c0", ip="10.1.2.3"),
        "text: common word": Filters(text=common),
        "text: usual word": Filters(text=usual),
        "text: rare word": Filters(text=rare),
        "text: no such word": Filters(text="nosuchword"),
        "text: two common words": Filters(text=f"{words[1]} {words[2]}"),
        "text: common and rare": Filters(text=f"{common} {rare}"),
        "text: beginning of a word": Filters(text="failnet1*"),
        "text: host": Filters(text="host99-1.example.com"),
        "text: domain, in all": Filters(text="example.com"),
        "text: process id": Filters(text="sshd[4711]"),
        "client, common word": Filters(client="c19", text=common),
        "critical, usual word": Filters(severity=4, text=usual),
        "a day, usual word": Filters(since=since, until=since + timedelta(days=1), text=usual),
        "text: punctuation alone": Filters(since=since, until=since + timedelta(days=1), text="]:"),
    }


@dataclass(frozen=True, slots=True)
class Timed:
    """How long a page took, each time, in milliseconds; the first time nothing may be in memory."""

    name: str
    filters: Filters
    after: Key | None
    times: Sequence[float]
    found: int


def ask(engine: Engine, name: str, filters: Filters, after: Key | None, repeats: int) -> Timed:
    """Ask for a page again and again."""
    times, found = [], 0
    for _ in range(repeats):
        begun = time.perf_counter()
        with reading(engine) as connection:
            found = len(alerts.keys(connection, filters, after, newest_first=True, size=PAGE))
        times.append(1000 * (time.perf_counter() - begun))
        if sum(times) > 20_000:
            break
    return Timed(name, filters, after, times, found)


def told(engine: Engine, count: int, repeats: int) -> None:
    """Ask everything, and print how long it took and why."""
    middle = (database.microseconds(BEGINNING) + count // 2 * STEP_US, count // 2)
    asked = []
    print(f"{'':28} {'first: p50':>10} {'p99':>8} {'rows':>5} {'deep: p50':>10} {'p99':>8} {'rows':>5}  ms")
    for name, filters in questions(Feed().words).items():
        pages = [ask(engine, name, filters, after, repeats) for after in (None, middle)]
        parts = [
            f"{median(page.times):10.1f} {percentile(page.times, 0.99):8.1f} {page.found:5}" for page in pages
        ]
        print(f"{name:28} {' '.join(parts)}", flush=True)
        asked += pages
    for slowest in sorted(asked, key=lambda one: median(one.times))[-3:]:
        print(f"\nplan of {slowest.name!r}{', deep' if slowest.after else ''}:")
        print(plan(engine, slowest))


def plan(engine: Engine, timed: Timed) -> str:
    """Return how the database goes about a question."""
    statements: list[tuple[str, object]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def heard(_connection: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        statements.append((statement, values))

    with reading(engine) as connection:
        alerts.keys(connection, timed.filters, timed.after, newest_first=True, size=PAGE)
        statement, values = next(one for one in reversed(statements) if "EXPLAIN" not in one[0])
        event.remove(engine, "before_cursor_execute", heard)
        if engine.dialect.name == postgresql.DIALECT:
            rows = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", values)  # type: ignore[arg-type]
            return "\n".join(row[0] for row in rows)
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)  # type: ignore[arg-type]
        return "\n".join(row[3] for row in rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS, help="on PostgreSQL; 0 leaves it out")
    parser.add_argument("--sqlite-rows", type=int, default=SQLITE_ROWS, help="0 leaves it out")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    given = parser.parse_args()
    print(machine())
    if given.sqlite_rows:
        with tempfile.TemporaryDirectory() as name:
            print("\nSQLite: ", end="")
            measure(open_database("sqlite:///zeus.db", Path(name)), given.sqlite_rows, given.repeats)
    if given.rows:
        with postgres.served(SETTINGS) as server:
            print("\nPostgreSQL: ", end="")
            measure(open_database(server.url("postgres"), Path()), given.rows, given.repeats)


def measure(engine: Engine, count: int, repeats: int) -> None:
    """Fill a database and ask it."""
    fill(engine, count)
    told(engine, count, repeats)
    engine.dispose()


if __name__ == "__main__":
    main()
