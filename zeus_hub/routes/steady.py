"""A clock that only goes forward, made of one that people and time servers set. Pure.

How long a group waits must not depend on a clock that was set back by an hour. After a step back this clock
goes on from where it was; a step forward it cannot tell from waiting, and makes it with the other.
"""

from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Steady:
    """What must be remembered of it, after a restart too."""

    latest: float = 0.0
    """What the settable clock showed last, in seconds since 1970."""
    ahead: float = 0.0
    """How far it has been set back since, in sum."""

    @property
    def seconds(self) -> float:
        """The time, in seconds from some moment on."""
        return self.latest + self.ahead

    def at(self, now: datetime) -> "Steady":
        """Return the clock after a look at the settable one."""
        seen = now.timestamp()
        lost = max(0.0, self.latest - seen)
        return replace(self, latest=seen, ahead=self.ahead + lost)
