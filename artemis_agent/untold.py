"""Alerts that wait and that nobody was told of, brought down to what fits a mail, whatever they are. Pure."""

from collections import Counter, deque
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import UTC, datetime

from socme.text import clean
from socme.v1.alert_pb2 import Alert, Endpoint

MOST_IDS = 10_000  # alerts that are known as told; what is beyond, the hub tells as well
MOST_TITLES = 64  # that are counted; the rest of them is "other alerts"
MOST_LATEST = 8
LONGEST_TITLE = 120  # characters
LONGEST_NAME = 60  # characters of a host, of an address
OTHERS = "other alerts"


@dataclass(frozen=True, slots=True)
class Latest:
    """One of the latest alerts, in words that are safe to show."""

    when: datetime | None
    severity: int
    title: str
    host: str
    source: str
    destination: str


@dataclass(slots=True)
class Untold:
    """What was found; `take` adds to it."""

    least: int
    """The lowest severity that counts."""
    known: Container[bytes]
    """Ids of alerts that were told."""
    position: int
    """Up to where the spool was looked through."""
    alerts: int = 0
    """A roll-up counts with its count."""
    severities: Counter[int] = field(default_factory=Counter)
    titles: Counter[str] = field(default_factory=Counter)
    latest: deque[Latest] = field(default_factory=lambda: deque(maxlen=MOST_LATEST))
    ids: list[bytes] = field(default_factory=list)
    """The first ones."""

    def take(self, alert: Alert) -> None:
        """Add an alert, where it counts."""
        if alert.severity < self.least or alert.HasField("canary") or alert.id in self.known:
            return
        weight = alert.count or 1
        title = _text(alert.rule.name or alert.message or f"rule {alert.rule.id}", LONGEST_TITLE)
        self.alerts += weight
        self.severities[alert.severity] += weight
        self.titles[title if title in self.titles or len(self.titles) < MOST_TITLES else OTHERS] += weight
        if len(self.ids) < MOST_IDS:
            self.ids.append(alert.id)
        self.latest.append(
            Latest(
                _when(alert),
                alert.severity,
                title,
                _text(alert.host.name, LONGEST_NAME),
                _endpoint(alert.source_endpoint),
                _endpoint(alert.destination_endpoint),
            )
        )


def _when(alert: Alert) -> datetime | None:
    stamp = alert.time if alert.HasField("time") else alert.observed
    try:
        return stamp.ToDatetime(UTC) if stamp.seconds else None
    except ValueError:  # beyond the years 1 to 9999: no time at all
        return None


def _endpoint(endpoint: Endpoint) -> str:
    if not endpoint.ip:
        return ""
    return _text(f"{endpoint.ip} port {endpoint.port}" if endpoint.port else endpoint.ip, LONGEST_NAME)


def _text(text: str, longest: int) -> str:
    """Return text on one line that no program for mail makes a link of."""
    return clean(text, longest).replace("://", "[:]//")
