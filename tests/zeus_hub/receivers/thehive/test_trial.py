"""Whether alerts could be made: each trouble is told apart and named, and nothing is made."""

import pytest

from tests.zeus_hub.receivers.thehive.connected import connected
from tests.zeus_hub.receivers.thehive.hive import ALL, SITE, Hive, Reply, error
from tests.zeus_hub.receivers.thehive.thehive_server import Fault, Server
from zeus_hub.receivers.contract import DownError
from zeus_hub.receivers.thehive.receiver import TheHive

MONTH = 30 * 86_400_000  # milliseconds


async def _trouble(hive: TheHive) -> str:
    with pytest.raises(DownError) as caught:
        await hive.test()
    assert caught.value.misconfigured
    return str(caught.value)


def _is_untouched(server: Server) -> bool:
    return not server.hive.alerts and {each.method for each in server.requests} <= {"GET", "POST"}


async def test_a_thehive_that_is_ready_is_described() -> None:
    async with connected() as (server, hive):
        said = await hive.test()

        assert said == (
            "TheHive 5.7.3 would take alerts for acme, globex."
            " (Key, membership, permissions and licence were looked at; nothing was made.)"
        )
        assert _is_untouched(server)
        assert server.posts() == 0


async def test_what_is_not_quite_right_is_noted() -> None:
    few = SITE.types.keys() - {"other"}
    site = type(SITE)(dict.fromkeys(few, False), SITE.fields, SITE.patterns, SITE.statuses)
    async with connected(Hive(site=site), custom_fields={"alerts": 1, "missing": 1}) as (server, hive):
        server.hive.licence["expiresAt"] = server.hive.now + MONTH - 1

        said = await hive.test()

        assert "its licence ends on 2026-10-" in said
        assert 'it has no custom field "missing"' in said
        assert 'no custom field "alerts"' not in said
        assert 'it has no observable type "other"' in said


async def test_custom_fields_that_cannot_be_looked_at_are_noted() -> None:
    async with connected(custom_fields={"alerts": 1}) as (server, hive):
        forbidden = error(403, "AuthorizationError", "no")
        server.faults.append(Fault("answer", on="GET /api/v1/customField", reply=forbidden, times=2))

        assert "custom fields could not be looked at (HTTP 403, AuthorizationError: no)" in await hive.test()


async def test_a_wrong_url_is_named_and_does_not_see_the_key() -> None:
    async with connected() as (server, hive):
        page = Reply(200, b"<html>Welcome to nginx</html>", {"Content-Type": "text/html"})
        server.faults.append(Fault("answer", reply=page, times=9))

        assert "is no TheHive" in await _trouble(hive)
        assert not any("authorization" in each.headers for each in server.requests)


async def test_a_page_that_asks_for_a_password_is_no_thehive_either() -> None:
    async with connected() as (server, hive):
        server.faults.append(Fault("answer", reply=Reply(401, b"<html>"), times=9))

        assert "is no TheHive" in await _trouble(hive)


async def test_thehive_4_is_named() -> None:
    async with connected(Hive(version="4.1.24")) as (_, hive):
        assert "this is TheHive 4.1.24" in await _trouble(hive)


async def test_a_wrong_key_is_named() -> None:
    async with connected(key="w" * 32) as (_, hive):
        assert "refuses the API key" in await _trouble(hive)


async def test_an_organisation_without_the_user_is_named() -> None:
    async with connected(organisations={"initech": "initech"}) as (_, hive):
        assert 'organisation "initech"' in await _trouble(hive)


async def test_an_answer_for_another_organisation_is_named() -> None:
    async with connected(Hive(memberships={"acme": ALL}), organisations={"acme": "acme"}) as (server, hive):
        user = Reply(200, {"organisation": "globex", "permissions": sorted(ALL)})
        server.faults.append(Fault("answer", on="GET /api/v1/user/current", reply=user))

        assert 'for the organisation "globex" in the place of "acme"' in await _trouble(hive)


async def test_missing_permissions_are_named() -> None:
    lacking = ALL - {"manageAlert/update", "manageComment"}
    async with connected(Hive(memberships={"acme": ALL, "globex": lacking})) as (_, hive):
        said = await _trouble(hive)

        assert 'in the organisation "globex" the user lacks manageAlert/update, manageComment' in said


async def test_a_licence_that_is_read_only_is_named() -> None:
    async with connected() as (server, hive):
        server.hive.licence = {"isValid": False, "error": "expired"}

        assert "TheHive is read-only, for its licence is not valid (expired)" in await _trouble(hive)


async def test_a_user_who_is_no_user_is_no_thehive() -> None:
    async with connected() as (server, hive):
        server.faults.append(Fault("answer", on="GET /api/v1/user/current", reply=Reply(200, [])))

        assert "is no TheHive" in await _trouble(hive)


async def test_that_no_organisation_is_set_is_named() -> None:
    async with connected(organisations={}) as (_, hive):
        assert "no organisation of TheHive is set" in await _trouble(hive)


async def test_a_thehive_that_does_not_tell_permissions_is_believed() -> None:
    async with connected(organisations={"acme": "acme"}) as (server, hive):
        server.faults.append(
            Fault("answer", on="GET /api/v1/user/current", reply=Reply(200, {"organisation": "acme"}))
        )

        assert "it does not say what the user may do" in await hive.test()
