"""Alerts that nobody was told of, brought down to what fits a mail."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from artemis_agent import untold
from artemis_agent.untold import Untold
from socme.text import UNSAFE
from socme.v1.alert_pb2 import Alert
from tests.artemis_agent.glass import CRITICAL, HIGH, alert


def test_a_flood_is_counted_and_not_listed() -> None:
    found = Untold(CRITICAL, frozenset(), 0)
    for number in range(untold.MOST_IDS + 500):
        one = alert(number, name=f"rule {number}" if number % 2 else "the same")
        one.count = 2
        found.take(one)

    assert found.alerts == 2 * (untold.MOST_IDS + 500)
    assert found.titles.total() == found.alerts
    assert len(found.titles) <= untold.MOST_TITLES + 1
    assert len(found.ids) == untold.MOST_IDS
    assert found.ids[0] == alert(0).id
    assert [each.host for each in found.latest][-1] == f"host-{untold.MOST_IDS + 499}"


def test_what_is_known_or_less_severe_does_not_count() -> None:
    found = Untold(HIGH, {alert(1).id}, 0)
    for one in (alert(1), alert(2, severity=HIGH), alert(3, severity=2), alert(4, severity=0)):
        found.take(one)

    assert found.ids == [alert(2).id]


def test_the_time_is_the_sensors_or_the_nodes_or_none() -> None:
    found = Untold(CRITICAL, frozenset(), 0)
    seen, none, mad = alert(1), alert(2), alert(3)
    seen.observed.FromDatetime(datetime(2026, 11, 29, tzinfo=UTC))
    mad.time.seconds = 2**62
    for one in (seen, none, mad):
        found.take(one)

    assert [each.when for each in found.latest] == [datetime(2026, 11, 29, tzinfo=UTC), None, None]


@given(st.text(), st.text(), st.text())
def test_whatever_stands_in_an_alert_is_one_short_line(name: str, host: str, address: str) -> None:
    one = Alert(id=b"1", severity=CRITICAL)
    encodable = [text.encode("utf-8", "replace").decode() for text in (name, host, address)]
    one.rule.name, one.host.name, one.source_endpoint.ip = encodable
    found = Untold(CRITICAL, frozenset(), 0)
    found.take(one)

    (line,) = found.latest
    for text in (line.title, line.host, line.source):
        assert not UNSAFE.search(text)
        assert len(text) <= 3 * untold.LONGEST_TITLE
        assert "://" not in text
