"""What is held and when it is due; that nothing is counted twice or not at all."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent import rollup
from artemis_agent.rollup import Ended, Limits, Window, Windows
from socme.v1.alert_pb2 import Alert, Endpoint, Host, Rule, Severity

SECOND = 1_000_000
LIMITS = Limits(burst=2, window_us=60 * SECOND)
NOW = 1_700_000_000 * SECOND


def hold(windows: Windows, *seconds: int, key: bytes = b"k", now: int = 0) -> list[bool]:
    """Ask for alerts of these times, in seconds; return which were held."""
    return [windows.hold(key, NOW + second * SECOND, NOW + now * SECOND)[0] for second in seconds]


def test_after_the_burst_alerts_are_held_until_the_windows_end() -> None:
    windows = Windows(LIMITS)

    assert hold(windows, 0, 1, 2, 59) == [False, False, True, True]
    assert list(windows.end_due(NOW + 59 * SECOND)) == []
    (ended,) = windows.end_due(NOW + 60 * SECOND)

    assert ended.key == b"k"
    assert (ended.window.held, ended.window.passed) == (2, 2)
    assert (ended.window.first_us, ended.window.last_us) == (NOW + 2 * SECOND, NOW + 59 * SECOND)
    assert list(windows.end_due(NOW + 9999 * SECOND)) == []


def test_a_backlog_is_rolled_up_by_its_own_times() -> None:
    """Hours of it are read within a second: each window gives one roll-up, and a burst."""
    windows = Windows(LIMITS)
    found = [windows.hold(b"k", NOW + second * SECOND, NOW + 7200 * SECOND) for second in range(0, 180, 10)]

    assert [held for held, _ in found] == ([False] * 2 + [True] * 4) * 3
    assert [ended.window.held for _, ended in found if ended] == [4, 4]
    assert [ended.window.held for ended in windows.end_due(NOW + 7300 * SECOND)] == [4]


def test_a_sensor_whose_clock_stands_still_ends_its_windows_all_the_same() -> None:
    windows = Windows(LIMITS)
    hold(windows, 0, 0, 0)
    held, ended = windows.hold(b"k", NOW, NOW + 60 * SECOND)

    assert not held
    assert ended == Ended(b"k", Window(NOW, NOW, passed=2, held=1, first_us=NOW, last_us=NOW))


def test_a_clock_that_is_set_back_holds_nothing_up() -> None:
    windows = Windows(LIMITS)
    hold(windows, 0, 0, 0)

    assert [ended.window.held for ended in windows.end_due(NOW - 3600 * SECOND)] == [1]


def test_once_a_window_holds_all_more_of_it_is_held() -> None:
    """Also where a later start has a larger burst: what a roll-up stands for lies one behind the other."""
    windows = Windows(replace(LIMITS, burst=9))
    windows.restore(b"k", Window(NOW, NOW, passed=2, held=1, first_us=NOW, last_us=NOW))

    assert hold(windows, 1, 2) == [True, True]


def test_alerts_out_of_order_share_a_window() -> None:
    windows = Windows(LIMITS)
    hold(windows, 0, 1)

    assert hold(windows, -30, 40, -20) == [True] * 3
    (ended,) = windows.end_due(NOW + 60 * SECOND)
    assert (ended.window.first_us, ended.window.last_us) == (NOW - 30 * SECOND, NOW + 40 * SECOND)


def test_other_alerts_are_not_in_the_way() -> None:
    windows = Windows(LIMITS)

    assert hold(windows, 0, 1, 2) == [False, False, True]
    assert hold(windows, 0, 1, 2, key=b"other") == [False, False, True]


def test_at_the_bound_new_kinds_of_alerts_pass_one_by_one() -> None:
    """And the windows that there are go on; once one has ended there is room again."""
    windows = Windows(replace(LIMITS, most_windows=1))
    hold(windows, 0, 1)

    assert hold(windows, *range(10), key=b"other") == [False] * 10
    assert hold(windows, 2) == [True]
    assert len(list(windows.end_due(NOW + 60 * SECOND))) == 1
    assert hold(windows, 60, 61, 62, key=b"other", now=60) == [False, False, True]


def test_what_is_due_next_is_known() -> None:
    windows = Windows(LIMITS)
    assert windows.due_us() is None
    hold(windows, 0, now=5)
    hold(windows, 0, key=b"other", now=7)

    assert windows.due_us() == NOW + 65 * SECOND


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-100, 100), st.integers(-5, 30)), max_size=80),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_each_alert_is_in_exactly_one_place(steps: list[tuple[int, int, int]], burst: int, most: int) -> None:
    """Whatever the clocks of sensor and node do: what passed and the counts of roll-ups are all of them."""
    windows = Windows(Limits(burst, 60 * SECOND, most))
    now, passed, counted = NOW, 0, 0
    for kind, time, pause in steps:
        now += pause * SECOND
        held, ended = windows.hold(bytes([kind]), NOW + time * SECOND, now)
        passed += not held
        counted += ended.window.held if ended else 0
        counted += sum(each.window.held for each in windows.end_due(now))
    counted += sum(each.window.held for each in windows.end_due(now + 10**6 * SECOND))

    assert passed + counted == len(steps)


def alert(change: Alert | None = None) -> Alert:
    made = Alert(
        id=bytes(16),
        rule=Rule(id="1", name="n", generator=1),
        source_endpoint=Endpoint(ip="192.0.2.1", port=7),
        destination_endpoint=Endpoint(ip="192.0.2.2", port=8),
        host=Host(id="001", name="h"),
        severity=Severity.SEVERITY_LOW,
        count=1,
        raw=b"line",
    )
    made.MergeFrom(change or Alert())
    return made


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (Alert(source_endpoint=Endpoint(port=9)), True),
        (Alert(rule=Rule(name="sshd: 17 failures")), True),
        (Alert(raw=b"another", offset=9), True),
        (Alert(rule=Rule(id="2")), False),
        (Alert(rule=Rule(generator=3)), False),
        (Alert(source_endpoint=Endpoint(ip="192.0.2.9")), False),
        (Alert(destination_endpoint=Endpoint(ip="192.0.2.9")), False),
        (Alert(host=Host(id="002")), False),
        (Alert(severity=Severity.SEVERITY_CRITICAL), False),
    ],
)
def test_what_alerts_have_in_common(change: Alert, *, same: bool) -> None:
    assert (rollup.key(alert()) == rollup.key(alert(change))) is same


def test_copies_of_different_signatures_differ() -> None:
    """Wazuh gives all that Suricata found one rule."""
    one, two = (alert(Alert(rule=Rule(id="86601", name=f"Suricata: Alert - {name}"))) for name in "ab")

    assert rollup.key(one) != rollup.key(two)


def test_a_roll_up_is_its_first_alert_with_count_and_times() -> None:
    first = alert()
    window = Window(NOW, NOW, passed=2, held=5, first_us=NOW + 1, last_us=NOW + SECOND)

    made = rollup.rolled_up(first.SerializeToString(), window)

    assert (made.count, made.raw, made.rule.id) == (5, b"line", "1")
    assert made.first.ToMicroseconds() == NOW + 1
    assert made.last.ToMicroseconds() == NOW + SECOND
    assert made.id != first.id
    assert made.id == rollup.rolled_up(first.SerializeToString(), window).id
    assert made.id != rollup.rolled_up(first.SerializeToString(), replace(window, held=6)).id


def test_a_roll_up_of_one_is_that_alert() -> None:
    first = alert()
    window = Window(NOW, NOW, passed=2, held=1, first_us=NOW, last_us=NOW)

    assert rollup.rolled_up(first.SerializeToString(), window) == first


def test_times() -> None:
    """Of the event; where it has none, of its reading."""
    timed = Alert()
    timed.time.FromMicroseconds(NOW)
    timed.observed.FromMicroseconds(NOW + 5)
    untimed = Alert()
    untimed.observed.FromMicroseconds(NOW + 5)

    assert rollup.time_us(timed) == NOW
    assert rollup.time_us(untimed) == NOW + 5
