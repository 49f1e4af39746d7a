"""Times of the week in which a route tells nobody, by the clock on the wall of some place. Pure.

A span of time that crosses midnight belongs to the day that it begins on: "22:00-06:00" on "fri" is the night
from Friday to Saturday. When clocks are changed, what counts is what they show: an hour that they show twice
is meant twice, one that they leave out never comes.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIMES = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_DAY = timedelta(days=1)
_MINUTES_OF_DAY = 24 * 60

Span = tuple[int, int]
"""Minutes after midnight: from the first on, up to the second, which may be of the next day."""


@dataclass(frozen=True, slots=True)
class Hush:
    """Times, as `[[mute]]` describes them."""

    name: str
    days: frozenset[int]
    """Of the week, 0 for Monday."""
    spans: tuple[Span, ...]
    dates: tuple[tuple[date, date], ...]
    """First and last; all days where there are none."""
    zone: ZoneInfo

    def holds(self, now: datetime) -> bool:
        """Tell whether it is such a time."""
        local = now.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        return self._on(local.date(), minute) or self._on(local.date() - _DAY, minute + _MINUTES_OF_DAY)

    def _on(self, day: date, minute: int) -> bool:
        """Tell whether a minute, counted from a day's midnight, is of what begins on that day."""
        if day.weekday() not in self.days:
            return False
        if self.dates and not any(first <= day <= last for first, last in self.dates):
            return False
        return any(begin <= minute < end for begin, end in self.spans)


ALL_DAY: Span = (0, _MINUTES_OF_DAY)


def days(text: str) -> frozenset[int]:
    """Return the days of "mon" or "mon-fri", which may go past Sunday; raise ValueError for anything else."""
    first, dash, last = text.partition("-")
    last = last if dash else first
    if first not in DAYS or last not in DAYS:
        raise ValueError(f'give days as "mon" or "mon-fri", of {", ".join(DAYS)}')
    begin, end = DAYS.index(first), DAYS.index(last)
    return frozenset((begin + step) % len(DAYS) for step in range((end - begin) % len(DAYS) + 1))


def span(text: str) -> Span:
    """Return the minutes of "22:00-06:00"; raise ValueError for anything else."""
    found = _TIMES.fullmatch(text)
    if not found:
        raise ValueError('give times as "22:00-06:00"')
    begin, end = _minute(found[1], found[2]), _minute(found[3], found[4])
    if begin in (_MINUTES_OF_DAY, end):
        raise ValueError('begin and end differ, and no time begins at 24:00; a whole day is "00:00-24:00"')
    return begin, end if end > begin else end + _MINUTES_OF_DAY


def dates(text: str) -> tuple[date, date]:
    """Return first and last day of "2026-12-25" or "2026-12-24/2027-01-02"; raise ValueError otherwise."""
    first, _, last = text.partition("/")
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError as error:
        raise ValueError('give dates as "2026-12-25" or "2026-12-24/2027-01-02"') from error
    if end < begin:
        raise ValueError("the first day comes before the last")
    return begin, end


def _minute(hour: str, minute: str) -> int:
    if (hour, minute) == ("24", "00"):
        return _MINUTES_OF_DAY
    try:
        found = time(int(hour), int(minute))
    except ValueError as error:
        raise ValueError("an hour is 00 to 24, a minute 00 to 59") from error
    return found.hour * 60 + found.minute
