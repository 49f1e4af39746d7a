from dataclasses import replace
from datetime import timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from hermes_display import rows
from hermes_display.rows import MOST_MEMBERS, Row
from hermes_display.triage import Stage
from socme.v1.alert_pb2 import Severity
from socme.v1.watch_pb2 import Triage, TriageStatus
from tests.hermes_display.watch_server import NOON, stored

HOSTILE = "\x1b[2J<script>\u202e\n\ud7ff"


def row(number: int, **more: object) -> Row:
    return rows.read(stored(number, name="Port scan", **more))  # type: ignore[arg-type]


def test_text_of_alerts_is_cleaned() -> None:
    alert = stored(1, name=HOSTILE + "x" * 500, client=HOSTILE, node=HOSTILE)
    alert.alert.host.name = HOSTILE
    alert.triage.CopyFrom(Triage(status=TriageStatus.TRIAGE_STATUS_ACKNOWLEDGED, owner=HOSTILE))
    found = rows.read(alert)
    for text in (found.title, found.client, found.owner, *found.facts):
        assert not {"\x1b", "\n", "\u202e"} & set(text)
    assert "<script>" in found.title


def test_an_alert_without_a_rule_name_is_called_by_its_message_or_rule() -> None:
    nameless = stored(1)
    nameless.alert.rule.name = ""
    nameless.alert.message = "what happened"
    assert rows.read(nameless).title == "what happened"
    nameless.alert.message = ""
    assert rows.read(nameless).title == "rule 2000001"


def test_a_severity_from_the_future_is_unrated() -> None:
    alert = stored(1)
    alert.alert.severity = 77  # type: ignore[assignment]
    assert rows.read(alert).severity == Severity.SEVERITY_UNSPECIFIED


def test_rows_that_differ_in_time_alone_say_the_same() -> None:
    assert rows.says_the_same(row(1), row(2))
    assert not rows.says_the_same(row(1), row(1, client="globex"))
    assert not rows.says_the_same(row(1), row(1, severity=Severity.SEVERITY_LOW))
    assert not rows.says_the_same(row(1), replace(row(1), facts=()))


def test_a_joined_row_stands_for_all_and_has_the_time_of_the_newer() -> None:
    both = rows.joined(row(1, count=3), row(2, count=4))
    assert (both.count, both.received) == (7, NOON + timedelta(seconds=2))
    assert both.key == row(1).key
    assert rows.joined(both, row(2, count=4)).count == 7, "the same alert counts once"


def test_a_row_of_very_many_alerts_stays_small_and_counts_them_all() -> None:
    many = row(0)
    for number in range(1, 500):
        many = rows.joined(many, row(number))
    assert many.count == 500
    assert len(many.members) <= MOST_MEMBERS + 1
    assert not many.is_handled
    assert rows.triaged(many, row(499).key, Stage.CLOSED, "") is not None


def many(number: int) -> Row:
    made = row(0)
    for each in range(1, number):
        made = rows.joined(made, row(each))
    return made


def test_who_is_done_with_all_that_a_row_knows_is_done_with_the_row() -> None:
    """Of hundreds that say the same, the oldest are counted together, and nothing is heard of each."""
    closed: Row | None = many(MOST_MEMBERS + 100)
    handled = many(MOST_MEMBERS + 100)
    for number in range(MOST_MEMBERS + 100):
        assert closed is not None
        after = rows.triaged(handled, row(number).key, Stage.ACKNOWLEDGED, "anna")
        assert after is not None
        closed, handled = rows.triaged(closed, row(number).key, Stage.CLOSED, ""), after
    assert closed is None
    assert handled.is_handled


def test_addresses_of_ipv6_are_told_whole_and_apart() -> None:
    one, other = stored(1, name="Scan"), stored(2, name="Scan")
    near = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:"
    for alert, end in ((one, "1111"), (other, "2222")):
        alert.alert.source_endpoint.ip, alert.alert.destination_endpoint.ip = f"{near}9999", f"{near}{end}"
    assert f"{near}1111" in rows.read(one).facts[1]
    assert not rows.says_the_same(rows.read(one), rows.read(other))


def test_a_row_is_handled_when_all_its_alerts_are_and_gone_when_all_are_closed() -> None:
    one, other = row(1), row(2)
    both = rows.joined(one, other)

    first = rows.triaged(both, one.key, Stage.ACKNOWLEDGED, "anna")
    assert first is not None
    assert (first.is_handled, first.owner) == (False, "anna")
    second = rows.triaged(first, other.key, Stage.ACKNOWLEDGED, "bert")
    assert second is not None
    assert second.is_handled
    again = rows.triaged(second, one.key, Stage.NEW, "")
    assert again is not None
    assert not again.is_handled

    left = rows.triaged(both, one.key, Stage.CLOSED, "")
    assert left is not None
    assert left.count == 1
    assert rows.triaged(left, other.key, Stage.CLOSED, "") is None
    assert rows.triaged(left, "of another row", Stage.CLOSED, "") == left


def test_a_missing_or_senseless_time_is_none() -> None:
    assert rows.time(Timestamp()) is None
    assert rows.time(Timestamp(seconds=2**62)) is None
