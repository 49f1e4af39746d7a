import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_display.board import Board, Event, Link, fold
from hermes_display.picture import ROWS, SQUARES, age, picture, short
from socme.v1.alert_pb2 import Severity
from socme.v1.vitals_pb2 import NodeState, Vitals
from socme.v1.watch_pb2 import ClientSummary, FleetEvent, StoredAlerts, WatchEvent
from tests.hermes_display.test_board import events
from tests.hermes_display.watch_server import NOON, snapshot, status, stored, summary

ONLINE, OFFLINE = NodeState.NODE_STATE_ONLINE, NodeState.NODE_STATE_OFFLINE
LONG_AGO = NOON - timedelta(minutes=14)


def drawn(*arrived: Event) -> dict[str, Any]:
    board = Board(link=Link(up=True, since=NOON))
    for event in arrived:
        board = fold(board, event)
    return dict(picture(board))


def told(*clients: ClientSummary) -> WatchEvent:
    return WatchEvent(snapshot=snapshot(clients=clients))


def tile(client: ClientSummary, *nodes: FleetEvent) -> dict[str, Any]:
    found: dict[str, Any] = drawn(told(client), *nodes)[f"tile/{client.client}"]
    return found


def node(name: str, **more: object) -> FleetEvent:
    return FleetEvent(node=status(name, **more))  # type: ignore[arg-type]


@settings(max_examples=50, deadline=None)
@given(st.lists(events, max_size=20))
def test_any_board_can_be_drawn(arrived: list[Event]) -> None:
    """Every part is JSON, and every tile that is named is there."""
    parts = drawn(*arrived)
    json.dumps(parts)
    assert {f"tile/{client}" for client in parts["tiles"]} <= parts.keys()


@pytest.mark.parametrize(
    ("counts", "state", "word", "number", "label"),
    [
        ({"critical": 2, "high": 5, "low": 99}, "critical", "CRITICAL", "2", "critical"),
        ({"high": 5, "medium": 7}, "high", "HIGH", "5", "high"),
        ({"medium": 12900}, "medium", "WATCH", "12k", "medium"),
        ({"unspecified": 3}, "medium", "WATCH", "3", "unrated"),
        ({"low": 70}, "quiet", "QUIET", "70", "low"),
        ({}, "quiet", "QUIET", "0", "alerts"),
    ],
)
def test_a_tile_shows_the_worst(
    counts: dict[str, int], state: str, word: str, number: str, label: str
) -> None:
    shown = tile(summary("acme", name="", nodes=1, **counts), node("acme-1"))
    assert (shown["state"], shown["word"], shown["number"], shown["label"]) == (state, word, number, label)


def test_a_tile_counts_all_severities() -> None:
    shown = tile(summary("acme", name="Acme Industrie", critical=1, low=1234))
    assert shown["name"] == "Acme Industrie"
    assert shown["counts"] == {"critical": "1", "high": "0", "medium": "0", "low": "1.2k"}


def test_a_client_is_silent_when_all_its_nodes_are_for_two_minutes() -> None:
    away = {"state": OFFLINE, "last_seen": LONG_AGO}
    shown = tile(summary("acme", high=9), node("acme-1", **away), node("acme-2", **away))
    assert (shown["state"], shown["number"], shown["label"]) == ("silent", "14", "min silent")
    assert (shown["online"], shown["missing"]) == ("0/2", True)

    assert tile(summary("acme"), node("acme-1", **away), node("acme-2"))["state"] == "quiet"
    just_now = {"state": OFFLINE, "last_seen": NOON - timedelta(seconds=60)}
    assert tile(summary("acme"), node("acme-1", **just_now))["state"] == "quiet"
    never = {"state": NodeState.NODE_STATE_NEW, "last_seen": None}
    assert tile(summary("acme"), node("acme-1", **never))["state"] == "quiet"


def test_critical_is_worse_than_silent() -> None:
    shown = tile(summary("acme", critical=1), node("acme-1", state=OFFLINE, last_seen=LONG_AGO))
    assert shown["state"] == "critical"


def test_nodes_are_counted_by_the_hub_until_the_fleet_is_there() -> None:
    assert tile(summary("acme", nodes=3))["online"] == "0/3"
    assert tile(summary("acme", nodes=3), node("acme-1"))["online"] == "1/1"


def test_the_verdict_counts_clients() -> None:
    parts = drawn(
        told(summary("a", critical=1), summary("b", critical=1), summary("c", high=1), summary("d")),
        node("d-1", client="d", state=OFFLINE, last_seen=LONG_AGO),
    )
    assert parts["verdict"] == [
        {"state": "critical", "text": "2 clients critical"},
        {"state": "high", "text": "1 high"},
        {"state": "silent", "text": "1 silent"},
    ]


def test_the_verdict_says_when_all_is_well() -> None:
    assert drawn(told(summary("a", low=3)))["verdict"] == [{"state": "quiet", "text": "All clients quiet"}]
    assert drawn()["verdict"] == [{"state": "quiet", "text": "No clients yet"}]
    assert drawn(told(summary("a", high=1)))["verdict"][0]["text"] == "1 client high"


def test_the_feed_shows_the_latest_with_the_clients_name() -> None:
    alerts = [stored(number, name="<b>bold</b>") for number in range(ROWS + 5)]
    parts = drawn(WatchEvent(snapshot=snapshot(*alerts, clients=(summary("acme", name="Acme"),))))
    assert len(parts["feed"]) == ROWS
    row = parts["feed"][0]
    assert row["client"] == "Acme"
    assert row["severity"] == "high"
    assert row["title"] == "<b>bold</b>"
    assert row["facts"] == ["web-1", "203.0.113.9 → 10.0.0.5", "T1190"]
    assert row["received"] == round((NOON + timedelta(seconds=ROWS + 4)).timestamp() * 1000)


def test_an_alert_of_an_unknown_client_makes_a_tile() -> None:
    parts = drawn(
        WatchEvent(alerts=StoredAlerts(alerts=[stored(1, client="new", severity=Severity.SEVERITY_CRITICAL)]))
    )
    assert parts["tiles"] == ["new"]
    assert parts["tile/new"]["state"] == "critical"


def test_nodes_are_drawn_by_state_and_the_worst_are_named() -> None:
    broken = Vitals()
    broken.sources.add(kind="suricata", problem="permission denied")
    full = Vitals()
    full.spool.alerts = 5000
    parts = drawn(
        told(),
        node("acme-1"),
        node("acme-2", vitals=broken),
        node("acme-3", vitals=full),
        node("acme-4", state=OFFLINE, last_seen=LONG_AGO),
        node("acme-5", state=NodeState.NODE_STATE_NEW, last_seen=None),
        node("acme-6", state=99),
        node("acme-7", state=NodeState.NODE_STATE_STALE, last_seen=NOON - timedelta(seconds=45)),
    )
    nodes = parts["nodes"]
    assert (nodes["good"], nodes["total"]) == (1, 7)
    assert nodes["squares"] == ["good", "fault", "warning", "silent", "new", "warning", "silent"]
    assert [(worst["name"], worst["text"]) for worst in nodes["worst"]] == [
        ("acme-2", "suricata: permission denied"),
        ("acme-4", "silent 14 min"),
        ("acme-7", "stale 45 s"),
        ("acme-3", "spool 5000"),
    ]


def test_all_nodes_count_however_many_are_drawn() -> None:
    nodes = drawn(*[node(f"node-{number}") for number in range(SQUARES + 7)])["nodes"]
    assert nodes["total"] == SQUARES + 7
    assert len(nodes["squares"]) == SQUARES


def test_the_link_is_told() -> None:
    parts = drawn(Link(up=False, since=NOON, reason="connection refused"))
    since = round(NOON.timestamp() * 1000)
    assert parts["link"] == {"up": False, "since": since, "reason": "connection refused", "refused": False}


@given(st.integers(0, 2**64))
def test_short_numbers_fit_a_tile(number: int) -> None:
    assert len(short(number)) <= 4


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.0k"),
        (1999, "1.9k"),
        (12900, "12k"),
        (999_999, "999k"),
        (10**6, "1.0M"),
    ],
)
def test_short_numbers_are_rounded_down(number: int, text: str) -> None:
    assert short(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (45, "45 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (200_000, "2 d")],
)
def test_ages_are_told_in_one_unit(seconds: int, text: str) -> None:
    assert age(NOON - timedelta(seconds=seconds), NOON) == text
    assert age(None, NOON) == ""
