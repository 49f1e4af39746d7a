"""One scale for two sources that count in opposite directions."""

import pytest

from socme import severity
from socme.v1.alert_pb2 import Severity

LOW, MEDIUM, HIGH, CRITICAL = (
    Severity.SEVERITY_LOW,
    Severity.SEVERITY_MEDIUM,
    Severity.SEVERITY_HIGH,
    Severity.SEVERITY_CRITICAL,
)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [(range(-1, 7), LOW), (range(7, 12), MEDIUM), (range(12, 15), HIGH), ((15, 16, 1000), CRITICAL)],
)
def test_wazuh_levels_rise(levels: range, expected: Severity.ValueType) -> None:
    assert {severity.of_wazuh(level) for level in levels} == {expected}


@pytest.mark.parametrize(("priority", "expected"), [(1, HIGH), (2, MEDIUM), (3, LOW), (10, LOW), (255, LOW)])
def test_suricata_priorities_fall(priority: int, expected: Severity.ValueType) -> None:
    assert severity.of_suricata(priority) == expected


@pytest.mark.parametrize("priority", [None, 0, -1])
def test_a_priority_that_says_nothing_is_not_guessed(priority: int | None) -> None:
    assert severity.of_suricata(priority) == Severity.SEVERITY_UNSPECIFIED


@pytest.mark.parametrize("priority", [1, 3, None])
def test_a_critical_signature_is_critical_whatever_its_priority(priority: int | None) -> None:
    assert severity.of_suricata(priority, critical=True) == CRITICAL


def test_names_go_both_ways_in_ascending_order() -> None:
    assert severity.NAMES == ("low", "medium", "high", "critical")
    assert [severity.named(name) for name in severity.NAMES] == [LOW, MEDIUM, HIGH, CRITICAL]
    assert [severity.name(each) for each in (LOW, MEDIUM, HIGH, CRITICAL)] == list(severity.NAMES)


@pytest.mark.parametrize("number", [0, 5, -1])
def test_a_severity_from_a_newer_version_has_a_name_too(number: int) -> None:
    assert severity.name(number) == "unknown"


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError):
        severity.named("fatal")
