"""A database of before gets the tables of how nodes were; rows lie in the order of their key."""

from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from zeus_hub.database import open_database, reading

TABLES = ("vitals_hour", "vitals_quarter", "vitals_recent")


def test_the_tables_come_to_a_database_of_before(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(files("zeus_hub").joinpath("migrations")))
    engine = create_engine(f"sqlite:///{tmp_path / 'zeus.db'}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
    engine.dispose()
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name LIKE 'vitals%' ORDER BY name"
    with reading(open_database("sqlite:///zeus.db", tmp_path)) as connection:
        made = connection.exec_driver_sql(query).all()

    assert tuple(name for name, _ in made) == TABLES
    assert all(sql.rstrip().endswith("WITHOUT ROWID") for _, sql in made)
