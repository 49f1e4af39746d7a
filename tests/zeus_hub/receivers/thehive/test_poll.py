"""Asking TheHive what became of our alerts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.zeus_hub.receivers.thehive.connected import connected, of, settings
from tests.zeus_hub.receivers.thehive.hive import Desk, Reply
from tests.zeus_hub.receivers.thehive.notices import notice
from tests.zeus_hub.receivers.thehive.thehive_server import Fault, Server
from zeus_hub.receivers.contract import DownError
from zeus_hub.receivers.thehive import poll as poll_module
from zeus_hub.receivers.thehive.outcome import OVERLAP, Hint, Mark
from zeus_hub.receivers.thehive.poll import Poll
from zeus_hub.receivers.thehive.receiver import TheHive


@asynccontextmanager
async def polled() -> AsyncIterator[tuple[Server, TheHive, Poll, Desk]]:
    """Serve a TheHive with a receiver, someone who asks, and a person at a desk of acme."""
    async with connected() as (server, hive):
        poll = Poll(settings(server.url), now=lambda: of(server.hive))
        try:
            yield server, hive, poll, Desk(server.hive, "acme")
        finally:
            await poll.close()


def _resolve(desk: Desk, reference: str) -> str:
    """Make a case of an alert and close it; return the case's id."""
    desk.promote(desk.find("alert", reference), {})
    case = str(desk.find("alert", reference)["caseId"])
    desk.update_case(desk.find("case", case), {"status": "TruePositive", "summary": "Blocked."})
    return case


async def test_an_alert_that_became_a_case_is_told_once() -> None:
    async with polled() as (server, hive, poll, desk):
        start = Mark(server.hive.now)
        reference = (await hive.send(notice())).reference
        desk.promote(desk.find("alert", reference), {})

        found = await poll.alerts("acme", start)
        again = await poll.alerts("acme", found.mark)

        (outcome,) = found.outcomes
        assert (outcome.stage, outcome.group, outcome.number) == ("Imported", notice().group, 1)
        assert outcome.reference == reference
        assert again.outcomes == ()
        assert again.mark == found.mark


async def test_an_alert_that_was_closed_is_told_by_its_stage() -> None:
    async with polled() as (server, hive, poll, desk):
        start = Mark(server.hive.now)
        reference = (await hive.send(notice())).reference
        desk.update(desk.find("alert", reference), {"status": "Duplicate"})

        (outcome,) = (await poll.alerts("acme", start)).outcomes
        assert (outcome.stage, outcome.status) == ("Closed", "Duplicate")


async def test_a_case_that_was_closed_tells_its_resolution_to_every_alert_of_ours() -> None:
    async with polled() as (server, hive, poll, desk):
        start = Mark(server.hive.now)
        one, two = [(await hive.send(notice(group=each * 32))).reference for each in "ab"]
        case = _resolve(desk, one)
        for merged in (two, _foreign(desk, "1")):
            server.hive.alerts[merged]["caseId"] = case
        _resolve(desk, _foreign(desk, "2"))

        found = await poll.cases("acme", start)

        assert [(each.of, each.reference, each.group) for each in found.outcomes] == [
            ("case", one, "a" * 32),
            ("case", two, "b" * 32),
        ]
        assert {(each.stage, each.status, each.summary) for each in found.outcomes} == {
            ("Closed", "TruePositive", "Blocked.")
        }
        assert (await poll.cases("acme", found.mark)).outcomes == ()


async def test_what_becomes_visible_late_is_told_all_the_same() -> None:
    async with polled() as (_, hive, poll, desk):
        reference = (await hive.send(notice())).reference
        alert = desk.find("alert", reference)
        desk.update(alert, {"status": "Ignored"})
        mark = Mark(alert["_updatedAt"] + OVERLAP)

        assert len((await poll.alerts("acme", mark)).outcomes) == 1
        assert (await poll.alerts("acme", Mark(mark.at + 1))).outcomes == ()


async def test_many_changes_are_read_in_pages_and_over_several_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_module, "PAGE", 5)
    monkeypatch.setattr(poll_module, "MOST_PAGES", 3)
    async with polled() as (server, _, poll, desk):
        mark = Mark(server.hive.now)
        for number in range(40):
            made = desk.find("alert", _foreign(desk, str(number), type="socme", source="zeus"))
            desk.update(made, {"status": "Ignored"})
        told, polls = [], 0
        while not polls or mark.behind:
            found = await poll.alerts("acme", mark)
            mark, polls = found.mark, polls + 1
            told += [each.group for each in found.outcomes]

        assert told == [str(number) for number in range(40)]
        assert polls > 2


async def test_an_organisation_hears_nothing_of_another() -> None:
    async with polled() as (server, hive, poll, desk):
        start = Mark(server.hive.now)
        _resolve(desk, (await hive.send(notice())).reference)

        assert (await poll.alerts("globex", start)).outcomes == ()
        assert (await poll.cases("globex", start)).outcomes == ()


async def test_a_hint_is_read_again_and_not_believed() -> None:
    async with polled() as (_, hive, poll, desk):
        reference = (await hive.send(notice())).reference
        case = _resolve(desk, reference)
        foreign = _foreign(desk, "1")
        desk.update(desk.find("alert", foreign), {"status": "Ignored"})

        (of_alert,) = await poll.look("acme", Hint("alert", reference))
        (of_case,) = await poll.look("acme", Hint("case", case))

        assert (of_alert.stage, of_case.stage) == ("Imported", "Closed")
        for nothing in (
            Hint("alert", "~999"),
            Hint("case", "~999"),
            Hint("alert", foreign),
            Hint("case", reference),
        ):
            assert await poll.look("acme", nothing) == ()
        assert await poll.look("globex", Hint("case", case)) == ()


async def test_a_thehive_that_is_away_says_nothing_about_outcomes() -> None:
    async with polled() as (server, _, poll, _):
        for fault in (Fault("cut"), Fault("answer"), Fault("answer", reply=Reply(200, b"<html>"))):
            server.faults.append(fault)
            with pytest.raises(DownError):
                await poll.cases("acme", Mark(0))


async def test_cases_are_read_a_page_at_a_time_for_each_is_a_question_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reading begins again with those that were told before; what became visible late among them is found."""
    monkeypatch.setattr(poll_module, "PAGE", 2)
    async with polled() as (server, hive, poll, desk):
        mark, steps = Mark(server.hive.now), list[list[str]]()
        groups = [each * 32 for each in "abcdef"]
        cases = [_resolve(desk, (await hive.send(notice(group=group))).reference) for group in groups]
        late = server.hive.cases.pop(cases.pop())
        late["_updatedAt"] = server.hive.cases[cases[3]]["_updatedAt"]
        for _ in "12":
            mark = await _caught_up(poll, mark, steps)
            server.hive.cases[late["_id"]] = late

    assert [group for step in steps for group in step] == groups
    assert max(len(step) for step in steps) == 2


async def test_changes_of_one_moment_are_read_together_and_a_server_that_repeats_itself_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(poll_module, "PAGE", 2)
    monkeypatch.setattr(poll_module, "MOST_PAGES", 1)
    monkeypatch.setattr(poll_module, "MOST_PAGES_EVER", 9)
    async with polled() as (server, _, poll, desk):
        mark = Mark(server.hive.now)
        for number in range(7):
            made = desk.find("alert", _foreign(desk, str(number), type="socme", source="zeus"))
            desk.update(made, {"status": "Ignored"})
            made["_updatedAt"] = mark.at + 1
        first = await poll.alerts("acme", mark)
        found = await poll.alerts("acme", first.mark)
        told = [each.group for each in (*first.outcomes, *found.outcomes)]
        assert told == [str(number) for number in range(7)]
        assert not found.mark.behind

        page = [{key: made[key] for key in ("_id", "_updatedAt", "type", "source", "sourceRef", "stage")}] * 2
        server.faults.append(Fault("answer", reply=Reply(200, page), times=10**6))
        stuck = await poll.alerts("acme", found.mark)
        assert stuck.outcomes == ()
        assert (await poll.alerts("acme", stuck.mark)).mark == stuck.mark


async def test_what_people_wrote_into_alerts_does_not_keep_their_case_from_being_read() -> None:
    async with polled() as (server, hive, poll, desk):
        start = Mark(server.hive.now)
        one = (await hive.send(notice())).reference
        case = _resolve(desk, one)
        for each in "abcdefghijklmnopqr":
            other = (await hive.send(notice(group=each * 32))).reference
            server.hive.alerts[other] |= {"caseId": case, "summary": "x" * 1_000_000}

        assert len((await poll.cases("acme", start)).outcomes) == 19


async def test_a_licence_that_ends_soon_or_has_ended_is_told() -> None:
    async with polled() as (server, _, poll, _):
        assert await poll.warning() == ""
        server.hive.licence["expiresAt"] = server.hive.now + 86_400_000
        assert "its licence ends on" in await poll.warning()
        server.hive.licence["isValid"] = False
        assert "read-only" in await poll.warning()


async def test_clients_belong_to_the_organisation_that_is_told_of_them() -> None:
    poll = Poll(settings(organisations={"acme": "ACME"}, organisation="rest"))

    assert poll.organisations == ("ACME", "rest")
    assert poll.concerns("ACME", "acme")
    assert poll.concerns("rest", "beta")
    assert not poll.concerns("rest", "acme")
    assert not poll.concerns("ACME", "beta")
    await poll.close()


async def _caught_up(poll: Poll, mark: Mark, steps: list[list[str]]) -> Mark:
    """Read of cases all that there is; note the groups of each step, and return the mark behind the last."""
    while True:
        found = await poll.cases("acme", mark)
        mark = found.mark
        steps.append([each.group for each in found.outcomes])
        if not mark.behind:
            return mark


def _foreign(desk: Desk, reference: str, **changes: str) -> str:
    """Make an alert as others do; return its id."""
    alert = {"type": "misp", "source": "feed", "sourceRef": reference, "title": "x", "description": "x"}
    reply = desk.create({**alert, **changes})
    assert isinstance(reply.body, dict)
    return str(reply.body["_id"])
