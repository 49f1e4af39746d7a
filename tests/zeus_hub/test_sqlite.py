"""A database in one file: where it is made, and in what states it may be found."""

import stat
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from socme.errors import OperatorError
from zeus_hub import database, sqlite
from zeus_hub.database import open_database, reading, writing

URL = "sqlite:///zeus.db"
MANY = max(sqlite.ROWS_AT_ONCE)
DAMAGED = r"damaged[^\n]*\n.*zeus restore DIR.*move it away"


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


def test_a_file_that_is_no_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "zeus.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(OperatorError, match=DAMAGED):
        open_database(URL, tmp_path)


@pytest.mark.parametrize("pages", [1, 2, -1])
def test_a_file_that_was_cut_off_is_refused_with_what_to_do(tmp_path: Path, pages: int) -> None:
    """At the end of a page or in the middle of one; however little is missing."""
    path = tmp_path / "zeus.db"
    open_database(URL, tmp_path).dispose()
    for cut in (pages * sqlite.PAGE_BYTES, pages * sqlite.PAGE_BYTES - 100):
        content = path.read_bytes()
        path.write_bytes(content[:cut])
        with pytest.raises(OperatorError, match=DAMAGED):
            open_database(URL, tmp_path)
        path.write_bytes(content)
    open_database(URL, tmp_path)


def test_a_page_of_zeros_at_its_beginning_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """As after a power cut on a disk that lies."""
    open_database(URL, tmp_path).dispose()
    with (tmp_path / "zeus.db").open("r+b") as file:
        file.write(bytes(sqlite.PAGE_BYTES))
    with pytest.raises(OperatorError, match=DAMAGED):
        open_database(URL, tmp_path)


def test_an_empty_file_beside_a_journal_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """Made anew, it would know no node, and turn all of them away."""
    (tmp_path / "journal.db").touch()
    (tmp_path / "zeus.db").touch()
    with pytest.raises(OperatorError, match=r"is empty, and the hub's journal is not\n.*zeus restore DIR"):
        open_database(URL, tmp_path)

    assert (tmp_path / "zeus.db").stat().st_size == 0


def test_an_empty_file_is_a_first_start_that_was_cut_off(tmp_path: Path) -> None:
    (tmp_path / "zeus.db").touch()
    with reading(open_database(URL, tmp_path)) as connection:
        assert connection.execute(select(database.client)).all() == []


def test_without_a_file_the_journal_is_stored_anew(tmp_path: Path) -> None:
    """Whoever moved it away was told so."""
    (tmp_path / "journal.db").touch()
    with reading(open_database(URL, tmp_path)) as connection:
        assert connection.execute(select(database.client)).all() == []


def test_a_path_that_cannot_be_opened_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "zeus.db").mkdir()
    with pytest.raises(OperatorError, match=r"cannot use[^\n]*\n.*Check"):
        open_database(URL, tmp_path)


@pytest.mark.parametrize("count", [0, 1, 25, MANY - 1, MANY, 2 * MANY + 23])
def test_rows_are_put_in_whole_however_many_there_are(tmp_path: Path, count: int) -> None:
    engine = open_database(URL, tmp_path)
    rows = [(f"T{number % 3}", number) for number in range(count)]
    with writing(engine) as connection:
        sqlite.put(connection, database.technique, rows)
    with reading(engine) as connection:
        assert sorted(map(tuple, connection.execute(select(database.technique)))) == sorted(rows)
    engine.dispose()


@pytest.mark.parametrize("place", [3, MANY + 3])
def test_where_one_row_is_refused_nothing_of_the_transaction_stays(tmp_path: Path, place: int) -> None:
    engine = open_database(URL, tmp_path)
    rows = [("T1", number) for number in range(2 * MANY)]
    rows[place] = rows[0]
    with pytest.raises(IntegrityError), writing(engine) as connection:
        sqlite.put(connection, database.technique, rows)
    with reading(engine) as connection:
        assert not connection.execute(select(database.technique)).all()
    engine.dispose()
