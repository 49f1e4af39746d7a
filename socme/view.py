"""Alerts and nodes as nested, ECS-like values, for `--json` of every program and for the wall.

Scripts rely on these keys. Of an alert, `id`, `client`, `node`, `source`, `time`, `received`, `severity`,
`rule.id`, `rule.name`, `source.ip`, `destination.ip` and `count` are always there (the addresses null
where the alert has none); every other key is there only where the alert has a value for it. Text is
passed on exactly: whoever shows it to a person cleans it.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from socme import severity, signs, triage
from socme.signs import number
from socme.text import UNSAFE
from socme.v1.alert_pb2 import (
    Action,
    Alert,
    AlertSource,
    Condition,
    ConditionState,
    Endpoint,
    File,
    Host,
    Network,
    Rule,
    Threat,
)
from socme.v1.vitals_pb2 import (
    ClientStatus,
    Health,
    LedgerHour,
    NodeState,
    NodeStatus,
    SourceVitals,
    SpoolVitals,
    Vitals,
)
from socme.v1.watch_pb2 import StoredAlert

View = dict[str, object]

_MOST_DIGITS = 20  # of a number of 64 bits
_TOO_LARGE = 1 << 64

SOURCES: Mapping[int, str] = {
    AlertSource.ALERT_SOURCE_WAZUH: "wazuh",
    AlertSource.ALERT_SOURCE_SURICATA: "suricata",
    AlertSource.ALERT_SOURCE_SOCME: "socme",
}
_ACTIONS: Mapping[int, str] = {Action.ACTION_ALLOWED: "allowed", Action.ACTION_BLOCKED: "blocked"}
_STATES: Mapping[int, str] = {
    NodeState.NODE_STATE_NEW: "new",
    NodeState.NODE_STATE_ONLINE: "online",
    NodeState.NODE_STATE_STALE: "stale",
    NodeState.NODE_STATE_OFFLINE: "offline",
    NodeState.NODE_STATE_REVOKED: "revoked",
}
_CONDITIONS: Mapping[int, str] = {
    ConditionState.CONDITION_STATE_RAISED: "raised",
    ConditionState.CONDITION_STATE_CLEARED: "cleared",
    ConditionState.CONDITION_STATE_HAPPENED: "happened",
}
_HEALTH: Mapping[int, str] = {
    Health.HEALTH_UP: "up",
    Health.HEALTH_DEGRADED: "degraded",
    Health.HEALTH_LATE: "late",
    Health.HEALTH_BLIND: "blind",
    Health.HEALTH_SILENT: "silent",
    Health.HEALTH_REVOKED: "revoked",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def source_name(number: int) -> str:
    """Return "wazuh", "suricata" or "socme", and "unknown" for anything else."""
    return SOURCES.get(number, severity.UNKNOWN)


def action_name(number: int) -> str | None:
    """Return "allowed" or "blocked", and None where it is not known."""
    return _ACTIONS.get(number)


def stamp(time: datetime) -> str:
    """Return an aware time as ISO 8601 in UTC, with microseconds and "Z"."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def moment(time: Timestamp) -> datetime | None:
    """Return a timestamp as an aware time; None where it lies outside the years 1 to 9999."""
    try:
        return _EPOCH + timedelta(seconds=time.seconds, microseconds=time.nanos // 1000)
    except OverflowError:
        return None


def json_line(view: Mapping[str, object]) -> str:
    """Return a view as one line of JSON that is safe to print on a terminal, without a line feed.

    What a terminal or a line reader would not leave as it is reaches a parser unchanged, as an escape.
    """
    text = json.dumps(view, ensure_ascii=False, separators=(",", ":"))
    return UNSAFE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def alert_view(stored: StoredAlert, *, raw: bool = True) -> View:
    """Return an alert with what the hub knows of it; without `raw`, the keys of the raw line are left out."""
    alert = stored.alert
    received = _time(stored.received, stored.HasField("received"))
    observed = _time(alert.observed, alert.HasField("observed"))
    time = _time(alert.time, alert.HasField("time")) or observed or received
    module = source_name(alert.source)
    return {
        "id": alert.id.hex(),
        "client": stored.client,
        "node": stored.node,
        "time": time,
        "received": received,
        "severity": severity.name(alert.severity),
        "count": alert.count or 1,
        "rule": _rule(alert.rule),
        "source": {"module": module, **_endpoint(alert.source_endpoint)},
        "destination": _endpoint(alert.destination_endpoint),
        **_given(
            message=alert.message,
            action=action_name(alert.action),
            host=_host(alert.host),
            network=_network(alert.network),
            threat=_threat(alert.threat),
            user=alert.user,
            process=alert.process,
            file=_file(alert.file),
            url=alert.url,
            domain=alert.domain,
            user_agent=_given(original=alert.user_agent),
            decoder=alert.decoder,
            location=alert.location,
        ),
        "event": {"module": module, **_event(alert, observed)},
        **_beside(stored, raw=raw),
    }


def _beside(stored: StoredAlert, *, raw: bool) -> View:
    """Return what SOCme says of itself, what people did, where the line stood and, with `raw`, the line."""
    alert = stored.alert
    return {
        **_given(
            socme={"condition": _condition(alert.condition)} if alert.HasField("condition") else None,
            triage=triage.view(stored.triage) if stored.HasField("triage") else None,
        ),
        "log": {**_given(file=alert.origin), "offset": alert.offset},
        **(_raw(alert) if raw else {}),
    }


def node_view(status: NodeStatus) -> View:
    """Return what the hub knows of a node."""
    last_seen = _time(status.last_seen, status.HasField("last_seen"))
    return {
        "client": status.client,
        "node": status.node,
        "state": state_name(status.state),
        "last_seen": last_seen,
        **_given(
            health=_HEALTH.get(status.health),
            reasons=list(status.reasons),
            enrolled=_time(status.enrolled, status.HasField("enrolled")),
            vitals=vitals_view(status.vitals) if status.HasField("vitals") else None,
        ),
    }


def state_name(number: int) -> str:
    """Return a node's state in lower case, "unknown" for one that this version does not know."""
    return _STATES.get(number, severity.UNKNOWN)


def health_name(number: int) -> str:
    """Return a health in lower case, "unknown" for one that this version does not know."""
    return _HEALTH.get(number, severity.UNKNOWN)


def client_view(status: ClientStatus) -> View:
    """Return what can be relied on at a client."""
    return {
        "client": status.client,
        "health": health_name(status.health),
        "reasons": list(status.reasons),
        "since": _time(status.since, status.HasField("since")),
        "seeing": number(status.seeing),
    }


def lag_bytes(vitals: Vitals) -> int:
    """Return how many bytes of its sources a node has not read yet."""
    return sum(source.lag_bytes for source in vitals.sources)


def vitals_view(vitals: Vitals) -> View:
    """Return a node's vital signs; null stands for what it could not find out."""
    return {
        "time": _time(vitals.time, vitals.HasField("time")),
        "agent_version": vitals.agent_version,
        "agent_uptime_seconds": vitals.agent_uptime_seconds,
        "agent_memory_bytes": vitals.agent_memory_bytes or None,
        "hostname": vitals.hostname or None,
        "uptime_seconds": vitals.uptime_seconds or None,
        "cpu": _cpu(vitals),
        "memory": _memory(vitals),
        "disks": [
            {
                "mountpoint": disk.mountpoint,
                "total_bytes": disk.capacity.total_bytes,
                "used_bytes": disk.capacity.used_bytes,
            }
            for disk in vitals.disks
        ],
        "addresses": list(vitals.addresses),
        "sources": [source_view(source) for source in vitals.sources],
        "lag_bytes": lag_bytes(vitals),
        "spool": spool_view(vitals.spool),
        **signs.machine_view(vitals),
    }


def source_view(source: SourceVitals) -> View:
    """Return how one source of a node is."""
    aged = source.HasField("last_record_age_seconds")
    return {
        "name": source.name,
        "kind": source.kind,
        "bytes": source.bytes,
        "records": source.records,
        "alerts": source.alerts,
        "spooled": source.spooled,
        "dropped": dict(sorted(source.dropped.items())),
        "undecodable": source.undecodable,
        "lag_bytes": source.lag_bytes,
        "lost_bytes": source.lost_bytes,
        "rotations": source.rotations,
        "last_record_age_seconds": number(source.last_record_age_seconds) if aged else None,
        "problem": source.problem,
        "rolled_up": source.rolled_up,
        "canary": signs.canary_view(source.canary) if source.HasField("canary") else None,
        "sensor": signs.sensor_view(source.sensor) if source.HasField("sensor") else None,
    }


def ledger_view(hour: LedgerHour) -> View:
    """Return what became of all that was read from a source in an hour."""
    return {
        "source": hour.source,
        "hour": _time(hour.hour, hour.HasField("hour")),
        "read": hour.read,
        "not_alert": hour.not_alert,
        "filtered": dict(sorted(hour.filtered.items())),
        "rolled_up": hour.rolled_up,
        "undecodable": hour.undecodable,
        "spooled": hour.spooled,
        "made": hour.made,
        "acknowledged": hour.acknowledged,
        "pending": hour.pending,
        "dropped": dict(sorted(hour.dropped.items())),
        "held": hour.held,
        "released": hour.released,
        "holding": hour.holding,
        "unaccounted": hour.unaccounted,
    }


def spool_view(spool: SpoolVitals) -> View:
    """Return how a node's spool is."""
    aged = spool.HasField("oldest_age_seconds")
    return {
        "alerts": spool.alerts,
        "bytes": spool.bytes,
        "acknowledged": spool.acknowledged,
        "oldest_age_seconds": number(spool.oldest_age_seconds) if aged else None,
        "capacity_bytes": spool.capacity_bytes or None,
        "dropped": dict(sorted(spool.dropped.items())),
        "unaccounted": spool.unaccounted,
        "problem": spool.problem,
    }


def _time(time: Timestamp, given: bool) -> str | None:  # noqa: FBT001 - HasField's answer
    found = moment(time) if given else None
    return None if found is None else stamp(found)


def _given(**values: object) -> View:
    """Return the values that say something: no None, no empty text, list or object."""
    return {key: value for key, value in values.items() if value not in (None, "", [], {})}


def _endpoint(end: Endpoint) -> View:
    return {"ip": end.ip or None, **_given(port=end.port or None, mac=end.mac)}


def _rule(rule: Rule) -> View:
    return {
        "id": rule.id,
        "name": rule.name,
        **_given(
            level=rule.level if rule.HasField("level") else None,
            category=rule.category,
            groups=list(rule.groups),
            references=list(rule.references),
            revision=rule.revision if rule.HasField("revision") else None,
            generator=rule.generator if rule.HasField("generator") else None,
            fired_times=rule.fired_times if rule.HasField("fired_times") else None,
        ),
    }


def _condition(condition: Condition) -> View:
    return {
        "kind": condition.kind,
        "subject": condition.subject,
        "state": _CONDITIONS.get(condition.state, severity.UNKNOWN),
        "since": _time(condition.since, condition.HasField("since")),
    }


def _host(host: Host) -> View:
    return _given(id=host.id, name=host.name, ip=host.ip)


def _network(network: Network) -> View:
    return _given(
        transport=network.transport,
        protocol=network.protocol,
        community_id=network.community_id,
        flow_id=_whole(network.flow_id),
        interface=network.interface,
        vlans=list(network.vlans),
    )


def _whole(digits: str) -> int | None:
    """Return the number that a node wrote; None for what is none."""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
        return None
    number = int(digits)
    return number if number < _TOO_LARGE else None


def _threat(threat: Threat) -> View:
    return _given(
        technique_ids=list(threat.technique_ids),
        technique_names=list(threat.technique_names),
        tactic_ids=list(threat.tactic_ids),
        tactic_names=list(threat.tactic_names),
    )


def _file(file: File) -> View:
    return _given(path=file.path, md5=file.md5, sha1=file.sha1, sha256=file.sha256, event=file.event)


def _event(alert: Alert, observed: str | None) -> View:
    return _given(
        created=observed,
        code=alert.native_id,
        start=_time(alert.first, alert.HasField("first")),
        end=_time(alert.last, alert.HasField("last")),
    )


def _raw(alert: Alert) -> View:
    text = alert.raw.decode(errors="replace")
    view: View = {"raw": text, "raw_bytes": alert.raw_bytes or len(alert.raw), "raw_cut": alert.raw_cut}
    if text.encode() != alert.raw:
        view["raw_base64"] = base64.b64encode(alert.raw).decode()
    return view


def _cpu(vitals: Vitals) -> View | None:
    known = vitals.cpu_count > 0
    return {"usage": number(vitals.cpu_usage), "count": vitals.cpu_count} if known else None


def _memory(vitals: Vitals) -> View | None:
    told = vitals.memory
    return {"total_bytes": told.total_bytes, "used_bytes": told.used_bytes} if told.total_bytes else None
