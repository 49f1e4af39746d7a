"""What a wall counts."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select

from socme.v1.alert_pb2 import Severity
from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub.stored import NOON, alert, database, keep
from tests.zeus_hub.test_triage import ref
from zeus_hub import figures, schema, triage
from zeus_hub.database import client, microseconds, reading, writing
from zeus_hub.figures import HOUR_US, OfClient, Tally, usual

pytestmark = pytest.mark.usefixtures("both")

LOW, HIGH = Severity.SEVERITY_LOW, Severity.SEVERITY_HIGH


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(tmp_path)
    yield made
    made.dispose()


def at(number: int, time: datetime, severity: int = LOW, *, place: str = "acme/acme-1") -> StoredAlert:
    """Return an alert that came at some time."""
    made = alert(number, severity=severity, place=place)
    made.received.FromDatetime(time)
    return made


def of(engine: Engine, name: str, now: datetime) -> OfClient:
    with reading(engine) as connection:
        key = connection.execute(select(client.c.id).where(client.c.name == name)).scalar_one()
    return Tally(engine).figures(now).clients.get(key, OfClient())


def test_what_is_open_depends_on_its_age_and_severity(engine: Engine) -> None:
    keep(engine, [at(1, NOON), at(2, NOON, HIGH), at(3, NOON, Severity.SEVERITY_UNSPECIFIED)])
    triage.acknowledge(engine, [ref(1)], by="ada", now=NOON)

    today = of(engine, "acme", NOON + timedelta(hours=24))
    assert (today.open, today.fresh) == ({0: 1, LOW: 1, HIGH: 1}, {0: 1, LOW: 0, HIGH: 1})
    tomorrow = of(engine, "acme", NOON + timedelta(hours=24, minutes=16))
    assert (tomorrow.last_day, tomorrow.open) == ({}, {HIGH: 1})
    assert of(engine, "acme", NOON + timedelta(days=30)).open == {HIGH: 1}
    assert of(engine, "acme", NOON + timedelta(days=30, minutes=16)).open == {}


def test_hours_and_quarters_end_with_the_one_that_has_begun(engine: Engine) -> None:
    now = NOON + timedelta(minutes=50)
    keep(engine, [at(1, NOON - timedelta(hours=23)), at(2, NOON), at(3, now)])
    found = of(engine, "acme", now)

    assert (len(found.hours), found.hours[0], found.hours[-1], sum(found.hours)) == (24, 1, 2, 3)
    assert found.timeline == {(95, LOW): 1, (92, LOW): 1, (0, LOW): 1}
    assert Tally(engine).figures(now).begin_us == microseconds(NOON - timedelta(hours=23))


def test_the_usual_hour_is_the_median_of_the_days_that_are_known(engine: Engine) -> None:
    """Of the same hour, whatever came in others; an hour without alerts counts as such."""
    many = [0, 0, 3, 5, 9, 100, 2]
    alerts = [at(1, NOON - timedelta(days=8))]
    for days, count in enumerate(many, 1):
        for _ in range(count):
            alerts.append(at(len(alerts) + 1, NOON - timedelta(days=days) + timedelta(minutes=40)))
    alerts += [at(1000, NOON - timedelta(days=1, hours=1)), at(1001, NOON + timedelta(minutes=1))]
    keep(engine, sorted(alerts, key=lambda one: one.received.ToMicroseconds()))
    found = of(engine, "acme", NOON + timedelta(minutes=5))

    assert found.usual == 2.5  # of 0 0 1 2 3 5 9 100
    assert of(engine, "beta", NOON).usual is None


def test_what_is_usual_takes_a_week_to_know(engine: Engine) -> None:
    keep(engine, [at(1, NOON - timedelta(days=6, hours=23))])
    assert of(engine, "acme", NOON).usual is None

    assert of(engine, "acme", NOON + timedelta(hours=1)).usual == 0


def test_what_is_usual_is_reckoned_once_an_hour(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def noted(connection: object, hour_us: int) -> dict[int, float]:
        asked.append(hour_us)
        return usual(connection, hour_us)  # type: ignore[arg-type]

    monkeypatch.setattr(figures, "usual", noted)
    tally = Tally(engine)
    for minutes in (0, 20, 40, 60):
        tally.figures(NOON + timedelta(minutes=minutes))

    assert asked == [microseconds(NOON), microseconds(NOON) + HOUR_US]


def test_figures_are_reckoned_anew_only_where_something_has_changed(engine: Engine) -> None:
    """Time, alerts, or what people did: whoever asks is never told something old."""
    tally = Tally(engine)
    with writing(engine) as connection:
        connection.execute(
            insert(schema.audit).values(time_us=0, actor="", action="", subject="", details="{}")
        )
    first = tally.figures(NOON)
    assert tally.figures(NOON + timedelta(minutes=14)) is first
    assert tally.figures(NOON + timedelta(minutes=15)) is not first
    keep(engine, [at(1, NOON)])
    second = tally.figures(NOON)
    assert (second.position, second.last, second.change) == (1, 1, 0)
    triage.acknowledge(engine, [ref(1)], by="ada", now=NOON)

    assert tally.figures(NOON).change == 1
    assert tally.figures(NOON) is tally.figures(NOON)


def test_clients_are_counted_apart(engine: Engine) -> None:
    keep(engine, [at(1, NOON), at(2, NOON, place="beta/n"), at(3, NOON, place="beta/n")])

    assert of(engine, "acme", NOON).open == {LOW: 1}
    assert of(engine, "beta", NOON).open == {LOW: 2}
