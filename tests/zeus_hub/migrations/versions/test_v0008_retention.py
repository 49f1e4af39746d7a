"""Of a database of before, everything is kept."""

from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from zeus_hub.database import open_database, reading
from zeus_hub.retention import Horizons, noted


def test_a_database_of_before_keeps_all(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(files("zeus_hub").joinpath("migrations")))
    engine = create_engine(f"sqlite:///{tmp_path / 'zeus.db'}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
    engine.dispose()
    with reading(open_database("sqlite:///zeus.db", tmp_path)) as connection:
        assert noted(connection) == Horizons({})
