from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, update

from socme.v1.watch_pb2 import TriageStatus
from tests.zeus_hub.alone import sqlite_alone
from tests.zeus_hub.stored import NOON, alert, database, keep
from zeus_hub import groups, schema, triage
from zeus_hub.database import reading, writing
from zeus_hub.groups import Progress
from zeus_hub.routes.group import Ticket
from zeus_hub.routes.grouping import NOWHERE, Changes
from zeus_hub.routes.inhibition import Source
from zeus_hub.routes.kept import Routed
from zeus_hub.routes.steady import Steady
from zeus_hub.routes.summary import member
from zeus_hub.triage import Ref

pytestmark = pytest.mark.usefixtures("both")

NEW, ACKNOWLEDGED = TriageStatus.TRIAGE_STATUS_NEW, TriageStatus.TRIAGE_STATUS_ACKNOWLEDGED


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(tmp_path)
    yield made
    made.dispose()


def ref(number: int) -> Ref:
    return Ref("acme", "acme-1", number.to_bytes(16))


def test_the_router_begins_behind_all_that_is_there(engine: Engine) -> None:
    keep(engine, [alert(number) for number in range(3)])
    triage.acknowledge(engine, [ref(1)], by="ada", now=NOON)
    with writing(engine) as connection:
        assert groups.progress(connection) is None
        begun = groups.begin(connection, Steady().at(NOON))
        assert (begun.alert, begun.change) == (3, 1)
        assert groups.progress(connection) == begun
        assert groups.arrivals(connection, begun.alert, 10) == []


def test_alerts_come_in_order_as_they_came(engine: Engine) -> None:
    """What people did about them comes by itself, in its own order."""
    made = [alert(number) for number in range(5)]
    keep(engine, made)
    triage.acknowledge(engine, [ref(1)], by="ada", now=NOON)
    with reading(engine) as connection:
        found = groups.arrivals(connection, 1, 3)
        assert [number for number, _ in found] == [2, 3, 4]
        assert [stored for _, stored in found] == made[1:4]


def test_changes_come_in_their_own_order(engine: Engine) -> None:
    keep(engine, [alert(number) for number in range(3)])
    for number in (0, 2, 1):
        triage.acknowledge(engine, [ref(number)], by="ada", now=NOON)
    with reading(engine) as connection:
        [first] = groups.changes(connection, 0, 1)
        assert (first.alert, first.before, first.after) == (1, NEW, ACKNOWLEDGED)
        assert [each.alert for each in groups.changes(connection, 1, 10)] == [3, 2]
        assert [each.number for each in groups.changes_of(connection, [2, 1], 2)] == [1]
        assert [each.number for each in groups.changes_of(connection, [2, 1], 3)] == [1, 3]
        assert groups.changes_of(connection, [], 3) == []


def test_where_alerts_went_is_kept_where_they_went_anywhere(engine: Engine) -> None:
    went = Routed((Ticket("a" * 32, 1, 0),))
    with writing(engine) as connection:
        groups.keep_routed(connection, {7: went, 8: NOWHERE})
        groups.keep_routed(connection, {9: NOWHERE})
    with reading(engine) as connection:
        assert groups.routed(connection, [7, 8, 9]) == {7: went}


def test_a_group_finds_the_alerts_that_it_remembers(engine: Engine) -> None:
    """Of its own client: another's may have the same ids."""
    mine, others = alert(1), alert(1, place="beta/beta-1")
    keep(engine, [mine, others, alert(2)])
    with reading(engine) as connection:
        assert groups.remembered(connection, "acme", [member(mine)]) == [mine]


@sqlite_alone
def test_what_a_group_remembers_is_found_without_reading_all_of_its_client(engine: Engine) -> None:
    keep(engine, [alert(1)])
    asked: list[tuple[str, object]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _asked(_connection: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        asked.append((statement, values))

    with reading(engine) as connection:
        groups.remembered(connection, "acme", [member(alert(1)), member(alert(2))])
        [(statement, values)] = [each for each in asked if "body" in each[0]]
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]  # type: ignore[arg-type]

    assert plan[0] == "SEARCH alert USING INDEX sqlite_autoindex_alert_1 (id=?)"


def test_clients_are_called_as_people_call_them(engine: Engine) -> None:
    with reading(engine) as connection:
        assert groups.titles(connection) == {"acme": "acme", "beta": "beta"}


@pytest.mark.parametrize("kept", [b"\0", b"[99,{}]", b'[1,{"latest":"late"}]', b""])
def test_a_clock_that_cannot_be_read_is_a_new_one(engine: Engine, kept: bytes) -> None:
    with writing(engine) as connection:
        begun = groups.begin(connection, Steady(5.0, 2.0))
        connection.execute(update(schema.router).values(clock=kept))
        found = groups.progress(connection)
        assert found == replace(begun, steady=Steady(), damaged=True)
        assert not groups.inhibited(connection, NOON)("inhibit:acme/rule/1-")


def test_what_inhibits_is_asked_at_the_time_of_the_router(engine: Engine) -> None:
    """That goes on where the clock of the machine is set back, and nothing holds anything back for ever."""
    begun = Steady().at(NOON)
    fired = Source("acme/rule/1", begun.seconds, 1)
    with writing(engine) as connection:
        groups.begin(connection, begun)
        groups.save(connection, Changes((), (), (fired,), (), ()), Progress(0, 0, 0, begun))
        for hours, holds in ((0, True), (23, True), (24, False), (-1, True)):
            held = groups.inhibited(connection, NOON + timedelta(hours=hours))
            assert held("inhibit:acme/rule/1-") is holds
