import json
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hermes_display.board import Board, Event, Link, Tick, fold
from hermes_display.feed import ROWS
from hermes_display.pages import MOST
from hermes_display.picture import SQUARES, TACTICS, WORST, picture
from socme.v1.alert_pb2 import Severity
from socme.v1.vitals_pb2 import ClientStatus, Health, NodeState, Vitals
from socme.v1.watch_pb2 import (
    ClientSummary,
    FleetEvent,
    SeverityCount,
    Slot,
    StoredAlert,
    StoredAlerts,
    TacticCount,
    WatchEvent,
)
from tests.hermes_display.test_board import steps
from tests.hermes_display.watch_server import NOON, snapshot, stamp, status, stored, summary

OFFLINE = NodeState.NODE_STATE_OFFLINE
LONG_AGO = NOON - timedelta(minutes=14)
NAMES = {"link", "verdict", "tiles", "feed", "rate", "alarm", "timeline", "tactics", "nodes"}


def drawn(*arrived: Event | Tick) -> dict[str, Any]:
    board = Board(link=Link(up=True, since=NOON))
    for event in arrived:
        board = fold(board, event)
    return dict(picture(board))


def told(*clients: ClientSummary, alerts: tuple[StoredAlert, ...] = ()) -> WatchEvent:
    return WatchEvent(snapshot=snapshot(*alerts, clients=clients))


def live(*alerts: StoredAlert) -> WatchEvent:
    return WatchEvent(alerts=StoredAlerts(alerts=alerts))


def node(name: str, **more: object) -> FleetEvent:
    return FleetEvent(node=status(name, **more))  # type: ignore[arg-type]


@settings(max_examples=50, deadline=None)
@given(st.lists(steps, max_size=20))
def test_any_board_can_be_drawn(arrived: list[Event | Tick]) -> None:
    """Every part is JSON, and every tile that is named is there."""
    parts = drawn(*arrived)
    json.dumps(parts, allow_nan=False)
    tiles = {f"{kind}/{client}" for client in parts["tiles"]["keys"] for kind in ("tile", "hours")}
    assert parts.keys() == NAMES | tiles
    assert len(parts["tiles"]["keys"]) <= MOST


def test_a_picture_has_no_words_of_its_own() -> None:
    """Words are the page's, which has them in several languages."""
    parts = drawn(told(summary("a", critical=1)), node("a-1", client="a", state=OFFLINE, last_seen=LONG_AGO))
    assert parts["verdict"] == {"states": [["critical", 1]], "clients": 1}
    assert parts["nodes"]["worst"][0]["text"] == ""


def test_the_verdict_counts_clients_worst_first() -> None:
    blind = ClientStatus(client="e", health=Health.HEALTH_BLIND)
    parts = drawn(
        told(
            summary("a", critical=1),
            summary("b", critical=1),
            summary("c", high=1),
            summary("d"),
            summary("e"),
        ),
        node("d-1", client="d", state=OFFLINE, last_seen=LONG_AGO),
        FleetEvent(client=blind),
    )
    assert parts["verdict"] == {
        "states": [["critical", 2], ["silent", 1], ["blind", 1], ["high", 1]],
        "clients": 5,
    }
    assert drawn()["verdict"] == {"states": [], "clients": 0}


def test_clients_beyond_a_page_are_on_the_next_and_counted_in_the_verdict() -> None:
    many = [summary(f"c{number:02}", high=1) for number in range(45)]
    tick = [Tick(NOON), Tick(NOON + timedelta(seconds=15))]
    first, second = drawn(told(*many), tick[0]), drawn(told(*many), *tick)
    assert first["tiles"] == {
        "keys": [f"c{number:02}" for number in range(15)],
        "places": 15,
        "page": 1,
        "pages": 3,
    }
    assert second["tiles"]["keys"][0] == "c15"
    assert "tile/c00" not in second
    assert second["verdict"]["states"] == [["high", 45]]


def test_the_feed_shows_the_latest_with_the_clients_short_name() -> None:
    alerts = tuple(stored(number, name=f"<b>{number}</b>") for number in range(ROWS + 5))
    parts = drawn(told(summary("acme", name="Acme Industrie", short="Acme"), alerts=alerts))
    assert len(parts["feed"]) == ROWS
    row = parts["feed"][0]
    assert row["client"] == "Acme"
    assert row["severity"] == "high"
    assert row["title"] == f"<b>{ROWS + 4}</b>"
    assert row["facts"] == ["web-1", "203.0.113.9 → 10.0.0.5", "T1190"]
    assert row["received"] == round((NOON + timedelta(seconds=ROWS + 4)).timestamp() * 1000)


def test_a_roll_up_is_shown_with_its_count() -> None:
    assert [row["count"] for row in drawn(live(stored(1, count=1200)))["feed"]] == ["1.2k"]
    assert [row["count"] for row in drawn(live(stored(1)))["feed"]] == [""]


def test_an_alarm_names_its_client_in_full_and_which_tile_it_is() -> None:
    critical = stored(1, severity=Severity.SEVERITY_CRITICAL)
    alarm = drawn(told(summary("acme", name="Acme Industrie", short="Acme")), live(critical))["alarm"]
    assert (alarm["number"], alarm["taken"]) == (1, [])
    assert (alarm["newest"]["client"], alarm["newest"]["tile"]) == ("Acme Industrie", "acme")
    assert drawn()["alarm"] == {"number": 0, "taken": [], "newest": None}


def test_an_alert_of_an_unknown_client_makes_a_tile() -> None:
    parts = drawn(live(stored(1, client="new", severity=Severity.SEVERITY_CRITICAL)))
    assert parts["tiles"]["keys"] == ["new"]
    assert parts["tile/new"]["state"] == "critical"


def test_the_rate_is_told_by_the_second_or_the_minute() -> None:
    fast = [live(stored(number, count=30)) for number in range(2)]
    assert drawn(*fast, Tick(NOON))["rate"] == ["6.0", "s"]
    assert drawn(live(stored(1)), Tick(NOON))["rate"] == ["6", "min"]
    assert drawn()["rate"] == ["0", "min"]


def test_the_last_day_and_its_tactics_are_told() -> None:
    made = snapshot()
    counts = [SeverityCount(severity=severity, alerts=severity + 1) for severity in range(5)]  # type: ignore[arg-type]
    made.timeline.append(Slot(begin=stamp(NOON), alerts=counts))
    made.tactics.extend(TacticCount(tactic=f"Tactic {number}", alerts=100 - number) for number in range(10))
    parts = drawn(WatchEvent(snapshot=made))
    assert parts["timeline"]["quarters"][-1] == [5, 4, 4, 2]
    assert parts["timeline"]["end"] == round((NOON + timedelta(minutes=15)).timestamp() * 1000)
    assert parts["tactics"][:2] == [["Tactic 0", "100", 1.0], ["Tactic 1", "99", 0.99]]
    assert len(parts["tactics"]) == TACTICS
    assert drawn()["timeline"] is None


def test_hours_are_told_with_what_is_usual() -> None:
    parts = drawn(told(summary("acme", hours=range(24), usual=7.5)))
    assert parts["hours/acme"] == {"counts": list(range(24)), "usual": 7.5}
    assert drawn(told(summary("acme")))["hours/acme"] == {"counts": [], "usual": None}


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
    assert nodes["squares"] == ["good", "blind", "care", "silent", "new", "care", "silent"]
    assert [(worst["name"], worst["text"], worst["age"]) for worst in nodes["worst"]] == [
        ("acme-4", "", [14, "min"]),
        ("acme-7", "", [45, "s"]),
        ("acme-2", "suricata: permission denied", None),
        ("acme-3", "spool 5000", None),
        ("acme-6", "", None),
    ]
    assert len(nodes["worst"]) == WORST


def test_nodes_of_a_client_that_was_disabled_are_drawn_and_neither_counted_nor_named() -> None:
    off = status("acme-2", state=OFFLINE, last_seen=LONG_AGO)
    off.health = Health.HEALTH_REVOKED
    nodes = drawn(told(), node("acme-1"), FleetEvent(node=off))["nodes"]
    assert (nodes["good"], nodes["total"], nodes["worst"]) == (1, 1, [])
    assert nodes["squares"] == ["good", "off"]


def test_all_nodes_count_and_the_worst_are_drawn_where_there_are_too_many() -> None:
    many = [node(f"node-{number:03}") for number in range(SQUARES + 7)]
    nodes = drawn(*many, node("node-zzz", state=OFFLINE))["nodes"]
    assert nodes["total"] == SQUARES + 8
    assert len(nodes["squares"]) == SQUARES
    assert nodes["squares"][0] == "silent"


def test_the_link_is_told() -> None:
    parts = drawn(Link(up=False, since=NOON, reason="connection refused"))
    since = round(NOON.timestamp() * 1000)
    assert parts["link"] == {
        "up": False,
        "since": since,
        "reason": "connection refused",
        "refused": False,
        "empty": True,
    }
    assert drawn(told())["link"]["empty"] is False
