"""Real Suricata writes, Artemis reads, Zeus stores: nothing in between is a stand-in."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.packet import Raw
from scapy.utils import wrpcap

from tests.flow import suricata_live
from tests.flow.programs import Follow, Node, Stage, wait_until
from tests.generate import make_captures
from tests.generate.packets import ethernet
from tests.lacking import lacking

pytestmark = [pytest.mark.slow, pytest.mark.suricata, pytest.mark.timeout(300)]

# What the rules make of these captures; the first two together have IPv6, VLANs and several techniques.
REPLAYED = {"log4shell": 3, "tagged": 2, "web-shell": 2, "dns-tunnel": 6}

ROTATIONS = 4
DATAGRAMS = 2400  # each an alert; at the pace of `replay` they last for twice as long as the rotations


@pytest.fixture(scope="module", autouse=True)
def _able() -> None:
    reason = suricata_live.missing()
    if reason:
        lacking(f"real Suricata cannot run here: {reason}")


def test_each_alert_that_suricata_writes_is_stored_once_and_unchanged(stage: Stage, tmp_path: Path) -> None:
    """The node follows eve.json while Suricata writes it; the hub has each alert line exactly once."""
    make_captures.write(tmp_path / "captures")
    hub = stage.hub()
    with suricata_live.live(tmp_path / "suricata") as suricata:
        stage.node(hub, "acme", "acme-1", Follow("suricata", suricata.eve))
        for name in REPLAYED:
            suricata.replay(tmp_path / "captures" / f"{name}.pcap")
        expected = sum(REPLAYED.values())
        suricata.wait_for_alerts(expected)
        hub.wait_for_alerts(expected)
    written = suricata.alerts()

    stored = hub.wait_for_alerts(len(written))

    assert Counter(alert["raw"].encode() + b"\n" for alert in stored) == Counter(written)
    assert len(written) == expected
    assert {alert["source"]["module"] for alert in stored} == {"suricata"}
    assert {(alert["client"], alert["node"]) for alert in stored} == {("acme", "acme-1")}
    rules = Counter(alert["rule"]["id"] for alert in stored)
    assert rules == Counter(str(json.loads(line)["alert"]["signature_id"]) for line in written)
    worst = [alert for alert in stored if alert["rule"]["id"] == "9100013"]
    assert {alert["severity"] for alert in worst} == {"critical"}
    assert all(set(alert["threat"]["technique_ids"]) == {"T1190", "T1203"} for alert in worst)


def _write_alarming(capture: Path) -> None:
    """Write a capture of which each packet is a flow and an alert of its own."""
    packets = (
        IP(src="203.0.113.44", dst="192.0.2.10")
        / UDP(sport=10_000 + number, dport=9998)
        / Raw(b"%d" % number)
        for number in range(DATAGRAMS)
    )
    wrpcap(str(capture), [ethernet(packet, make_captures.START) for packet in packets])


def test_rotation_while_suricata_writes_loses_no_alert_and_repeats_none(stage: Stage, tmp_path: Path) -> None:
    """By rename and SIGHUP, as logrotate does it, again and again while traffic goes on."""
    _write_alarming(tmp_path / "alarming.pcap")
    hub = stage.hub()
    with suricata_live.live(tmp_path / "suricata") as suricata, ThreadPoolExecutor(1) as replaying:
        node = stage.node(hub, "acme", "acme-1", Follow("suricata", suricata.eve))
        replayed = replaying.submit(suricata.replay, tmp_path / "alarming.pcap")
        for number in range(1, ROTATIONS + 1):
            suricata.wait_for_alerts(number * DATAGRAMS // (2 * ROTATIONS))
            suricata.rotate()
        assert not replayed.done(), "there was traffic all the while"
        replayed.result()
        suricata.wait_for_alerts(DATAGRAMS)
    per_file = [suricata_live.alerts_in(path) for path in suricata.eves]
    written = Counter(line for lines in per_file for line in lines)

    hub.wait_for_alerts(written.total())
    acknowledged = "all is acknowledged"
    wait_until(lambda: _sent(node) >= written.total(), acknowledged, told=node.program.log)
    node.program.stop()

    assert len(per_file) == ROTATIONS + 1
    assert all(per_file), "each file has some"
    assert set(written.values()) == {1}
    stored = hub.alerts()
    # A machine that is slow may raise a condition of its own, but nothing was beyond reach.
    assert "socme.gap" not in {alert["rule"]["id"] for alert in stored}
    seen = [alert["raw"].encode() + b"\n" for alert in stored if alert["source"]["module"] == "suricata"]
    assert Counter(seen) == written
    assert _sent(node) == written.total(), "none was sent twice"


def _sent(node: Node) -> int:
    """Return how many alerts the hub acknowledged to a node."""
    return int(node.status()["spool"]["acknowledged"])
