"""Counts by quarter of an hour, which go with the alerts."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub.stored import NOON, alert, database, keep
from zeus_hub import schema, slots
from zeus_hub.database import microseconds, reading, writing
from zeus_hub.sinks.store import Store
from zeus_hub.slots import QUARTER_US

pytestmark = pytest.mark.usefixtures("both")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(tmp_path)
    yield made
    made.dispose()


def named(number: int, *names: str, count: int = 1, hours: float = 0) -> StoredAlert:
    """Return an alert that names tactics."""
    made = alert(number)
    made.alert.count = count
    made.alert.threat.tactic_names.extend(names)
    made.received.FromDatetime(NOON + timedelta(hours=hours))
    return made


def tactics(engine: Engine) -> dict[str, int]:
    table = schema.tactic
    found: Counter[str] = Counter()
    with reading(engine) as connection:
        for row in connection.execute(select(table)):
            found[row.name] += row.alerts
    return dict(found)


def counted(engine: Engine) -> list[tuple[int, ...]]:
    """Return severity, quarters since noon, and alerts of all slots."""
    noon = microseconds(NOON)
    with reading(engine) as connection:
        rows = connection.execute(select(schema.slot).order_by(schema.slot.c.begin_us)).all()
    return [(row.severity, (row.begin_us - noon) // QUARTER_US, row.alerts) for row in rows]


@given(st.integers(-(2**50), 2**50))
def test_a_moment_lies_in_its_quarter(time_us: int) -> None:
    assert 0 <= time_us - slots.begin(time_us) < QUARTER_US
    assert slots.begin(time_us) % QUARTER_US == 0


def test_alerts_are_counted_as_they_are_stored_and_only_once(engine: Engine) -> None:
    """By the time of their arrival, each roll-up with its count."""
    some = [named(1, count=5), named(2, hours=0.1), named(3, hours=0.25), named(4, hours=2)]
    keep(engine, some)
    keep(engine, some)

    assert counted(engine) == [(2, 0, 6), (2, 1, 1), (2, 8, 1)]


def test_a_transaction_that_fails_counts_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(Store, "_forget", fails)
    with pytest.raises(RuntimeError, match="power cut"):
        keep(engine, [named(1, "Execution")])

    assert counted(engine) == []
    assert tactics(engine) == {}


def test_tactics_are_counted_by_alerts_that_name_them(engine: Engine) -> None:
    keep(
        engine,
        [named(1, "Execution", "Execution ", "Discovery", count=3), named(2, "Execution"), named(3, " ")],
    )
    keep(engine, [named(4, "Execution")])

    assert tactics(engine) == {"Execution": 5, "Discovery": 3}


def test_names_of_tactics_are_cleaned_and_bounded(engine: Engine) -> None:
    """Whoever writes rules chooses them; those that are known are counted on."""
    keep(engine, [named(1, "evil\x1b[31m", "x" * 1000)])
    assert sorted(tactics(engine)) == ["evil\ufffd[31m", "x" * 63 + "…"]
    keep(engine, [named(number, f"Tactic {number}") for number in range(2, 200)])
    keep(engine, [named(300, "evil\x1b[31m", "another")])

    found = tactics(engine)
    assert len(found) == slots.MOST_TACTICS
    assert found["evil\ufffd[31m"] == 2
    assert "another" not in found


def test_what_is_too_old_is_forgotten(engine: Engine) -> None:
    """More than a month of alerts, a day of tactics."""
    keep(engine, [named(1, "Execution")])
    keep(engine, [named(2, hours=26)])
    assert tactics(engine) == {}
    assert len(counted(engine)) == 2
    keep(engine, [named(3, hours=34 * 24 + 1)])

    assert [quarter for _, quarter, _ in counted(engine)] == [26 * 4, (34 * 24 + 1) * 4]


def test_a_clock_that_runs_ahead_takes_a_day_with_it_and_not_a_month(engine: Engine) -> None:
    keep(engine, [named(day, hours=24 * day) for day in range(30)])
    keep(engine, [named(100, hours=24 * 365)])

    assert len(counted(engine)) == 30


def test_only_what_has_moved_is_written(engine: Engine) -> None:
    keep(engine, [named(1)])
    begin = slots.begin(microseconds(NOON))
    with writing(engine) as connection:
        slots.shift(connection, {(2, begin, 1): (1, 0), (3, begin, 1): (0, 0)})
        slots.shift(connection, {(2, begin, 1): (-1, 1), (4, begin, 7): (1, 1)})
    with reading(engine) as connection:
        (row,) = connection.execute(select(schema.slot)).all()

    assert (row.alerts, row.acknowledged, row.closed) == (1, 0, 1)
