"""A hub of before knows of no alert that a node told people of."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.zeus_hub.migrations.versions.test_v0002_delivery_guarantee import migrate


def test_the_table_is_there_and_empty(tmp_path: Path) -> None:
    path = tmp_path / "zeus.db"
    migrate(path, "0009")
    migrate(path, "0010")
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM told_by_node").fetchone() == (0,)
