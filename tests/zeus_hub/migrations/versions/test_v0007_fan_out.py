"""A hub of before gets what fan-out needs, empty: nobody is told of what is there already."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.zeus_hub.migrations.versions.test_v0002_delivery_guarantee import migrate

TABLES = (
    *("router", "living_group", "firing", "routed", "silence", "outbox", "outcome", "outcome_mark", "report"),
)


def test_the_tables_are_there_and_empty(tmp_path: Path) -> None:
    path = tmp_path / "zeus.db"
    migrate(path, "0006")
    migrate(path, "0007")
    with closing(sqlite3.connect(path)) as db:
        assert [db.execute(f"SELECT count(*) FROM {table}").fetchone() for table in TABLES] == [(0,)] * 9


def test_the_router_keeps_how_far_it_came_with_alerts_changes_and_silences(tmp_path: Path) -> None:
    """Without the last, a restart would ask all groups about all silences anew, and cover more."""
    path = tmp_path / "zeus.db"
    migrate(path, "0007")
    with closing(sqlite3.connect(path)) as db:
        columns = {
            name: (kind, required) for _, name, kind, required, *_ in db.execute("PRAGMA table_info(router)")
        }

    assert columns.keys() == {"name", "alert_number", "change_number", "silence_number", "clock"}
    assert columns["silence_number"] == ("BIGINT", 1)
