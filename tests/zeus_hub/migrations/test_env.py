"""Migrations lead to the schema that the code has, and nowhere else."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import zeus_hub.migrations
from tests.zeus_hub.engines import opened
from zeus_hub.database import HEAD, METADATA, reading

pytestmark = pytest.mark.usefixtures("both")


def test_migrating_an_empty_database_gives_the_schema_of_the_code(tmp_path: Path) -> None:
    with reading(opened(tmp_path)) as connection:
        context = MigrationContext.configure(connection, opts={"include_object": _is_ours})
        assert compare_metadata(context, METADATA) == []


def _is_ours(_thing: object, name: str | None, *_: object) -> bool:
    """Leave out the index of words, which SQLAlchemy has no words for."""
    return "alert_words" not in (name or "")


def test_the_code_names_the_newest_migration() -> None:
    config = Config()
    (folder,) = zeus_hub.migrations.__path__
    config.set_main_option("script_location", folder)

    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]
