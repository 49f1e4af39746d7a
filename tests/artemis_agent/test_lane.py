import pytest

from artemis_agent.lane import lane_of
from socme.v1.alert_pb2 import Severity
from socme.v1.uplink_pb2 import Lane

FROM_THE_FUTURE = 9


@pytest.mark.parametrize(
    ("severity", "waits"),
    [
        (Severity.SEVERITY_UNSPECIFIED, False),
        (Severity.SEVERITY_LOW, True),
        (Severity.SEVERITY_MEDIUM, True),
        (Severity.SEVERITY_HIGH, False),
        (Severity.SEVERITY_CRITICAL, False),
        (FROM_THE_FUTURE, False),
    ],
)
def test_of_a_backlog_only_what_is_known_to_be_harmless_waits(severity: int, waits: bool) -> None:  # noqa: FBT001
    assert lane_of(severity, live=False) == (Lane.LANE_NORMAL if waits else Lane.LANE_URGENT)


@pytest.mark.parametrize("severity", [*Severity.values(), FROM_THE_FUTURE])
def test_what_is_live_is_urgent(severity: int) -> None:
    assert lane_of(severity, live=True) == Lane.LANE_URGENT
