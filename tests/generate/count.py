"""Count what is in the project's recorded files, for manifest.json: the truth that tests compare with.

    python -m tests.generate.count tests/data

It decodes every line with Python's json and knows nothing of the product's code.
"""

import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Object = dict[str, Any]

SURICATA = {1: "high", 2: "medium"}  # native severity to the common scale; anything else is low
WAZUH = ((15, "critical"), (12, "high"), (7, "medium"), (0, "low"))  # least level of each
COPY_RULE = "86601"


def eve(content: bytes) -> Object:
    """Return what a Suricata eve.json holds."""
    records = [json.loads(line) for line in content.splitlines()]
    alerts = [record for record in records if record["event_type"] == "alert"]
    return {
        **_file(content),
        "event_types": _count(record["event_type"] for record in records),
        "alerts": len(alerts),
        "native": _count(str(alert["alert"]["severity"]) for alert in alerts),
        "severity": _count(map(_eve_severity, alerts)),
        "rules": _count(f"{alert['alert']['gid']}:{alert['alert']['signature_id']}" for alert in alerts),
        "techniques": _count(
            technique
            for alert in alerts
            for technique in alert["alert"].get("metadata", {}).get("mitre_technique_id", [])
        ),
    }


def wazuh(content: bytes) -> Object:
    """Return what a Wazuh alerts.json holds; `own` leaves the copies of Suricata's alerts out."""
    alerts = [json.loads(line.decode("utf-8", "replace")) for line in content.splitlines()]
    own = [alert for alert in alerts if alert["rule"]["id"] != COPY_RULE]
    return {
        **_file(content),
        "alerts": len(alerts),
        "copies": len(alerts) - len(own),
        "not_utf8": sum(1 for line in content.splitlines() if not _is_utf8(line)),
        "own": {
            "alerts": len(own),
            "native": _count(str(alert["rule"]["level"]) for alert in own),
            "severity": _count(_wazuh_severity(alert["rule"]["level"]) for alert in own),
            "rules": _count(alert["rule"]["id"] for alert in own),
            "techniques": _count(
                technique for alert in own for technique in alert["rule"].get("mitre", {}).get("id", [])
            ),
        },
    }


def manifest(folder: Path) -> str:
    """Return the manifest of a folder with recorded files, as it is written."""
    counted: Object = {path.name: eve(path.read_bytes()) for path in sorted(folder.glob("eve*.json"))}
    counted |= {path.name: wazuh(path.read_bytes()) for path in sorted(folder.glob("alerts*.json"))}
    return json.dumps(counted, indent=2) + "\n"


def _file(content: bytes) -> Object:
    return {
        "bytes": len(content),
        "lines": content.count(b"\n"),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _count(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _eve_severity(record: Object) -> str:
    alert = record["alert"]
    if "Critical" in alert.get("metadata", {}).get("signature_severity", []):
        return "critical"
    return SURICATA.get(alert["severity"], "low")


def _wazuh_severity(level: int) -> str:
    return next(name for least, name in WAZUH if level >= least)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


if __name__ == "__main__":
    target = Path(sys.argv[1])
    (target / "manifest.json").write_text(manifest(target))
