"""A file that is damaged is told from a disk that fails; the rest is tested through the journal."""

import sqlite3
from pathlib import Path

import pytest

from socme.journal_file import DamagedError, disk_fault, open_file

SCHEMA = "CREATE TABLE own (key INTEGER PRIMARY KEY) STRICT;"


def _error(code: int | None) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("told by SQLite, or by Python, which gives no code")
    if code is not None:
        error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    "code",
    [
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
    ],
)
def test_faults_of_the_disk(code: int) -> None:
    assert disk_fault(_error(code))


@pytest.mark.parametrize("code", [None, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB])
def test_faults_of_the_file(code: int | None) -> None:
    """Taken for the disk's, they would be waited for for ever."""
    assert not disk_fault(_error(code))


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE own",
        "ALTER TABLE own ADD COLUMN more TEXT",
        "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET name = CAST(x'ff' AS TEXT) WHERE name = 'own'",
    ],
)
def test_a_schema_that_is_not_what_was_made(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "j.db"
    db = open_file(path, SCHEMA)
    db.executescript(damage)
    db.close()

    with pytest.raises(DamagedError):
        open_file(path, SCHEMA)


def test_one_without_its_owners_tables_may_be_asked(tmp_path: Path) -> None:
    """Who only reads the log need not know them."""
    open_file(tmp_path / "j.db", SCHEMA).close()

    db = open_file(tmp_path / "j.db", "")
    assert db.execute("SELECT count(*) FROM own").fetchone() == (0,)
    db.close()
