"""What the vigil writes down."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from socme.v1.alert_pb2 import Severity
from socme.v1.vitals_pb2 import Health
from tests.zeus_hub import stored
from zeus_hub import chronicle, database
from zeus_hub.database import reading
from zeus_hub.health import Moment, Standing
from zeus_hub.raising import Open
from zeus_hub.registry import Node

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
SILENT = Open("acme", "acme-1", "node_silent", "", NOON, Severity.SEVERITY_HIGH, "nothing heard")
BLIND = Open("acme", "acme-1", "sensor_blind", "eve.json", NOON, Severity.SEVERITY_HIGH, "no packets")
OTHER = replace(SILENT, client="beta", node="beta-1")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = stored.database(tmp_path)
    yield made
    made.dispose()


def test_open_conditions_are_kept_until_they_are_over(engine: Engine) -> None:
    chronicle.put_conditions(engine, [SILENT, BLIND, OTHER])
    assert chronicle.open_conditions(engine) == [SILENT, BLIND, OTHER]
    assert chronicle.open_conditions(engine, client="beta") == [OTHER]

    chronicle.drop_conditions(engine, [SILENT])
    assert chronicle.open_conditions(engine) == [BLIND, OTHER]


def test_the_end_of_an_old_condition_does_not_touch_a_younger_one(engine: Engine) -> None:
    """Raised, cleared and raised again before the database took any of it."""
    younger = replace(SILENT, since=NOON + timedelta(minutes=1))
    chronicle.put_conditions(engine, [SILENT, younger])
    chronicle.drop_conditions(engine, [SILENT])

    assert chronicle.open_conditions(engine) == [younger]


def test_whether_the_store_has_alerts(engine: Engine) -> None:
    stored.keep(engine, [stored.alert(number) for number in range(3)])
    ids = [number.to_bytes(16) for number in range(1000)]

    assert chronicle.stored(engine, ids) == set(ids[:3])


def ago(hours: float, health: Health.ValueType, reason: str = "") -> Moment:
    return Moment(NOON - timedelta(hours=hours), health, reason)


UP, GONE = Health.HEALTH_UP, Health.HEALTH_SILENT


def test_a_history_is_the_last_day_and_what_held_at_its_beginning(engine: Engine) -> None:
    moments = [ago(100, UP), ago(50, GONE, "away"), ago(30, UP), ago(3, GONE, "away again"), ago(1, UP)]
    chronicle.record(engine, [("acme", moment) for moment in moments])
    chronicle.record(engine, [("beta", ago(70, UP))])

    assert chronicle.histories(engine, NOON) == {"acme": moments[2:], "beta": [ago(70, UP)]}
    assert chronicle.histories(engine, NOON, client="beta") == {"beta": [ago(70, UP)]}


def test_what_is_old_is_forgotten_but_not_how_a_client_still_is(engine: Engine) -> None:
    chronicle.record(engine, [("acme", ago(24 * days, UP)) for days in (200, 100, 91, 10)])
    chronicle.record(engine, [("beta", ago(24 * 300, GONE))])
    chronicle.forget(engine, NOON)

    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(database.health)).scalar_one() == 3
    assert chronicle.histories(engine, NOON) == {
        "acme": [ago(240, UP)],
        "beta": [ago(24 * 300, GONE)],
    }


def test_a_moment_that_is_written_twice_is_one(engine: Engine) -> None:
    chronicle.record(engine, [("acme", ago(1, UP)), ("acme", ago(1, GONE, "away"))])

    assert chronicle.histories(engine, NOON) == {"acme": [ago(1, GONE, "away")]}


def test_a_node_stands_as_its_open_conditions_say() -> None:
    node = Node(
        "acme", "acme-1", NOON, NOON, None, connected=True, last_seen=NOON, interval_seconds=10, vitals=None
    )

    assert chronicle.standing(node, [OTHER]) == Standing(UP)
    assert chronicle.standing(node, [BLIND, SILENT, OTHER]) == Standing(GONE, ("nothing heard", "no packets"))
    assert chronicle.standing(replace(node, last_seen=None), []).health == Health.HEALTH_UNSPECIFIED


def test_a_client_as_screens_see_it() -> None:
    told = chronicle.status("acme", Standing(GONE, ("a: away",)), [ago(12, UP), ago(3, GONE)], NOON)

    assert (told.client, told.health, list(told.reasons)) == ("acme", GONE, ["a: away"])
    assert told.since.ToDatetime(UTC) == NOON - timedelta(hours=3)
    assert told.seeing == 0.75
    assert not chronicle.status("acme", Standing(UP), [], NOON).HasField("since")
