"""Where things stand, as of one moment."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from socme.batch import pack
from socme.journal import Draft, Journal
from socme.v1.alert_pb2 import Alert, Severity
from tests.contracts.sink_suite import deliver
from tests.zeus_hub.engines import opened
from tests.zeus_hub.kit import alert, ids
from zeus_hub import registry, snapshot
from zeus_hub.enrich import enrich
from zeus_hub.sinks.store import Store
from zeus_hub.snapshot import MOST_ALERTS, MOST_BYTES, View

pytestmark = pytest.mark.usefixtures("both")

ALL = View(None, 0, with_raw=True, alerts=MOST_ALERTS)
HIGH = Severity.SEVERITY_HIGH


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = opened(tmp_path)
    for name in ("acme", "beta"):
        registry.add_client(made, name, title=name.title(), now=datetime.now(UTC))
    return made


def _store(tmp_path: Path, engine: Engine, alerts: list[Alert], client: str = "acme") -> None:
    journal = Journal(tmp_path / "journal.db")
    packed = pack([made.SerializeToString() for made in alerts])
    entries = journal.append([Draft(f"{client}/n1", 1, 1, packed)])
    deliver(Store(engine, b"j" * 16, journal.last()), [enrich(entry) for entry in entries])
    journal.close()


def test_an_empty_hub_has_its_clients_to_show(engine: Engine) -> None:
    found = snapshot.take(engine, ALL, now=datetime.now(UTC))

    assert found.position == 0
    assert [(client.client, client.name, client.nodes) for client in found.snapshot.clients] == [
        ("acme", "Acme", 0),
        ("beta", "Beta", 0),
    ]


def test_alerts_come_oldest_first_and_only_as_many_as_asked_for(tmp_path: Path, engine: Engine) -> None:
    alerts = [alert(number) for number in range(10)]
    _store(tmp_path, engine, alerts)
    found = snapshot.take(engine, View(None, 0, with_raw=True, alerts=3), now=datetime.now(UTC))

    assert [stored.alert for stored in found.snapshot.alerts] == alerts[7:]
    assert found.position == 1
    assert snapshot.take(engine, View(None, 0, True, 0), now=datetime.now(UTC)).snapshot.alerts == []  # noqa: FBT003


def test_a_view_leaves_out_clients_severities_and_raw(tmp_path: Path, engine: Engine) -> None:
    _store(tmp_path, engine, [alert(1, HIGH), alert(2)])
    _store(tmp_path, engine, [alert(3, HIGH)], "beta")
    view = View(frozenset({"acme"}), HIGH, with_raw=False, alerts=10)
    found = snapshot.take(engine, view, now=datetime.now(UTC)).snapshot

    assert [stored.alert.id for stored in found.alerts] == ids([alert(1)])
    assert not found.alerts[0].alert.raw
    assert [client.client for client in found.clients] == ["acme"]


def test_who_may_see_no_client_sees_nothing(tmp_path: Path, engine: Engine) -> None:
    _store(tmp_path, engine, [alert(1)])
    found = snapshot.take(
        engine, View(frozenset(), 0, with_raw=True, alerts=10), now=datetime.now(UTC)
    ).snapshot

    assert not found.alerts
    assert not found.clients


def test_the_last_day_is_counted_by_severity_with_roll_ups(tmp_path: Path, engine: Engine) -> None:
    alerts = [alert(1), alert(2), alert(3, HIGH)]
    alerts[0].count = 5
    _store(tmp_path, engine, alerts)
    now = datetime.now(UTC)
    today = snapshot.take(engine, ALL, now=now).snapshot.clients[0]
    tomorrow = snapshot.take(engine, ALL, now=now + timedelta(hours=25)).snapshot.clients[0]

    assert [(count.severity, count.alerts) for count in today.last_day] == [(1, 6), (HIGH, 1)]
    assert not tomorrow.last_day


def test_revoked_nodes_are_not_counted(tmp_path: Path, engine: Engine) -> None:
    _store(tmp_path, engine, [alert(1)])
    assert snapshot.take(engine, ALL, now=datetime.now(UTC)).snapshot.clients[0].nodes == 1
    registry.revoke_node(engine, "acme", "n1", now=datetime.now(UTC))

    assert snapshot.take(engine, ALL, now=datetime.now(UTC)).snapshot.clients[0].nodes == 0


def test_a_snapshot_always_fits_a_message(tmp_path: Path, engine: Engine) -> None:
    """The newest alerts are those that stay."""
    alerts = [alert(number) for number in range(8)]
    for made in alerts:
        made.raw = bytes(1024 * 1024)
    _store(tmp_path, engine, alerts)
    found = snapshot.take(engine, ALL, now=datetime.now(UTC)).snapshot

    assert found.ByteSize() <= MOST_BYTES + 1000
    assert [stored.alert.id for stored in found.alerts] == ids(alerts[5:])


def test_the_hub_itself_is_a_client_without_nodes(tmp_path: Path, engine: Engine) -> None:
    """What it says of itself is shown like any client's; there is nothing enrolled behind it."""
    journal = Journal(tmp_path / "journal.db")
    entries = journal.append([Draft("/".join(registry.HUB), 1, 1, pack([alert(1).SerializeToString()]))])
    deliver(Store(engine, b"j" * 16, journal.last()), [enrich(entry) for entry in entries])
    journal.close()
    found = snapshot.take(engine, ALL, now=datetime.now(UTC)).snapshot

    assert [(client.client, client.nodes) for client in found.clients] == [
        ("acme", 0),
        ("beta", 0),
        ("socme", 0),
    ]
    assert [stored.client for stored in found.alerts] == ["socme"]
