"""How old what waits is, whatever is done to the clock. Pure.

Entries carry the time of day at which they were appended, and a clock that is set forward would make all of
them old at once. So only time counts in which the agent ran, by a stop-watch: by as much as the clock went
further than that, between two looks or two runs, an entry may look older than it is.
"""

import struct
from dataclasses import dataclass, replace

NOTE = "age"  # key of the note that keeps it
_FORMAT = struct.Struct(">qq")


@dataclass(frozen=True, slots=True)
class Clocks:
    """What the clock and the stop-watch said at the last look, in microseconds."""

    now_us: int
    """Time of day, since 1970."""
    ran_us: int
    """Of the stop-watch; what it counts from is of no matter, but it differs from run to run."""
    excess_us: int = 0
    """By how much any entry may look older than it is, at most. Never less than that, so that nothing is
    given up too early; what was appended after the clock was set is given up so much too late."""

    def look(self, now_us: int, ran_us: int) -> "Clocks":
        """Look again."""
        excess = self.excess_us + (now_us - self.now_us) - (ran_us - self.ran_us)
        # Of all entries, those since the last look need no correction: never less than 0.
        return Clocks(now_us, ran_us, max(0, excess))

    def emptied(self) -> "Clocks":
        """Take note that nothing waits, and so nothing looks older than it is."""
        return replace(self, excess_us=0)

    def limit_us(self, age_us: int) -> int:
        """Return the time of day before which an entry must have been appended to be older than an age."""
        return self.now_us - self.excess_us - age_us

    def noted(self) -> bytes:
        """Return what the next run needs."""
        return _FORMAT.pack(self.now_us, self.excess_us)


def resumed(noted: bytes | None, now_us: int, ran_us: int, oldest_us: int | None) -> Clocks:
    """Return what an earlier run noted, as of now: none of the time since then has passed for certain.

    Where it noted nothing, none has passed since the oldest entry was appended.
    """
    if noted is not None and len(noted) == _FORMAT.size:
        then_us, excess_us = _FORMAT.unpack(noted)
    else:
        then_us, excess_us = now_us if oldest_us is None else oldest_us, 0
    return Clocks(then_us, ran_us, excess_us).look(now_us, ran_us)
