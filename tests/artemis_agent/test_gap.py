"""What a node says of itself."""

from datetime import UTC, datetime, timedelta

import pytest

from artemis_agent import gap
from artemis_agent.source import Gap
from socme.v1.alert_pb2 import Alert, AlertSource, ConditionState, Severity

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
GAP = Gap(file=b"identity", offset=4096, size=1_000, reason="the file went away before it was read")


def gap_alert(each: Gap = GAP, *, origin: str = "eve.json", observed: datetime = NOW) -> Alert:
    return gap.gap_alert(each, origin=origin, observed=observed)


def test_a_gap_says_what_is_lost_and_where() -> None:
    alert = gap_alert()

    assert alert.source == AlertSource.ALERT_SOURCE_SOCME
    assert alert.severity == Severity.SEVERITY_HIGH
    assert alert.rule.id == "socme.gap"
    assert alert.message == (
        "eve.json: at least 1,000 bytes from byte 4,096 on can no longer be had:"
        " the file went away before it was read"
    )
    assert (alert.condition.kind, alert.condition.subject) == ("gap", "eve.json")
    assert alert.condition.state == ConditionState.CONDITION_STATE_HAPPENED
    assert alert.condition.since.ToDatetime(UTC) == alert.time.ToDatetime(UTC) == NOW
    assert (alert.origin, alert.offset, alert.count) == ("eve.json", 4096, 1)


def test_a_gap_of_unknown_size() -> None:
    assert "an unknown number of bytes" in gap_alert(Gap(b"identity", 0, None, "r")).message


def test_the_same_gap_is_known_again() -> None:
    assert gap_alert(observed=NOW + timedelta(hours=1)).id == gap_alert().id
    assert len(gap_alert().id) == 16


@pytest.mark.parametrize(
    "other",
    [
        Gap(b"another", 4096, 1_000, "r"),
        Gap(b"identity", 4097, 1_000, "r"),
        Gap(b"identity", 4096, 1_001, "r"),
        Gap(b"identity", 4096, None, "r"),
    ],
)
def test_another_gap_is_another_alert(other: Gap) -> None:
    assert gap_alert(other).id != gap_alert().id


def test_a_damaged_spool_names_where_it_is_kept() -> None:
    alert = gap.spool_damaged("/var/lib/artemis/spool.db.damaged-1", observed=NOW)

    assert alert.rule.id == "socme.spool_damaged"
    assert alert.condition.kind == "spool_damaged"
    assert "/var/lib/artemis/spool.db.damaged-1" in alert.message
    assert alert.id != gap.spool_damaged("/var/lib/artemis/spool.db.damaged-2", observed=NOW).id
