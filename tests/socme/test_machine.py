"""All vital signs as rows: of a full node, of an empty one, and of one where much is unknown."""

import math

import pytest

from socme.machine import vitals_rows
from socme.v1.vitals_pb2 import (
    Capacity,
    Disk,
    Service,
    ServiceState,
    SourceVitals,
    SpoolVitals,
    SuricataVitals,
    SystemVitals,
    TailscaleVitals,
    TheHiveVitals,
    Vitals,
    WazuhAgents,
    WazuhVitals,
)

NOW = 2_000_000_000
RUNS = Service(state=ServiceState.SERVICE_STATE_RUNNING, detail="active (running)", seconds=3600)


def full() -> Vitals:
    made = Vitals(
        agent_version="0.1.0",
        agent_uptime_seconds=120,
        agent_memory_bytes=1 << 20,
        hostname="node",
        uptime_seconds=90_061,
        cpu_usage=0.25,
        cpu_count=4,
        memory=Capacity(total_bytes=1000, used_bytes=250),
        disks=[Disk(mountpoint="/", capacity=Capacity(total_bytes=2048, used_bytes=1024))],
        addresses=["192.0.2.7", "2001:db8::7"],
        sources=[SourceVitals(name="/eve.json", kind="suricata")],
        spool=SpoolVitals(alerts=3),
        system=SystemVitals(
            name="NixOS",
            version="26.05",
            configuration_revision="c0ffee",
            nixpkgs_revision="badcab",
            generation=42,
            kernel="6.12.1",
            reboot_pending=True,
        ),
        wazuh=WazuhVitals(
            manager=RUNS,
            indexer=Service(
                state=ServiceState.SERVICE_STATE_DEGRADED, detail="not running: wazuh-db", restarts=1500
            ),
            agents=WazuhAgents(active=5, disconnected=2, never_connected=1),
        ),
        suricata=SuricataVitals(service=RUNS, day_records=1_234_567, rules=38_000, rules_failed=2),
        thehive=TheHiveVitals(service=RUNS, version="5.7.3"),
        tailscale=TailscaleVitals(
            state="Running", name="node.ts.net", addresses=["100.64.0.7"], online=False, warnings=["no DERP"]
        ),
        clock_offset_seconds=-0.0123,
    )
    made.time.FromSeconds(NOW)
    made.certificate_expires.FromSeconds(NOW + 80 * 86_400)
    made.tailscale.key_expires.FromSeconds(NOW + 3 * 3600)
    made.suricata.rules_written.FromSeconds(NOW - 7200)
    return made


def test_everything_is_shown() -> None:
    rows = list(vitals_rows(full()))
    told = dict(rows)

    assert told["host"] == "node"
    assert told["system"] == "NixOS 26.05, generation 42"
    assert (told["flake"], told["nixpkgs"], told["kernel"]) == ("c0ffee", "badcab", "6.12.1")
    assert ("", "REBOOT PENDING: what is installed runs from the next start on") in rows
    assert told["up"] == "1 d 1 h"
    assert told["processors"] == "4, 25% in use"
    assert told["memory"] == "250 B of 1000 B (25%)"
    assert told["disk /"] == "1.0 KiB of 2.0 KiB (50%)"
    assert told["addresses"] == "192.0.2.7, 2001:db8::7"
    assert told["tailscale"] == "Running, offline, node.ts.net, 100.64.0.7, key: 3 h 0 min left"
    assert ("", "WARNING: no DERP") in rows
    assert told["wazuh manager"] == "running, for 1 h 0 min"
    assert told["wazuh indexer"] == "degraded, not running: wazuh-db, restarted 1,500 times"
    assert "wazuh dashboard" not in told, "what is not there is absent"
    assert told["wazuh agents"] == "5 of 8 report, 2 disconnected, 1 never connected"
    assert told["suricata"] == "running, for 1 h 0 min"
    assert told["suricata records"] == "1,234,567 in 24 h"
    assert told["suricata rules"] == "38,000, 2 NOT LOADED, written 2 h 0 min ago"
    assert told["thehive"] == "running, for 1 h 0 min, 5.7.3"
    assert told["artemis"] == "0.1.0, up 2 min 0 s, 1.0 MiB"
    assert told["clock"] == "0.012 s ahead of the hub's"
    assert told["certificate"] == "80 days left"
    assert told["suricata /eve.json"].startswith("0 alerts")
    assert told["spool"].startswith("3 alerts wait")


def test_what_is_not_known_says_so() -> None:
    rows = dict(vitals_rows(Vitals()))

    assert [rows[name] for name in ("host", "up", "processors", "memory", "addresses")] == ["unknown"] * 5
    assert set(rows) == {"host", "up", "processors", "memory", "addresses", "artemis", "spool"}


def test_what_is_there_and_not_known_says_why() -> None:
    why = "permission denied: /x"
    fields = ["memory", "uptime_seconds", "wazuh.agents", "suricata.rules", "certificate_expires", "newer"]

    rows = list(vitals_rows(Vitals(unknown=dict.fromkeys(fields, why))))

    for name in ("memory", "up", "wazuh agents", "suricata rules", "certificate", "newer"):
        assert rows.count((name, f"unknown: {why}")) == 1


def test_what_is_over_says_so() -> None:
    made = full()
    made.certificate_expires.FromSeconds(NOW - 7200)
    made.clock_offset_seconds = 2.5

    told = dict(vitals_rows(made))

    assert told["certificate"] == "EXPIRED 2 h 0 min ago"
    assert told["clock"] == "2.500 s behind the hub's"


def test_rules_of_unknown_number() -> None:
    made = full()
    made.suricata.ClearField("rules")
    made.suricata.ClearField("rules_failed")

    assert dict(vitals_rows(made))["suricata rules"] == "unknown, written 2 h 0 min ago"


@pytest.mark.parametrize("what", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_unknown(what: float) -> None:
    rows = dict(vitals_rows(Vitals(cpu_count=4, cpu_usage=what, clock_offset_seconds=what)))

    assert (rows["processors"], rows["clock"]) == ("4, unknown", "unknown")
