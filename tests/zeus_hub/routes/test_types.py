"""What the parts of a matcher are, and what sums of them may come to."""

from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeus_hub.routes.types import (
    HIGHEST,
    LOWEST,
    TEXT,
    TRUTH,
    Group,
    Listing,
    Number,
    Text,
    calculated,
    joined,
    same,
    told,
)

BOUNDS = st.tuples(st.integers(-9, 9), st.integers(0, 5)).map(lambda pair: Number(pair[0], pair[0] + pair[1]))


def towards_zero(one: int, other: int) -> int:
    """Divide as CEL does."""
    found = abs(one) // abs(other)
    return found if (one < 0) == (other < 0) else -found


SUMS: dict[str, Callable[[int, int], int]] = {
    "+": lambda one, other: one + other,
    "-": lambda one, other: one - other,
    "*": lambda one, other: one * other,
    "/": towards_zero,
    "%": lambda one, other: one - other * towards_zero(one, other),
}


@given(st.sampled_from("+-*/%"), BOUNDS, BOUNDS)
def test_a_sum_lies_within_its_bounds(sign: str, one: Number, other: Number) -> None:
    found = calculated(sign, one, other)
    pairs = product(range(one.low, one.high + 1), range(other.low, other.high + 1))
    if found is None:
        assert sign in "/%"
        assert other.low <= 0 <= other.high
    else:
        assert all(found.low <= SUMS[sign](*pair) <= found.high for pair in pairs)


@pytest.mark.parametrize(
    ("sign", "one", "other"),
    [
        ("+", Number(0, HIGHEST), Number(0, 1)),
        ("-", Number(LOWEST, 0), Number(1, 1)),
        ("*", Number(0, 2**32), Number(2**31, 2**31)),
        ("/", Number(1, 1), Number(0, 4)),
        ("%", Number(1, 1), Number(-1, 1)),
        ("/", Number(LOWEST, 0), Number(-1, -1)),
    ],
)
def test_a_sum_that_may_fail_has_no_bounds(sign: str, one: Number, other: Number) -> None:
    assert calculated(sign, one, other) is None


def test_types_are_the_same_whatever_values_they_hold() -> None:
    assert same(Text("a"), TEXT)
    assert same(Listing(Number(1, 1)), Listing(Number(2, 3)))
    assert not same(Listing(TEXT), Listing(TRUTH))
    assert not same(TEXT, Listing(TEXT))


def test_what_may_be_either_has_the_bounds_of_both() -> None:
    assert joined(Number(1, 2), Number(0, 1)) == Number(0, 2)
    assert joined(Text("a"), Text("b")) == TEXT
    assert joined(Listing(Number(1, 1)), Listing(Number(5, 5))) == Listing(Number(1, 5))
    assert joined(TRUTH, TRUTH) == TRUTH


def test_types_have_names_for_people() -> None:
    assert told(Listing(TEXT)) == "a list (text)"
    assert told(Group("rule")) == "the group rule.…"
