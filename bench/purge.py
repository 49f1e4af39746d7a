"""How fast old alerts go, and what storing waits for it: python -m bench.purge [--rows N].

A store of so many alerts that are 40 days old, which are kept for 30, on SQLite and on PostgreSQL. Batches of
alerts are stored one after another, first by themselves, then while the old ones are purged.
"""

import argparse
import asyncio
import logging
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path

from sqlalchemy import func, select, update

from bench.gauge import MeasureError, machine, median, pause, percentile
from bench.store import BATCH, Feed, Ours
from socme.identity import utc_now
from tests import postgres
from zeus_hub.database import MICROSECOND, alert, open_database, reading, writing
from zeus_hub.plan import Retention
from zeus_hub.purge import Purge

ROWS = 200_000
ALONE = 100  # batches that are stored while nothing is purged
AGE, KEPT = timedelta(days=40), 30  # days
PAUSE = 0.05  # seconds between two batches
AT_ONCE = 100  # batches that are filled in together
SETTINGS = ("shared_buffers=512MB", "max_wal_size=8GB")  # it syncs, as it does by itself


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured with one database."""

    seconds: float
    """For all that is old."""
    alone: Sequence[float]
    """Seconds for each batch."""
    beside: Sequence[float]
    """The same while it was purged."""


def measured(folder: Path, url: str, rows: int) -> Found:
    """Fill a database, and measure."""
    feed, ours = Feed(), Ours(folder, url)
    for begin in range(0, rows, BATCH * AT_ONCE):
        ours.take([feed.batch() for _ in range(min(AT_ONCE, -(-(rows - begin) // BATCH)))])
    engine = open_database(url, folder)
    with writing(engine) as connection:
        connection.execute(update(alert).values(received_us=alert.c.received_us - AGE // MICROSECOND))
    alone = list(islice(stored(ours, feed), ALONE))
    over, beside = threading.Event(), list[float]()

    def go_on() -> None:
        for seconds in stored(ours, feed):
            beside.append(seconds)
            if over.is_set():
                return

    purge = Purge(engine, Retention(low=KEPT, medium=KEPT, high=KEPT, critical=KEPT), utc_now)
    with ThreadPoolExecutor(1) as storing, ThreadPoolExecutor(1) as thread:
        going = storing.submit(go_on)
        begun = time.perf_counter()
        try:
            for _ in range(AGE.days):  # the horizon goes on by a day each time
                asyncio.run(purge.once(thread))
            seconds = time.perf_counter() - begun
        finally:
            over.set()
        going.result()
    with reading(engine) as connection:
        left = connection.execute(select(func.count()).select_from(alert)).scalar_one()
    engine.dispose()
    ours.close()
    if left != (len(alone) + len(beside)) * BATCH:
        raise MeasureError(f"{left} alerts are left")
    return Found(seconds, alone, beside)


def stored(ours: Ours, feed: Feed) -> Iterator[float]:
    """Store batches for ever; yield how long each takes."""
    while True:
        batch = feed.batch()
        yield ours.take([batch]).seconds
        pause(PAUSE)


def told(seconds: Sequence[float]) -> str:
    """Return how long a batch takes, for people."""
    return f"p50 {1000 * median(seconds):.0f} ms, p99 {1000 * percentile(seconds, 0.99):.0f} ms"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS, help="how many are old")
    given = parser.parse_args()
    logging.getLogger("zeus").setLevel(logging.ERROR)  # nodes that only the journal knows are meant here
    print(machine())
    with tempfile.TemporaryDirectory() as name, postgres.served(SETTINGS) as server:
        for kind, url in (("SQLite", "sqlite:///zeus.db"), ("PostgreSQL", server.url("postgres"))):
            found = measured(Path(name) / kind, url, given.rows)
            print(
                f"{kind}: {given.rows:,} gone in {found.seconds:.0f} s ({given.rows / found.seconds:,.0f}/s)"
            )
            print(f"  a batch of {BATCH} is stored in {told(found.alone)}; beside it {told(found.beside)}")


if __name__ == "__main__":
    main()
