"""The two tracks of the live stream: what is urgent, and all else, which it overtakes. Pure.

Whoever watches has a place in each. Positions are the journal's; a track has some of them.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field

from socme.v1.uplink_pb2 import Lane

MOST = 65_536  # batches of which it is remembered which track they are on, 1 MB
_URGENT = Lane.LANE_URGENT  # looked up once: protobuf's enums are slow to ask


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place between two alerts: before alert `index` of the batch at `position`, or of the next one."""

    position: int
    index: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """How far a watcher has come on both tracks."""

    urgent: Cursor
    other: Cursor

    def on(self, *, urgent: bool) -> Cursor:
        """Return how far it has come on one."""
        return self.urgent if urgent else self.other

    def moved(self, cursor: Cursor, *, urgent: bool) -> "Place":
        """Return the place with another cursor on one track."""
        return Place(cursor, self.other) if urgent else Place(self.urgent, cursor)


def at(position: int) -> Place:
    """Return the place before a position, on both tracks."""
    return Place(Cursor(position), Cursor(position))


def is_urgent(lane: int) -> bool:
    """Tell which track a lane of a node is on."""
    return lane == _URGENT


def _positions() -> "array[int]":
    return array("q")


@dataclass(slots=True)
class Recent:
    """Which track the last batches are on; `floor` is the first position of which that is known."""

    floor: int
    _urgent: "array[int]" = field(default_factory=_positions)
    _other: "array[int]" = field(default_factory=_positions)

    def add(self, batches: Iterable[tuple[int, int]]) -> None:
        """Take note of batches, by position and lane, in order."""
        for position, lane in batches:
            (self._urgent if is_urgent(lane) else self._other).append(position)
        if len(self._urgent) + len(self._other) > 2 * MOST:
            self._forget()

    def next(self, position: int, *, urgent: bool) -> int | None:
        """Return the first position of a track from one on, which is not below the floor; None for none."""
        track = self._urgent if urgent else self._other
        place = bisect_left(track, position)
        return track[place] if place < len(track) else None

    def _forget(self) -> None:
        """Forget the older half."""
        self.floor = sorted((*self._urgent, *self._other))[-MOST]
        self._urgent = self._urgent[bisect_left(self._urgent, self.floor) :]
        self._other = self._other[bisect_left(self._other, self.floor) :]
