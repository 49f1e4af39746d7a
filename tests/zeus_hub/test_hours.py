"""Which ledger hours of nodes are kept."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from socme.v1.vitals_pb2 import LedgerHour
from tests.zeus_hub import stored
from zeus_hub import database, hours, registry
from zeus_hub.database import microseconds, reading, writing
from zeus_hub.hours import LARGEST, MOST_SOURCES, MOST_TOLD

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
KEY = ("acme", "acme-1")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = stored.database(tmp_path)
    for client in ("acme", "beta"):
        with writing(made) as connection:
            client_id = registry.client_ids(connection, [client])[0]
            name = f"{client}-1"
            registry.put_node(
                connection, client_id, name, fingerprint=name.encode(), enrolled=NOON, expires=NOON
            )
    yield made
    made.dispose()


def hour(ago: float = 0, source: str = "eve.json", **counts: int) -> LedgerHour:
    made = LedgerHour(source=source, **counts)  # type: ignore[arg-type]
    made.hour.FromDatetime(NOON - timedelta(hours=ago))
    return made


def kept(engine: Engine) -> list[LedgerHour]:
    table = database.ledger
    with reading(engine) as connection:
        bodies = connection.execute(select(table.c.body).order_by(table.c.source, table.c.hour_us)).scalars()
        return [LedgerHour.FromString(one) for one in bodies]


def tell(engine: Engine, *told: LedgerHour, key: tuple[str, str] = KEY) -> int:
    return hours.keep(engine, {key: hours.read(told, NOON).hours})


def test_the_newest_word_on_an_hour_is_kept(engine: Engine) -> None:
    tell(engine, hour(1, read=5), hour(0, read=7))
    tell(engine, hour(0, read=9), hour(0, "alerts.json", read=1))

    assert [(one.source, one.read) for one in kept(engine)] == [
        ("alerts.json", 1),
        ("eve.json", 5),
        ("eve.json", 9),
    ]


@pytest.mark.parametrize("ago", [30 * 24 + 1, -25, 0.5, 1e6])
def test_an_hour_that_is_none_or_far_away_is_refused_and_counted(ago: float) -> None:
    told = hours.read([hour(ago), hour(2)], NOON)

    assert [start for _, start in told.hours] == [microseconds(NOON - timedelta(hours=2))]
    assert told.refused == 1


def test_a_time_that_no_clock_has_is_refused() -> None:
    far = LedgerHour(source="a")
    far.hour.seconds = -(2**63)

    assert hours.read([far], NOON).refused == 1


def test_an_hour_that_is_too_large_is_refused() -> None:
    assert hours.read([hour(0, "x" * LARGEST)], NOON).refused == 1


def test_one_message_is_bounded() -> None:
    told = hours.read([hour(0, str(number)) for number in range(MOST_TOLD + 10)], NOON)

    assert (len(told.hours), told.refused) == (MOST_TOLD, 10)


def test_the_sources_of_a_node_are_bounded_and_what_is_known_goes_on(engine: Engine) -> None:
    """A node that makes up names cannot fill the database, nor keep others' hours out."""
    assert tell(engine, hour(0, "eve.json", read=1)) == 0
    assert tell(engine, *[hour(0, f"made-up-{number}") for number in range(100)]) == 100 - (MOST_SOURCES - 1)
    assert tell(engine, *[hour(1, f"more-{number}") for number in range(100)]) == 100

    assert tell(engine, hour(0, "eve.json", read=2)) == 0
    assert tell(engine, hour(0, "eve.json", read=3), key=("beta", "beta-1")) == 0
    found = kept(engine)
    assert len(found) == MOST_SOURCES + 1
    assert [one.read for one in found if one.source == "eve.json"] == [2, 3]


def test_hours_of_a_node_that_is_not_registered_are_left_out(engine: Engine) -> None:
    assert tell(engine, hour(0), key=("acme", "nobody")) == 0
    assert kept(engine) == []


def test_hours_are_forgotten_after_thirty_days(engine: Engine) -> None:
    tell(engine, hour(0), hour(30 * 24 - 1))
    hours.forget(engine, NOON + timedelta(hours=2))

    assert len(kept(engine)) == 1
