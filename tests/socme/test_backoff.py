import random
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from socme import backoff


@given(st.randoms(use_true_random=False), st.floats(1.0, 1000.0))
def test_delays_grow_to_a_bound_and_never_end(rng: random.Random, longest: float) -> None:
    ceiling = backoff.FIRST
    for delay in islice(backoff.delays(rng, longest=longest), 40):
        assert backoff.LEAST <= delay <= max(ceiling, backoff.LEAST)
        ceiling = min(longest, ceiling * 2)


def test_nodes_drift_apart() -> None:
    """Two nodes that lost the hub at the same moment do not come back at the same moment."""
    one, other = (list(islice(backoff.delays(random.Random(seed)), 10)) for seed in (1, 2))

    assert all(left != right for left, right in zip(one, other, strict=True) if left != backoff.LEAST)
