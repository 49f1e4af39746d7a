"""How a node was, for a person and for scripts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from tests.zeus_hub import stored
from tests.zeus_hub.test_samples import ONE
from zeus_hub import database, history, registry
from zeus_hub.commands import past
from zeus_hub.database import writing
from zeus_hub.history import HOUR
from zeus_hub.samples import POINT_NAMES, point_values, summary

pytestmark = pytest.mark.usefixtures("both")

NOW = datetime(2026, 7, 2, 12, 10, tzinfo=UTC)
LAST = int(NOW.timestamp()) // past.STEP * past.STEP
OLD, NEW = replace(ONE, seconds=LAST - past.STEP * 2, cpu=1000), replace(ONE, seconds=LAST + 60, cpu=0)


def test_a_day_has_a_place_for_each_half_hour() -> None:
    day = past.day([OLD, NEW], NOW)

    assert len(day) == past.BARS
    assert [point.cpu if point is not None else None for point in day[-4:]] == [None, 1000, None, 0]


def test_lines_of_bars() -> None:
    rows = dict(past.rows([OLD, NEW], NOW))

    assert rows["last 24 h"].endswith(" now")
    assert len(rows["last 24 h"]) == past.BARS
    assert rows["  cpu"] == " " * 45 + "█ ▁  0% last, at most 100%"
    assert rows["  memory"] == " " * 45 + "▃ ▃  33% last, at most 33%"
    assert rows["  dropped"].endswith("█ █  2 of 200 packets (1.00%)")
    assert rows["  spool"].endswith("█ █  5 alerts last, at most 5")


def test_what_is_unknown_is_told() -> None:
    rows = dict(past.rows([replace(NEW, disk=None, packets=0, dropped=0)], NOW))

    assert rows["  disk"].strip() == "unknown last, at most unknown"
    assert rows["  dropped"].endswith("no packets seen")


def test_of_a_node_that_was_not_heard_in_a_day_nothing_is_shown() -> None:
    assert list(past.rows([], NOW)) == []


def test_bars_of_many_nodes_are_of_the_last_24_hours_that_there_are(tmp_path: Path) -> None:
    """An hour that has just begun is not packed yet: it would be a hole at the end of every line."""
    engine = stored.database(tmp_path)
    begin = int(NOW.timestamp()) // HOUR * HOUR
    with writing(engine) as connection:
        for name, hours in (("n1", {1: 1000, 2: 0, 24: 500, 25: 1000}), ("n2", {3: None})):
            client_id = registry.client_ids(connection, ["acme"])[0]
            registry.put_node(
                connection, client_id, name, fingerprint=name.encode(), enrolled=NOW, expires=NOW
            )
            node = connection.execute(select(database.node.c.id).where(database.node.c.name == name)).scalar()
            for ago, cpu in hours.items():
                point = summary(begin - ago * HOUR, [replace(ONE, cpu=cpu)])
                row = dict(zip(POINT_NAMES, point_values(point), strict=True))
                connection.execute(insert(history.hour).values(row | {"node_id": node}))
    found = past.processors(engine, NOW)
    later = past.processors(engine, NOW + timedelta(minutes=10), ["acme"])
    nobodys = past.processors(engine, NOW, ["beta"])
    engine.dispose()

    assert found == {("acme", "n1"): "▅" + " " * 21 + "▁█", ("acme", "n2"): " " * 24}
    assert later["acme", "n1"] == " " * 21 + "▁█ "
    assert nobodys == {}


def test_a_moment_for_scripts() -> None:
    assert past.sample_view(replace(ONE, seconds=LAST + 5, clock_ms=None)) == {
        "time": "2026-07-02T12:00:05Z",
        "cpu": 0.07,
        "memory": 0.33,
        "disk": 0.26,
        "spool_alerts": 5,
        "lag_bytes": 10,
        "packets": 100,
        "dropped": 1,
        "records": 50,
        "spooled": 4,
        "clock_offset_seconds": None,
    }


def test_for_scripts() -> None:
    assert past.view(summary(LAST, [OLD, NEW])) == {
        "time": "2026-07-02T12:00:00Z",
        "samples": 2,
        "cpu": 0.5,
        "cpu_most": 1.0,
        "memory": 0.33,
        "memory_most": 0.33,
        "disk": 0.26,
        "spool_alerts": 5,
        "lag_bytes": 10,
        "packets": 200,
        "dropped": 2,
        "records": 100,
        "spooled": 8,
        "clock_offset_seconds": -0.003,
    }
