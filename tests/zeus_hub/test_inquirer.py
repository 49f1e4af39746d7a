"""Asking a TheHive what became of groups: once each, over stops, and whatever is in the way."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from tests.zeus_hub import engines
from tests.zeus_hub.noticed import NOON, notice
from tests.zeus_hub.receivers.thehive.connected import of, settings
from tests.zeus_hub.receivers.thehive.hive import Desk, Hive, error
from tests.zeus_hub.receivers.thehive.thehive_server import Fault, Server, serving
from zeus_hub import inquirer, outbox, outcomes
from zeus_hub.database import reading, writing
from zeus_hub.inquirer import Inquirer
from zeus_hub.receivers.thehive import poll as poll_module
from zeus_hub.receivers.thehive.outcome import OVERLAP, Outcome
from zeus_hub.receivers.thehive.poll import Poll

LIMIT = 20.0  # seconds that anything may take
A, B = "a" * 32, "b" * 32
HOSTILE = "</td><script>\x1b[31m\u202e\r\nX: y\ud800" + "x" * 10_000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = engines.opened(tmp_path)
    with writing(made) as connection:
        for group in (A, B):
            outbox.put(connection, "hive", notice(group), NOON)
    yield made
    made.dispose()


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inquirer, "ASK_SECONDS", 0.01)
    monkeypatch.setattr(inquirer, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(inquirer, "HOPELESS_PAUSE", 0.01)


@dataclass
class World:
    """A TheHive, and the hub's database."""

    engine: Engine
    server: Server
    now: datetime | None = None
    """By the hub's clock; None for TheHive's."""
    changes: list[dict[str, str]] = field(default_factory=list)

    @property
    def desk(self) -> Desk:
        """Where somebody of acme works."""
        return Desk(self.server.hive, "acme")

    def clock(self) -> datetime:
        """Return what time it is at the hub."""
        return self.now or of(self.server.hive)

    def alert(self, group: str = A, desk: Desk | None = None) -> str:
        """Make an alert of a group, as the receiver does; return its id."""
        alert = {"type": "socme", "source": "zeus", "sourceRef": group, "title": "x", "description": "x"}
        reply = (desk or self.desk).create(alert)
        assert isinstance(reply.body, dict)
        return str(reply.body["_id"])

    def promote(self, alert: str) -> str:
        """Make a case of an alert; return its id."""
        self.desk.promote(self.desk.find("alert", alert), {})
        return str(self.desk.find("alert", alert)["caseId"])

    def close(self, case: str, summary: str = "Blocked.") -> None:
        """Close a case."""
        self.desk.update_case(self.desk.find("case", case), {"status": "TruePositive", "summary": summary})

    def stands(self, group: str = A) -> Outcome | None:
        """Return how a group stands, as the hub knows it."""
        with reading(self.engine) as connection:
            return outcomes.of_groups(connection, [group]).get((group, "hive"))

    def stage(self, group: str = A) -> str:
        """Return at which stage it stands; empty where nothing is known."""
        stands = self.stands(group)
        return f"{stands.of} {stands.stage}" if stands else ""


@pytest.fixture
async def world(engine: Engine) -> AsyncIterator[World]:
    async with serving(Hive()) as server:
        yield World(engine, server)


@asynccontextmanager
async def asking(world: World, **organisations: str) -> AsyncIterator[Inquirer]:
    """Ask for as long as the context lasts; the first round is over."""
    chosen = settings(world.server.url, organisations=organisations or {"acme": "acme"})
    poll = Poll(chosen, now=world.clock)
    with ThreadPoolExecutor(1) as thread:
        made = Inquirer("hive", poll, world.engine, thread, clock=world.clock, rng=random.Random(1))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(made.run())
            await rounds(world)
            yield made
            task.cancel()


async def rounds(world: World, more: int = 4) -> None:
    """Wait until TheHive was asked some times more, so that a round has gone by."""
    before = len(world.server.requests)
    await until(lambda: len(world.server.requests) >= before + more)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not condition():  # noqa: ASYNC110 - what it asks has no event: a database, a server
            await asyncio.sleep(0.005)


async def test_an_alert_that_becomes_a_case_which_is_closed_is_known_to_be(world: World) -> None:
    async with asking(world):
        case = world.promote(world.alert())
        await until(lambda: world.stage() == "alert Imported")
        world.close(case)
        await until(lambda: world.stage() == "case Closed")

    stands = world.stands()
    assert stands
    assert (stands.number, stands.status, stands.summary) == (1, "TruePositive", "Blocked.")
    assert world.stage(B) == ""


async def test_what_happens_while_the_hub_is_down_is_known_afterwards(world: World) -> None:
    async with asking(world):
        case = world.promote(world.alert())
        await until(lambda: world.stage() == "alert Imported")
    world.close(case)
    world.server.hive.now += 20 * OVERLAP
    async with asking(world):
        await until(lambda: world.stage() == "case Closed")


async def test_it_begins_with_the_moment_at_which_it_first_asks_even_in_vain(world: World) -> None:
    """What changed long before is not read; what changes while nobody answers is."""
    world.desk.update(world.desk.find("alert", world.alert()), {"status": "Ignored"})
    world.server.hive.now += 2 * OVERLAP
    world.server.faults.append(Fault("cut before", times=10**6))
    async with asking(world):
        pass
    world.desk.update(world.desk.find("alert", world.alert(B)), {"status": "Ignored"})
    world.server.hive.now += 2 * OVERLAP
    world.server.faults.clear()
    async with asking(world):
        await until(lambda: world.stage(B) == "alert Closed")

    assert world.stage(A) == ""


async def test_what_has_not_changed_is_not_written_again(world: World) -> None:
    written: list[str] = []
    async with asking(world):
        world.close(world.promote(world.alert()))
        await until(lambda: world.stage() == "case Closed")
        await rounds(world, 8)
        event.listen(
            world.engine,
            "before_cursor_execute",
            lambda _c, _u, statement, *_: written.append(statement) if "INSERT" in statement else None,
        )
        await rounds(world, 12)

    assert written == []


async def test_a_thehive_that_is_away_is_told_once_and_asked_until_it_is_back(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        async with asking(world) as made:
            case = world.promote(world.alert())
            await until(lambda: world.stage() == "alert Imported")
            world.server.faults.append(Fault("answer", reply=error(503, "Unavailable", "later"), times=9))
            world.close(case)
            await until(lambda: made.problem != "")
            await until(lambda: world.stage() == "case Closed")
            await until(lambda: made.problem == "")

    assert caplog.text.count("receiver cannot be asked") == 1
    assert caplog.text.count("receiver can be asked again") == 1
    assert not logging.getLogger("httpx").propagate, "it writes a line for each request"


async def test_an_organisation_that_cannot_be_asked_keeps_nobody_from_the_others(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async with asking(world, a="absent", acme="acme", zulu="zulu") as made:
        world.promote(world.alert())
        await until(lambda: world.stage() == "alert Imported")
        await rounds(world, 12)
        assert made.problem == "", "it can be asked"
        assert set(made.parts) == {"organisation absent", "organisation zulu"}
        assert '"absent"' in made.parts["organisation absent"]

    assert caplog.text.count("receiver cannot be asked") == 1


async def test_an_organisation_is_heard_on_its_own_clients_alone(world: World) -> None:
    """Whoever writes an alert there with the name of another client's group changes nothing here."""
    globex = Desk(world.server.hive, "globex")
    async with asking(world, acme="acme", beta="globex"):
        globex.update(globex.find("alert", world.alert(A, globex)), {"status": "FalsePositive"})
        world.promote(world.alert(B))
        await until(lambda: world.stage(B) == "alert Imported")
        await rounds(world, 8)
        assert world.stage(A) == ""


async def test_hostile_words_arrive_harmlessly(world: World) -> None:
    async with asking(world):
        case = world.promote(world.alert())
        world.server.hive.cases[case] |= {"impactStatus": HOSTILE, "number": 10**40}
        world.close(case)
        world.server.hive.cases[case]["summary"] = HOSTILE
        await until(lambda: world.stage() == "case Closed")

    stands = world.stands()
    assert stands
    assert stands.summary.startswith("</td><script>\ufffd[31m\ufffd X: y\ufffd")
    assert (len(stands.summary), len(stands.impact), stands.number) == (4000, 64, 0)


async def test_a_flood_of_changes_is_read_in_steps_that_are_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cut in the middle costs what was not kept, and the next round goes on from there."""
    monkeypatch.setattr(poll_module, "PAGE", 2)
    monkeypatch.setattr(inquirer, "MOST_STEPS", 2)
    async with asking(world):
        world.server.faults.append(Fault("cut before", times=10**6))
        case = world.promote(world.alert())
        for number in range(30):
            other = world.promote(world.alert(f"{number:032x}"))
            world.close(other)
            if number in (3, 17):
                world.server.faults.append(Fault("cut", on="POST /api/v1/query?name=case", after=7 + number))
        world.close(case)
        del world.server.faults[0]
        await until(lambda: world.stage() == "case Closed")
        await until(lambda: not any(fault.times for fault in world.server.faults))


async def test_what_there_is_more_of_is_asked_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_module, "PAGE", 2)
    monkeypatch.setattr(inquirer, "MOST_STEPS", 1)
    async with asking(world):
        pass
    monkeypatch.setattr(inquirer, "ASK_SECONDS", 3600.0)
    for group in (*(f"{number:032x}" for number in range(9)), A):
        world.close(world.promote(world.alert(group)))
    async with asking(world):
        await until(lambda: world.stage() == "case Closed")


async def test_changes_of_one_moment_hold_up_nothing_however_many_they_are(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll_module, "PAGE", 2)
    async with asking(world):
        rows = [world.server.hive.cases[world.promote(world.alert(f"{each:032x}"))] for each in range(9)]
        case = world.promote(world.alert())
        for row in rows:
            row["_updatedAt"] = world.server.hive.now
        world.close(case)
        await until(lambda: world.stage() == "case Closed")


async def test_a_clock_there_that_was_wrong_once_hides_nothing(world: World) -> None:
    async with asking(world):
        early = world.server.hive.now
        world.now = of(world.server.hive)
        world.server.hive.now += 400 * 86_400_000
        world.desk.update(world.desk.find("alert", world.alert(B)), {"status": "Ignored"})
        await until(lambda: world.stage(B) == "alert Closed")
        world.server.hive.now = early
        world.promote(world.alert())
        await until(lambda: world.stage() == "alert Imported")


async def test_a_database_that_is_away_is_waited_for(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async with asking(world) as made:
        with world.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE outcome RENAME TO away")
        world.promote(world.alert())
        await until(lambda: "outcome" in made.problem)
        with world.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO outcome")
        await until(lambda: world.stage() == "alert Imported")
    assert caplog.text.count("receiver cannot be asked") == 1


async def test_a_fault_of_ours_ends_nothing_and_is_told_once(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("secret")

    async with asking(world) as made:
        with monkeypatch.context() as patch:
            patch.setattr(outcomes, "keep", fails)
            world.promote(world.alert())
            await until(lambda: "ZeroDivisionError" in made.problem)
            await rounds(world, 12)
            assert "secret" not in made.problem
        await until(lambda: world.stage() == "alert Imported")
    assert caplog.text.count("fault in what asks the receiver") == 1


async def test_a_fault_at_its_end_ends_nothing_else(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is let go where the rules change, among the tasks of the hub."""
    really = Poll.close

    async def fails(self: Poll) -> None:
        await really(self)
        raise ZeroDivisionError

    monkeypatch.setattr(Poll, "close", fails)
    async with asking(world):
        pass
    assert "fault at the end of what asks the receiver hive" in caplog.text


async def test_a_licence_that_ends_soon_is_told_once_a_day(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    ends = of(world.server.hive) + timedelta(days=3)
    world.server.hive.licence["expiresAt"] = round(ends.timestamp() * 1000)
    async with asking(world):
        await rounds(world, 12)
        assert [reason.partition(" on ")[0] for reason in warnings(caplog)] == ["its licence ends"]
        world.server.hive.now += 86_400_000
        await until(lambda: len(warnings(caplog)) == 2)
        world.server.hive.now += 2 * 86_400_000
        await until(lambda: "TheHive is read-only" in warnings(caplog)[-1])


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what people were told to look after."""
    told = [record for record in caplog.records if record.message == "look after the receiver"]
    return [str(record.__dict__["fields"]["reason"]) for record in told]


async def test_what_asks_ends_with_its_task_whatever_hangs(world: World) -> None:
    async with asking(world):
        hung = Fault("hang", times=10**6)
        world.server.faults.append(hung)
        async with asyncio.timeout(LIMIT):
            await hung.happened.wait()
