"""How long to wait before each new attempt, for every loop that must never give up."""

import random
from collections.abc import Iterator

FIRST = 0.5  # seconds
LONGEST = 60.0  # seconds; a hub that was down for a night must not be met by a stampede
LEAST = 0.1  # seconds; the first draw may be 0, and a loop without a pause burns a core


def delays(rng: random.Random, *, first: float | None = None, longest: float = LONGEST) -> Iterator[float]:
    """Yield seconds to wait for ever: the first from 0 to `first`, by itself FIRST; then ever more.

    Each is drawn evenly from the upper half below a ceiling that doubles up to `longest`, so that nodes
    which lost the hub at the same moment drift apart, and nobody who drew small pauses is then met by a
    long one after a short outage. The more of them there are, the more seconds `first` must be. Take a new
    iterator after a success.
    """
    ceiling = FIRST if first is None else first
    floor = 0.0
    while True:
        yield max(LEAST, rng.uniform(floor, ceiling))
        ceiling = min(longest, ceiling * 2)
        floor = ceiling / 2
