"""Two lanes in one journal, each with its own numbers; the rest is tested through the spool."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artemis_agent import held_rows, ledger
from artemis_agent.numbering import alerts_in, check_of
from artemis_agent.progress import Progress, Waiting
from artemis_agent.shelf import NEXT_BYTES, Shelf
from socme.batch import Packed
from socme.journal import Journal
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Encoding, Lane, Mark

URGENT, NORMAL = Lane.LANE_URGENT, Lane.LANE_NORMAL
HOUR_NS = 3600 * 10**9


class Clock:
    """A clock that stands until it is moved."""

    now = 1000 * HOUR_NS

    def __call__(self) -> int:
        """Return the time in nanoseconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    journal = Journal(
        tmp_path / "spool.db", schema=ledger.SCHEMA + held_rows.SCHEMA, by_lane=True, clock=clock
    )
    yield journal
    journal.close()


@pytest.fixture
def shelf(journal: Journal, clock: Clock) -> Shelf:
    return Shelf(journal, clock)


def append(shelf: Shelf, *alerts: bytes, lane: int = NORMAL, source: str = "eve.json") -> None:
    waiting = [Waiting(alert, lane) for alert in alerts]
    shelf.append(Progress(source, b"p", b"c", waiting, tally={"read": len(alerts)}))


def test_what_is_handed_out_at_once_is_bounded(shelf: Shelf) -> None:
    """So that an urgent batch waits behind little."""
    large = bytes(range(256)) * 100
    for number in range(40):
        append(shelf, large + number.to_bytes(4, "big"))
    found = shelf.next({})

    assert 0 < len(found) <= 16
    assert sum(len(entry.packed.payload) for entry in found[:-1]) <= NEXT_BYTES


def test_what_was_committed_last_is_handed_out_without_being_read(shelf: Shelf) -> None:
    append(shelf, b"a")
    (first,) = shelf.next({})
    append(shelf, b"b", lane=URGENT)
    (urgent,) = shelf.fresh({NORMAL: first.position})
    append(shelf, b"c")
    after = {first.lane: first.position, urgent.lane: urgent.position}
    (second,) = shelf.fresh(after)

    assert urgent.lane == URGENT
    assert (second.lane, second.sequence, second.packed) == (NORMAL, 2, shelf.next(after)[0].packed)
    assert shelf.fresh({}) == ()  # others lie before it
    assert [entry.sequence for entry in shelf.next({NORMAL: 2**62})] == [1]


@pytest.mark.parametrize(
    "change",
    [
        lambda shelf: shelf.trim({NORMAL: 1}),
        lambda shelf: shelf.relieve(1, "age"),
        lambda shelf: shelf.give_up(NORMAL, 1, "refused"),
        lambda shelf: shelf.split(NORMAL, 1, {}),
        lambda shelf: shelf.begin_epoch({}),
    ],
    ids=["trimmed", "relieved", "given up", "split", "renumbered"],
)
def test_what_was_changed_since_it_was_committed_is_read(
    shelf: Shelf, change: Callable[[Shelf], object]
) -> None:
    append(shelf, *(Alert(message=text).SerializeToString() for text in "ab"))
    change(shelf)

    assert shelf.fresh({}) == ()


def test_a_file_s_books_have_one_name_through_all_its_epochs(
    shelf: Shelf, journal: Journal, clock: Clock
) -> None:
    """So that the hub knows what belongs together, and what another file tells of the same hour."""
    append(shelf, b"a")
    (before,) = shelf.hours()
    shelf.begin_epoch({})
    (after,) = Shelf(journal, clock).hours()

    assert len(before.book) == 16
    assert after.book == before.book


def test_acknowledged_alerts_are_booked_where_they_were_read(shelf: Shelf, clock: Clock) -> None:
    append(shelf, b"a", b"b")
    append(shelf, b"c", source="alerts.json")
    clock.now += HOUR_NS
    append(shelf, b"d")

    shelf.trim({NORMAL: 3})

    booked = {(hour.source, hour.hour.seconds // 3600): hour.acknowledged for hour in shelf.hours()}
    assert booked == {("eve.json", 1000): 2, ("alerts.json", 1000): 1, ("eve.json", 1001): 1}
    assert shelf.acknowledged == 4
    assert all(not hour.unaccounted for hour in shelf.hours())


def test_marks_agree_only_with_what_was_given(shelf: Shelf) -> None:
    append(shelf, b"a")
    append(shelf, b"b")
    first, second = shelf.next({})
    shelf.trim({NORMAL: 1})

    def agrees(sequence: int, check: bytes, lane: Lane.ValueType = NORMAL) -> bool:
        return shelf.agrees([Mark(lane=lane, sequence=sequence, check=check)])

    assert agrees(1, check_of(first.packed))
    assert not agrees(1, b"another!")
    assert agrees(2, check_of(second.packed))
    assert not agrees(2, check_of(first.packed))
    assert not agrees(3, check_of(second.packed))
    assert not agrees(1, check_of(first.packed), URGENT)


def test_a_lane_goes_on_after_a_restart(shelf: Shelf, journal: Journal, clock: Clock) -> None:
    append(shelf, b"a", lane=URGENT)
    append(shelf, b"b")
    again = Shelf(journal, clock)
    append(again, b"c", lane=URGENT)

    assert again.epoch == shelf.epoch
    assert [entry.sequence for entry in again.next({})] == [1, 2]
    assert again.before() == {URGENT: 0, NORMAL: 0}


def test_old_hours_that_balance_are_forgotten(shelf: Shelf, clock: Clock) -> None:
    append(shelf, b"a")
    shelf.trim({NORMAL: 1})
    clock.now += (ledger.KEPT_HOURS + 2) * HOUR_NS

    shelf.forget_hours()

    assert shelf.hours() == []


def test_what_is_no_batch_of_alerts_holds_none() -> None:
    assert alerts_in(Packed(b"x", Encoding.ENCODING_ZSTD, 1, 1)) == ()
    assert alerts_in(Packed(b"", Encoding.ENCODING_DROPPED, 0, 0)) == ()
