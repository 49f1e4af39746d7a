"""Which seeds the tests carry out: a few that together hold everything that a plan can. Pure."""

from collections import Counter
from collections.abc import Iterable

from tests.faults.plan import ACTIONS, HUB, NODE, ROTATIONS, plan_for

CANDIDATES = 4000  # seeds that are looked at
EITHER = ("kill", "stop", "freeze", "fill")  # actions on a node or on the hub
EVERYTHING = frozenset(
    [
        *(action for action in ACTIONS if action not in (*EITHER, "rotate")),
        *(f"{action} {subject}" for action in EITHER for subject in (NODE, HUB)),
        *(f"rotate {kind} by {rotation}" for kind, each in ROTATIONS.items() for rotation in each),
    ]
)
"""What a set of seeds must hold."""


def held(seeds: Iterable[int]) -> Counter[str]:
    """Return how many of these seeds' plans hold each thing."""
    return Counter(thing for seed in seeds for thing in _of(seed))


def choose(count: int, begin: int = 0) -> list[int]:
    """Return so many seeds, from `begin` on, that hold everything about equally often.

    ValueError where so few cannot.
    """
    candidates = {seed: _of(seed) for seed in range(begin, begin + CANDIDATES)}
    chosen: list[int] = []
    times: Counter[str] = Counter()
    while len(chosen) < count:
        best = max(
            candidates, key=lambda seed: (sum(2.0 ** -times[each] for each in candidates[seed]), -seed)
        )
        chosen.append(best)
        times.update(candidates.pop(best))
    if EVERYTHING - times.keys():
        raise ValueError(f"{count} seeds leave out {sorted(EVERYTHING - times.keys())}")
    return sorted(chosen)


def _of(seed: int) -> frozenset[str]:
    """Return what the plan of a seed holds of everything."""
    plan = plan_for(seed)
    found = set()
    for step in plan.steps:
        if step.action == "rotate":
            feed = plan.feeds[int(step.subject)]
            found.add(f"rotate {feed.kind} by {feed.rotation}")
        else:
            found.add(f"{step.action} {step.subject}" if step.action in EITHER else step.action)
    return frozenset(found)
