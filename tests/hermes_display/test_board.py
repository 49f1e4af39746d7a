from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_display.board import (
    LONGEST_NAME,
    LONGEST_TITLE,
    MOST_ALERTS,
    MOST_CLIENTS,
    MOST_NODES,
    Board,
    Event,
    Link,
    fold,
)
from socme.v1.alert_pb2 import Alert, Endpoint, Host, Rule, Severity
from socme.v1.vitals_pb2 import NodeState, NodeStatus, Vitals
from socme.v1.watch_pb2 import (
    Bookmark,
    ClientSummary,
    FleetEvent,
    SeverityCount,
    Snapshot,
    StoredAlert,
    StoredAlerts,
    WatchEvent,
)
from tests.hermes_display.watch_server import NOON, snapshot, stamp, status, stored, summary

EMPTY = Board(link=Link(up=False, since=NOON))
HOSTILE = "\x1b[2J<script>\u202e\n\ud7ff"


def folded(*events: Event, board: Board = EMPTY) -> Board:
    for event in events:
        board = fold(board, event)
    return board


def alert(*args: object, **more: object) -> WatchEvent:
    return WatchEvent(alerts=StoredAlerts(alerts=[stored(*args, **more)]))  # type: ignore[arg-type]


# Texts and numbers as a hub could send them, or one that went wrong.
texts = st.text(max_size=300)
names = st.sampled_from(["acme", "globex", "initech"]) | texts
stamps = st.builds(
    lambda seconds: stamp(NOON + timedelta(seconds=seconds)), st.integers(-(10**6), 10**6)
) | st.just(stamp(NOON).__class__(seconds=2**62))
alerts = st.builds(
    StoredAlert,
    client=names,
    node=names,
    received=stamps,
    alert=st.builds(
        Alert,
        id=st.binary(max_size=20),
        severity=st.integers(-5, 99),
        rule=st.builds(Rule, id=texts, name=texts),
        message=texts,
        source_endpoint=st.builds(Endpoint, ip=texts),
        host=st.builds(Host, name=texts),
        count=st.integers(0, 2**32 - 1),
    ),
)
counts = st.builds(SeverityCount, severity=st.integers(-5, 99), alerts=st.integers(0, 2**64 - 1))
summaries = st.builds(
    ClientSummary,
    client=names,
    name=texts,
    nodes=st.integers(0, 2**32 - 1),
    last_day=st.lists(counts, max_size=6),
)
snapshots = st.builds(
    Snapshot, clients=st.lists(summaries, max_size=6), alerts=st.lists(alerts, max_size=6), time=stamps
)
statuses = st.builds(
    NodeStatus,
    client=names,
    node=names,
    state=st.integers(-1, 99),
    last_seen=stamps,
    vitals=st.just(Vitals()),
)
bookmarks = st.builds(Bookmark, time=stamps)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(WatchEvent, snapshot=snapshots),
    st.builds(WatchEvent, alerts=st.builds(StoredAlerts, alerts=st.lists(alerts, max_size=3))),
    st.builds(WatchEvent, bookmark=bookmarks),
    st.just(WatchEvent(cursor=b"of an event that is too new")),
    st.builds(FleetEvent, node=statuses),
    st.builds(FleetEvent, bookmark=bookmarks),
    st.just(FleetEvent()),
    st.builds(Link, up=st.booleans(), since=st.just(NOON)),
)


def check_bounds(board: Board) -> None:
    assert len(board.feed) <= MOST_ALERTS
    assert len(board.clients) <= MOST_CLIENTS
    assert len(board.nodes) <= MOST_NODES
    assert len({row.key for row in board.feed}) == len(board.feed)
    for row in board.feed:
        assert len(row.title) <= LONGEST_TITLE
        assert len(row.facts) <= 5
        assert all(len(fact) <= LONGEST_NAME for fact in (row.client, *row.facts))
        assert row.title.isprintable() or " " in row.title or not row.title.isascii()
    for name, client in board.clients.items():
        assert len(name) <= LONGEST_NAME
        assert len(client.name) <= LONGEST_NAME
        assert len(client.last_day) <= 5


@settings(max_examples=60, deadline=None)
@given(st.lists(events, max_size=30))
def test_any_input_leaves_a_bounded_board(arrived: list[Event]) -> None:
    check_bounds(folded(*arrived))


@settings(max_examples=60, deadline=None)
@given(st.lists(events, max_size=10), snapshots)
def test_a_snapshot_may_come_twice(arrived: list[Event], taken: Snapshot) -> None:
    once = folded(*arrived, WatchEvent(snapshot=taken))
    assert fold(once, WatchEvent(snapshot=taken)) == once


def test_lists_have_limits() -> None:
    """Of too many, the latest alerts stay, and the clients and nodes that came first."""
    many = [alert(number, client=f"client-{number}") for number in range(MOST_CLIENTS + 10)]
    nodes = [FleetEvent(node=status(f"node-{number}")) for number in range(MOST_NODES + 10)]
    summaries = tuple(summary(f"client-{number}") for number in range(MOST_CLIENTS + 10))
    told = snapshot(*[stored(number) for number in range(MOST_ALERTS + 10)], clients=summaries)

    board = folded(*many, *nodes)
    check_bounds(board)
    assert board.feed[0].title == f"Alert {MOST_CLIENTS + 9}"
    assert len(board.nodes) == MOST_NODES

    board = fold(board, WatchEvent(snapshot=told))
    check_bounds(board)
    assert [row.title for row in board.feed][:2] == [f"Alert {MOST_ALERTS + 9}", f"Alert {MOST_ALERTS + 8}"]


def test_a_snapshot_replaces_what_was_there() -> None:
    old = folded(alert(1, client="gone"), alert(2))
    board = fold(
        old,
        WatchEvent(snapshot=snapshot(stored(3), clients=(summary("acme", name="Acme", nodes=2, high=7),))),
    )
    assert list(board.clients) == ["acme"]
    assert board.clients["acme"].name == "Acme"
    assert board.clients["acme"].last_day == {Severity.SEVERITY_HIGH: 7}
    assert [row.title for row in board.feed] == ["Alert 3"]
    assert board.time == NOON


def test_alerts_count_on_top_of_the_snapshot() -> None:
    """A roll-up counts as many as it stands for; an alert that is told twice counts once."""
    board = folded(
        WatchEvent(snapshot=snapshot(clients=(summary("acme", high=7),))),
        alert(1),
        alert(1),
        alert(2, count=5),
        alert(3, severity=Severity.SEVERITY_LOW),
    )
    assert board.clients["acme"].last_day == {Severity.SEVERITY_HIGH: 13, Severity.SEVERITY_LOW: 1}
    assert [row.title for row in board.feed] == ["Alert 3", "Alert 2", "Alert 1"]


def test_severities_below_the_least_do_not_count() -> None:
    board = Board(EMPTY.link, least=Severity.SEVERITY_MEDIUM)
    board = fold(board, WatchEvent(snapshot=snapshot(clients=(summary("acme", high=7, low=900),))))
    assert board.clients["acme"].last_day == {Severity.SEVERITY_HIGH: 7}


def test_a_severity_from_the_future_is_shown_as_unknown() -> None:
    event = alert(1)
    event.alerts.alerts[0].alert.severity = 77  # type: ignore[assignment]
    board = folded(event)
    assert board.feed[0].severity == Severity.SEVERITY_UNSPECIFIED
    assert board.clients["acme"].last_day == {Severity.SEVERITY_UNSPECIFIED: 1}


def test_text_of_alerts_is_cleaned() -> None:
    event = alert(1, name=HOSTILE + "x" * 500, client=HOSTILE, node=HOSTILE)
    event.alerts.alerts[0].alert.host.name = HOSTILE
    row = folded(event).feed[0]
    for text in (row.title, row.client, *row.facts):
        assert not {"\x1b", "\n", "\u202e"} & set(text)
    assert "<script>" in row.title


def test_an_alert_without_a_rule_name_is_called_by_its_message_or_rule() -> None:
    nameless = stored(1)
    nameless.alert.rule.name = ""
    nameless.alert.message = "what happened"
    assert folded(WatchEvent(alerts=StoredAlerts(alerts=[nameless]))).feed[0].title == "what happened"
    nameless.alert.message = ""
    assert folded(WatchEvent(alerts=StoredAlerts(alerts=[nameless]))).feed[0].title == "rule 2000001"


def test_nodes_come_change_and_go() -> None:
    board = folded(FleetEvent(node=status()), FleetEvent(node=status("acme-2")))
    assert set(board.nodes) == {("acme", "acme-1"), ("acme", "acme-2")}
    assert list(board.clients) == ["acme"]

    board = folded(
        FleetEvent(node=status(state=NodeState.NODE_STATE_OFFLINE)),
        FleetEvent(node=status("acme-2", state=NodeState.NODE_STATE_REVOKED)),
        board=board,
    )
    assert [(node.name, node.state) for node in board.nodes.values()] == [
        ("acme-1", NodeState.NODE_STATE_OFFLINE)
    ]


def test_a_screen_that_is_refused_has_nothing_to_show() -> None:
    """While the hub is only away, what was there stays, and is called old."""
    full = folded(
        WatchEvent(snapshot=snapshot(stored(1), clients=(summary("acme", high=1),))),
        FleetEvent(node=status()),
        board=Board(Link(up=True, since=NOON), least=Severity.SEVERITY_HIGH),
    )
    away = Link(up=False, since=NOON, reason="no answer")
    refused = Link(up=False, since=NOON, reason="this certificate was revoked", refused=True)

    assert fold(full, away).feed == full.feed != ()
    assert fold(full, refused) == Board(refused, Severity.SEVERITY_HIGH)


def test_a_new_connection_tells_all_nodes_anew() -> None:
    """A node that was removed while the link was down must not stay on the wall."""
    board = folded(FleetEvent(node=status()), Link(up=False, since=NOON))
    assert board.nodes
    assert not fold(board, Link(up=True, since=NOON)).nodes


@pytest.mark.parametrize(
    ("vitals", "trouble", "broken"),
    [
        ({}, "", False),
        ({"sources": [{"kind": "suricata", "problem": "no such file"}]}, "suricata: no such file", True),
        ({"disks": [{"capacity": {"total_bytes": 100, "used_bytes": 94}}]}, "disk 94 %", False),
        ({"disks": [{"capacity": {"total_bytes": 0, "used_bytes": 94}}]}, "", False),
        ({"disks": [{"capacity": {"total_bytes": 1, "used_bytes": 2**63}}]}, "disk 100 %", False),
        ({"spool": {"alerts": 18234}}, "spool 18234", False),
        ({"spool": {"alerts": 3}}, "", False),
    ],
)
def test_a_node_tells_its_worst_trouble(vitals: dict[str, object], trouble: str, *, broken: bool) -> None:
    board = folded(FleetEvent(node=status(vitals=Vitals(**vitals))))  # type: ignore[arg-type]
    node = board.nodes["acme", "acme-1"]
    assert (node.trouble, node.broken) == (trouble, broken)


def test_the_boards_time_is_the_hubs() -> None:
    later = NOON + timedelta(minutes=5)
    board = folded(WatchEvent(snapshot=snapshot()), FleetEvent(bookmark=Bookmark(time=stamp(later))))
    assert board.time == later
    assert fold(board, alert(1)).time == later  # an alert that is caught up does not turn it back
    assert fold(board, WatchEvent(bookmark=Bookmark())).time == later
