"""Questions to the alert table."""

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.pool import QueuePool

from socme.errors import OperatorError
from socme.v1.alert_pb2 import AlertSource, Severity
from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub.alone import sqlite_alone
from tests.zeus_hub.stored import NOON, alert, database, keep
from zeus_hub import alerts
from zeus_hub import database as tables
from zeus_hub.alerts import Filters
from zeus_hub.database import reading

pytestmark = pytest.mark.usefixtures("both")

HOSTILE = "'; DROP TABLE alert; -- 100%_\\x/"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(tmp_path)
    yield made
    made.dispose()


def numbers(engine: Engine, filters: Filters, *, limit: int | None = None, newest: bool = False) -> list[int]:
    """Return the numbers of the alerts that are found, in their order."""
    found = alerts.find(engine, filters, newest_first=newest, limit=limit)
    return [int.from_bytes(stored.alert.id) for stored in found]


SOME = [
    alert(1, severity=Severity.SEVERITY_LOW, text="Failed password for root", techniques=["T1110"]),
    alert(2, severity=Severity.SEVERITY_MEDIUM, place="acme/acme-2", techniques=["T1110.001", "T1059"]),
    alert(3, severity=Severity.SEVERITY_HIGH, place="beta/beta-1", rule="5712", techniques=["T11100"]),
    alert(4, severity=Severity.SEVERITY_CRITICAL, source=AlertSource.ALERT_SOURCE_WAZUH, name=HOSTILE),
    alert(5, severity=Severity.SEVERITY_UNSPECIFIED, ips=("192.0.2.1", "2001:db8::1")),
    alert(6, severity=9, source=9, ips=("", ""), text="100 percent, no wildcard here"),
]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(), [1, 2, 3, 4, 5, 6]),
        (Filters(client="acme"), [1, 2, 4, 5, 6]),
        (Filters(client="beta"), [3]),
        (Filters(node="acme-2"), [2]),
        (Filters(client="beta", node="acme-2"), []),
        (Filters(since=NOON + timedelta(minutes=3)), [3, 4, 5, 6]),
        (Filters(until=NOON + timedelta(minutes=3)), [1, 2]),
        (Filters(severity=Severity.SEVERITY_HIGH), [3]),
        (Filters(min_severity=Severity.SEVERITY_HIGH), [3, 4, 5, 6]),
        (Filters(source=AlertSource.ALERT_SOURCE_WAZUH), [4]),
        (Filters(rule="5712"), [3]),
        (Filters(rule="571"), []),
        (Filters(ip="192.0.2.1"), [1, 2, 3, 4, 5]),
        (Filters(ip="2001:db8::1"), [5]),
        (Filters(technique="T1110"), [1, 2]),
        (Filters(technique="T1110.001"), [2]),
        (Filters(technique="T1059"), [2]),
        (Filters(text="failed PASSWORD"), [1]),
        (Filters(text="100%"), [4]),
        (Filters(text="%_"), [4]),
        (Filters(text="_"), [4]),
        (Filters(text="\\x/"), [4]),
        (Filters(text=HOSTILE), [4]),
        (Filters(rule=HOSTILE, text=HOSTILE), []),
        (Filters(client="acme", min_severity=Severity.SEVERITY_MEDIUM, text="rule"), [2, 5, 6]),
    ],
)
def test_each_filter_finds_what_meets_it(engine: Engine, filters: Filters, expected: list[int]) -> None:
    keep(engine, SOME)

    assert numbers(engine, filters) == expected


def test_order_is_by_time_then_by_arrival(engine: Engine) -> None:
    keep(engine, [alert(1, minutes=5), alert(2, minutes=1), alert(3, minutes=5), alert(4, minutes=3)])

    assert numbers(engine, Filters()) == [2, 4, 1, 3]
    assert numbers(engine, Filters(), newest=True) == [3, 1, 4, 2]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 9, 100])
@pytest.mark.parametrize("newest", [False, True])
def test_pieces_join_without_gap_or_repeat(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, limit: int, *, newest: bool
) -> None:
    """However the pieces are cut, also between alerts of the same time."""
    monkeypatch.setattr(alerts, "KEYS", 3)
    monkeypatch.setattr(alerts, "BODIES", 2)
    keep(engine, [alert(number, minutes=number // 4) for number in range(1, 9)])
    expected = list(range(8, 0, -1)) if newest else list(range(1, 9))

    assert numbers(engine, Filters(), limit=limit, newest=newest) == expected[:limit]
    assert numbers(engine, Filters(), newest=newest) == expected


def test_nothing_is_held_open_while_the_reader_pauses(engine: Engine) -> None:
    """A pager that is left open overnight must not keep SQLite from cutting its log."""
    keep(engine, SOME)

    with contextlib.closing(alerts.find(engine, Filters())) as found:
        next(found)

        assert isinstance(engine.pool, QueuePool)
        assert engine.pool.checkedout() == 0


def test_an_alert_comes_back_whole(engine: Engine) -> None:
    whole = alert(1, raw=b"\xff{\x00}", text="x" * 10_000)
    keep(engine, [whole])

    assert list(alerts.find(engine, Filters())) == [whole]


def with_digits(digits: str, place: str = "acme/acme-1") -> StoredAlert:
    """Return an alert whose id begins so."""
    made = alert(1, place=place)
    made.alert.id = bytes.fromhex(digits.ljust(32, "0"))
    return made


def test_an_alert_is_found_by_the_first_digits_of_its_id(engine: Engine) -> None:
    one, other, last = with_digits("abcdef01"), with_digits("abcdef1"), with_digits("ffffffff")
    keep(engine, [one, other, last, with_digits("abcdf0")])

    assert alerts.with_id(engine, one.alert.id.hex()) == [one]
    assert alerts.with_id(engine, "abcdef0") == [one]
    assert alerts.with_id(engine, "abcdef") == [one, other]
    assert alerts.with_id(engine, "0123456") == []
    assert alerts.with_id(engine, "ffffff") == [last]


def test_an_id_that_two_nodes_sent_finds_both(engine: Engine) -> None:
    both = [with_digits("abcdef01", "acme/acme-1"), with_digits("abcdef01", "beta/beta-1")]
    keep(engine, both)

    assert alerts.with_id(engine, "abcdef01") == both


def test_names_that_there_are_pass(engine: Engine) -> None:
    keep(engine, SOME)

    alerts.check_names(engine, Filters(client="acme", node="acme-2"))


@pytest.mark.parametrize(
    "filters",
    [
        Filters(client="nobody"),
        Filters(client=""),
        Filters(node="nobody"),
        Filters(client="beta", node="acme-1"),
    ],
)
def test_names_that_there_are_not_are_refused(engine: Engine, filters: Filters) -> None:
    """An empty answer would look like peace."""
    keep(engine, SOME)

    with pytest.raises(OperatorError, match="there is no"):
        alerts.check_names(engine, filters)


@sqlite_alone
def test_an_address_is_found_by_the_indices_of_all_segments(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search of all rows would take a second for each few millions."""
    for module in (alerts, tables):
        monkeypatch.setattr(module, "SEGMENT", 2)
    keep(engine, SOME)
    asked: list[tuple[str, object]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _asked(_connection: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        asked.append((statement, values))

    found = numbers(engine, Filters(ip="192.0.2.1"))
    statement, values = next(each for each in asked if "source_ip" in each[0])
    with reading(engine) as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]  # type: ignore[arg-type]

    assert found == [1, 2, 3, 4, 5]
    assert "SEARCH alert USING INDEX ix_alert_segment_source_ip (segment=? AND source_ip=?)" in plan
    assert "SEARCH alert USING INDEX ix_alert_segment_destination_ip (segment=? AND destination_ip=?)" in plan
    assert not [step for step in plan if step.startswith("SCAN alert")]


@sqlite_alone
@pytest.mark.parametrize(
    ("filters", "step"),
    [
        (Filters(), "ix_alert_time_us"),
        (Filters(client="acme"), "ix_alert_client_id_time_us (client_id=?)"),
        (Filters(node="acme-2"), "ix_alert_node_id_time_us (node_id=?)"),
        (Filters(severity=4), "ix_alert_severity_time_us (severity=?)"),
        (Filters(source=1), "ix_alert_source_time_us (source=?)"),
        (Filters(rule="1"), "ix_alert_rule_id_time_us (rule_id=?)"),
        (
            Filters(client="acme", node="acme-2", ip="192.0.2.1"),
            "ix_alert_segment_source_ip (segment=? AND source_ip=?)",
        ),
    ],
)
def test_a_page_is_read_in_its_order_from_an_index(engine: Engine, filters: Filters, step: str) -> None:
    """To sort all that match would take the longer the more alerts there are."""
    keep(engine, SOME)
    asked: list[tuple[str, object]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _asked(_connection: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        asked.append((statement, values))

    with reading(engine) as connection:
        alerts.keys(connection, filters, None, newest_first=True, size=50)
        statement, values = asked[-1]
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]  # type: ignore[arg-type]

    assert any(step in each for each in plan), plan
    assert filters.ip is not None or "USE TEMP B-TREE FOR ORDER BY" not in plan
