"""Alerts in a hub's database, put there as the hub does it."""

from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from sqlalchemy import Engine

from socme.batch import Packed
from socme.journal import Entry, Journal
from socme.v1.alert_pb2 import Alert, AlertSource, Severity
from socme.v1.watch_pb2 import StoredAlert
from tests.contracts.sink_suite import deliver
from tests.zeus_hub.engines import opened
from zeus_hub import opened as notes
from zeus_hub import registry
from zeus_hub.enrich import Arrival
from zeus_hub.raising import Open
from zeus_hub.sinks.store import Store

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
JOURNAL = b"j" * 16


def alert(  # one alert of each kind of difference
    number: int,
    *,
    place: str = "acme/acme-1",
    minutes: float | None = None,
    severity: int = Severity.SEVERITY_MEDIUM,
    source: int = AlertSource.ALERT_SOURCE_SURICATA,
    rule: str = "2001",
    name: str = "a rule",
    ips: tuple[str, str] = ("10.0.0.1", "192.0.2.1"),
    techniques: Iterable[str] = (),
    text: str = "",
    raw: bytes = b"{}",
) -> StoredAlert:
    """Return an alert that happened `number` (or `minutes`) minutes after noon."""
    client, node = place.split("/")
    made = Alert(
        id=number.to_bytes(16),
        source=source,  # type: ignore[arg-type]  # any number may come from a newer node
        severity=severity,  # type: ignore[arg-type]
        message=text,
        count=1,
        raw=raw,
    )
    made.time.FromDatetime(NOON + timedelta(minutes=number if minutes is None else minutes))
    made.rule.id, made.rule.name = rule, name
    made.source_endpoint.ip, made.destination_endpoint.ip = ips
    made.threat.technique_ids.extend(techniques)
    stored = StoredAlert(client=client, node=node, alert=made)
    stored.received.FromDatetime(NOON + timedelta(hours=1, minutes=number))
    return stored


def database(state_dir: Path, clients: Iterable[str] = ("acme", "beta")) -> Engine:
    """Return a new database with clients."""
    engine = opened(state_dir)
    for client in clients:
        registry.add_client(engine, client, now=NOON)
    return engine


def leave_open(journal: Path, *conditions: Open) -> None:
    """Write down in a journal that conditions are open."""
    with closing(Journal(journal)) as found:
        found.append([], notes={notes.name(one.key): notes.encode(one) for one in conditions})


def keep(engine: Engine, alerts: Iterable[StoredAlert]) -> None:
    """Store alerts, in this order; those of one node that came at one time are of one batch."""
    batches = [(came, list(kept)) for came, kept in groupby(alerts, _came)]
    arrivals = [
        Arrival(Entry(1, origin, 1, 1, received_us, Packed(b"", 3, len(kept), 0)), kept)
        for (origin, received_us), kept in batches
    ]
    if arrivals:
        deliver(Store(engine, JOURNAL, 1), arrivals)


def _came(stored: StoredAlert) -> tuple[str, int]:
    return f"{stored.client}/{stored.node}", stored.received.ToMicroseconds()
