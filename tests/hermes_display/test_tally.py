from hypothesis import given
from hypothesis import strategies as st

from hermes_display import tally
from hermes_display.tally import CRITICAL, HIGH, LOW, MEDIUM, UNKNOWN
from socme.v1.watch_pb2 import SeverityCount

severities = st.integers(-5, 99)


def test_counts_are_read_by_severity_and_those_of_the_future_are_unrated() -> None:
    told = [
        SeverityCount(severity=HIGH, alerts=2),  # type: ignore[arg-type]
        SeverityCount(severity=77, alerts=3),  # type: ignore[arg-type]
        SeverityCount(severity=UNKNOWN, alerts=1),  # type: ignore[arg-type]
        SeverityCount(severity=LOW, alerts=0),  # type: ignore[arg-type]
    ]
    assert tally.read(told) == {HIGH: 2, UNKNOWN: 4}


def test_what_is_below_the_least_is_left_out_and_what_is_unrated_is_not() -> None:
    told = [SeverityCount(severity=each, alerts=1) for each in (CRITICAL, MEDIUM, LOW, UNKNOWN)]  # type: ignore[arg-type]
    assert tally.read(told, MEDIUM) == {CRITICAL: 1, MEDIUM: 1, UNKNOWN: 1}


def test_the_worst_severity_is_the_most_urgent_of_those_that_are_there() -> None:
    assert tally.worst({LOW: 5, UNKNOWN: 1}) == UNKNOWN
    assert tally.worst({MEDIUM: 1, HIGH: 1}) == HIGH
    assert tally.worst({}) is None
    assert sorted(tally.SEVERITIES, key=tally.rank) == [LOW, UNKNOWN, MEDIUM, HIGH, CRITICAL]


@given(st.lists(st.tuples(severities.map(tally.known), st.integers(-10, 10))))
def test_counts_never_fall_below_none(moves: list[tuple[int, int]]) -> None:
    counts: tally.Counts = {}
    for severity, by in moves:
        counts = tally.moved(counts, severity, by)
        assert all(number > 0 for number in counts.values())
