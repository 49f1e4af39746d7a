"""A seed is a plan: always the same one, and different from the others."""

import pytest

from tests.faults.choice import EVERYTHING, choose, held
from tests.faults.plan import ACTIONS, LONGEST, MOST, QUIET_END, ROTATIONS, plan_for, told
from tests.faults.test_seeds import SEEDS


def test_a_seed_is_a_plan() -> None:
    assert plan_for(17) == plan_for(17)
    assert len({plan_for(seed).steps for seed in range(100)}) == 100


def test_plans_keep_their_bounds() -> None:
    for seed in range(300):
        plan = plan_for(seed)
        assert 0 < len(plan.steps) <= MOST
        assert [step.at for step in plan.steps] == sorted(step.at for step in plan.steps)
        assert plan.steps[-1].at <= plan.alerts * QUIET_END
        assert all(0 <= step.seconds <= LONGEST for step in plan.steps)
        assert all(feed.rotation in ROTATIONS[feed.kind] for feed in plan.feeds)


def test_every_action_is_drawn() -> None:
    assert {step.action for seed in range(200) for step in plan_for(seed).steps} == set(ACTIONS)


def test_the_fixed_seeds_hold_everything() -> None:
    """What CI runs leaves out no action on either program, and no rotation of either kind."""
    assert set(held(SEEDS)) == EVERYTHING


def test_seeds_are_chosen_that_hold_everything() -> None:
    """Others than those that stand there, where a plan comes to be another: `--choose`."""
    assert set(held(choose(12, begin=10_000))) == EVERYTHING
    with pytest.raises(ValueError, match="leave out"):
        choose(1)


def test_a_plan_is_told_in_full() -> None:
    plan = plan_for(3)
    assert all(step.action in told(plan) for step in plan.steps)
    assert "seed 3" in told(plan)
