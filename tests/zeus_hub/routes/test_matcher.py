"""Which alerts are meant."""

import pytest

from socme.v1.alert_pb2 import Severity
from tests.zeus_hub.routes.made import alert
from zeus_hub.routes.matcher import matcher, names, subject
from zeus_hub.routes.syntax import MatcherError


def holds(expression: str, **said: object) -> bool:
    """Tell whether an expression is about an alert."""
    return matcher(expression).holds(subject(alert(**said)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('client == "acme" && severity >= high', True),
        ("severity == critical", False),
        ('in_network(source.ip, "203.0.113.0/24")', True),
        ('in_network(source.ip, "10.0.0.0/8") || in_network(destination.ip, "10.0.0.0/8")', True),
        ('"T1110" in threat.technique.id', True),
        ('threat.technique.id.exists(t, t.startsWith("T15"))', False),
        ('message.matches("(?i)^failed")', True),
        ('url == "" && user.name == ""', True),
        ('rule.id in ["5710", "5712"]', True),
    ],
)
def test_an_expression_says_which_alerts_are_meant(*, text: str, meant: bool) -> None:
    said = {"severity": Severity.SEVERITY_HIGH, "techniques": ["T1110"], "text": "FAILED password"}

    assert holds(text, **said) is meant


def test_what_has_to_hold_can_be_asked_part_by_part() -> None:
    made = matcher('client == "acme" && (severity == low || rule.id == "1") && node != ""')
    asked = subject(alert())

    assert [(part.text, part.holds(asked)) for part in made.parts] == [
        ('client == "acme"', True),
        ('severity == low || rule.id == "1"', False),
        ('node != ""', True),
    ]
    assert not made.holds(asked)


def test_it_is_known_what_must_be_there() -> None:
    made = matcher('client == "acme" && rule.groups.exists(g, g == "x") && severity >= high')

    assert made.names == {"client", "rule", "severity", "high"}
    assert names([made, None, matcher('node == "n"')]) == {"client", "rule", "severity", "high", "node"}
    assert not made.holds(subject(alert(), made.names))


@pytest.mark.parametrize("text", ["(" * 500 + "true" + ")" * 500, "[1].exists(as, as == 1)"])
def test_what_the_engine_alone_refuses_is_refused(text: str) -> None:
    with pytest.raises(MatcherError, match="the engine refuses it"):
        matcher(text)


def test_text_of_an_alert_is_never_part_of_an_expression() -> None:
    assert not holds('message == "x"', text='x" || true || "')
