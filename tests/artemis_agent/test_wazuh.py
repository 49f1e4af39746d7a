"""Every field of an alert that alerts.json gives, by what raised it. The samples are made up."""

import json
from collections.abc import Mapping

import pytest
from google.protobuf import json_format

from artemis_agent import suricata, wazuh
from artemis_agent.decode import UndecodableError
from socme.v1.alert_pb2 import Action, Alert, Severity

TIME = "2026-10-25T02:30:00.123+0200"
MANAGER = {"name": "manager-1"}
EVE = {
    "timestamp": "2026-11-16T06:06:14.109831+0000",
    "flow_id": "478019051995494.000000",
    "in_iface": "eth1",
    "event_type": "alert",
    "src_ip": "192.0.2.9",
    "src_port": "50123",
    "dest_ip": "2001:DB8:0:0:0:0:0:1",
    "dest_port": "445",
    "proto": "TCP",
    "alert": {
        "action": "blocked",
        "gid": "1",
        "signature_id": "9000001",
        "rev": "2",
        "signature": "EXAMPLE exploit attempt",
        "category": "Attempted Administrator Privilege Gain",
        "severity": "1",
        "metadata": {"mitre_technique_id": ["T1210"], "mitre_tactic_name": ["Lateral_Movement"]},
    },
    "app_proto": "smb",
}


def line(**fields: object) -> bytes:
    rule = {"level": 5, "description": "example", "id": "5710", "groups": ["syslog", "sshd"]}
    return json.dumps({"timestamp": TIME, "rule": rule, "manager": MANAGER, "id": "1.2", **fields}).encode()


def read(**fields: object) -> Alert:
    found = wazuh.read(line(**fields))
    assert found is not None
    return found[0]


def through_wazuh(data: Mapping[str, object], **rule: object) -> tuple[Alert, int | None]:
    fired = {
        "level": 3,
        "description": "Suricata: Alert - EXAMPLE",
        "id": "86601",
        "groups": ["ids", "suricata"],
    }
    found = wazuh.read(line(rule={**fired, **rule}, data=data, location="/var/log/suricata/eve.json"))
    assert found is not None
    return found


def test_ssh() -> None:
    alert = read(
        rule={
            "level": 5,
            "description": "sshd: login with a name that does not exist",
            "id": "5710",
            "mitre": {
                "id": ["T1110.001", "T1021.004"],
                "tactic": ["Credential Access"],
                "technique": ["Guessing"],
            },
            "info": "https://ref.example/2",
            "cve": "CVE-2099-0001",
            "firedtimes": 4,
            "groups": ["syslog", "sshd"],
            "gdpr": ["IV_35.7.d"],
        },
        agent={"id": "001", "name": "web01", "ip": "FD12:3456:789A:0001:0000:0000:0000:0001"},
        full_log="Nov 16 06:33:59 web01 sshd[1]: Invalid user admin from 198.51.100.7 port 4711",
        decoder={"parent": "sshd", "name": "sshd"},
        data={"srcip": "198.51.100.7", "srcport": "4711", "srcuser": "admin", "hostname": "web01"},
        location="/var/log/auth.log",
    )
    assert json_format.MessageToDict(alert, preserving_proto_field_name=True) == {
        "source": "ALERT_SOURCE_WAZUH",
        "time": "2026-10-25T00:30:00.123Z",
        "severity": "SEVERITY_LOW",
        "rule": {
            "id": "5710",
            "name": "sshd: login with a name that does not exist",
            "level": 5,
            "groups": ["syslog", "sshd"],
            "category": "syslog",
            "references": ["https://ref.example/2", "CVE-2099-0001"],
            "fired_times": "4",
        },
        "threat": {
            "technique_ids": ["T1110.001", "T1021.004"],
            "technique_names": ["Guessing"],
            "tactic_names": ["Credential Access"],
        },
        "source_endpoint": {"ip": "198.51.100.7", "port": 4711},
        "host": {"id": "001", "name": "web01", "ip": "fd12:3456:789a:1::1"},
        "user": "admin",
        "domain": "web01",
        "message": "Nov 16 06:33:59 web01 sshd[1]: Invalid user admin from 198.51.100.7 port 4711",
        "decoder": "sshd",
        "location": "/var/log/auth.log",
        "native_id": "1.2",
    }


def test_file_integrity() -> None:
    alert = read(
        rule={"level": 7, "description": "Integrity checksum changed.", "id": "550", "groups": ["syscheck"]},
        syscheck={
            "path": "/etc/hosts",
            "event": "modified",
            "size_after": "7",
            "inode_after": 12,
            "mtime_after": "2026-11-16T06:06:14",
            "md5_after": "d4",
            "sha1_after": "da",
            "sha256_after": "e3",
            "uname_after": "root",
            "changed_attributes": ["md5"],
        },
        location="syscheck",
    )
    file = alert.file
    assert (file.path, file.event, file.md5, file.sha1, file.sha256) == (
        "/etc/hosts",
        "modified",
        "d4",
        "da",
        "e3",
    )
    assert (alert.user, alert.severity) == ("root", Severity.SEVERITY_MEDIUM)
    assert (alert.rule.name, alert.message) == ("Integrity checksum changed.", "")  # there is no full_log


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"user_agent": "Scanner/7.15"}, "Scanner/7.15"),
        ({"user_agent": "-"}, ""),
        ({"userAgent": "Scanner/7.15"}, "Scanner/7.15"),
        ({"aws": {"user_agent": "S3Console/0.4"}}, "S3Console/0.4"),
        ({"aws": {"userAgent": "aws-cli/2"}}, "aws-cli/2"),
        ({"user_agent": [], "aws": "x"}, ""),
    ],
)
def test_a_web_client_says_what_it_is(data: dict[str, object], expected: str) -> None:
    assert read(data=data).user_agent == expected


def test_a_web_client_says_what_it_is_through_suricata() -> None:
    assert through_wazuh({**EVE, "http": {"http_user_agent": "curl/8.3.0"}})[0].user_agent == "curl/8.3.0"


def test_windows_event_channel() -> None:
    alert = read(
        data={"win": {"eventdata": {"targetUserName": "alice", "image": "C:\\\\tool.exe"}, "system": {}}}
    )
    assert (alert.user, alert.process) == ("alice", "C:\\\\tool.exe")


def test_audit() -> None:
    alert = read(data={"audit": {"auid": "1000", "exe": "/usr/bin/passwd", "uid": "0"}})
    assert (alert.user, alert.process) == ("1000", "/usr/bin/passwd")
    assert read(data={"audit": {"auid": "4294967295"}}).user == ""


def test_the_user_that_was_meant_goes_before_the_one_that_asked() -> None:
    assert read(data={"srcuser": "bob", "dstuser": "root"}).user == "root"


def test_firewall() -> None:
    alert = read(
        data={
            "protocol": "UDP",
            "srcip": "192.0.2.1",
            "srcport": "53",
            "dstip": "192.0.2.2",
            "dstport": "65535",
        }
    )
    assert (alert.network.transport, alert.source_endpoint.port) == ("udp", 53)
    assert (alert.destination_endpoint.ip, alert.destination_endpoint.port) == ("192.0.2.2", 65535)


def test_the_method_of_a_web_log_is_no_transport() -> None:
    alert = read(data={"protocol": "POST", "srcip": "192.0.2.1", "url": "/login"})
    assert (alert.network.transport, alert.url) == ("", "/login")


def test_an_agent_without_an_address_and_with_labels() -> None:
    alert = read(agent={"id": "000", "name": "manager-1", "labels": {"site": {"name": "Lyon"}}})
    assert (alert.host.id, alert.host.name, alert.host.ip) == ("000", "manager-1", "")
    assert read(agent={"id": "007", "name": "roaming", "ip": "any"}).host.ip == ""


def test_an_agentless_device_is_the_host() -> None:
    device = {"script": "ssh_integrity_check_linux", "user": "root", "host": "192.0.2.3"}
    alert = read(agentless=device, location="(ssh_integrity_check_linux) root@192.0.2.3->syscheck")
    assert (alert.host.id, alert.host.name, alert.host.ip) == ("", "192.0.2.3", "192.0.2.3")


def test_attack_lists_of_different_length_stay_as_they_are() -> None:
    mitre = {"id": ["T1", "T2", "T3"], "tactic": ["Impact"], "technique": ["A", "B"]}
    threat = read(rule={"id": "1", "level": 3, "mitre": mitre}).threat
    assert (list(threat.technique_ids), list(threat.tactic_names)) == (["T1", "T2", "T3"], ["Impact"])
    assert list(threat.technique_names) == ["A", "B"]
    assert list(threat.tactic_ids) == []


@pytest.mark.parametrize(
    ("level", "number", "severity"),
    [
        (3, 3, Severity.SEVERITY_LOW),
        (7, 7, Severity.SEVERITY_MEDIUM),
        ("12", 12, Severity.SEVERITY_HIGH),
        (16, 16, Severity.SEVERITY_CRITICAL),
        ("bad", None, Severity.SEVERITY_UNSPECIFIED),
        (2**40, None, Severity.SEVERITY_UNSPECIFIED),
        (None, None, Severity.SEVERITY_UNSPECIFIED),
    ],
)
def test_level(level: object, number: int | None, severity: Severity.ValueType) -> None:
    alert = read(rule={"id": "1", "level": level})
    assert alert.severity == severity
    assert (alert.rule.level if alert.rule.HasField("level") else None) == number


def test_a_level_that_is_left_out_is_level_0_and_still_not_written_down() -> None:
    alert = read(rule={"id": "1"})
    assert alert.severity == Severity.SEVERITY_LOW
    assert not alert.rule.HasField("level")


def test_a_suricata_alert_goes_by_suricatas_severity_traffic_and_techniques() -> None:
    alert, key = through_wazuh(EVE)
    assert (alert.rule.id, alert.rule.level, alert.rule.name) == ("86601", 3, "Suricata: Alert - EXAMPLE")
    assert alert.severity == Severity.SEVERITY_HIGH
    assert (alert.source_endpoint.ip, alert.source_endpoint.port) == ("192.0.2.9", 50123)
    assert (alert.destination_endpoint.ip, alert.destination_endpoint.port) == ("2001:db8::1", 445)
    assert (alert.network.transport, alert.network.protocol, alert.network.interface) == (
        "tcp",
        "smb",
        "eth1",
    )
    assert alert.network.flow_id == "478019051995494"
    assert (list(alert.threat.technique_ids), list(alert.threat.tactic_names)) == (
        ["T1210"],
        ["Lateral Movement"],
    )
    assert alert.action == Action.ACTION_BLOCKED
    original = suricata.read(
        json.dumps({**EVE, "flow_id": 478019051995494, "alert": {"signature_id": 9000001}}).encode()
    )
    assert original is not None
    assert key == original[1] is not None


def test_a_critical_signature_is_critical_through_wazuh_as_well() -> None:
    inner = {"severity": "3", "signature_id": "1", "metadata": {"signature_severity": ["Critical"]}}
    assert through_wazuh({**EVE, "alert": inner})[0].severity == Severity.SEVERITY_CRITICAL


def test_a_suricata_alert_without_a_severity_is_not_taken_for_level_3() -> None:
    assert through_wazuh({**EVE, "alert": {}})[0].severity == Severity.SEVERITY_UNSPECIFIED


def test_an_operators_own_rule_on_suricata_alerts_keeps_its_level_and_is_no_copy() -> None:
    """Somebody wrote it to say more than Suricata did."""
    alert, key = through_wazuh(EVE, id="100200", level=13)
    assert (alert.severity, key) == (Severity.SEVERITY_HIGH, None)
    assert alert.source_endpoint.ip == "192.0.2.9"
    alert, key = through_wazuh(
        {**EVE, "event_type": "http", "http": {"hostname": "x.example"}}, id="99917", level=9
    )
    assert (alert.severity, key, alert.domain) == (Severity.SEVERITY_MEDIUM, None, "x.example")


def test_a_line_of_archives_json_is_no_alert() -> None:
    assert wazuh.read(json.dumps({"timestamp": TIME, "agent": {"id": "003"}, "data": {}}).encode()) is None


@pytest.mark.parametrize("rule", [[], "x", 5, True])
def test_a_rule_that_is_no_object_may_have_been_an_alert(rule: object) -> None:
    with pytest.raises(UndecodableError, match="rule is no object"):
        wazuh.read(line(rule=rule))


@pytest.mark.parametrize("odd", [None, "text", 5, [], [1], {}, {"x": []}])
def test_a_field_of_the_wrong_type_costs_the_field_and_not_the_alert(odd: object) -> None:
    names = ("agent", "agentless", "data", "syscheck", "decoder", "location", "full_log", "timestamp", "id")
    alert = read(**dict.fromkeys(names, odd))
    assert (alert.rule.id, alert.severity) == ("5710", Severity.SEVERITY_LOW)
    alert = read(
        rule=dict.fromkeys(("level", "id", "description", "mitre", "groups", "firedtimes", "info"), odd)
    )
    alert.SerializeToString()
    through_wazuh(dict.fromkeys(EVE, odd))
