"""Make a Wazuh 4 alerts.json for the same site and the same minutes as the recorded Suricata output.

    python -m tests.generate.make_wazuh EVE_JSON ALERTS_JSON

The shape (order of keys, numbers as strings, time format, what is left out when) follows what
wazuh-analysisd 4.14 writes; every text, rule and log line in it is invented here. Rule numbers are from
100000 on, which Wazuh keeps for local rules; only 86601, the copy that Wazuh makes of each Suricata alert,
is its own. The same input gives the same bytes each time.
"""

import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.generate import wazuh_hosts, wazuh_network
from tests.generate.wazuh_shapes import ITSELF, MANAGER, Event, Moment, Object, Rule

COPY_RULE = "86601"
COPY_DELAY = timedelta(seconds=1.137)  # how long after Suricata Wazuh writes the same alert
OWN_ALERTS = 120  # how many alerts besides the copies
SMALLEST_PRINTED_AS_FLOAT = 2**31  # Wazuh keeps JSON numbers as doubles and prints large ones with "%f"

STORIES: tuple[tuple[int, Callable[[Moment], Event]], ...] = (
    (18, wazuh_network.ssh_failure),
    (4, wazuh_network.ssh_series),
    (12, wazuh_network.web_attack),
    (12, wazuh_network.web_error),
    (5, wazuh_hosts.file_modified),
    (3, wazuh_hosts.file_added),
    (2, wazuh_hosts.file_deleted),
    (10, wazuh_hosts.windows_logon),
    (4, wazuh_hosts.powershell),
    (2, wazuh_hosts.memory_read),
    (6, wazuh_hosts.configuration_check),
    (3, wazuh_hosts.audit),
    (9, wazuh_hosts.sudo),
    (1, wazuh_hosts.rootkit),
    (4, wazuh_hosts.weakness),
    (3, wazuh_hosts.disk_full),
)
ONCE = (wazuh_network.login_by_night, wazuh_network.agentless)


def copy_of(eve: Object) -> Event:
    """Return the alert that Wazuh makes of a Suricata alert: always rule 86601, always level 3."""
    signature = eve["alert"]["signature"]
    return Event(
        Rule(3, COPY_RULE, f"Suricata: Alert - {signature}", ("ids", "suricata")),
        ITSELF,
        {"decoder": {"name": "json"}, "data": stringly(eve), "location": "/var/log/suricata/eve.json"},
    )


def stringly(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return JSON as Wazuh's decoder keeps it: all scalars as strings, lists as they are."""
    if isinstance(value, dict):
        return {key: stringly(inner) for key, inner in value.items()}
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value >= SMALLEST_PRINTED_AS_FLOAT:
        return f"{value:f}"
    return value if isinstance(value, str | list) else str(value)


def dress(event: Event, at: datetime, offset: int, fired: int) -> Object:
    """Return an alert as Wazuh writes it, keys in its order."""
    rule = event.rule
    told: Object = {"level": rule.level, "description": rule.description, "id": rule.id}
    if rule.mitre is not None:
        told["mitre"] = dict(zip(("id", "tactic", "technique"), map(list, rule.mitre), strict=True))
    if rule.frequency is not None:
        told["frequency"] = rule.frequency
    told |= {"firedtimes": fired, "mail": rule.level >= 12, "groups": list(rule.groups)} | rule.extra
    return {
        "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}+0000",
        "rule": told,
        **({} if event.agent is None else {"agent": event.agent}),
        "manager": {"name": MANAGER},
        "id": f"{int(at.timestamp())}.{offset}",
        "cluster": {"name": "lab", "node": "master"},
        **event.rest,
    }


def own_events(first: datetime, last: datetime) -> Iterator[tuple[datetime, Event]]:
    """Yield alerts that Wazuh raised by itself between two moments."""
    rng = random.Random("wazuh")
    weights, stories = zip(*STORIES, strict=True)
    drawn = rng.choices(stories, weights, k=OWN_ALERTS - len(ONCE))
    for number, story in enumerate([*drawn[:40], *ONCE, *drawn[40:]]):
        at = first + (last - first) * (number + rng.random()) / OWN_ALERTS
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        yield at, story(Moment(at, rng))


def copies(eve: Iterable[bytes]) -> Iterator[tuple[datetime, Event]]:
    """Yield the copies of all Suricata alerts."""
    for line in eve:
        record = json.loads(line)
        if record["event_type"] == "alert":
            yield datetime.fromisoformat(record["timestamp"]) + COPY_DELAY, copy_of(record)


def alerts(eve: list[bytes]) -> Iterator[bytes]:
    """Yield the lines of alerts.json, in the order of time but for the few that two threads swapped."""
    times = sorted(datetime.fromisoformat(json.loads(line)["timestamp"]).astimezone(UTC) for line in eve)
    dated = sorted([*own_events(times[0], times[-1]), *copies(eve)], key=lambda pair: pair[0])
    for number in range(30, len(dated) - 1, 60):
        dated[number], dated[number + 1] = dated[number + 1], dated[number]
    fired: Counter[str] = Counter()
    offset = 0
    for at, event in dated:
        fired[event.rule.id] += 1
        alert = dress(event, at.astimezone(UTC), offset, fired[event.rule.id])
        line = json.dumps(alert, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogateescape")
        offset += len(line) * 2 // 3
        yield line + b"\n"


def make(eve: Path) -> bytes:
    """Return the whole file for a recorded eve.json."""
    return b"".join(alerts(eve.read_bytes().splitlines()))


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(make(Path(sys.argv[1])))
