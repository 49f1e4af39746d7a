"""The strict TheHive is kept honest by the client of TheHive's own makers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pytest
from thehive4py.client import TheHiveApi
from thehive4py.errors import TheHiveError
from thehive4py.query.filters import Eq, Gte
from thehive4py.query.page import Paginate
from thehive4py.query.sort import Desc
from thehive4py.types.alert import InputAlert

from tests.zeus_hub.receivers.thehive.hive import KEY, SITE
from tests.zeus_hub.receivers.thehive.thehive_server import Fault, Server, serving

Result = TypeVar("Result")
LEAST: InputAlert = {
    "type": "socme",
    "source": "zeus",
    "sourceRef": "1",
    "title": "sshd: brute force",
    "description": "Somebody knocks.",
}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


async def _ask(
    server: Server, ask: Callable[[TheHiveApi], Result], *, key: str = KEY, organisation: str = "acme"
) -> Result:
    """Ask with the other client, which waits in a thread and asks once."""

    def asking() -> Result:
        client = TheHiveApi(server.url, apikey=key, organisation=organisation, max_retries=0)
        try:
            return ask(client)
        finally:
            client.session.close()

    return await asyncio.to_thread(asking)


async def _refusal(server: Server, ask: Callable[[TheHiveApi], object], **who: str) -> TheHiveError:
    with pytest.raises(TheHiveError) as caught:
        await _ask(server, ask, **who)
    return caught.value


def _status(error: TheHiveError) -> int:
    assert error.response is not None
    return error.response.status_code


async def test_an_alert_is_made_found_and_changed(server: Server) -> None:
    made = await _ask(
        server,
        lambda hive: hive.alert.create(
            {
                **LEAST,
                "severity": 3,
                "tags": ["a"],
                "observables": [{"dataType": "ip", "data": "203.0.113.7"}],
                "customFields": {"alerts": 3},
                "procedures": [{"patternId": "T1078", "occurDate": 1, "tactic": "persistence"}],
            }
        ),
    )
    assert (made["severityLabel"], made["stage"], made["observableCount"]) == ("HIGH", "New", 1)

    await _ask(server, lambda hive: hive.alert.update(made["_id"], {"addTags": ["b"], "severity": 4}))

    found = await _ask(
        server,
        lambda hive: hive.alert.find(Eq("sourceRef", "1") & Gte("severity", 4), Desc("date"), Paginate(0, 5)),
    )
    named = await _ask(server, lambda hive: hive.alert.get("socme;zeus;1"))
    assert [each["_id"] for each in found] == [named["_id"]] == [made["_id"]]
    assert named.get("tags") == ["a", "b"]
    assert named["_updatedAt"] > named["_createdAt"]
    assert await _ask(server, lambda hive: hive.alert.count(Eq("type", "other"))) == 0


async def test_what_an_alert_holds_is_added_to_it(server: Server) -> None:
    alert = (await _ask(server, lambda hive: hive.alert.create(LEAST)))["_id"]

    await _ask(
        server,
        lambda hive: hive.alert.create_observable(
            alert, {"dataType": "url", "data": ["http://a", "http://b"]}
        ),
    )
    await _ask(
        server, lambda hive: hive.alert.create_procedure(alert, {"patternId": "T1110.001", "occurDate": 1})
    )
    await _ask(server, lambda hive: hive.comment.create_in_alert(alert, {"message": "Seen."}))

    observables = await _ask(server, lambda hive: hive.alert.find_observables(alert))
    procedures = await _ask(server, lambda hive: hive.alert.find_procedures(alert))
    comments = await _ask(server, lambda hive: hive.alert.find_comments(alert))
    assert [each.get("data") for each in observables] == ["http://a", "http://b"]
    assert [each.get("patternId") for each in procedures] == ["T1110.001"]
    assert [each["message"] for each in comments] == ["Seen."]


async def test_an_alert_becomes_a_case_which_is_closed(server: Server) -> None:
    alert = (await _ask(server, lambda hive: hive.alert.create(LEAST)))["_id"]

    case = await _ask(server, lambda hive: hive.alert.promote_to_case(alert))
    await _ask(
        server,
        lambda hive: hive.case.update(
            str(case["number"]), {"status": "FalsePositive", "summary": "A scanner of ours."}
        ),
    )

    assert (await _ask(server, lambda hive: hive.alert.get(alert)))["stage"] == "Imported"
    closed = await _ask(server, lambda hive: hive.case.get(case["_id"]))
    assert (closed["stage"], closed.get("summary")) == ("Closed", "A scanner of ours.")
    assert _status(await _refusal(server, lambda hive: hive.alert.promote_to_case(alert))) == 400


async def test_the_user_and_the_site_say_what_they_are(server: Server) -> None:
    user = await _ask(server, lambda hive: hive.user.get_current(), organisation="globex")
    types = await _ask(server, lambda hive: hive.observable_type.find())
    fields = await _ask(server, lambda hive: hive.custom_field.list())

    assert user["organisation"] == "globex"
    assert "manageAlert/create" in user.get("permissions", [])
    assert {each["name"] for each in types} == set(SITE.types)
    assert {each["name"] for each in fields} == set(SITE.fields)


async def test_an_alert_is_made_once_in_each_organisation(server: Server) -> None:
    await _ask(server, lambda hive: hive.alert.create(LEAST))

    again = await _refusal(server, lambda hive: hive.alert.create(LEAST))
    other = await _ask(server, lambda hive: hive.alert.create(LEAST), organisation="globex")

    assert _status(again) == 400
    assert str(again).startswith("CreateError - Alert socme:zeus:1 already exist")
    assert _status(await _refusal(server, lambda hive: hive.alert.get(other["_id"]))) == 404
    assert len(server.hive.alerts) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"colour": "red"},
        {"title": ""},
        {"title": "x" * 513},
        {"title": "\U0001f680" * 257},
        {"type": "a;b"},
        {"source": "s" * 33},
        {"severity": 5},
        {"severity": True},
        {"severity": "3"},
        {"tlp": 5},
        {"pap": 4},
        {"externalLink": ""},
        {"tags": [""]},
        {"tags": "a"},
        {"date": 1.5},
        {"status": "Solved"},
        {"customFields": {"unknown": 1}},
        {"customFields": {"alerts": "many"}},
        {"customFields": [{"name": "alerts"}]},
        {"observables": [{"dataType": "ip"}]},
        {"observables": [{"dataType": "address", "data": "203.0.113.7"}]},
        {"observables": [{"dataType": "file", "data": "x"}]},
        {"observables": [{"dataType": "ip", "data": "x" * 4097}]},
        {"observables": [{"dataType": "ip", "data": "a"}, {"dataType": "ip", "data": ["a"]}]},
        {"procedures": [{"patternId": "T9999", "occurDate": 1}]},
        {"procedures": [{"patternId": "T1078", "occurDate": 1, "tactic": "Persistence"}]},
    ],
)
async def test_an_alert_with_anything_wrong_is_refused_as_a_whole(
    server: Server, wrong: dict[str, Any]
) -> None:
    alert: Any = {**LEAST, **wrong}

    assert _status(await _refusal(server, lambda hive: hive.alert.create(alert))) == 400
    assert server.hive.alerts == {}


async def test_who_may_not_is_told_so(server: Server) -> None:
    server.hive.memberships["acme"] -= {"manageAlert/create"}

    wrong_key = await _refusal(server, lambda hive: hive.alert.create(LEAST), key="x" * 32)
    no_member = await _refusal(server, lambda hive: hive.alert.create(LEAST), organisation="initech")
    forbidden = await _refusal(server, lambda hive: hive.alert.create(LEAST))

    assert [_status(each) for each in (wrong_key, no_member, forbidden)] == [401, 403, 403]
    assert "manageAlert/create" in str(forbidden)


async def test_without_a_licence_it_is_read_and_not_written(server: Server) -> None:
    server.hive.licence["isValid"] = False

    assert "LicenseError" in str(await _refusal(server, lambda hive: hive.alert.create(LEAST)))
    assert await _ask(server, lambda hive: hive.alert.find()) == []


async def test_a_fault_happens_as_often_as_it_should(server: Server) -> None:
    server.faults.append(Fault("answer", on="GET /api/v1/user"))

    assert _status(await _refusal(server, lambda hive: hive.user.get_current())) == 500
    assert (await _ask(server, lambda hive: hive.user.get_current()))["login"] == "socme@acme"
