"""Alerts and nodes as scripts see them."""

import base64
import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from socme.v1.alert_pb2 import Alert, AlertSource, Condition, ConditionState, Network, Rule, Severity
from socme.v1.vitals_pb2 import (
    CanaryVitals,
    ClientStatus,
    Health,
    LedgerHour,
    NodeState,
    NodeStatus,
    SensorVitals,
    SourceVitals,
    Vitals,
)
from socme.v1.watch_pb2 import StoredAlert
from socme.view import (
    alert_view,
    client_view,
    health_name,
    json_line,
    ledger_view,
    moment,
    node_view,
    source_view,
    stamp,
    vitals_view,
)

ID = bytes(range(16))
RECEIVED = "2026-07-01T12:00:05.000001Z"

SURICATA = {
    "id": base64.b64encode(ID).decode(),
    "source": "ALERT_SOURCE_SURICATA",
    "time": "2026-07-01T12:00:00.123456Z",
    "observed": "2026-07-01T12:00:01Z",
    "severity": "SEVERITY_HIGH",
    "rule": {
        "id": "2024897",
        "name": "ET MALWARE beacon",
        "level": 1,
        "category": "A Network Trojan was detected",
        "revision": 3,
        "generator": 1,
        "references": ["CVE-2026-1"],
    },
    "threat": {
        "techniqueIds": ["T1071"],
        "techniqueNames": ["Application Layer Protocol"],
        "tacticIds": ["TA0011"],
        "tacticNames": ["Command And Control"],
    },
    "sourceEndpoint": {"ip": "10.0.0.5", "port": 49152, "mac": "02:00:00:00:00:01"},
    "destinationEndpoint": {"ip": "2001:db8::7", "port": 443},
    "host": {"name": "sensor-1"},
    "network": {
        "transport": "tcp",
        "protocol": "tls",
        "communityId": "1:abc=",
        "flowId": "1234567890123456",
        "interface": "eth0",
        "vlans": [10, 20],
    },
    "domain": "evil.example",
    "userAgent": "curl/8.3.0",
    "message": "ET MALWARE beacon",
    "action": "ACTION_BLOCKED",
    "count": 3,
    "first": "2026-07-01T11:59:00Z",
    "last": "2026-07-01T12:00:00.123456Z",
    "raw": base64.b64encode(b'{"event_type":"alert"}').decode(),
    "rawBytes": "22",
    "origin": "/var/log/suricata/eve.json",
    "offset": "77",
}
SURICATA_VIEW = {
    "id": "000102030405060708090a0b0c0d0e0f",
    "client": "acme",
    "node": "acme-1",
    "time": "2026-07-01T12:00:00.123456Z",
    "received": RECEIVED,
    "severity": "high",
    "count": 3,
    "rule": {
        "id": "2024897",
        "name": "ET MALWARE beacon",
        "level": 1,
        "category": "A Network Trojan was detected",
        "references": ["CVE-2026-1"],
        "revision": 3,
        "generator": 1,
    },
    "source": {"module": "suricata", "ip": "10.0.0.5", "port": 49152, "mac": "02:00:00:00:00:01"},
    "destination": {"ip": "2001:db8::7", "port": 443},
    "message": "ET MALWARE beacon",
    "action": "blocked",
    "host": {"name": "sensor-1"},
    "network": {
        "transport": "tcp",
        "protocol": "tls",
        "community_id": "1:abc=",
        "flow_id": 1234567890123456,
        "interface": "eth0",
        "vlans": [10, 20],
    },
    "threat": {
        "technique_ids": ["T1071"],
        "technique_names": ["Application Layer Protocol"],
        "tactic_ids": ["TA0011"],
        "tactic_names": ["Command And Control"],
    },
    "domain": "evil.example",
    "user_agent": {"original": "curl/8.3.0"},
    "event": {
        "module": "suricata",
        "created": "2026-07-01T12:00:01.000000Z",
        "start": "2026-07-01T11:59:00.000000Z",
        "end": "2026-07-01T12:00:00.123456Z",
    },
    "log": {"file": "/var/log/suricata/eve.json", "offset": 77},
    "raw": '{"event_type":"alert"}',
    "raw_bytes": 22,
    "raw_cut": False,
}

WAZUH = {
    "id": base64.b64encode(ID).decode(),
    "source": "ALERT_SOURCE_WAZUH",
    "time": "2026-07-01T12:00:00Z",
    "severity": "SEVERITY_LOW",
    "rule": {
        "id": "550",
        "name": "Integrity checksum changed.",
        "level": 0,
        "groups": ["ossec", "syscheck"],
        "category": "ossec",
        "firedTimes": 2,
    },
    "host": {"id": "000", "name": "manager", "ip": "192.0.2.9"},
    "user": "root",
    "process": "/usr/bin/vi",
    "file": {"path": "/etc/passwd", "md5": "m", "sha1": "s", "sha256": "t", "event": "modified"},
    "url": "/index.php",
    "message": "File '/etc/passwd' modified",
    "count": 1,
    "raw": base64.b64encode(b"{}").decode(),
    "rawBytes": "2",
    "decoder": "syscheck_integrity_changed",
    "location": "syscheck",
    "nativeId": "1782907200.1234",
}
WAZUH_VIEW = {
    "id": "000102030405060708090a0b0c0d0e0f",
    "client": "acme",
    "node": "acme-1",
    "time": "2026-07-01T12:00:00.000000Z",
    "received": RECEIVED,
    "severity": "low",
    "count": 1,
    "rule": {
        "id": "550",
        "name": "Integrity checksum changed.",
        "level": 0,
        "category": "ossec",
        "groups": ["ossec", "syscheck"],
        "fired_times": 2,
    },
    "source": {"module": "wazuh", "ip": None},
    "destination": {"ip": None},
    "message": "File '/etc/passwd' modified",
    "host": {"id": "000", "name": "manager", "ip": "192.0.2.9"},
    "user": "root",
    "process": "/usr/bin/vi",
    "file": {"path": "/etc/passwd", "md5": "m", "sha1": "s", "sha256": "t", "event": "modified"},
    "url": "/index.php",
    "decoder": "syscheck_integrity_changed",
    "location": "syscheck",
    "event": {"module": "wazuh", "code": "1782907200.1234"},
    "log": {"offset": 0},
    "raw": "{}",
    "raw_bytes": 2,
    "raw_cut": False,
}


def stored(alert: Alert) -> StoredAlert:
    """Return an alert as the hub took it."""
    whole = StoredAlert(client="acme", node="acme-1", alert=alert)
    whole.received.FromJsonString(RECEIVED)
    return whole


@pytest.mark.parametrize(("fields", "expected"), [(SURICATA, SURICATA_VIEW), (WAZUH, WAZUH_VIEW)])
def test_a_full_alert(fields: dict[str, object], expected: dict[str, object]) -> None:
    """Every value is there under its name, and nothing that the alert has not."""
    assert alert_view(stored(ParseDict(fields, Alert()))) == expected


def test_raw_is_left_out_where_it_is_not_wanted() -> None:
    view = alert_view(stored(ParseDict(SURICATA, Alert())), raw=False)

    assert view == {key: value for key, value in SURICATA_VIEW.items() if not key.startswith("raw")}


def test_an_empty_alert_has_what_scripts_rely_on() -> None:
    assert alert_view(StoredAlert()) == {
        "id": "",
        "client": "",
        "node": "",
        "time": None,
        "received": None,
        "severity": "unknown",
        "count": 1,
        "rule": {"id": "", "name": ""},
        "source": {"module": "unknown", "ip": None},
        "destination": {"ip": None},
        "event": {"module": "unknown"},
        "log": {"offset": 0},
        "raw": "",
        "raw_bytes": 0,
        "raw_cut": False,
    }


def test_values_from_a_newer_node_are_unknown() -> None:
    alert = Alert.FromString(Alert(id=ID).SerializeToString() + b"\x10\x63\x28\x63\x90\x01\x63")
    assert (alert.source, alert.severity, alert.action) == (99, 99, 99)

    view = alert_view(stored(alert))

    assert view["severity"] == "unknown"
    assert view["source"] == {"module": "unknown", "ip": None}
    assert "action" not in view


def test_without_the_sensors_time_the_nodes_counts_then_the_hubs() -> None:
    alert = Alert(id=ID)
    assert alert_view(stored(alert))["time"] == RECEIVED

    alert.observed.FromJsonString("2026-07-01T12:00:01Z")
    assert alert_view(stored(alert))["time"] == "2026-07-01T12:00:01.000000Z"

    alert.time.seconds = 2**62  # no year that a calendar has
    assert alert_view(stored(alert))["time"] == "2026-07-01T12:00:01.000000Z"


@pytest.mark.parametrize(
    ("raw", "text", "kept"),
    [
        (b"caf\xc3\xa9", "café", False),
        ("\N{REPLACEMENT CHARACTER}".encode(), "\N{REPLACEMENT CHARACTER}", False),
        (b"a\xff\x00b", "a\N{REPLACEMENT CHARACTER}\x00b", True),
        (b"cut \xc3", "cut \N{REPLACEMENT CHARACTER}", True),
    ],
)
def test_raw_that_is_not_utf8_has_its_bytes_beside_it(raw: bytes, text: str, *, kept: bool) -> None:
    view = alert_view(stored(Alert(raw=raw)))

    assert (view["raw"], view["raw_bytes"]) == (text, len(raw))
    assert ("raw_base64" in view) is kept
    if kept:
        assert base64.b64decode(str(view["raw_base64"])) == raw


@pytest.mark.parametrize(
    "digits", ["", "-1", "1.0", "x", "\N{ARABIC-INDIC DIGIT ONE}", "1" * 10_000, "9" * 20]
)
def test_a_flow_that_is_no_number_is_none(digits: str) -> None:
    """Nodes are not trusted with it."""
    view = alert_view(stored(Alert(network=Network(flow_id=digits, transport="tcp"))))

    assert view["network"] == {"transport": "tcp"}


def test_a_cut_line_says_so() -> None:
    view = alert_view(stored(Alert(raw=b"abc", raw_bytes=1000, raw_cut=True)))

    assert (view["raw"], view["raw_bytes"], view["raw_cut"]) == ("abc", 1000, True)


@given(st.text())
def test_json_keeps_text_exactly_and_a_terminal_safe(text: str) -> None:
    """One line whoever counts lines, and no character that moves a cursor or turns text around."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return  # a message cannot hold it

    line = json_line({"text": text})

    assert json.loads(line) == {"text": text}
    assert len(line.splitlines()) == 1
    assert not set(line) & set("\x1b\x7f\x85\x9b\u2028\u2029\u202e\u200b\ufeff")


def test_json_leaves_readable_text_readable() -> None:
    assert json_line({"text": "Grüße, 你好"}) == '{"text":"Grüße, 你好"}'


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_survive(time: datetime) -> None:
    message = Timestamp()
    message.FromDatetime(time)

    assert moment(message) == time
    assert datetime.fromisoformat(stamp(time)) == time
    assert stamp(time).endswith("Z")


def test_times_beyond_the_calendar_are_none() -> None:
    assert moment(Timestamp(seconds=2**62)) is None
    assert moment(Timestamp(seconds=-(2**62))) is None
    assert moment(Timestamp(seconds=253_402_300_800)) is None


def test_a_node_that_never_spoke() -> None:
    assert node_view(NodeStatus(client="acme", node="acme-1", state=NodeState.NODE_STATE_NEW)) == {
        "client": "acme",
        "node": "acme-1",
        "state": "new",
        "last_seen": None,
    }


def test_a_node_with_vitals() -> None:
    status = NodeStatus(client="acme", node="acme-1", state=NodeState.NODE_STATE_ONLINE)
    status.last_seen.FromJsonString(RECEIVED)
    status.vitals.hostname = "box"
    status.vitals.cpu_usage = 0.123456
    status.vitals.cpu_count = 4
    status.vitals.spool.alerts = 7
    source = status.vitals.sources.add(name="/eve.json", kind="suricata", lag_bytes=5, problem="gone")
    source.dropped["min_severity"] = 2
    status.vitals.sources.add(name="/alerts.json", kind="wazuh", lag_bytes=6, last_record_age_seconds=1.5)

    view = json.loads(json_line(node_view(status)))

    assert view["state"] == "online"
    assert view["last_seen"] == RECEIVED
    vitals = view["vitals"]
    assert vitals["cpu"] == {"usage": 0.1235, "count": 4}
    assert vitals["lag_bytes"] == 11
    assert vitals["spool"] == {
        "alerts": 7,
        "bytes": 0,
        "acknowledged": 0,
        "oldest_age_seconds": None,
        "capacity_bytes": None,
        "dropped": {},
        "unaccounted": 0,
        "problem": "",
    }
    assert vitals["sources"][0]["dropped"] == {"min_severity": 2}
    assert vitals["sources"][0]["problem"] == "gone"
    assert vitals["sources"][0]["last_record_age_seconds"] is None
    assert vitals["sources"][1]["problem"] == ""
    assert vitals["sources"][1]["last_record_age_seconds"] == 1.5


def test_numbers_that_json_does_not_have_are_null() -> None:
    line = json_line(vitals_view(Vitals(cpu_usage=math.nan, cpu_count=1)))
    view = json.loads(line, parse_constant=pytest.fail)

    assert view["cpu"]["usage"] is None


def test_what_a_node_could_not_find_out_is_null() -> None:
    view = vitals_view(Vitals())

    for key in ("time", "hostname", "uptime_seconds", "cpu", "memory", "agent_memory_bytes"):
        assert view[key] is None
    assert (view["system"], view["unknown"]) == (None, {})


def test_all_severities_and_sources_have_names() -> None:
    """A new one in the contract must get a name here."""
    for number in Severity.values():
        name = alert_view(stored(Alert(severity=number)))["severity"]
        assert (name == "unknown") is (number == Severity.SEVERITY_UNSPECIFIED)
    for source in AlertSource.values():
        event = alert_view(stored(Alert(source=source)))["event"]
        assert (event == {"module": "unknown"}) is (source == AlertSource.ALERT_SOURCE_UNSPECIFIED)
    for state in NodeState.values():
        name = node_view(NodeStatus(state=state))["state"]
        assert (name == "unknown") is (state == NodeState.NODE_STATE_UNSPECIFIED)


def test_stamps_are_in_utc() -> None:
    half_past = datetime.fromisoformat("2026-07-01T14:30:00+02:00")

    assert stamp(half_past) == "2026-07-01T12:30:00.000000Z"
    assert stamp(half_past + timedelta(microseconds=1)) == "2026-07-01T12:30:00.000001Z"


def test_what_socme_says_of_itself() -> None:
    alert = Alert(source=AlertSource.ALERT_SOURCE_SOCME, rule=Rule(id="socme.node_silent"))
    alert.condition.CopyFrom(Condition(kind="node_silent", state=ConditionState.CONDITION_STATE_RAISED))
    alert.condition.since.FromJsonString(RECEIVED)

    view = json.loads(json_line(alert_view(StoredAlert(alert=alert))))

    assert view["source"]["module"] == view["event"]["module"] == "socme"
    assert view["socme"] == {
        "condition": {"kind": "node_silent", "subject": "", "state": "raised", "since": RECEIVED}
    }
    assert "socme" not in alert_view(StoredAlert())


def test_sources_with_canaries_and_a_sensor() -> None:
    """Null where a source has none, which is not the same as none seen."""
    source = SourceVitals(
        canary=CanaryVitals(
            interval_seconds=60, written=5, read=4, spooled=3, acknowledged=2, spool_seconds=0.5
        ),
        sensor=SensorVitals(uptime_seconds=7, packets=100, dropped=1),
        rolled_up=9,
    )

    view = source_view(source)

    assert view["canary"] == {
        "interval_seconds": 60,
        "written": 5,
        "read": 4,
        "spooled": 3,
        "acknowledged": 2,
        "spool_seconds": 0.5,
    }
    assert view["sensor"] == {
        "time": None,
        "uptime_seconds": 7,
        "packets": 100,
        "dropped": 1,
        "rules_loaded": None,
        "rules_failed": None,
        "lost_alerts": 0,
    }
    assert view["rolled_up"] == 9
    assert (source_view(SourceVitals())["canary"], source_view(SourceVitals())["sensor"]) == (None, None)


def test_an_hour_of_the_ledger() -> None:
    hour = LedgerHour(source="eve.json", read=5, filtered={"b": 1, "a": 2}, pending=2, unaccounted=7)
    hour.hour.FromJsonString("2026-07-01T12:00:00Z")

    view = ledger_view(hour)

    assert (view["source"], view["hour"]) == ("eve.json", "2026-07-01T12:00:00.000000Z")
    assert (view["read"], view["pending"], view["unaccounted"]) == (5, 2, 7)
    assert view["filtered"] == {"a": 2, "b": 1}


def test_what_can_be_relied_on_at_a_client() -> None:
    status = ClientStatus(
        client="acme", health=Health.HEALTH_BLIND, reasons=["acme-1: drops"], seeing=0.51234
    )

    view = client_view(status)

    assert (view["client"], view["health"], view["reasons"]) == ("acme", "blind", ["acme-1: drops"])
    assert (view["since"], view["seeing"]) == (None, 0.5123)


def test_every_health_and_state_of_a_condition_has_a_name() -> None:
    assert [health_name(number) for number in Health.values()] == [
        "unknown",
        "up",
        "degraded",
        "late",
        "blind",
        "silent",
        "revoked",
    ]
    assert health_name(99) == "unknown"
