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
from zeus_hub.health import UNHEARD, Moment, Standing
from zeus_hub.raising import Open
from zeus_hub.registry import Node

pytestmark = pytest.mark.usefixtures("both")

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
HIGH = Severity.SEVERITY_HIGH
SILENT = Open("acme", "acme-1", "node_silent", "", NOON, HIGH, "nothing heard", HIGH)
BLIND = Open("acme", "acme-1", "sensor_blind", "eve.json", NOON, HIGH, "no packets", HIGH)
OTHER = replace(SILENT, client="beta", node="beta-1")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = stored.database(tmp_path)
    yield made
    made.dispose()


def test_open_conditions_are_those_that_the_journal_knows(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    assert chronicle.open_conditions(journal) == []
    assert not journal.exists(), "none is made by asking"
    stored.leave_open(journal, SILENT, BLIND, OTHER)

    assert chronicle.open_conditions(journal) == [SILENT, BLIND, OTHER]


def ago(hours: float, health: Health.ValueType, reason: str = "") -> Moment:
    return Moment(NOON - timedelta(hours=hours), health, reason)


UP, GONE = Health.HEALTH_UP, Health.HEALTH_SILENT


def test_a_history_is_the_last_day_and_what_held_at_its_beginning(engine: Engine) -> None:
    moments = [ago(100, UP), ago(50, GONE, "away"), ago(30, UP), ago(3, GONE, "away again"), ago(1, UP)]
    chronicle.record(engine, [("acme", moment) for moment in moments])
    chronicle.record(engine, [("beta", ago(70, UP))])

    assert chronicle.histories(engine, NOON) == {"acme": moments[2:], "beta": [ago(70, UP)]}
    assert chronicle.histories(engine, NOON, client="beta") == {"beta": [ago(70, UP)]}


def test_a_time_is_told_with_what_held_at_its_beginning(engine: Engine) -> None:
    moments = [ago(100, UP), ago(50, GONE, "away"), ago(30, UP), ago(3, GONE), ago(1, UP)]
    chronicle.record(engine, [("acme", moment) for moment in moments] + [("beta", ago(20, UP))])

    def between(start: float, end: float, client: str = "acme") -> list[Moment]:
        with reading(engine) as connection:
            hours = timedelta(hours=1)
            return chronicle.between(connection, client, NOON - start * hours, NOON - end * hours)

    assert between(40, 3) == moments[1:3]
    assert between(50, 2) == moments[1:4]
    assert between(200, 100) == []
    assert between(200, 60) == moments[:1]
    assert between(0, -9) == moments[4:]
    assert between(40, 3, "gone") == []


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


def test_what_was_written_down_by_a_clock_that_was_ahead_gives_way(engine: Engine) -> None:
    chronicle.record(engine, [("acme", ago(3, UP)), ("acme", ago(-9000, GONE)), ("beta", ago(-9000, GONE))])
    chronicle.record(engine, [("acme", ago(1, UP))])

    assert chronicle.histories(engine, NOON) == {"acme": [ago(3, UP), ago(1, UP)], "beta": [ago(-9000, GONE)]}


def test_a_node_stands_as_its_open_conditions_say() -> None:
    node = Node(
        "acme", "acme-1", NOON, NOON, None, connected=True, last_seen=NOON, interval_seconds=10, vitals=None
    )

    known = chronicle.standing(node, [BLIND, SILENT, OTHER], heard=True)
    assert chronicle.standing(node, [OTHER], heard=True) == Standing(UP)
    assert known == Standing(GONE, ("nothing heard", "no packets"))
    assert chronicle.standing(replace(node, last_seen=None), [], heard=True).reasons == ()
    assert chronicle.standing(node, [], heard=False) == Standing(Health.HEALTH_UNSPECIFIED, (UNHEARD,))


def test_a_client_as_screens_see_it() -> None:
    told = chronicle.status("acme", Standing(GONE, ("a: away",)), [ago(12, UP), ago(3, GONE)], NOON)

    assert (told.client, told.health, list(told.reasons)) == ("acme", GONE, ["a: away"])
    assert told.since.ToDatetime(UTC) == NOON - timedelta(hours=3)
    assert told.seeing == 0.75
    assert not chronicle.status("acme", Standing(UP), [], NOON).HasField("since")
