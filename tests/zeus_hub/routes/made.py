"""Alerts and routes, of which a test says only what matters to it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from socme.v1.alert_pb2 import Severity
from socme.v1.watch_pb2 import StoredAlert
from zeus_hub.routes.matcher import matcher
from zeus_hub.routes.rules import Inhibition, Place, Route

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
HERE = Place(Path("routes.d/10.toml"), 1)

ROUTE = Route(
    name="all",
    place=HERE,
    clients=None,
    match=None,
    group_by=("client", "rule.id"),
    group_wait=30.0,
    group_interval=300.0,
    repeat_interval=14_400.0,
    resolve_after=86_400.0,
    receivers=("mail",),
    goes_on=False,
    mute=(),
    active=(),
    urgent=Severity.SEVERITY_CRITICAL,
    escalate=(),
)


def route(match: str | None = None, **changes: object) -> Route:
    """Return a route with the settings that a file has where it says nothing."""
    found = replace(ROUTE, **changes)  # type: ignore[arg-type]
    return found if match is None else replace(found, match=matcher(match))


def inhibition(source: str, target: str, *equal: str) -> Inhibition:
    return Inhibition(place=HERE, source=matcher(source), target=matcher(target), equal=("client", *equal))


def alert(  # one alert of each kind of difference
    number: int = 1,
    *,
    client: str = "acme",
    rule: str = "5710",
    name: str = "sshd: brute force",
    severity: int = Severity.SEVERITY_MEDIUM,
    ips: tuple[str, str] = ("203.0.113.9", "10.0.0.5"),
    techniques: Iterable[str] = (),
    count: int = 1,
    text: str = "",
    received: datetime = NOON,
) -> StoredAlert:
    """Return an alert; two with the same number have the same id."""
    stored = StoredAlert(client=client, node=f"{client}-1")
    made = stored.alert
    made.id = number.to_bytes(16)
    made.severity = severity  # type: ignore[assignment]
    made.rule.id, made.rule.name, made.message, made.count = rule, name, text, count
    made.source_endpoint.ip, made.destination_endpoint.ip = ips
    made.threat.technique_ids.extend(techniques)
    stored.received.FromDatetime(received)
    return stored
