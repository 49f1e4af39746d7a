"""When and where to dial the hub next, given how the last connection ended. Pure.

What happens to one node happens to all that lost the hub at the same moment: a thousand of them must
not come back in the same second.
"""

import math
import random
from collections.abc import Sequence

from artemis_agent.outcome import Dismissed, Lost, Outcome, Refused, Rejected
from socme import backoff

SPREAD = 4.0  # seconds over which nodes come back that lost a working connection: 250 a second of 1,000
LONGEST = 30.0  # seconds between attempts while nobody answers: 1,000 nodes dial less than 100 times a second
REFUSED_SECONDS = 60.0  # between attempts while the hub says that this node may not connect
LONGEST_PAUSE = 300.0  # seconds; what a hub may ask for when it goes away
# Batches rejected one after the other, without one that was taken, before the pauses grow: as many as the
# alerts of one batch, so that a batch of bad ones holds nothing up for long, and a hub that takes nothing any
# more cannot turn a whole spool into dead letters.
MOST_REJECTED = 500


class Redial:
    """The attempts of one node, one after the other."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._pauses = backoff.delays(rng, longest=LONGEST)
        self._turn = 0
        self._failed = 0  # attempts since the last connection that was of use
        self._rejected = 0  # batches, since the last that was taken

    def address(self, addresses: Sequence[str]) -> str:
        """Return which of the hub's addresses to dial now; they may be others than before."""
        return addresses[self._turn % len(addresses)]

    def pause(self, outcome: Outcome, addresses: int) -> float:
        """Take in how an attempt ended, at a hub of so many addresses; return seconds until the next."""
        match outcome:
            case Dismissed(seconds=asked):
                self._begin_anew()
                return _sane(asked) + next(self._pauses)
            case Rejected(useful=useful):
                return self._after_rejection(useful=useful)
            case Lost(steady=True):
                self._begin_anew()
                self._turn += 1
            case Lost() | Refused():
                self._turn += 1
                self._failed += 1
                if self._failed % addresses:  # the others first
                    return self._soon()
        if isinstance(outcome, Refused):
            return REFUSED_SECONDS * self._rng.uniform(0.8, 1.2)
        return next(self._pauses)

    def _begin_anew(self) -> None:
        self._pauses = backoff.delays(self._rng, first=SPREAD, longest=LONGEST)
        self._failed = self._rejected = 0

    def _after_rejection(self, *, useful: bool) -> float:
        if useful:
            self._pauses = backoff.delays(self._rng, longest=LONGEST)
            self._rejected = 0
        self._rejected += 1
        return self._soon() if self._rejected <= MOST_REJECTED else next(self._pauses)

    def _soon(self) -> float:
        return max(backoff.LEAST, self._rng.uniform(0.0, backoff.FIRST))


def _sane(asked: float) -> float:
    """Return a sane number of seconds for what a hub asked for."""
    return min(max(asked, backoff.LEAST), LONGEST_PAUSE) if math.isfinite(asked) else LONGEST
