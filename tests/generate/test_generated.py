"""The project's own data is what its generators make, and holds what tests and the demo rely on."""

import ipaddress
import json
import re
from pathlib import Path

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6

from tests.generate import count, make_captures, make_demo, make_wazuh
from tests.generate.record import RULES

DOCUMENTATION = [
    ipaddress.ip_network(network)
    for network in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]


def wazuh_alerts(data: Path) -> list[dict[str, object]]:
    return [
        json.loads(line.decode("utf-8", "replace"))
        for line in (data / "alerts.json").read_bytes().splitlines()
    ]


def test_the_wazuh_alerts_are_what_the_generator_makes(data: Path) -> None:
    """Change one, and make the other again: python -m tests.generate.record does not need to run for it."""
    assert make_wazuh.make(data / "eve.json") == (data / "alerts.json").read_bytes()


def test_the_manifest_is_what_the_counter_counts(data: Path) -> None:
    assert count.manifest(data) == (data / "manifest.json").read_text()


def test_the_demos_share_is_cut_from_the_recordings(data: Path) -> None:
    assert make_demo.eve((data / "eve.json").read_bytes()) == (make_demo.DEMO / "eve.json").read_bytes()
    assert (data / "alerts.json").read_bytes() == (make_demo.DEMO / "alerts.json").read_bytes()


@pytest.mark.parametrize("name", make_captures.EPISODES)
def test_an_episode_is_the_same_each_time_and_uses_documentation_addresses(name: str) -> None:
    frames = make_captures.episode(name)

    assert [bytes(frame) for frame in frames] == [bytes(frame) for frame in make_captures.episode(name)]
    for frame in frames:
        for layer in (IP, IPv6):
            if layer in frame:
                ends = (ipaddress.ip_address(frame[layer].src), ipaddress.ip_address(frame[layer].dst))
                assert all(any(end in network for network in DOCUMENTATION) for end in ends), ends


def test_the_recording_was_made_with_our_rules_and_names(data: Path) -> None:
    ours = set(re.findall(r"sid:(\d+);", RULES.read_text()))
    counted = json.loads((data / "manifest.json").read_text())

    for name in ("eve.json", "eve-8.json"):
        assert {rule.removeprefix("1:") for rule in counted[name]["rules"]} <= ours
        names = re.findall(rb'"(?:hostname|sni|rrname)":"([^"]+)"', (data / name).read_bytes())
        assert names
        assert all(host.endswith(b".example") for host in names)
    assert set(counted["eve.json"]["severity"]) == {"low", "medium", "high", "critical"}


def test_wazuh_has_each_suricata_alert_exactly_once(data: Path) -> None:
    """By the join that the copies are recognised with: time, rule and flow."""
    alerts = [json.loads(line) for line in (data / "eve.json").read_bytes().splitlines()]
    seen = sorted(
        (
            alert["timestamp"],
            str(alert["alert"]["signature_id"]),
            f"{alert['flow_id']:f}" if "flow_id" in alert else "",
        )
        for alert in alerts
        if alert["event_type"] == "alert"
    )
    copied = []
    for alert in wazuh_alerts(data):
        inner = alert.get("data")
        if isinstance(inner, dict) and "event_type" in inner:
            copied.append((inner["timestamp"], inner["alert"]["signature_id"], inner.get("flow_id", "")))

    assert sorted(copied) == seen


def test_wazuh_has_the_shapes_that_a_normaliser_must_bear(data: Path) -> None:
    content = (data / "alerts.json").read_bytes()
    alerts = wazuh_alerts(data)
    mitre = [rule["mitre"] for alert in alerts if isinstance(rule := alert["rule"], dict) and "mitre" in rule]

    assert any(len(lists["id"]) != len(lists["tactic"]) for lists in mitre)
    assert sum("agent" not in alert for alert in alerts) == 1
    assert sum("agentless" in alert for alert in alerts) == 1
    assert b"\xe9" in content
    assert all(list(alert)[:2] == ["timestamp", "rule"] for alert in alerts)
