"""What the wall shows now, given what has arrived: events in, a new board out.

A board is bounded whatever arrives: its lists have limits, and every text on it is cleaned and cut on
arrival. What is beyond a limit is not shown; the hub has it. Times are the hub's, so that a screen without
a clock battery draws the right picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce

from google.protobuf.timestamp_pb2 import Timestamp

from socme.text import clean
from socme.v1.alert_pb2 import Alert, Severity
from socme.v1.vitals_pb2 import NodeState, NodeStatus, Vitals
from socme.v1.watch_pb2 import ClientSummary, FleetEvent, Snapshot, StoredAlert, WatchEvent
from socme.view import moment

MOST_ALERTS = 50  # the wall has room for ten; the rest makes a screen that reconnects whole
MOST_CLIENTS = 200
MOST_NODES = 1000
LONGEST_TITLE = 160  # characters
LONGEST_NAME = 64  # characters; client and node names are shorter, host names may not be
LONGEST_REASON = 200  # characters

FULL_DISK = 0.9  # share of a file system from which on a person should look
DEEP_SPOOL = 1000  # waiting alerts; a healthy node has them acknowledged within a second

# Severities as a tile counts them; a kind that this screen is too old to know counts as UNSPECIFIED.
SEVERITIES = (
    Severity.SEVERITY_CRITICAL,
    Severity.SEVERITY_HIGH,
    Severity.SEVERITY_MEDIUM,
    Severity.SEVERITY_LOW,
    Severity.SEVERITY_UNSPECIFIED,
)


@dataclass(frozen=True, slots=True)
class Link:
    """Whether the hub is there; made by the downlink, not by the hub."""

    up: bool
    since: datetime
    """By this machine's clock."""
    reason: str = ""
    """Why it is down, for people."""
    refused: bool = False
    """Whether the hub was there and does not let this screen in."""


Event = WatchEvent | FleetEvent | Link


@dataclass(frozen=True, slots=True)
class Row:
    """An alert in the feed."""

    key: str
    """Unique on a board."""
    client: str
    severity: int
    title: str
    facts: tuple[str, ...]
    """Host, addresses, techniques: what the alert has of them."""
    count: int
    received: datetime | None


@dataclass(frozen=True, slots=True)
class Client:
    """What is known of a client as a whole."""

    name: str
    nodes: int = 0
    """How many the hub counted; the nodes themselves come with the fleet."""
    last_day: Mapping[int, int] = field(default_factory=dict)
    """Alerts by severity: the hub's count of the last 24 hours, and what came since that count."""


@dataclass(frozen=True, slots=True)
class Node:
    """What is known of a node."""

    client: str
    name: str
    state: int
    last_seen: datetime | None
    trouble: str = ""
    """What it says is wrong with it; empty when all is well."""
    broken: bool = False
    """Whether the trouble keeps it from seeing alerts."""


@dataclass(frozen=True, slots=True)
class Board:
    """All that the wall shows."""

    link: Link
    least: int = 0
    """Severities below it do not count."""
    time: datetime | None = None
    """The hub's clock when it last said something; None before it did."""
    feed: tuple[Row, ...] = ()
    """The latest alerts, newest first."""
    clients: Mapping[str, Client] = field(default_factory=dict)
    nodes: Mapping[tuple[str, str], Node] = field(default_factory=dict)


def fold(board: Board, event: Event) -> Board:
    """Return the board with one more event; kinds of events that this screen does not know change nothing."""
    if isinstance(event, Link):
        return _link(board, event)
    match event.WhichOneof("event"), event:
        case "snapshot", WatchEvent():
            return _snapshot(board, event.snapshot)
        case "alerts", WatchEvent():
            return reduce(_alert, event.alerts.alerts, board)
        case "node", FleetEvent():
            return _node(board, event.node)
        case "bookmark", _:
            return replace(board, time=_time(event.bookmark.time) or board.time)
        case _:
            return board


def _link(board: Board, link: Link) -> Board:
    if link.refused:
        return Board(link, board.least)  # whoever is shut out keeps nothing to look at
    # The fleet tells all nodes at the start of a connection, and only those that are still there.
    return replace(board, link=link, nodes={} if link.up else board.nodes)


def title(alert: Alert) -> str:
    """Return what to call an alert on one line; not cleaned."""
    return alert.rule.name or alert.message or f"rule {alert.rule.id or '?'}"


def facts(alert: Alert) -> tuple[str, ...]:
    """Return what tells alerts of one rule apart: host, addresses, techniques; not cleaned."""
    ends = [end.ip for end in (alert.source_endpoint, alert.destination_endpoint) if end.ip]
    return tuple(
        fact
        for fact in (alert.host.name, " → ".join(ends), *alert.threat.technique_ids[:2], alert.user)
        if fact
    )


def _snapshot(board: Board, snapshot: Snapshot) -> Board:
    clients = {
        _name(summary.client): _client(summary, board.least)
        for summary in sorted(snapshot.clients, key=lambda summary: summary.client)[:MOST_CLIENTS]
    }
    feed: dict[str, Row] = {}
    for stored in reversed(snapshot.alerts[-MOST_ALERTS:]):
        row = _row(stored)
        feed.setdefault(row.key, row)
    return replace(board, time=_time(snapshot.time) or board.time, clients=clients, feed=tuple(feed.values()))


def _client(summary: ClientSummary, least: int) -> Client:
    counts: dict[int, int] = {}
    for count in summary.last_day:
        if count.severity < least:
            continue
        severity = _severity(count.severity)
        counts[severity] = counts.get(severity, 0) + count.alerts
    return Client(_name(summary.name or summary.client), summary.nodes, counts)


def _alert(board: Board, stored: StoredAlert) -> Board:
    row = _row(stored)
    if any(shown.key == row.key for shown in board.feed):
        return board
    return replace(
        board,
        time=max(filter(None, (board.time, row.received)), default=None),
        feed=(row, *board.feed[: MOST_ALERTS - 1]),
        clients=_counted(board.clients, row),
    )


def _counted(clients: Mapping[str, Client], row: Row) -> Mapping[str, Client]:
    client = clients.get(row.client)
    if client is None and len(clients) >= MOST_CLIENTS:
        return clients
    client = client or Client(row.client)
    counts = {**client.last_day, row.severity: client.last_day.get(row.severity, 0) + row.count}
    return {**clients, row.client: replace(client, last_day=counts)}


def _row(stored: StoredAlert) -> Row:
    alert = stored.alert
    return Row(
        key=f"{_name(stored.client)}/{_name(stored.node)}/{alert.id[:16].hex()}",
        client=_name(stored.client),
        severity=_severity(alert.severity),
        title=clean(title(alert), LONGEST_TITLE),
        facts=tuple(clean(fact, LONGEST_NAME) for fact in facts(alert)),
        count=max(1, alert.count),
        received=_time(stored.received),
    )


def _node(board: Board, status: NodeStatus) -> Board:
    key = (_name(status.client), _name(status.node))
    others = {known: node for known, node in board.nodes.items() if known != key}
    if status.state == NodeState.NODE_STATE_REVOKED or len(others) >= MOST_NODES:
        return replace(board, nodes=others)
    trouble, broken = _trouble(status.vitals)
    node = Node(*key, status.state, _time(status.last_seen), clean(trouble, LONGEST_NAME), broken)
    clients = board.clients
    if key[0] not in clients and len(clients) < MOST_CLIENTS:
        clients = {**clients, key[0]: Client(key[0])}
    return replace(board, clients=clients, nodes={**others, key: node})


def _trouble(vitals: Vitals) -> tuple[str, bool]:
    """Return the worst thing that a node says of itself, and whether it is blind because of it."""
    for source in vitals.sources:
        if source.problem:
            return f"{source.kind or source.name}: {source.problem}", True
    for disk in vitals.disks:
        used, total = disk.capacity.used_bytes, disk.capacity.total_bytes
        if total and used / total >= FULL_DISK:
            return f"disk {min(100 * used // total, 100)} %", False
    if vitals.spool.alerts >= DEEP_SPOOL:
        return f"spool {vitals.spool.alerts}", False
    return "", False


def _severity(number: int) -> int:
    return number if number in SEVERITIES else Severity.SEVERITY_UNSPECIFIED


def _name(text: str) -> str:
    return clean(text, LONGEST_NAME)


def _time(time: Timestamp) -> datetime | None:
    """Return a time; None where it is missing (a message that was not sent reads as 1970) or nonsense."""
    return moment(time) if time.seconds > 0 else None
