"""The calls to TheHive: what its answers are taken for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.zeus_hub.receivers.thehive.connected import settings
from tests.zeus_hub.receivers.thehive.hive import SITE, Reply, error
from tests.zeus_hub.receivers.thehive.thehive_server import Fault, Server, serving
from zeus_hub.receivers.contract import DownError
from zeus_hub.receivers.thehive.api import Api, Key, held
from zeus_hub.receivers.thehive.line import Line

KEY = Key("socme", "zeus", "1")
ROW: dict[str, Any] = {"_id": "~1", "type": "socme", "source": "zeus", "sourceRef": "1"}
BODY = {"type": "socme", "source": "zeus", "sourceRef": "1", "title": "x", "description": "y"}
BY_NAME = "POST /api/v1/query?name=get-alert"


@asynccontextmanager
async def desk() -> AsyncIterator[tuple[Server, Api]]:
    async with serving() as server:
        line = Line(settings(server.url))
        try:
            yield server, Api(line, "acme")
        finally:
            await line.close()


async def test_an_alert_is_found_by_its_name_and_otherwise_by_searching() -> None:
    async with desk() as (server, api):
        assert await api.find(KEY) is None
        await api.create(BODY)

        by_name = await api.find(KEY)
        server.faults.append(Fault("answer", on=BY_NAME, reply=Reply(200, [])))
        by_search = await api.find(KEY)

        assert by_name == by_search
        assert by_name is not None
        assert (by_name.id, by_name.description, by_name.stage) == ("~4096", "y", "New")


@pytest.mark.parametrize("status", [400, 404])
async def test_an_alert_that_thehive_does_not_know_is_not_there(status: int) -> None:
    async with desk() as (server, api):
        server.faults.append(Fault("answer", on=BY_NAME, reply=error(status, "NotFoundError", "no")))

        assert await api.find(KEY) is None


@pytest.mark.parametrize(
    "reply", [Reply(404, b"<html>"), Reply(200, {"x": 1}), Reply(418, b""), Reply(200, 7)]
)
async def test_what_is_no_answer_does_not_say_that_there_is_no_alert(reply: Reply) -> None:
    async with desk() as (server, api):
        server.faults.append(Fault("answer", on=BY_NAME, reply=reply))

        with pytest.raises(DownError) as caught:
            await api.find(KEY)
        assert caught.value.misconfigured


async def test_a_question_that_is_refused_says_why() -> None:
    async with desk() as (server, api):
        server.faults.append(Fault("answer", reply=error(400, "BadRequest", "no such query"), times=9))

        with pytest.raises(DownError, match="no such query"):
            await api.types()


async def test_an_id_is_one_part_of_a_path() -> None:
    async with desk() as (server, api):
        await api.patch("../../admin?x=~1", {"severity": 1})

        assert server.requests[0].target == "/api/v1/alert/..%2F..%2Fadmin%3Fx%3D~1"


async def test_types_say_whether_case_matters_and_those_of_files_are_none() -> None:
    async with desk() as (server, api):
        server.hive.site = replace(SITE, insensitive=frozenset({"domain"}))
        types = await api.types()

    assert types["ip"]
    assert not types["domain"]
    assert "file" not in types


@pytest.mark.parametrize(
    "row",
    [{}, {"_id": 7}, {"_id": ""}, {"sourceRef": "2"}, {"type": "other"}, {"source": None}],
)
def test_a_foreign_or_broken_alert_is_not_ours(row: dict[str, Any]) -> None:
    assert held({**ROW, **row} if row else {}, KEY) is None


def test_what_an_alert_does_not_say_has_a_harmless_value() -> None:
    odd = {**ROW, "description": None, "severity": "3", "tags": [1, "a"], "observableCount": None}
    found = held(odd, KEY)

    assert found is not None
    assert (found.description, found.severity, found.observables) == ("", 0, 0)
    assert found.tags == {"1", "a"}
    assert found.fields == ()


def test_custom_fields_are_known_as_they_can_be_sent() -> None:
    good = {"_id": "~9", "name": "client", "type": "string", "value": "Acme", "order": 3}
    rows = [good, {"name": "empty", "value": None}, {"name": 7, "value": 1}, "x", {"value": 1}, {"name": "y"}]
    found = held({**ROW, "customFields": rows}, KEY)

    assert found is not None
    assert found.fields == ({"name": "client", "value": "Acme", "order": 3},)
