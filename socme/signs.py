"""What runs on a node, as nested values for `--json` and for the wall: the parts of socme.view's vitals.

What a machine does not have is null. What it has and could not tell is null as well, and stands in `unknown`
with the reason, by the name of its key. Pure.
"""

import math
from collections.abc import Mapping
from datetime import UTC

from google.protobuf.timestamp_pb2 import Timestamp

from socme.v1.vitals_pb2 import (
    CanaryVitals,
    SensorVitals,
    Service,
    ServiceState,
    SuricataVitals,
    SystemVitals,
    TailscaleVitals,
    TheHiveVitals,
    Vitals,
    WazuhAgents,
    WazuhVitals,
)

View = dict[str, object]

UNKNOWN = "unknown"
_STATES: Mapping[int, str] = {
    ServiceState.SERVICE_STATE_RUNNING: "running",
    ServiceState.SERVICE_STATE_CHANGING: "changing",
    ServiceState.SERVICE_STATE_DEGRADED: "degraded",
    ServiceState.SERVICE_STATE_STOPPED: "stopped",
    ServiceState.SERVICE_STATE_FAILED: "failed",
}


def service_state(number: int) -> str:
    """Return a service's state in lower case, "unknown" for one that this version does not know."""
    return _STATES.get(number, UNKNOWN)


def machine_view(vitals: Vitals) -> View:
    """Return what runs on a node beside the agent, its clock and its certificate."""
    offset = vitals.clock_offset_seconds if vitals.HasField("clock_offset_seconds") else None
    return {
        "system": _system(vitals.system) if vitals.HasField("system") else None,
        "wazuh": _wazuh(vitals.wazuh) if vitals.HasField("wazuh") else None,
        "suricata": _suricata(vitals.suricata) if vitals.HasField("suricata") else None,
        "thehive": _thehive(vitals.thehive) if vitals.HasField("thehive") else None,
        "tailscale": _tailscale(vitals.tailscale) if vitals.HasField("tailscale") else None,
        "clock_offset_seconds": None if offset is None else number(offset),
        "certificate_expires": when(vitals, "certificate_expires"),
        "unknown": dict(sorted(vitals.unknown.items())),
    }


def sensor_view(sensor: SensorVitals) -> View:
    """Return what a sensor says of itself."""
    return {
        "time": when(sensor, "time"),
        "uptime_seconds": sensor.uptime_seconds,
        "packets": sensor.packets,
        "dropped": sensor.dropped,
        "rules_loaded": sensor.rules_loaded if sensor.HasField("rules_loaded") else None,
        "rules_failed": sensor.rules_failed if sensor.HasField("rules_failed") else None,
        "lost_alerts": sensor.lost_alerts,
    }


def canary_view(canary: CanaryVitals) -> View:
    """Return how far a source's canaries came."""
    return {
        "interval_seconds": canary.interval_seconds,
        "written": canary.written,
        "read": canary.read,
        "spooled": canary.spooled,
        "acknowledged": canary.acknowledged,
        "spool_seconds": number(canary.spool_seconds),
    }


def number(value: float) -> float | None:
    """Return a number to four places; None for NaN and infinity, which JSON does not have."""
    return round(value, 4) if math.isfinite(value) else None


def when(message: Vitals | SensorVitals | SuricataVitals | TailscaleVitals, name: str) -> str | None:
    """Return a time of a message as ISO 8601; None where there is none, or none of the years 1 to 9999."""
    time = getattr(message, name)
    if not message.HasField(name) or not isinstance(time, Timestamp):  # type: ignore[arg-type]
        return None
    try:
        found = time.ToDatetime(UTC)
    except (ValueError, OverflowError):
        return None
    return found.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _system(system: SystemVitals) -> View:
    return {
        "name": system.name or None,
        "version": system.version or None,
        "configuration_revision": system.configuration_revision or None,
        "nixpkgs_revision": system.nixpkgs_revision or None,
        "generation": system.generation or None,
        "kernel": system.kernel or None,
        "reboot_pending": system.reboot_pending if system.HasField("reboot_pending") else None,
    }


def _service(service: Service) -> View:
    return {
        "unit": service.unit or None,
        "state": service_state(service.state),
        "detail": service.detail or None,
        "seconds": service.seconds or None,
        "restarts": service.restarts,
    }


def _wazuh(wazuh: WazuhVitals) -> View:
    return {
        "manager": _service(wazuh.manager) if wazuh.HasField("manager") else None,
        "indexer": _service(wazuh.indexer) if wazuh.HasField("indexer") else None,
        "dashboard": _service(wazuh.dashboard) if wazuh.HasField("dashboard") else None,
        "agents": _agents(wazuh.agents) if wazuh.HasField("agents") else None,
    }


def _agents(agents: WazuhAgents) -> View:
    return {
        "total": agents_in_all(agents),
        "active": agents.active,
        "disconnected": agents.disconnected,
        "never_connected": agents.never_connected,
        "pending": agents.pending,
    }


def agents_in_all(agents: WazuhAgents) -> int:
    """Return how many Wazuh agents are registered."""
    return agents.active + agents.disconnected + agents.never_connected + agents.pending


def _suricata(suricata: SuricataVitals) -> View:
    return {
        "service": _service(suricata.service) if suricata.HasField("service") else None,
        "day_records": suricata.day_records if suricata.HasField("day_records") else None,
        "rules": suricata.rules if suricata.HasField("rules") else None,
        "rules_failed": suricata.rules_failed if suricata.HasField("rules_failed") else None,
        "rules_written": when(suricata, "rules_written"),
    }


def _thehive(thehive: TheHiveVitals) -> View:
    return {
        "service": _service(thehive.service) if thehive.HasField("service") else None,
        "version": thehive.version or None,
    }


def _tailscale(tailscale: TailscaleVitals) -> View:
    return {
        "state": tailscale.state,
        "name": tailscale.name or None,
        "addresses": list(tailscale.addresses),
        "online": tailscale.online if tailscale.HasField("online") else None,
        "key_expires": when(tailscale, "key_expires"),
        "warnings": list(tailscale.warnings),
        "version": tailscale.version or None,
    }
