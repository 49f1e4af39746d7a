"""Retry-After: a number, a date, or nothing at all; never an error."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zeus_hub.receivers.retry_after import seconds

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = 3600.0


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (" 7 ", 7.0),
        ("9" * 500, HOUR),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        ("Sun, 01 Mar 2026 14:00:30 +0200", 30.0),
        ("Sun, 01 Mar 2026 11:00:30 GMT", 0.0),
        ("Sun, 01 Mar 2099 11:00:30 GMT", HOUR),
        ("Sun, 99 Mar 2026 11:00:30 GMT", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2026 00:00:00 +99999999999999999999", None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1e9", None),
        ("٣", None),
        ("²", None),
    ],
)
def test_a_number_or_a_date_is_a_time_from_now(header: str, expected: float | None) -> None:
    assert seconds(header, NOW, most=HOUR) == expected


_PARTS = st.sampled_from(
    ["Mon,", "01", "Jan", "2026", "0", "99", "23:59:60", "1:2", "GMT", "-0000", "+99:99"]
)


@given(st.text() | st.lists(_PARTS | st.integers().map(str)).map(" ".join))
@example("Mon, 01 Jan 0001 00:00:00 +2359")
@example("Mon, 01 Jan 9999 23:59:59 -2359")
def test_whatever_it_says_is_a_time_within_bounds_or_none(header: str) -> None:
    found = seconds(header, NOW, most=HOUR)

    assert found is None or 0.0 <= found <= HOUR
