"""Who is on call: a calendar (iCalendar, RFC 5545) whose events bear the names of those who are. Pure.

An event that recurs does so by the clock on the wall where it was written: a week from Monday 9:00 to Monday
9:00 has no gap and no overlap where summer time begins or ends. An occurrence that was moved or cancelled in
the calendar program counts as it was moved. Times without a zone and whole days are of the rota's zone.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import chain
from typing import Any

from dateutil.rrule import rrulestr
from icalendar import Calendar, Component, vRecur

from socme.errors import OperatorError
from socme.text import clean

LARGEST = 1024 * 1024  # characters of a file
MOST_EVENTS = 5000
MOST_DATES = 5000  # of an event: EXDATE and RDATE
MOST_COUNT = 10_000  # occurrences of a rule with COUNT, which are counted from its first
MOST_INTERVAL = 1000
LONGEST_NAME = 63  # characters
LONGEST_EVENT = timedelta(days=366)
YEARS = range(1970, 2200)  # in which all happens: what recurs is counted from its first time
MEND = "Mend the calendar; the one that was read before stays in use."

_DAY = timedelta(days=1)
_PERIODS = {"DAILY": _DAY, "WEEKLY": 7 * _DAY}
# A rule of other parts could give more than one start a day, or run through thousands of years in vain.
_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH"}
_PARTS_OF = {
    "DAILY": _PARTS,
    "WEEKLY": _PARTS,
    "MONTHLY": _PARTS | {"BYMONTHDAY", "BYSETPOS"},
    "YEARLY": _PARTS | {"BYMONTHDAY", "BYSETPOS"},
}


@dataclass(frozen=True, slots=True)
class Rule:
    """How something recurs."""

    text: str
    """As RRULE; UNTIL by the clock on the wall."""
    period: timedelta | None
    """What a start may be put forward by without changing what follows. None: it counts from the first."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Somebody's time on call, which may recur. All times are by the clock on the wall, without a zone."""

    name: str
    zone: tzinfo
    start: datetime
    length: timedelta
    rules: tuple[Rule, ...] = ()
    more: tuple[tuple[datetime, timedelta], ...] = ()
    """Other starts, and how long from each."""
    without: frozenset[datetime] = frozenset()
    """Starts that do not count."""


@dataclass(frozen=True, slots=True)
class Rota:
    """All duties of a calendar."""

    duties: tuple[Duty, ...]


def on_call(rota: Rota, at: datetime) -> tuple[str, ...]:
    """Return who is on call at a time: whose duty began last comes first. A duty's end is no part of it."""
    return tuple(dict.fromkeys(name for _, name in sorted(_begun(rota, at), reverse=True)))


def in_charge(rota: Rota, at: datetime) -> tuple[str, ...]:
    """Return those of them who are told: whose duty began last, so that a stand-in is told alone.

    They are several where their duties began at the same moment.
    """
    begun = list(_begun(rota, at))
    latest = max((start for start, _ in begun), default=at)
    return tuple(sorted({name for start, name in begun if start == latest}))


def read(text: str, file: str, zone: tzinfo) -> Rota:
    """Return the rota of a calendar; raise OperatorError with the file and the reason."""
    try:
        return Rota(tuple(_duties(_calendar(text), zone)))
    except ValueError as error:
        raise OperatorError(f"{file}: {clean(str(error), 300)}", MEND) from error


# When


def _begun(rota: Rota, at: datetime) -> Iterator[tuple[datetime, str]]:
    """Yield since when somebody is on call, and who."""
    for duty in rota.duties:
        for start, end in _around(duty, at):
            if start <= at < end:
                yield start, duty.name


def _around(duty: Duty, at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the occurrences of a duty that may hold a time, in UTC."""
    wall = at.astimezone(duty.zone).replace(tzinfo=None)
    # A day more each way: clocks are put back and forward in between.
    earliest, latest = wall - duty.length - _DAY, wall + _DAY
    ruled = chain.from_iterable(_recurring(duty.start, rule, earliest, latest) for rule in duty.rules)
    lengths = dict.fromkeys((duty.start, *ruled), duty.length) | dict(duty.more)
    for start, length in lengths.items():
        if start not in duty.without:
            yield _instant(start, duty.zone), _instant(start + length, duty.zone)


def _recurring(first: datetime, rule: Rule, earliest: datetime, latest: datetime) -> Iterator[datetime]:
    """Yield the starts that a rule gives between two times."""
    near = first
    if rule.period is not None and earliest > first:
        near = first + (earliest - first) // rule.period * rule.period
    for start in rrulestr(rule.text, dtstart=near):
        if start > latest:
            return
        if start >= earliest:
            yield start


def _instant(wall: datetime, zone: tzinfo) -> datetime:
    return wall.replace(tzinfo=zone).astimezone(UTC)


# What a calendar says; whatever is wrong with it is a ValueError


def _calendar(text: str) -> Component:
    if len(text) > LARGEST:
        raise ValueError(f"it has more than {LARGEST} characters")
    try:
        calendar = Calendar.from_ical(text)
    except (ValueError, IndexError, KeyError) as error:  # the parser's own ways to say no
        raise ValueError(f"it is no calendar: {error}") from error
    for part in (*calendar.walk("STANDARD"), *calendar.walk("DAYLIGHT")):
        if any(rule.get("FREQ") != ["YEARLY"] for rule in _all(part, "RRULE")):
            raise ValueError("a time zone of its own changes its clocks other than once a year")
    return calendar


def _duties(calendar: Component, zone: tzinfo) -> Iterator[Duty]:
    events = calendar.walk("VEVENT")
    if len(events) > MOST_EVENTS:
        raise ValueError(f"it has more than {MOST_EVENTS} events")
    moved: dict[str, list[date]] = {}
    for event in events:
        for original in _dates(event, "RECURRENCE-ID"):
            moved.setdefault(str(event.get("UID")), []).append(original)
    for event in events:
        if str(event.get("STATUS", "")).upper() != "CANCELLED":
            series = "RECURRENCE-ID" not in event
            try:
                yield _duty(event, zone, moved.get(str(event.get("UID")), []) if series else [])
            except ValueError as error:
                raise ValueError(f"event {clean(str(event.get('SUMMARY', '')), 80)!r}: {error}") from error


def _duty(event: Component, default: tzinfo, moved: Iterable[date]) -> Duty:
    if event.errors:
        raise ValueError("; ".join(f"{name}: {reason}" for name, reason in event.errors))
    name = clean(" ".join(str(event.get("SUMMARY", "")).split()), LONGEST_NAME)
    if not name:
        raise ValueError("it does not say who is on call: SUMMARY is the name")
    start = next(_dates(event, "DTSTART"), None)
    if start is None:
        raise ValueError("it has no DTSTART")
    zone = (start.tzinfo if isinstance(start, datetime) else None) or default
    wall = _wall(start, zone)
    without = [_wall(each, zone) for each in (*_dates(event, "EXDATE"), *moved)]
    length = _length(event, start, zone)
    more = tuple(_more(event, zone, length))
    if len(without) + len(more) > MOST_DATES:
        raise ValueError(f"it has more than {MOST_DATES} dates")
    rules = tuple(_rules(event, wall, zone))
    return Duty(name, zone, wall, length, rules, more, frozenset(without))


def _length(event: Component, start: date, zone: tzinfo) -> timedelta:
    end = next(_dates(event, "DTEND"), None)
    if end is not None:
        length = _wall(end, zone) - _wall(start, zone)
    else:
        length = next(_values(event, "DURATION"), timedelta(0) if isinstance(start, datetime) else _DAY)
    return _sound(length)


def _sound(length: object) -> timedelta:
    if not isinstance(length, timedelta) or not timedelta(0) < length <= LONGEST_EVENT:
        raise ValueError(f"it must end after it begins, within {LONGEST_EVENT.days} days")
    return length


def _more(event: Component, zone: tzinfo, length: timedelta) -> Iterator[tuple[datetime, timedelta]]:
    for start in _values(event, "RDATE"):
        if not isinstance(start, tuple):
            yield _wall(start, zone), length
            continue
        begin, end = start
        wall = _wall(begin, zone)
        yield wall, _sound(end if isinstance(end, timedelta) else _wall(end, zone) - wall)


def _rules(event: Component, first: datetime, zone: tzinfo) -> Iterator[Rule]:
    for recurrence in _all(event, "RRULE"):
        rule = _rule(recurrence, zone)
        if next(iter(rrulestr(rule.text, dtstart=first)), None) is not None:
            yield rule
        elif "UNTIL" not in recurrence:  # with it, the series was ended at its beginning
            raise ValueError(f"its rule never comes true: {rule.text}")


def _rule(recurrence: vRecur, zone: tzinfo) -> Rule:
    frequency = str(recurrence.get("FREQ", [""])[0])
    strange = set(recurrence) - _PARTS_OF.get(frequency, set())
    if strange:
        raise ValueError(
            f"it recurs {frequency or 'somehow'} with {', '.join(sorted(strange))}: too fine a rule"
        )
    plain = vRecur(recurrence)
    if "UNTIL" in plain:
        plain["UNTIL"] = [_until(plain["UNTIL"][0], zone)]
    counted = int(plain["COUNT"][0]) if "COUNT" in plain else 0
    if counted > MOST_COUNT:
        raise ValueError(f"it recurs more than {MOST_COUNT} times; leave COUNT out or use UNTIL")
    interval = int(plain.get("INTERVAL", [1])[0])
    if not 1 <= interval <= MOST_INTERVAL:
        raise ValueError(f"its INTERVAL is not between 1 and {MOST_INTERVAL}")
    period = None if counted or frequency not in _PERIODS else interval * _PERIODS[frequency]
    return Rule(plain.to_ical().decode(), period)  # type: ignore[no-untyped-call]  # to_ical has no types


def _until(until: date, zone: tzinfo) -> datetime:
    """Return the last moment of a rule by the clock on the wall: of a date, its end."""
    if until.year >= YEARS.stop:
        return datetime(YEARS.stop, 1, 1)  # noqa: DTZ001 - by the clock on the wall
    return _wall(until, zone) if isinstance(until, datetime) else datetime.combine(until, time.max)


# A calendar's values


def _all(event: Component, name: str) -> list[Any]:
    found = event.get(name, [])
    return found if isinstance(found, list) else [found]


def _values(event: Component, name: str) -> Iterator[Any]:
    """Yield the dates, times or periods of a property, of which there may be several, in lists or not."""
    for given in _all(event, name):
        parameters: Mapping[str, str] = given.params
        if parameters.get("RANGE"):
            raise ValueError(f"{name} with RANGE is not understood: move occurrences one by one")
        for value in [each.dt for each in given.dts] if hasattr(given, "dts") else [given.dt]:
            start = value[0] if isinstance(value, tuple) else value
            if "TZID" in parameters and isinstance(start, datetime) and start.tzinfo is None:
                raise ValueError(f"there is no time zone {parameters['TZID']!r}")
            yield value


def _dates(event: Component, name: str) -> Iterator[date]:
    for value in _values(event, name):
        if not isinstance(value, date):
            raise ValueError(f"{name} is no date or time")  # noqa: TRY004 - it is the calendar that is wrong
        yield value


def _wall(value: date, zone: tzinfo) -> datetime:
    """Return a time by the clock on a zone's wall: of a date, its beginning."""
    if value.year not in YEARS:
        raise ValueError(f"{value.year} is too far away")
    if not isinstance(value, datetime):
        return datetime.combine(value, time())
    return value.replace(tzinfo=None) if value.tzinfo is None else value.astimezone(zone).replace(tzinfo=None)
