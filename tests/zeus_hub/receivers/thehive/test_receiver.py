"""Groups as alerts in TheHive: once, whatever happens on the way, and up to date."""

from dataclasses import dataclass, replace
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.zeus_hub.receivers.thehive.connected import connected, outlasted, settings
from tests.zeus_hub.receivers.thehive.hive import KEY, SITE, Hive, Reply, Request, error
from tests.zeus_hub.receivers.thehive.notices import GROUP, HOSTILE, UNHURRIED, hostile, notice
from tests.zeus_hub.receivers.thehive.queries import Row
from tests.zeus_hub.receivers.thehive.thehive_server import Fault, Server, Way
from zeus_hub.notice import Observable, Technique
from zeus_hub.receivers.contract import DownError, Receiver, RefusedError
from zeus_hub.receivers.thehive.description import told
from zeus_hub.receivers.thehive.receiver import MOST_BEGUN, MOST_OWN_COMMENTS, TYPES_SECONDS, TheHive

CREATE = "POST /api/v1/alert"


def only(server: Server) -> Row:
    """Return the one alert that there is."""
    (alert,) = server.hive.alerts.values()
    return alert


def comments(server: Server) -> list[str]:
    return [each["message"] for each in only(server)["comments"]]


def data(server: Server) -> dict[str, bool]:
    """Return observables and whether they are indicators; each is there once."""
    found = [(each["data"], each["ioc"]) for each in only(server)["observables"]]
    assert len(dict(found)) == len(found)
    return dict(found)


def a_receiver(made: TheHive) -> Receiver:
    """Return a TheHive as what it is to the hub; that this is so is for mypy to say."""
    return made


async def test_the_first_notice_makes_an_alert_with_all_that_is_known() -> None:
    async with connected(custom_fields={"alerts": "{count}", "client": "{client_name}"}) as (server, hive):
        receipt = await a_receiver(hive).send(notice())

        alert = only(server)
        assert receipt.reference == alert["_id"]
        assert receipt.warnings == ()
        assert (alert["type"], alert["source"], alert["sourceRef"]) == ("socme", "zeus", GROUP)
        assert alert["title"] == "sshd: brute force, Acme Ltd (203.0.113.7)"
        assert alert["severity"] == 3
        assert alert["customFields"] == {"alerts": 12, "client": "Acme Ltd"}
        assert data(server) == {"203.0.113.7": True, "10.0.0.5": False}
        assert [(each["patternId"], each["tactic"]) for each in alert["procedures"]] == [
            ("T1110.001", "credential-access")
        ]
        assert set(alert["tags"]) == {
            *("socme", "client:acme", "route:brute-force", "source:wazuh", "node:acme-1", "rule:5763"),
            "attack:T1110.001",
        }
        assert comments(server) == []


async def test_each_request_names_the_client_s_organisation() -> None:
    async with connected(organisations={"acme": "globex"}, organisation="acme") as (server, hive):
        await hive.send(notice())
        await hive.send(notice(client="initech"))

        assert sorted(each["organisation"] for each in server.hive.alerts.values()) == ["acme", "globex"]
        assert {each.headers["x-organisation"] for each in server.requests} == {"acme", "globex"}


async def test_a_client_without_an_organisation_is_refused_by_name() -> None:
    async with connected() as (server, hive):
        with pytest.raises(RefusedError, match='the client "initech" has no organisation'):
            await hive.send(notice(client="initech"))
        assert server.requests == []


async def test_later_notices_change_the_alert_and_comment_on_it() -> None:
    async with connected(custom_fields={"alerts": "{count}", "last-seen": "{last}"}) as (server, hive):
        first = await hive.send(notice())
        second = await hive.send(
            notice(
                2,
                severity=4,
                observables=(*notice().observables, Observable("domain", "evil.example")),
                techniques=(*notice().techniques, Technique("T1078", "Valid Accounts", ("Persistence",))),
            )
        )

        alert = only(server)
        assert second == first
        assert alert["severity"] == 4
        assert alert["customFields"]["alerts"] == 24
        assert data(server) == {"203.0.113.7": True, "10.0.0.5": False, "evil.example": True}
        assert [each["patternId"] for each in alert["procedures"]] == ["T1110.001", "T1078"]
        assert alert["description"].startswith("24 alerts, severity critical.")
        (comment,) = comments(server)
        assert comment == (
            "SOCme, notice 2: 12 more; 24 alerts in all, severity critical,"
            " the latest 2026-03-01 12:02:00 UTC."
        )


async def test_ten_thousand_alerts_are_one_alert_with_the_right_count() -> None:
    async with connected() as (server, hive):
        for number in range(1, 21):
            await hive.send(notice(number, count=500 * number, fresh=500))

        alert = only(server)
        assert alert["description"].startswith("10000 alerts, ")
        assert len(comments(server)) == 19
        assert len(alert["observables"]) == 2
        assert len(alert["procedures"]) == 1


async def test_a_notice_that_comes_again_changes_nothing() -> None:
    async with connected() as (server, hive):
        for number in (1, 2, 3):
            await hive.send(notice(number))
        before = repr(server.hive.alerts)

        for number in (3, 1, 2, 3):
            assert (await hive.send(notice(number))).reference == only(server)["_id"]

        assert repr(server.hive.alerts) == before


@pytest.mark.parametrize("way", ["cut", "cut before"])
@pytest.mark.parametrize("lost", range(13))
async def test_whatever_request_is_lost_all_is_told_once(way: Way, lost: int) -> None:
    """Two notices take thirteen requests; each in turn loses its answer, or never arrives."""
    async with connected() as (server, hive):
        fault = Fault(way, after=lost)
        server.faults.append(fault)
        news = notice(2, observables=(*notice().observables, Observable("domain", "evil.example")))
        refused = 0
        for each in (notice(), notice(), news, news, news):
            try:
                await hive.send(each)
            except DownError:
                refused += 1

        assert (fault.times, refused) == (0, 1)
        assert len(comments(server)) == 1
        assert data(server) == {"203.0.113.7": True, "10.0.0.5": False, "evil.example": True}
        assert len(only(server)["procedures"]) == 1
        assert only(server)["description"].startswith("24 alerts, ")


ways = st.sampled_from(("cut", "cut before", "answer"))
steps = st.tuples(st.integers(1, 4), st.one_of(st.none(), st.tuples(ways, st.integers(0, 9))))


@hypothesis.settings(UNHURRIED, max_examples=25)  # each takes many connections
@given(st.lists(steps, min_size=1, max_size=8))
async def test_any_notices_and_any_losses_end_in_one_alert_that_is_right(
    told: list[tuple[int, tuple[Way, int] | None]],
) -> None:
    """Each by a receiver of its own, as after a crash; the latest notice arrives in the end."""
    hive = Hive()
    for number, loss in [*told, (5, None)]:
        async with connected(hive) as (server, receiver):
            if loss is not None:
                server.faults.append(Fault(loss[0], after=loss[1]))
            domains = tuple(Observable("domain", f"{each}.example") for each in range(number))
            try:
                await receiver.send(notice(number, observables=domains))
            except DownError as error:
                assert loss is not None, error  # noqa: PT017 - only a loss is an excuse

    assert only(server)["description"].startswith("60 alerts, ")
    assert set(data(server)) == {f"{each}.example" for each in range(5)}
    assert len(only(server)["procedures"]) == 1
    headings = [each.partition(":")[0] for each in comments(server)]
    assert len(set(headings)) == len(headings)


async def test_an_alert_whose_creation_is_cut_off_is_not_made_again() -> None:
    async with connected() as (server, hive):
        server.faults.append(Fault("cut", on=CREATE))
        with pytest.raises(DownError, match="cannot be reached") as caught:
            await hive.send(notice())
        assert not caught.value.misconfigured

    await _is_made_whole(server)


async def test_an_alert_whose_creation_is_not_answered_is_not_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with connected() as (server, hive):
        fault = Fault("hang after", on=CREATE)
        server.faults.append(fault)

        error = await outlasted(hive.send(notice()), fault, monkeypatch)

        assert "did not answer within 20 seconds" in str(error)
        assert not error.misconfigured

    await _is_made_whole(server)


async def _is_made_whole(before: Server) -> None:
    """Look at a notice that comes again after a crash: nothing is remembered here."""
    async with connected(before.hive) as (server, hive):
        assert (await hive.send(notice())).reference == only(server)["_id"]
        assert server.posts() == 0
        assert len(only(server)["procedures"]) == 1


async def test_an_alert_that_appears_between_looking_and_making_is_taken_for_ours() -> None:
    async with connected() as (server, hive):
        await hive.send(notice())
        await hive.send(notice(group="f" * 32))
        server.faults.append(Fault("answer", on="POST /api/v1/query?name=get-alert", reply=Reply(200, [])))
        server.faults.append(Fault("answer", on="POST /api/v1/query?name=find-alert", reply=Reply(200, [])))

        receipt = await hive.send(notice(2))

        assert server.posts() == 3
        assert len(server.hive.alerts) == 2
        assert server.hive.alerts[receipt.reference]["description"].startswith("24 alerts, ")


async def test_an_alert_that_a_person_deleted_is_made_again_and_it_is_said() -> None:
    async with connected() as (server, hive):
        await hive.send(notice())
        server.hive.alerts.clear()

        receipt = await hive.send(notice(2))

        assert only(server)["description"].startswith("24 alerts, ")
        assert "deleted there" in receipt.warnings[0]
        assert comments(server) == []


async def test_no_alert_is_made_only_to_say_that_all_is_over() -> None:
    async with connected() as (server, hive):
        receipt = await hive.send(notice(4, reason="over"))

        assert (receipt.reference, server.hive.alerts) == ("", {})
        assert receipt.warnings


async def test_an_alert_that_is_deleted_while_it_is_changed_is_made_anew_the_next_time() -> None:
    async with connected() as (server, hive):
        await hive.send(notice())
        server.faults.append(
            Fault("answer", on="PATCH /api/v1/alert/", reply=error(404, "NotFoundError", "gone"))
        )

        with pytest.raises(DownError, match="deleted in TheHive meanwhile"):
            await hive.send(notice(2))


async def test_what_people_wrote_below_the_line_stays() -> None:
    async with connected() as (server, hive):
        await hive.send(notice())
        only(server)["description"] += "\nCalled the client at noon.\n\nThey know."

        await hive.send(notice(2))
        await hive.send(notice(3))

        description = only(server)["description"]
        assert description.startswith("36 alerts, ")
        assert description.endswith("\nCalled the client at noon.\n\nThey know.\n")


async def test_a_description_that_people_replaced_stays_and_comments_tell_the_news_once() -> None:
    async with connected() as (server, hive):
        await hive.send(notice())
        only(server)["description"] = "All mine."

        for number in (2, 2, 3, 2, 3):
            await hive.send(notice(number))

        assert only(server)["description"] == "All mine."
        assert [each.partition(":")[0] for each in comments(server)] == ["SOCme, notice 2", "SOCme, notice 3"]


async def test_a_severity_that_people_lowered_is_raised_only_where_ours_rises() -> None:
    async with connected() as (server, hive):
        await hive.send(notice())
        only(server)["severity"] = 1
        await hive.send(notice(2))
        assert only(server)["severity"] == 1

        await hive.send(notice(3, severity=4))
        assert only(server)["severity"] == 4


async def test_an_alert_that_became_a_case_is_told_on() -> None:
    async with connected() as (server, hive):
        await hive.send(notice())
        only(server)["stage"] = "Imported"

        assert (await hive.send(notice(2, reason="over"))).warnings == ()
        assert "all are closed in SOCme" in comments(server)[0]


async def test_that_a_closed_alert_goes_on_is_said_to_the_hub() -> None:
    async with connected() as (server, hive):
        await hive.send(notice())
        only(server)["stage"] = "Closed"

        (warning,) = (await hive.send(notice(2))).warnings
        assert "closed in TheHive" in warning
        assert (await hive.send(notice(3, reason="over"))).warnings == ()
        assert len(comments(server)) == 2


async def test_comments_end_where_there_are_too_many() -> None:
    async with connected() as (server, hive):
        await hive.send(notice())
        for number in range(2, MOST_OWN_COMMENTS + 10):
            only(server)["comments"].append({"message": f"SOCme, notice {number}: more"})

        await hive.send(notice(500))

        assert not any("notice 500" in each for each in comments(server))
        assert only(server)["description"].startswith("6000 alerts, ")


async def test_observables_end_where_an_alert_has_enough() -> None:
    async with connected() as (server, hive):
        await hive.send(notice())
        for step in range(2, 9):
            many = tuple(Observable("domain", f"{step}-{each}.example") for each in range(100))
            receipt = await hive.send(notice(step, observables=many))

        assert len(only(server)["observables"]) == 500
        assert "100 observables were left out" in receipt.warnings[0]


async def test_observables_have_types_that_the_site_has() -> None:
    few = replace(SITE, types={"ip": False, "other": False, "url": True})
    kinds = (
        Observable("ip", "203.0.113.7"),
        Observable("url", "http://evil.example"),
        Observable("domain", "evil.example"),
    )
    async with connected(Hive(site=few)) as (server, hive):
        await hive.send(notice(observables=kinds))

        assert [(each["dataType"], each["data"]) for each in only(server)["observables"]] == [
            ("ip", "203.0.113.7"),
            ("other", "http://evil.example"),
            ("other", "evil.example"),
        ]

    none = replace(SITE, types={"ip": False})
    async with connected(Hive(site=none)) as (server, hive):
        receipt = await hive.send(notice(observables=kinds))

        assert list(data(server)) == ["203.0.113.7"]
        assert len(receipt.warnings) == 2


async def test_thehive_gets_what_a_web_client_calls_itself_which_is_no_indicator() -> None:
    async with connected() as (server, hive):
        await hive.send(notice(observables=(Observable("user-agent", "curl/8.3.0"),)))

        [made] = only(server)["observables"]
        assert (made["dataType"], made["data"], made["ioc"]) == ("user-agent", "curl/8.3.0", False)


async def test_observables_that_differ_in_case_are_one_where_thehive_says_so() -> None:
    insensitive = replace(SITE, insensitive=frozenset({"domain"}))
    written = tuple(
        Observable(kind, data) for kind in ("domain", "url") for data in ("evil.example", "EVIL.example")
    )
    async with connected(Hive(site=insensitive)) as (server, hive):
        await hive.send(notice(observables=written[:1]))
        receipt = await hive.send(notice(2, observables=written))

        assert [(each["dataType"], each["data"]) for each in only(server)["observables"]] == [
            ("domain", "evil.example"),
            ("url", "evil.example"),
            ("url", "EVIL.example"),
        ]
        assert receipt.warnings == ()


async def test_a_thehive_that_does_not_tell_its_data_types_has_those_that_all_have() -> None:
    async with connected() as (server, hive):
        nothing = Reply(200, [])
        server.faults.append(Fault("answer", on="POST /api/v1/query?name=observable-types", reply=nothing))
        await hive.send(notice())

        assert list(data(server)) == ["203.0.113.7", "10.0.0.5"]


async def test_data_types_are_asked_for_once_an_hour_and_organisation() -> None:
    now = [0.0]
    async with connected(clock=lambda: now[0]) as (server, hive):
        for client in ("acme", "globex", "acme", "globex"):
            await hive.send(notice(client=client))
        assert server.asked("POST /api/v1/query?name=observable-types") == 2

        now[0] = TYPES_SECONDS
        await hive.send(notice())
        assert server.asked("POST /api/v1/query?name=observable-types") == 3


async def test_a_technique_that_thehive_does_not_know_is_a_warning_once() -> None:
    unknown = Technique("T9999", "New", ("Stealth",))
    async with connected() as (server, hive):
        first = await hive.send(notice(techniques=(unknown, *notice().techniques)))
        second = await hive.send(notice(2, techniques=(unknown, *notice().techniques)))

        assert first.warnings == (
            "TheHive refused the technique T9999: HTTP 400, BadRequest: Pattern T9999 not found",
        )
        assert second.warnings == ()
        assert [each["patternId"] for each in only(server)["procedures"]] == ["T1110.001"]


async def test_an_alert_of_which_one_part_is_refused_goes_without_that_part() -> None:
    async with connected(custom_fields={"unknown": "{count}"}) as (server, hive):
        first = await hive.send(notice())
        second = await hive.send(notice(2))

        assert "took it piece by piece" in first.warnings[0]
        assert "CustomField unknown not found" in first.warnings[0]
        assert "CustomField unknown not found" in second.warnings[0]
        assert only(server)["description"].startswith("24 alerts, ")
        assert data(server) == {"203.0.113.7": True, "10.0.0.5": False}
        assert len(comments(server)) == 1


ODD = error(400, "BadRequest", "an odd observable")
WHOLE: dict[str, Any] = {
    "custom_fields": {"client": "{client_name}", "alerts": "{count}"},
    "link": "https://soc.example/?q={group}",
    "case_template": "Brute force",
}


async def test_an_observable_that_thehive_refuses_keeps_out_nothing_else_of_the_alert() -> None:
    """Whoever attacks may have chosen it."""
    async with connected(**WHOLE) as (server, hive):
        server.faults.append(Fault("answer", on=CREATE, reply=ODD))
        receipt = await hive.send(notice())

        alert = only(server)
        assert alert["customFields"] == {"client": "Acme Ltd", "alerts": 12}
        assert alert["externalLink"] == f"https://soc.example/?q={GROUP}"
        assert alert["caseTemplate"] == "Brute force"
        assert [each.partition(":")[0] for each in receipt.warnings] == [
            "TheHive refused the alert as a whole, and took it piece by piece"
        ]


async def test_an_alert_that_was_begun_before_a_crash_gets_all_that_it_was_to_have() -> None:
    async with connected(**WHOLE) as (server, hive):
        server.faults += [Fault("answer", on=CREATE, reply=ODD), Fault("cut before", on="PATCH")]
        with pytest.raises(DownError):
            await hive.send(notice())
        assert only(server)["customFields"] == {}

        await hive.send(notice(2))
        assert only(server)["customFields"] == {"client": "Acme Ltd", "alerts": 24}
        assert "externalLink" in only(server)
        only(server)["customFields"]["client"] = "what people wrote"
        await hive.send(notice(3))
        assert only(server)["customFields"] == {"client": "what people wrote", "alerts": 36}


@pytest.mark.parametrize("replaces", [True, False])
async def test_custom_fields_that_an_alert_has_stay_whatever_an_update_means_to_thehive(
    replaces: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    async with connected(Hive(replaces=replaces), **WHOLE) as (server, hive):
        await hive.send(notice())
        only(server)["customFields"] |= {"client": "what people wrote", "last-seen": 1_790_000_000_000}
        await hive.send(notice(2))

        assert only(server)["customFields"] == {
            "client": "what people wrote",
            "last-seen": 1_790_000_000_000,
            "alerts": 24,
        }


@dataclass
class Lively(Hive):
    """A TheHive in which somebody fills in a custom field while a notice is on its way."""

    when: str = ""
    """At the first request that begins so."""

    def answer(self, request: Request) -> Reply:
        """Answer, and fill it in."""
        reply = super().answer(request)
        if self.when and f"{request.method} {request.target}".startswith(self.when):
            self.when = ""
            (alert,) = self.alerts.values()
            alert["customFields"] |= {"client": "what people wrote", "last-seen": 1_790_000_000_000}
        return reply


@pytest.mark.parametrize(
    ("when", "others"), [("POST /api/v1/alert/~4096/comment", {}), ("PATCH", {"unknown": "{count}"})]
)
async def test_custom_fields_that_people_fill_in_while_a_notice_is_on_its_way_stay(
    when: str, others: dict[str, str]
) -> None:
    fields = WHOLE["custom_fields"]
    async with connected(Lively(), **WHOLE | {"custom_fields": fields}) as (server, hive):
        await hive.send(notice())
        assert isinstance(server.hive, Lively)
        server.hive.when = when
        async with connected(server.hive, **WHOLE | {"custom_fields": fields | others}) as (_, later):
            await later.send(notice(2))

        assert only(server)["customFields"] == {
            "client": "what people wrote",
            "last-seen": 1_790_000_000_000,
            "alerts": 24,
        }


async def test_a_case_template_that_thehive_refuses_is_left_out_with_a_warning() -> None:
    async with connected(**WHOLE) as (server, hive):
        server.faults.append(Fault("answer", on=CREATE, reply=error(400, "BadRequest", "?"), times=2))
        receipt = await hive.send(notice())

        assert "caseTemplate" not in only(server)
        assert only(server)["customFields"] == {"client": "Acme Ltd", "alerts": 12}
        assert receipt.warnings[0] == (
            'TheHive refused the case template "Brute force": HTTP 400, BadRequest: ?'
        )


@pytest.mark.parametrize("replaces", [True, False])
async def test_a_custom_field_that_thehive_refuses_keeps_out_neither_the_others_nor_the_link(
    replaces: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    fields = {"client": "{client_name}", "unknown": "x", "alerts": "{count}"}
    async with connected(Hive(replaces=replaces), **WHOLE | {"custom_fields": fields}) as (server, hive):
        receipt = await hive.send(notice())

        assert only(server)["customFields"] == {"client": "Acme Ltd", "alerts": 12}
        assert "externalLink" in only(server)
        assert only(server)["description"].startswith("12 alerts, ")
        (warning,) = [each for each in receipt.warnings if "custom field unknown" in each]
        assert warning.endswith("HTTP 400, BadRequest: customFields: CustomField unknown not found")


async def test_what_was_refused_is_not_tried_again_where_the_notice_is() -> None:
    """Else one that takes longer than it may, for what is refused, would be begun anew for ever."""
    unknown = tuple(Technique(f"T9{number:03}", "New", ("Stealth",)) for number in range(9))
    odd = tuple(Observable("domain", f"{each}.example") for each in range(3))
    techniques = "POST /api/v1/alert/~4096/procedure"
    async with connected() as (server, hive):
        await hive.send(notice(observables=(), techniques=()))
        server.faults += [
            Fault("answer", on="POST /api/v1/alert/~4096/observable", reply=ODD, times=10**6),
            Fault("cut before", on=techniques, after=6),
            Fault("cut before", on="PATCH"),
        ]
        tried: list[tuple[int, int]] = []
        for _ in range(2):
            with pytest.raises(DownError):
                await hive.send(notice(2, observables=odd, techniques=unknown))
            tried.append((server.asked("POST /api/v1/alert/~4096/observable"), server.asked(techniques)))
        receipt = await hive.send(notice(2, observables=odd, techniques=unknown))

        assert tried == [(5, 7), (5, 10)], "6 were refused, and then 3"
        assert server.asked(techniques) == 10
        assert len(receipt.warnings) == 10, "and all of it is told"
        assert hive._refusals == {}


async def test_what_was_refused_is_tried_again_once_people_have_mended_something() -> None:
    async with connected() as (server, hive):
        await hive.send(notice(observables=(), techniques=()))
        server.hive.licence = {"isValid": False, "error": "expired"}
        with pytest.raises(DownError, match="read-only"):
            await hive.send(notice(2))
        server.hive.licence = {"isValid": True}
        receipt = await hive.send(notice(2))

        assert receipt.warnings == ()
        assert len(data(server)) == 2
        assert len(only(server)["procedures"]) == 1


async def test_what_was_refused_of_too_many_alerts_is_forgotten() -> None:
    unknown = (Technique("T9999", "New", ("Stealth",)),)
    async with connected() as (server, hive):
        server.faults.append(Fault("cut before", on="PATCH", times=10**6))
        for number in range(MOST_BEGUN + 3):
            with pytest.raises(DownError):
                await hive.send(notice(group=f"{number:032x}", techniques=unknown))

        assert len(hive._refusals) == MOST_BEGUN


async def test_one_observable_that_thehive_refuses_does_not_keep_out_the_others() -> None:
    async with connected() as (server, hive):
        await hive.send(notice(observables=()))
        server.faults.append(
            Fault("answer", on="POST /api/v1/alert/~", reply=error(400, "BadRequest", "no"), times=2)
        )

        receipt = await hive.send(
            notice(2, observables=tuple(Observable("domain", f"{each}.example") for each in range(3)))
        )

        assert list(data(server)) == ["1.example", "2.example"]
        assert receipt.warnings == ("TheHive refused an observable of type domain: HTTP 400, BadRequest: no",)


async def test_observables_that_are_all_refused_are_not_all_tried() -> None:
    async with connected() as (server, hive):
        await hive.send(notice(observables=()))
        before = len(server.requests)
        server.faults.append(
            Fault("answer", on="POST /api/v1/alert/", reply=error(400, "BadRequest", "no"), times=10**6)
        )

        many = tuple(Observable("domain", f"{each}.example") for each in range(100))
        receipt = await hive.send(notice(2, observables=many))

        assert only(server)["observables"] == []
        assert len(server.requests) - before < 50
        assert receipt.warnings


async def test_what_thehive_refuses_for_good_is_refused_with_its_reason() -> None:
    async with connected() as (server, hive):
        server.faults.append(
            Fault("answer", on=CREATE, reply=error(400, "BadRequest", "the moon is full"), times=2)
        )
        with pytest.raises(RefusedError, match="the moon is full"):
            await hive.send(notice())

        await hive.send(notice())
        server.faults.append(
            Fault("answer", on="PATCH ", reply=error(400, "BadRequest", "the moon is full"), times=2)
        )
        with pytest.raises(RefusedError, match="the moon is full"):
            await hive.send(notice(2))


@pytest.mark.parametrize("status", [404, 413, 400])
async def test_an_endpoint_that_is_not_there_or_takes_no_more_refuses_for_good(status: int) -> None:
    async with connected() as (server, hive):
        page = Reply(status, b"<html><a href='https://evil.example'>Sorry</a></html>")
        server.faults.append(Fault("answer", on=CREATE, reply=page, times=2))

        with pytest.raises(RefusedError, match=f"HTTP {status}$"):
            await hive.send(notice())


@pytest.mark.parametrize("on", ["POST /api/v1/query", CREATE, "PATCH /api/v1/alert"])
@pytest.mark.parametrize(
    ("reply", "words", "misconfigured", "after"),
    [
        (Reply(500, b"<html>oops</html>"), "HTTP 500", False, None),
        (error(503, "GenericError", "starting"), "starting", False, None),
        (Reply(429, b"slow down", {"Retry-After": "120"}), "HTTP 429", False, 120.0),
        (Reply(503, b"", {"Retry-After": "99999999"}), "HTTP 503", False, 3600.0),
        (error(401, "AuthenticationError", "no"), "refuses the API key", True, None),
        (Reply(401, b"<html>"), "refuses the API key", True, None),
        (error(403, "AuthorizationError", "no"), 'in the organisation "acme"', True, None),
        (Reply(302, b"", {"Location": "https://login.example"}), "is no TheHive", True, None),
    ],
)
async def test_what_is_not_now_is_tried_again_and_told_apart(
    on: str, reply: Reply, words: str, misconfigured: object, after: float | None
) -> None:
    async with connected() as (server, hive):
        server.faults.append(Fault("answer", on=on, reply=reply))
        with pytest.raises(DownError, match=words) as caught:
            await hive.send(notice())

        assert caught.value.misconfigured is misconfigured
        assert caught.value.retry_after == after
        assert caught.value.part == ("organisation acme" if "organisation" in words else "")
        await hive.send(notice())
        assert len(only(server)["procedures"]) == 1


@pytest.mark.parametrize(
    "body", [b"<html>Welcome</html>", b"", b"[" * 100_000, b"{}", b'"x"', b"\xff", b"null"]
)
@pytest.mark.parametrize("on", ["POST /api/v1/query", CREATE])
async def test_a_good_answer_that_is_none_is_no_success(on: str, body: bytes) -> None:
    async with connected() as (server, hive):
        server.faults.append(Fault("answer", on=on, reply=Reply(200, body)))

        with pytest.raises(DownError, match="no TheHive"):
            await hive.send(notice())
        await hive.send(notice())
        assert len(server.hive.alerts) == 1


@pytest.mark.parametrize("status", [400, 402, 403, 405, 422])
async def test_a_thehive_that_is_read_only_is_told_and_nothing_is_given_up(status: int) -> None:
    async with connected() as (server, hive):
        await hive.send(notice())
        server.hive.read_only_status = status
        server.hive.licence = {"isValid": False, "error": "expired"}

        for each in (notice(group="f" * 32), notice(2)):
            with pytest.raises(
                DownError, match=r"read-only, for its licence is not valid \(expired\)"
            ) as caught:
                await hive.send(each)
            assert caught.value.misconfigured


async def test_what_a_user_may_not_add_is_left_out_with_a_warning() -> None:
    few = frozenset({"manageAlert/create", "manageAlert/update"})
    async with connected(Hive(memberships={"acme": few})) as (server, hive):
        await hive.send(notice())
        receipt = await hive.send(notice(2, observables=(Observable("domain", "evil.example"),)))

        assert only(server)["description"].startswith("24 alerts, ")
        assert len(receipt.warnings) == 2


async def test_a_user_who_may_not_make_alerts_is_named_with_the_organisation() -> None:
    async with connected(Hive(memberships={"acme": frozenset()})) as (_, hive):
        with pytest.raises(DownError, match=r'in the organisation "acme".*manageAlert/create') as caught:
            await hive.send(notice())
        assert caught.value.misconfigured


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_arrives_and_does_no_harm(text: str) -> None:
    async with connected(custom_fields={"client": "{client_name}"}) as (server, hive):
        for number in (1, 2):
            assert (await hive.send(hostile(text, number))).reference

        alert = only(server)
        assert told(alert["description"]) == replace_number(alert, 2)
        html = MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(alert["description"])
        assert not any(
            f"<{tag}" in html for tag in ("a ", "img", "script", "pre", "table", "h1", "hr", "input")
        )
        assert "\n" not in alert["title"]
        assert all(ord(sign) > 31 for each in (alert["title"], *alert["tags"]) for sign in each)
        assert len(comments(server)) == 1


def replace_number(alert: Row, number: int) -> Any:  # noqa: ANN401 - Told
    """Return what the description of an alert should tell."""
    found = told(alert["description"])
    assert found is not None
    return replace(found, number=number, remark="")


async def test_the_key_is_in_no_error() -> None:
    async with connected() as (server, hive):
        echo = error(400, "BadRequest", f"no header Authorization: Bearer {KEY} please")
        for reply in (echo, replace(echo, status=500), replace(echo, status=401), replace(echo, status=403)):
            server.faults.append(Fault("answer", on=CREATE, reply=reply, times=2))
            with pytest.raises((DownError, RefusedError)) as caught:
                await hive.send(notice())
            server.faults.clear()
            assert KEY not in str(caught.value)
    assert KEY not in repr(settings())
