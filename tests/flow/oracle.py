"""What must be stored for given files, worked out with nothing but the standard library.

It is the tests' own reading of the formats, kept apart from the product's, so that both would have to be
wrong in the same way.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SURICATA = {1: "high", 2: "medium"}  # anything else is low
COPY_RULE = "86601"


@dataclass(frozen=True, slots=True)
class Expected:
    """One alert that must be stored."""

    source: str
    severity: str
    rule: str
    raw: bytes


def eve(paths: Iterable[Path]) -> list[Expected]:
    """Return the alerts of eve.json files."""
    return [
        Expected("suricata", _suricata(record["alert"]), str(record["alert"]["signature_id"]), line)
        for record, line in _records(paths)
        if record.get("event_type") == "alert"
    ]


def wazuh(paths: Iterable[Path], *, beside: Iterable[Path] = ()) -> list[Expected]:
    """Return the alerts of alerts.json files, without the copies of alerts in the eve.json files `beside`."""
    originals = {
        (record["timestamp"], str(record["alert"]["signature_id"]), str(record.get("flow_id", "")))
        for record, _ in _records(beside)
        if record.get("event_type") == "alert"
    }
    return [
        Expected("wazuh", _wazuh(record), record["rule"]["id"], line)
        for record, line in _records(paths)
        if not (record["rule"]["id"] == COPY_RULE and _copied(record) in originals)
    ]


def tally(alerts: Iterable[Expected]) -> Counter[tuple[str, str, str]]:
    """Count alerts by source, severity and rule."""
    return Counter((alert.source, alert.severity, alert.rule) for alert in alerts)


def stored_tally(alerts: Iterable[dict[str, Any]]) -> Counter[tuple[str, str, str]]:
    """Count what `zeus alert list --json` printed in the same way."""
    return Counter((alert["source"]["module"], alert["severity"], alert["rule"]["id"]) for alert in alerts)


def _records(paths: Iterable[Path]) -> list[tuple[dict[str, Any], bytes]]:
    found = []
    for path in paths:
        lines = path.read_bytes().split(b"\n")
        found += [(json.loads(line.decode(errors="replace")), line) for line in lines if line.strip()]
    return found


def _suricata(alert: dict[str, Any]) -> str:
    metadata = alert.get("metadata") or {}
    if "Critical" in metadata.get("signature_severity", []):
        return "critical"
    return SURICATA.get(int(alert["severity"]), "low")


def _wazuh(record: dict[str, Any]) -> str:
    if record["rule"]["id"] == COPY_RULE:
        return _suricata(record["data"]["alert"])
    level = int(record["rule"].get("level", 0))
    return "critical" if level >= 15 else "high" if level >= 12 else "medium" if level >= 7 else "low"


def _copied(record: dict[str, Any]) -> tuple[str, str, str]:
    data = record["data"]
    flow = str(data.get("flow_id", "")).removesuffix(".000000")
    return data["timestamp"], str(data["alert"]["signature_id"]), flow
