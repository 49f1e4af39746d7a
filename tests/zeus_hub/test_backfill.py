"""Alerts reach the index behind the store."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, literal_column, select, table, update

from tests.zeus_hub.alone import postgresql_alone, sqlite_alone
from tests.zeus_hub.engines import on_postgresql
from tests.zeus_hub.stored import alert, database, keep
from zeus_hub import backfill
from zeus_hub.backfill import Backfill
from zeus_hub.database import reading, writing
from zeus_hub.schema import indexing

pytestmark = pytest.mark.usefixtures("both")

PATIENCE = 20.0  # seconds


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(tmp_path)
    yield made
    made.dispose()


def known(engine: Engine) -> int:
    """Return how many alerts the index knows."""
    words = table("alert_words")
    query = select(func.count()).select_from(words)
    if not on_postgresql():  # all have this word; without one there is nothing to count
        query = query.where(literal_column("alert_words").op("MATCH")("rule"))
    with reading(engine) as connection:
        return connection.execute(query).scalar_one()


def forget(engine: Engine, last: int) -> None:
    """Have SQLite's index know nothing, as in a database of before it."""
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO alert_words (alert_words) VALUES ('delete-all')")
        connection.execute(update(indexing).values(number=last))


@sqlite_alone
async def test_on_sqlite_the_store_adds_what_it_stores_and_older_alerts_follow(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "PIECE", 3)
    keep(engine, [alert(number) for number in range(1, 9)])
    assert known(engine) == 8

    forget(engine, 8)
    keep(engine, [alert(9)])
    assert known(engine) == 1

    await asyncio.wait_for(Backfill(engine).run(), PATIENCE)

    assert known(engine) == 9
    assert backfill.step(engine) == 0


@postgresql_alone
async def test_on_postgresql_all_alerts_follow_as_they_come(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "PIECE", 3)
    monkeypatch.setattr(backfill, "IDLE_SECONDS", 0.01)
    keep(engine, [alert(number) for number in range(1, 9)])
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Backfill(engine).run())
        await until(engine, 8)
        await asyncio.to_thread(keep, engine, [alert(9)])
        await until(engine, 9)
        task.cancel()


@postgresql_alone
def test_on_postgresql_it_waits_for_nobody_who_writes(engine: Engine) -> None:
    """And nobody for it: to flush what GIN has collected takes a second."""
    keep(engine, [alert(1)])
    with writing(engine):
        assert backfill.step(engine) == 1
    assert known(engine) == 1


async def test_trouble_is_told_once_and_tried_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backfill, "AGAIN_SECONDS", 0.01)
    keep(engine, [alert(1)])
    if not on_postgresql():
        forget(engine, 1)
    with writing(engine) as connection:
        connection.exec_driver_sql("ALTER TABLE indexing RENAME TO away")
    with caplog.at_level(logging.ERROR, "zeus.backfill"):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(Backfill(engine).run())
            await asyncio.sleep(0.1)
            with writing(engine) as connection:
                connection.exec_driver_sql("ALTER TABLE away RENAME TO indexing")
            await until(engine, 1)
            task.cancel()

    assert [record.message for record in caplog.records].count("words of alerts cannot be indexed") == 1


async def until(engine: Engine, count: int) -> None:
    """Wait until the index knows so many alerts."""
    async with asyncio.timeout(PATIENCE):
        while await asyncio.to_thread(known, engine) != count:  # noqa: ASYNC110 - a thread
            await asyncio.sleep(0.01)
