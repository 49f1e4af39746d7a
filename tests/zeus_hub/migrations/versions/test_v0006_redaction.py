"""Screens of before, and tokens for them, go on as they were: they see all."""

import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from zeus_hub.database import open_database
from zeus_hub.registry import list_watchers


def test_a_screen_of_before_is_not_redacted(tmp_path: Path) -> None:
    path = tmp_path / "zeus.db"
    config = Config()
    config.set_main_option("script_location", str(files("zeus_hub").joinpath("migrations")))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
    engine.dispose()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("INSERT INTO watcher VALUES (1, 'display', 'wall', x'00', 1, 2, NULL, 1)")

    (wall,) = list_watchers(open_database("sqlite:///zeus.db", tmp_path))

    assert (wall.name, wall.redacted) == ("wall", False)
