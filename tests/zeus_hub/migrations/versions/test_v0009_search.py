"""Of a database of before, every alert is found, before its words are indexed and after."""

from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from tests.zeus_hub.stored import alert
from zeus_hub import alerts, backfill, body
from zeus_hub.alerts import Filters
from zeus_hub.database import open_database
from zeus_hub.sinks import store

PUT = "INSERT INTO client (id, name, title, enabled, created_us) VALUES (1, 'acme', '', 1, 0)"
NODE = "INSERT INTO node (id, client_id, name, connected, interval_seconds) VALUES (1, 1, 'acme-1', 0, 0)"


def test_alerts_of_before_are_found(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(files("zeus_hub").joinpath("migrations")))
    engine = create_engine(f"sqlite:///{tmp_path / 'zeus.db'}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        connection.exec_driver_sql(PUT)
        connection.exec_driver_sql(NODE)
        old = alert(1, name="an old rule")
        values = {**store.columns(old), "number": 1, "client_id": 1, "node_id": 1, "position": 1}
        values["body"] = body.encode(old.alert)
        names = ", ".join(f'"{name}"' for name in values)
        marks = ", ".join("?" * len(values))
        connection.exec_driver_sql(f"INSERT INTO alert ({names}) VALUES ({marks})", tuple(values.values()))
    engine.dispose()

    engine = open_database("sqlite:///zeus.db", tmp_path)
    for _ in range(2):
        assert [one.alert.rule.name for one in alerts.find(engine, Filters(text="old"))] == ["an old rule"]
        assert list(alerts.find(engine, Filters(text="older"))) == []
        backfill.step(engine)
    assert backfill.step(engine) == 0
    engine.dispose()
