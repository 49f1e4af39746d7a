"""A client as its tile shows it: one state, one number, and what else must be known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hermes_display import day, tally
from hermes_display.board import Client
from hermes_display.day import Hours
from hermes_display.nodes import Node
from hermes_display.tally import CRITICAL, HIGH, LOW, MEDIUM, UNKNOWN
from socme import severity
from socme.v1.vitals_pb2 import Health

# Worst first. "handled": what is open is looked after. "off": nothing is taken from the client.
STATES = ("critical", "silent", "blind", "high", "late", "medium", "handled", "quiet", "off")
CARE = ("silent", "blind", "late")  # states of which the hub says that alerts do not come, or not in time
# Without contact, after which a client with more than one node is silent, whatever the hub says of each; an
# agent's restart is shorter. The hub itself tells a silent node after three of its vitals did not come.
SILENT = timedelta(seconds=120)
THOUSAND = 1000
LINES = 3  # counts beside the big number

# An hour is told as unlike others only where that is no chance.
MUCH = 2.0  # times what is usual
LITTLE = 0.25  # of what is usual up to now
LEAST_MORE = 10  # alerts above what is usual
LEAST_USUAL = 20  # alerts an hour, below which few are no news
LEAST_PASSED = timedelta(minutes=30)  # of an hour, before which few are no news

_HEALTH: Mapping[int, str] = {Health.HEALTH_BLIND: "blind", Health.HEALTH_LATE: "late"}


@dataclass(frozen=True, slots=True)
class _Age:
    """How long something has lasted, in one unit."""

    number: int
    unit: str


def tile(client: Client, nodes: Sequence[Node], now: datetime | None) -> dict[str, object]:
    """Return what a client's tile shows."""
    care = _care(client, nodes, now)
    state = _state(client, care)
    return {
        "name": client.name,
        "short": client.short,
        "state": state,
        "care": care if care != state else "",
        "reason": _reason(client, nodes) if care in ("blind", "late") else "",
        "online": sum(node.is_online for node in nodes) if nodes else None,
        "nodes": len(nodes) or client.nodes,
        "lines": _lines(client),
        **_figure(client, state, nodes, now),
        "hour": _hour(client.hours, now),
    }


def short(number: int) -> str:
    """Return a number in at most four characters, rounded down: "999", "1.2k", "45k", "3.0M"."""
    if number < THOUSAND:
        return str(number)
    for power, unit in enumerate("kMGT", start=1):
        size = THOUSAND**power
        if number < 10 * size:
            return f"{number // size}.{number * 10 // size % 10}{unit}"
        if number < THOUSAND * size:
            return f"{number // size}{unit}"
    return "∞"


def age(since: datetime | None, now: datetime | None) -> list[object] | None:
    """Return how long ago something was, as [45, "s"], [14, "min"], [3, "h"] or [2, "d"]; None: unknown."""
    found = _age(since, now)
    return [found.number, found.unit] if found else None


def _age(since: datetime | None, now: datetime | None) -> _Age | None:
    if since is None or now is None:
        return None
    seconds = max(0, int((now - since).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return _Age(seconds // size, unit)
    return _Age(seconds, "s")


def _care(client: Client, nodes: Sequence[Node], now: datetime | None) -> str:
    """Return which of CARE a client needs; empty for none.

    It is silent when all its nodes are. One that is silent among others leaves a part of the client unseen.
    """
    if client.health == Health.HEALTH_REVOKED:
        return ""
    if nodes and all(_is_silent(node, now) for node in nodes):
        return "silent"
    if client.health == Health.HEALTH_SILENT:
        return "blind" if len(nodes) > 1 else "silent"
    return _HEALTH.get(client.health, "")


def _reason(client: Client, nodes: Sequence[Node]) -> str:
    """Return why a client needs care, without the name of its node where it has but one."""
    only = f"{nodes[0].name}: " if len(nodes) == 1 else ""
    return client.reason.removeprefix(only)


def _is_silent(node: Node, now: datetime | None) -> bool:
    if node.grade != "silent" or node.last_seen is None or now is None:
        return False
    return now - node.last_seen > SILENT


def _state(client: Client, care: str) -> str:
    open_, fresh = client.open, client.fresh
    found = {
        care,
        "critical" if fresh.get(CRITICAL) else "",
        "high" if fresh.get(HIGH) else "",
        "medium" if fresh.get(MEDIUM) or fresh.get(UNKNOWN) else "",
        "handled" if any(number for each, number in open_.items() if each != LOW) else "",
    }
    if client.health == Health.HEALTH_REVOKED and "critical" not in found:
        return "off"
    return next((state for state in STATES if state in found), "quiet")


def _lines(client: Client) -> list[list[object]]:
    """Return the open alerts by severity, worst first, and whether somebody looks after all of them."""
    severities = [each for each in tally.SEVERITIES if client.open.get(each)]
    if any(each != LOW for each in severities):
        severities = [each for each in severities if each != LOW]
    return [
        [severity.name(each), short(client.open[each]), not client.fresh.get(each)]
        for each in severities[:LINES]
    ]


def _figure(client: Client, state: str, nodes: Sequence[Node], now: datetime | None) -> dict[str, object]:
    """Return the big number, and the unit where it is an age."""
    since = client.since
    if state == "silent" and nodes:
        since = max((node.last_seen for node in nodes if node.last_seen), default=client.since)
    lasted = _age(since, now) if state in CARE else None
    if lasted:
        return {"number": short(lasted.number), "unit": lasted.unit}
    worst = tally.worst(client.open)
    return {"number": short(client.open[worst]) if worst is not None else "0", "unit": ""}


def _hour(hours: Hours | None, now: datetime | None) -> Mapping[str, object] | None:
    """Return this hour's alerts, what is usual for the hour, and which way they differ if they do."""
    if hours is None or now is None:
        return None
    count, usual = hours.counts[-1], hours.usual
    unlike = ""
    if usual is not None:
        passed = now - hours.begin
        if count >= MUCH * usual and count - usual >= LEAST_MORE:
            unlike = "more"
        elif usual >= LEAST_USUAL and passed >= LEAST_PASSED and count < LITTLE * usual * (passed / day.HOUR):
            unlike = "less"
    told = None if usual is None else short(round(usual))
    return {"count": short(count), "usual": told, "unlike": unlike}
