"""What is held is on disk with the lines that it stands for."""

import sqlite3
from collections.abc import Iterable, Iterator

import pytest

from artemis_agent import held, held_rows, ledger
from artemis_agent.held import Due, Held
from artemis_agent.rollup import Limits
from socme.v1.alert_pb2 import Alert

SECOND = 1_000_000
LIMITS = Limits(burst=1, window_us=60 * SECOND)
NOW = 1_700_000_000 * SECOND


class Spool:
    """The tables, without a spool around them."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:")
        self.db.executescript(held_rows.SCHEMA + ledger.SCHEMA)

    def query(self, sql: str, values: Iterable[object]) -> list[tuple[object, ...]]:
        """Ask as the journal would be asked."""
        return self.db.execute(sql, tuple(values)).fetchall()

    def load(self, source: str = "eve", limits: Limits | None = LIMITS) -> Held:
        """Return what a source holds, as a new process would."""
        return held.load(self.query, source, limits)

    def commit(self, each: Held) -> None:
        """Commit what changed."""
        each.keep(self.db)
        each.kept()

    def alerts(self, dues: Iterable[Due], source: str = "eve") -> list[Alert]:
        """Return roll-ups as they are sent."""
        found = list(dues)
        firsts = held.firsts(self.query, source, found)
        return [due.alert(firsts) for due in found]

    def rows(self) -> tuple[int, int]:
        """Return how many rows the tables have."""
        counts = [
            self.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in held_rows.TABLES
        ]
        return counts[0], counts[1]


@pytest.fixture
def spool() -> Iterator[Spool]:
    made = Spool()
    yield made
    made.db.close()


def hold(each: Held, *numbers: int, key: bytes = b"k" * 16) -> list[Due]:
    """Offer alerts of these seconds; return the roll-ups that came before them."""
    dues = []
    for number in numbers:
        payload = Alert(id=bytes([number]) * 16, raw=str(number).encode(), count=1).SerializeToString()
        _, due = each.hold(key, NOW + number * SECOND, NOW, payload)
        dues += [due] if due else []
    return dues


def test_what_is_held_survives_a_kill(spool: Spool) -> None:
    """Committed in parts, counted on by the next process, sent once, and gone."""
    before = spool.load()
    hold(before, 0, 1)
    spool.commit(before)
    hold(before, 2)
    spool.commit(before)

    after = spool.load()
    hold(after, 3)
    (alert,) = spool.alerts(after.end_due(NOW + 60 * SECOND))

    assert (alert.count, alert.raw) == (3, b"1")
    assert alert.first.ToMicroseconds() == NOW + SECOND
    assert alert.last.ToMicroseconds() == NOW + 3 * SECOND
    spool.commit(after)
    assert spool.rows() == (0, 0)


def test_what_was_not_committed_never_was(spool: Spool) -> None:
    """The lines are read again: the position behind them was not committed either."""
    before = spool.load()
    hold(before, 0, 1, 2)

    assert spool.rows() == (0, 0)
    assert spool.load().windows.due_us() is None


def test_a_window_that_ends_and_begins_again_within_a_commit(spool: Spool) -> None:
    each = spool.load()
    hold(each, 0, 1, 2)
    spool.commit(each)

    (due,) = hold(each, 70, 71)
    (old,) = spool.alerts([due])
    spool.commit(each)

    assert (old.count, old.raw) == (2, b"1")
    assert spool.rows() == (1, 1)
    (new,) = spool.alerts(spool.load().end_due(NOW + 60 * SECOND))
    assert (new.count, new.raw) == (1, b"71")


def test_a_window_that_began_and_ended_within_a_commit(spool: Spool) -> None:
    each = spool.load()
    dues = hold(each, 0, 1, 2, 70)

    assert [alert.count for alert in spool.alerts(dues)] == [2]
    spool.commit(each)
    assert spool.rows() == (0, 0)


def test_windows_of_another_source_are_not_its_own(spool: Spool) -> None:
    for source in ("eve", "alerts"):
        each = spool.load(source)
        hold(each, 0, 1)
        spool.commit(each)

    assert held.sources(spool.query) == ["alerts", "eve"]
    each = spool.load("alerts")
    assert len(spool.alerts(each.end_due(NOW + 60 * SECOND), "alerts")) == 1
    spool.commit(each)
    assert held.sources(spool.query) == ["eve"]


def test_switched_off_all_of_it_is_due(spool: Spool) -> None:
    each = spool.load()
    hold(each, 0, 1)
    spool.commit(each)

    assert len(spool.alerts(spool.load(limits=None).end_due(NOW))) == 1


def test_without_its_first_alert_a_window_is_not_taken_up(spool: Spool) -> None:
    """Somebody deleted it: there is nothing to send, and no reason to stop."""
    each = spool.load()
    hold(each, 0, 1)
    spool.commit(each)
    spool.db.execute("DELETE FROM held_first")

    assert list(spool.load().end_due(NOW + 60 * SECOND)) == []
