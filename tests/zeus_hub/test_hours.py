"""Which ledger hours of nodes are kept."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from socme.v1.vitals_pb2 import LedgerHour
from tests.zeus_hub import stored
from zeus_hub import database, hours, ledger, registry
from zeus_hub.database import microseconds, reading, writing
from zeus_hub.hours import LARGEST, MOST_BOOKED, MOST_FAILING, MOST_TOLD

pytestmark = pytest.mark.usefixtures("both")

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


def hour(ago: float = 0, source: str = "eve.json", **counts: int | bytes) -> LedgerHour:
    made = LedgerHour(source=source, **counts)  # type: ignore[arg-type]
    made.hour.FromDatetime(NOON - timedelta(hours=ago))
    return made


def kept(engine: Engine) -> list[LedgerHour]:
    table = database.ledger
    with reading(engine) as connection:
        order = (table.c.source, table.c.hour_us, table.c.book, table.c.node_id)
        bodies = connection.execute(select(table.c.body).order_by(*order)).scalars()
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

    assert [start for *_, start in told.hours] == [microseconds(NOON - timedelta(hours=2))]
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
    assert tell(engine, *[hour(0, f"made-up-{number}") for number in range(100)]) == 100 - (MOST_BOOKED - 1)
    assert tell(engine, *[hour(1, f"more-{number}") for number in range(100)]) == 100

    assert tell(engine, hour(0, "eve.json", read=2)) == 0
    assert tell(engine, hour(0, "eve.json", read=3), key=("beta", "beta-1")) == 0
    found = kept(engine)
    assert len(found) == MOST_BOOKED + 1
    assert [one.read for one in found if one.source == "eve.json"] == [2, 3]


def test_what_another_book_says_of_an_hour_stands_beside_it(engine: Engine) -> None:
    """A spool was set aside with alerts that nobody can account for: the new one must not hide them."""
    old, new = b"o" * 16, b"n" * 16
    tell(engine, hour(0, read=13, spooled=13, acknowledged=3, book=old))
    tell(engine, hour(0, read=1, spooled=1, pending=1, book=new))
    tell(engine, hour(0, read=2, spooled=2, acknowledged=2, book=new))

    assert [(one.book, one.read) for one in kept(engine)] == [(new, 2), (old, 13)]


def test_the_hub_reckons_by_itself_whether_an_hour_comes_out_even(engine: Engine) -> None:
    """Whatever the node claims; and it is bounded, whatever the node claims."""
    assert hours.failing(hour(read=5, not_alert=3, spooled=2, pending=2)) == 0
    assert hours.failing(hour(read=5, not_alert=3, spooled=2, pending=1)) == 1
    assert hours.failing(hour(read=5, not_alert=5, unaccounted=4)) == 4
    assert hours.failing(hour(read=2**64 - 1)) == MOST_FAILING
    tell(engine, hour(0, read=7), hour(1, read=1, not_alert=1))
    with reading(engine) as connection:
        rows = connection.execute(select(database.ledger.c.unaccounted, database.ledger.c.settled)).all()

    assert sorted(map(tuple, rows)) == [(0, 0), (7, 0)]


def test_a_name_of_a_book_that_is_too_long_is_refused() -> None:
    assert hours.read([hour(book=b"x" * 17)], NOON).refused == 1


def test_how_many_were_refused_is_written_down(engine: Engine) -> None:
    """A person sees it: a node whose clock is off by days has no books at the hub."""
    many = hours.read([hour(0, str(number)) for number in range(MOST_BOOKED + 3)], NOON)
    hours.keep(engine, {KEY: many.hours}, {KEY: 4})
    hours.keep(engine, {}, {KEY: 5, ("acme", "nobody"): 1})

    assert ledger.refused(engine) == {KEY: 12}


def test_hours_of_a_node_that_is_not_registered_are_left_out(engine: Engine) -> None:
    assert tell(engine, hour(0), key=("acme", "nobody")) == 0
    assert kept(engine) == []


def test_hours_are_forgotten_after_thirty_days(engine: Engine) -> None:
    tell(engine, hour(0), hour(30 * 24 - 1))
    hours.forget(engine, NOON + timedelta(hours=2))

    assert len(kept(engine)) == 1
