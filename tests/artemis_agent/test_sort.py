"""What leaves, what is held and what stays; and in which lane it leaves."""

import pytest

from artemis_agent import sort as sorting
from artemis_agent.examine import Found
from artemis_agent.held import Held
from artemis_agent.rollup import Limits, Windows
from artemis_agent.sort import Sorted, sort, waiting
from socme.v1.alert_pb2 import Alert, Severity
from socme.v1.uplink_pb2 import Lane

NOW = 1_700_000_000_000_000
MINUTE = 60_000_000
LOW, HIGH = Severity.SEVERITY_LOW, Severity.SEVERITY_HIGH


def alert(
    number: int, *, key: bytes = b"", drop: str = "", severity: Severity.ValueType = LOW, time: int = NOW
) -> Found:
    made = Alert(id=bytes([number]) * 16, severity=severity, count=1)
    return Found(made.SerializeToString(), severity, drop=drop, key=key, time_us=time)


def holding(burst: int = 1) -> Held:
    return Held("eve", Windows(Limits(burst, MINUTE)))


def taken(*alerts: Found, held: Held, now: int = NOW, refuse: int | None = None) -> Sorted:
    return sort(alerts, held, now, has_room=lambda severity: severity != refuse, more=())


def test_each_goes_one_way() -> None:
    result = taken(
        alert(1), alert(2, drop="min_severity"), alert(3, key=b"k"), alert(4, key=b"k"), held=holding()
    )

    assert result.going == [alert(1), alert(3, key=b"k")]
    assert (result.dropped, result.held, result.made) == ({"min_severity": 1}, 1, 0)


def test_a_roll_up_leaves_before_the_alert_that_ends_it() -> None:
    held = holding()
    taken(alert(1, key=b"k"), alert(2, key=b"k"), alert(3, key=b"k"), held=held)

    result = taken(alert(4, key=b"k", time=NOW + MINUTE), held=held)

    (due,) = result.dues
    assert result.going == [due, alert(4, key=b"k", time=NOW + MINUTE)]
    assert (due.window.held, result.made) == (2, 1)


def test_where_there_is_no_room_an_alert_stays_but_no_roll_up_does() -> None:
    """What it stands for is gone past."""
    held = holding()
    taken(alert(1, key=b"k"), alert(2, key=b"k"), held=held)

    result = taken(alert(3), alert(4, severity=HIGH), held=held, now=NOW + MINUTE, refuse=LOW)

    assert result.dropped == {"spool_full": 1}
    assert result.going == [alert(4, severity=HIGH), *result.dues]
    assert len(result.dues) == 1


def test_without_room_a_roll_up_counts_on_but_none_begins() -> None:
    """Each begun is one more alert that must leave; what it counts on takes no room."""
    held = holding()
    taken(alert(1, key=b"k"), alert(2, key=b"k"), alert(3, key=b"l"), held=held)

    result = taken(
        *[alert(n, key=key) for n, key in ((4, b"k"), (5, b"l"), (6, b"m"))], held=held, refuse=LOW
    )

    assert (result.held, result.dropped, result.going) == (1, {"spool_full": 2}, [])
    assert [due.window.held for due in taken(held=held, now=NOW + MINUTE, refuse=LOW).dues] == [2]


def test_roll_ups_leave_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "MOST_DUE", 2)
    held = holding()
    for key in (b"a", b"b", b"c"):
        taken(alert(1, key=key), alert(2, key=key), held=held)

    assert [len(taken(held=held, now=NOW + MINUTE).going) for _ in range(3)] == [2, 1, 0]


def test_what_the_node_says_of_itself_goes_first() -> None:
    own = Alert(severity=HIGH)
    result = sort([alert(1)], holding(), NOW, has_room=lambda _: False, more=[own])

    assert (result.going, result.made) == ([own], 1)


def test_lanes() -> None:
    """A roll-up goes in the lane of its alerts."""
    held = holding()
    taken(alert(1, key=b"k", severity=HIGH), alert(2, key=b"k", severity=HIGH), held=held)
    going = [alert(3), *taken(held=held, now=NOW + MINUTE).going, Alert(severity=HIGH)]

    urgent, normal = Lane.LANE_URGENT, Lane.LANE_NORMAL
    assert [each.lane for each in waiting(going, {}, live=False)] == [normal, urgent, urgent]
    assert [each.lane for each in waiting(going, {}, live=True)] == [urgent] * 3


def test_a_roll_up_is_made_of_what_lies_in_the_spool() -> None:
    held = holding()
    taken(alert(1, key=b"k"), alert(2, key=b"k"), alert(3, key=b"k"), held=held)
    first = alert(2).payload
    held.kept()
    (due,) = taken(held=held, now=NOW + MINUTE).dues

    (made,) = waiting([due], {b"k": first}, live=False)

    assert due.first == b""
    assert Alert.FromString(made.payload).count == 2
