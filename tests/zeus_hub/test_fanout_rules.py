"""Rules and secrets that change while the hub runs, and faults: what goes on, and what is told."""

# ruff: noqa: D102 - the contract says what a receiver's functions do

import asyncio
import logging
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from socme.errors import OperatorError
from socme.identity import utc_now
from tests.zeus_hub.kit import eventually
from tests.zeus_hub.noticed import notice
from tests.zeus_hub.stored import alert, database, keep
from zeus_hub import fanout, outbox, postman, recall
from zeus_hub.clerk import Clerk
from zeus_hub.database import reading, writing
from zeus_hub.fanout import FanOut
from zeus_hub.letters import Standing
from zeus_hub.notice import Notice
from zeus_hub.office import Made
from zeus_hub.receivers.contract import DownError, Receipt
from zeus_hub.router import Router
from zeus_hub.routes import rules

pytestmark = pytest.mark.usefixtures("both")

A, B, C = "a" * 32, "b" * 32, "c" * 32
RULES = """
[receiver.mail]
kind = "test"
key_file = "../secrets/key"

[receiver.hive]
kind = "test"

[[route]]
name = "all"
group_by = ["source.ip"]
group_wait = "0s"
clients = ["acme"]
receivers = ["mail", "hive"]
"""


Trouble = Callable[[Notice], Exception | None]
"""What a receiver raises at a notice."""


@dataclass
class Sink:
    """A receiver that does what a test says, with the secret that was there when it was made."""

    key: str
    trouble: Trouble
    free: asyncio.Event
    """Until this is set, nothing is answered."""
    got: list[Notice] = field(default_factory=list)
    tries: int = 0
    closed: bool = False

    async def send(self, told: Notice) -> Receipt:
        self.tries += 1
        await self.free.wait()
        trouble = self.trouble(told)
        if trouble is not None:
            raise trouble
        self.got.append(told)
        return Receipt()

    async def test(self) -> str:
        raise AssertionError

    async def close(self) -> None:
        self.closed = True


def fine(_: Notice) -> None:
    """Find nothing wrong."""


class Site:
    """A folder of rules, a secret outside of it, and what was made of the receivers, the latest last."""

    def __init__(self, folder: Path) -> None:
        self.engine = database(folder / "state")
        self.folder, self.key = folder / "routes.d", folder / "secrets" / "key"
        self.made: dict[str, list[Sink]] = defaultdict(list)
        self.trouble: dict[str, Trouble] = defaultdict(lambda: fine)
        self.free = asyncio.Event()
        self.free.set()
        self.ahead = timedelta(0)
        self.folder.mkdir()
        self.key.parent.mkdir()
        self.key.write_text("first")
        self.write()

    def clock(self) -> datetime:
        return utc_now() + self.ahead

    def write(self, text: str = RULES) -> None:
        """Write the rules."""
        (self.folder / "new").write_text(text)
        (self.folder / "new").rename(self.folder / "rules.toml")

    def build(self, described: rules.Receiver) -> Made:
        """Make a receiver."""
        key = ""
        if place := described.options.get("key_file"):
            key = (described.place.file.parent / str(place)).read_text()
            if not key:
                raise OperatorError("the key is empty", "Put it there.")

        def trouble(told: Notice) -> Exception | None:
            return self.trouble[described.name](told)  # as it is then

        sink = Sink(key, trouble, self.free)
        self.made[described.name].append(sink)
        return Made(sink)

    def wish(self, *notices: Notice, receiver: str = "mail") -> None:
        """Put notices into the outbox."""
        with writing(self.engine) as connection:
            for each in notices:
                outbox.put(connection, receiver, each, utc_now())

    def standing(self, receiver: str = "mail") -> Standing:
        with reading(self.engine) as connection:
            return next(each for each in outbox.standings(connection) if each.receiver == receiver)

    def told(self, receiver: str = "mail") -> list[str]:
        """Return the groups of which a receiver was told, whoever did it."""
        return [each.group for sink in self.made[receiver] for each in sink.got]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.engine.dispose()


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(fanout, "STEP_SECONDS", 0.01)
    monkeypatch.setattr(fanout, "TROUBLE_SECONDS", 0.01)
    monkeypatch.setattr(fanout, "MENDED_SECONDS", 0.01)
    monkeypatch.setattr(fanout, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(fanout, "REPORT_SECONDS", 0.01)
    monkeypatch.setattr(fanout, "FORGET_SECONDS", 0.01)
    monkeypatch.setattr(postman, "CHECK_SECONDS", 0.02)


@asynccontextmanager
async def running(site: Site) -> AsyncIterator[FanOut]:
    """Fan out; it has begun to go by the rules. It ends with the test alone."""
    made = FanOut(site.engine, site.folder, site.clock, site.build)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.run())
        await eventually(lambda: began(site))
        yield made
        assert not task.done()
        task.cancel()


def began(site: Site) -> bool:
    with reading(site.engine) as connection:
        return bool(connection.exec_driver_sql("SELECT count(*) FROM router").scalar_one())


async def looks(number: int = 5) -> None:
    """Let the folder be looked at a few times."""
    await asyncio.sleep(number * fanout.LOOK_SECONDS * 4)


def break_the_folder(site: Site) -> str:
    shutil.rmtree(site.folder)
    return "has no rules any more"


def empty_the_folder(site: Site) -> str:
    (site.folder / "rules.toml").unlink()
    return "has no rules any more"


def leave_a_draft(site: Site) -> str:
    (site.folder / "rules.toml").rename(site.folder / ".#rules.toml")
    return "has no rules any more"


def misspell_a_key(site: Site) -> str:
    site.write(RULES.replace("group_by", "grup_by"))
    return "rules.toml:11: route.0.grup_by: there is no such key"


def lose_a_secret(site: Site) -> str:
    site.key.write_text("")
    site.write(RULES + "\n")
    return "the key is empty"


@pytest.mark.parametrize(
    "harm", [break_the_folder, empty_the_folder, leave_a_draft, misspell_a_key, lose_a_secret]
)
async def test_rules_that_are_gone_or_wrong_change_nothing_and_are_told_until_they_are_mended(
    site: Site, harm: Callable[[Site], str], caplog: pytest.LogCaptureFixture
) -> None:
    async with running(site) as fan:
        told = harm(site)
        await eventually(lambda: told in fan.problem)
        keep(site.engine, [alert(1)])
        await eventually(lambda: len(site.told()) == 1 and len(site.told("hive")) == 1)
        await looks()
        assert told in fan.problems()["routes"]
        assert caplog.text.count("the rules are refused") == 1, "once, however often they are read again"
        site.folder.mkdir(exist_ok=True)
        site.key.write_text("second")
        site.write()
        await eventually(lambda: fan.problems() == {"routes": "", "mail": "", "hive": ""})

    [hive] = site.made["hive"]
    assert len(hive.got) == 1, "the one before goes on"


def reasons(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    """Return the reasons of what was logged."""
    return [vars(each)["fields"]["reason"] for each in caplog.records if each.getMessage() == event]


async def test_all_that_cannot_be_made_is_told_at_once_and_on_one_line(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.key.write_text("")
    site.write(RULES.replace("[receiver.hive]", "[receiver.hive]\nkey_file = '../secrets/key'"))
    made = FanOut(site.engine, site.folder, site.clock, site.build)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(made.run())
        await eventually(lambda: "the rules are refused" in caplog.text)
        task.cancel()

    assert reasons(caplog, "the rules are refused") == [
        "the key is empty, and 1 more; the key is empty; Mend what is named."
    ]


async def test_what_is_odd_about_rules_is_logged_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """A secret that everybody can read, and a client that there is not; the rules hold all the same."""
    site.key.chmod(0o666)
    site.write(RULES.replace('["acme"]', '["acme", "acmee"]'))
    async with running(site):
        keep(site.engine, [alert(1)])
        await eventually(lambda: len(site.told()) == 1)
        await looks()

    secret, client = reasons(caplog, "odd rules")
    assert f"rules.toml:2: receiver.mail: its secret is everybody's: chmod 600 {site.folder}/../" in secret
    assert "rules.toml:9: route all is for a client that there is not: acmee" in client


async def test_a_comment_above_a_receiver_leaves_it_alone_with_what_it_tries(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is it made anew nor is what waits tried before its time; one that has changed is and does."""
    heeded = 0
    heed = Router.heed

    def counted(self: Router, found: rules.Rules) -> None:
        nonlocal heeded
        heed(self, found)
        heeded += 1

    monkeypatch.setattr(Router, "heed", counted)
    site.trouble["hive"] = lambda _: DownError("come later", retry_after=600)
    site.wish(notice(A), receiver="hive")
    async with running(site) as fan:
        await eventually(lambda: fan.problems().get("hive") == "come later")
        site.write(RULES.replace("[receiver.hive]", "# who knows it all\n\n[receiver.hive]"))
        await eventually(lambda: heeded == 2)
        await looks()
        [hive] = site.made["hive"]
        assert (hive.tries, hive.closed, fan.problems().get("hive")) == (1, False, "come later")
        assert len(site.made["mail"]) == 1

        site.trouble["hive"] = fine
        site.write(RULES.replace("[receiver.hive]", "[receiver.hive]\ntlp = 'red'"))
        await eventually(lambda: site.told("hive") == [A])
    assert [each.closed for each in site.made["hive"]] == [True, True]
    assert len(site.made["mail"]) == 1


async def test_a_secret_that_was_mended_is_taken_though_nobody_touched_the_rules(site: Site) -> None:
    """And what waits for it is told at once."""
    site.trouble["mail"] = lambda _: (
        None if site.made["mail"][-1].key == "second" else DownError("the key is wrong", misconfigured=True)
    )
    site.wish(notice(A))
    async with running(site) as fan:
        await eventually(lambda: fan.problems().get("mail") == "the key is wrong")
        site.key.write_text("second")
        await eventually(lambda: site.told() == [A])
        await eventually(lambda: fan.problems().get("mail") == "")
    assert len(site.made["mail"]) == 2
    assert len(site.made["hive"]) == 1


async def test_what_a_person_must_mend_is_told_until_it_is_mended(site: Site) -> None:
    """It is not forgotten because somebody looks whether it was mended, nor tried more often than it may."""
    site.trouble["mail"] = lambda _: DownError("the key is wrong", misconfigured=True)
    site.wish(notice(A))
    async with running(site) as fan:
        await eventually(lambda: fan.problems().get("mail") == "the key is wrong")
        for _ in range(20):
            await asyncio.sleep(0.02)
            assert fan.problems().get("mail") == "the key is wrong"
    assert sum(each.tries for each in site.made["mail"]) == 1


FAULT = "a fault of SOCme's own: ZeroDivisionError"


class Switch:
    """Makes a function of ours fail for as long as a test wants it to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
        self.on, self.calls = True, 0
        really = getattr(owner, name)

        def failing(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - whatever it takes and returns
            if not self.on or not self.concerns(*arguments):
                return really(*arguments, **options)
            self.calls += 1
            raise ZeroDivisionError("in the middle of it")

        monkeypatch.setattr(owner, name, failing)

    def concerns(self, *_: object) -> bool:
        """Tell whether a call is one of those that fail."""
        return True


async def test_a_fault_of_the_router_is_told_and_what_it_decided_before_is_on_its_way(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(site) as fan:
        switch = Switch(monkeypatch, Router, "step")
        await eventually(lambda: fan.problems()["routes"] == FAULT)
        site.wish(notice(A))
        keep(site.engine, [alert(1)])
        await eventually(lambda: site.told() == [A])
        assert "fault in the router" in caplog.text
        assert "in the middle of it" in caplog.text, "with what is needed to find it"
        switch.on = False
        await eventually(lambda: len(site.told()) == 2 and fan.problems()["routes"] == "")


async def test_a_fault_on_the_way_to_a_receiver_is_told_and_others_are_told_meanwhile(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class OfHive(Switch):
        def concerns(self, *arguments: object) -> bool:
            return arguments[1] == "hive"

    switch = OfHive(monkeypatch, outbox, "next_of")
    async with running(site) as fan:
        keep(site.engine, [alert(1)])
        await eventually(lambda: len(site.told()) == 1)
        await eventually(lambda: fan.problems().get("hive") == FAULT)
        assert fan.problems()["mail"] == ""
        assert "fault in the way to the receiver hive" in caplog.text
        switch.on = False
        await eventually(lambda: len(site.told("hive")) == 1 and fan.problems()["hive"] == "")


async def test_a_fault_of_a_receiver_is_told_and_others_are_told_meanwhile(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """It waits for a person, as what is wrong with ours does not pass by itself."""
    site.trouble["hive"] = lambda _: ZeroDivisionError("in the middle of it")
    async with running(site) as fan:
        keep(site.engine, [alert(1)])
        await eventually(lambda: len(site.told()) == 1)
        await eventually(lambda: fan.problems()["hive"] == FAULT)
        assert "fault in the receiver hive" in caplog.text
        site.trouble["hive"] = fine
        with writing(site.engine) as connection:
            assert recall.again(connection, "hive", utc_now()) == 1  # as `zeus sink retry` does
        await eventually(lambda: len(site.told("hive")) == 1 and fan.problems()["hive"] == "")


@pytest.mark.parametrize(("owner", "name"), [(fanout, "load"), (Router, "heed"), (outbox, "standings")])
async def test_a_fault_in_going_by_new_rules_is_told_and_they_are_taken_later(
    site: Site,
    owner: object,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(site) as fan:
        await eventually(lambda: len(site.made["hive"]) == 1)
        switch = Switch(monkeypatch, owner, name)
        site.write(RULES.replace("[receiver.hive]", "[receiver.hive]\ntlp = 'red'"))
        await eventually(lambda: fan.problems()["routes"] == FAULT)
        assert "fault in reading the rules" in caplog.text
        keep(site.engine, [alert(1)])
        await eventually(lambda: len(site.told()) == 1)
        switch.on = False
        await eventually(lambda: set(fan.problems().values()) == {""})
        site.wish(notice(A), receiver="hive")
        await eventually(lambda: A in [each.group for each in site.made["hive"][-1].got])


async def test_a_fault_at_the_end_of_a_receiver_ends_nothing_else(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Switch(monkeypatch, Sink, "close")
    async with running(site) as fan:
        await eventually(lambda: "hive" in fan.problems())
        site.write(RULES.replace("[receiver.hive]", "[receiver.hive]\ntlp = 'red'"))
        await eventually(lambda: len(site.made["hive"]) == 2)
        keep(site.engine, [alert(1)])
        await eventually(lambda: len(site.told()) == 1 and len(site.told("hive")) == 1)
    assert "fault at the end of the receiver hive" in caplog.text


@pytest.mark.parametrize(
    ("owner", "name", "event"),
    [
        (outbox, "forget", "fault in forgetting what was told"),
        (Clerk, "step", "fault in writing reports"),
    ],
)
async def test_a_fault_beside_the_alerts_is_told_and_holds_up_none(
    site: Site,
    owner: object,
    name: str,
    event: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    switch = Switch(monkeypatch, owner, name)
    async with running(site):
        await eventually(lambda: switch.calls > 1)
        assert event in caplog.text
        keep(site.engine, [alert(1)])
        await eventually(lambda: len(site.told()) == 1)


async def test_what_a_retry_brings_back_is_told_to_nobody_who_must_not_know_it_any_more(site: Site) -> None:
    """The client went elsewhere, or the receiver is in no rule: what was refused before stays untold."""
    site.wish(notice(A), replace(notice(B), client="beta"), notice(C, number=7))
    with writing(site.engine) as connection:
        while letter := outbox.next_of(connection, "mail", utc_now()):
            outbox.refused(connection, letter, "no such mailbox", utc_now())
    async with running(site):
        with writing(site.engine) as connection:
            assert recall.again(connection, "mail", utc_now()) == 3
        await eventually(lambda: sorted(site.told()) == [A, C] and site.standing().waiting == 0)
    assert site.standing().refused == 1


async def test_what_waits_for_a_receiver_that_is_taken_out_is_kept_and_no_trouble(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody could end it. It is in the log once, and told where the receiver comes back."""
    site.trouble["hive"] = lambda _: DownError("no route to host")
    site.wish(notice(A), receiver="hive")
    without = RULES.replace('[receiver.hive]\nkind = "test"\n', "").replace('"mail", "hive"', '"mail"')
    async with running(site) as fan:
        await eventually(lambda: fan.problems().get("hive") == "no route to host")
        for text in (without, without + "\n"):
            site.write(text)
            await eventually(lambda: set(fan.problems()) == {"routes", "mail"})
            await looks()
        assert caplog.text.count("notices wait for a receiver that is in no rule any more") == 1
    assert site.standing("hive").waiting == 1
    async with running(site) as fan:
        await eventually(lambda: caplog.text.count("in no rule any more") == 2)
        assert set(fan.problems()) == {"routes", "mail"}
        site.trouble["hive"] = fine
        site.write()
        await eventually(lambda: site.told("hive") == [A])


def organisation_is_closed(told: Notice) -> Exception | None:
    if told.client == "beta":
        return DownError("forbidden in globex", misconfigured=True, part="organisation globex")
    return None


async def test_trouble_of_one_organisation_is_told_as_that_and_the_receiver_is_well(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site.write(RULES.replace('clients = ["acme"]\n', ""))
    site.trouble["hive"] = organisation_is_closed
    numbers = range(4)
    site.wish(
        *(replace(notice(f"{number}" * 32), client="acme" if number % 2 else "beta") for number in numbers),
        receiver="hive",
    )
    async with running(site) as fan:
        stuck = {"routes": "", "mail": "", "hive": "", "hive (organisation globex)": "forbidden in globex"}
        await eventually(lambda: fan.problems() == stuck and site.standing("hive").waiting == 2)
        assert sorted(site.told("hive")) == ["1" * 32, "3" * 32]
        await looks()
        assert fan.problems() == stuck
        assert caplog.text.count("part of a receiver is down") == 1
        site.trouble["hive"] = fine
        with writing(site.engine) as connection:
            recall.again(connection, "hive", utc_now())
        await eventually(lambda: site.standing("hive").waiting == 0)
        await eventually(lambda: set(fan.problems()) == {"routes", "mail", "hive"})
    assert caplog.text.count("part of a receiver is back") == 1


async def test_a_receiver_that_answers_for_one_organisation_is_not_down(site: Site) -> None:
    site.write(RULES.replace('clients = ["acme"]\n', ""))
    site.trouble["hive"] = lambda _: DownError("come later", retry_after=600)
    site.wish(replace(notice(A), client="beta"), receiver="hive")
    async with running(site) as fan:
        await eventually(lambda: fan.problems().get("hive") == "come later")
        site.trouble["hive"] = organisation_is_closed
        with writing(site.engine) as connection:
            recall.again(connection, "hive", utc_now())
        await eventually(lambda: "hive (organisation globex)" in fan.problems())
        assert fan.problems()["hive"] == ""


async def test_what_waits_for_an_organisation_in_trouble_asks_once_each_time(site: Site) -> None:
    """However much that is; and where its user may do it again, all of it is told at the next time."""
    site.write(RULES.replace('clients = ["acme"]\n', ""))
    site.trouble["hive"] = organisation_is_closed
    groups = [f"{number:032x}" for number in range(6)]
    site.wish(*(replace(notice(group), client="beta") for group in groups), receiver="hive")
    async with running(site):
        await eventually(lambda: len(site.made["hive"]) == 1 and site.made["hive"][0].tries == 6)
        for tries in (7, 8):
            site.ahead += timedelta(seconds=postman.HOPELESS_PAUSE + 1)
            site.wish(notice(f"{tries:032x}"), receiver="hive")
            await eventually(lambda tries=tries: f"{tries:032x}" in site.told("hive"))  # type: ignore[misc]
            await looks()
            assert site.made["hive"][0].tries - len(site.told("hive")) == tries
        site.trouble["hive"] = fine
        site.ahead += timedelta(seconds=postman.HOPELESS_PAUSE + 1)
        await eventually(lambda: site.standing("hive").waiting == 0)
    assert sorted(site.told("hive"))[:6] == groups


async def test_over_a_restart_trouble_is_told_until_it_is_known_to_be_over(site: Site) -> None:
    """And that is found out at once: what waits is tried, however long it was to wait."""
    site.trouble["mail"] = lambda _: DownError("the key is wrong", misconfigured=True)
    site.wish(notice(A), notice(B))
    async with running(site) as fan:
        await eventually(lambda: sum(each.tries for each in site.made["mail"]) == 2)
        await eventually(lambda: site.standing().reason != "" and fan.problems()["mail"] != "")
    site.free.clear()
    site.trouble["mail"] = fine
    async with running(site) as fan:
        await eventually(lambda: sum(each.tries for each in site.made["mail"]) == 3)
        assert fan.problems()["mail"] == "the key is wrong"
        site.free.set()
        await eventually(lambda: site.told() == [A, B] and fan.problems()["mail"] == "")


async def test_trouble_is_told_until_another_receiver_is_at_work(site: Site) -> None:
    site.trouble["hive"] = lambda _: DownError("come later", retry_after=600)
    site.wish(notice(A), receiver="hive")
    async with running(site) as fan:
        await eventually(lambda: fan.problems().get("hive") == "come later")
        site.free.clear()
        site.wish(notice(B), receiver="hive")
        await eventually(lambda: site.made["hive"][0].tries == 2)
        site.write(RULES.replace("[receiver.hive]", "[receiver.hive]\ntlp = 'red'"))
        await eventually(lambda: len(site.made["hive"]) == 2)
        await looks()
        assert fan.problems().get("hive") == "come later"
        site.free.set()
        await eventually(lambda: site.made["hive"][1].tries > 0)


async def test_while_a_receiver_is_let_go_others_are_told_by_the_new_rules(site: Site) -> None:
    """That may take as long as it is in the middle of something."""
    async with running(site) as fan:
        await eventually(lambda: bool(site.made["hive"]))
        [slow] = site.made["hive"]
        slow.free = asyncio.Event()
        site.wish(notice(A), receiver="hive")
        site.wish(notice(B))
        await eventually(lambda: slow.tries == 1 and site.standing().told == 1)
        another = RULES.replace('[receiver.hive]\nkind = "test"', '[receiver.hive]\nkind = "test"\nother = 1')
        site.write(another.replace('["acme"]', '["acme", "beta"]'))
        await eventually(lambda: "beta" in (fan._router._rules.routes[0].clients or ()))
        keep(site.engine, [alert(1, place="beta/beta-1")])
        await eventually(lambda: site.standing().told + site.standing().refused == 2)
        assert (site.standing().refused, slow.closed) == (0, False)
        slow.free.set()
        await eventually(lambda: slow.closed)
