import random
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from socme import backoff


@given(st.randoms(use_true_random=False), st.floats(0.2, 20.0), st.floats(30.0, 1000.0))
def test_delays_grow_to_a_bound_and_never_end(rng: random.Random, first: float, longest: float) -> None:
    """The first may be as good as none; from the second on, none is less than half of what it may be."""
    floor, ceiling = 0.0, first
    for delay in islice(backoff.delays(rng, first=first, longest=longest), 40):
        assert max(backoff.LEAST, floor) <= delay <= ceiling
        ceiling = min(longest, ceiling * 2)
        floor = ceiling / 2


def test_the_first_pause_is_short_unless_it_is_said() -> None:
    assert max(next(backoff.delays(random.Random(seed))) for seed in range(100)) <= backoff.FIRST


def test_nodes_drift_apart() -> None:
    """Two nodes that lost the hub at the same moment do not come back at the same moment."""
    one, other = (list(islice(backoff.delays(random.Random(seed)), 10)) for seed in (1, 2))

    assert all(left != right for left, right in zip(one, other, strict=True) if left != backoff.LEAST)
