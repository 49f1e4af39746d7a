"""Opening the database, in all the states that it may be found in."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from socme.errors import OperatorError
from zeus_hub import database
from zeus_hub.database import microseconds, moment, open_database, reading, writing

URL = "sqlite:///zeus.db"


def test_a_relative_path_is_relative_to_the_state_folder(tmp_path: Path) -> None:
    open_database("sqlite:///sub/zeus.db", tmp_path / "state")

    assert (tmp_path / "state" / "sub" / "zeus.db").exists()


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """The write-ahead log has alerts in it as well."""
    with reading(open_database(URL, tmp_path / "state")):
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}

    assert modes == dict.fromkeys(("zeus.db", "zeus.db-wal", "zeus.db-shm"), 0o600)
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_what_is_committed_survives_a_power_cut(tmp_path: Path) -> None:
    """As far as a test can tell: every connection syncs at each commit."""
    engine = open_database(URL, tmp_path)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


def test_several_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        engines = list(threads.map(lambda _: open_database(URL, tmp_path), range(4)))
    for engine in engines:
        with reading(engine) as connection:
            assert connection.execute(select(database.client)).all() == []


def test_a_newer_schema_is_refused_with_what_to_do(tmp_path: Path) -> None:
    engine = open_database(URL, tmp_path)
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(OperatorError, match=r"newer version \(schema 9999.*\n.*Update"):
        open_database(URL, tmp_path)


def test_a_file_that_is_no_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "zeus.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(OperatorError, match=r"damaged[^\n]*\n.*Move it away"):
        open_database(URL, tmp_path)


def test_a_path_that_cannot_be_opened_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "zeus.db").mkdir()
    with pytest.raises(OperatorError, match=r"cannot use[^\n]*\n.*Check"):
        open_database(URL, tmp_path)


@pytest.mark.parametrize(
    ("url", "words"), [("zeus.db", "no database URL"), ("postgresql://x/y", "not supported")]
)
def test_a_wrong_url_is_refused_with_what_to_do(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(OperatorError, match=words) as caught:
        open_database(url, tmp_path)

    assert "sqlite:///zeus.db" in caught.value.mend


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    engine = open_database(URL, tmp_path)
    row = {"name": "acme", "title": "", "enabled": True, "created_us": 0}
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(insert(database.client), [row, row])
    with reading(engine) as connection:
        assert connection.execute(select(database.client)).all() == []


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_comes_back_as_it_was_stored(time: datetime) -> None:
    assert moment(microseconds(time)) == time
