"""Telling people without a hub: when, of what, and never twice; the mail server is a real one."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP, Envelope, Session

from artemis_agent import break_glass, smtp, told
from artemis_agent.plan import MailServer
from socme.v1.alert_pb2 import Canary
from socme.v1.uplink_pb2 import Lane
from tests.artemis_agent.glass import HIGH, NOON, Site, alert, asked, server_at
from tests.zeus_hub.receivers.post import Office, served, trust


@pytest.fixture
def office() -> Office:
    return Office()


@pytest_asyncio.fixture
async def server(office: Office, tmp_path: Path) -> AsyncIterator[MailServer]:
    place = tmp_path / "mail"
    place.mkdir()
    made = trust(place)
    async with served(office, starttls=made.server) as port:
        yield server_at(port, place, made)


@pytest.fixture
def site(tmp_path: Path, server: MailServer) -> Site:
    folder = tmp_path / "state"
    folder.mkdir()
    return Site(folder, asked(server))


def body(office: Office, number: int = -1) -> str:
    text: str = office.mails[number].get_content()
    return text.replace("\r\n", "\n")


async def test_critical_alerts_that_wait_are_mailed_when_no_hub_was_there_for_so_long(
    site: Site, office: Office
) -> None:
    """All of them in one mail over TLS; less severe ones and canaries in none."""
    async with site.agent() as run:
        await run.put(alert(1), alert(2, severity=HIGH), alert(3, name="two\r\nlines"))
        canary = alert(4)
        canary.canary.CopyFrom(Canary(number=1))
        await run.put(canary)
        await run.at(14.9)
        assert not office.mails
        await run.at(15)

        assert await run.told() == [1, 3]

    assert office.recipients == [["it@client.example"]]
    assert office.encrypted == [True]
    mail = office.mails[0]
    assert "2 critical alerts" in mail["Subject"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "reached no hub for 15 minutes" in body(office)
    assert "rule 1" in body(office)
    assert "host-3" in body(office)
    assert "rule 2" not in body(office)
    assert "rule 4" not in body(office)
    assert "\ntwo" not in body(office)


async def test_what_comes_later_is_told_with_what_is_new_and_not_too_often(
    site: Site, office: Office
) -> None:
    async with site.agent() as run:
        await run.put(alert(1))
        await run.at(15)
        await run.put(alert(2))
        await run.at(17)
        assert len(office.mails) == 1
        await run.put(alert(3))
        await run.at(20)
        await run.at(26)

    assert len(office.mails) == 2
    assert "rule 1\n" not in body(office)
    assert "rule 2\n" in body(office)
    assert "rule 3\n" in body(office)
    assert office.mails[0]["Message-ID"] != office.mails[1]["Message-ID"]


async def test_no_more_than_six_mails_leave_within_an_hour(site: Site, office: Office) -> None:
    async with site.agent() as run:
        for number in range(12):
            await run.put(alert(number + 1))
            await run.at(15 + 5 * number)
        assert len(office.mails) == 6
        await run.at(75)

    assert len(office.mails) == 7
    assert "6 critical alerts" in office.mails[-1]["Subject"]


async def test_what_was_told_is_not_told_again_after_a_restart(site: Site, office: Office) -> None:
    async with site.agent() as run:
        await run.put(alert(1))
        await run.at(15)
    async with site.agent() as run:
        await run.at(45)
        assert await run.told() == [1]
        await run.put(alert(2))
        await run.at(46)
        assert await run.told() == [1, 2]

    assert len(office.mails) == 2
    assert "rule 1\n" not in body(office)


async def test_what_is_read_again_after_the_spool_was_lost_is_not_told_again(
    site: Site, office: Office
) -> None:
    async with site.agent() as run:
        await run.put(alert(1))
        await run.at(15)
    for path in site.folder.glob("spool.db*"):
        path.unlink()
    async with site.agent() as run:
        await run.put(alert(1), alert(2))
        await run.at(45)

        assert await run.told() == [1, 2]

    assert len(office.mails) == 2
    assert "1 critical alert," in office.mails[1]["Subject"]


async def test_a_hub_that_takes_alerts_or_refuses_the_node_is_no_reason_to_mail(
    site: Site, office: Office
) -> None:
    async with site.agent() as run:
        await run.put(alert(1))
        site.link.turned_away = True
        await run.at(15)
        await run.at(60)
        site.link.turned_away = False
        site.link.become("connected")
        for minute in range(61, 100):
            site.link.last_acknowledgement = NOON + timedelta(minutes=minute)
            await run.at(minute)

    assert not office.mails


async def test_a_hub_that_is_connected_and_takes_nothing_is_none(site: Site, office: Office) -> None:
    """But a connection that has just begun gets its time."""
    async with site.agent() as run:
        await run.put(alert(1))
        await run.at(14)
        site.link.become("connected")
        await run.at(15)
        await run.at(16)
        assert not office.mails
        await run.at(16.6)

    assert len(office.mails) == 1


async def test_a_mail_that_fails_is_tried_again_and_the_trouble_is_shown(
    site: Site, office: Office, server: MailServer
) -> None:
    """Its Message-ID stays, so that a mail of which nobody knows whether it left is known again."""
    office.answers["DATA"] = "451 later"
    async with site.agent() as run:
        await run.put(alert(1))
        await run.at(15)
        assert run.glass.view()["problem"] == f"mail server localhost:{server.port} refuses: 451 later"
        assert await run.told() == []
        del office.answers["DATA"]
        await run.at(15)
        assert not office.mails
        await run.at(17)
        assert run.glass.view()["problem"] == ""
        assert run.glass.view()["last_mail"] == "2026-11-29T12:17:00.000000Z"

    assert len(office.mails) == 1


def puts_off_the_boss(site: Site, office: Office, answer: str) -> None:
    """Have two people who are to be told, and a server that does not take mail for one of them."""
    site.plan = replace(site.plan, recipients=("it@client.example", "boss@client.example"))
    office.answers["boss@client.example"] = answer


async def test_who_could_not_be_given_a_mail_yet_gets_it_later_alone(site: Site, office: Office) -> None:
    """The others have it already; it is the same mail."""
    puts_off_the_boss(site, office, "452 full")
    async with site.agent() as run:
        await run.put(alert(1))
        await run.at(15)
        assert run.glass.problem == "not told: boss@client.example: 452 full"
        assert await run.told() == [1]
        await run.at(17)
        assert len(office.mails) == 1
        del office.answers["boss@client.example"]
        await run.at(22)
        assert run.glass.problem == ""
        await run.at(60)

    assert office.recipients == [["it@client.example"], ["boss@client.example"]]
    assert office.mails[0].as_bytes() == office.mails[1].as_bytes()


async def test_who_is_put_off_and_then_refused_for_good_is_not_tried_again(
    site: Site, office: Office
) -> None:
    """All people of that attempt are refused: no mail leaves, and what the server says counts still."""
    puts_off_the_boss(site, office, "451 later")
    async with site.agent() as run:
        await run.put(alert(1))
        await run.at(15)
        office.answers["boss@client.example"] = "550 gone"
        await run.at(20)
        assert run.glass.problem == "not told: boss@client.example: 550 gone"
        asked = len(office.asked)
        for minute in range(21, 80):
            await run.at(minute)

    assert len(office.asked) == asked


async def test_who_cannot_be_given_a_mail_for_an_hour_is_given_up(site: Site, office: Office) -> None:
    """And others are told of what is new meanwhile."""
    puts_off_the_boss(site, office, "452 full")
    async with site.agent() as run:
        await run.put(alert(1))
        await run.at(15)
        await run.put(alert(2))
        for minute in range(16, 140):
            await run.at(minute)
        assert run.glass.problem == "not told: boss@client.example: 452 full"
        del office.answers["boss@client.example"]
        await run.at(200)

    assert office.recipients == [["it@client.example"]] * 2


async def test_the_pauses_between_failures_grow(site: Site) -> None:
    site.plan = replace(site.plan, server=replace(site.plan.server, port=1))
    tried = []
    async with site.agent() as run:
        await run.put(alert(1))
        for second in range(900, 900 + 2 * 3600, 5):
            before = run.glass.problem
            run.glass.problem = ""
            await run.at(second / 60)
            if run.glass.problem:
                tried.append(second)
            run.glass.problem = run.glass.problem or before

    assert 9 <= len(tried) <= 24
    assert max(b - a for a, b in pairwise(tried)) <= break_glass.LONGEST_RETRY + 5


async def test_what_is_acknowledged_is_forgotten(site: Site) -> None:
    async with site.agent() as run:
        await run.put(alert(1))
        await run.at(15)
        assert await run.told() == [1]
        total, _ = await run.glass.told_since(0)
        run.spool.acknowledge(Lane.LANE_URGENT, 1)
        await run.spool.trim()
        await run.at(16)

        assert await run.told() == []
        assert await run.glass.told_since(total) == (total, ())
        assert told.read(site.folder).ids == ()


async def mailing(office: Office) -> None:
    """Wait until a mail is on its way."""
    while not office.names:  # noqa: ASYNC110 - the mail server has no event for it
        await asyncio.sleep(0.01)


async def test_a_stream_that_begins_waits_for_a_mail_that_is_on_its_way(site: Site, office: Office) -> None:
    """Else the hub would tell, too, of what the mail tells."""
    office.slow = 0.2
    async with site.agent() as run, asyncio.TaskGroup() as tasks:
        await run.put(alert(1))
        site.seconds = 900
        tasks.create_task(run.glass.look())
        await mailing(office)

        assert await run.told() == [1]


async def test_a_stream_does_not_wait_for_long_for_a_mail_that_takes_minutes(
    site: Site, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as untold meanwhile: the hub tells, too; and nobody waits before each further batch."""
    monkeypatch.setattr(break_glass, "WAIT_SECONDS", 0.2)
    office.scan = 2.0
    async with site.agent() as run, asyncio.TaskGroup() as tasks:
        await run.put(alert(1))
        site.seconds = 900
        looking = tasks.create_task(run.glass.look())
        await mailing(office)
        assert await run.told() == []
        for _ in range(100):
            await run.told()
        assert not looking.done()
        await looking

        assert await run.told() == [1]


async def test_a_mail_that_is_on_its_way_when_the_agent_stops_is_remembered(
    site: Site, office: Office
) -> None:
    office.slow = 0.2
    async with site.agent() as run, asyncio.TaskGroup() as tasks:
        await run.put(alert(1))
        site.seconds = 900
        looking = tasks.create_task(run.glass.look())
        await mailing(office)
        looking.cancel()
        await asyncio.to_thread(run.glass.close)  # the mail server lives on this loop

        assert len(told.read(site.folder).ids) == 1


async def test_a_stop_waits_only_a_little_for_a_mail_server_that_does_not_answer(
    site: Site, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Collectors and spool are closed behind it, before systemd loses patience."""
    monkeypatch.setattr(break_glass, "CLOSE_SECONDS", 0.1)
    monkeypatch.setattr(smtp, "TAKE_SECONDS", 10.0)
    take, has, answers = office.handle_DATA, asyncio.Event(), asyncio.Event()

    async def silent(server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = await take(server, session, envelope)
        has.set()
        await answers.wait()
        return answer

    monkeypatch.setattr(office, "handle_DATA", silent)
    async with site.agent() as run, asyncio.TaskGroup() as tasks:
        await run.put(alert(1))
        site.seconds = 900
        looking = tasks.create_task(run.glass.look())
        await has.wait()
        looking.cancel()
        begun = time.monotonic()
        run.glass.close()

        assert time.monotonic() - begun < 5
        assert told.read(site.folder).ids == ()
        answers.set()
        monkeypatch.setattr(break_glass, "CLOSE_SECONDS", 20.0)
        await asyncio.to_thread(run.glass.close)


async def test_a_disk_that_takes_no_note_is_tried_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async with site.agent() as run:
        await run.put(alert(1))
        with monkeypatch.context() as broken:
            broken.setattr(told, "write", full)
            await run.at(15)
            assert run.glass.problem == "told.json cannot be written: No space left on device"
            assert await run.told() == [1]
        await run.at(16)

        assert len(told.read(site.folder).ids) == 1
        assert run.glass.problem == ""
