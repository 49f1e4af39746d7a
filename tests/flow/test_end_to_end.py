"""The main job with the real programs over mTLS: what is written on a node is stored at the hub and seen.

Each alert once, byte for byte, and nothing else.
"""

import base64
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.flow import oracle
from tests.flow.programs import Follow, Stage, wait_until

pytestmark = pytest.mark.slow


def raw(alert: dict[str, Any]) -> bytes:
    """Return the original line of an alert in JSON."""
    return base64.b64decode(alert["raw_base64"]) if "raw_base64" in alert else alert["raw"].encode()


def assert_stored(stored: Sequence[dict[str, Any]], expected: Sequence[oracle.Expected]) -> None:
    """Compare what is stored with what must be, by source, severity, rule and raw line."""
    assert oracle.stored_tally(stored) == oracle.tally(expected)
    assert Counter(raw(alert) for alert in stored) == Counter(alert.raw for alert in expected)
    assert len({alert["id"] for alert in stored}) == len(stored)


def test_recorded_input_is_stored_exactly(stage: Stage, data: Path) -> None:
    """The project's own recordings: a real Suricata's eve.json beside Wazuh-shaped alerts."""
    eve, wazuh = data / "eve.json", data / "alerts.json"
    expected = oracle.eve([eve]) + oracle.wazuh([wazuh], beside=[eve])
    copies = len(oracle.wazuh([wazuh])) - len(oracle.wazuh([wazuh], beside=[eve]))
    hub = stage.hub()
    node = stage.node(hub, "acme", "acme-1", Follow("wazuh", wazuh), Follow("suricata", eve))

    stored = hub.wait_for_alerts(len(expected))

    assert_stored(stored, expected)
    assert {(alert["client"], alert["node"]) for alert in stored} == {("acme", "acme-1")}
    assert copies > 0

    def dropped() -> dict[str, dict[str, int]]:
        vitals = json.loads(hub.zeus("node", "show", "acme/acme-1", "--json"))["vitals"]
        return {source["kind"]: source["dropped"] for source in vitals["sources"]}

    wait_until(
        lambda: dropped().get("wazuh") == {"wazuh_copy": copies},
        f"the node's vitals name {copies} copies",
        told=node.program.log,
    )


def test_real_input_is_stored_exactly(stage: Stage, corpora: Path) -> None:
    """Other people's captures and logs through real engines; the manifest was counted by others."""
    dev = corpora / "dev"
    manifest = json.loads((dev / "manifest.json").read_text())["files"]
    eves = [dev / name for name in ("eve.json", "eve-rich.json", "eve-live.json")]
    alerts = [dev / name for name in ("alerts.json", "alerts-next-day.json")]
    expected = oracle.eve(eves) + oracle.wazuh(alerts, beside=eves)
    assert sum(manifest[path.name]["alerts"] for path in eves) == len(oracle.eve(eves))
    assert sum(manifest[path.name]["alerts"] for path in alerts) == len(oracle.wazuh(alerts))
    seen_by_both = sum(manifest[path.name]["of_which_also_in_eve_json"] for path in alerts)
    assert len(oracle.wazuh(alerts)) - len(oracle.wazuh(alerts, beside=eves)) == seen_by_both
    hub = stage.hub()
    sources = [Follow("wazuh", path) for path in alerts] + [Follow("suricata", path) for path in eves]
    stage.node(hub, "acme", "acme-1", *sources)

    stored = hub.wait_for_alerts(len(expected))

    assert_stored(stored, expected)
    for path in eves:
        by_severity = Counter(
            alert["rule"]["level"] for alert in stored if Path(alert["log"]["file"]).name == path.name
        )
        assert {str(level): number for level, number in by_severity.items()} == manifest[path.name][
            "alerts_by_severity"
        ]


def test_copies_are_sent_where_asked(stage: Stage, data: Path) -> None:
    """`keep_both` sends each Suricata alert and Wazuh's copy of it."""
    eve, wazuh = data / "eve.json", data / "alerts.json"
    expected = oracle.eve([eve]) + oracle.wazuh([wazuh])
    hub = stage.hub()
    stage.node(
        hub,
        "acme",
        "acme-1",
        Follow("wazuh", wazuh),
        Follow("suricata", eve),
        settings="[filter]\nkeep_both = true\n",
    )

    assert_stored(hub.wait_for_alerts(len(expected)), expected)


def test_a_line_is_seen_on_every_screen(stage: Stage, data: Path, tmp_path: Path) -> None:
    """From an append on the node to the terminal and the wall, through every program."""
    log = tmp_path / "eve.json"
    log.touch()
    line = next(alert.raw for alert in oracle.eve([data / "eve.json"]) if alert.severity == "critical")
    hub = stage.hub()
    stage.node(hub, "acme", "acme-1", Follow("suricata", log, start="end"))
    screen = stage.screen(hub, "lobby")
    screen.tail.start(ready=False)
    name = json.loads(line)["alert"]["signature"]
    with (
        httpx.Client(timeout=60) as browser,
        browser.stream("GET", f"http://{screen.address}/events") as page,
    ):
        lines = page.iter_lines()
        next(lines)  # the page is open

        with log.open("ab") as file:
            file.write(line + b"\n")

        assert any(name in text for text in lines)
    shown = wait_until(
        lambda: [json.loads(text) for text in screen.tail.log().splitlines() if text.startswith("{")],
        "the terminal shows the alert",
        told=screen.tail.log,
    )
    assert [(alert["client"], alert["severity"], alert["rule"]["name"]) for alert in shown] == [
        ("acme", "critical", name)
    ]


def test_an_alert_that_is_larger_than_a_message_may_be(stage: Stage, data: Path, tmp_path: Path) -> None:
    """Suricata writes alerts of 2.4 MB: raw is cut at 1 MiB and flagged, and the next alerts come through."""
    small = next(alert.raw for alert in oracle.eve([data / "eve.json"]))
    record = json.loads(small)
    record["payload"] = random.Random(1).randbytes(1_800_000).hex()  # does not compress to less than half
    large = json.dumps(record, separators=(",", ":")).encode()
    log = tmp_path / "eve.json"
    log.write_bytes(b"\n".join([large, large.replace(b'"payload":"', b'"payload":"00'), small, b""]))
    hub = stage.hub()
    stage.node(hub, "acme", "acme-1", Follow("suricata", log))

    stored = sorted(hub.wait_for_alerts(3), key=lambda alert: int(alert["raw_bytes"]))

    assert [(alert["raw_bytes"], alert["raw_cut"]) for alert in stored] == [
        (len(small), False),
        (len(large), True),
        (len(large) + 2, True),
    ]
    assert raw(stored[1]) == large[: 1024 * 1024]
    assert len({alert["id"] for alert in stored}) == 3


def test_clients_do_not_mix(stage: Stage, data: Path) -> None:
    """Two clients' nodes with the same name and the same input are told apart by their certificates."""
    eve = data / "eve.json"
    expected = oracle.eve([eve])
    hub = stage.hub()
    for client in ("acme", "globex"):
        stage.node(hub, client, "node-1", Follow("suricata", eve))

    hub.wait_for_alerts(2 * len(expected))

    for client in ("acme", "globex"):
        stored = hub.alerts("--client", client)
        assert {alert["client"] for alert in stored} == {client}
        assert oracle.stored_tally(stored) == oracle.tally(expected)


def test_a_revoked_node_gets_nothing_more(stage: Stage, data: Path, tmp_path: Path) -> None:
    """Its live stream ends, what it writes afterwards is not taken, and it says why."""
    log = tmp_path / "eve.json"
    first, second = (alert.raw for alert in oracle.eve([data / "eve.json"])[:2])
    log.write_bytes(first + b"\n")
    hub = stage.hub()
    node = stage.node(hub, "acme", "acme-1", Follow("suricata", log))
    hub.wait_for_alerts(1)

    hub.zeus("node", "revoke", "acme/acme-1")
    node.program.wait_for_log("the hub refuses this node")
    with log.open("ab") as file:
        file.write(second + b"\n")

    wait_until(
        lambda: node.status()["spool"]["alerts"] == 1, "the alert waits on the node", told=node.program.log
    )
    assert [raw(alert) for alert in hub.alerts()] == [first]
