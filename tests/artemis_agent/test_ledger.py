"""What became of everything that was read: counts, sums, and what is wrong with them."""

import sqlite3
from collections.abc import Iterable, Iterator

import pytest

from artemis_agent import held_rows, ledger
from socme.journal import Held
from socme.v1.vitals_pb2 import LedgerHour

NOW = 500_000  # hours since 1970


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(ledger.SCHEMA + held_rows.SCHEMA)
    yield db
    db.close()


def hours(db: sqlite3.Connection, *held: Held) -> list[LedgerHour]:
    def query(sql: str, values: Iterable[object]) -> list[tuple[object, ...]]:
        return db.execute(sql, tuple(values)).fetchall()

    return ledger.hours(query, held)


def waiting(alerts: int, hour: int = NOW, source: str = "eve.json") -> Held:
    return Held(1, source, hour, 1, alerts, 10)


def hold(db: sqlite3.Connection, *, hour: int, alerts: int) -> None:
    """Let alerts of a window wait that began in an hour."""
    opened_us = hour * held_rows.HOUR_US
    db.execute("INSERT INTO held VALUES ('eve.json', x'00', ?, 0, 1, ?, 0, 0)", (opened_us, alerts))
    db.execute("INSERT INTO held_first VALUES ('eve.json', x'00', x'00')")


BALANCED = {
    "read": 100,
    "not_alert": 50,
    "filtered:min_severity": 20,
    "filtered:wazuh_copy": 4,
    "rolled_up": 5,
    "undecodable": 1,
    "spooled": 22,
    "made": 2,
    "acknowledged": 10,
    "dropped:age": 5,
    "held": 6,
    "released": 6,
}


def test_an_hour_that_balances(db: sqlite3.Connection) -> None:
    ledger.add(db, "eve.json", NOW, BALANCED)
    (hour,) = hours(db, waiting(7))

    assert (hour.read, hour.spooled, hour.pending, hour.unaccounted) == (100, 22, 7, 0)
    assert dict(hour.filtered) == {"min_severity": 20, "wazuh_copy": 4}
    assert dict(hour.dropped) == {"age": 5}
    assert hour.hour.seconds == NOW * 3600


@pytest.mark.parametrize("key", sorted(BALANCED))
def test_each_count_matters(db: sqlite3.Connection, key: str) -> None:
    ledger.add(db, "eve.json", NOW, BALANCED)
    ledger.add(db, "eve.json", NOW, {key: 3})
    (hour,) = hours(db, waiting(7))

    assert hour.unaccounted in {3, 6}  # what is spooled stands in both equations


def test_an_entry_that_went_another_way_shows(db: sqlite3.Connection) -> None:
    ledger.add(db, "eve.json", NOW, BALANCED)

    assert [hour.unaccounted for hour in hours(db)] == [7]


def test_what_is_held_waits_in_the_hour_in_which_its_window_began(db: sqlite3.Connection) -> None:
    """Read in the next one, perhaps."""
    hold(db, hour=NOW - 1, alerts=4)
    ledger.add(db, "eve.json", NOW - 1, {"held": 9, "released": 5})
    ledger.add(db, "eve.json", NOW, {"read": 9, "rolled_up": 9})

    assert [(hour.holding, hour.unaccounted) for hour in hours(db)] == [(4, 0), (0, 0)]
    db.execute("DELETE FROM held")
    assert [(hour.holding, hour.unaccounted) for hour in hours(db)] == [(0, 4), (0, 0)]


def test_a_key_that_nobody_knows_is_refused(db: sqlite3.Connection) -> None:
    with pytest.raises(ValueError, match="lost"):
        ledger.add(db, "eve.json", NOW, {"lost": 1})


def test_only_old_hours_that_balance_are_forgotten(db: sqlite3.Connection) -> None:
    old = NOW - ledger.KEPT_HOURS - 1
    for hour in (NOW, old, old - 1, old - 2):
        ledger.add(db, "eve.json", hour, {"read": 1, "spooled": 1})
    ledger.add(db, "eve.json", old, {"acknowledged": 1})
    hold(db, hour=old - 3, alerts=4)
    ledger.add(db, "eve.json", old - 3, {"held": 4})
    ledger.forget(db, ledger.settled(hours(db, waiting(1), waiting(1, old - 1)), NOW))

    assert [hour.hour.seconds // 3600 for hour in hours(db)] == [old - 3, old - 2, old - 1, NOW]


def test_what_is_shown_is_recent(db: sqlite3.Connection) -> None:
    for hour in (NOW, NOW - ledger.SHOWN_HOURS + 1, NOW - ledger.SHOWN_HOURS):
        ledger.add(db, "eve.json", hour, {"read": 1, "not_alert": 1})

    assert len(ledger.recent(hours(db), NOW)) == 2


def test_what_is_held_is_summed_by_source_and_hour() -> None:
    held = [waiting(2), waiting(3), waiting(4, NOW - 1), waiting(5, source="alerts.json")]

    assert ledger.by_hour(held) == {("eve.json", NOW): 5, ("eve.json", NOW - 1): 4, ("alerts.json", NOW): 5}


def test_what_was_read_in_a_day(db: sqlite3.Connection) -> None:
    """In the hour that has begun and the 23 before it, by source."""
    for source, hour, read in (
        ("eve.json", NOW, 5),
        ("eve.json", NOW - 23, 6),
        ("eve.json", NOW - 24, 100),
        ("alerts.json", NOW, 7),
    ):
        ledger.add(db, source, hour, {"read": read, "not_alert": read})

    found = ledger.day_records(lambda sql, values: db.execute(sql, tuple(values)).fetchall(), NOW)

    assert found == {"eve.json": 11, "alerts.json": 7}
