"""Opening the database, and what holds on both kinds."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from socme.errors import OperatorError
from tests.zeus_hub.alone import sqlite_alone
from tests.zeus_hub.engines import blank, opened, url
from zeus_hub import database
from zeus_hub.database import NoDatabaseError, microseconds, moment, open_database, reading, writing

pytestmark = pytest.mark.usefixtures("both")

ROW = {"name": "acme", "title": "", "enabled": True, "created_us": 0}


def test_several_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    where = blank(tmp_path)
    with ThreadPoolExecutor(4) as threads:
        several = list(threads.map(lambda _: open_database(where, tmp_path), range(4)))
    for engine in several:
        with reading(engine) as connection:
            assert connection.execute(select(database.client)).all() == []
        engine.dispose()


def test_a_newer_schema_is_refused_with_what_to_do(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(OperatorError, match=r"newer version \(schema 9999.*\n.*Update"):
        open_database(url(tmp_path), tmp_path)


@sqlite_alone
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("zeus.db", "no database URL"),
        ("postgresql://u:geheim@[::1/y", "no database URL"),
        ("postgresql://u:geheim@h:port/y", "no database URL"),
        ("mysql://u:geheim@h/y", "mysql is not supported"),
        ("postgresql+asyncpg://u:geheim@h/y", "asyncpg is not supported"),
    ],
)
def test_a_wrong_url_is_refused_with_what_to_do(tmp_path: Path, wrong: str, words: str) -> None:
    with pytest.raises(OperatorError, match=words) as caught:
        open_database(wrong, tmp_path)

    assert "sqlite:///zeus.db" in caught.value.mend
    assert "postgresql://" in caught.value.mend
    assert "geheim" not in str(caught.value)


def test_asking_makes_no_hub(tmp_path: Path) -> None:
    """A question is put to a hub that there is."""
    where = blank(tmp_path)
    for _ in range(2):
        with pytest.raises(NoDatabaseError, match=r"there is no hub in .* yet\n.*zeus client add"):
            open_database(where, tmp_path, create=False)
    open_database(where, tmp_path).dispose()
    open_database(where, tmp_path, create=False).dispose()


def test_what_is_read_is_of_one_moment(tmp_path: Path) -> None:
    """Though another one writes meanwhile."""
    engine = opened(tmp_path)
    with reading(engine) as connection:
        before = connection.execute(select(database.client)).all()
        with writing(engine) as other:
            other.execute(insert(database.client).values(ROW))

        assert connection.execute(select(database.client)).all() == before == []
    with reading(engine) as connection:
        assert len(connection.execute(select(database.client)).all()) == 1


def test_names_come_in_the_order_of_their_bytes(tmp_path: Path) -> None:
    """Whatever language a server speaks."""
    engine = opened(tmp_path)
    names = ["B", "_", "a", "a b", "a-b", "a.b", "a/b", "ab", "\u00e4"]
    with writing(engine) as connection:
        connection.execute(insert(database.client), [{**ROW, "name": name} for name in reversed(names)])
        ordered = select(database.client.c.name).order_by(database.client.c.name)

        assert list(connection.execute(ordered).scalars()) == names


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(insert(database.client), [ROW, ROW])
    with reading(engine) as connection:
        assert connection.execute(select(database.client)).all() == []


@sqlite_alone
@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_back_as_it_was_stored(time: datetime) -> None:
    assert moment(microseconds(time)) == time
