"""What leaves the site, by severity."""

import pytest

from artemis_agent.filter import Drop, Send, verdict
from socme import severity
from socme.v1.alert_pb2 import Alert


@pytest.mark.parametrize("least", severity.NAMES)
@pytest.mark.parametrize("name", severity.NAMES)
def test_an_alert_goes_where_it_is_severe_enough(name: str, least: str) -> None:
    alert = Alert(severity=severity.named(name))
    enough = severity.NAMES.index(name) >= severity.NAMES.index(least)
    assert verdict(alert, severity.named(least)) == (Send() if enough else Drop("min_severity"))


@pytest.mark.parametrize("least", severity.NAMES)
def test_an_alert_that_nobody_judged_goes(least: str) -> None:
    assert verdict(Alert(), severity.named(least)) == Send()
