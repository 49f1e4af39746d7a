from datetime import UTC, timedelta
from pathlib import Path

import pytest

from socme.v1.alert_pb2 import Severity
from socme.v1.watch_pb2 import Triage, TriageStatus
from tests.zeus_hub.stored import alert
from zeus_hub.rehearsal import rehearse
from zeus_hub.routes.reading import load
from zeus_hub.routes.rules import Rules


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    (tmp_path / "rules.toml").write_text(
        """
        [receiver.soc]
        kind = "mail"
        [[route]]
        name = "severe"
        match = "severity >= high"
        group_by = ["rule.id"]
        group_wait = "30s"
        receivers = ["soc"]
        """
    )
    return load(tmp_path)


def test_what_would_have_been_told_and_what_not(rules: Rules) -> None:
    """Alerts come a minute apart here; each is told, and what nobody wanted is named."""
    high, low = Severity.SEVERITY_HIGH, Severity.SEVERITY_LOW
    found = list(rehearse(rules, [alert(1, severity=high), alert(2, severity=low), alert(3, severity=high)]))

    told = [each for each in found if each.telling]
    assert [(each.route, each.telling and each.telling.reason, each.count) for each in told] == [
        ("severe", "new", 1),
        ("severe", "more", 2),
    ]
    assert [each.alert for each in found if each.telling is None] == [f"{2:032x}"]


def test_everything_is_told_at_its_time(rules: Rules) -> None:
    high = Severity.SEVERITY_HIGH
    alerts = [alert(number, severity=high) for number in (0, 1, 60 * 8)]
    first = alerts[0].received.ToDatetime(UTC)
    found = [
        (each.time - first, each.telling.reason, each.telling.receivers, each.count)
        for each in rehearse(rules, alerts)
        if each.telling
    ]

    assert found == [
        (timedelta(seconds=30), "new", ("soc",), 1),
        (timedelta(seconds=330), "more", ("soc",), 2),
        (timedelta(hours=8, seconds=30), "more", ("soc",), 3),
    ]


@pytest.mark.parametrize(
    ("wait", "severity"), [("30s", Severity.SEVERITY_CRITICAL), ("0s", Severity.SEVERITY_HIGH)]
)
def test_what_waits_for_nothing_is_told_as_it_comes(
    wait: str, severity: Severity.ValueType, tmp_path: Path
) -> None:
    """What came in the same moment is told with it, and later alerts at the next look."""
    (tmp_path / "rules.toml").write_text(
        f"""
        [receiver.soc]
        kind = "mail"
        [[route]]
        name = "all"
        group_wait = "{wait}"
        receivers = ["soc"]
        """
    )
    agreed, alerts = load(tmp_path), [alert(number, severity=severity) for number in (1, 2, 3)]
    alerts[1].received.CopyFrom(alerts[0].received)
    first = alerts[0].received.ToDatetime(UTC)

    def told(count: int) -> list[tuple[timedelta, int]]:
        return [(each.time - first, each.count) for each in rehearse(agreed, alerts[:count])]

    assert told(1) == [(timedelta(0), 1)]
    assert told(3) == [(timedelta(0), 2), (timedelta(minutes=5), 3)]


def test_alerts_that_stand_in_the_wrong_order_do_not_turn_time_back(rules: Rules) -> None:
    alerts = [alert(number, severity=Severity.SEVERITY_HIGH) for number in (2, 1)]

    assert [each.count for each in rehearse(rules, alerts)] == [2]


def test_what_people_did_since_counts_for_nothing(rules: Rules) -> None:
    done = alert(1, severity=Severity.SEVERITY_HIGH)
    done.triage.CopyFrom(Triage(status=TriageStatus.TRIAGE_STATUS_CLOSED))

    assert [each.telling is not None for each in rehearse(rules, [done])] == [True]
    assert done.triage.status == TriageStatus.TRIAGE_STATUS_CLOSED, "the caller's alert is as it was"


def test_without_alerts_nothing_happens(rules: Rules) -> None:
    assert list(rehearse(rules, [])) == []
    assert [each.telling for each in rehearse(Rules(), [alert(1)])] == [None]
