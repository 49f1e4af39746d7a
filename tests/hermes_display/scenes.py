"""A made-up fleet of clients, as a hub would tell of it, in states that a wall must show well."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from hermes_display.board import Event, Link
from socme.v1.alert_pb2 import Alert, AlertSource, Endpoint, Host, Rule, Severity, Threat
from socme.v1.vitals_pb2 import ClientStatus, Health, NodeState, NodeStatus
from socme.v1.watch_pb2 import (
    ClientSummary,
    FleetEvent,
    SeverityCount,
    Slot,
    Snapshot,
    StoredAlert,
    StoredAlerts,
    TacticCount,
    Triage,
    TriageStatus,
    WatchEvent,
)
from tests.hermes_display.watch_server import stamp

LOW, MEDIUM, HIGH, CRITICAL = (
    Severity.SEVERITY_LOW,
    Severity.SEVERITY_MEDIUM,
    Severity.SEVERITY_HIGH,
    Severity.SEVERITY_CRITICAL,
)
NAMES = (
    *("Auriel Santé", "Brumeval Logistique", "Corvane Énergie", "Dolmen Assurance", "Estran Conseil"),
    *("Falune BTP", "Galéane Transports", "Hélias Média", "Isaure Pharma", "Jorasse Avocats"),
    *("Kerlann Optique", "Lisière Immobilier", "Mirane Textile", "Noroît Marine", "Orval Industrie"),
    *("Pélune Habitat", "Quercine Bois", "Rivane Notaires", "Solenne Cosmétique", "Tavelle Agro"),
    *("Ulmeraie", "Valmorin Acier", "Wenzel Horlogerie", "Xanthe Chimie", "Ysaline Édition"),
    *("Zéphyrine Air", "Ardane Verre", "Belcombe", "Cérusier Peinture", "Drouane Presse"),
    *("Elvane Bio", "Fontarel", "Grisolle Mode", "Hautbourg Lycée", "Irvane Réseaux"),
    *("Jasserand", "Kermadec Pêche", "Lormeau Fonderie", "Melvaux Clinique", "Nervais Papier"),
    *("Ostrel Sécurité", "Perceval Jeux", "Quintane Caisse", "Roncevel Hôtels", "Sauveterre Lait"),
    *("Torvane Métal", "Ursane Archives", "Vauclère Eau", "Wandrille Livres", "Xaintrie Gaz"),
    *("Yvernois", "Zélande Fret", "Aubevoie", "Bréhal Plasturgie", "Courvelle"),
    *("Désirade Voyages", "Essarts Mairie", "Florival Fleurs", "Gravelin Ports", "Houlgard"),
)
TITLES = {
    CRITICAL: (
        ("LSASS memory read by rundll32", "T1003.001", "Credential Access"),
        ("Ransom note written to 14 shares", "T1486", "Impact"),
        ("Domain controller replicated by a workstation", "T1003.006", "Credential Access"),
    ),
    HIGH: (
        ("Administrators group changed", "T1098", "Persistence"),
        ("JNDI lookup in a user agent", "T1190", "Initial Access"),
        ("Many failed logons, then one that worked", "T1110.003", "Credential Access"),
        ("Beacon to a rare domain every 60 s", "T1071.001", "Command and Control"),
    ),
    MEDIUM: (
        ("SSH login for a user that does not exist", "T1110", "Credential Access"),
        ("SQL injection in a query string", "T1190", "Initial Access"),
        ("PowerShell with an encoded command", "T1059.001", "Execution"),
        ("DNS query for a dynamic DNS domain", "T1568", "Command and Control"),
        ("Remote service started over SMB", "T1021.002", "Lateral Movement"),
    ),
}
TACTICS = {
    "Credential Access": 216,
    "Initial Access": 172,
    "Execution": 121,
    "Command and Control": 88,
    "Discovery": 67,
    "Defense Evasion": 45,
}
HOSTS = ("srv-ad01", "web-front-2", "pc-rh-03", "nas-archive", "db-prod", "srv-mail", "pc-compta-07")
SHORT = 12  # letters
AWAY = timedelta(minutes=14)


@dataclass(frozen=True)
class Standing:
    """How a client of the busy scene is: its open alerts, those that nobody looks after, its sensors."""

    open: tuple[int, int, int] = (0, 0, 0)
    """Critical, high, medium."""
    fresh: tuple[int, int, int] | None = None
    """None: all of them."""
    health: Health.ValueType = Health.HEALTH_UP
    reason: str = ""
    usual: float = 1.0
    """Times of what is usual that this hour has."""


QUIET = Standing()
BUSY = (
    Standing((2, 5, 18), (1, 3, 12), Health.HEALTH_DEGRADED, "disk 94 % full"),
    Standing((0, 1, 2)),
    Standing(health=Health.HEALTH_SILENT, reason="nothing was heard of it for 14 min"),
    Standing((0, 3, 12), usual=3.4),
    Standing((0, 0, 4)),
    Standing((1, 2, 6), (0, 0, 0)),
    Standing(health=Health.HEALTH_BLIND, reason="eve.json: Suricata has seen no packet for 6 min"),
    Standing((0, 2, 9), (0, 2, 4)),
    QUIET,
    Standing((0, 0, 3), health=Health.HEALTH_LATE, reason="alerts.json: 41 MiB are unread, and it grows"),
    QUIET,
    QUIET,
    Standing((0, 0, 7)),
)


def clients(number: int) -> list[str]:
    """Return so many names."""
    return [
        NAMES[index % len(NAMES)] + (f" {index // len(NAMES) + 1}" if index >= len(NAMES) else "")
        for index in range(number)
    ]


def key(name: str) -> str:
    """Return a client's id."""
    return name.lower().replace(" ", "-")


def alert(
    number: int, name: str, severity: Severity.ValueType, at: datetime, *, count: int = 1
) -> StoredAlert:
    """Return a plausible alert; equal numbers are the same alert."""
    told, technique, tactic = TITLES[severity][number % len(TITLES[severity])]
    suricata = number % 3 == 0
    return StoredAlert(
        client=key(name),
        node=f"{key(name)[:6]}-01",
        received=stamp(at),
        alert=Alert(
            id=number.to_bytes(16, "big"),
            source=AlertSource.ALERT_SOURCE_SURICATA if suricata else AlertSource.ALERT_SOURCE_WAZUH,
            severity=severity,
            rule=Rule(id=str(900_000 + number), name=told),
            threat=Threat(technique_ids=[technique], tactic_names=[tactic]),
            source_endpoint=Endpoint(ip=f"198.51.100.{number % 250 + 1}"),
            host=Host(name=HOSTS[number % len(HOSTS)]),
            count=count,
        ),
    )


def scene(state: str, number: int, now: datetime) -> list[Event]:
    """Return what a hub tells a screen of so many clients that are "quiet" or "busy"."""
    names = clients(number)
    standings = [BUSY[index % len(BUSY)] if state == "busy" else QUIET for index in range(number)]
    told = list(zip(names, standings, strict=True))
    snapshot = Snapshot(
        clients=[_summary(name, standing, now) for name, standing in told],
        alerts=list(_latest(told, now)),
        time=stamp(now),
        timeline=list(_timeline(state, number, now)),
        tactics=[TacticCount(tactic=each, alerts=count) for each, count in TACTICS.items()],
    )
    return [
        Link(up=True, since=now),
        WatchEvent(snapshot=snapshot),
        *(event for name, standing in told for event in _fleet(name, standing, now)),
    ]


def live(*alerts: StoredAlert) -> WatchEvent:
    """Return alerts as they come."""
    return WatchEvent(alerts=StoredAlerts(alerts=alerts))


def _wave(place: float) -> float:
    """Return how much goes on at an hour of the day, 0 to 1."""
    return 0.18 + 0.82 * max(0.0, math.sin(math.pi * (place - 6.5) / 13)) if 6.5 < place < 19.5 else 0.18


def _counts(numbers: tuple[int, int, int]) -> list[SeverityCount]:
    severities = (CRITICAL, HIGH, MEDIUM)
    return [
        SeverityCount(severity=severity, alerts=count)
        for severity, count in zip(severities, numbers, strict=True)
        if count
    ]


def _summary(name: str, standing: Standing, now: datetime) -> ClientSummary:
    rng = random.Random(name)
    usual = rng.randint(8, 60)
    hours = [
        round(usual * _wave((now.hour + 1 - 23 + place) % 24) * rng.uniform(0.7, 1.3)) for place in range(23)
    ]
    silent = standing.health == Health.HEALTH_SILENT
    last = 0 if silent else round(usual * standing.usual * rng.uniform(0.5, 0.9))
    return ClientSummary(
        client=key(name),
        name=name,
        short_name=name.partition(" ")[0] if len(name) > SHORT else "",
        nodes=1 + len(name) % 2,
        last_day=_counts(standing.open),
        open=_counts(standing.open),
        fresh=_counts(standing.open if standing.fresh is None else standing.fresh),
        hours=[*hours, last],
        usual=usual,
    )


def _latest(told: list[tuple[str, Standing]], now: datetime) -> Iterator[StoredAlert]:
    """Yield the latest alerts, oldest first."""
    loud = [(name, standing) for name, standing in told if any(standing.open)]
    for place in range(12 if loud else 0):
        name, standing = loud[place * 5 % len(loud)]
        high = place % 4 == 1 and standing.open[1]
        stored = alert(place, name, HIGH if high else MEDIUM, now - timedelta(seconds=37 * (12 - place) + 9))
        stored.alert.count = 12 if place == 9 else 1
        if standing.fresh == (0, 0, 0):
            stored.triage.CopyFrom(Triage(status=TriageStatus.TRIAGE_STATUS_ACKNOWLEDGED, owner="m.riviere"))
        yield stored


def _timeline(state: str, number: int, now: datetime) -> Iterator[Slot]:
    rng = random.Random(state)
    begin = now - (now - now.replace(hour=0, minute=0, second=0, microsecond=0)) % timedelta(minutes=15)
    for place in range(96):
        at = begin - timedelta(minutes=15 * (95 - place))
        wave = _wave(at.hour + 1 + at.minute / 60) * number
        loud = state == "busy"
        counts = {
            LOW: round(9 * wave * rng.uniform(0.75, 1.25)),
            MEDIUM: round((1.8 if loud else 0.2) * wave * rng.uniform(0.4, 1.4)),
            HIGH: round(0.22 * wave * rng.uniform(0, 2)) if loud and wave > number / 3 else 0,
            CRITICAL: int(loud and place in (33, 93)),
        }
        alerts = [SeverityCount(severity=each, alerts=count) for each, count in counts.items() if count]
        yield Slot(begin=stamp(at), alerts=alerts)


def _fleet(name: str, standing: Standing, now: datetime) -> Iterator[FleetEvent]:
    silent = standing.health == Health.HEALTH_SILENT
    since = now - AWAY
    for node in range(1 + len(name) % 2):
        worst = node == 0 or silent
        yield FleetEvent(
            node=NodeStatus(
                client=key(name),
                node=f"{key(name).split('-')[0]}-{node + 1:02}",
                state=NodeState.NODE_STATE_OFFLINE if silent else NodeState.NODE_STATE_ONLINE,
                last_seen=stamp(since if silent else now),
                health=standing.health if worst else Health.HEALTH_UP,
                reasons=[standing.reason] if worst and standing.reason else [],
            )
        )
    reasons = [f"{key(name).split('-')[0]}-01: {standing.reason}"] if standing.reason else []
    status = ClientStatus(client=key(name), health=standing.health, reasons=reasons, since=stamp(since))
    yield FleetEvent(client=status)
