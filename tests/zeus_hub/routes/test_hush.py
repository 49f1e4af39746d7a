"""Times of the week in which nobody is told."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeus_hub.routes.hush import ALL_DAY, Hush, dates, days, span

PARIS = ZoneInfo("Europe/Paris")
NIGHT = Hush("night", frozenset(range(7)), (span("22:00-06:00"),), (), PARIS)


def paris(text: str, *, fold: int = 0) -> datetime:
    """Return what a clock in Paris shows; `fold` 1 for the second time that it shows it."""
    return datetime.fromisoformat(text).replace(tzinfo=PARIS, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "quiet"),
    [
        ("2026-07-01T21:59:59", False),
        ("2026-07-01T22:00:00", True),
        ("2026-07-02T00:00:00", True),
        ("2026-07-02T05:59:59", True),
        ("2026-07-02T06:00:00", False),
        ("2026-01-01T05:59:59", True),
    ],
)
def test_a_night_crosses_midnight_by_the_clock_on_the_wall(*, text: str, quiet: bool) -> None:
    assert NIGHT.holds(paris(text)) is quiet


def test_what_crosses_midnight_belongs_to_the_day_that_it_begins_on() -> None:
    friday = Hush("fri", days("fri"), (span("22:00-06:00"),), (), PARIS)

    assert not friday.holds(paris("2026-07-03T05:00"))  # a Friday
    assert friday.holds(paris("2026-07-03T23:00"))
    assert friday.holds(paris("2026-07-04T05:00"))
    assert not friday.holds(paris("2026-07-04T23:00"))


def test_an_hour_that_is_left_out_in_spring_never_comes() -> None:
    gone = Hush("gone", frozenset(range(7)), (span("02:00-03:00"),), (), PARIS)
    begin = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)  # midnight in Paris, on the 29th

    assert not any(gone.holds(begin + timedelta(minutes=minute)) for minute in range(12 * 60))


def test_an_hour_that_comes_twice_in_autumn_is_meant_twice() -> None:
    twice = Hush("twice", frozenset(range(7)), (span("02:00-03:00"),), (), PARIS)
    begin = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)  # midnight in Paris, on the 25th

    assert sum(twice.holds(begin + timedelta(minutes=minute)) for minute in range(12 * 60)) == 2 * 60
    assert twice.holds(paris("2026-10-25T02:30"))
    assert twice.holds(paris("2026-10-25T02:30", fold=1))


def test_dates_say_on_which_days() -> None:
    holidays = Hush("holidays", frozenset(range(7)), (ALL_DAY,), (dates("2026-12-24/2026-12-26"),), PARIS)

    assert not holidays.holds(paris("2026-12-23T23:59"))
    assert holidays.holds(paris("2026-12-24T00:00"))
    assert holidays.holds(paris("2026-12-26T23:59"))
    assert not holidays.holds(paris("2026-12-27T00:00"))


WEEK = [
    datetime(2026, 10, 19, tzinfo=UTC) + timedelta(minutes=minute) for minute in range(0, 14 * 24 * 60, 37)
]


@given(
    st.frozensets(st.integers(0, 6)),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.sampled_from(["Europe/Paris", "UTC", "Pacific/Apia", "America/St_Johns"]),
)
def test_a_minute_is_quiet_where_its_day_or_the_one_before_says_so(
    weekdays: frozenset[int], begin: int, length: int, zone: str
) -> None:
    """Minute by minute, as the clock on the wall shows them."""
    quiet = {
        ((day * 1440 + begin + step) // 1440 % 7, (begin + step) % 1440)
        for day in weekdays
        for step in range(length)
    }
    hush = Hush("any", weekdays, ((begin, begin + length),), (), ZoneInfo(zone))

    for now in WEEK:
        local = now.astimezone(ZoneInfo(zone))
        assert hush.holds(now) == ((local.weekday(), local.hour * 60 + local.minute) in quiet)


def test_days_go_past_sunday() -> None:
    assert days("mon") == {0}
    assert days("mon-fri") == {0, 1, 2, 3, 4}
    assert days("sat-mon") == {5, 6, 0}


def test_times_are_minutes_after_midnight() -> None:
    assert span("08:30-12:00") == (510, 720)
    assert span("22:00-06:00") == (1320, 1800)
    assert span("00:00-24:00") == ALL_DAY


def test_one_date_is_a_day() -> None:
    assert dates("2026-12-25") == (date(2026, 12, 25), date(2026, 12, 25))


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (days, ""),
        (days, "monday"),
        (days, "mon-"),
        (days, "fri-mun"),
        (span, "8:00-9:00"),
        (span, "08:00-08:00"),
        (span, "24:00-06:00"),
        (span, "25:00-26:00"),
        (span, "08:60-09:00"),
        (dates, "2026-02-30"),
        (dates, "2026-12-26/2026-12-24"),
        (dates, "tomorrow"),
    ],
)
def test_anything_else_is_refused(read: object, text: str) -> None:
    with pytest.raises(ValueError, match=r"give|hour|differ|first"):
        read(text)  # type: ignore[operator]
