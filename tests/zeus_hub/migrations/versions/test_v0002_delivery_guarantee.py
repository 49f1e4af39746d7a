"""A database of the first schema is upgraded in place, and keeps all that it holds."""

import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from zeus_hub.database import open_database, reading

NEW = {"tally", "ledger", "books", "health"}
NUL = bytes(16)
ROWS = {
    "client": (1, "acme", "ACME", 1, 0),
    "node": (2, 1, "sensor1", b"f" * 32, 5, 6, None, 1, 7, 10, b"vitals"),
    "watcher": (3, "display", "wall", b"g" * 32, 5, 6, None, 0),
    "watcher_client": (3, 1),
    "token": (4, b"h" * 32, "node", "sensor1", 1, 0, 5, 6, None),
    "token_client": (4, 1),
    "alert": (5, NUL, 1, 2, 8, 9, 3, 2, 1, 1, 1, "r", "n", "::1", 1, "::2", 2, "h", "u", "m", 17, b"body"),
    "technique": ("T1059", 5),
    "sink": ("store", NUL, 17, 0, 1),
    "refused": (6, "store", 16, "acme/sensor1", 9, "why", 2, 1, 1, b"payload"),
}


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """Return the path of a database of schema 0001 with a row in every table."""
    path = tmp_path / "zeus.db"
    migrate(path, "0001")
    with closing(sqlite3.connect(path)) as db, db:
        for table, row in ROWS.items():
            db.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)
    return path


def migrate(path: Path, revision: str) -> None:
    """Bring a database to a schema, which need not be the newest."""
    config = Config()
    config.set_main_option("script_location", str(files("zeus_hub").joinpath("migrations")))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def test_it_adds_its_tables_and_keeps_every_row(first: Path) -> None:
    with closing(sqlite3.connect(first)) as db:
        before = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    migrate(first, "0002")
    with closing(sqlite3.connect(first)) as db:
        after = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        kept = {table: list(db.execute(f"SELECT * FROM {table}")) for table in ROWS}

    assert after - before >= NEW
    assert before == ROWS.keys() | {"alembic_version"}
    assert kept == {table: [row] for table, row in ROWS.items()}


def test_what_was_stored_before_is_counted_as_such(first: Path) -> None:
    with reading(open_database("sqlite:///zeus.db", first.parent)) as connection:
        (tally,) = connection.exec_driver_sql("SELECT node_id, stored, rows_before FROM tally").all()

    assert tuple(tally) == (2, 0, 1)


def test_an_upgrade_that_fails_leaves_the_first_schema(first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the disk fills in the middle of it: the old program can go on with the file."""
    from alembic import op  # noqa: PLC0415 - a proxy that Alembic fills while it runs

    make = op.create_table

    def fails(name: str, *columns: object) -> object:
        if name == "health":
            raise OSError("disk full")
        return make(name, *columns)  # type: ignore[arg-type]

    monkeypatch.setattr(op, "create_table", fails)
    with pytest.raises(OSError, match="disk full"):
        open_database("sqlite:///zeus.db", first.parent)
    with closing(sqlite3.connect(first)) as db:
        names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        (version,) = db.execute("SELECT version_num FROM alembic_version").fetchone()

    assert names == ROWS.keys() | {"alembic_version"}
    assert version == "0001"
