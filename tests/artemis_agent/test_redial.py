"""When and where a node dials next, and how a thousand of them come back."""

import math
import random
from collections import Counter
from itertools import pairwise

import pytest

from artemis_agent.outcome import Dismissed, Lost, Outcome, Refused, Rejected, Renewed
from artemis_agent.redial import LONGEST, LONGEST_PAUSE, MOST_REJECTED, REFUSED_SECONDS, SPREAD, Redial
from socme import backoff

NODES = 1000
SANE = 300  # attempts of all nodes in any second
CUT, DOWN = Lost("the stream broke", steady=True), Lost("connection refused", steady=False)


def rejected(*, useful: bool) -> Rejected:
    return Rejected(b"e", 1, 1, "no", useful)


def busiest(moments: list[float]) -> int:
    """Return how many moments lie within the fullest second, wherever it begins."""
    moments, most, begin = sorted(moments), 0, 0
    for end, moment in enumerate(moments):
        while moments[begin] <= moment - 1.0:
            begin += 1
        most = max(most, end - begin + 1)
    return most


def comes_back(node: int, outcome: Outcome, up_at: float) -> list[float]:
    """Return when a node dials whose stream ended so at 0, until the hub is there and lets it in."""
    redial, attempts = Redial(random.Random(node)), [0.0]
    while attempts[-1] < up_at or len(attempts) == 1:
        attempts.append(attempts[-1] + redial.pause(outcome, 1))
        outcome = DOWN
    return attempts[1:]


@pytest.mark.parametrize("up_at", [0.0, 0.5, 2.0, 3.0, 5.0, 10.0, 60.0, 600.0])
@pytest.mark.parametrize(
    "outcome",
    [CUT, Dismissed("restart", 1.0), Dismissed("restart", 0.0)],
    ids=["killed", "leaves", "no word"],
)
def test_a_thousand_nodes_come_back_spread_out(outcome: Outcome, up_at: float) -> None:
    """All lose the hub in the same moment, for a while; it is dialled by few of them in any second."""
    attempts = [comes_back(node, outcome, up_at) for node in range(NODES)]

    assert busiest([moment for node in attempts for moment in node]) <= SANE


@pytest.mark.parametrize("up_at", [1.0, 5.0, 15.0, 60.0, 3600.0])
def test_nobody_waits_much_longer_than_the_hub_was_away(up_at: float) -> None:
    late = max(comes_back(node, CUT, up_at)[-1] for node in range(NODES)) - up_at

    assert late <= min(max(2 * up_at, 2 * SPREAD), LONGEST) + 2 * SPREAD


def test_who_lost_the_hub_for_a_moment_is_back_soon() -> None:
    """Spreading out costs a node alone a few seconds."""
    assert max(comes_back(node, CUT, 0.0)[-1] for node in range(NODES)) <= SPREAD


def test_attempts_at_a_hub_that_is_away_become_rare() -> None:
    redial = Redial(random.Random(1))
    redial.pause(CUT, 1)
    pauses = [redial.pause(DOWN, 1) for _ in range(200)]

    assert max(pauses) <= LONGEST
    assert sum(pauses) / len(pauses) > LONGEST / 3


def test_addresses_are_tried_in_turn_and_a_pause_comes_behind_the_last() -> None:
    addresses = ("a", "b", "c")
    redial = Redial(random.Random(1))
    tried, pauses = [redial.address(addresses)], []
    for _ in range(30):
        pauses.append(redial.pause(DOWN, len(addresses)))
        tried.append(redial.address(addresses))

    assert tried[:7] == ["a", "b", "c", "a", "b", "c", "a"]
    between = [pause for number, pause in enumerate(pauses, 1) if number % 3]
    assert max(between) <= backoff.FIRST
    assert max(pauses) > 10 * backoff.FIRST


def test_a_refusal_at_one_address_leaves_the_others_their_turn() -> None:
    """One of them may be an old hub; only when all have answered there is nothing to do but wait."""
    redial = Redial(random.Random(1))

    assert redial.pause(Refused("no"), 2) <= backoff.FIRST
    assert redial.address(("a", "b")) == "b"
    assert redial.pause(Refused("no"), 2) >= 0.8 * REFUSED_SECONDS


def test_fewer_addresses_than_before_are_no_harm() -> None:
    redial = Redial(random.Random(1))
    for _ in range(2):
        redial.pause(DOWN, 3)

    assert redial.address(("only",)) == "only"


def test_a_hub_that_restarts_is_dialled_where_it_was() -> None:
    redial = Redial(random.Random(1))
    redial.pause(Dismissed("restart", 1.0), 2)
    redial.pause(Renewed("a new epoch"), 2)
    redial.pause(rejected(useful=True), 2)

    assert redial.address(("a", "b")) == "a"


@pytest.mark.parametrize(
    ("asked", "least"),
    [(5.0, 5.0), (0.0, 0.1), (-1.0, 0.1), (1e9, LONGEST_PAUSE), (math.nan, LONGEST), (math.inf, LONGEST)],
)
def test_whatever_a_hub_asks_for_the_node_comes_back(asked: float, least: float) -> None:
    """Within minutes, and not at once."""
    assert least <= Redial(random.Random(1)).pause(Dismissed("restart", asked), 1) <= least + SPREAD


def test_bad_alerts_of_a_whole_batch_cost_no_long_pause() -> None:
    redial = Redial(random.Random(1))
    pauses = [redial.pause(rejected(useful=True), 1)]
    pauses += [redial.pause(rejected(useful=False), 1) for _ in range(MOST_REJECTED - 1)]

    assert max(pauses) <= backoff.FIRST


def test_a_hub_that_takes_nothing_does_not_empty_the_spool() -> None:
    """Each refusal costs an alert: without an end of them they become rare."""
    redial = Redial(random.Random(1))
    for _ in range(MOST_REJECTED):
        redial.pause(rejected(useful=False), 1)
    pauses = [redial.pause(rejected(useful=False), 1) for _ in range(100)]

    assert sum(pauses) / len(pauses) > LONGEST / 3
    assert redial.pause(rejected(useful=True), 1) <= backoff.FIRST  # it took one: all is well again


def test_two_machines_with_one_identity_slow_down() -> None:
    """Each takes the other's place; the pauses grow although each was connected."""
    redial = Redial(random.Random(1))
    pauses = [redial.pause(Lost("ABORTED: taken over", steady=False), 1) for _ in range(60)]

    assert max(pauses[-20:]) > 10 * backoff.FIRST
    assert Counter(late < early for early, late in pairwise(pauses))[True]  # drawn, not counted up
