"""What a snapshot of a large hub costs, and closing many alerts: python -m bench.sums [--alerts 1000000].

Alerts of 60 clients in one day, every client at every severity in every quarter of an hour, and all of
ATT&CK's tactics named by each: nothing can be left out of the sums. Told is the CPU time of this process, the
best of some rounds; of the closing also the wall time, since each of its transactions is synced.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, insert

from bench.gauge import machine
from socme.v1.alert_pb2 import Alert, Severity
from socme.v1.watch_pb2 import Verdict
from zeus_hub import body, database, registry, schema, slots, snapshot, triage
from zeus_hub.alerts import Filters
from zeus_hub.database import microseconds, open_database, reading, writing
from zeus_hub.figures import Tally, reckon
from zeus_hub.sinks.store import NAME

CLIENTS = 60
TACTICS = 14
ROUNDS = 3
PIECE = 50_000
DAY_US = timedelta(days=1) // timedelta(microseconds=1)
_OLD = "SELECT client_id, severity, sum(count) FROM alert WHERE received_us > :since GROUP BY 1, 2"


def rows(count: int, now_us: int) -> Iterator[dict[str, object]]:
    """Yield the rows of alerts, evenly over a day."""
    rng = random.Random(1)
    packed = body.encode(Alert(message="m" * 200, raw=rng.randbytes(300)))
    texts = dict.fromkeys(("rule_name", "source_ip", "destination_ip", "host", "user", "message"), "text")
    for number in range(1, count + 1):
        time_us = now_us - DAY_US + DAY_US * number // count
        owner = rng.randrange(1, CLIENTS + 1)
        yield {
            **texts,
            **dict.fromkeys(("source", "action", "count"), 1),
            **dict.fromkeys(("source_port", "destination_port"), 80),
            **dict.fromkeys(("client_id", "node_id"), owner),
            **dict.fromkeys(("time_us", "received_us"), time_us),
            "number": number,
            "id": rng.randbytes(16),
            "severity": rng.choice((1, 1, 1, 1, 2, 2, 2, 3, 4)),
            "rule_id": str(rng.randrange(500)),
            "position": number,
            "body": packed,
        }


def fill(engine: Engine, count: int, now: datetime) -> None:
    """Store alerts with all that belongs to them."""
    for number in range(CLIENTS):
        registry.add_client(engine, f"client-{number}", now=now)
    with writing(engine) as connection:
        nodes = [
            {"id": one, "client_id": one, "name": "n1", "connected": False, "interval_seconds": 10}
            for one in range(1, CLIENTS + 1)
        ]
        connection.execute(insert(database.node), nodes)
        sink = {"name": NAME, "journal": b"j" * 16, "position": count, "refused": 0, "repeated": 0}
        connection.execute(insert(database.sink).values(sink))
        piece: list[dict[str, object]] = []
        for row in rows(count, microseconds(now)):
            piece.append(row)
            if len(piece) == PIECE or row["number"] == count:
                connection.execute(insert(database.alert), piece)
                piece = []
        named = [
            {"begin_us": begin, "client_id": one, "name": f"Tactic {tactic}", "alerts": 5}
            for begin in range(slots.begin(microseconds(now) - DAY_US), microseconds(now), slots.QUARTER_US)
            for one in range(1, CLIENTS + 1)
            for tactic in range(TACTICS)
        ]
        connection.execute(insert(schema.tactic), named)


def told(what: str, work: Callable[[], object], rounds: int = ROUNDS) -> None:
    """Do something some times, and print what it took at best."""
    best = wall = float("inf")
    for _ in range(rounds):
        cpu, began = time.process_time(), time.perf_counter()
        work()
        best = min(best, time.process_time() - cpu)
        wall = min(wall, time.perf_counter() - began)
    print(f"{what:<58} {best * 1000:>9.1f} ms of CPU, {wall * 1000:>9.1f} ms", flush=True)


def measure(engine: Engine, count: int, now: datetime) -> None:
    """Print what everything costs."""
    now_us = microseconds(now)

    def counted() -> None:
        with writing(engine) as connection:
            slots.count(connection, range(1, count + 1), slots.Tactics())

    def added() -> None:
        with reading(engine) as connection:
            reckon(connection, now_us, {})

    def scanned() -> None:
        with reading(engine) as connection:
            connection.exec_driver_sql(_OLD.replace(":since", str(now_us - DAY_US))).all()

    view = snapshot.View(None, Severity.SEVERITY_UNSPECIFIED, with_raw=False, alerts=200)
    tally = Tally(engine)
    filters = Filters(client="client-1")
    told(f"counting {count} stored alerts", counted, rounds=1)
    told("adding up all counts", added)
    told("the sums of the last day alone, from the alerts", scanned)
    told(
        "a snapshot of 200 alerts, nothing having changed",
        lambda: snapshot.take(engine, view, now=now, figures=tally.figures(now)),
    )
    told(
        f"closing one of {CLIENTS} clients' alerts",
        lambda: triage.close(engine, filters, Verdict.VERDICT_BENIGN, "a test", by="bench", now=now),
        rounds=1,
    )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=1_000_000, help="how many the hub holds")
    count = parser.parse_args().alerts
    now = datetime.now(UTC)
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database("sqlite:///zeus.db", Path(folder))
        fill(engine, count, now)
        measure(engine, count, now)
        engine.dispose()


if __name__ == "__main__":
    main()
