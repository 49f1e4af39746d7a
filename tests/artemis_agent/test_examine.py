"""What the operator's rules make of a record."""

from dataclasses import replace
from datetime import UTC, datetime

from artemis_agent import canary, rollup
from artemis_agent.examine import Bad, Found, Rules, examine
from artemis_agent.source import Record
from socme.v1.alert_pb2 import Alert, Severity
from tests.artemis_agent.sources import copy_of, eve, wazuh

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
RULES = Rules(kind="suricata", source="eve.json", min_severity=Severity.SEVERITY_MEDIUM, rolls_up=True)


def found(raw: bytes, rules: Rules = RULES) -> Found:
    """Return what an alert's line is."""
    made = examine(Record(raw, b"f", 0), rules, NOW)
    assert isinstance(made, Found)
    return made


def test_an_alert_with_all_that_is_decided_by_it() -> None:
    made = found(eve(7))

    assert Alert.FromString(made.payload).raw == eve(7)
    assert (made.severity, made.drop) == (Severity.SEVERITY_MEDIUM, "")
    assert made.copy_key is not None
    assert made.key == rollup.key(Alert.FromString(made.payload))
    assert made.time_us == int(datetime(2026, 11, 22, 10, 0, 0, 7, UTC).timestamp() * 1_000_000)


def test_a_copy_has_the_key_of_its_original() -> None:
    assert found(copy_of(7), replace(RULES, kind="wazuh")).copy_of == found(eve(7)).copy_key


def test_what_is_no_alert_and_what_cannot_be_read() -> None:
    assert examine(Record(b'{"event_type":"stats"}', b"f", 0), RULES, NOW) is None
    bad = examine(Record(b'{"event_type":"alert"', b"f", 0), RULES, NOW)
    assert isinstance(bad, Bad)
    assert "not JSON" in bad.reason


def test_what_stays_on_the_site_is_rolled_up_with_nothing() -> None:
    made = found(eve(7, severity=3))

    assert (made.drop, made.key) == ("min_severity", b"")


def test_without_roll_up_and_for_large_alerts_there_is_no_key() -> None:
    """What is held lies beside the spool, and that is bounded."""
    large = eve(7).replace(b'"proto"', b'"x":"' + b"y" * rollup.LARGEST + b'","proto"')

    assert found(eve(7), replace(RULES, rolls_up=False)).key == b""
    assert found(large).key == b""


def test_canaries_pass_whatever_the_rules_are() -> None:
    for kind in ("suricata", "wazuh"):
        rules = Rules(kind, "the source", Severity.SEVERITY_CRITICAL, rolls_up=True, canaries=True)
        made = found(canary.line(kind, 5, NOW), rules)

        assert (made.canary, made.drop, made.key, made.copy_key) == (5, "", b"", None)
        assert Alert.FromString(made.payload).origin == "the source"


def test_an_alert_of_wazuh() -> None:
    made = found(wazuh(1, level=12), replace(RULES, kind="wazuh"))

    assert made.severity == Severity.SEVERITY_HIGH
    assert (made.copy_key, made.copy_of) == (None, None)
