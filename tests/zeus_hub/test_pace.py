"""How fast nodes may go, decided without a clock and without a network."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme import backoff, tls
from zeus_hub import pace
from zeus_hub.pace import FULL, MOST_TALK, RETRY_SECONDS, RETURNS_A_SECOND, TALK_SECONDS, Talk


def test_a_hub_at_ease_gives_the_full_window() -> None:
    assert pace.window(FULL, share=0.1, problem="") == FULL
    assert FULL.reason == ""


def test_a_line_may_hold_as_much_as_a_node_may_send() -> None:
    """Over a long way it would be slower otherwise."""
    assert dict(tls.SERVER_OPTIONS)["grpc.http2.lookahead_bytes"] == FULL.bytes


def test_a_hub_that_cannot_write_takes_nothing_and_says_why() -> None:
    told = pace.window(FULL, share=0.0, problem="the disk is full")

    assert (told.batches, told.bytes) == (0, 0)
    assert "the disk is full" in told.reason


def test_the_more_waits_the_smaller_the_window() -> None:
    found, window = [], FULL
    for share in (0.4, 0.5, 0.6, 0.75, 1.0, 0.6, 0.45, 0.3, 0.2):
        window = pace.window(window, share=share, problem="")
        found.append(window.batches)

    assert found == [64, 16, 16, 4, 4, 4, 16, 16, 64]


@given(st.lists(st.floats(0, 1.1), min_size=1))
def test_small_swings_do_not_make_nodes_be_told_again(shares: list[float]) -> None:
    """Between two changes up and down lies a quarter of all that may wait."""
    window, turned_at, direction = FULL, 0.0, 0
    for share in shares:
        after = pace.window(window, share=share, problem="")
        turn = (after.batches > window.batches) - (after.batches < window.batches)
        if turn and direction and turn != direction:
            assert abs(share - turned_at) >= 0.25
        if turn:
            turned_at, direction = share, turn
        window = after


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_when_the_disk_works_again_the_window_fits_what_waits(share: float) -> None:
    stopped = pace.window(FULL, share=share, problem="full")

    assert pace.window(stopped, share=share, problem="").batches > 0
    assert pace.window(stopped, share=0.0, problem="") == FULL


@given(st.integers(1, 4096), st.randoms(use_true_random=False))
def test_nodes_come_back_one_after_another(count: int, rng: random.Random) -> None:
    """However many there are, no second sees many more than the hub lets in."""
    returns = [pace.retry_after(rank, rng.random()) for rank in range(count)]
    busiest = max(Counter(int(moment) for moment in returns).values())

    assert min(returns) >= RETRY_SECONDS
    assert busiest <= RETURNS_A_SECOND + 1
    assert max(returns) <= RETRY_SECONDS + count / RETURNS_A_SECOND


def test_a_thousand_simulated_nodes_make_no_storm() -> None:
    """Each adds its own jitter; every one of them comes back, and no stretch of a second sees many."""
    rng = random.Random(1)
    order = rng.sample(range(1000), 1000)  # in which they are told
    returns = sorted(pace.retry_after(rank, rng.random()) + rng.uniform(0, backoff.FIRST) for rank in order)
    busiest = max(sum(start <= moment < start + 1 for moment in returns) for start in returns)

    assert busiest <= 2 * RETURNS_A_SECOND
    assert returns[-1] < 30


def test_a_thousand_nodes_are_back_within_half_a_minute() -> None:
    assert pace.retry_after(999, 1.0) < 30


def test_who_talks_too_much_is_listened_to_more_slowly() -> None:
    talk = Talk()
    pauses = [talk.heard(10.0 + number / 1000) for number in range(MOST_TALK)]

    assert pauses[:-1] == [0.0] * (MOST_TALK - 1)
    assert pauses[-1] == pytest.approx(TALK_SECONDS - (MOST_TALK - 1) / 1000)
    assert talk.heard(10.0 + TALK_SECONDS) == 0.0


def test_an_honest_node_never_waits() -> None:
    talk = Talk()

    assert {talk.heard(float(second)) for second in range(1000)} == {0.0}
