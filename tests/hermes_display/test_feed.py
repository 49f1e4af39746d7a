from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_display import feed, rows
from hermes_display.feed import MOST_WAITING, ROWS, Feed
from hermes_display.rows import Row
from hermes_display.triage import Stage
from socme.v1.alert_pb2 import Severity
from tests.hermes_display.watch_server import stored

LOW, MEDIUM, HIGH, CRITICAL = (
    Severity.SEVERITY_LOW,
    Severity.SEVERITY_MEDIUM,
    Severity.SEVERITY_HIGH,
    Severity.SEVERITY_CRITICAL,
)


def row(number: int, severity: Severity.ValueType = HIGH, name: str = "") -> Row:
    return rows.read(stored(number, severity=severity, name=name))


def after(*arrived: Row | None, to: Feed | None = None) -> Feed:
    """Return a feed after rows came; None stands for a second that passed."""
    made = to or Feed()
    for each in arrived:
        made = feed.ticked(made) if each is None else feed.arrived(made, each)
    return made


def titles(made: Feed) -> list[str]:
    return [each.title for each in made.shown]


def test_the_first_alert_of_a_second_is_shown_at_once_and_the_others_one_a_second() -> None:
    made = after(row(1), row(2), row(3))
    assert titles(made) == ["Alert 1"]
    assert titles(after(None, to=made)) == ["Alert 1"], "a second after the first"
    assert titles(after(None, None, to=made)) == ["Alert 3", "Alert 1"]
    assert titles(after(None, None, None, to=made)) == ["Alert 3", "Alert 2", "Alert 1"]
    assert titles(after(None, row(9), to=after(row(1)))) == ["Alert 9", "Alert 1"]


def test_the_most_severe_of_those_that_wait_comes_first() -> None:
    made = after(row(1), row(2, MEDIUM), row(3, CRITICAL), row(4), None, None)
    assert titles(made) == ["Alert 3", "Alert 1"]
    assert titles(after(None, to=made)) == ["Alert 4", "Alert 3", "Alert 1"]
    assert titles(after(None, None, to=made)) == ["Alert 4", "Alert 3", "Alert 2", "Alert 1"]


def test_low_alerts_never_enter() -> None:
    assert after(row(1, LOW), None, None) == Feed()
    assert feed.filled([row(1, LOW)]) == Feed()


def test_what_says_the_same_is_counted_in_its_row_and_nothing_moves() -> None:
    made = after(row(1, name="Scan"), None, row(2), None)
    more = after(*[row(number, name="Scan") for number in range(10, 30)], to=made)
    assert titles(more) == titles(made) == ["Alert 2", "Scan"]
    assert more.shown[1].count == 21
    waiting = after(row(1), row(2, name="Scan"), row(3, name="Scan"))
    assert [each.count for each in waiting.waiting] == [2]


def test_a_feed_begins_with_the_newest_rows_each_once() -> None:
    found = [row(number) for number in range(30)] + [row(40, name="Scan"), row(41, name="Scan")]
    made = feed.filled(found)
    assert titles(made)[:2] == ["Scan", "Alert 29"]
    assert (made.shown[0].count, len(made.shown)) == (2, ROWS)


def test_what_waited_for_longer_than_a_row_stays_is_left_out() -> None:
    full = feed.filled([row(number) for number in range(100, 100 + ROWS)])
    made = after(row(300), row(1, MEDIUM), None, None, to=full)
    assert "Alert 1" not in titles(made)
    assert made.waiting == ()


def test_a_key_is_unique_whatever_a_hub_tells() -> None:
    one, other = row(1), rows.read(stored(1, name="Something else"))
    assert titles(feed.filled([one, other])) == ["Alert 1"]
    assert titles(after(None, None, to=after(one, other))) == ["Alert 1"]
    left = feed.triaged(after(row(1, name="Scan"), row(2, name="Scan")), one.key, Stage.CLOSED, "")
    assert titles(after(None, one, to=left)) == ["Scan"], "the row still goes by the name of its first alert"


def test_closed_alerts_leave_the_feed_and_acknowledged_ones_are_marked() -> None:
    made = after(row(1), row(2))
    assert feed.triaged(made, row(1).key, Stage.CLOSED, "").shown == ()
    assert feed.triaged(made, row(2).key, Stage.CLOSED, "").waiting == ()
    marked = feed.triaged(made, row(1).key, Stage.ACKNOWLEDGED, "anna").shown[0]
    assert (marked.is_handled, marked.owner) == (True, "anna")


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.none() | st.builds(row, st.integers(0, 500), st.sampled_from([LOW, MEDIUM, HIGH, CRITICAL])))
)
def test_whatever_comes_the_feed_is_bounded_and_grows_by_one_row_a_second(arrived: list[Row | None]) -> None:
    made = Feed()
    new = 0
    for each in arrived:
        before = {shown.key for shown in made.shown}
        made = after(each, to=made)
        new += len({shown.key for shown in made.shown} - before)
        assert len(made.shown) <= ROWS
        assert len(made.waiting) <= MOST_WAITING
        assert not any(shown.severity == LOW for shown in made.shown)
    assert new <= 1 + arrived.count(None)
