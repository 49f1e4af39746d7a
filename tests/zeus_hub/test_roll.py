"""What is read again and again in the registry."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from socme.spiffe import Role
from tests.zeus_hub.engines import opened
from zeus_hub import registry
from zeus_hub.database import writing
from zeus_hub.registry import Sighting, Watcher
from zeus_hub.roll import Entries, Roll

pytestmark = pytest.mark.usefixtures("both")

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=30)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = opened(tmp_path)
    registry.add_client(made, "acme", now=NOON)
    put(made, "n1")
    yield made
    made.dispose()


def put(engine: Engine, name: str, fingerprint: bytes = b"") -> None:
    with writing(engine) as connection:
        (client_id,) = registry.client_ids(connection, ["acme"])
        fingerprint = fingerprint or name.encode()
        registry.put_node(connection, client_id, name, fingerprint=fingerprint, enrolled=NOON, expires=LATER)


def see(engine: Engine) -> None:
    """Write down what the hub itself writes all the time."""
    sighting = Sighting(connected=True, last_seen=LATER, interval_seconds=10, vitals=b"v")
    registry.record_sightings(engine, {("acme", "n1"): sighting})


def test_holders_are_the_same_object_until_something_changes(engine: Engine) -> None:
    roll = Roll(engine)
    first = roll.read()
    see(engine)

    assert [(holder.name, holder.role) for holder in first.values()] == [("n1", Role.NODE)]
    assert roll.read() is first

    registry.revoke_node(engine, "acme", "n1", now=NOON)
    revoked = roll.read()
    registry.disable_client(engine, "acme")

    assert revoked[b"n1"].revoked
    assert revoked[b"n1"].client_enabled
    assert not roll.read()[b"n1"].client_enabled


def test_whom_a_watcher_may_see_is_a_change(engine: Engine) -> None:
    roll = Roll(engine)
    for clients in (None, frozenset({"acme"})):
        with writing(engine) as connection:
            watcher = Watcher(Role.DISPLAY, "wall", NOON, LATER, None, clients)
            registry.put_watcher(connection, watcher, b"w")

        assert roll.read()[b"w"].clients == clients


def test_an_entry_is_told_of_when_it_is_new_and_when_it_changes(engine: Engine) -> None:
    entries = Entries(engine)

    assert [(node.name, node.enrolled, node.expires) for node in entries.changed()] == [("n1", NOON, LATER)]

    see(engine)
    put(engine, "n2")

    assert [node.name for node in entries.changed()] == ["n2"]

    registry.revoke_node(engine, "acme", "n1", now=LATER)

    assert [(node.name, node.revoked) for node in entries.changed()] == [("n1", LATER)]

    registry.disable_client(engine, "acme")

    assert sorted(node.name for node in entries.changed()) == ["n1", "n2"]
    assert entries.changed() == []
