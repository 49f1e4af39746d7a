"""Real Suricata writes, Artemis reads, Zeus stores: nothing in between is a stand-in."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.flow import suricata_live
from tests.flow.programs import Follow, Stage, wait_until
from tests.generate import make_captures
from tests.lacking import lacking

pytestmark = [pytest.mark.slow, pytest.mark.suricata, pytest.mark.timeout(300)]

# What the rules make of these captures; the first two together have IPv6, VLANs and several techniques.
REPLAYED = {"log4shell": 3, "tagged": 2, "web-shell": 2, "dns-tunnel": 6}


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
        seen = "Suricata has seen all that was replayed"
        wait_until(lambda: len(suricata.alerts()) >= expected, seen)
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
