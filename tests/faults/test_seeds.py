"""Fixed seeds: real programs under plans that together hold every fault. One again: `make faults SEED=N`."""

import pytest

from tests.faults.run import judged, replay

SEEDS = (205, 1955)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=pytest.mark.play(of=judged, seed=seed)) for seed in SEEDS]
)
def test_seed(seed: int, outcome: list[str]) -> None:
    assert not outcome, "\n".join([*outcome, f"again: {replay(seed)}"])
