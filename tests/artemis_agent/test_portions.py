"""Portions hold everything, in order and within their bounds."""

import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.portions import portions

MOST, LARGEST = 5, 100


@given(st.lists(st.integers(0, 3 * LARGEST // 2), max_size=40))
def test_all_items_are_kept_in_order_within_bounds(sizes: Sequence[int]) -> None:
    """No portion is empty or above a bound (unless it is one item), and none could take the next item."""
    items = [bytes(size) for size in sizes]

    found = list(portions(items, len, most=MOST, largest=LARGEST))

    assert list(itertools.chain(*found)) == items
    for portion in found:
        assert 0 < len(portion) <= MOST
        assert len(portion) == 1 or sum(map(len, portion)) <= LARGEST
    for portion, following in itertools.pairwise(found):
        assert len(portion) == MOST or sum(map(len, portion)) + len(following[0]) > LARGEST
