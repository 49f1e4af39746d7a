"""How long to wait before each new attempt, for every loop that must never give up."""

import random
from collections.abc import Iterator

FIRST = 0.5  # seconds
LONGEST = 60.0  # seconds; a hub that was down for a night must not be met by a stampede
LEAST = 0.1  # seconds; full jitter may draw 0, and a loop without a pause burns a core


def delays(rng: random.Random, *, longest: float = LONGEST) -> Iterator[float]:
    """Yield seconds to wait for ever: drawn evenly from 0 to a ceiling that doubles up to `longest`.

    Full jitter keeps nodes apart that lost the hub at the same moment. Take a new iterator after a
    success.
    """
    ceiling = FIRST
    while True:
        yield max(LEAST, rng.uniform(0.0, ceiling))
        ceiling = min(longest, ceiling * 2)
