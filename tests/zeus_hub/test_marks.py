"""What the next batch of a lane means: new, known, behind a gap, or behind alerts that never came."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeus_hub import marks
from zeus_hub.accounts import HIGHEST
from zeus_hub.marks import Mark, Step

UINT64 = st.integers(0, 2**64 - 1)


def _step(sequence: int, before: int, alerts: int = 10, first: int | None = None) -> Step:
    return Step(sequence, before, alerts, sequence if first is None else first)


def _walk(*steps: Step, first: bool = False) -> tuple[list[int], list[int], Mark]:
    """Return what was missing before each step, what was fresh of it, and the mark in the end."""
    mark = marks.begin(steps[0], first=first)
    missing, fresh = [], []
    for step in steps:
        found = marks.advance(mark, step)
        assert found is not None
        mark = found.mark
        missing.append(found.missing)
        fresh.append(found.fresh)
    return missing, fresh, mark


def test_an_honest_lane_misses_nothing() -> None:
    missing, fresh, mark = _walk(_step(1, 0), _step(2, 10), _step(3, 20, 5))

    assert (missing, fresh) == ([0, 0, 0], [10, 10, 5])
    assert (mark.sequence, mark.counted, mark.missing) == (3, 25, 0)


@pytest.mark.parametrize("sequence", [1, 2, 3])
def test_a_batch_that_came_before_is_known_by_its_number(sequence: int) -> None:
    assert marks.advance(Mark(sequence=3, counted=30), _step(sequence, 0)) is None


def test_a_sequence_that_is_left_out_is_missing_by_the_nodes_count() -> None:
    found = marks.advance(Mark(sequence=1, counted=10), _step(4, 31))

    assert found is not None
    assert (found.gap, found.missing, found.mark.counted) == (True, 21, 41)


def test_a_lost_row_is_counted_once_whether_its_place_comes_before_or_after_the_count() -> None:
    """Sequence 3 of 7 alerts was deleted while the node was away: its counts say so from the start."""
    assert sum(_walk(_step(1, 7), _step(2, 17), _step(4, 27))[0]) == 7


def test_a_lost_row_that_the_count_does_not_tell_of_yet_is_at_least_one() -> None:
    """It was deleted while the node was connected; the next connection tells how many there were."""
    missing, _, _ = _walk(_step(1, 0), _step(3, 10), _step(4, 20), _step(5, 37))

    assert missing == [0, 1, 0, 6]
    assert sum(missing) == 7


def test_what_was_given_up_is_no_gap() -> None:
    missing, fresh, mark = _walk(_step(1, 0), _step(7, 10, 60, first=2), _step(8, 70))

    assert (missing, fresh) == ([0, 0, 0], [10, 60, 10])
    assert mark.counted == 80


def test_a_gap_before_what_was_given_up_is_one() -> None:
    assert _walk(_step(1, 0), _step(7, 15, 30, first=4))[0] == [0, 5]


def test_what_came_and_was_given_up_all_the_same_is_not_counted_twice() -> None:
    """The acknowledgement was lost: the node gave up sequences 2 to 5, of which 2 and 3 had come."""
    missing, fresh, mark = _walk(_step(1, 0), _step(2, 10), _step(3, 20), _step(5, 10, 35, first=2))

    assert (missing[-1], fresh[-1]) == (0, 15)
    assert mark.counted == 45


def test_the_first_spool_that_a_journal_hears_of_may_begin_anywhere() -> None:
    assert _walk(_step(500, 4990), _step(501, 5000), first=True)[0] == [0, 0]


def test_even_that_misses_what_lacks_before_its_very_first_batch() -> None:
    assert _walk(_step(1, 12), first=True)[0] == [12]


def test_another_spool_of_a_known_node_must_begin_with_its_first() -> None:
    assert _walk(_step(3, 20), first=False)[0] == [20]


def test_a_check_is_the_beginning_of_blake2b() -> None:
    assert marks.check(b"payload") == hashlib.blake2b(b"payload").digest()[:8]


@given(st.lists(st.tuples(st.integers(1, HIGHEST), UINT64, UINT64, st.integers(1, HIGHEST)), min_size=1))
def test_whatever_a_node_says_a_mark_grows_and_stays_within_bounds(
    said: list[tuple[int, int, int, int]],
) -> None:
    steps = [Step(sequence, before, alerts, min(first, sequence)) for sequence, before, alerts, first in said]
    mark = marks.begin(steps[0], first=True)
    for step in steps:
        found = marks.advance(mark, step)
        if found is None:
            assert step.sequence <= mark.sequence
            continue
        assert found.mark.sequence == step.sequence > mark.sequence
        assert mark.counted <= found.mark.counted <= HIGHEST
        assert 0 <= found.fresh <= step.alerts
        assert found.missing >= 0
        mark = found.mark
        assert marks.decode(marks.encode(mark)) == mark


def test_names_of_marks_keep_nodes_spools_and_lanes_apart() -> None:
    name = marks.key("acme/n1", b"\x01" * 16, 2)

    assert name.startswith(marks.of_epoch("acme/n1", b"\x01" * 16))
    assert name.startswith(marks.of_origin("acme/n1"))
    assert not name.startswith(marks.of_origin("acme/n"))


def test_the_oldest_spools_are_outdated_with_all_their_lanes() -> None:
    notes = {
        marks.key("a/n", bytes([number]) * 16, lane): marks.encode(Mark(sequence=1, age=number))
        for number in range(marks.EPOCHS_KEPT + 2)
        for lane in (1, 2)
    }
    gone = {marks.key("a/n", bytes([number]) * 16, lane) for number in (0, 1) for lane in (1, 2)}

    assert set(marks.outdated("a/n", notes)) == gone
