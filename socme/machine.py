"""All vital signs as rows for people: the machine, what runs on it, sources and spool. Pure.

A row of what is not there is left out. What is there and is not known says "unknown", and why.
"""

import math
from collections.abc import Iterator

from socme import signs
from socme.show import UNKNOWN, Row, count, duration, size, source_rows, spool_rows
from socme.v1.vitals_pb2 import (
    Service,
    SuricataVitals,
    SystemVitals,
    TailscaleVitals,
    TheHiveVitals,
    Vitals,
    WazuhAgents,
)

_DAY = 86_400
_NAMES = {
    "system": "system",
    "system.configuration_revision": "flake",
    "tailscale": "tailscale",
    "wazuh.manager": "wazuh manager",
    "wazuh.indexer": "wazuh indexer",
    "wazuh.dashboard": "wazuh dashboard",
    "wazuh.agents": "wazuh agents",
    "suricata.service": "suricata",
    "suricata.rules": "suricata rules",
    "thehive.service": "thehive",
    "thehive.version": "thehive version",
    "certificate_expires": "certificate",
    "cpu_usage": "processors in use",
    "agent_memory_bytes": "artemis",
}
_SHOWN = {"hostname", "uptime_seconds", "cpu_count", "memory", "addresses"}  # in their own rows, known or not


def vitals_rows(vitals: Vitals) -> Iterator[Row]:
    """Yield all that is known: name and value."""
    yield from _machine_rows(vitals)
    yield from _tailscale_rows(vitals)
    yield from _wazuh_rows(vitals)
    yield from _suricata_rows(vitals)
    if vitals.HasField("thehive"):
        yield "thehive", _thehive(vitals.thehive)
    yield from _agent_rows(vitals)
    for source in vitals.sources:
        yield from source_rows(source)
    yield from spool_rows(vitals.spool)
    for field, why in sorted(vitals.unknown.items()):
        if field not in _SHOWN:
            yield _NAMES.get(field, field), f"{UNKNOWN}: {why}"


def _machine_rows(vitals: Vitals) -> Iterator[Row]:
    yield "host", vitals.hostname or _unknown(vitals, "hostname")
    if vitals.HasField("system"):
        yield from _system_rows(vitals.system)
    uptime = vitals.uptime_seconds
    yield "up", duration(uptime) if uptime else _unknown(vitals, "uptime_seconds")
    if vitals.cpu_count:
        usage = vitals.cpu_usage
        share = f"{max(0.0, min(usage, 1.0)):.0%} in use" if math.isfinite(usage) else UNKNOWN
        yield "processors", f"{vitals.cpu_count}, {share}"
    else:
        yield "processors", _unknown(vitals, "cpu_count")
    memory = vitals.memory
    known = memory.total_bytes > 0
    yield "memory", _use(memory.total_bytes, memory.used_bytes) if known else _unknown(vitals, "memory")
    for disk in vitals.disks:
        yield f"disk {disk.mountpoint}", _use(disk.capacity.total_bytes, disk.capacity.used_bytes)
    yield "addresses", ", ".join(vitals.addresses) or _unknown(vitals, "addresses")


def _system_rows(system: SystemVitals) -> Iterator[Row]:
    name = " ".join(filter(None, (system.name, system.version)))
    if name:
        yield "system", f"{name}, generation {system.generation}" if system.generation else name
    if system.configuration_revision:
        yield "flake", system.configuration_revision
    if system.nixpkgs_revision:
        yield "nixpkgs", system.nixpkgs_revision
    if system.kernel:
        yield "kernel", system.kernel
    if system.reboot_pending:
        yield "", "REBOOT PENDING: what is installed runs from the next start on"


def _tailscale_rows(vitals: Vitals) -> Iterator[Row]:
    if not vitals.HasField("tailscale"):
        return
    found = vitals.tailscale
    told = [found.state, found.name, *found.addresses]
    if found.HasField("online") and not found.online:
        told.insert(1, "offline")
    if found.HasField("key_expires"):
        told.append(f"key: {_until(_seconds_to_key(vitals, found))}")
    yield "tailscale", ", ".join(filter(None, told))
    for warning in found.warnings:
        yield "", f"WARNING: {warning}"


def _wazuh_rows(vitals: Vitals) -> Iterator[Row]:
    wazuh = vitals.wazuh
    for name in ("manager", "indexer", "dashboard"):
        if wazuh.HasField(name):
            yield f"wazuh {name}", _service(getattr(wazuh, name))
    if wazuh.HasField("agents"):
        yield "wazuh agents", _agents(wazuh.agents)


def _suricata_rows(vitals: Vitals) -> Iterator[Row]:
    suricata = vitals.suricata
    if suricata.HasField("service"):
        yield "suricata", _service(suricata.service)
    if suricata.HasField("day_records"):
        yield "suricata records", f"{count(suricata.day_records)} in 24 h"
    if suricata.HasField("rules") or suricata.HasField("rules_written"):
        yield "suricata rules", _rules(vitals, suricata)


def _agent_rows(vitals: Vitals) -> Iterator[Row]:
    told = [vitals.agent_version]
    if vitals.agent_uptime_seconds:
        told.append(f"up {duration(vitals.agent_uptime_seconds)}")
    if vitals.agent_memory_bytes:
        told.append(size(vitals.agent_memory_bytes))
    yield "artemis", ", ".join(told)
    if vitals.HasField("clock_offset_seconds"):
        yield "clock", _clock(vitals.clock_offset_seconds)
    if vitals.HasField("certificate_expires"):
        yield "certificate", _until(vitals.certificate_expires.seconds - vitals.time.seconds)


def _clock(offset: float) -> str:
    """Return by how many seconds the hub's clock is ahead."""
    if not math.isfinite(offset):
        return UNKNOWN
    return f"{abs(offset):.3f} s {'behind' if offset >= 0 else 'ahead of'} the hub's"


def _service(service: Service) -> str:
    """Return how a service is; its state is the first word."""
    told = signs.service_state(service.state)
    if service.detail and service.detail != "active (running)":
        told += f", {service.detail}"
    if service.seconds:
        told += f", for {duration(service.seconds)}"
    if service.restarts:
        told += f", restarted {count(service.restarts)} times"
    return told


def _thehive(hive: TheHiveVitals) -> str:
    return ", ".join(filter(None, (_service(hive.service) if hive.HasField("service") else "", hive.version)))


def _agents(agents: WazuhAgents) -> str:
    told = f"{count(agents.active)} of {count(signs.agents_in_all(agents))} report"
    for number, words in (
        (agents.disconnected, "disconnected"),
        (agents.never_connected, "never connected"),
        (agents.pending, "pending"),
    ):
        told += f", {count(number)} {words}" if number else ""
    return told


def _rules(vitals: Vitals, suricata: SuricataVitals) -> str:
    told = count(suricata.rules) if suricata.HasField("rules") else UNKNOWN
    if suricata.rules_failed:
        told += f", {count(suricata.rules_failed)} NOT LOADED"
    if suricata.HasField("rules_written"):
        told += f", written {duration(max(0, vitals.time.seconds - suricata.rules_written.seconds))} ago"
    return told


def _seconds_to_key(vitals: Vitals, tailscale: TailscaleVitals) -> int:
    return tailscale.key_expires.seconds - vitals.time.seconds


def _until(seconds: int) -> str:
    """Return how long something is good."""
    if seconds <= 0:
        return f"EXPIRED {duration(-seconds)} ago"
    return f"{seconds // _DAY} days left" if seconds >= _DAY else f"{duration(seconds)} left"


def _unknown(vitals: Vitals, field: str) -> str:
    why = vitals.unknown.get(field)
    return f"{UNKNOWN}: {why}" if why else UNKNOWN


def _use(total: int, used: int) -> str:
    return f"{size(used)} of {size(total)} ({used / total:.0%})" if total else UNKNOWN
