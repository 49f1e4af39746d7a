"""Values from hostile or odd lines come out good, bounded, or not at all."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent import values
from artemis_agent.values import LONGEST_ENTRY, LONGEST_TEXT, MOST_ENTRIES

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(alphabet=st.characters())  # with lone surrogates and NULs
    | st.text(alphabet="0123456789-+:.TZ%ef"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("Hädd é 日本 😀", "Hädd é 日本 😀"),
        (7, "7"),
        ("a\x00b", "a\ufffdb"),
        ("a\ud83d b", "a\ufffd b"),
        (None, ""),
        (True, ""),
        (1.5, ""),
        ([], ""),
        ({}, ""),
    ],
)
def test_text(value: object, expected: str) -> None:
    assert values.text(value) == expected


@pytest.mark.parametrize("letter", ["x", "é", "日", "😀", "\x00", "\ud83d"])
def test_long_text_is_cut_visibly_and_within_its_bytes(letter: str) -> None:
    found = values.text(letter * LONGEST_TEXT * 2)
    assert LONGEST_TEXT - 8 < len(found.encode()) <= LONGEST_TEXT
    assert found.endswith("…")


def test_text_of_exactly_the_bound_is_whole() -> None:
    assert values.text("x" * LONGEST_TEXT) == "x" * LONGEST_TEXT
    assert values.text("é" * (LONGEST_TEXT // 2)) == "é" * (LONGEST_TEXT // 2)
    assert values.text("é" * (LONGEST_TEXT // 2) + "x").endswith("…")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["T1071", "bogus", 7, None, "", {}], ["T1071", "bogus", "7"]),
        ("TA0011", ["TA0011"]),
        (None, []),
        ({}, []),
        ([], []),
    ],
)
def test_texts(value: object, expected: list[str]) -> None:
    assert list(values.texts(value)) == expected


def test_long_lists_and_entries_are_cut_visibly() -> None:
    found = values.texts([str(number) for number in range(1000)])
    assert (len(found), found[0], found[-1]) == (MOST_ENTRIES, "0", "…")
    assert len(values.texts(["x"] * MOST_ENTRIES)) == MOST_ENTRIES
    assert [len(entry.encode()) for entry in values.texts(["x" * 5000, 10**4000])] == [LONGEST_ENTRY] * 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        ("5", 5),
        ("-5", -5),
        ("5.000000", 5),
        (5.0, 5),
        (-100, -100),
        ("5.5", None),
        (5.5, None),
        (float("inf"), None),
        (float("nan"), None),
        (101, None),
        ("9" * 5000, None),
        ("٣", None),
        (" 5", None),
        ("0x5", None),
        ("", None),
        (True, None),
        (None, None),
        ([5], None),
    ],
)
def test_integer(value: object, expected: int | None) -> None:
    assert values.integer(value, -100, 100) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (443, 443),
        ("58121", 58121),
        (0, 0),
        (65535, 65535),
        (65536, 0),
        (-1, 0),
        ("x", 0),
        (None, 0),
        (True, 0),
    ],
)
def test_port(value: object, expected: int) -> None:
    assert values.port(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("0000:0000:0000:0000:0000:0000:0000:0001", "::1"),
        ("FD12:3456:789A:0001:0000:0000:0000:0001", "fd12:3456:789a:1::1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
        ("0000:0000:0000:0000:0000:FFFF:C000:0201", "::ffff:192.0.2.1"),
        ("::ffff:192.0.2.1%eth0", "::ffff:192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%<script>", "fe80::1"),
        ("999.1.1.1", ""),
        ("010.0.0.1", ""),
        ("192.0.2.0/24", ""),
        ("localhost", ""),
        ("", ""),
        (" 192.0.2.1", ""),
        ("1" * 1000, ""),
        (3232235521, ""),
        (None, ""),
        (["192.0.2.1"], ""),
        ("fe80::1%\ud83d", "fe80::1"),
    ],
)
def test_address(value: object, expected: str) -> None:
    assert values.address(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("FE:ff:20:00:01:00", "fe:ff:20:00:01:00"),
        ("fe-ff-20-00-01-00", "fe:ff:20:00:01:00"),
        ("fe:ff:20:00:01", ""),
        ("fe:ff:20:00:01:0g", ""),
        (["fe:ff:20:00:01:00"], ""),
        (None, ""),
    ],
)
def test_mac(value: object, expected: str) -> None:
    assert values.mac(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-16T06:06:14.109831+0000", "2026-11-16T06:06:14.109831Z"),
        ("2026-10-25T02:30:00.123+0200", "2026-10-25T00:30:00.123Z"),
        ("2026-10-25T02:30:00.123+0100", "2026-10-25T01:30:00.123Z"),
        ("2026-11-16T06:06:14Z", "2026-11-16T06:06:14Z"),
        ("2026-11-16T06:06:14+05:30", "2026-11-16T00:36:14Z"),
        ("2026-11-16T06:06:14-0930", "2026-11-16T15:36:14Z"),
        ("1970-01-01T00:00:00.000000+0000", "1970-01-01T00:00:00Z"),
        ("1969-12-31T23:59:59.500000+0000", "1969-12-31T23:59:59.500Z"),
        ("2023-12-08T01:42:11.1011041+0000", "2023-12-08T01:42:11.101104Z"),
        ("2016-12-31T23:59:60.000000+0000", "2017-01-01T00:00:00Z"),
        (1795374216.5, "2026-11-22T19:03:36.500Z"),
        (0, "1970-01-01T00:00:00Z"),
        (-1e-20, "1970-01-01T00:00:00Z"),
    ],
)
def test_moment(value: object, expected: str) -> None:
    found = values.moment(value)
    assert found is not None
    assert found.ToJsonString() == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "2026-11-16T06:06:14",  # no zone: no moment
        "2026-11-16",
        "0000-00-00T00:00:00.000000+0000",
        "2026-02-30T00:00:00+0000",
        "0001-01-01T00:00:00+0500",  # before what a Timestamp holds
        "9999-12-31T23:59:59-0500",
        "2" * 5000,
        "2026-11-16T06:06:14+00:00\ud83d",
        None,
        True,
        [],
        1795374216000000,  # microseconds: no year has that
        10**400,
        float("nan"),
        float("inf"),
    ],
)
def test_a_time_that_says_no_moment_is_left_out(value: object) -> None:
    assert values.moment(value) is None


def test_timestamp_is_exact_in_any_zone() -> None:
    time = datetime(2026, 11, 16, 7, 6, 14, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert values.timestamp(time).ToJsonString() == "2026-11-16T06:06:14.999999Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_that_is_written_is_the_time_that_is_read(time: datetime) -> None:
    found = values.moment(time.isoformat())
    assert found is not None
    assert found.ToDatetime(UTC) == time


@given(ANYTHING)
def test_nothing_raises_and_all_of_it_can_be_sent(value: object) -> None:
    for found in (values.text(value), values.address(value), values.mac(value), *values.texts(value)):
        assert "\x00" not in found
        assert len(found.encode()) <= LONGEST_TEXT
    assert 0 <= values.port(value) <= 65535
    assert values.mapping(value) is not None
    assert values.first(value) is not None
    time = values.moment(value)
    if isinstance(time, Timestamp):
        time.ToJsonString()  # raises where it is out of bounds
