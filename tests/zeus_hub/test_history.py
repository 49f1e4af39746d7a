"""How nodes were: written, packed, reckoned by the hour and forgotten."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from socme.errors import OperatorError
from tests.zeus_hub import stored
from tests.zeus_hub.engines import opened
from tests.zeus_hub.test_samples import ONE
from zeus_hub import history, registry
from zeus_hub.database import reading, writing
from zeus_hub.history import DAY, HOUR, MONTH, QUARTER, SETTLED
from zeus_hub.samples import Key

pytestmark = pytest.mark.usefixtures("both")

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
START = int(NOON.timestamp())
NODES = (("acme", "acme-1"), ("acme", "acme-2"), ("beta", "beta-1"))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = stored.database(tmp_path)
    for client, name in NODES:
        with writing(made) as connection:
            client_id = registry.client_ids(connection, [client])[0]
            registry.put_node(
                connection, client_id, name, fingerprint=name.encode(), enrolled=NOON, expires=NOON
            )
    yield made
    made.dispose()


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def put(engine: Engine, *seconds: int, cpu: int = 70, keys: tuple[Key, ...] = NODES) -> None:
    many = {
        (key, START + second): replace(ONE, seconds=START + second, cpu=cpu)
        for key in keys
        for second in seconds
    }
    with writing(engine) as connection:
        history.put(connection, many)


def counts(engine: Engine) -> tuple[int, int, int]:
    with reading(engine) as connection:
        found = [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (history.recent, history.quarter, history.hour)
        ]
    return found[0], found[1], found[2]


def seconds_of(engine: Engine, now: float) -> list[int]:
    return [one.seconds - START for one in history.day(engine, "acme", "acme-1", at(now))]


def test_a_days_samples_are_packed_and_not(engine: Engine) -> None:
    put(engine, 0, 30, 870, 900)
    before = seconds_of(engine, QUARTER + SETTLED)
    history.tend(engine, at(QUARTER + SETTLED))

    assert before == seconds_of(engine, QUARTER + SETTLED) == [0, 30, 870, 900]
    assert counts(engine) == (3, 3, 3)
    assert history.day(engine, "acme", "acme-1", at(QUARTER))[0] == replace(ONE, seconds=START)
    assert seconds_of(engine, DAY + 30) == [30, 870, 900]


def test_a_quarter_that_is_not_over_or_not_yet_written_is_left(engine: Engine) -> None:
    put(engine, 0, 30)
    history.tend(engine, at(QUARTER + SETTLED - 1))

    assert counts(engine) == (6, 0, 0)


def test_many_nodes_are_packed_in_steps(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "STEP", 2)
    put(engine, 0, 30)
    packed = []
    for _ in range(3):
        history.tend(engine, at(HOUR))
        packed.append(counts(engine))

    assert packed == [(2, 2, 2), (0, 3, 3), (0, 3, 3)]


def test_an_hour_is_made_of_its_quarters(engine: Engine) -> None:
    """As each of them is over, and of those alone."""
    for number in range(5):
        put(engine, number * QUARTER, number * QUARTER + 30, cpu=100 * number)
        history.tend(engine, at((number + 1) * QUARTER + SETTLED))
    first, second = history.month(engine, "acme", "acme-1", at(2 * HOUR))

    assert (first.seconds - START, first.samples, first.cpu, first.cpu_most) == (0, 8, 150, 300)
    assert (first.packets, first.dropped) == (800, 8)
    assert (second.seconds - START, second.samples, second.cpu) == (HOUR, 2, 400)


def test_what_comes_late_is_added(engine: Engine) -> None:
    """Where the hub's clock was put back."""
    put(engine, 0, 30)
    history.tend(engine, at(HOUR))
    put(engine, 60)
    history.tend(engine, at(HOUR))
    (hour,) = history.month(engine, "acme", "acme-1", at(HOUR))

    assert seconds_of(engine, HOUR) == [0, 30, 60]
    assert (hour.samples, hour.packets) == (3, 300)
    assert counts(engine) == (0, 3, 3)


def test_a_moment_that_comes_twice_counts_once(engine: Engine) -> None:
    put(engine, 0)
    put(engine, 0, 5)
    history.tend(engine, at(HOUR))
    put(engine, 5)
    history.tend(engine, at(HOUR))
    (hour,) = history.month(engine, "acme", "acme-1", at(HOUR))

    assert seconds_of(engine, HOUR) == [0, 5]
    assert hour.samples == 2


def test_nodes_that_are_not_registered_are_left_out(engine: Engine) -> None:
    put(engine, 0, keys=(("acme", "nobody"), NODES[0]))
    put(engine)

    assert counts(engine) == (1, 0, 0)


def test_what_is_too_old_is_forgotten_in_steps(engine: Engine) -> None:
    put(engine, 0, QUARTER, HOUR)
    for _ in range(3):
        history.tend(engine, at(2 * HOUR))
    assert counts(engine) == (0, 9, 6)
    history.tend(engine, at(DAY + QUARTER))
    assert counts(engine) == (0, 9, 6), "all of it may be of the last day yet"
    history.tend(engine, at(DAY + 3 * QUARTER))
    assert counts(engine) == (0, 6, 6)
    for _ in range(2):
        history.tend(engine, at(MONTH + HOUR))
    assert counts(engine) == (0, 0, 3)


def test_the_hours_of_all_nodes(engine: Engine) -> None:
    put(engine, 0, HOUR)
    for _ in range(2):
        history.tend(engine, at(2 * HOUR))
    found = history.fleet(engine, at(2 * HOUR))

    assert list(found) == list(NODES)
    assert [one.seconds - START for one in found["beta", "beta-1"]] == [0, HOUR]
    assert history.fleet(engine, at(2 * DAY)) == {}
    assert list(history.fleet(engine, at(2 * HOUR), ["beta", "nobody"])) == [NODES[2]]


def test_a_node_that_there_is_not_is_told(engine: Engine) -> None:
    for ask in (history.day, history.month):
        with pytest.raises(OperatorError, match="there is no node nobody"):
            ask(engine, "acme", "nobody", NOON)


def test_a_hub_that_is_opened_again_goes_on(engine: Engine, tmp_path: Path) -> None:
    """Nothing of what is to be packed is in memory."""
    put(engine, 0, 30)
    engine.dispose()
    again = opened(tmp_path)
    history.tend(again, at(HOUR))

    assert counts(again) == (0, 3, 3)
    again.dispose()
