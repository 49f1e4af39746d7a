"""Days and months, by the clock of a place."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeus_hub.periods import LATE, SETTLED, Kind, before, due, of

PARIS, HAVANA = ZoneInfo("Europe/Paris"), ZoneInfo("America/Havana")
HALF_PAST_SEVEN = time(7, 30)
ZONES = [
    ZoneInfo(name) for name in ("UTC", "Europe/Paris", "America/Havana", "Asia/Kathmandu", "Pacific/Apia")
]


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        (date(2026, 7, 1), PARIS, 24),
        (date(2026, 3, 29), PARIS, 23),
        (date(2026, 10, 25), PARIS, 25),
        (date(2026, 3, 8), HAVANA, 23),  # midnight itself is left out
        (date(2026, 11, 1), HAVANA, 25),
    ],
)
def test_a_day_is_from_midnight_to_midnight(day: date, zone: ZoneInfo, hours: int) -> None:
    period = of("day", day, zone)

    assert (period.name, period.end - period.start) == (f"{day}", timedelta(hours=hours))
    assert period.end == of("day", day + timedelta(days=1), zone).start


def test_a_month_is_from_first_to_first() -> None:
    period = of("month", date(2026, 3, 17), PARIS)

    assert (period.name, period.start) == ("2026-03", datetime(2026, 2, 28, 23, tzinfo=UTC))
    assert period.end == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert before("month", date(2026, 1, 31), PARIS).name == "2025-12"
    assert before("day", date(2026, 3, 1), PARIS).name == "2026-02-28"


def names(kind: Kind, now: str, at: time = HALF_PAST_SEVEN, zone: ZoneInfo = PARIS) -> list[str]:
    return [each.name for each in due(kind, at, zone, datetime.fromisoformat(now).replace(tzinfo=zone))]


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ("2026-07-02 07:29:59", ["2026-06-30"]),
        ("2026-07-02 07:30:00", ["2026-07-01"]),
        ("2026-07-03 07:29:59", ["2026-07-01"]),
        ("2026-10-25 07:30:00", ["2026-10-24"]),
        ("2026-10-26 07:00:00", ["2026-10-24"]),  # on a day of 25 hours, an hour less late
        ("2026-03-29 07:45:00", ["2026-03-27", "2026-03-28"]),  # and two where clocks were put forward
    ],
)
def test_a_day_is_told_on_the_next_one_and_late_within_a_day(now: str, told: list[str]) -> None:
    assert names("day", now) == told


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ("2026-07-01 07:29:59", []),
        ("2026-07-01 07:30:00", ["2026-06"]),
        ("2026-07-02 07:29:59", ["2026-06"]),
        ("2026-07-02 07:30:00", []),
    ],
)
def test_a_month_is_told_on_the_first(now: str, told: list[str]) -> None:
    assert names("month", now) == told


def test_what_is_told_at_midnight_waits_until_all_is_written_down() -> None:
    assert names("day", "2026-07-02 00:00:59", time()) == ["2026-06-30"]
    assert names("day", "2026-07-02 00:01:00", time()) == ["2026-07-01"]
    assert timedelta(minutes=1) == SETTLED


@given(
    st.sampled_from(ZONES),
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_at_any_time_the_day_that_is_over_is_told_once_and_in_time(
    zone: ZoneInfo, at: time, now: datetime
) -> None:
    found = list(due("day", at, zone, now))

    assert len({each.name for each in found}) == len(found) <= 2
    for period in found:
        assert period.end + SETTLED <= now < period.end + timedelta(days=1, hours=1) + LATE
