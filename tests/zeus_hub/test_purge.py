"""Old alerts go, with what belongs to them and nothing else, and hold nobody up."""

import asyncio
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, Table, func, select, update
from sqlalchemy.exc import OperationalError

from socme.v1.alert_pb2 import Severity
from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub.kit import eventually
from tests.zeus_hub.stored import NOON, alert, database, keep
from zeus_hub import database as tables
from zeus_hub import deep, groups, purge, schema, triage
from zeus_hub.database import microseconds, reading, writing
from zeus_hub.plan import Days, Retention
from zeus_hub.purge import FIRST_PIECE, LEAST_PIECE, MOST_PIECE, Purge, piece
from zeus_hub.retention import Horizons
from zeus_hub.routes.group import Ticket
from zeus_hub.routes.kept import Routed
from zeus_hub.routes.steady import Steady
from zeus_hub.triage import Ref

pytestmark = pytest.mark.usefixtures("both")

LOW, HIGH = Severity.SEVERITY_LOW, Severity.SEVERITY_HIGH
TEN = Retention(low=10, medium=10, high=10, critical=10)


def aged(
    number: int, days: float, severity: int = LOW, place: str = "acme/acme-1", techniques: Iterable[str] = ()
) -> StoredAlert:
    """Return an alert that came so many days before noon."""
    made = alert(number, severity=severity, place=place, techniques=techniques)
    made.received.FromDatetime(NOON - timedelta(days=days))
    return made


def there(engine: Engine) -> list[int]:
    """Return the numbers of the alerts that are there."""
    with reading(engine) as connection:
        return list(
            connection.execute(select(tables.alert.c.number).order_by(tables.alert.c.number)).scalars()
        )


def rows(engine: Engine, table: Table) -> int:
    with reading(engine) as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


async def purged(engine: Engine, settings: Retention, *, now: datetime = NOON) -> int:
    """Purge as often as it takes to come to the horizon; return how many alerts went."""
    sweep = Purge(engine, settings, lambda: now)
    with ThreadPoolExecutor(1) as thread:
        return sum([await sweep.once(thread) for _ in range(40)])


def problems(engine: Engine, folder: Path) -> Mapping[str, object]:
    found = deep.examine(engine, folder / "journal.db", lambda *_: None)
    return {one.name: one.examples for one in found if one.problems and not one.name.startswith("journal")}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "LEAST_REST", 0.0)
    monkeypatch.setattr(purge, "REST", 0)


async def test_what_is_too_old_goes_by_severity_and_client(tmp_path: Path) -> None:
    engine = database(tmp_path)
    ages = (40, 12, 5)
    kept = [aged(n, days, LOW) for n, days in enumerate(ages)]
    kept += [aged(10 + n, days, HIGH) for n, days in enumerate(ages)]
    kept += [aged(20 + n, days, LOW, "beta/beta-1") for n, days in enumerate(ages)]
    keep(engine, kept)
    count = await purged(engine, Retention(low=10, high=30, clients={"beta": Days(low=20)}))

    assert there(engine) == [3, 5, 6, 8, 9]
    assert count == 4
    assert problems(engine, tmp_path) == {}


async def test_what_belongs_to_it_goes_and_what_was_done_and_counted_stays(tmp_path: Path) -> None:
    engine = database(tmp_path)
    old = [aged(n, 20, techniques=("T1059", f"T{n}")) for n in range(3)]
    keep(engine, [*old, aged(9, 1, techniques=("T1059",))])
    refs = [Ref("acme", "acme-1", one.alert.id) for one in old]
    triage.acknowledge(engine, refs, by="ada", now=NOON)
    with reading(engine) as connection:
        counted = connection.execute(select(schema.slot)).all()
    await purged(engine, TEN)

    assert there(engine) == [4]
    assert rows(engine, tables.technique) == 1
    assert rows(engine, schema.triage) == 0
    assert rows(engine, schema.triage_change) == 3
    with reading(engine) as connection:
        assert connection.execute(select(schema.slot)).all() == counted
    assert problems(engine, tmp_path) == {}


async def test_no_number_is_given_twice(tmp_path: Path) -> None:
    """So the last alert stays, however old it is, until there is another one."""
    engine = database(tmp_path)
    keep(engine, [aged(n, 20) for n in range(3)])
    await purged(engine, TEN)
    assert there(engine) == [3]
    keep(engine, [aged(7, 20), aged(8, 0)])
    await purged(engine, TEN)

    assert there(engine) == [5]


async def test_nothing_goes_that_somebody_has_not_read(tmp_path: Path) -> None:
    engine = database(tmp_path)
    keep(engine, [aged(n, 20) for n in range(2)])
    with writing(engine) as connection:
        groups.begin(connection, Steady())
        groups.keep_routed(connection, {each: Routed((Ticket("a" * 32, each, 0),)) for each in (1, 2)})
    keep(engine, [aged(n, 20) for n in range(2, 5)])
    await purged(engine, TEN)

    assert there(engine) == [3, 4, 5]
    assert rows(engine, schema.routed) == 0, "where they went is of no use any more"
    with writing(engine) as connection:
        connection.execute(update(schema.router).values(alert_number=5))
    await purged(engine, TEN)
    assert there(engine) == [5]


async def test_without_settings_nothing_goes(tmp_path: Path) -> None:
    engine = database(tmp_path)
    keep(engine, [aged(n, 10_000) for n in range(3)])

    assert await purged(engine, Retention()) == 0
    assert rows(engine, schema.horizon) == 0


async def test_many_of_one_moment_go_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between others of that moment that stay."""
    monkeypatch.setattr(purge, "LOOKED_AT_ONCE", 7)
    engine = database(tmp_path)
    keep(engine, [aged(n, 20, HIGH if n % 3 else LOW) for n in range(60)])
    await purged(engine, Retention(low=10))

    assert there(engine) == [n + 1 for n in range(60) if n % 3]
    assert problems(engine, tmp_path) == {}


async def test_between_two_pieces_alerts_are_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = database(tmp_path)
    keep(engine, [aged(n, 40) for n in range(400)])
    take_out, stored, over = purge.take_out, threading.Event(), threading.Event()
    fresh: list[StoredAlert] = []
    pieces: list[int] = []

    def and_wait(engine: Engine, numbers: Sequence[int]) -> None:
        take_out(engine, numbers)
        pieces.append(len(numbers))
        stored.clear()
        assert stored.wait(10), "nothing can be stored"

    def store() -> None:
        while not over.is_set():
            fresh.append(aged(1000 + len(fresh), 0))
            keep(engine, fresh[-1:])
            stored.set()

    monkeypatch.setattr(purge, "take_out", and_wait)
    with ThreadPoolExecutor(1) as beside:
        storing = beside.submit(store)
        try:
            assert await purged(engine, Retention(low=30)) == 400
        finally:
            over.set()
        storing.result()

    assert len(pieces) > 2
    assert len(there(engine)) == len(fresh) >= len(pieces)
    assert problems(engine, tmp_path) == {}


async def test_a_damaged_alert_goes_with_its_techniques(tmp_path: Path) -> None:
    engine = database(tmp_path)
    keep(engine, [aged(1, 20, techniques=("T1", "T2")), aged(2, 0)])
    with writing(engine) as connection:
        connection.execute(update(tables.alert).where(tables.alert.c.number == 1).values(body=b"no frame"))
    await purged(engine, TEN)

    assert there(engine) == [2]
    assert rows(engine, tables.technique) == 0


async def test_a_clock_that_is_years_ahead_takes_a_day_at_a_time(tmp_path: Path) -> None:
    engine = database(tmp_path)
    keep(engine, [aged(n, 20 - n) for n in range(20)])
    sweep = Purge(engine, TEN, lambda: datetime(2040, 1, 1, tzinfo=UTC))
    with ThreadPoolExecutor(1) as thread:
        await sweep.once(thread)

    assert there(engine) == list(range(2, 21))


async def test_a_database_that_is_away_is_told_once_and_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(purge, "EVERY_SECONDS", 0.0)
    engine = database(tmp_path)
    keep(engine, [aged(1, 20), aged(2, 0)])
    asked, really = 0, purge.advance

    def failing(engine: Engine, settings: Retention, now: datetime) -> Horizons:
        nonlocal asked
        asked += 1
        if asked < 4:
            raise OperationalError("", None, Exception("away"))
        return really(engine, settings, now)

    monkeypatch.setattr(purge, "advance", failing)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Purge(engine, TEN, lambda: NOON).run())
        await eventually(lambda: there(engine) == [2])
        task.cancel()

    assert caplog.messages.count("old alerts cannot be purged") == 1


def test_a_piece_takes_as_long_as_it_may() -> None:
    assert piece(100, purge.HOLD_SECONDS) == 100
    assert piece(100, 2 * purge.HOLD_SECONDS) == 50
    assert piece(100, 0.0001) == 200, "never by more than twice"
    assert piece(FIRST_PIECE, 100.0) == LEAST_PIECE
    assert piece(MOST_PIECE, 0.0) == MOST_PIECE


async def test_from_when_on_alerts_are_kept_is_written_down_before_any_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a check in between would miss them."""
    engine = database(tmp_path)
    keep(engine, [aged(1, 20), aged(2, 0)])
    seen: list[int] = []

    def noted(engine: Engine, numbers: object) -> None:
        with reading(engine) as connection:
            seen.extend(connection.execute(select(schema.horizon.c.since_us)).scalars())

    monkeypatch.setattr(purge, "take_out", noted)
    with ThreadPoolExecutor(1) as thread:
        await Purge(engine, TEN, lambda: NOON).once(thread)

    assert set(seen) == {microseconds(NOON - timedelta(days=19))}
