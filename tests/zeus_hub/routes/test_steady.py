"""A clock that only goes forward."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.zeus_hub.routes.made import NOON
from zeus_hub.routes.steady import Steady


@given(st.lists(st.integers(-100_000, 100_000)))
def test_it_goes_as_far_as_the_other_goes_forward_and_never_back(steps: list[int]) -> None:
    steady, now = Steady().at(NOON), NOON
    begin = steady.seconds
    for step in steps:
        now += timedelta(seconds=step)
        steady = steady.at(now)

    assert steady.seconds - begin == sum(step for step in steps if step > 0)
    assert steady.latest == now.timestamp()
