"""Who is on call, by a calendar as calendar programs write it."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from socme.errors import OperatorError
from zeus_hub.rota import LARGEST, MOST_DATES, MOST_EVENTS, Rota, in_charge, on_call, read

PARIS = ZoneInfo("Europe/Paris")
HEAD = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n"
OWN_ZONE = """BEGIN:VTIMEZONE
TZID:Head Office
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
"""
WEEKLY = """SUMMARY:alice
UID:1
DTSTART;TZID=Europe/Paris:20260105T090000
DTEND;TZID=Europe/Paris:20260112T090000
RRULE:FREQ=WEEKLY;INTERVAL=2"""
OTHER = (
    WEEKLY.replace("alice", "bob")
    .replace("UID:1", "UID:2")
    .replace("20260112", "20260119")
    .replace("20260105", "20260112")
)


def event(lines: str) -> str:
    return f"BEGIN:VEVENT\nDTSTAMP:20260101T000000Z\n{lines}\nEND:VEVENT\n"


def calendar(*events: str, head: str = "") -> str:
    return f"{HEAD}{head}{''.join(event(each) for each in events)}END:VCALENDAR\n".replace("\n", "\r\n")


def rota(*events: str, head: str = "") -> Rota:
    return read(calendar(*events, head=head), "rota.ics", PARIS)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS)


@pytest.mark.parametrize(
    ("moment", "names"),
    [
        ("2026-01-05 08:59:59", ()),
        ("2026-01-05 09:00:00", ("alice",)),
        ("2026-01-12 08:59:59", ("alice",)),
        ("2026-01-12 09:00:00", ("bob",)),
        ("2026-07-06 09:00:00", ("alice",)),  # the 26th week from the first, in summer
        ("2036-01-01 00:00:00", ("bob",)),
    ],
)
def test_two_take_turns_for_ever(moment: str, names: tuple[str, ...]) -> None:
    assert on_call(rota(WEEKLY, OTHER), at(moment)) == names


def test_there_is_no_gap_and_no_overlap_where_clocks_change() -> None:
    """A week has 167 or 169 hours then; the turn is at nine by the clock on the wall."""
    turns = rota(WEEKLY, OTHER)
    moment = datetime(2026, 1, 5, 9, tzinfo=PARIS).astimezone(UTC)

    while moment < datetime(2027, 1, 1, tzinfo=UTC):
        assert len(on_call(turns, moment)) == 1
        moment += timedelta(minutes=30)


def test_any_zone_may_ask() -> None:
    assert on_call(rota(WEEKLY), datetime(2026, 1, 5, 8, tzinfo=UTC)) == ("alice",)
    assert on_call(rota(WEEKLY), datetime(2026, 1, 5, 7, 59, tzinfo=UTC)) == ()


def test_who_began_last_comes_first() -> None:
    stand_in = "SUMMARY:carol\nUID:3\nDTSTART:20260107T170000Z\nDTEND:20260107T200000Z"

    assert on_call(rota(WEEKLY, stand_in), at("2026-01-07 19:00")) == ("carol", "alice")
    assert on_call(rota(stand_in, WEEKLY), at("2026-01-07 19:00")) == ("carol", "alice")


def test_a_name_is_told_once() -> None:
    assert on_call(rota(WEEKLY, WEEKLY), at("2026-01-06 00:00")) == ("alice",)


@pytest.mark.parametrize(
    ("extra", "moment", "there"),
    [
        ("EXDATE;TZID=Europe/Paris:20260119T090000", "2026-01-20", False),
        ("EXDATE:20260119T080000Z", "2026-01-20", False),  # the same moment, otherwise written
        ("EXDATE;TZID=Europe/Paris:20260119T090000,20260202T090000", "2026-02-03", False),
        ("EXDATE;TZID=Europe/Paris:20260119T090000\nEXDATE:20260202T080000Z", "2026-02-03", False),
        ("EXDATE;TZID=Europe/Paris:20260120T090000", "2026-01-20", True),  # no start of its
        ("RDATE;TZID=Europe/Paris:20260112T090000", "2026-01-13", True),
        ("RDATE;VALUE=PERIOD:20260113T080000Z/PT1H", "2026-01-13 09:30", True),
        ("RDATE;VALUE=PERIOD:20260113T080000Z/20260113T090000Z", "2026-01-13 10:30", False),
    ],
)
def test_dates_are_left_out_and_added(extra: str, moment: str, there: bool) -> None:  # noqa: FBT001
    assert (on_call(rota(f"{WEEKLY}\n{extra}"), at(moment)) == ("alice",)) is there


@pytest.mark.parametrize(
    ("limit", "moment", "there"),
    [
        ("UNTIL=20260119T080000Z", "2026-01-20", True),
        ("UNTIL=20260119T075959Z", "2026-01-20", False),
        ("UNTIL=20260119", "2026-01-20", True),
        ("COUNT=2", "2026-01-20", True),
        ("COUNT=2", "2026-02-03", False),
        ("UNTIL=99991231T235959Z", "2030-01-01", True),
        ("UNTIL=20200101T000000Z", "2026-01-06", True),  # the first always counts
        ("UNTIL=20200101T000000Z", "2026-01-20", False),
    ],
)
def test_a_rule_ends(limit: str, moment: str, there: bool) -> None:  # noqa: FBT001
    assert (on_call(rota(f"{WEEKLY};{limit}"), at(moment)) == ("alice",)) is there


def test_an_occurrence_that_was_moved_counts_where_it_is() -> None:
    moved = (
        "SUMMARY:alice\nUID:1\nRECURRENCE-ID;TZID=Europe/Paris:20260119T090000\n"
        "DTSTART;TZID=Europe/Paris:20260120T120000\nDTEND;TZID=Europe/Paris:20260121T120000"
    )
    turns = rota(WEEKLY, moved)

    assert on_call(turns, at("2026-01-19 12:00")) == ()
    assert on_call(turns, at("2026-01-20 12:00")) == ("alice",)
    assert on_call(turns, at("2026-01-21 12:00")) == ()
    assert on_call(turns, at("2026-02-03 12:00")) == ("alice",)


def test_an_occurrence_that_somebody_else_took_is_theirs() -> None:
    swapped = (
        "SUMMARY:dave\nUID:1\nRECURRENCE-ID:20260119T080000Z\n"
        "DTSTART;TZID=Europe/Paris:20260119T090000\nDTEND;TZID=Europe/Paris:20260126T090000"
    )

    assert on_call(rota(WEEKLY, swapped), at("2026-01-20")) == ("dave",)


def test_what_is_cancelled_does_not_count() -> None:
    one = (
        "SUMMARY:alice\nUID:1\nRECURRENCE-ID;TZID=Europe/Paris:20260119T090000\nSTATUS:CANCELLED\n"
        "DTSTART;TZID=Europe/Paris:20260119T090000\nDTEND;TZID=Europe/Paris:20260126T090000"
    )

    assert on_call(rota(WEEKLY, one), at("2026-01-20")) == ()
    assert on_call(rota(WEEKLY, one), at("2026-02-03")) == ("alice",)
    assert on_call(rota(f"{WEEKLY}\nSTATUS:CANCELLED"), at("2026-01-06")) == ()


def test_whole_days_and_times_without_a_zone_are_of_the_rota_s_zone() -> None:
    day = "SUMMARY:erin\nUID:5\nDTSTART;VALUE=DATE:20260328\nDTEND;VALUE=DATE:20260330"
    one = "SUMMARY:fay\nUID:6\nDTSTART;VALUE=DATE:20260401"
    floating = "SUMMARY:gus\nUID:7\nDTSTART:20260402T090000\nDURATION:PT8H"
    turns = rota(day, one, floating)

    assert on_call(turns, at("2026-03-27 23:59:59")) == ()
    assert on_call(turns, at("2026-03-28 00:00")) == ("erin",)
    assert on_call(turns, at("2026-03-29 23:59:59")) == ("erin",)  # clocks changed in between
    assert on_call(turns, at("2026-03-30 00:00")) == ()
    assert on_call(turns, at("2026-04-01 23:59:59")) == ("fay",)
    assert on_call(turns, at("2026-04-02 08:59:59")) == ()
    assert on_call(turns, at("2026-04-02 16:59:59")) == ("gus",)


def test_a_calendar_may_bring_its_own_time_zone() -> None:
    turns = rota(WEEKLY.replace("Europe/Paris", "Head Office"), head=OWN_ZONE)

    assert on_call(turns, at("2026-07-06 08:59:59")) == ()
    assert on_call(turns, at("2026-07-06 09:00:00")) == ("alice",)


def test_nights_of_working_days() -> None:
    nights = (
        "SUMMARY:night shift\nUID:8\nDTSTART;TZID=Europe/Paris:20260105T200000\nDURATION:PT12H\n"
        "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
    )
    turns = rota(nights)

    assert on_call(turns, at("2026-11-27 23:00")) == ("night shift",)  # a Friday
    assert on_call(turns, at("2026-11-28 07:59")) == ("night shift",)
    assert on_call(turns, at("2026-11-28 23:00")) == ()


def test_a_rule_of_half_a_century_costs_little() -> None:
    old = "SUMMARY:old hand\nUID:9\nDTSTART:19700101T000000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY"
    turns = rota(old)

    began = time.process_time()
    for day in range(1, 29):
        assert on_call(turns, datetime(2026, 2, day, 0, 30, tzinfo=UTC)) == ("old hand",)

    assert time.process_time() - began < 1.0  # counted from its beginning, each would take a tenth of it


_rules = st.builds(
    lambda frequency, interval, days, months, end: ";".join(
        (f"FREQ={frequency}", f"INTERVAL={interval}", *days, *months, *end)
    ),
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.integers(1, 9),
    st.sampled_from([(), ("BYDAY=MO",), ("BYDAY=SA,SU",), ("BYDAY=MO,TU,WE,TH,FR,SA,SU",)]),
    st.sampled_from([(), ("BYMONTH=2",), ("BYMONTH=1,7,12",)]),
    st.sampled_from([(), ("COUNT=5",), ("COUNT=200",), ("UNTIL=20250601T000000Z",)]),
)


@settings(deadline=None, max_examples=150)
@given(_rules, st.integers(1, 200), st.integers(0, 6 * 365 * 24))
def test_it_is_as_if_all_occurrences_were_counted_from_the_first(rule: str, hours: int, after: int) -> None:
    first = datetime(2024, 1, 31, 18, tzinfo=UTC)
    moment = first + timedelta(hours=after)
    length = timedelta(hours=hours)
    text = f"SUMMARY:x\nUID:1\nDTSTART:20240131T180000Z\nDURATION:PT{hours}H\nRRULE:{rule}"
    try:
        found = on_call(rota(text), moment)
    except OperatorError as error:
        assert "never comes true" in str(error)  # noqa: PT017 - it may come true or not
        return

    starts = [first, *rrulestr(rule, dtstart=first).between(moment - length, moment, inc=True)]
    assert (found == ("x",)) is any(start <= moment < start + length for start in starts)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is no calendar"),
        ("hello", "it is no calendar"),
        (HEAD, "it is no calendar"),
        (f"{HEAD}BEGIN:VEVENT\n", "it is no calendar"),
        ("x" * (LARGEST + 1), f"more than {LARGEST} characters"),
        (calendar(*[WEEKLY] * (MOST_EVENTS + 1)), f"more than {MOST_EVENTS} events"),
        (calendar(WEEKLY.replace("alice", "")), "does not say who is on call"),
        (calendar(WEEKLY.replace("SUMMARY:alice\n", "")), "does not say who is on call"),
        (calendar("SUMMARY:alice\nUID:1"), "event 'alice': it has no DTSTART"),
        (calendar(WEEKLY.replace("Europe/Paris", "Nowhere/Land")), "there is no time zone 'Nowhere/Land'"),
        (calendar(WEEKLY.replace("20260105T", "2026-Jan-5T")), "event 'alice': DTSTART"),
        (calendar(WEEKLY.replace("20260112T", "20260105T")), "must end after it begins"),
        (calendar(WEEKLY.replace("20260112T", "20260101T")), "must end after it begins"),
        (calendar(WEEKLY.replace("20260112T", "20290112T")), "within 366 days"),
        (calendar("SUMMARY:alice\nUID:1\nDTSTART:20260105T090000Z"), "must end after it begins"),
        (calendar(WEEKLY.replace("20260105T", "00010105T")), "too far away"),
        (calendar(WEEKLY.replace("WEEKLY", "SECONDLY")), "too fine a rule"),
        (calendar(WEEKLY.replace("WEEKLY", "HOURLY")), "too fine a rule"),
        (calendar(f"{WEEKLY};BYSECOND=1,2,3"), "BYSECOND"),
        (calendar(f"{WEEKLY};BYHOUR=1,2,3"), "BYHOUR"),
        (calendar(f"{WEEKLY};COUNT=99999999"), "more than 10000 times"),
        (calendar(WEEKLY.replace("INTERVAL=2", "INTERVAL=0")), "INTERVAL"),
        (calendar(WEEKLY.replace("INTERVAL=2", "INTERVAL=9999999")), "INTERVAL"),
        (calendar(WEEKLY.replace("FREQ=WEEKLY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")), "never comes true"),
        (calendar(f"{WEEKLY}\nEXDATE:" + ",".join(["20260119T080000Z"] * (MOST_DATES + 1))), "dates"),
        (
            calendar(f"{WEEKLY}\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260119T080000Z"),
            "RANGE is not understood",
        ),
        (calendar(WEEKLY, head=OWN_ZONE.replace("YEARLY", "SECONDLY")), "other than once a year"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(text: str, reason: str) -> None:
    with pytest.raises(OperatorError, match=reason) as caught:
        read(text, "rota.ics", PARIS)

    assert str(caught.value).startswith("rota.ics: ")


def test_a_hostile_name_is_on_one_line_and_short() -> None:
    name = "a\\nb\u202e" + "x" * 100
    (found,) = on_call(rota(WEEKLY.replace("alice", name)), at("2026-01-06"))

    assert len(found) <= 63
    assert found.isprintable() or "\ufffd" in found
    assert "\u202e" not in found
    assert "\n" not in found


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.sampled_from(
            [
                *calendar(WEEKLY, OTHER, head=OWN_ZONE).splitlines(),
                "RRULE:FREQ=DAILY",
                "RRULE:",
                "EXDATE:",
                "RDATE;VALUE=PERIOD:x/y",
                "DURATION:-P1D",
                "DTEND:20260112",
                "DTSTART;TZID=:20260105T090000",
                "SUMMARY;X=\ud7ff:\x00",
            ]
        ),
        max_size=40,
    )
)
def test_any_lines_are_a_rota_or_told(lines: list[str]) -> None:
    with suppress(OperatorError):
        on_call(read("\r\n".join(lines), "rota.ics", PARIS), at("2026-01-06"))


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 600), st.text(max_size=8))
def test_a_calendar_with_any_change_is_a_rota_or_told(place: int, change: str) -> None:
    whole = calendar(WEEKLY, OTHER, head=OWN_ZONE)
    with suppress(OperatorError):
        on_call(read(whole[:place] + change + whole[place + len(change) :], "r", PARIS), at("2026-01-06"))


def test_a_stand_in_is_told_alone_and_two_who_begin_together_are_both() -> None:
    alone = WEEKLY.replace("alice", "carol").replace("UID:1", "UID:3").replace("20260105T09", "20260106T09")
    beside = WEEKLY.replace("alice", "dave").replace("UID:1", "UID:4")

    assert in_charge(rota(WEEKLY, alone), at("2026-01-05 12:00")) == ("alice",)
    assert in_charge(rota(WEEKLY, alone), at("2026-01-07 12:00")) == ("carol",)
    assert in_charge(rota(WEEKLY, beside), at("2026-01-07 12:00")) == ("alice", "dave")
    assert in_charge(rota(WEEKLY), at("2026-01-13 12:00")) == ()
