import io
import json
from collections.abc import Callable

import pytest

from hermes_display.board import Link
from hermes_display.tail import REMEMBERED, Tail
from socme.errors import OperatorError
from socme.v1.alert_pb2 import Severity
from socme.v1.vitals_pb2 import Health, NodeState
from socme.v1.watch_pb2 import FleetEvent, Lagged, StoredAlerts, WatchEvent
from tests.hermes_display.watch_server import NOON, snapshot, status, stored

HOSTILE = "[bold red]x[/] \x1b[31m\x07\n\u202e<b> :smile:"


class Terminal(io.StringIO):
    """A standard output that is a terminal."""

    def isatty(self) -> bool:
        """Tell that it is."""
        return True


def lines(*events: WatchEvent | FleetEvent | Link, as_json: bool = False) -> list[str]:
    out = io.StringIO()
    tail = Tail(as_json=as_json, out=out)
    for event in events:
        tail.show(event)
    return out.getvalue().splitlines()


def alert(number: int = 1, **more: object) -> WatchEvent:
    return WatchEvent(alerts=StoredAlerts(alerts=[stored(number, **more)]))  # type: ignore[arg-type]


def test_an_alert_is_one_line() -> None:
    (line,) = lines(alert(1, count=3))
    clock = NOON.replace(second=1).astimezone().strftime("%H:%M:%S")
    assert line.split() == [
        *(clock, "high", "acme/acme-1", "Alert", "1", "\N{MULTIPLICATION SIGN}3", "web-1"),
        *("203.0.113.9", "→", "10.0.0.5", "T1190"),
    ]


def test_the_latest_come_first_and_nothing_twice() -> None:
    """After a gap the hub tells its latest alerts again; only what is new is printed."""
    shown = lines(
        WatchEvent(snapshot=snapshot(stored(1), stored(2))),
        alert(3),
        WatchEvent(lagged=Lagged(reason="away")),
        WatchEvent(snapshot=snapshot(stored(2), stored(3), stored(4))),
        alert(4),
    )
    assert [line.split()[4] for line in shown] == ["1", "2", "3", "4"]


def test_what_was_printed_is_remembered_within_bounds() -> None:
    tail = Tail(as_json=False, out=io.StringIO())
    for number in range(REMEMBERED + 50):
        tail.show(alert(number))
    assert len(tail._printed) == REMEMBERED


def node(state: NodeState.ValueType, health: Health.ValueType, *reasons: str) -> FleetEvent:
    told = status(state=state)
    told.health = health
    told.reasons.extend(reasons)
    return FleetEvent(node=told)


WELL = node(NodeState.NODE_STATE_ONLINE, Health.HEALTH_UP)
NEW = node(NodeState.NODE_STATE_NEW, Health.HEALTH_UNSPECIFIED)
BLIND = node(NodeState.NODE_STATE_ONLINE, Health.HEALTH_BLIND, "suricata: no packets")
SILENT = node(NodeState.NODE_STATE_OFFLINE, Health.HEALTH_SILENT)


def test_what_becomes_of_a_node_is_one_line() -> None:
    """Not what it says while it stays as it is, and not that it is well, but where it was not."""
    shown = lines(NEW, WELL, WELL, BLIND, BLIND, SILENT, WELL)
    clock = NOON.astimezone().strftime("%H:%M:%S")
    assert [line.split(maxsplit=1)[1].split() for line in shown] == [
        ["blind", "acme/acme-1", "node:", "suricata:", "no", "packets"],
        ["silent", "acme/acme-1", "node:", "last", "heard", clock],
        ["up", "acme/acme-1", "node"],
    ]
    assert lines(BLIND)[0].split()[1] == "blind", "one that is found so is told as well"


def test_a_node_that_was_revoked_is_told_once_and_not_at_every_start() -> None:
    gone = node(NodeState.NODE_STATE_REVOKED, Health.HEALTH_REVOKED)
    assert lines(gone, gone) == []
    assert [line.split()[1] for line in lines(WELL, gone, gone)] == ["revoked"]


def test_the_clock_of_a_nodes_line_is_this_machines() -> None:
    out = io.StringIO()
    Tail(as_json=False, out=out, now=lambda: NOON).show(BLIND)
    assert out.getvalue().startswith(NOON.astimezone().strftime("%H:%M:%S"))


def test_a_script_gets_alerts_alone() -> None:
    assert lines(BLIND, SILENT, as_json=True) == []


def test_hostile_words_of_a_node_stay_on_their_line() -> None:
    told = node(NodeState.NODE_STATE_ONLINE, Health.HEALTH_BLIND, HOSTILE)
    told.node.client = told.node.node = HOSTILE
    (line,) = lines(told)

    assert line.isprintable()
    assert "[bold red]x[/] " in line


def test_of_too_many_nodes_no_more_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hermes_display.tail.MOST_NODES", 2)
    tail = Tail(as_json=False, out=io.StringIO())
    for number in range(4):
        tail.show(FleetEvent(node=status(f"acme-{number}")))
    assert len(tail._grades) == 2


def test_what_tells_nothing_prints_nothing() -> None:
    assert lines(FleetEvent(node=status()), WatchEvent(), FleetEvent(), Link(up=False, since=NOON)) == []


def test_json_is_an_object_a_line_with_the_raw_line() -> None:
    shown = lines(alert(1, name=HOSTILE), alert(2), as_json=True)
    first, second = (json.loads(line) for line in shown)
    assert first["rule"]["name"] == HOSTILE
    assert (second["client"], second["severity"], second["source"]["ip"]) == ("acme", "high", "203.0.113.9")
    assert second["raw"] == '{"event_type":"alert"}'
    assert all(line.isprintable() for line in shown)


@pytest.mark.parametrize("out", [io.StringIO, Terminal])
def test_hostile_text_is_shown_literally_on_one_line(
    out: Callable[[], io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No markup, no emoji, no escape sequence, no second line, nothing that turns the reading direction."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")
    to = out()
    Tail(as_json=False, out=to).show(alert(1, name=HOSTILE, client=HOSTILE, node=HOSTILE))
    assert to.getvalue().count("\n") == 1
    assert "[bold red]x[/] " in to.getvalue()
    assert ":smile:" in to.getvalue()
    assert not {"\x1b", "\x07", "\u202e"} & set(to.getvalue())


def test_no_field_of_an_alert_brings_control_bidirectional_or_invisible_characters() -> None:
    event = alert(1, name="a\x9bb\u200bc", client="\u2066", node="\ufeff")
    made = event.alerts.alerts[0].alert
    made.host.name, made.user = "\u202e\u2028", "[link=http://x]\x1b]8;;http://x\x07"
    made.source_endpoint.ip = made.threat.technique_ids[0] = "\u200f\U000e0041"
    (line,) = lines(event)

    assert line.isprintable()
    assert "[link=http://x]" in line
    (written,) = lines(event, as_json=True)
    assert written.isprintable()


def test_severities_are_coloured_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    tail = Tail(as_json=False, out=terminal)
    for severity in (Severity.SEVERITY_CRITICAL, Severity.SEVERITY_LOW):
        tail.show(alert(severity, severity=severity))
    critical, low = terminal.getvalue().splitlines()
    assert "\x1b[1;37;41mcritical" in critical
    assert "\x1b[36mlow" in low
    assert "\x1b" not in lines(alert(1, severity=Severity.SEVERITY_CRITICAL))[0]


def test_an_unknown_severity_has_a_name() -> None:
    event = alert(1)
    event.alerts.alerts[0].alert.severity = 77  # type: ignore[assignment]
    assert lines(event)[0].split()[1] == "unknown"


def test_a_refusal_ends_the_tail() -> None:
    """A revoked screen will not be let in by trying again."""
    with pytest.raises(OperatorError, match="refuses this screen: revoked"):
        lines(Link(up=False, since=NOON, reason="revoked", refused=True))
