"""Every field of an alert that eve.json gives, by Suricata's version. The samples are made up."""

import json
from collections.abc import Mapping

import pytest
from google.protobuf import json_format

from artemis_agent import suricata
from artemis_agent.decode import UndecodableError
from artemis_agent.values import LONGEST_TEXT
from socme.v1.alert_pb2 import Alert, Severity


def read(fields: Mapping[str, object]) -> Alert:
    found = suricata.read(json.dumps(fields).encode())
    assert found is not None
    return found[0]


def shown(alert: Alert) -> object:
    return json_format.MessageToDict(alert, preserving_proto_field_name=True)


def test_version_6_tls() -> None:
    assert shown(
        read(
            {
                "timestamp": "2026-11-16T07:06:14.109831+0100",
                "flow_id": 1983935984897071,
                "in_iface": "eth1",
                "event_type": "alert",
                "vlan": [20, 4],
                "src_ip": "2001:0db8:0000:0000:0000:0000:0000:0002",
                "src_port": 51034,
                "dest_ip": "192.0.2.7",
                "dest_port": 443,
                "proto": "TCP",
                "community_id": "1:zjWGMXI3TTFfSdq3k1uGEXAMPLE=",
                "host": "sensor-1",
                "ether": {"src_mac": "02:00:00:00:00:01", "dest_mac": "02:00:00:00:00:02"},
                "alert": {
                    "action": "blocked",
                    "gid": 1,
                    "signature_id": 9000001,
                    "rev": 4,
                    "signature": "EXAMPLE Beacon to a known server",
                    "category": "Malware Command and Control Activity Detected",
                    "severity": 1,
                    "metadata": {
                        "mitre_tactic_id": ["TA0011"],
                        "mitre_tactic_name": ["Command_And_Control"],
                        "mitre_technique_id": ["T1071", "T1573"],
                        "mitre_technique_name": ["Application_Layer_Protocol"],
                        "cve": ["CVE_2099_0001", "2099_0002"],
                        "signature_severity": ["Major"],
                    },
                },
                "tls": {"sni": "c2.example", "version": "TLS 1.3"},
                "app_proto": "TLS",
            }
        )
    ) == {
        "source": "ALERT_SOURCE_SURICATA",
        "time": "2026-11-16T06:06:14.109831Z",
        "severity": "SEVERITY_HIGH",
        "rule": {
            "id": "9000001",
            "name": "EXAMPLE Beacon to a known server",
            "level": 1,
            "category": "Malware Command and Control Activity Detected",
            "revision": "4",
            "references": ["CVE-2099-0001", "CVE-2099-0002"],
            "generator": "1",
        },
        "threat": {
            "technique_ids": ["T1071", "T1573"],
            "technique_names": ["Application Layer Protocol"],
            "tactic_ids": ["TA0011"],
            "tactic_names": ["Command And Control"],
        },
        "source_endpoint": {"ip": "2001:db8::2", "port": 51034, "mac": "02:00:00:00:00:01"},
        "destination_endpoint": {"ip": "192.0.2.7", "port": 443, "mac": "02:00:00:00:00:02"},
        "host": {"name": "sensor-1"},
        "network": {
            "transport": "tcp",
            "protocol": "tls",
            "community_id": "1:zjWGMXI3TTFfSdq3k1uGEXAMPLE=",
            "flow_id": "1983935984897071",
            "interface": "eth1",
            "vlans": [20, 4],
        },
        "domain": "c2.example",
        "action": "ACTION_BLOCKED",
    }


def test_version_7_http_with_a_file() -> None:
    alert = read(
        {
            "event_type": "alert",
            "alert": {
                "action": "allowed",
                "signature_id": 1,
                "metadata": {"signature_severity": ["Critical"]},
            },
            "http": {"hostname": "files.example", "http_port": 8080, "url": "/get?n=1", "status": 200},
            "files": [
                {"filename": "/get", "md5": "d4", "sha1": "da", "sha256": "e3", "size": 5},
                {"filename": "b"},
            ],
            "app_proto": "failed",
        }
    )
    assert alert.url == "http://files.example:8080/get?n=1"
    assert alert.domain == "files.example"
    assert (alert.file.path, alert.file.md5, alert.file.sha1, alert.file.sha256) == ("/get", "d4", "da", "e3")
    assert alert.network.protocol == ""
    assert alert.severity == Severity.SEVERITY_CRITICAL
    assert not alert.rule.HasField("level")


def test_a_web_client_says_what_it_is() -> None:
    line = (
        b'{"timestamp":"2026-10-05T08:00:56.716722+0000","flow_id":160473387237202,"event_type":"alert",'
        b'"src_ip":"203.0.113.67","src_port":43002,"dest_ip":"192.0.2.10","dest_port":80,"proto":"TCP",'
        b'"tx_id":0,"alert":{"action":"allowed","gid":1,"signature_id":9100003,"rev":4,"signature":"EXAMPLE",'
        b'"category":"Attempted Information Leak","severity":2},"http":{"hostname":"www.acme.example",'
        b'"url":"/.git/config","http_user_agent":"DirHound/2.1","http_method":"GET","status":404},'
        b'"app_proto":"http"}'
    )
    found = suricata.read(line)

    assert found is not None
    assert found[0].user_agent == "DirHound/2.1"
    long = read({"event_type": "alert", "alert": {}, "http": {"http_user_agent": "x" * 100_000}})
    assert len(long.user_agent.encode()) <= LONGEST_TEXT


def test_version_7_and_8_dns() -> None:
    seven = {"version": 2, "query": [{"type": "query", "id": 1, "rrname": "x.example", "rrtype": "A"}]}
    eight = {"version": 3, "type": "request", "queries": [{"rrname": "x.example", "rrtype": "A"}]}
    for dns in (seven, eight):
        assert read({"event_type": "alert", "dns": dns}).domain == "x.example"


def test_version_8_references() -> None:
    alert = read(
        {
            "event_type": "alert",
            "ip_v": 4,
            "payload_length": 12,
            "alert": {"references": ["https://ref.example/1"], "context": {"set": {"a": 1}}},
            "ether": {"ether_type": 2048, "src_mac": "02:00:00:00:00:01"},
            "ts_progress": "request_complete",
        }
    )
    assert list(alert.rule.references) == ["https://ref.example/1"]
    assert alert.source_endpoint.mac == "02:00:00:00:00:01"


def test_a_decoder_alert_on_a_broken_packet_has_neither_addresses_nor_a_flow() -> None:
    alert = read(
        {
            "timestamp": "2026-11-16T06:06:14.109831+0000",
            "event_type": "alert",
            "pkt_src": "wire/pcap",
            "alert": {"signature_id": 2200003, "signature": "EXAMPLE truncated packet", "severity": 3},
        }
    )
    assert alert.source_endpoint.ip == ""
    assert alert.network.transport == ""
    assert alert.network.flow_id == ""
    assert alert.severity == Severity.SEVERITY_LOW


def test_icmp_has_no_ports() -> None:
    alert = read({"event_type": "alert", "proto": "IPv6-ICMP", "src_ip": "::1", "icmp_type": 8, "alert": {}})
    assert (alert.network.transport, alert.source_endpoint.port) == ("ipv6-icmp", 0)


@pytest.mark.parametrize("event_type", ["flow", "drop", "packet", "ALERT", None, ["alert"], 1, {"alert": 1}])
def test_other_records_are_no_alerts_even_with_an_alert_inside(event_type: object) -> None:
    line = json.dumps({"event_type": event_type, "alert": {"signature_id": 1}})
    assert suricata.read(line.encode()) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"alert": None},
        {"alert": [1, 2]},
        {"alert": "x"},
        {
            "alert": {
                "signature_id": None,
                "signature": 5,
                "severity": [],
                "rev": "x",
                "gid": 1e300,
                "metadata": [],
            }
        },
        {"flow_id": -1, "src_port": "x", "dest_port": 70000, "vlan": ["a", -1, 5000, None], "proto": 6},
        {"flow_id": 2**64, "vlan": 7, "ether": "x", "http": [1], "files": {}, "fileinfo": [None], "host": {}},
        {"timestamp": {}, "src_ip": 1, "dest_ip": None, "app_proto": [], "in_iface": 5, "community_id": []},
    ],
)
def test_a_field_of_the_wrong_type_costs_the_field_and_not_the_alert(fields: Mapping[str, object]) -> None:
    alert = read({"event_type": "alert", "dns": {"rrname": "kept.example"}, **fields})
    assert alert.domain == "kept.example"
    assert alert.network.flow_id == ""
    assert (alert.source_endpoint.ip, alert.source_endpoint.port, alert.destination_endpoint.port) == (
        "",
        0,
        0,
    )
    assert list(alert.network.vlans) in ([], [7])
    alert.SerializeToString()


def test_numbers_as_strings_are_numbers() -> None:
    alert = read(
        {"event_type": "alert", "src_port": "443", "flow_id": "17", "alert": {"severity": "2", "rev": "3"}}
    )
    assert (alert.source_endpoint.port, alert.network.flow_id, alert.rule.level) == (443, "17", 2)
    assert (alert.rule.revision, alert.severity) == (3, Severity.SEVERITY_MEDIUM)


def test_a_line_that_is_no_json_says_so() -> None:
    with pytest.raises(UndecodableError):
        suricata.read(b'{"event_type":"alert","alert":{"signature":"cut he')


def test_what_is_kept_of_a_signature_is_not_what_happened() -> None:
    """Two alerts of one signature differ in all that is not its own; a third is not changed by the second."""
    signature = {"signature_id": 7, "signature": "EXAMPLE", "severity": 1, "metadata": {"cve": ["2099_0001"]}}
    first = {"event_type": "alert", "src_ip": "192.0.2.1", "vlan": [3], "host": "a", "alert": signature}
    second = {"event_type": "alert", "dest_ip": "192.0.2.2", "files": [{"md5": "m"}], "alert": signature}
    before, other, again = read(first), read(second), read(first)

    assert before == again
    assert before.rule == other.rule
    assert (other.source_endpoint.ip, list(other.network.vlans), other.host.name) == ("", [], "")
    assert not before.HasField("file")


@pytest.mark.parametrize("longest", [suricata.LONGEST_SIGNATURE, 0])
def test_a_signature_that_is_too_long_to_be_kept_says_the_same(
    longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suricata, "LONGEST_SIGNATURE", longest)
    alert = read({"event_type": "alert", "alert": {"signature_id": 7, "signature": "EXAMPLE", "severity": 2}})

    assert (alert.rule.id, alert.rule.name, alert.severity) == ("7", "EXAMPLE", Severity.SEVERITY_MEDIUM)


def test_bytes_that_are_not_utf8_in_a_signature_are_replaced() -> None:
    found = suricata.read(b'{"event_type":"alert","alert":{"signature_id":7,"signature":"caf\xe9"}}')

    assert found is not None
    assert found[0].rule.name == "caf\N{REPLACEMENT CHARACTER}"


def test_a_glance_has_what_the_signature_says_and_nothing_else() -> None:
    fields = {
        "timestamp": "2026-11-16T07:06:14.109831+0100",
        "event_type": "alert",
        "src_ip": "192.0.2.7",
        "alert": {"action": "blocked", "signature_id": 9, "signature": "x", "severity": 1},
    }
    raw = json.dumps(fields).encode()
    whole, glanced = suricata.read(raw), suricata.glance(raw)

    assert whole is not None
    assert glanced is not None
    for name in ("source", "severity", "rule", "action"):
        assert getattr(glanced[0], name) == getattr(whole[0], name)
    assert not glanced[0].HasField("source_endpoint")


def test_a_glance_sees_no_alert_where_there_is_none() -> None:
    assert suricata.glance(b'{"event_type":"flow"}') is None
    with pytest.raises(UndecodableError):
        suricata.glance(b'{"event_type":"alert"')
