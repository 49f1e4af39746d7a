"""Which batches were sent and not acknowledged, and whether another may follow. Pure bookkeeping.

The hub sets the bounds. Below them a backlog takes no more than the line carries in about a second, and
never the whole window: a fresh urgent batch has little to wait behind, on the line as well as here.
"""

from collections import deque
from dataclasses import dataclass

from socme.v1.uplink_pb2 import Lane

MOST_BYTES = 4 * 1024 * 1024  # of unacknowledged batches; the hub may ask for less
MOST_BATCHES = 64  # the spool keeps its oldest 64 batches of a lane as they are, for they may be on their way
SLOW_SECONDS = 1.0  # an acknowledgement that takes longer means that too much is on the way
FIRST_BYTES = 128 * 1024  # of a backlog, before it is known what the line carries
LEAST_BYTES = 64 * 1024  # of a backlog on the slowest line
_URGENT = Lane.LANE_URGENT  # looked up once: protobuf's enums are slow to ask
RESERVE = 4  # one part in so many of the window is left to urgent batches


@dataclass(frozen=True, slots=True)
class _Flying:
    """One batch on its way."""

    lane: int
    sequence: int
    size: int
    sent: float


class Window:
    """The batches of one stream that are on their way, and how many may be.

    Times are seconds of any clock that never goes back.
    """

    def __init__(self, most_bytes: int = 0, most_batches: int = 0) -> None:
        """Begin with what Welcome asks for; 0 says nothing."""
        self._flying: deque[_Flying] = deque()
        self._bytes = 0
        self._most_bytes = min(most_bytes or MOST_BYTES, MOST_BYTES)
        self._most_batches = min(most_batches or MOST_BATCHES, MOST_BATCHES)
        self._fair = FIRST_BYTES
        self._slowed = 0.0

    def pace(self, most_bytes: int, most_batches: int) -> None:
        """Follow the hub's Pace: 0 batches are none at all until the next, 0 bytes say nothing."""
        self._most_bytes = min(most_bytes or MOST_BYTES, MOST_BYTES)
        self._most_batches = min(most_batches, MOST_BATCHES)

    @property
    def paused(self) -> bool:
        """Whether the hub wants no batch now."""
        return not self._most_batches

    @property
    def empty(self) -> bool:
        """Whether everything that was sent is acknowledged."""
        return not self._flying

    def has_room(self, lane: int, size: int) -> bool:
        """Tell whether a batch may be sent; where nothing is on its way one may, or it would never leave."""
        if self.paused or not self._flying:
            return not self.paused
        batches, most = self._most_batches, self._most_bytes
        if lane != _URGENT:
            batches -= batches // RESERVE
            most = min(most - most // RESERVE, self._fair)
        return len(self._flying) < batches and self._bytes + size <= most

    def holds(self, lane: int, sequence: int) -> bool:
        """Tell whether a batch is on its way."""
        return any(each.lane == lane and each.sequence == sequence for each in self._flying)

    def sent(self, lane: int, sequence: int, size: int, now: float) -> None:
        """Take note of a batch that leaves."""
        self._flying.append(_Flying(lane, sequence, size, now))
        self._bytes += size

    def acknowledged(self, lane: int, sequence: int, now: float) -> int:
        """Take note of all batches of a lane up to a sequence; return how many that covers anew."""
        covered = [each for each in self._flying if each.lane == lane and each.sequence <= sequence]
        if covered:
            self._flying = deque(
                each for each in self._flying if each.lane != lane or each.sequence > sequence
            )
            size = sum(each.size for each in covered)
            self._bytes -= size
            self._learn(covered[-1].sent, size, now)
        return len(covered)

    def _learn(self, sent: float, size: int, now: float) -> None:
        """Grow with each acknowledgement that comes soon, halve once for a stretch that comes late."""
        if now - sent <= SLOW_SECONDS:
            self._fair = min(self._fair + size, MOST_BYTES)
        elif sent >= self._slowed:
            self._fair, self._slowed = max(self._fair // 2, LEAST_BYTES), now
