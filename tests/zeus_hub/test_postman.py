"""The way to a receiver: in order, tried again, set aside, and nothing forgotten over a stop."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import Engine, update

from tests.zeus_hub.noticed import NOON, notice
from zeus_hub import letters, outbox, postman, schema
from zeus_hub.database import reading, writing
from zeus_hub.notice import Notice
from zeus_hub.outbox import Letter
from zeus_hub.postman import Notices, Postman
from zeus_hub.receivers.contract import DownError, Receipt, RefusedError

pytestmark = pytest.mark.usefixtures("both")

LIMIT = 20.0  # seconds that anything may take
A, B, C = "a" * 32, "b" * 32, "c" * 32


@dataclass
class Recorder:
    """A receiver that does what a test says."""

    answers: list[Exception | Receipt] = field(default_factory=list)
    """One for each notice; then all is well."""
    got: list[Notice] = field(default_factory=list)
    closed: bool = False
    held: asyncio.Event | None = None
    """Until this is set, nothing is answered."""

    async def send(self, told: Notice) -> Receipt:
        """Take note, and answer."""
        self.got.append(told)
        if self.held is not None:
            await self.held.wait()
        answer = self.answers.pop(0) if self.answers else Receipt()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def test(self) -> str:
        """Find all well."""
        return "fine"

    async def close(self) -> None:
        """Take note."""
        self.closed = True


class Clock:
    """A time of day that a test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        """Return it."""
        return self.now


@asynccontextmanager
async def at_work(
    engine: Engine, receiver: Recorder, clock: Clock, *, seconds: float = LIMIT
) -> AsyncIterator[Postman[Letter]]:
    with ThreadPoolExecutor(1) as thread:
        notices = Notices(receiver, seconds)
        made = Postman("mail", notices, engine, thread, clock=clock, rng=random.Random(1))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(made.run())
            yield made
            task.cancel()


def write(engine: Engine, *notices: Notice) -> None:
    with writing(engine) as connection:
        for each in notices:
            outbox.put(connection, "mail", each, NOON)


def standing(engine: Engine) -> letters.Standing:
    with reading(engine) as connection:
        [found] = outbox.standings(connection)
        return found


async def until(made: Postman[Letter], condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not condition():
            made.wake()
            await asyncio.sleep(0.005)


async def turns(made: Postman[Letter], number: int = 20) -> None:
    """Let it do what is to be done at this moment."""
    for _ in range(number):
        made.wake()
        await asyncio.sleep(0.005)


async def test_letters_are_told_in_order_and_once(engine: Engine) -> None:
    write(engine, notice(B), notice(A))
    receiver = Recorder()
    async with at_work(engine, receiver, Clock()) as made:
        await until(made, lambda: standing(engine).told == 2)
    async with at_work(engine, receiver, Clock()) as made:
        write(engine, notice(A, number=2, reason="more"))
        await until(made, lambda: len(receiver.got) == 3 and standing(engine).waiting == 0)

    assert [(told.group, told.number) for told in receiver.got] == [(B, 1), (A, 1), (A, 2)]
    assert receiver.closed


async def test_a_receiver_that_is_down_is_tried_again_later_and_told_of_each_group_once(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    write(engine, notice(A, count=3, fresh=3))
    receiver, clock = Recorder([DownError("connection refused")] * 3), Clock()
    with caplog.at_level(logging.INFO):
        async with at_work(engine, receiver, clock) as made:
            for tries in (1, 2, 3):
                await until(made, lambda tries=tries: len(receiver.got) == tries)  # type: ignore[misc]
                await until(made, lambda: made.problem == "connection refused")
                assert standing(engine).reason == "connection refused"
                made.wake()
                assert len(receiver.got) == tries, "not before its time"
                if tries == 2:
                    write(engine, notice(A, number=2, reason="more", count=8, fresh=5))
                clock.now += timedelta(seconds=postman.LONGEST_PAUSE)
            await until(made, lambda: made.problem == "")

    assert standing(engine).told == 1
    assert len(receiver.got) == 4
    assert (receiver.got[3].count, receiver.got[3].fresh, receiver.got[3].reason) == (8, 8, "new")
    assert caplog.text.count("receiver is down") == 1
    assert "receiver is back" in caplog.text


async def test_a_letter_that_does_not_arrive_holds_up_no_other_one(engine: Engine) -> None:
    """It comes next, once another one shows that the receiver is well."""
    write(engine, notice(A), notice(B))
    receiver = Recorder([DownError("no room for that one")])
    async with at_work(engine, receiver, Clock()) as made:
        await until(made, lambda: standing(engine).told == 2)
        assert made.problem == ""

    assert [told.group for told in receiver.got] == [A, B, A]


async def test_a_receiver_that_fails_twice_in_a_row_is_left_alone(engine: Engine) -> None:
    write(engine, notice(A), notice(B), notice(C))
    receiver, clock = Recorder([DownError("refused"), DownError("refused again")]), Clock()
    async with at_work(engine, receiver, clock) as made:
        await until(made, lambda: made.problem == "refused again")
        with reading(engine) as connection:
            waiting = outbox.next_of(connection, "mail", clock.now)
        assert waiting
        assert waiting.due > clock.now
        clock.now += timedelta(seconds=postman.LONGEST_PAUSE)
        await until(made, lambda: standing(engine).told == 3)

    assert [told.group for told in receiver.got] == [A, B, C, A, B], "what was tried least often comes first"


@dataclass
class Picky(Recorder):
    """A receiver that takes nothing of some groups, or nothing at all for a while."""

    bad: str = ""
    """First digits of the groups that it never takes."""
    down: bool = False
    when: list[tuple[str, datetime]] = field(default_factory=list)
    """What was tried, and at which time."""
    clock: Callable[[], datetime] = field(default_factory=Clock)

    async def send(self, told: Notice) -> Receipt:
        """Take note, and take it or not."""
        self.when.append((told.group[0], self.clock()))
        if self.down or told.group[0] in self.bad:
            raise DownError("HTTP 500")
        return await super().send(told)

    @property
    def tried(self) -> str:
        """The first digits of the groups of what was tried."""
        return "".join(group for group, _ in self.when)


@pytest.mark.parametrize("bad", ["a", "ab", "abc"])
async def test_letters_that_never_arrive_starve_no_other_one_after_an_outage(
    engine: Engine, bad: str
) -> None:
    clock = Clock()
    receiver = Picky(bad=bad, down=True, clock=clock)
    write(engine, *(notice(digit * 32) for digit in "abcdef"))
    async with at_work(engine, receiver, clock) as made:
        await until(made, lambda: len(receiver.when) == postman.MOST_IN_A_ROW)
        receiver.down = False
        for _ in range(2 * len(bad)):
            clock.now += timedelta(seconds=postman.LONGEST_PAUSE)
            await turns(made)
        await until(made, lambda: standing(engine).told == 6 - len(bad))
        assert standing(engine).waiting == len(bad)
        receiver.bad = ""
        clock.now += timedelta(seconds=postman.LONGEST_PAUSE)
        await until(made, lambda: standing(engine).told == 6)


async def test_a_letter_that_never_arrives_is_left_alone_for_longer_each_time_while_others_arrive(
    engine: Engine,
) -> None:
    """Also those that come after it in its own group wait: they are told with it."""
    clock = Clock()
    receiver = Picky(bad="ab", clock=clock)
    write(engine, notice(A), notice(B))
    async with at_work(engine, receiver, clock) as made:
        for number in range(100):
            write(engine, notice(f"c{number:031}"), notice(A, number=number + 2, reason="more"))
            await turns(made, 4)
            clock.now += timedelta(seconds=10)
        await until(made, lambda: standing(engine).told == 100)
        assert standing(engine).waiting == 2
        assert receiver.tried.count("a") < 25
        receiver.bad = ""
        clock.now += timedelta(seconds=postman.LONGEST_PAUSE)
        await until(made, lambda: standing(engine).told == 102)
    assert [told.number for told in receiver.got if told.group == A] == [101]


@dataclass
class Greylisted(Picky):
    """A receiver that takes notices of some groups for some people only."""

    async def send(self, told: Notice) -> Receipt:
        """Take note, and take it or not."""
        if told.group[0] in self.bad and not self.down:
            self.when.append((told.group[0], self.clock()))
            raise DownError("boss is greylisted", alone=True, retry_after=60.0)
        return await super().send(told)


async def test_letters_that_some_people_do_not_get_yet_wait_alone_and_are_no_trouble_of_the_receiver(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    receiver = Greylisted(bad="abc", clock=clock)
    write(engine, notice(A), notice(B), notice(C))
    async with at_work(engine, receiver, clock) as made:
        await until(made, lambda: set(receiver.tried) == set("abc"))
        for number in range(60):
            write(engine, notice(f"d{number:031}"))
            # At once: the clock stands still.
            await until(made, lambda number=number: standing(engine).told == number + 1)  # type: ignore[misc]
            assert (made.problem, made.parts, made.stale) == ("", {}, False)
            clock.now += timedelta(seconds=10)
        assert standing(engine).reason == "boss is greylisted"
        gaps = [
            later - sooner for sooner, later in pairwise(at for group, at in receiver.when if group == "a")
        ]
        assert min(gaps) >= timedelta(seconds=60)
        assert receiver.tried.count("a") >= 6
        receiver.bad = ""
        clock.now += timedelta(seconds=postman.LONGEST_PAUSE)
        await until(made, lambda: standing(engine).told == 63)
    assert "receiver is down" not in caplog.text
    assert caplog.text.count("told in part, the rest later") == 3


async def test_what_comes_after_some_people_have_a_notice_is_told_to_all_as_more(engine: Engine) -> None:
    clock, reasons = Clock(), ["greylisted", "greylisted still", "too many recipients"]
    receiver = Recorder([DownError(each, alone=True) for each in reasons])
    write(engine, notice(A, count=5, fresh=5))
    async with at_work(engine, receiver, clock) as made:
        for each in reasons:
            clock.now += timedelta(seconds=postman.LONGEST_PAUSE)
            await until(made, lambda each=each: standing(engine).reason == each)  # type: ignore[misc]
        write(engine, notice(A, number=2, reason="more", count=8, fresh=3))
        write(engine, notice(A, number=3, reason="more", count=9, fresh=1))
        clock.now += timedelta(seconds=postman.LONGEST_PAUSE)
        await until(made, lambda: standing(engine).told == 1)

    assert receiver.got[:3] == [notice(A, count=5, fresh=5)] * 3
    assert receiver.got[3:] == [notice(A, number=3, reason="more", count=9, fresh=4)]


async def test_what_some_people_have_is_no_trouble_of_the_receiver_after_a_restart(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    write(engine, notice(A))
    receiver = Recorder([DownError("boss is greylisted", alone=True)])
    async with at_work(engine, receiver, Clock()) as made:
        await until(made, lambda: standing(engine).reason == "boss is greylisted")
    async with at_work(engine, receiver, Clock()) as made:
        await until(made, lambda: standing(engine).told == 1)

    assert "receiver is down" not in caplog.text


async def test_a_receiver_that_was_down_is_back_where_it_takes_a_letter_for_some_people(
    engine: Engine,
) -> None:
    clock = Clock()
    receiver = Greylisted(bad="a", down=True, clock=clock)
    write(engine, notice(A), notice(B), notice(C))
    async with at_work(engine, receiver, clock) as made:
        await until(made, lambda: made.problem == "HTTP 500" and len(receiver.when) == 2)
        receiver.down, receiver.bad = False, "c"
        clock.now += timedelta(seconds=1)
        await until(made, lambda: standing(engine).told == 2)
        assert made.problem == ""


async def test_a_receiver_that_takes_nothing_is_not_hammered_and_told_in_order_afterwards(
    engine: Engine,
) -> None:
    clock = Clock()
    receiver = Picky(down=True, clock=clock)
    write(engine, *(notice(digit * 32) for digit in "abcdef"))
    async with at_work(engine, receiver, clock) as made:
        for _ in range(360):
            clock.now += timedelta(seconds=10)
            await turns(made, 4)
        tried = receiver.tried
        assert tried[:6] == "abcdef", "in turn"
        assert len(tried) < 35, "for an hour"
        gaps = [later - sooner for (_, sooner), (_, later) in pairwise(receiver.when)]
        assert min(gaps[-3:]) >= timedelta(seconds=postman.LONGEST_PAUSE / 2)
        receiver.down = False
        clock.now += timedelta(seconds=postman.LONGEST_PAUSE)
        await until(made, lambda: standing(engine).told == 6)
    order = "".join(told.group[0] for told in receiver.got)
    turn = sorted("abcdef", key=lambda digit: (tried.count(digit), digit))
    assert order == "".join(turn), "what was tried least often first"


async def test_what_cannot_be_noted_is_not_told_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as the database cannot be written, no further letter goes out either."""
    monkeypatch.setattr(postman, "CHECK_SECONDS", 0.01)
    write(engine, notice(A), notice(B))
    receiver = Recorder(held=asyncio.Event())
    async with at_work(engine, receiver, Clock()) as made:
        await until(made, lambda: len(receiver.got) == 1)
        with writing(engine) as connection:
            connection.exec_driver_sql("ALTER TABLE outbox RENAME TO away")
        assert receiver.held
        receiver.held.set()
        await until(made, lambda: "outbox" in made.problem)
        with writing(engine) as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO outbox")
        await until(made, lambda: standing(engine).told == 2)

    assert [told.group for told in receiver.got] == [A, B]


async def test_one_that_is_retired_ends_what_it_began_and_nothing_more(engine: Engine) -> None:
    write(engine, notice(A), notice(B))
    receiver = Recorder(held=asyncio.Event())
    with ThreadPoolExecutor(1) as thread:
        made = Postman("mail", Notices(receiver), engine, thread, clock=Clock(), rng=random.Random(1))
        async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
            group.create_task(made.run())
            await until(made, lambda: len(receiver.got) == 1)
            made.retire()
            assert receiver.held
            receiver.held.set()

    assert (standing(engine).told, standing(engine).waiting, receiver.closed) == (1, 1, True)


async def test_one_that_is_retired_waits_until_what_came_of_its_letter_can_be_noted(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes its place would tell it again."""
    monkeypatch.setattr(postman, "CHECK_SECONDS", 0.01)
    write(engine, notice(A), notice(B))
    receiver = Recorder(held=asyncio.Event())
    with ThreadPoolExecutor(1) as thread:
        made = Postman("mail", Notices(receiver), engine, thread, clock=Clock(), rng=random.Random(1))
        async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
            group.create_task(made.run())
            await until(made, lambda: len(receiver.got) == 1)
            with writing(engine) as connection:
                connection.exec_driver_sql("ALTER TABLE outbox RENAME TO away")
            made.retire()
            assert receiver.held
            receiver.held.set()
            await until(made, lambda: "outbox" in made.problem)
            with writing(engine) as connection:
                connection.exec_driver_sql("ALTER TABLE away RENAME TO outbox")

    assert [told.group for told in receiver.got] == [A]
    assert (standing(engine).told, standing(engine).waiting) == (1, 1)


async def test_what_the_rules_do_not_allow_any_more_is_set_aside(engine: Engine) -> None:
    """A letter about a client that the receiver was taken away from since it was written."""
    write(engine, notice(A), replace(notice(B), client="beta"))
    receiver = Recorder()
    async with at_work(engine, receiver, Clock()) as made:
        made.clients = frozenset({"beta"})
        await until(made, lambda: standing(engine).told == 1)

    assert [told.client for told in receiver.got] == ["beta"]
    assert standing(engine).refused == 1


async def test_a_clock_that_was_set_back_holds_nothing_up(engine: Engine) -> None:
    write(engine, notice(A))
    receiver, clock = Recorder(), Clock()
    clock.now -= timedelta(days=1)
    async with at_work(engine, receiver, clock) as made:
        await until(made, lambda: standing(engine).told == 1)


async def test_what_is_refused_for_good_is_set_aside_and_holds_up_nothing(engine: Engine) -> None:
    write(engine, notice(A), notice(B))
    receiver = Recorder([RefusedError("no such custom field")])
    async with at_work(engine, receiver, Clock()) as made:
        await until(made, lambda: standing(engine).told == 1)
        assert made.problem == ""

    with reading(engine) as connection:
        [aside] = outbox.set_aside(connection)
    assert (aside.notice.group, aside.reason) == (A, "no such custom field")


@pytest.mark.parametrize(
    ("trouble", "least"),
    [
        (DownError("wait", retry_after=120), timedelta(seconds=119)),
        (DownError("wait", retry_after=1e9), timedelta(seconds=postman.HOPELESS_PAUSE - 1)),
        (DownError("the key is wrong", misconfigured=True), timedelta(seconds=postman.HOPELESS_PAUSE - 1)),
        (ZeroDivisionError("secret"), timedelta(seconds=postman.HOPELESS_PAUSE - 1)),
    ],
)
async def test_some_trouble_needs_more_time(engine: Engine, trouble: Exception, least: timedelta) -> None:
    """The other side asks for it, or no waiting mends it, or we have a fault: nothing is lost by it."""
    write(engine, notice(A))
    receiver, clock = Recorder([trouble]), Clock()
    async with at_work(engine, receiver, clock) as made:
        await until(made, lambda: standing(engine).reason != "")
        clock.now += least
        made.wake()
        assert len(receiver.got) == 1
        clock.now += timedelta(seconds=2)
        await until(made, lambda: standing(engine).told == 1)
    assert "secret" not in standing(engine).reason


async def test_a_receiver_that_never_answers_is_given_up_in_time(
    engine: Engine,
) -> None:
    write(engine, notice(A))
    receiver = Recorder(held=asyncio.Event())
    async with at_work(engine, receiver, Clock(), seconds=0.01) as made:
        await until(made, lambda: made.problem == "no answer within 0.01 s")
    assert standing(engine).waiting == 1


async def test_a_letter_that_was_on_its_way_when_the_hub_stopped_is_told_again(engine: Engine) -> None:
    """Whether it arrived, nobody knows; the receiver knows it by group and number."""
    write(engine, notice(A))
    held = Recorder(held=asyncio.Event())
    async with at_work(engine, held, Clock()) as made:
        await until(made, lambda: len(held.got) == 1)
    again = Recorder()
    async with at_work(engine, again, Clock()) as made:
        await until(made, lambda: standing(engine).told == 1)

    assert held.got == again.got == [notice(A)]


async def test_a_database_that_is_away_is_waited_for(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(postman, "CHECK_SECONDS", 0.01)
    write(engine, notice(A))
    with writing(engine) as connection:
        connection.exec_driver_sql("ALTER TABLE outbox RENAME TO away")
    async with at_work(engine, Recorder(), Clock()) as made:
        await until(made, lambda: "outbox" in made.problem)
        with writing(engine) as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO outbox")
        await until(made, lambda: standing(engine).told == 1)
    assert caplog.text.count("receiver is down") == 1


@pytest.mark.parametrize("damage", [b"{", b'{"group":"\xff"}'])
async def test_a_letter_that_is_damaged_holds_up_nothing(
    engine: Engine, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    write(engine, notice(A), notice(B))
    with writing(engine) as connection:
        connection.execute(update(schema.outbox).where(schema.outbox.c.number == 1).values(notice=damage))
    receiver = Recorder()
    async with at_work(engine, receiver, Clock()) as made:
        await until(made, lambda: standing(engine).told == 1)
    assert [told.group for told in receiver.got] == [B]
    assert "damaged" in caplog.text
