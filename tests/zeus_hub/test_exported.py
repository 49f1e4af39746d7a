"""What `zeus alert export` wrote is read again, and lines of people's own."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme.v1.alert_pb2 import Action, AlertSource, Severity
from socme.v1.watch_pb2 import StoredAlert
from socme.view import alert_view, json_line
from zeus_hub.exported import LineError, alert, read

LEAST = {"client": "acme", "time": "2026-07-01T12:00:00.000000Z"}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TIMES = st.integers(-62_135_596_800, 253_402_300_799)


@st.composite
def alerts(draw: st.DrawFn) -> StoredAlert:
    """Return any alert that a hub may have."""
    stored = StoredAlert(client=draw(TEXT.filter(bool)), node=draw(TEXT))
    stored.received.FromMicroseconds(draw(TIMES) * 1_000_000 + draw(st.integers(0, 999_999)))
    made = stored.alert
    made.id = draw(st.binary(min_size=16, max_size=16))
    made.source = draw(st.sampled_from(list(AlertSource.values())))
    made.severity = draw(st.sampled_from(list(Severity.values())))
    made.action = draw(st.sampled_from(list(Action.values())))
    made.count = draw(st.integers(1, 2**32 - 1))
    made.raw = draw(st.binary(max_size=30))
    made.offset = draw(st.integers(0, 2**63))
    for name in (
        *("message", "user", "process", "url", "domain", "origin", "decoder", "location", "native_id"),
        "user_agent",
    ):
        setattr(made, name, draw(TEXT))
    for time in (made.time, made.observed, made.first, made.last):
        if draw(st.booleans()):
            time.FromSeconds(draw(TIMES))
    made.rule.id, made.rule.name, made.rule.category = draw(TEXT), draw(TEXT), draw(TEXT)
    made.rule.groups[:] = draw(st.lists(TEXT, max_size=3))
    if draw(st.booleans()):
        made.rule.level, made.rule.generator = draw(st.integers(-(2**31), 2**31 - 1)), draw(st.integers(0, 9))
    made.threat.technique_ids[:] = draw(st.lists(TEXT, max_size=2))
    made.host.name, made.file.path, made.network.transport = draw(TEXT), draw(TEXT), draw(TEXT)
    made.network.flow_id = draw(st.just("") | st.integers(0, 2**64 - 1).map(str))
    made.network.vlans[:] = draw(st.lists(st.integers(0, 4095), max_size=2))
    for end in (made.source_endpoint, made.destination_endpoint):
        end.ip, end.port = draw(TEXT), draw(st.integers(0, 65535))
    if draw(st.booleans()):
        made.condition.kind, made.condition.state = draw(TEXT), draw(st.integers(0, 3))  # type: ignore[assignment]
        made.condition.since.FromSeconds(draw(TIMES))
    return stored


@given(alerts())
def test_what_was_exported_is_read_as_it_was(stored: StoredAlert) -> None:
    line = json_line(alert_view(stored)).encode()

    [found] = read([line])

    assert json_line(alert_view(found)).encode() == line


def test_a_few_words_make_an_alert() -> None:
    found = alert({**LEAST, "severity": "high", "rule": {"id": "5763"}, "source": {"ip": "203.0.113.9"}})

    assert (found.alert.severity, found.alert.rule.id) == (Severity.SEVERITY_HIGH, "5763")
    assert found.alert.source_endpoint.ip == "203.0.113.9"
    assert found.received == found.alert.time


def test_alerts_without_an_id_are_told_apart() -> None:
    line = json.dumps(LEAST).encode()

    assert len({found.alert.id for found in read([line, b"\n", line])}) == 2


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"sevrity": "high"}, "there is no sevrity in an alert"),
        ({"severity": "hgih"}, "severity is 'hgih', none of low, medium"),
        ({"rule": {"number": 1}}, 'no field named "number"'),
        ({"rule": {"id": 5763}}, "id"),
        ({"rule": "5763"}, "rule"),
        ({"source": {"adress": "::1"}}, 'no field named "adress"'),
        ({"source": "::1"}, "source is an object"),
        ({"source": {"module": "snort"}}, "the module is 'snort', none of"),
        ({"event": {"kind": "alert"}}, "there is no event.kind"),
        ({"log": {"line": 1}}, "there is no log.line"),
        ({"socme": {"condition": {"state": "odd", "kind": "k"}}}, "CONDITION_STATE_ODD"),
        ({"user_agent": {"name": "curl"}}, "there is no user_agent.name"),
        ({"user_agent": "curl"}, "user_agent is an object"),
        ({"socme": {"other": 1}}, "there is no socme.other"),
        ({"action": "dropped"}, "ACTION_DROPPED"),
        ({"time": "yesterday"}, "time"),
        ({"time": None}, "it has no time"),
        ({"client": ""}, "it has no client"),
        ({"client": 7}, "client is a text, not 7"),
        ({"id": "xyz"}, "hexadecimal"),
        ({"count": -1}, "count"),
        ({"raw_base64": "?"}, "base64"),
    ],
)
def test_what_is_no_alert_is_refused_with_line_and_reason(wrong: dict[str, object], why: str) -> None:
    lines = [json.dumps(LEAST).encode(), json.dumps(LEAST | wrong).encode()]

    with pytest.raises(LineError, match=r"^2: ") as failure:
        list(read(lines))

    assert why in str(failure.value)


@pytest.mark.parametrize("line", [b"{", b"[]", b"7", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(LineError, match=r"^1: "):
        list(read([line]))


@given(st.binary())
def test_any_bytes_are_read_or_refused(line: bytes) -> None:
    try:
        found = list(read([line]))
    except LineError:
        return
    assert found == []  # nothing but white space
