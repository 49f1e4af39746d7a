"""What is held, as those see it who count."""

import sqlite3
from collections.abc import Iterable, Iterator

import pytest

from artemis_agent import held_rows
from artemis_agent.held_rows import HOUR_US


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:")
    made.executescript(held_rows.SCHEMA)
    for key, hour, alerts in ((b"a", 3, 5), (b"b", 3, 2), (b"c", 4, 1)):
        row = ("eve", key, hour * HOUR_US + 9, 0, 1, alerts, 0, 0)
        made.execute("INSERT INTO held VALUES (?,?,?,?,?,?,?,?)", row)
        made.execute("INSERT INTO held_first VALUES ('eve', ?, x'00')", (key,))
    yield made
    made.close()


def query(db: sqlite3.Connection) -> held_rows.Query:
    def ask(sql: str, values: Iterable[object]) -> list[tuple[object, ...]]:
        return db.execute(sql, tuple(values)).fetchall()

    return ask


def test_alerts_are_counted_by_the_hour_of_their_window(db: sqlite3.Connection) -> None:
    assert list(held_rows.by_hour(query(db))) == [("eve", 3, 7), ("eve", 4, 1)]
    assert held_rows.hour_of(3 * HOUR_US + 9) == 3


def test_a_window_that_begins_again_is_another_one(db: sqlite3.Connection) -> None:
    before = held_rows.opened(query(db))
    db.execute("UPDATE held SET held = held + 1")
    assert held_rows.opened(query(db)) == before

    db.execute("UPDATE held SET opened_us = opened_us + 1")
    assert held_rows.opened(query(db)).isdisjoint(before)


def test_what_has_lost_its_first_alert_is_lost(db: sqlite3.Connection) -> None:
    """Nobody can send it: it must not count as if it waited, nor keep positions from being sure for ever."""
    db.execute("DELETE FROM held_first WHERE key = x'61'")
    assert list(held_rows.by_hour(query(db))) == [("eve", 3, 2), ("eve", 4, 1)]
    assert len(held_rows.opened(query(db))) == 2
