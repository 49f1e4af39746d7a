"""The last day: alerts by quarter of an hour and by tactic, and each client's alerts by hour.

The hub tells them with a snapshot; between two, what comes is counted on top, and time moves the rows on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hermes_display import rows, tally
from hermes_display.tally import Counts
from socme.v1.watch_pb2 import ClientSummary, Slot, TacticCount

QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
QUARTERS = 96
HOURS = 24
MOST_TACTICS = 14  # there are no more in ATT&CK

_NOTHING: Counts = {}


@dataclass(frozen=True, slots=True)
class Day:
    """All alerts of the last 24 hours."""

    begin: datetime
    """Of the last quarter, which is not over."""
    quarters: tuple[Counts, ...] = (_NOTHING,) * QUARTERS
    """Oldest first."""
    tactics: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hours:
    """A client's alerts of the last 24 hours."""

    begin: datetime
    """Of the last hour, which is not over."""
    counts: tuple[int, ...]
    """Oldest first."""
    usual: float | None
    """How many an hour like the last one usually has; None where nobody knows."""


def floor(time: datetime, step: timedelta) -> datetime:
    """Return the beginning of the quarter or hour in which a time is."""
    return time - (time - time.replace(hour=0, minute=0, second=0, microsecond=0)) % step


def read(slots: Iterable[Slot], tactics: Iterable[TacticCount], now: datetime, *, least: int) -> Day:
    """Return the last day as the hub tells it."""
    day = Day(floor(now, QUARTER))
    quarters = list(day.quarters)
    for slot in slots:
        begin = rows.time(slot.begin)
        place = _place(day, begin) if begin else None
        if place is not None:
            quarters[place] = tally.read(slot.alerts, least)
    named = {rows.name(each.tactic): each.alerts for each in list(tactics)[:MOST_TACTICS] if each.alerts}
    return replace(day, quarters=tuple(quarters), tactics=named)


def read_hours(summary: ClientSummary, now: datetime) -> Hours | None:
    """Return a client's last day; None where the hub does not tell it."""
    if not summary.hours:
        return None
    counts = tuple(summary.hours)[-HOURS:]
    usual = summary.usual if summary.HasField("usual") and 0 <= summary.usual < float("inf") else None
    return Hours(floor(now, HOUR), (0,) * (HOURS - len(counts)) + counts, usual)


def no_hours(now: datetime) -> Hours:
    """Return the last day of a client that had no alerts."""
    return Hours(floor(now, HOUR), (0,) * HOURS, None)


def advanced(day: Day, now: datetime) -> Day:
    """Let time pass; it never goes back."""
    steps = (floor(now, QUARTER) - day.begin) // QUARTER
    if steps <= 0:
        return day
    quarters = (*day.quarters, *(_NOTHING,) * min(steps, QUARTERS))[-QUARTERS:]
    return replace(day, begin=day.begin + steps * QUARTER, quarters=quarters)


def advanced_hours(hours: Hours, now: datetime) -> Hours:
    """Let time pass; what is usual for the next hour comes with the next snapshot."""
    steps = (floor(now, HOUR) - hours.begin) // HOUR
    if steps <= 0:
        return hours
    counts = (*hours.counts, *(0,) * min(steps, HOURS))[-HOURS:]
    return Hours(hours.begin + steps * HOUR, counts, None)


def counted(day: Day, severity: int, number: int, received: datetime, tactics: Iterable[str]) -> Day:
    """Count an alert; a tactic beyond the most that are kept is left out until the next snapshot."""
    day = advanced(day, received)
    place = _place(day, received)
    if place is not None:
        more = tally.moved(day.quarters[place], severity, number)
        day = replace(day, quarters=(*day.quarters[:place], more, *day.quarters[place + 1 :]))
    named = dict(day.tactics)
    for tactic in {rows.name(each): None for each in tactics}:
        if tactic in named or len(named) < MOST_TACTICS:
            named[tactic] = named.get(tactic, 0) + number
    return replace(day, tactics=named)


def counted_hour(hours: Hours, number: int, received: datetime) -> Hours:
    """Count an alert of a client."""
    hours = advanced_hours(hours, received)
    place = HOURS - 1 + (floor(received, HOUR) - hours.begin) // HOUR
    if not 0 <= place < HOURS:
        return hours
    counts = (*hours.counts[:place], hours.counts[place] + number, *hours.counts[place + 1 :])
    return replace(hours, counts=counts)


def _place(day: Day, time: datetime) -> int | None:
    """Return in which of the quarters a time is."""
    place = QUARTERS - 1 + (floor(time, QUARTER) - day.begin) // QUARTER
    return place if 0 <= place < QUARTERS else None
