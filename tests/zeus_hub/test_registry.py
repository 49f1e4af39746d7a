"""Clients, nodes and watchers: who is known, and who is good."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from socme.errors import OperatorError
from socme.spiffe import Role
from tests.zeus_hub.engines import opened
from zeus_hub import registry
from zeus_hub.database import writing
from zeus_hub.registry import Sighting, Watcher
from zeus_hub.roll import Roll, find_holder

pytestmark = pytest.mark.usefixtures("both")

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return opened(tmp_path)


def _node(engine: Engine, client: str = "acme", name: str = "n1", fingerprint: bytes = b"f") -> None:
    with writing(engine) as connection:
        client_id = registry.client_ids(connection, [client])[0]
        registry.put_node(connection, client_id, name, fingerprint=fingerprint, enrolled=NOW, expires=LATER)


def known(engine: Engine) -> list[registry.Holder]:
    return list(Roll(engine).read().values())


def test_a_client_is_added_once(engine: Engine) -> None:
    added = registry.add_client(engine, "acme", title="Acme Ltd", now=NOW)

    assert (added.name, added.title, added.enabled, added.created) == ("acme", "Acme Ltd", True, NOW)
    assert registry.list_clients(engine) == [added]
    with pytest.raises(OperatorError, match="already"):
        registry.add_client(engine, "acme", now=NOW)


@pytest.mark.parametrize("name", ["", "Acme", "a/b", "a b", "-a", "a" * 64, "a\n"])
def test_a_client_cannot_be_called_anything(engine: Engine, name: str) -> None:
    with pytest.raises(OperatorError, match=r"cannot be the name"):
        registry.add_client(engine, name, now=NOW)


def test_a_client_that_is_not_there_is_said_to_be_missing(engine: Engine) -> None:
    for call in (registry.get_client, registry.disable_client, registry.enable_client):
        with pytest.raises(OperatorError, match=r"no client 'x'[^\n]*\n.*zeus client add"):
            call(engine, "x")
    with pytest.raises(OperatorError, match="no client"):
        registry.list_nodes(engine, client="x")
    with pytest.raises(OperatorError, match="no node"):
        registry.revoke_node(engine, "x", "y", now=NOW)
    with pytest.raises(OperatorError, match="no display"):
        registry.revoke_watcher(engine, Role.DISPLAY, "x", now=NOW)


def test_a_node_is_known_by_its_newest_certificate(engine: Engine) -> None:
    registry.add_client(engine, "acme", now=NOW)
    _node(engine, fingerprint=b"old")
    registry.revoke_node(engine, "acme", "n1", now=NOW)
    _node(engine, fingerprint=b"new")
    found = find_holder(engine, b"new")

    assert find_holder(engine, b"old") is None
    assert found is not None
    assert (found.role, found.client, found.name) == (Role.NODE, "acme", "n1")
    assert registry.is_good(found, NOW), "enrolling again lifts a revocation"
    assert len(registry.list_nodes(engine)) == 1


def test_a_holder_is_good_until_something_is_wrong(engine: Engine) -> None:
    registry.add_client(engine, "acme", now=NOW)
    _node(engine)
    (holder,) = known(engine)

    assert registry.is_good(holder, NOW)
    assert not registry.is_good(holder, LATER)
    registry.disable_client(engine, "acme")
    assert not registry.is_good(known(engine)[0], NOW)
    registry.enable_client(engine, "acme")
    registry.revoke_node(engine, "acme", "n1", now=NOW)
    assert not registry.is_good(known(engine)[0], NOW)


def test_nodes_of_one_name_and_two_clients_are_two(engine: Engine) -> None:
    for client in ("acme", "beta"):
        registry.add_client(engine, client, now=NOW)
        _node(engine, client, fingerprint=client.encode())
    registry.revoke_node(engine, "acme", "n1", now=NOW)

    assert registry.get_node(engine, "acme", "n1").revoked == NOW
    assert registry.get_node(engine, "beta", "n1").revoked is None
    assert [node.client for node in registry.list_nodes(engine)] == ["acme", "beta"]
    assert [node.client for node in registry.list_nodes(engine, client="beta")] == ["beta"]


def test_the_first_revocation_is_the_one_that_is_remembered(engine: Engine) -> None:
    registry.add_client(engine, "acme", now=NOW)
    _node(engine)
    registry.revoke_node(engine, "acme", "n1", now=NOW)
    registry.revoke_node(engine, "acme", "n1", now=LATER)

    assert registry.get_node(engine, "acme", "n1").revoked == NOW


def test_sightings_are_written_down(engine: Engine) -> None:
    registry.add_client(engine, "acme", now=NOW)
    _node(engine)
    sighting = Sighting(connected=True, last_seen=NOW, interval_seconds=10, vitals=b"v")
    registry.record_sightings(engine, {("acme", "n1"): sighting, ("acme", "unknown"): sighting})
    registry.record_sightings(engine, {("acme", "n1"): replace(sighting, last_seen=LATER, vitals=None)})
    node = registry.get_node(engine, "acme", "n1")

    assert (node.connected, node.last_seen, node.interval_seconds, node.vitals) == (True, LATER, 10, b"v")
    assert registry.list_nodes(engine, with_vitals=False)[0].vitals is None


def test_a_watcher_sees_its_clients_or_all(engine: Engine) -> None:
    for name in ("acme", "beta"):
        registry.add_client(engine, name, now=NOW)
    bound = Watcher(Role.DISPLAY, "wall", NOW, LATER, None, frozenset({"acme"}))
    free = Watcher(Role.OPERATOR, "wall", NOW, LATER, None, None)
    with writing(engine) as connection:
        registry.put_watcher(connection, bound, b"1")
        registry.put_watcher(connection, free, b"2")

    assert registry.list_watchers(engine) == [bound, free]
    holders = {holder.role: holder.clients for holder in known(engine)}
    assert holders == {Role.DISPLAY: frozenset({"acme"}), Role.OPERATOR: None}


def test_a_watcher_is_replaced_by_one_of_the_same_name(engine: Engine) -> None:
    for name in ("acme", "beta"):
        registry.add_client(engine, name, now=NOW)
    for client in ("acme", "beta"):
        watcher = Watcher(Role.DISPLAY, "wall", NOW, LATER, None, frozenset({client}))
        with writing(engine) as connection:
            registry.put_watcher(connection, watcher, client.encode())

    assert registry.list_watchers(engine) == [watcher]
    assert find_holder(engine, b"acme") is None


def test_a_watcher_of_an_unknown_client_is_refused(engine: Engine) -> None:
    watcher = Watcher(Role.DISPLAY, "wall", NOW, LATER, None, frozenset({"acme"}))
    with pytest.raises(OperatorError, match="no client"), writing(engine) as connection:
        registry.put_watcher(connection, watcher, b"1")

    assert registry.list_watchers(engine) == []


def test_the_hubs_own_name_is_no_clients(engine: Engine) -> None:
    with pytest.raises(OperatorError, match="socme is what the hub calls itself"):
        registry.add_client(engine, "socme", now=NOW)
