"""What the wall shows now, given what has arrived: events in, a new board out.

A board is bounded whatever arrives: its lists have limits, and every text on it is cleaned and cut on
arrival. What is beyond a limit is not shown; the hub has it. Times are the hub's, so that a screen without
a clock battery draws the right picture; the screen's own clock only turns pages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import reduce

from hermes_display import alarms, day, feed, pages, rows, tally, triage
from hermes_display.alarms import Alarms
from hermes_display.day import Day, Hours
from hermes_display.feed import Feed
from hermes_display.nodes import Node, read_node
from hermes_display.pages import Pages
from hermes_display.rows import Row
from hermes_display.tally import Counts
from hermes_display.triage import Stage
from socme.text import clean
from socme.v1.vitals_pb2 import ClientStatus, Health, NodeState, NodeStatus
from socme.v1.watch_pb2 import ClientSummary, FleetEvent, Snapshot, StoredAlert, TriageChange, WatchEvent

MOST_ALERTS = 300  # asked for with a snapshot; most of them may be low, which the feed leaves out
MOST_CLIENTS = 200
MOST_NODES = 1000
MOST_SEEN = 64  # alerts that are known by their keys, so that one that is told twice counts once
LONGEST_REASON = 200  # characters
OVERLAP = timedelta(seconds=10)  # between the hub's taking an alert and its telling of it
SMOOTH = 0.1  # how much the last second counts in the rate of alerts; a tenth of it is left after 20 s
NO_RATE = 0.005  # alerts a second, below which there are none


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


@dataclass(frozen=True, slots=True)
class Tick:
    """A second has passed."""

    at: datetime
    """By this machine's clock."""


Event = WatchEvent | FleetEvent | Link


@dataclass(frozen=True, slots=True)
class Client:
    """What is known of a client as a whole."""

    name: str
    short: str = ""
    """A name for narrow places; empty where none was given."""
    nodes: int = 0
    """How many the hub counted; the nodes themselves come with the fleet."""
    open: Counts = field(default_factory=dict)
    """Alerts that nobody has closed."""
    fresh: Counts = field(default_factory=dict)
    """Those of them that nobody looks after."""
    hours: Hours | None = None
    """None where the hub does not tell them."""
    health: int = Health.HEALTH_UNSPECIFIED
    reason: str = ""
    """The worst of what is wrong with it; empty when all is well."""
    since: datetime | None = None
    """Since when it is so."""


@dataclass(frozen=True, slots=True)
class Board:
    """All that the wall shows."""

    link: Link
    least: int = 0
    """Severities below it do not count."""
    time: datetime | None = None
    """The hub's clock when it last said something; None before it did."""
    clients: Mapping[str, Client] = field(default_factory=dict)
    nodes: Mapping[tuple[str, str], Node] = field(default_factory=dict)
    feed: Feed = field(default_factory=Feed)
    alarms: Alarms = field(default_factory=Alarms)
    pages: Pages = field(default_factory=Pages)
    day: Day | None = None
    rate: float = 0.0
    """Alerts a second, of late."""
    arrived: int = 0
    """Alerts since the last second began."""
    seen: tuple[str, ...] = ()
    """The keys of the latest alerts."""
    ends: tuple[str, ...] = ()
    """The keys of the latest alerts that told the end of something; the hub has yet to close them."""


def fold(board: Board, event: Event | Tick) -> Board:
    """Return the board with one more event; kinds of events that this screen does not know change nothing."""
    if isinstance(event, Tick):
        return _tick(board, event.at)
    if isinstance(event, Link):
        return _link(board, event)
    return _alerts(board, event) if isinstance(event, WatchEvent) else _fleet(board, event)


def order(board: Board) -> list[str]:
    """Return all clients in the order of their places, which change only when a client comes or goes."""
    return sorted(board.clients.keys() | {client for client, _ in board.nodes})


def _tick(board: Board, at: datetime) -> Board:
    rate = board.rate + SMOOTH * (board.arrived - board.rate)
    now = replace(
        board,
        pages=pages.ticked(board.pages, len(order(board)), at),
        feed=feed.ticked(board.feed),
        rate=rate if rate > NO_RATE else 0.0,
        arrived=0,
    )
    return board if now == board else now


def _alerts(board: Board, event: WatchEvent) -> Board:
    match event.WhichOneof("event"):
        case "snapshot":
            return _snapshot(board, event.snapshot)
        case "alerts":
            return reduce(_alert, event.alerts.alerts, board)
        case "triage":
            return reduce(_triage, event.triage.changes, board)
        case "bookmark":
            return _at(board, rows.time(event.bookmark.time))
        case "lagged":  # what was done about the alerts that are shown may have been missed
            return replace(board, feed=Feed())
        case _:
            return board


def _link(board: Board, link: Link) -> Board:
    if link.refused:
        # Whoever is shut out keeps nothing to look at.
        return Board(link, board.least, pages=Pages(most=board.pages.most))
    # The fleet tells all nodes at the start of a connection, and only those that are still there.
    return replace(board, link=link, nodes={} if link.up else board.nodes)


def _fleet(board: Board, event: FleetEvent) -> Board:
    match event.WhichOneof("event"):
        case "node":
            return _node(board, event.node)
        case "client":
            return _health(board, event.client)
        case "bookmark":
            return _at(board, rows.time(event.bookmark.time))
        case _:
            return board


def _at(board: Board, time: datetime | None) -> Board:
    """Let the hub's clock go on."""
    if time is None or (board.time is not None and time <= board.time):
        return board
    clients = board.clients
    if board.time is None or day.floor(board.time, day.HOUR) != day.floor(time, day.HOUR):
        clients = {
            name: replace(client, hours=day.advanced_hours(client.hours, time) if client.hours else None)
            for name, client in clients.items()
        }
    return replace(
        board, time=time, clients=clients, day=day.advanced(board.day, time) if board.day else None
    )


def _snapshot(board: Board, snapshot: Snapshot) -> Board:
    told = rows.time(snapshot.time) or board.time
    triaged = any(one.open or one.fresh or one.hours for one in snapshot.clients)
    summaries = sorted(snapshot.clients, key=lambda summary: summary.client)[:MOST_CLIENTS]
    clients = {
        rows.name(one.client): _client(board, one, told, _open if triaged else _all_open) for one in summaries
    }
    for stored in snapshot.alerts:
        if board.time is not None and _is_news(board, stored):
            board = _alarm(replace(board, clients=clients), stored, rows.read(stored))
    open_ = [one for one in snapshot.alerts if triage.stage(one.triage.status) is not Stage.CLOSED]
    read = [rows.read(stored) for stored in open_[-MOST_ALERTS:]]
    return replace(
        board,
        time=told,
        clients=clients,
        day=_last_day(board, snapshot, told),
        feed=feed.filled([*read, *_kept(board, read, is_all=len(snapshot.alerts) < MOST_ALERTS)]),
        seen=tuple(row.key for row in read[-MOST_SEEN:]),
    )


def _kept(board: Board, read: list[Row], *, is_all: bool) -> list[Row]:
    """Return the rows that a further snapshot leaves in the feed.

    Where low alerts come by the dozen, all that it has may be of the last seconds: what is older stays, for
    what was done about it was told; and so do older alerts of a row that goes on.
    """
    times = [row.received for row in read if row.received is not None]
    if is_all or not times:
        return []
    begin = min(times)
    return [
        row
        for row in board.feed.shown
        if row.client in board.clients
        and (
            (row.received is not None and row.received < begin)
            or any(rows.says_the_same(row, each) for each in read)
        )
    ]


def _last_day(board: Board, snapshot: Snapshot, now: datetime | None) -> Day | None:
    """Return the last day as a snapshot tells it, or as the screen saw it where the hub does not tell it."""
    if now is None:
        return board.day
    if board.day is not None and not snapshot.timeline and not snapshot.tactics:
        return day.advanced(board.day, now)
    return day.read(snapshot.timeline, snapshot.tactics, now, least=board.least)


def _is_news(board: Board, stored: StoredAlert) -> bool:
    """Tell whether an alert of a further snapshot came after what the hub had told before."""
    received = rows.time(stored.received)
    if received is None or board.time is None or received <= board.time - OVERLAP:
        return False
    return rows.key(stored.client, stored.node, stored.alert.id) not in {*board.seen, *board.alarms.keys}


def _open(summary: ClientSummary, least: int) -> tuple[Counts, Counts]:
    return tally.read(summary.open, least), tally.read(summary.fresh, least)


def _all_open(summary: ClientSummary, least: int) -> tuple[Counts, Counts]:
    """Count all alerts of the last day as open: the hub is older than triage."""
    counts = tally.read(summary.last_day, least)
    return counts, counts


def _client(
    board: Board,
    summary: ClientSummary,
    now: datetime | None,
    count: Callable[[ClientSummary, int], tuple[Counts, Counts]],
) -> Client:
    open_, fresh = count(summary, board.least)
    known = board.clients.get(rows.name(summary.client), Client(""))
    return replace(
        known,  # its health comes with the fleet
        name=rows.name(summary.name or summary.client),
        short=rows.name(summary.short_name),
        nodes=summary.nodes,
        open=open_,
        fresh=fresh,
        hours=day.read_hours(summary, now) if now else None,
    )


def _alert(board: Board, stored: StoredAlert) -> Board:
    row = rows.read(stored)
    if row.key in board.seen:
        return board
    if rows.is_end(stored.alert):
        return _end(board, row)
    where = triage.stage(stored.triage.status)
    board = _at(board, row.received)
    client = board.clients.get(row.client)
    if client is None and len(board.clients) >= MOST_CLIENTS:
        return board
    is_open, is_fresh = triage.steps(Stage.CLOSED, where)
    client = _counted(client or _newcomer(board, row.client), row, is_open, is_fresh)
    return _alarm(
        replace(
            board,
            clients={**board.clients, row.client: client},
            feed=board.feed if where is Stage.CLOSED else feed.arrived(board.feed, row),
            day=_day(board, row, stored),
            arrived=board.arrived + row.count,
            seen=(*board.seen, row.key)[-MOST_SEEN:],
        ),
        stored,
        row,
    )


def _end(board: Board, row: Row) -> Board:
    """Take an alert that tells the end of something: the hub closes it, and what it ends, in a moment."""
    ends = (*board.ends, row.key)[-MOST_SEEN:]
    seen = (*board.seen, row.key)[-MOST_SEEN:]
    return replace(_at(board, row.received), ends=ends, seen=seen, arrived=board.arrived + row.count)


def _newcomer(board: Board, name: str) -> Client:
    """Return a client that no snapshot told: it has had nothing, if the hub tells such things at all."""
    told = not board.clients or any(client.hours for client in board.clients.values())
    return Client(name, hours=day.no_hours(board.time) if told and board.time else None)


def _counted(client: Client, row: Row, is_open: int, is_fresh: int) -> Client:
    hours = client.hours
    if hours is not None and row.received is not None:
        hours = day.counted_hour(hours, row.count, row.received)
    return replace(
        client,
        open=tally.moved(client.open, row.severity, is_open * row.count),
        fresh=tally.moved(client.fresh, row.severity, is_fresh * row.count),
        hours=hours,
    )


def _day(board: Board, row: Row, stored: StoredAlert) -> Day | None:
    if row.received is None:
        return board.day
    known = board.day or Day(day.floor(row.received, day.QUARTER))
    return day.counted(known, row.severity, row.count, row.received, stored.alert.threat.tactic_names)


def _alarm(board: Board, stored: StoredAlert, row: Row) -> Board:
    """Raise the alarm where an alert calls for it, and turn to the page of its client."""
    if row.severity != tally.CRITICAL or triage.stage(stored.triage.status) is not Stage.NEW:
        return board
    places = order(board)
    if row.client not in places:
        return board
    return replace(
        board,
        alarms=alarms.raised(board.alarms, row),
        pages=pages.jumped(board.pages, places.index(row.client), len(places)),
    )


def _triage(board: Board, change: TriageChange) -> Board:
    key = rows.key(change.client, change.node, change.id)
    before, after = triage.stage(change.before), triage.stage(change.after.status)
    if key in board.ends:  # it was never counted
        return replace(board, ends=tuple(each for each in board.ends if each != key))
    board = replace(
        board,
        feed=feed.triaged(board.feed, key, after, rows.name(change.after.owner)),
        alarms=alarms.answered(board.alarms, key, after),
    )
    client = board.clients.get(rows.name(change.client))
    severity = tally.known(change.severity)
    counts = triage.is_counted(severity, rows.time(change.received), board.time)
    if client is None or not counts or not tally.is_wanted(change.severity, board.least):
        return board
    is_open, is_fresh = triage.steps(before, after)
    number = max(1, change.count)
    client = replace(
        client,
        open=tally.moved(client.open, severity, is_open * number),
        fresh=tally.moved(client.fresh, severity, is_fresh * number),
    )
    return replace(board, clients={**board.clients, rows.name(change.client): client})


def _node(board: Board, status: NodeStatus) -> Board:
    key = (rows.name(status.client), rows.name(status.node))
    others = {known: node for known, node in board.nodes.items() if known != key}
    if status.state == NodeState.NODE_STATE_REVOKED or len(others) >= MOST_NODES:
        return replace(board, nodes=others)
    clients = board.clients
    if key[0] not in clients and len(clients) < MOST_CLIENTS:
        clients = {**clients, key[0]: _newcomer(board, key[0])}
    return replace(board, clients=clients, nodes={**others, key: read_node(status)})


def _health(board: Board, status: ClientStatus) -> Board:
    name = rows.name(status.client)
    client = board.clients.get(name)
    if client is None and len(board.clients) >= MOST_CLIENTS:
        return board
    client = replace(
        client or _newcomer(board, name),
        health=status.health,
        reason=clean(status.reasons[0], LONGEST_REASON) if status.reasons else "",
        since=rows.time(status.since),
    )
    return replace(board, clients={**board.clients, name: client})
