"""What `zeus top` makes of what the hub says."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from socme.v1.alert_pb2 import Severity
from socme.v1.vitals_pb2 import Health, NodeState, NodeStatus, Vitals
from socme.v1.watch_pb2 import Bookmark, FleetEvent, Snapshot, StoredAlert, StoredAlerts, WatchEvent
from tests.zeus_hub.stored import NOON, alert
from zeus_hub import overview
from zeus_hub.commands import top
from zeus_hub.overview import ALERTS, FLEET, MOST_ALERTS, SPANS, STALE_SECONDS, Node, Overview


def node(name: str = "acme-1", health: int = Health.HEALTH_UP, **more: object) -> FleetEvent:
    status = NodeStatus(client="acme", node=name, health=health, state=NodeState.NODE_STATE_ONLINE, **more)  # type: ignore[arg-type]
    status.last_seen.FromDatetime(NOON)
    return FleetEvent(node=status)


def came(*alerts: StoredAlert) -> WatchEvent:
    return WatchEvent(alerts=StoredAlerts(alerts=alerts))


def noon() -> Timestamp:
    made = Timestamp()
    made.FromDatetime(NOON)
    return made


def made() -> Overview:
    """Return an overview that has heard of everything at second 100, when it was noon."""
    found = Overview("hub:1")
    found.take(WatchEvent(snapshot=Snapshot(time=noon())), 100)
    found.take(FleetEvent(bookmark=Bookmark(time=noon())), 100)
    return found


def test_the_worst_comes_first() -> None:
    found = made()
    for name, health in (
        ("a", Health.HEALTH_UP),
        ("b", Health.HEALTH_REVOKED),
        ("c", 99),
        ("d", Health.HEALTH_BLIND),
        ("e", Health.HEALTH_SILENT),
        ("f", Health.HEALTH_BLIND),
    ):
        found.take(node(name, health), 100)

    assert [one.place[-1] for one in found.worst_first()] == list("edfcab")


def test_a_nodes_line() -> None:
    vitals = Vitals(cpu_usage=7.0, cpu_count=2)
    vitals.memory.total_bytes, vitals.memory.used_bytes = 4, 1
    vitals.spool.alerts = 5
    vitals.sources.add(lag_bytes=7)
    found = made()
    found.take(node(reasons=["no\x1b[31m packets", "late"], vitals=vitals), 100)
    found.take(node("acme-2"), 100)
    first, second = found.worst_first()

    assert first == Node(
        place="acme/acme-1",
        health=Health.HEALTH_UP,
        reasons="no\ufffd[31m packets; late",
        seen=NOON,
        cpu=1000,
        memory=250,
        disk=None,
        spool=5,
        lag=7,
    )
    assert second == replace(
        first, place="acme/acme-2", reasons="", cpu=None, memory=None, spool=None, lag=None
    )


@pytest.mark.parametrize("usage", [math.nan, math.inf, -math.inf])
def test_a_share_that_is_no_number_is_unknown(usage: float) -> None:
    found = made()
    found.take(node(vitals=Vitals(cpu_usage=usage, cpu_count=2)), 100)

    assert found.worst_first()[0].cpu is None


def test_alerts_are_newest_first_and_bounded() -> None:
    found = made()
    found.take(WatchEvent(snapshot=Snapshot(alerts=[alert(1), alert(2)])), 100)
    found.take(came(alert(3, name="x\n\x1b[2J")), 101)

    assert [one.title for one in found.alerts] == ["x\ufffd\ufffd[2J", "a rule", "a rule"]
    found.take(came(*[alert(number) for number in range(MOST_ALERTS + 9)]), 102)
    assert len(found.alerts) == MOST_ALERTS


def test_rates_are_of_what_came_since_and_bounded() -> None:
    found = made()
    found.take(came(alert(1), alert(2, severity=Severity.SEVERITY_HIGH)), 100)
    found.take(came(alert(3)), 160)

    assert found.last_minute(104) == {"medium": 1, "high": 1}
    assert found.last_minute(164) == {"medium": 1}
    assert [number for number in found.rate(164) if number] == [2, 1]
    assert len(found.rate(164)) == SPANS
    for number in range(1000):
        found.take(came(alert(number)), 200 + 10 * number)
    assert len(found._spans) <= SPANS


def test_what_is_not_heard_is_told() -> None:
    found = Overview("hub:1")
    assert found.trouble(0) == "waiting for the hub"
    found.lost(ALERTS, "refused\x1b")
    assert found.trouble(0) == "refused\ufffd"
    found = made()
    assert found.trouble(100 + STALE_SECONDS) == ""
    assert STALE_SECONDS + top.REFRESH_SECONDS < 5, "what is promised"
    assert found.trouble(106) == "STALE: nothing heard of the hub for 6 s"
    found.take(WatchEvent(bookmark=Bookmark()), 106)
    assert "for 6 s" in found.trouble(106), "the other stream is as quiet as before"
    found.take(FleetEvent(bookmark=Bookmark()), 106)
    assert found.trouble(106) == ""


def test_no_contact_shows_at_once_and_ends_with_the_next_word() -> None:
    found = made()
    found.take(node(), 100)
    found.lost(FLEET, "connection refused")
    assert found.trouble(101) == "STALE for 1 s, no contact with the hub: connection refused"
    assert found.nodes, "it is told as old, and not hidden"
    found.take(node("acme-2"), 102)

    assert found.trouble(102) == ""
    assert [one.place for one in found.worst_first()] == ["acme/acme-2"], "the hub tells all nodes anew"


def test_the_hubs_clock_goes_on() -> None:
    assert Overview("hub:1").time(5) is None
    assert made().time(107) == NOON + timedelta(seconds=7)


def test_how_nodes_were_or_why_that_is_not_known() -> None:
    found = made()
    found.was({("acme", "evil\x1b"): "▁█"})
    assert found.days == {"acme/evil\ufffd": "▁█"}
    found.was({}, "the disk\nis full")

    assert (found.days, found.days_trouble) == ({}, "the disk\ufffdis full")


def test_nodes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "MOST_NODES", 2)
    found = made()
    found.was({("acme", f"n{number}"): "" for number in range(4)})
    assert len(found.days) == 2
    for number in range(4):
        found.take(node(f"n{number}"), 100)
    found.take(node("n1", Health.HEALTH_BLIND), 100)

    assert [one.place for one in found.worst_first()] == ["acme/n1", "acme/n0"]
