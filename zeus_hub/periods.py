"""The days and months that reports are of, and when each is told. Pure.

A day is from midnight to midnight by the clock of a place: where clocks are changed it has 23 or 25 hours.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Kind = Literal["day", "month"]
LATE = timedelta(days=1)  # for how long what was not told in time is still told
SETTLED = timedelta(minutes=1)  # after its end, until all that is known of a period is written down
_DAY = timedelta(days=1)
_ANCHORS = 3  # days on which what is told now may have been due: today, and LATE before


@dataclass(frozen=True, slots=True)
class Period:
    """A day or a month of some place."""

    kind: Kind
    name: str
    """As "2026-07-01" or "2026-07"."""
    start: datetime
    end: datetime
    """Which is no part of it."""


def of(kind: Kind, day: date, zone: ZoneInfo) -> Period:
    """Return a day, or the month that it is in."""
    if kind == "day":
        return Period("day", f"{day:%Y-%m-%d}", _instant(day, zone), _instant(day + _DAY, zone))
    first = day.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return Period("month", f"{day:%Y-%m}", _instant(first, zone), _instant(following, zone))


def before(kind: Kind, day: date, zone: ZoneInfo) -> Period:
    """Return the day before one, or the month before the one that it is in."""
    first = day if kind == "day" else day.replace(day=1)
    return of(kind, first - _DAY, zone)


def due(kind: Kind, at: time, zone: ZoneInfo, now: datetime) -> Iterator[Period]:
    """Yield those whose time to be told has come, and not longer than LATE ago; the oldest first."""
    today = now.astimezone(zone).date()
    for back in reversed(range(_ANCHORS)):
        day = today - back * _DAY
        if kind == "day" or day.day == 1:
            period = before(kind, day, zone)
            told = max(_instant(day, zone, at), period.end + SETTLED)
            if told <= now < told + LATE:
                yield period


def _instant(day: date, zone: ZoneInfo, at: time = time()) -> datetime:
    """Return a time of day; one that clocks show twice is the first, one that they leave out comes after."""
    return datetime.combine(day, at, zone).astimezone(UTC)
