"""Open conditions as notes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from socme.v1.alert_pb2 import Severity
from zeus_hub import opened
from zeus_hub.raising import Open

NOON = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=UTC)
MEDIUM, HIGH = Severity.SEVERITY_MEDIUM, Severity.SEVERITY_HIGH
LOST = Open("acme", "acme-1", "canary_lost", "eve.json", NOON, MEDIUM, "stops at the uplink: …", HIGH)


def test_conditions_are_read_as_they_were_written_and_in_order() -> None:
    others = [
        replace(LOST, client="beta"),
        replace(LOST, node="acme-2"),
        replace(LOST, subject="x" * 512),
        replace(LOST, kind="clock_skew", subject=""),
    ]
    notes = {opened.name(one.key): opened.encode(one) for one in (*others, LOST)}

    assert len(notes) == 5
    assert opened.read(notes) == sorted([LOST, *others], key=lambda one: one.key)
    assert all(len(name) < 50 and name.startswith(opened.PREFIX) for name in notes)


def test_there_is_one_of_a_kind_at_a_time() -> None:
    again = replace(LOST, since=NOON + timedelta(hours=1), severity=HIGH, message="else")

    assert opened.name(again.key) == opened.name(LOST.key)
