"""What to make of a node, from what was heard of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from socme.v1.vitals_pb2 import NodeState, Vitals
from tests.zeus_hub.kit import eventually
from zeus_hub import fleet, registry
from zeus_hub.database import open_database, writing
from zeus_hub.fleet import LARGEST_VITALS, Fleet

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
        (_ago(29), True, 0, False, NodeState.NODE_STATE_ONLINE),
        (_ago(31), True, 0, False, NodeState.NODE_STATE_STALE),
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
    made = open_database("sqlite:///zeus.db", tmp_path)
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
