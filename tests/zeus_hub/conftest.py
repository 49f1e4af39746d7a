"""Clocks of a hub, which tests put forward, and databases of both kinds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from socme.v1.vitals_pb2 import Vitals
from tests.zeus_hub import engines
from tests.zeus_hub.watched import Time
from zeus_hub import fleet, heartbeat, vigil, watch
from zeus_hub.database import writing
from zeus_hub.lookout import Lookout


@pytest.fixture(scope="module", params=engines.BOTH)
def both(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run all tests of a module on SQLite, then on PostgreSQL."""
    with engines.using(request.param):
        yield


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Return a database with nothing in it."""
    made = engines.opened(tmp_path)
    yield made
    made.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """Return a transaction on it."""
    with writing(engine) as made:
        yield made


@pytest.fixture(autouse=True)
def _disconnected() -> Iterator[None]:
    yield
    engines.DATABASES.leave()


@pytest.fixture(autouse=True, scope="session")
def _server_stopped() -> Iterator[None]:
    yield
    engines.DATABASES.close()


@pytest.fixture
async def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    monkeypatch.setattr(vigil, "TICK_SECONDS", 0.005)
    monkeypatch.setattr(vigil, "SLOW_SECONDS", 0.05)
    monkeypatch.setattr(fleet, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(heartbeat, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(watch, "FLEET_SECONDS", 0.02)
    made = Time()
    look = Lookout.look

    def counted(self: Lookout) -> float:
        made.looks += 1
        return look(self)

    reported = fleet.Fleet.reported

    def noted(self: fleet.Fleet, key: fleet.Key, vitals: Vitals) -> bool:
        made.reports += 1
        return reported(self, key, vitals)

    monkeypatch.setattr(Lookout, "look", counted)
    monkeypatch.setattr(fleet.Fleet, "reported", noted)
    return made
