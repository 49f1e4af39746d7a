"""Alerts of before are found by their addresses, whichever segment their number puts them in."""

import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from zeus_hub.database import SEGMENT, open_database, reading

ALERT = (bytes(16), 1, 2, 8, 9, 3, 2, 1, 1, 1, "r", "n", "::1", 1, "::2", 2, "h", "u", "m", 17, b"body")


def test_rows_of_before_get_their_segment_and_keep_their_techniques(tmp_path: Path) -> None:
    path = tmp_path / "zeus.db"
    config = Config()
    config.set_main_option("script_location", str(files("zeus_hub").joinpath("migrations")))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
    engine.dispose()
    numbers = (1, SEGMENT - 1, SEGMENT, 3 * SEGMENT)
    with closing(sqlite3.connect(path)) as db, db:
        for number in numbers:
            row = (number, number.to_bytes(16, "big"), *ALERT[1:])
            db.execute(f"INSERT INTO alert VALUES ({','.join('?' * len(row))})", row)
            db.execute("INSERT INTO technique VALUES ('T1059', ?)", (number,))

    with reading(open_database("sqlite:///zeus.db", tmp_path)) as connection:
        segments = connection.exec_driver_sql("SELECT number, segment FROM alert ORDER BY number").all()
        techniques = connection.exec_driver_sql("SELECT alert_number FROM technique").scalars().all()

    assert [tuple(row) for row in segments] == [(1, 0), (SEGMENT - 1, 0), (SEGMENT, 1), (3 * SEGMENT, 3)]
    assert techniques == list(numbers)
