from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hermes_display import day
from hermes_display.day import HOURS, MOST_TACTICS, QUARTER, QUARTERS, Day, Hours
from hermes_display.tally import CRITICAL, HIGH, LOW
from socme.v1.watch_pb2 import ClientSummary, SeverityCount, Slot, TacticCount
from tests.hermes_display.watch_server import NOON, stamp

QUARTER_PAST = NOON + timedelta(minutes=17)


def slot(begin: datetime, alerts: int) -> Slot:
    return Slot(begin=stamp(begin), alerts=[SeverityCount(severity=HIGH, alerts=alerts)])  # type: ignore[arg-type]


def test_quarters_are_put_where_their_time_is() -> None:
    """Whichever are missing, too old or of the future."""
    told = [
        slot(NOON, 5),
        slot(NOON + QUARTER, 7),
        slot(NOON - timedelta(days=3), 9),
        slot(NOON + timedelta(days=3), 9),
        Slot(),
    ]
    read = day.read(told, [], QUARTER_PAST, least=0)
    assert read.begin == NOON + QUARTER
    assert read.quarters[-2:] == ({HIGH: 5}, {HIGH: 7})
    assert not any(read.quarters[:-2])
    assert len(read.quarters) == QUARTERS


def test_an_alert_counts_in_its_quarter_and_for_its_tactics_once_each() -> None:
    made = day.counted(Day(NOON), CRITICAL, 3, QUARTER_PAST, ["Impact", "Impact", "Execution"])
    made = day.counted(made, LOW, 1, NOON + timedelta(minutes=1), [])
    assert made.quarters[-2:] == ({LOW: 1}, {CRITICAL: 3})
    assert made.tactics == {"Impact": 3, "Execution": 3}


def test_tactics_are_bounded_and_cleaned() -> None:
    told = [TacticCount(tactic=f"\x1b{number}", alerts=1) for number in range(40)]
    read = day.read([], told, NOON, least=0)
    assert len(read.tactics) == MOST_TACTICS
    assert not any("\x1b" in name for name in read.tactics)
    assert len(day.counted(read, LOW, 1, NOON, [str(number) for number in range(40)]).tactics) == MOST_TACTICS


def test_time_moves_the_quarters_on_and_never_back() -> None:
    made = day.counted(Day(NOON), LOW, 1, NOON, [])
    later = day.advanced(made, NOON + 2 * QUARTER)
    assert later.quarters[-3:] == ({LOW: 1}, {}, {})
    assert day.advanced(later, NOON) == later
    assert not any(day.advanced(made, NOON + timedelta(days=400)).quarters)


def test_hours_are_read_and_move_on_and_what_was_usual_is_forgotten() -> None:
    told = ClientSummary(hours=[1, 2, 3], usual=4.5)
    hours = day.read_hours(told, NOON)
    assert hours is not None
    assert (hours.counts[-3:], len(hours.counts), hours.usual) == ((1, 2, 3), HOURS, 4.5)
    hours = day.counted_hour(hours, 2, NOON + timedelta(minutes=59))
    assert (hours.counts[-1], hours.usual) == (5, 4.5)
    hours = day.counted_hour(hours, 1, NOON + timedelta(minutes=60))
    assert (hours.counts[-2:], hours.usual) == ((5, 1), None)
    assert day.counted_hour(hours, 1, NOON - timedelta(days=3)) == hours


def test_hours_that_the_hub_does_not_tell_are_none() -> None:
    assert day.read_hours(ClientSummary(), NOON) is None
    unknown = day.read_hours(ClientSummary(hours=[1]), NOON)
    assert unknown is not None
    assert unknown.usual is None


@given(st.lists(st.integers(-200_000, 200_000), max_size=30))
def test_a_day_is_always_a_day_long(seconds: list[int]) -> None:
    made, hours = Day(NOON), Hours(NOON, (0,) * HOURS, None)
    for second in seconds:
        received = NOON + timedelta(seconds=second)
        made = day.counted(made, HIGH, 1, received, [])
        hours = day.counted_hour(hours, 1, received)
    assert len(made.quarters) == QUARTERS
    assert len(hours.counts) == HOURS
    assert sum(sum(each.values()) for each in made.quarters) <= len(seconds)
