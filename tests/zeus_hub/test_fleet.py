"""What to make of a node, from what was heard of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from socme.v1.vitals_pb2 import ClientStatus, Health, LedgerHour, NodeState, Vitals
from tests.zeus_hub.engines import opened
from tests.zeus_hub.kit import eventually
from zeus_hub import database, fleet, history, hours, ledger, registry
from zeus_hub.database import reading, writing
from zeus_hub.fleet import LARGEST_VITALS, Fleet
from zeus_hub.health import CLIENT_DISABLED

pytestmark = pytest.mark.usefixtures("both")

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ("acme", "n1")


def _ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("last_seen", "connected", "interval", "revoked", "expected"),
    [
        (None, False, 10, False, NodeState.NODE_STATE_NEW),
        (_ago(0), True, 10, False, NodeState.NODE_STATE_ONLINE),
        (_ago(30), True, 10, False, NodeState.NODE_STATE_ONLINE),
        (_ago(31), True, 10, False, NodeState.NODE_STATE_STALE),
        (_ago(31), False, 10, False, NodeState.NODE_STATE_OFFLINE),
        (_ago(29), False, 10, False, NodeState.NODE_STATE_OFFLINE),
        (_ago(100), True, 60, False, NodeState.NODE_STATE_ONLINE),
        (_ago(89), True, 0, False, NodeState.NODE_STATE_ONLINE),
        (_ago(91), True, 0, False, NodeState.NODE_STATE_STALE),
        (_ago(0), True, 10, True, NodeState.NODE_STATE_REVOKED),
        (None, False, 0, True, NodeState.NODE_STATE_REVOKED),
    ],
)
def test_the_state_of_a_node(
    last_seen: datetime | None,
    connected: bool,  # noqa: FBT001
    interval: int,
    revoked: bool,  # noqa: FBT001
    expected: int,
) -> None:
    found = fleet.state(
        now=NOW, last_seen=last_seen, connected=connected, interval_seconds=interval, revoked=revoked
    )

    assert found == expected


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = opened(tmp_path)
    registry.add_client(made, "acme", now=NOW)
    _enrol(made, "n1")
    return made


def _enrol(engine: Engine, name: str) -> None:
    with writing(engine) as connection:
        client_id = registry.client_ids(connection, ["acme"])[0]
        registry.put_node(
            connection, client_id, name, fingerprint=name.encode(), enrolled=NOW, expires=NOW + timedelta(9)
        )


def test_a_node_is_told_of_with_its_vitals(engine: Engine) -> None:
    known = Fleet(engine, lambda: NOW)
    known.connected(KEY, 10)
    known.reported(KEY, Vitals(hostname="box"))
    (seen,) = known.nodes()
    message = fleet.status(seen.node, NOW)

    assert (message.client, message.node, message.vitals.hostname) == ("acme", "n1", "box")
    assert message.state == NodeState.NODE_STATE_ONLINE
    assert message.last_seen.ToDatetime(UTC) == message.enrolled.ToDatetime(UTC) == NOW


def test_a_sign_of_life_is_no_change_worth_telling(engine: Engine) -> None:
    known = Fleet(engine, lambda: NOW)
    known.connected(KEY, 10)
    (before,) = known.nodes()
    known.heard(KEY)
    (after,) = known.nodes()

    assert after.changes == before.changes


def test_no_node_can_make_its_silence_last_for_ever(engine: Engine) -> None:
    known = Fleet(engine, lambda: NOW)
    known.connected(KEY, 2**32 - 1)
    (seen,) = known.nodes()

    assert seen.node.interval_seconds == fleet.LONGEST_INTERVAL


def test_vitals_have_a_bound(engine: Engine) -> None:
    known = Fleet(engine, lambda: NOW)

    assert known.reported(KEY, Vitals(hostname="x" * 1000))
    assert not known.reported(KEY, Vitals(hostname="x" * LARGEST_VITALS))
    (seen,) = known.nodes()
    assert len(seen.node.vitals or b"") < 2000


def test_damaged_vitals_in_the_database_are_left_out(engine: Engine) -> None:
    sighting = registry.Sighting(connected=True, last_seen=NOW, interval_seconds=10, vitals=b"\xff\xff")
    registry.record_sightings(engine, {KEY: sighting})

    assert not fleet.status(registry.get_node(engine, *KEY), NOW).HasField("vitals")


async def test_a_hub_that_starts_has_no_node_connected(engine: Engine) -> None:
    """Whatever the one before it wrote down: it may have been killed."""
    sighting = registry.Sighting(connected=True, last_seen=NOW, interval_seconds=10, vitals=None)
    registry.record_sightings(engine, {KEY: sighting})
    known = Fleet(engine, lambda: NOW)
    (seen,) = known.nodes()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(known.run())
        await asyncio.sleep(0)
        task.cancel()

    assert not seen.node.connected
    assert not registry.get_node(engine, *KEY).connected


async def test_what_is_known_is_written_down_in_the_end(engine: Engine) -> None:
    known = Fleet(engine, lambda: NOW)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(known.run())
        await asyncio.sleep(0)
        known.connected(KEY, 10)
        known.reported(KEY, Vitals(hostname="box"))
        known.gone(KEY)
        task.cancel()
    node = registry.get_node(engine, *KEY)

    assert (node.connected, node.last_seen) == (False, NOW)
    assert Vitals.FromString(node.vitals or b"").hostname == "box"


async def test_what_is_known_is_written_down_now_and_then(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "POLL_SECONDS", 0.01)
    known = Fleet(engine, lambda: NOW)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(known.run())
        known.connected(KEY, 10)
        await eventually(lambda: registry.get_node(engine, *KEY).connected)
        task.cancel()


async def test_who_comes_and_goes_is_written_down_at_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person who enrols a node and looks must not be told that it never came."""
    monkeypatch.setattr(fleet, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(fleet, "WRITE_EVERY", 10**9)
    known = Fleet(engine, lambda: NOW)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(known.run())
        known.connected(KEY, 10)
        await eventually(lambda: registry.get_node(engine, *KEY).connected)
        known.reported(KEY, Vitals(hostname="box"))
        await eventually(lambda: registry.get_node(engine, *KEY).vitals is not None)
        known.gone(KEY)
        await eventually(lambda: not registry.get_node(engine, *KEY).connected)
        task.cancel()


async def test_commands_in_other_processes_are_noticed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "POLL_SECONDS", 0.01)
    known = Fleet(engine, lambda: NOW)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(known.run())
        _enrol(engine, "n2")
        registry.revoke_node(engine, "acme", "n1", now=NOW)
        await eventually(
            lambda: (
                [(seen.node.name, seen.node.revoked) for seen in known.nodes()] == [("n1", NOW), ("n2", None)]
            )
        )
        task.cancel()


def test_a_hub_that_starts_finds_nobody_connected(engine: Engine) -> None:
    sighting = registry.Sighting(connected=True, last_seen=NOW, interval_seconds=10, vitals=None)
    registry.record_sightings(engine, {KEY: sighting})
    (seen,) = Fleet(engine, lambda: NOW).nodes()

    assert not seen.node.connected
    assert seen.node.last_seen == NOW


def test_what_is_made_of_a_node_is_told_once(engine: Engine) -> None:
    known = Fleet(engine, lambda: NOW)
    for _ in range(3):
        known.judged(KEY, Health.HEALTH_BLIND, ("no packets",))
    known.judged(("acme", "nobody"), Health.HEALTH_UP, ())
    (seen,) = known.nodes()
    message = fleet.status(seen.node, NOW)

    assert seen.changes == 1
    assert (message.health, list(message.reasons)) == (Health.HEALTH_BLIND, ["no packets"])


def test_of_a_revoked_node_nothing_else_need_be_found_out(engine: Engine) -> None:
    registry.revoke_node(engine, *KEY, now=NOW)
    (seen,) = Fleet(engine, lambda: NOW).nodes()
    message = fleet.status(seen.node, NOW)

    assert (message.state, message.health) == (NodeState.NODE_STATE_REVOKED, Health.HEALTH_REVOKED)


def test_nothing_is_expected_of_a_disabled_clients_node_until_it_is_let_in_again(engine: Engine) -> None:
    """And then it is as unknown as when the hub starts."""
    at = 1.0
    known = Fleet(engine, lambda: NOW, lambda: at)
    known.connected(KEY, 10)
    known.reported(KEY, Vitals(hostname="box"))
    known.gone(KEY)
    known.judged(KEY, Health.HEALTH_SILENT, ("nothing was heard",))

    registry.disable_client(engine, "acme")
    known._follow(*known._registered())
    (seen,) = known.nodes()
    shut_out = fleet.status(seen.node, NOW)
    assert (shut_out.state, shut_out.health) == (NodeState.NODE_STATE_REVOKED, Health.HEALTH_REVOKED)
    assert list(shut_out.reasons) == [CLIENT_DISABLED]
    assert registry.get_node(engine, *KEY).shut_out

    at = 2.0
    registry.enable_client(engine, "acme")
    known._follow(*known._registered())
    (again,) = known.nodes()
    assert fleet.status(again.node, NOW).state == NodeState.NODE_STATE_OFFLINE
    assert (again.heard, again.report, again.let_in, again.changes) == (None, None, 2.0, seen.changes + 1)
    assert KEY in known.touched()


def test_what_is_made_of_a_client_is_told_once(engine: Engine) -> None:
    known = Fleet(engine, lambda: NOW)
    for client in ("beta", "acme", "acme"):
        known.judged_client(ClientStatus(client=client, health=Health.HEALTH_UP))
    known.judged_client(ClientStatus(client="beta", health=Health.HEALTH_BLIND))

    told = [(seen.status.client, seen.status.health, seen.changes) for seen in known.clients()]
    assert told == [("acme", Health.HEALTH_UP, 0), ("beta", Health.HEALTH_BLIND, 1)]


async def test_a_client_that_is_disabled_in_another_process_is_noticed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "POLL_SECONDS", 0.01)
    known = Fleet(engine, lambda: NOW)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(known.run())
        assert known.enabled == {"acme": True}
        registry.disable_client(engine, "acme")
        await eventually(lambda: [seen.node.enabled for seen in known.nodes()] == [False])
        task.cancel()

    assert known.enabled == {"acme": False}


def test_the_hub_itself_is_no_node(engine: Engine) -> None:
    """It has a row of its own from the first of its own alerts on."""
    with writing(engine) as connection:
        row = {"name": "socme", "title": "socme", "enabled": True, "created_us": 0}
        connection.execute(database.client.insert().values(row))
        client_id = registry.client_ids(connection, ["socme"])[0]
        registry.put_node(connection, client_id, "zeus", fingerprint=b"z", enrolled=NOW, expires=NOW)
    known = Fleet(engine, lambda: NOW)

    assert [seen.node.client for seen in known.nodes()] == ["acme"]
    assert known.enabled == {"acme": True}


def test_vitals_are_kept_with_the_time_of_their_arrival_and_without_the_ledger(engine: Engine) -> None:
    known = Fleet(engine, lambda: NOW, lambda: 7.5)
    known.reported(KEY, Vitals(hostname="box", ledger=[_hour(1)]))
    (seen,) = known.nodes()

    assert seen.report == fleet.Report(Vitals(hostname="box"), 7.5, NOW)
    assert seen.heard == 7.5
    assert Vitals.FromString(seen.node.vitals or b"") == Vitals(hostname="box")


def test_a_stream_that_ends_is_no_sign_of_life(engine: Engine) -> None:
    at = 1.0
    known = Fleet(engine, lambda: NOW, lambda: at)
    known.connected(KEY, 10)
    at = 9.0
    known.gone(KEY)
    (seen,) = known.nodes()

    assert seen.heard == 1.0


def _hour(read: int, source: str = "eve.json") -> LedgerHour:
    made = LedgerHour(source=source, read=read)
    made.hour.FromDatetime(NOW)
    return made


def _kept(engine: Engine) -> list[int]:
    with reading(engine) as connection:
        return [
            LedgerHour.FromString(one).read
            for one in connection.execute(select(database.ledger.c.body)).scalars()
        ]


async def test_ledger_hours_are_written_down(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "POLL_SECONDS", 0.01)
    known = Fleet(engine, lambda: NOW)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(known.run())
        known.reported(KEY, Vitals(ledger=[_hour(5)]))
        await eventually(lambda: _kept(engine) == [5])
        known.reported(KEY, Vitals(ledger=[_hour(6)]))
        task.cancel()

    assert _kept(engine) == [6], "in the end, too"


async def test_hours_that_are_refused_are_written_down(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a node whose clock is off: those that come in time, too."""
    monkeypatch.setattr(fleet, "POLL_SECONDS", 0.01)
    known = Fleet(engine, lambda: NOW)
    far = _hour(5)
    far.hour.FromDatetime(NOW + timedelta(days=3))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(known.run())
        known.reported(KEY, Vitals(ledger=[far]))
        await eventually(lambda: ledger.refused(engine) == {KEY: 1})
        known.reported(KEY, Vitals(ledger=[far, _hour(6)]))
        task.cancel()

    assert ledger.refused(engine) == {KEY: 2}
    assert _kept(engine) == [6]


def test_the_hours_of_many_vitals_are_no_reason_to_refuse_them(engine: Engine) -> None:
    """What came fast was put together here: its bound is that of hours."""
    known = Fleet(engine, lambda: NOW)
    many = [_hour(1, str(number).ljust(1900, "x")) for number in range(200)]

    assert known.reported(KEY, Vitals(ledger=many))
    assert len(known._hours[KEY]) == 200


def test_ledger_hours_that_wait_are_bounded_and_those_refused_are_counted(engine: Engine) -> None:
    known = Fleet(engine, lambda: NOW)
    for number in range(hours.MOST_TOLD + 10):
        known.reported(KEY, Vitals(ledger=[_hour(1, str(number))]))

    assert known.refused_hours == 10
    assert len(known._hours[KEY]) == hours.MOST_TOLD


def _read(records: int) -> Vitals:
    made = Vitals()
    made.sources.add(name="eve.json", records=records)
    return made


async def test_samples_of_vitals_are_kept_over_time(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was added is reckoned from the vitals that the hub before this one wrote down, too."""
    monkeypatch.setattr(fleet, "POLL_SECONDS", 0.01)
    sighting = registry.Sighting(
        connected=True, last_seen=NOW, interval_seconds=10, vitals=_read(100).SerializeToString()
    )
    registry.record_sightings(engine, {KEY: sighting})
    now = NOW
    known = Fleet(engine, lambda: now)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(known.run())
        known.reported(KEY, _read(130))
        now += timedelta(seconds=5)
        await eventually(lambda: [one.records for one in history.day(engine, *KEY, now)] == [30])
        known.reported(KEY, _read(140))
        task.cancel()

    assert [one.records for one in history.day(engine, *KEY, now)] == [30, 10], "in the end, too"


def test_samples_wait_for_a_database_that_cannot_be_written(engine: Engine) -> None:
    now = NOW
    known = Fleet(engine, lambda: now)
    known.reported(KEY, Vitals(cpu_count=1, cpu_usage=0.5))
    now += timedelta(seconds=5)
    news = known._news()
    known._give_back(news)

    assert news.samples
    assert known._news().samples == news.samples
