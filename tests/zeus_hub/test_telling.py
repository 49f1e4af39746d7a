"""How conditions are told, and that none is lost or doubled by a crash."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from socme.v1.alert_pb2 import Alert, AlertSource, ConditionState, Severity
from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub import stored
from tests.zeus_hub.kit import eventually
from zeus_hub import chronicle, database, telling
from zeus_hub.database import writing
from zeus_hub.raising import Change, Open
from zeus_hub.telling import MOST_UNTOLD, Teller, compose, identify

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
BLIND = Open("acme", "acme-1", "sensor_blind", "eve.json", NOON, Severity.SEVERITY_HIGH, "no packets: look")
SILENT = Open("beta", "beta-1", "node_silent", "", NOON, Severity.SEVERITY_HIGH, "nothing heard")


def raised(condition: Open) -> Change:
    return Change(condition, raised=True, time=condition.since)


def cleared(condition: Open, minutes: float = 5) -> Change:
    return Change(condition, raised=False, time=condition.since + timedelta(minutes=minutes))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = stored.database(tmp_path)
    yield made
    made.dispose()


class Journal:
    """Takes what is announced, where it is not held up; notes what the database said then."""

    def __init__(self, engine: Engine) -> None:
        self.told: list[tuple[str, Alert]] = []
        self.open_then: list[list[Open]] = []
        self.free = asyncio.Event()
        self.free.set()
        self._engine = engine

    async def announce(self, origin: str, alerts: Sequence[Alert]) -> None:
        """Take alerts as the hub's journal does."""
        await self.free.wait()
        self.told += [(origin, alert) for alert in alerts]
        self.open_then.append(chronicle.open_conditions(self._engine))

    def words(self) -> list[tuple[str, str, int]]:
        """Return what was told, in few words."""
        return [(origin, alert.condition.kind, alert.condition.state) for origin, alert in self.told]


RAISED, CLEARED = ConditionState.CONDITION_STATE_RAISED, ConditionState.CONDITION_STATE_CLEARED


async def tell(engine: Engine, journal: Journal, *changes: Change, wait: int | None = None) -> None:
    """Tell changes until so many were told, all by default."""
    with ThreadPoolExecutor(1) as thread:
        teller = Teller(engine, journal.announce, thread)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(teller.run())
            teller.take(changes)
            wanted = len(changes) if wait is None else wait
            await eventually(lambda: len(journal.told) >= wanted and not teller._untold)
            running.cancel()


async def test_a_condition_is_written_down_before_it_is_told_and_until_its_end_was(engine: Engine) -> None:
    journal = Journal(engine)
    await tell(engine, journal, raised(BLIND))
    await tell(engine, journal, cleared(BLIND))

    assert journal.words() == [
        ("acme/acme-1", "sensor_blind", RAISED),
        ("acme/acme-1", "sensor_blind", CLEARED),
    ]
    assert journal.open_then == [[BLIND], [BLIND]]
    assert chronicle.open_conditions(engine) == []


async def test_changes_of_a_node_are_told_in_their_order(engine: Engine) -> None:
    journal = Journal(engine)
    again = replace(BLIND, since=NOON + timedelta(minutes=9))
    await tell(engine, journal, raised(BLIND), raised(SILENT), cleared(BLIND), raised(again))

    mine = [alert for origin, alert in journal.told if origin == "acme/acme-1"]
    assert [alert.condition.state for alert in mine] == [RAISED, CLEARED, RAISED]
    assert len({alert.id for _, alert in journal.told}) == 4
    assert chronicle.open_conditions(engine) == [again, SILENT]


async def test_while_the_journal_cannot_be_written_what_waits_is_bounded_and_nothing_is_lost(
    engine: Engine,
) -> None:
    journal = Journal(engine)
    journal.free.clear()
    with ThreadPoolExecutor(1) as thread:
        teller = Teller(engine, journal.announce, thread)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(teller.run())
            teller.take([raised(BLIND)])
            assert not teller.is_full
            teller.take([cleared(BLIND)] * MOST_UNTOLD)
            assert teller.is_full
            journal.free.set()
            await eventually(lambda: len(journal.told) == MOST_UNTOLD + 1 and not teller.is_full)
            running.cancel()


async def test_a_database_that_is_held_only_takes_longer(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_MILLISECONDS", 10)
    monkeypatch.setattr(telling, "RETRY_SECONDS", 0.01)
    engine.dispose()  # connections with the usual patience
    journal = Journal(engine)
    with writing(engine):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await tell(engine, journal, raised(BLIND))
        assert journal.told == []
    await tell(engine, journal, raised(BLIND))

    assert chronicle.open_conditions(engine) == [BLIND]


async def test_what_was_open_and_is_not_in_the_store_is_told_again_after_a_crash(engine: Engine) -> None:
    """Killed between writing it down and telling it; the other one was told."""
    chronicle.put_conditions(engine, [BLIND, SILENT])
    stored.keep(engine, [StoredAlert(client="beta", node="beta-1", alert=compose(raised(SILENT)))])
    journal = Journal(engine)
    with ThreadPoolExecutor(1) as thread:
        teller = Teller(engine, journal.announce, thread)
        teller.again([BLIND, SILENT])
        async with asyncio.TaskGroup() as group:
            running = group.create_task(teller.run())
            await eventually(lambda: len(journal.told) == 1)
            running.cancel()

    assert journal.words() == [("acme/acme-1", "sensor_blind", RAISED)]
    assert journal.told[0][1].id == identify(BLIND, raised=True)


def test_an_id_says_what_is_told_and_nothing_else() -> None:
    others = [
        replace(BLIND, client="beta"),
        replace(BLIND, node="acme-2"),
        replace(BLIND, kind="sensor_drops"),
        replace(BLIND, subject="other"),
        replace(BLIND, since=NOON + timedelta(microseconds=1)),
    ]
    ids = {identify(each, raised=state) for each in (BLIND, *others) for state in (True, False)}

    assert len(ids) == 12
    assert identify(replace(BLIND, message="else", severity=Severity.SEVERITY_LOW), raised=True) in ids


def test_the_alert_says_what_where_and_what_to_do() -> None:
    alert = compose(raised(BLIND))

    assert alert.source == AlertSource.ALERT_SOURCE_SOCME
    assert (alert.rule.id, alert.rule.name) == ("socme.sensor_blind", "Sensor sees no traffic")
    assert alert.message == "acme/acme-1: no packets: look"
    assert (alert.condition.subject, alert.condition.state) == ("eve.json", RAISED)
    assert alert.condition.since.ToDatetime(UTC) == alert.time.ToDatetime(UTC) == NOON
    assert (alert.count, len(alert.id)) == (1, 16)


@pytest.mark.parametrize(
    ("minutes", "told"),
    [(0.5, "30 s"), (5, "5 min 0 s"), (90, "1 h 30 min"), (-3, "0 s"), (60 * 49, "49 h 0 min")],
)
def test_its_end_says_how_long_it_was(minutes: float, told: str) -> None:
    alert = compose(cleared(BLIND, minutes))

    assert alert.message == f"acme/acme-1: over after {told}: no packets: look"
    assert alert.rule.name == "Sensor sees no traffic (over)"
    assert alert.severity == BLIND.severity
    assert alert.condition.since.ToDatetime(UTC) == NOON
