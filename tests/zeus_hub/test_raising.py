"""What is raised and cleared, and when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socme.v1.alert_pb2 import Severity
from zeus_hub import conditions
from zeus_hub.conditions import Finding, Judged
from zeus_hub.raising import CALM_SECONDS, LONGEST_CLEAR, MOST_OF_ONE, TIMES, Book, Change, Open, Times

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
NODE = ("acme", "acme-1")
LOW, MEDIUM, HIGH = Severity.SEVERITY_LOW, Severity.SEVERITY_MEDIUM, Severity.SEVERITY_HIGH
CRITICAL = Severity.SEVERITY_CRITICAL


def finding(kind: str, subject: str = "") -> Finding:
    return Finding(kind, subject, HIGH, f"{kind} it is")


def step(
    book: Book, at: float, *found: Finding, undecided: frozenset[str | tuple[str, str]] = frozenset()
) -> list[Change]:
    """Judge a node `at` seconds after noon."""
    return book.step({NODE: Judged(found, undecided)}, at=at, now=NOON + timedelta(seconds=at))


def told(changes: list[Change]) -> list[tuple[str, bool]]:
    return [(change.condition.kind, change.raised) for change in changes]


def test_a_book_holds_what_was_raised_then_until_it_is_cleared() -> None:
    book = Book()
    key = (*NODE, conditions.NODE_SILENT, "")
    assert not book.holds(key, NOON)
    step(book, 0, finding(conditions.NODE_SILENT))
    assert book.holds(key, NOON)
    assert not book.holds(key, NOON + timedelta(seconds=1)), "that is another one"
    step(book, 1)
    assert book.holds(key, NOON), "it may come back"
    step(book, 20)

    assert not book.holds(key, NOON)


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


def test_time_in_which_it_cannot_be_judged_is_not_time_gone() -> None:
    book = Book()
    step(book, 0, finding("sensor_blind"))
    step(book, 1)
    unknown = frozenset({"sensor_blind"})
    changes = [step(book, at, undecided=unknown) for at in range(2, 3600, 60)]

    assert changes == [[]] * 60
    assert told(step(book, 3600)) == []
    assert told(step(book, 3630)) == [("sensor_blind", False)]


def test_subjects_are_told_apart() -> None:
    book = Book()
    step(book, 0, finding("canary_lost", "a"), finding("canary_lost", "b"))
    step(book, 1, finding("canary_lost", "b"))
    changes = step(book, 31, finding("canary_lost", "b"))

    assert [change.condition.subject for change in changes] == ["a"]


def test_what_was_open_at_the_start_is_not_raised_again_and_clears_when_gone() -> None:
    old = Open(*NODE, "node_silent", "", NOON - timedelta(hours=1), HIGH, "node_silent it is", HIGH)
    book = Book([old])

    assert step(book, 0, finding("node_silent")) == []
    step(book, 1)
    (change,) = step(book, 11)
    assert change == Change(old, raised=False, time=NOON + timedelta(seconds=11))


def test_of_one_subject_alone_it_may_be_that_nothing_can_be_said() -> None:
    book = Book()
    step(book, 0, finding("canary_lost", "a"), finding("canary_lost", "b"))
    undecided: frozenset[str | tuple[str, str]] = frozenset({("canary_lost", "a")})
    changes = [step(book, at, undecided=undecided) for at in (1, 31, 3600)]

    assert [change.condition.subject for each in changes for change in each] == ["b"]


def flap(book: Book, *, up: float, down: float, start: float, seconds: float) -> list[tuple[float, bool]]:
    """Judge a node each second whose link comes and goes; return what is told of it, and when."""
    changes: list[tuple[float, bool]] = []
    for at in range(int(start), int(start + seconds)):
        silent = (at - start) % (up + down) < down
        changes += [(at, one.raised) for one in step(book, at, *[finding("node_silent")] * silent)]
    return changes


def test_what_comes_and_goes_every_minute_takes_twice_as_long_to_clear_each_time() -> None:
    book = Book()
    told_of = flap(book, up=12, down=38, start=0, seconds=3600)
    assert [raised for _, raised in told_of] == [True, False, True], "the second time, 12 s are not enough"

    changes = [(at, *told(step(book, at))) for at in range(3600, 3700)]
    assert [at for at, *each in changes if each] == [3608], "20 s after it was silent last"


def test_it_never_takes_longer_than_half_an_hour() -> None:
    book, at = Book(), 0.0
    took = []
    for _ in range(40):
        step(book, at, finding("canary_lost"))
        gone = at + 1
        step(book, gone)
        at = gone
        while not step(book, at):
            at += 30
        took.append(at - gone)

    assert took[:7] == [30, 60, 120, 240, 480, 960, 1800]
    assert set(took[7:]) == {LONGEST_CLEAR}


def test_after_a_calm_hour_it_is_forgotten_how_often_it_came() -> None:
    book = Book()
    flap(book, up=12, down=38, start=0, seconds=60)
    step(book, 60)
    step(book, 3400)
    assert list(book.opened()) == []
    step(book, 3400 + CALM_SECONDS + 1, finding("node_silent"))
    step(book, 7002)

    assert told(step(book, 7012)) == [("node_silent", False)]


def test_what_is_remembered_of_what_is_over_is_bounded() -> None:
    book = Book()
    for number in range(500):
        step(book, number, finding("canary_lost", str(number)))
    step(book, 600)
    step(book, 700)

    assert [len(past) for past in book._past.values()] == [MOST_OF_ONE]


def grow(book: Book, at: float, severity: Severity.ValueType, message: str) -> list[Change]:
    return step(book, at, Finding("hub_disk", "", severity, message))


def test_what_becomes_worse_is_raised_again_once_that_has_lasted() -> None:
    book = Book()
    grow(book, 0, HIGH, "low")
    (first,) = grow(book, 5, HIGH, "low")
    assert grow(book, 10, CRITICAL, "full") == []
    assert grow(book, 12, HIGH, "low") == [], "for a moment only"
    assert grow(book, 20, CRITICAL, "full") == []
    (second,) = grow(book, 25, CRITICAL, "full")
    (now,) = book.opened()

    assert (first.raised, second.raised, second.silent) == (True, True, False)
    assert (
        second.condition == now == replace(first.condition, severity=CRITICAL, told=CRITICAL, message="full")
    )


def test_what_becomes_less_bad_or_is_another_sentence_is_not_told_but_known() -> None:
    book = Book()
    grow(book, 0, CRITICAL, "full")
    grow(book, 5, CRITICAL, "full")
    assert grow(book, 6, CRITICAL, "full") == []
    (other,) = grow(book, 7, CRITICAL, "broken")
    (milder,) = grow(book, 8, HIGH, "low")
    assert other.silent
    assert milder.silent
    (now,) = book.opened()
    assert (now.severity, now.told, now.message) == (HIGH, CRITICAL, "low")

    (again,) = grow(book, 60, CRITICAL, "full")
    assert again.silent, "it was told once"
    step(book, 61)
    (over,) = step(book, 121)
    assert (over.raised, over.condition.told) == (False, CRITICAL)


def test_a_kind_of_another_version_clears_at_once() -> None:
    book = Book([Open(*NODE, "moon_full", "", NOON, LOW, "it is", LOW)])

    assert told(step(book, 0)) == [("moon_full", False)]


def test_a_node_that_is_gone_has_no_conditions() -> None:
    book = Book([Open(*NODE, "clock_skew", "", NOON, LOW, "off", LOW)])
    changes = [book.step({}, at=at, now=NOON) for at in (0.0, 61.0)]

    assert [told(each) for each in changes] == [[], [("clock_skew", False)]]


def test_no_node_can_raise_more_than_its_share() -> None:
    book = Book()
    for at in range(0, 1000, 10):
        step(book, at, *[finding("source_silent", f"{at}-{number}") for number in range(100)])

        assert len(list(book.opened())) <= MOST_OF_ONE


def test_what_is_raised_is_not_cleared_behind_a_crowd() -> None:
    book = Book([Open(*NODE, "spool_filling", "", NOON, LOW, "full", LOW)])
    crowd = [finding("source_silent", str(number)) for number in range(MOST_OF_ONE)]

    changes = [told(step(book, at, *crowd, finding("spool_filling"))) for at in range(0, 1000, 10)]

    assert ("spool_filling", False) not in chain.from_iterable(changes)


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
