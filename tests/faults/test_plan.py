"""A seed is a plan: always the same one, and different from the others."""

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


def test_the_fixed_seeds_hold_every_action_and_every_rotation() -> None:
    """What CI runs leaves nothing out."""
    plans = [plan_for(seed) for seed in SEEDS]
    assert {step.action for plan in plans for step in plan.steps} == set(ACTIONS)
    rotated = {
        plan.feeds[int(step.subject)].rotation
        for plan in plans
        for step in plan.steps
        if step.action == "rotate"
    }
    assert rotated == {rotation for kind in ROTATIONS.values() for rotation in kind}


def test_a_plan_is_told_in_full() -> None:
    plan = plan_for(3)
    assert all(step.action in told(plan) for step in plan.steps)
    assert "seed 3" in told(plan)
