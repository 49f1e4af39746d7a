"""A machine as JSON."""

import json
import math

from socme import signs
from socme.v1.vitals_pb2 import SensorVitals, ServiceState, Vitals
from socme.view import vitals_view


def test_what_is_not_there_is_null() -> None:
    view = signs.machine_view(Vitals())

    assert view.pop("unknown") == {}
    assert set(view.values()) == {None}


def test_every_state_has_a_name() -> None:
    names = [signs.service_state(number) for number in ServiceState.values()]

    assert names == ["unknown", "running", "changing", "degraded", "stopped", "failed"]
    assert signs.service_state(99) == "unknown"


def full() -> Vitals:
    made = Vitals(clock_offset_seconds=0.12344)
    made.system.name, made.system.version, made.system.configuration_revision = "NixOS", "26.05", "c0ffee"
    made.system.reboot_pending = False
    made.wazuh.manager.unit, made.wazuh.manager.state = (
        "wazuh-manager.service",
        ServiceState.SERVICE_STATE_FAILED,
    )
    made.wazuh.manager.restarts = 3
    made.wazuh.agents.active, made.wazuh.agents.pending = 5, 2
    made.suricata.day_records, made.suricata.rules = 0, 38_000
    made.suricata.rules_written.FromSeconds(1_000_000_000)
    made.thehive.version = "5.7.3"
    made.tailscale.state, made.tailscale.online = "Running", False
    made.tailscale.addresses.append("100.64.0.7")
    made.certificate_expires.FromSeconds(2_000_000_000)
    made.unknown["memory"] = "why"
    return made


def test_what_is_there_is_told() -> None:
    view = json.loads(json.dumps(vitals_view(full())))

    assert view["system"]["configuration_revision"] == "c0ffee"
    assert view["system"]["reboot_pending"] is False
    assert view["system"]["generation"] is None
    assert view["wazuh"] == {
        "manager": {
            "unit": "wazuh-manager.service",
            "state": "failed",
            "detail": None,
            "seconds": None,
            "restarts": 3,
        },
        "indexer": None,
        "dashboard": None,
        "agents": {"total": 7, "active": 5, "disconnected": 0, "never_connected": 0, "pending": 2},
    }
    assert view["suricata"]["day_records"] == 0, "none is a number, and no absence"
    assert view["suricata"]["rules_failed"] is None
    assert view["suricata"]["rules_written"] == "2001-09-09T01:46:40.000000Z"
    assert view["thehive"] == {"service": None, "version": "5.7.3"}
    assert (view["tailscale"]["online"], view["tailscale"]["key_expires"]) == (False, None)
    assert view["clock_offset_seconds"] == 0.1234
    assert view["certificate_expires"] == "2033-05-18T03:33:20.000000Z"
    assert view["unknown"] == {"memory": "why"}


def test_what_json_does_not_have_is_null() -> None:
    """A node may send what it likes."""
    odd = Vitals(clock_offset_seconds=math.nan)
    odd.certificate_expires.seconds = 2**62

    view = signs.machine_view(odd)

    assert (view["clock_offset_seconds"], view["certificate_expires"]) == (None, None)


def test_a_sensor() -> None:
    view = signs.sensor_view(SensorVitals(packets=5, rules_loaded=0))

    assert (view["packets"], view["rules_loaded"], view["rules_failed"]) == (5, 0, None)
