import pytest
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.window import (
    FIRST_BYTES,
    LEAST_BYTES,
    MOST_BATCHES,
    MOST_BYTES,
    SLOW_SECONDS,
    Window,
)
from socme.v1.uplink_pb2 import Lane

NORMAL, URGENT = Lane.LANE_NORMAL, Lane.LANE_URGENT


def filled(window: Window, lane: int, size: int, *, now: float = 0.0, begin: int = 1) -> int:
    """Send batches of a size until there is no room; return the last sequence."""
    sequence = begin - 1
    while window.has_room(lane, size):
        sequence += 1
        window.sent(lane, sequence, size, now)
    return sequence


def test_one_batch_may_always_leave() -> None:
    """Larger than the whole window: otherwise it would never leave."""
    assert Window(10, 1).has_room(NORMAL, 1000)


def test_window_in_bytes() -> None:
    window = Window(10, 50)
    window.sent(URGENT, 1, 6, 0.0)

    assert window.has_room(URGENT, 4)
    assert not window.has_room(URGENT, 5)


def test_a_backlog_leaves_a_part_of_the_window_to_urgent_batches() -> None:
    """In batches, and in bytes."""
    by_count, by_size = Window(0, 16), Window(4000, 0)

    assert filled(by_count, NORMAL, 1) == 12
    assert filled(by_count, URGENT, 1) == 4
    assert filled(by_size, NORMAL, 1000) == 3
    assert filled(by_size, URGENT, 1000) == 1


def test_acknowledgements_are_cumulative_and_by_lane() -> None:
    window = Window(100, 3)
    for sequence in (1, 2):
        window.sent(NORMAL, sequence, 1, 0.0)
    window.sent(URGENT, 1, 1, 0.0)
    assert not window.has_room(URGENT, 1)

    assert window.acknowledged(NORMAL, 2, 0.0) == 2
    assert window.acknowledged(NORMAL, 2, 0.0) == 0

    assert window.has_room(NORMAL, 1)
    assert not window.empty
    assert (window.holds(URGENT, 1), window.holds(NORMAL, 1)) == (True, False)
    assert window.acknowledged(URGENT, 1, 0.0) == 1
    assert window.empty


def test_a_pace_holds_at_once_and_no_batches_means_none() -> None:
    window = Window()
    window.pace(0, 0)
    assert window.paused
    assert not window.has_room(URGENT, 1)  # not even with nothing on its way

    window.pace(0, 2)
    assert filled(window, URGENT, 1) == 2
    window.pace(1, 64)
    assert not window.has_room(URGENT, 1)
    window.acknowledged(URGENT, 2, 0.0)
    assert window.has_room(URGENT, 1000)


@pytest.mark.parametrize("asked", [(0, 0), (2**64 - 1, 2**32 - 1)])
def test_no_hub_makes_a_node_hold_more_than_its_own_bound(asked: tuple[int, int]) -> None:
    assert filled(Window(*asked), URGENT, 1) == MOST_BATCHES
    assert filled(Window(*asked), URGENT, MOST_BYTES // 4) == 4


def test_a_backlog_begins_small_and_grows_while_the_line_is_quick() -> None:
    """So that after a long outage the first urgent alert does not wait behind a full window."""
    window, sequence, seen = Window(), 0, []
    for now in range(6):
        begin = sequence + 1
        sequence = filled(window, NORMAL, 32 * 1024, now=float(now), begin=begin)
        seen.append((sequence - begin + 1) * 32 * 1024)
        window.acknowledged(NORMAL, sequence, now + 0.05)

    assert seen[0] == FIRST_BYTES
    assert seen[1] == 2 * FIRST_BYTES
    assert seen[-1] == 48 * 32 * 1024  # three quarters of the window in batches


def test_a_slow_line_holds_about_a_second_of_a_backlog() -> None:
    """100 KB/s: what is on the way shrinks until an acknowledgement takes about a second."""
    window, now, sequence = Window(), 0.0, 0
    for _ in range(20):
        begin, size = sequence + 1, 16 * 1024
        sequence = filled(window, NORMAL, size, now=now, begin=begin)
        for each in range(begin, sequence + 1):
            now += size / 100_000
            window.acknowledged(NORMAL, each, now)
    waiting = (filled(window, NORMAL, 16 * 1024, now=now, begin=sequence + 1) - sequence) * 16 * 1024

    assert LEAST_BYTES <= waiting <= 2 * SLOW_SECONDS * 100_000


def test_a_hub_that_halts_does_not_stop_a_backlog_for_good() -> None:
    window = Window()
    for number in range(50):
        window.sent(NORMAL, number + 1, 1, number * 100.0)
        window.acknowledged(NORMAL, number + 1, number * 100.0 + 99)

    assert filled(window, NORMAL, LEAST_BYTES // 2, now=1e6, begin=100) - 99 == 2


@given(
    st.lists(
        st.tuples(st.sampled_from([NORMAL, URGENT]), st.integers(1, 200), st.integers(0, 5), st.booleans()),
        max_size=60,
    ),
    st.integers(0, 500),
    st.integers(0, 8),
)
def test_never_more_than_the_hub_asked_for(
    steps: list[tuple[Lane.ValueType, int, int, bool]], most_bytes: int, most_batches: int
) -> None:
    """Whatever is sent and acknowledged: within both bounds, or a single batch."""
    window, last, flying = Window(most_bytes, most_batches), {NORMAL: 0, URGENT: 0}, {}
    for now, (lane, size, acknowledged, send) in enumerate(steps):
        if send and window.has_room(lane, size):
            last[lane] += 1
            window.sent(lane, last[lane], size, float(now))
            flying[lane, last[lane]] = size
            within = len(flying) <= (most_batches or MOST_BATCHES)
            assert len(flying) == 1 or (within and sum(flying.values()) <= (most_bytes or MOST_BYTES))
        elif not send:
            upto = max(0, last[lane] - acknowledged)
            gone = [key for key in flying if key[0] == lane and key[1] <= upto]
            assert window.acknowledged(lane, upto, float(now)) == len(gone)
            flying = {key: size for key, size in flying.items() if key not in gone}
        assert window.empty == (not flying)
