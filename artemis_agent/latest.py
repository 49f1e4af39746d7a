"""What the spool committed last. It mostly leaves at once, and is not read from the disk for that. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from socme.journal import Entry


@dataclass(frozen=True, slots=True)
class Latest:
    """The entries of one commit; of none, where what lies in the spool was changed since."""

    entries: Sequence[Entry] = ()
    before: Mapping[int, int] = field(default_factory=dict)
    """By lane, the position of the last entry before them."""

    def behind(self, lane: int, position: int) -> Sequence[Entry] | None:
        """Return a lane's entries behind a position; None where there may be others."""
        if lane not in self.before or position < self.before[lane]:
            return None
        return [entry for entry in self.entries if entry.lane == lane and entry.position > position]
