"""What is raised and cleared, and when."""

from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socme.v1.alert_pb2 import Severity
from zeus_hub import conditions
from zeus_hub.conditions import Finding, Judged
from zeus_hub.raising import MOST_OF_ONE, TIMES, Book, Change, Open, Times

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
NODE = ("acme", "acme-1")


def finding(kind: str, subject: str = "") -> Finding:
    return Finding(kind, subject, Severity.SEVERITY_HIGH, f"{kind} it is")


def step(book: Book, at: float, *found: Finding, undecided: frozenset[str] = frozenset()) -> list[Change]:
    """Judge a node `at` seconds after noon."""
    return book.step({NODE: Judged(found, undecided)}, at=at, now=NOON + timedelta(seconds=at))


def told(changes: list[Change]) -> list[tuple[str, bool]]:
    return [(change.condition.kind, change.raised) for change in changes]


@pytest.mark.parametrize(("kind", "times"), TIMES.items())
def test_a_condition_must_last_before_it_is_raised_and_be_gone_before_it_clears(
    kind: str, times: Times
) -> None:
    book = Book()
    before = [] if times.hold else [(kind, True)]
    assert told(step(book, 0, finding(kind))) == before
    assert told(step(book, times.hold + 1, finding(kind))) == ([(kind, True)] if times.hold else [])
    (raised,) = book.opened()
    assert (raised.since, raised.key) == (NOON, (*NODE, kind, ""))

    begun = times.hold + 2
    assert told(step(book, begun)) == ([] if times.clear else [(kind, False)])
    assert told(step(book, begun + times.clear)) == ([(kind, False)] if times.clear else [])
    assert list(book.opened()) == []


def test_every_kind_has_its_times() -> None:
    assert set(TIMES) == set(conditions.TITLES)


def test_what_comes_and_goes_is_raised_once() -> None:
    book = Book()
    changes = [told(step(book, at, *[finding("node_silent")] * (at % 6 < 3))) for at in range(60)]

    assert list(chain.from_iterable(changes)) == [("node_silent", True)]


def test_what_never_lasts_is_never_raised() -> None:
    book = Book()
    changes = [told(step(book, at, *[finding("clock_skew")] * (at % 6 < 3))) for at in range(600)]

    assert list(chain.from_iterable(changes)) == []


def test_what_cannot_be_judged_stays_as_it_is() -> None:
    book = Book()
    step(book, 0, finding("sensor_blind"))
    unknown = frozenset({"sensor_blind"})

    assert [step(book, at, undecided=unknown) for at in range(1, 3600, 60)] == [[]] * 60
    assert told(step(book, 3600)) == []
    assert told(step(book, 3630)) == [("sensor_blind", False)]


def test_subjects_are_told_apart() -> None:
    book = Book()
    step(book, 0, finding("canary_lost", "a"), finding("canary_lost", "b"))
    step(book, 1, finding("canary_lost", "b"))
    changes = step(book, 31, finding("canary_lost", "b"))

    assert [change.condition.subject for change in changes] == ["a"]


def test_what_was_open_at_the_start_is_not_raised_again_and_clears_when_gone() -> None:
    old = Open(*NODE, "node_silent", "", NOON - timedelta(hours=1), Severity.SEVERITY_HIGH, "silent")
    book = Book([old])

    assert step(book, 0, finding("node_silent")) == []
    step(book, 1)
    (change,) = step(book, 11)
    assert change == Change(old, raised=False, time=NOON + timedelta(seconds=11))


def test_a_kind_of_another_version_clears_at_once() -> None:
    book = Book([Open(*NODE, "moon_full", "", NOON, Severity.SEVERITY_LOW, "it is")])

    assert told(step(book, 0)) == [("moon_full", False)]


def test_a_node_that_is_gone_has_no_conditions() -> None:
    book = Book([Open(*NODE, "clock_skew", "", NOON, Severity.SEVERITY_LOW, "off")])
    changes = [book.step({}, at=at, now=NOON) for at in (0.0, 61.0)]

    assert [told(each) for each in changes] == [[], [("clock_skew", False)]]


def test_no_node_can_raise_more_than_its_share() -> None:
    book = Book()
    for at in range(0, 1000, 10):
        step(book, at, *[finding("source_silent", f"{at}-{number}") for number in range(100)])

        assert len(list(book.opened())) <= MOST_OF_ONE


KINDS = sorted(TIMES)
MOMENT = st.tuples(
    st.floats(0, 200),  # seconds since the last look
    st.sets(st.tuples(st.sampled_from(KINDS[:4]), st.sampled_from(["", "a"]))),
    st.sets(st.sampled_from(KINDS[:4])),
)


@settings(deadline=None)
@given(st.lists(MOMENT, max_size=60))
def test_raising_and_clearing_alternate_and_each_has_its_cause(
    moments: list[tuple[float, set[tuple[str, str]], set[str]]],
) -> None:
    book, at = Book(), 0.0
    last: dict[tuple[str, str], bool] = {}
    for gap, found, undecided in moments:
        at += gap
        changes = step(book, at, *[finding(*each) for each in sorted(found)], undecided=frozenset(undecided))
        for change in changes:
            key = (change.condition.kind, change.condition.subject)
            assert change.raised is not last.get(key, False), "in turn, and raised first"
            last[key] = change.raised
            assert change.raised is (key in found), "raised while it is so, cleared while it is not"
            if not change.raised:
                assert key[0] not in undecided
        assert {one.key[2:] for one in book.opened()} == {key for key, raised in last.items() if raised}
