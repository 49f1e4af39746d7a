"""What it costs a hub to keep how its nodes were: python -m bench.history [NODES].

An hour of vitals of all nodes, one every 30 seconds, written as the hub writes them: in one transaction every
5 seconds, packed and forgotten in between. The time is not waited for: what is shown is the CPU of that hour,
without that of connections (bench.fleet has them), what lies on the disk, and how long questions take.
"""

import argparse
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, insert, select

from bench.gauge import machine
from socme.v1.vitals_pb2 import Vitals
from zeus_hub import database, history
from zeus_hub.commands import past
from zeus_hub.database import open_database, writing
from zeus_hub.samples import Waiting, sample

NODES = 1000
INTERVAL, EVERY, HOUR = 30, 5, 3600  # seconds
START = datetime(2026, 7, 1, 12, tzinfo=UTC)
TABLES = ("vitals_recent", "vitals_quarter", "vitals_hour")


def vitals(number: int, round_: int, rng: random.Random) -> Vitals:
    """Return what a busy node says of itself."""
    told = Vitals(cpu_count=4, cpu_usage=rng.random(), clock_offset_seconds=rng.gauss(0, 0.003))
    told.memory.total_bytes, told.memory.used_bytes = 16 << 30, int((5 + rng.random()) * (1 << 30))
    disk = told.disks.add(mountpoint="/").capacity
    disk.total_bytes, disk.used_bytes = 200 << 30, (60 + number % 100) << 30
    told.spool.alerts = rng.randrange(20)
    for kind in ("suricata", "wazuh"):
        source = told.sources.add(name=kind, kind=kind, lag_bytes=rng.randrange(10_000))
        source.records = round_ * 3000 + rng.randrange(500)
        source.spooled = round_ * 20 + rng.randrange(10)
    sensor = told.sources[0].sensor
    sensor.packets, sensor.dropped = round_ * 90_000 + rng.randrange(9000), round_ * 10
    return told


def hour(folder: Path, nodes: int) -> None:
    """Write an hour and say what it cost."""
    engine = open_database("sqlite:///zeus.db", folder)
    with writing(engine) as connection:
        connection.execute(
            insert(database.client).values(id=1, name="c", title="c", enabled=True, created_us=0)
        )
        rows = [
            {"client_id": 1, "name": f"n{number}", "connected": True, "interval_seconds": 30}
            for number in range(nodes)
        ]
        connection.execute(insert(database.node), rows)
    rng, waiting = random.Random(7), Waiting()
    before: dict[int, Vitals] = {}
    cpu = {"samples made": 0.0, "written": 0.0, "packed, reckoned, forgotten": 0.0}
    longest = 0.0
    for second in range(0, HOUR + 60, EVERY):
        now = START + timedelta(seconds=second)
        if second < HOUR:
            due = range((second // EVERY) % (INTERVAL // EVERY), nodes, INTERVAL // EVERY)
            told = {number: vitals(number, second // INTERVAL, rng) for number in due}
            begun = time.process_time()
            for number, one in told.items():
                key = ("c", f"n{number}")
                waiting.add(key, sample(one, before.get(number), int(now.timestamp())))
            cpu["samples made"] += time.process_time() - begun
            before |= told
        begun = time.process_time()
        with writing(engine) as connection:
            history.put(connection, waiting.take(int(now.timestamp())))
        cpu["written"] += time.process_time() - begun
        begun = time.process_time()
        history.tend(engine, now)
        step = time.process_time() - begun
        cpu["packed, reckoned, forgotten"] += step
        longest = max(longest, step)
    print(machine())
    print(f"{nodes} nodes, {len(before) * HOUR // INTERVAL:,} samples in an hour")
    for name, seconds in cpu.items():
        print(f"  {name}: {seconds:.2f} s of CPU, {seconds / HOUR:.3%} of a core")
    print(f"  the longest step of packing: {longest * 1000:.0f} ms of CPU")
    end = START + timedelta(seconds=HOUR + 60)
    _ask("a node's day", lambda: len(history.day(engine, "c", "n7", end)))
    _ask("a node's month", lambda: len(history.month(engine, "c", "n7", end)))
    _sizes(folder / "zeus.db", nodes)
    _fill(engine)
    _ask("24 bars of all nodes", lambda: len(past.processors(engine, end)))
    engine.dispose()


def _fill(engine: Engine) -> None:
    """Write down a day of hours that are as the one that was written."""
    table = database.vitals_hour
    with writing(engine) as connection:
        there = [row._asdict() for row in connection.execute(select(table))]
        for ago in range(1, 24):
            rows = [{**row, "seconds": row["seconds"] - ago * HOUR} for row in there]
            connection.execute(insert(table), rows)


def _ask(name: str, question: Callable[[], int]) -> None:
    begun = time.perf_counter()
    found = question()
    print(f"  {name}: {found} in {(time.perf_counter() - begun) * 1000:.1f} ms")


def _sizes(path: Path, nodes: int) -> None:
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute("PRAGMA page_size").fetchone()
        for table in TABLES:
            (rows,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
            try:
                query = "SELECT count(*) FROM dbstat WHERE name = ?"
                (pages,) = db.execute(query, (table,)).fetchone()
            except sqlite3.OperationalError:  # SQLite was built without dbstat
                print(f"  {table}: {rows} rows")
                continue
            print(f"  {table}: {rows} rows in {pages * page / 1e6:.2f} MB")
        (packed,) = db.execute("SELECT avg(length(body)) FROM vitals_quarter").fetchone()
        print(f"  a node's quarter of an hour: {packed:.0f} bytes; a day of {nodes} nodes: ", end="")
        print(f"{packed * 96 * nodes / 1e6:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nodes", nargs="?", type=int, default=NODES)
    with tempfile.TemporaryDirectory() as place:
        hour(Path(place), parser.parse_args().nodes)
