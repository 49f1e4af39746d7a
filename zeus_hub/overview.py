"""What `zeus top` knows: nodes, the latest alerts and how many come, given what the hub said. Pure, bounded.

Every text is cleaned and cut on arrival. `at` is a monotonic clock in seconds; times for people are those of
the hub.
"""

import itertools
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from socme.severity import name as severity_name
from socme.text import clean
from socme.v1.vitals_pb2 import Health, NodeStatus
from socme.v1.watch_pb2 import Bookmark, FleetEvent, Snapshot, StoredAlert, WatchEvent
from socme.view import health_name, lag_bytes, moment
from zeus_hub.samples import busy, fullest, used

# Without a word of the hub, which speaks every two or three. A person is to see it within five, and a new
# picture comes every half a second.
STALE_SECONDS = 4.0
MOST_NODES = 20_000
MOST_ALERTS = 200
SPAN = 5  # seconds of one bar of the rate
SPANS = 60  # five minutes
MINUTE = 60
LONGEST_NAME = 64  # characters
LONGEST_TEXT = 200

ALERTS, FLEET = "alerts", "fleet"  # what the hub is asked for

# From worst to best: what is wrong at the top.
ORDER = (
    Health.HEALTH_SILENT,
    Health.HEALTH_BLIND,
    Health.HEALTH_LATE,
    Health.HEALTH_DEGRADED,
    Health.HEALTH_UNSPECIFIED,
    Health.HEALTH_UP,
    Health.HEALTH_REVOKED,
)


@dataclass(frozen=True, slots=True)
class Node:
    """A node's line."""

    place: str
    """ "client/node"."""
    health: int
    reasons: str
    seen: datetime | None
    cpu: int | None
    """Share in use, in thousandths, as the two that follow."""
    memory: int | None
    disk: int | None
    spool: int | None
    lag: int | None
    """Bytes."""

    @property
    def word(self) -> str:
        """Its health in a word."""
        return health_name(self.health)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert's line."""

    time: datetime | None
    severity: str
    place: str
    title: str
    source: str
    destination: str
    count: int


class Overview:
    """All that is to be seen."""

    def __init__(self, hub: str) -> None:
        self.hub = clean(hub, LONGEST_NAME)
        self.nodes: dict[tuple[str, str], Node] = {}
        self.alerts: deque[Alert] = deque(maxlen=MOST_ALERTS)
        """Newest first."""
        self.days: Mapping[str, str] = {}
        """How nodes were in the last 24 hours, by their places (see `place`): a line of bars each."""
        self.days_trouble = ""
        """Why that is not known; empty where it is."""
        self._heard: dict[str, float] = {}
        self._lost: dict[str, str] = {}
        self._spans: dict[int, Counter[str]] = {}
        self._time: tuple[datetime, float] | None = None

    def take(self, event: WatchEvent | FleetEvent, at: float) -> None:
        """Take an event; kinds that this version does not know are a sign of life."""
        stream = ALERTS if isinstance(event, WatchEvent) else FLEET
        self._heard[stream] = at
        if stream in self._lost:
            del self._lost[stream]
            if stream == FLEET:  # which tells all nodes now, and only those that are there
                self.nodes.clear()
        match event.WhichOneof("event"), event:
            case "snapshot", WatchEvent():
                self._snapshot(event.snapshot, at)
            case "alerts", WatchEvent():
                for stored in event.alerts.alerts:
                    self._alert(stored, at)
            case "node", FleetEvent():
                self._node(event.node)
            case "bookmark", _:
                self._clock(event.bookmark, at)
            case _:
                pass

    def lost(self, stream: str, reason: str) -> None:
        """Take note that there is no contact."""
        self._lost[stream] = clean(reason, LONGEST_TEXT)

    def was(self, days: Mapping[tuple[str, str], str], trouble: str = "") -> None:
        """Take how nodes were, by client and node, or why that cannot be learnt."""
        self.days = {place(*key): bars for key, bars in itertools.islice(days.items(), MOST_NODES)}
        self.days_trouble = clean(trouble, LONGEST_TEXT)

    def trouble(self, at: float) -> str:
        """Return why what is shown may be old; empty where it is not."""
        if len(self._heard) < len((ALERTS, FLEET)):
            return next(iter(self._lost.values()), "waiting for the hub")
        quiet = at - min(self._heard.values())
        if self._lost:
            return f"STALE for {quiet:.0f} s, no contact with the hub: {next(iter(self._lost.values()))}"
        return f"STALE: nothing heard of the hub for {quiet:.0f} s" if quiet > STALE_SECONDS else ""

    def time(self, at: float) -> datetime | None:
        """Return what the hub's clock should show now; None while that is not known."""
        return None if self._time is None else self._time[0] + timedelta(seconds=at - self._time[1])

    def worst_first(self) -> list[Node]:
        """Return the nodes."""
        rank = {health: number for number, health in enumerate(ORDER)}
        nobody_knows = rank[Health.HEALTH_UNSPECIFIED]
        return sorted(
            self.nodes.values(),
            key=lambda node: (rank.get(node.health, nobody_knows), node.place),  # type: ignore[call-overload]
        )

    def last_minute(self, at: float) -> Counter[str]:
        """Return how many alerts came in it, by severity."""
        newest = int(at // SPAN)
        spans = (self._spans.get(newest - back, Counter[str]()) for back in range(MINUTE // SPAN))
        return sum(spans, Counter[str]())

    def rate(self, at: float) -> Sequence[int]:
        """Return how many alerts came in each of the last SPANS spans, the oldest first."""
        newest = int(at // SPAN)
        return [self._spans.get(newest - back, Counter[str]()).total() for back in reversed(range(SPANS))]

    def _snapshot(self, snapshot: Snapshot, at: float) -> None:
        self._clock(Bookmark(time=snapshot.time), at)
        self.alerts.clear()
        self.alerts.extendleft(_alert(stored) for stored in snapshot.alerts)

    def _alert(self, stored: StoredAlert, at: float) -> None:
        alert = _alert(stored)
        self.alerts.appendleft(alert)
        span = int(at // SPAN)
        self._spans.setdefault(span, Counter())[alert.severity] += alert.count
        for old in [known for known in self._spans if known <= span - SPANS]:
            del self._spans[old]

    def _node(self, status: NodeStatus) -> None:
        key = (status.client, status.node)
        if key in self.nodes or len(self.nodes) < MOST_NODES:
            self.nodes[key] = _node(status)

    def _clock(self, bookmark: Bookmark, at: float) -> None:
        time = moment(bookmark.time)
        if time is not None:
            self._time = time, at


def place(client: str, node: str) -> str:
    """Return a node's name as it is shown."""
    return clean(f"{client}/{node}", LONGEST_NAME)


def _node(status: NodeStatus) -> Node:
    vitals = status.vitals
    known = status.HasField("vitals")
    return Node(
        place=place(status.client, status.node),
        health=status.health,
        reasons=clean("; ".join(status.reasons), LONGEST_TEXT),
        seen=moment(status.last_seen) if status.HasField("last_seen") else None,
        cpu=busy(vitals),
        memory=used(vitals.memory),
        disk=fullest(vitals),
        spool=vitals.spool.alerts if known else None,
        lag=lag_bytes(vitals) if known else None,
    )


def _alert(stored: StoredAlert) -> Alert:
    alert = stored.alert
    return Alert(
        time=moment(stored.received) if stored.HasField("received") else None,
        severity=severity_name(alert.severity),
        place=place(stored.client, stored.node),
        title=clean(alert.rule.name or alert.message or f"rule {alert.rule.id or '?'}", LONGEST_TEXT),
        source=clean(alert.source_endpoint.ip, LONGEST_NAME),
        destination=clean(alert.destination_endpoint.ip, LONGEST_NAME),
        count=max(1, alert.count),
    )
