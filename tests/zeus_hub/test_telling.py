"""How conditions are told, and that none is lost or doubled by a crash."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from socme.batch import unpack
from socme.journal import Journal
from socme.v1.alert_pb2 import Alert, AlertSource, ConditionState, Severity
from tests.zeus_hub.kit import eventually
from zeus_hub import chronicle
from zeus_hub.commit import Committer
from zeus_hub.opened import identify
from zeus_hub.raising import Change, Open
from zeus_hub.telling import MOST_UNTOLD, Teller, compose

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
HIGH, CRITICAL = Severity.SEVERITY_HIGH, Severity.SEVERITY_CRITICAL
BLIND = Open("acme", "acme-1", "sensor_blind", "eve.json", NOON, HIGH, "no packets: look", HIGH)
SILENT = Open("beta", "beta-1", "node_silent", "", NOON, HIGH, "nothing heard", HIGH)


def raised(condition: Open, *, silent: bool = False) -> Change:
    return Change(condition, raised=True, time=condition.since, silent=silent)


def cleared(condition: Open, minutes: float = 5) -> Change:
    return Change(condition, raised=False, time=condition.since + timedelta(minutes=minutes))


RAISED, CLEARED = ConditionState.CONDITION_STATE_RAISED, ConditionState.CONDITION_STATE_CLEARED


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@asynccontextmanager
async def telling(journal: Path) -> AsyncIterator[Teller]:
    """Tell into a real journal for as long as the context lasts, and until all is told."""
    committer = Committer(journal, 10**9, needed=lambda: 0, committed=lambda *_: None)
    teller = Teller(committer.announce)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(committer.run()), group.create_task(teller.run())]
        yield teller
        await eventually(lambda: not teller._untold)
        for task in tasks:
            task.cancel()


async def tell(journal: Path, *changes: Change) -> None:
    async with telling(journal) as teller:
        teller.take(changes)


def told(journal: Path) -> list[tuple[str, Alert]]:
    """Return what lies in a journal, each with whom it is about."""
    opened = Journal(journal)
    entries = opened.read(0, entries=100, size=10**8)
    opened.close()
    return [(entry.origin, alert) for entry in entries for alert in unpack(entry.packed)]


def words(journal: Path) -> list[tuple[str, str, int]]:
    """Return what was told, in few words."""
    return [(origin, alert.condition.kind, alert.condition.state) for origin, alert in told(journal)]


async def test_what_is_open_is_written_down_with_its_alert_and_forgotten_with_its_end(journal: Path) -> None:
    await tell(journal, raised(BLIND))
    assert chronicle.open_conditions(journal) == [BLIND]
    await tell(journal, cleared(BLIND))

    assert words(journal) == [
        ("acme/acme-1", "sensor_blind", RAISED),
        ("acme/acme-1", "sensor_blind", CLEARED),
    ]
    assert chronicle.open_conditions(journal) == []


async def test_alert_and_note_are_one_transaction(journal: Path) -> None:
    """Whoever is killed in between has neither or both: what is open is what was told."""
    calls: list[tuple[int, Mapping[str, bytes | None]]] = []

    async def announce(origin: str, alerts: Sequence[Alert], notes: Mapping[str, bytes | None]) -> None:
        calls.append((len(alerts), notes))

    teller = Teller(announce)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(teller.run())
        teller.take([raised(BLIND), raised(replace(BLIND, subject="other")), cleared(BLIND)])
        await eventually(lambda: not teller._untold)
        running.cancel()
    ((alerts, notes),) = calls

    assert alerts == 3
    assert sorted(note is None for note in notes.values()) == [False, True]


async def test_changes_of_a_node_are_told_in_their_order(journal: Path) -> None:
    again = replace(BLIND, since=NOON + timedelta(minutes=9))
    await tell(journal, raised(BLIND), raised(SILENT), cleared(BLIND), raised(again))

    mine = [alert for origin, alert in told(journal) if origin == "acme/acme-1"]
    assert [alert.condition.state for alert in mine] == [RAISED, CLEARED, RAISED]
    assert len({alert.id for _, alert in told(journal)}) == 4
    assert chronicle.open_conditions(journal) == [again, SILENT]


async def test_what_became_worse_is_told_again_and_what_only_changed_is_not(journal: Path) -> None:
    worse = replace(BLIND, severity=CRITICAL, told=CRITICAL, message="worse")
    other = replace(worse, severity=HIGH, message="a little better")
    await tell(journal, raised(BLIND), raised(worse), raised(other, silent=True))
    first, second = (alert for _, alert in told(journal))

    assert (first.severity, second.severity) == (HIGH, CRITICAL)
    assert (first.condition.state, second.condition.state) == (RAISED, RAISED)
    assert first.id != second.id
    assert first.condition.since == second.condition.since
    assert chronicle.open_conditions(journal) == [other]


async def test_while_the_journal_cannot_be_written_what_waits_is_bounded_and_nothing_is_lost() -> None:
    free = asyncio.Event()
    taken: list[Alert] = []

    async def announce(origin: str, alerts: Sequence[Alert], notes: Mapping[str, bytes | None]) -> None:
        await free.wait()
        taken.extend(alerts)

    teller = Teller(announce)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(teller.run())
        teller.take([raised(BLIND)])
        assert not teller.is_full
        teller.take([cleared(BLIND)] * MOST_UNTOLD)
        assert teller.is_full
        free.set()
        await eventually(lambda: len(taken) == MOST_UNTOLD + 1 and not teller.is_full)
        running.cancel()


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
    assert identify(replace(BLIND, told=CRITICAL), raised=True) not in ids, "that is told anew"
    assert identify(replace(BLIND, told=CRITICAL), raised=False) in ids


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
    assert alert.severity == BLIND.told
    assert alert.condition.since.ToDatetime(UTC) == NOON
