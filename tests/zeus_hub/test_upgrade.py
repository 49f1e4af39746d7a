"""Bringing the schema up to date."""

import logging
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from tests.zeus_hub.engines import blank, opened
from zeus_hub.database import HEAD, reading
from zeus_hub.upgrade import revision, upgrade

pytestmark = pytest.mark.usefixtures("both")


def test_a_new_database_gets_the_newest_schema_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blank(tmp_path)
    with caplog.at_level(logging.INFO, "zeus.database"):
        engine = opened(tmp_path)
        upgrade(engine, HEAD)

    with reading(engine) as connection:
        assert revision(connection) == HEAD
    assert [record.message for record in caplog.records].count("database brought up to date") == 1


def test_what_is_no_hub_s_database_has_no_schema() -> None:
    with create_engine("sqlite://").connect() as connection:
        assert revision(connection) is None
