"""What people do, told to those who watch."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from socme.v1.watch_pb2 import TriageStatus, Verdict, WatchEvent
from tests.zeus_hub.kit import eventually
from tests.zeus_hub.stored import alert, database, keep
from tests.zeus_hub.test_triage import LATER, ref
from zeus_hub import changes, figures, triage
from zeus_hub.alerts import Filters
from zeus_hub.changes import Bounds, Changes, Told, ready

pytestmark = pytest.mark.usefixtures("both")

FAR = Bounds(passed=100, last=50, size=1 << 20)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "POLL_SECONDS", 0.01)


class Desk:
    """A hub's database with thirty alerts, and somebody who works on them."""

    def __init__(self, folder: Path) -> None:
        self.engine = database(folder)
        keep(self.engine, [alert(number) for number in range(29)] + [alert(29, place="beta/n")])
        self.stirred = 0
        self.changes = Changes(self.engine, self._stir)

    def _stir(self) -> None:
        self.stirred += 1

    def acknowledge(self, *numbers: int) -> None:
        """Acknowledge alerts."""
        triage.acknowledge(self.engine, [ref(number) for number in numbers], by="ada", now=LATER)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Desk]:
    desk = Desk(folder)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.changes.run())
        yield desk
        task.cancel()
    desk.changes.close()
    desk.engine.dispose()


def numbers(told: list[Told]) -> list[int]:
    return [one.number for one in told]


async def test_while_nobody_watches_nobody_looks(tmp_path: Path) -> None:
    async with running(tmp_path) as desk:
        desk.acknowledge(1)
        await asyncio.sleep(0.1)
        assert (desk.changes.last, desk.stirred) == (0, 0)
        with desk.changes.watched():
            await eventually(lambda: desk.changes.last == 1)
        assert desk.stirred == 1
        desk.acknowledge(2)
        await asyncio.sleep(0.1)

    assert desk.changes.last == 1


async def test_a_change_says_what_was_and_what_is(tmp_path: Path) -> None:
    async with running(tmp_path) as desk:
        with desk.changes.watched():
            desk.acknowledge(1)
            triage.close(desk.engine, [ref(1)], Verdict.VERDICT_BENIGN, "the admin", by="bob", now=LATER)
            await eventually(lambda: desk.changes.last == 2)
        told = await desk.changes.after(0)
    event, known = ready(told, FAR, None, 0)
    first, second = WatchEvent.FromString(event).triage.changes

    assert known == 2
    assert (first.client, first.node, first.id) == ("acme", "acme-1", ref(1).id)
    assert (first.before, first.after.status) == (
        TriageStatus.TRIAGE_STATUS_NEW,
        TriageStatus.TRIAGE_STATUS_ACKNOWLEDGED,
    )
    assert (first.severity, first.count, first.after.owner) == (2, 1, "ada")
    assert second.before == TriageStatus.TRIAGE_STATUS_ACKNOWLEDGED
    assert (second.after.verdict, second.after.reason) == (Verdict.VERDICT_BENIGN, "the admin")
    assert second.after.changed_by == "bob"


async def test_memory_is_bounded_and_who_is_behind_it_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "KEPT", 8)
    monkeypatch.setattr(changes, "AT_ONCE", 3)
    async with running(tmp_path) as desk:
        with desk.changes.watched():
            for number in range(20):
                desk.acknowledge(number)
                await eventually(lambda wanted=number + 1: desk.changes.last == wanted)  # type: ignore[misc]
            assert len(desk.changes._recent) == 8
            seen: list[int] = []
            while told := await desk.changes.after(seen[-1] if seen else 0):
                seen += numbers(list(told))
                assert len(told) <= changes.AT_ONCE

    assert seen == list(range(1, 21))


async def test_very_much_at_once_is_told_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than memory takes: what is left out there is read from the database."""
    monkeypatch.setattr(changes, "KEPT", 8)
    monkeypatch.setattr(changes, "AT_ONCE", 3)
    async with running(tmp_path) as desk:
        triage.acknowledge(desk.engine, Filters(client="acme"), by="ada", now=LATER)
        with desk.changes.watched():
            await eventually(lambda: desk.changes.last == 29)
            assert len(desk.changes._recent) == 8
            seen: list[int] = []
            while told := await desk.changes.after(seen[-1] if seen else 0):
                seen += numbers(list(told))

    assert seen == list(range(1, 30))


async def test_a_store_that_cannot_be_read_is_told_once_and_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fails = True
    ask = figures.last_change

    def asked(connection: object) -> int:
        if fails:
            raise OperationalError("", {}, OSError("disk"))
        return ask(connection)  # type: ignore[arg-type]

    monkeypatch.setattr(changes, "last_change", asked)
    async with running(tmp_path) as desk:
        with desk.changes.watched():
            desk.acknowledge(1)
            await asyncio.sleep(0.1)
            fails = False
            await eventually(lambda: desk.changes.last == 1)

    assert len([one for one in caplog.records if one.name == "zeus.changes"]) == 1


def told(number: int, client: str = "acme", position: int = 1) -> Told:
    return Told(number, client, position, bytes([number]))


def test_only_what_a_watcher_may_see_is_told_and_the_rest_is_passed_over() -> None:
    some = [told(1), told(2, "beta"), told(3)]

    assert ready(some, FAR, {"acme"}, 0) == (b"\x01\x03", 3)
    assert ready(some, FAR, set(), 0) == (b"", 3)
    assert ready(some, FAR, None, 0) == (b"\x01\x02\x03", 3)
    assert ready([], FAR, None, 7) == (b"", 7)


def test_a_change_waits_for_its_alert_and_those_behind_it_for_it() -> None:
    some = [told(1, position=4), told(2, position=6), told(3, position=4)]

    assert ready(some, Bounds(passed=6, last=9, size=99), None, 0) == (b"\x01", 1)
    assert ready(some, Bounds(passed=7, last=9, size=99), None, 0) == (b"\x01\x02\x03", 3)
    assert ready(some[1:], Bounds(passed=6, last=9, size=99), None, 1) == (b"", 1)


def test_nobody_waits_for_an_alert_of_another_journal() -> None:
    """Where the journal was lost, positions begin anew, and old alerts lie beyond its end."""
    assert ready([told(1, position=1000)], Bounds(passed=3, last=2, size=99), None, 0) == (b"\x01", 1)


def test_an_event_is_bounded() -> None:
    some = [told(number) for number in range(1, 10)]

    assert ready(some, Bounds(passed=9, last=9, size=3), None, 0) == (b"\x01\x02\x03\x04", 4)
