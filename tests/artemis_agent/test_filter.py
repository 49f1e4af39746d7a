"""What leaves the site, by severity."""

import pytest

from artemis_agent.filter import Drop, Send, has_room, verdict
from socme import severity
from socme.v1.alert_pb2 import Alert, Severity


@pytest.mark.parametrize("least", severity.NAMES)
@pytest.mark.parametrize("name", severity.NAMES)
def test_an_alert_goes_where_it_is_severe_enough(name: str, least: str) -> None:
    alert = Alert(severity=severity.named(name))
    enough = severity.NAMES.index(name) >= severity.NAMES.index(least)
    assert verdict(alert, severity.named(least)) == (Send() if enough else Drop("min_severity"))


@pytest.mark.parametrize("least", severity.NAMES)
def test_an_alert_that_nobody_judged_goes(least: str) -> None:
    assert verdict(Alert(), severity.named(least)) == Send()


def test_a_spool_that_fills_keeps_its_room_for_the_severe() -> None:
    """The less severe an alert is, the sooner it has to stay."""
    taken = {
        share: [name for name in severity.NAMES if has_room(severity.named(name), share)]
        for share in (0.49, 0.5, 0.75, 0.9, 1.2)
    }

    assert taken == {
        0.49: ["low", "medium", "high", "critical"],
        0.5: ["medium", "high", "critical"],
        0.75: ["high", "critical"],
        0.9: ["critical"],
        1.2: ["critical"],
    }
    assert has_room(Severity.SEVERITY_UNSPECIFIED, 1.2)
