"""How often a node's vitals are taken over: of what comes too fast, the newest. Pure."""

from dataclasses import dataclass, field

from socme.v1.vitals_pb2 import LedgerHour, Vitals

EVERY_SECONDS = 1.0  # an honest node sends them every 30 s, and at a change
MOST_HOURS = 1000  # of ledgers that are kept of vitals that were passed over


@dataclass(slots=True)
class Heartbeat:
    """The vitals of one stream. Times are seconds of any clock that does not jump."""

    waiting: Vitals | None = None
    """The newest, where it is too early to take it."""
    _taken: float = field(default=float("-inf"))

    def due(self, now: float) -> float:
        """Return in how many seconds vitals may be taken; 0 for now."""
        return max(0.0, self._taken + EVERY_SECONDS - now)

    def offer(self, vitals: Vitals) -> None:
        """Put vitals in place of those that wait."""
        if self.waiting is not None:
            _carry(self.waiting, vitals)
        self.waiting = vitals

    def take(self, now: float) -> Vitals | None:
        """Return the vitals that wait, if any; the next are due EVERY_SECONDS later."""
        vitals, self.waiting = self.waiting, None
        if vitals is not None:
            self._taken = now
        return vitals


def _carry(old: Vitals, new: Vitals) -> None:
    """Take over the ledgers of hours that the newer vitals do not speak of: they are sent once a change."""
    known = {_hour(entry) for entry in new.ledger}
    left = [entry for entry in old.ledger if _hour(entry) not in known]
    new.ledger.extend(left[: max(0, MOST_HOURS - len(new.ledger))])


def _hour(entry: LedgerHour) -> tuple[str, bytes, int]:
    return entry.source, entry.book, entry.hour.seconds
