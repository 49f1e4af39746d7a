"""What a journal holds, and how it is told: an entry, what it is before and without its payload, and sums."""

from dataclasses import dataclass

from socme.batch import Packed


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that is not in a journal yet."""

    origin: str
    lane: int
    sequence: int
    packed: Packed


@dataclass(frozen=True, slots=True)
class Entry:
    """One batch as it lies in a journal."""

    position: int
    origin: str
    lane: int
    sequence: int
    received_us: int
    """When it was appended, in microseconds since 1970."""
    packed: Packed


@dataclass(frozen=True, slots=True)
class Depth:
    """What lies in a journal beyond some position."""

    entries: int
    alerts: int
    bytes: int
    oldest_us: int | None
    """When the oldest of them was appended, in microseconds since 1970; None where there is none."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What an entry is, without its payload."""

    position: int
    origin: str
    sequence: int
    received_us: int
    alerts: int
    encoding: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Held:
    """What a journal holds of one lane, origin and hour."""

    lane: int
    origin: str
    hour: int
    """In which the entries were appended, in hours since 1970."""
    entries: int
    alerts: int
    bytes: int
