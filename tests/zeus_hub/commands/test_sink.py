"""Receivers on the command line."""

import re
import socket
from datetime import timedelta

import pytest

from socme.errors import OperatorError
from tests.zeus_hub import engines
from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.noticed import FOREVER, NOON, notice
from tests.zeus_hub.reported import draft
from zeus_hub import outbox, reports
from zeus_hub.database import writing
from zeus_hub.receivers.contract import Receipt

pytestmark = pytest.mark.usefixtures("both")

RULES = """
[receiver.soc]
kind = "webhook"
url_file = "url"
secret_file = "secret"

[receiver.hive]
kind = "thehive"
url = "http://127.0.0.1:{port}"
key_file = "secret"
organisation = "acme"

[[route]]
name = "all"
receivers = ["soc", "hive"]
"""


@pytest.fixture
def busy(place: Place) -> Place:
    """Return a hub with one letter of each fate for "soc", and one for a receiver that is in no rule."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    folder = place.folder / "routes.d"
    folder.mkdir()
    (folder / "rules.toml").write_text(RULES.format(port=port))
    (folder / "url").write_text(f"https://127.0.0.1:{port}/hook?token=very-secret\n")
    (folder / "secret").write_text("very-secret\n")
    place.database().dispose()
    engine = engines.opened(place.state_dir)
    with writing(engine) as connection:
        for group in "abc":
            outbox.put(connection, "soc", notice(group * 32), NOON)
        letters = [outbox.next_of(connection, "soc", FOREVER)]
        assert letters[0]
        outbox.told(connection, letters[0], Receipt("~1"), NOON)
        second = outbox.next_of(connection, "soc", FOREVER)
        assert second
        outbox.refused(connection, second, "no such\x1bfield", NOON)
        third = outbox.next_of(connection, "soc", FOREVER)
        assert third
        outbox.postponed(connection, third, "connection refused", NOON)
        outbox.put(connection, "gone", notice("d" * 32), NOON)
    engine.dispose()
    return place


def test_all_receivers_are_listed_with_what_waits_and_why(busy: Place) -> None:
    store, gone, hive, soc = busy.objects("sink", "list", "--json")

    assert (store["name"], store["kind"], store["waiting"], store["refused"]) == ("store", "store", 0, 0)
    assert (soc["waiting"], soc["refused"], soc["told"]) == (1, 1, 1)
    assert soc["trouble"] == "connection refused"
    assert (hive["kind"], hive["waiting"], hive["since"]) == ("thehive", 0, None)
    assert (gone["kind"], gone["waiting"]) == (None, 1)
    assert "not in the rules" in busy.run("sink", "list")


def test_what_was_refused_is_listed_and_tried_again(busy: Place) -> None:
    [letter] = busy.objects("sink", "refused", "--json")
    assert (letter["receiver"], letter["group"], letter["reason"]) == ("soc", "b" * 32, "no such\x1bfield")
    assert "soc: no such\ufffdfield" in busy.run("sink", "refused")

    assert busy.run("sink", "retry", "soc", str(letter["number"])).startswith("2 to be told to soc")
    assert busy.objects("sink", "refused", "--json") == []
    assert busy.objects("sink", "list", "--json")[3]["waiting"] == 2


def test_what_waits_can_be_given_up_and_had_again(busy: Place) -> None:
    engine = engines.opened(busy.state_dir)
    with writing(engine) as connection:
        reports.put(connection, "soc", draft(), NOON)
    engine.dispose()

    assert busy.run("sink", "drop", "soc").startswith("2 will not be told to soc")
    assert busy.objects("sink", "list", "--json")[3]["waiting"] == 0
    reasons = [each["reason"] for each in busy.objects("sink", "refused", "soc", "--json")]
    assert [reason.startswith("given up by ") for reason in reasons] == [False, True, True]
    assert busy.run("sink", "retry", "soc").startswith("3 to be told to soc")


def test_what_waits_for_a_receiver_that_is_in_no_rule_can_be_given_up(busy: Place) -> None:
    assert busy.run("sink", "drop", "gone").startswith("1 will not be told to gone")
    assert busy.objects("sink", "list", "--json")[1]["waiting"] == 0
    assert busy.run("sink", "drop", "gone").startswith("0 will not be told to gone")


def test_what_was_told_is_told_again_on_request(busy: Place) -> None:
    assert busy.run("sink", "replay", "soc", "--since", "2026-07-01").startswith("1 groups")
    assert busy.objects("sink", "list", "--json")[3]["waiting"] == 2
    assert busy.run("sink", "replay", "soc", "--since", "2026-07-02").startswith("0 groups")


def test_a_receiver_that_there_is_not_is_told(busy: Place) -> None:
    for command in (
        ("retry", "nobody"),
        ("drop", "nobody"),
        ("replay", "nobody", "--since", "2h"),
        ("test", "nobody"),
    ):
        with pytest.raises(OperatorError, match="no receiver 'nobody'"):
            busy.try_("sink", *command)


def test_nothing_is_brought_back_for_a_receiver_that_is_in_no_rule(busy: Place) -> None:
    """It would wait for ever, and be told where the name is used again. Wrong rules say nothing of that."""
    for command in (("retry", "gone"), ("replay", "gone", "--since", "2026-07-01")):
        with pytest.raises(OperatorError, match="gone is in no rule any more"):
            busy.try_("sink", *command)
    (busy.folder / "routes.d" / "rules.toml").write_text("[[")
    assert busy.run("sink", "retry", "gone").startswith("1 to be told to gone")


def test_what_waits_and_was_refused_is_listed_while_the_rules_are_wrong(busy: Place) -> None:
    """That is when people look; the rules' fault is told beside it."""
    (busy.folder / "routes.d" / "rules.toml").write_text('[receiver.soc]\nkind = "mail"\n[[route]]\n')

    listed = busy.try_("sink", "list")
    assert listed.exit_code == 0
    assert re.search(r"rules.toml:3: route.0.name: this key is needed", listed.stderr)
    assert re.search(r"^soc +not known +1 ", listed.stdout, re.MULTILINE)
    assert [each["name"] for each in busy.objects("sink", "list", "--json")] == ["store", "gone", "soc"]

    refused = busy.try_("sink", "refused", "soc")
    assert "rules.toml:3: " in refused.stderr
    assert "soc: no such\ufffdfield" in refused.stdout
    retried = busy.try_("sink", "retry", "soc")
    assert "rules.toml:3: " in retried.stderr
    assert retried.stdout.startswith("2 to be told to soc")
    with pytest.raises(OperatorError, match=r"no receiver 'hive'\n  There are gone, soc\."):
        busy.try_("sink", "retry", "hive")


def test_names_and_numbers_that_there_are_not_are_told(busy: Place) -> None:
    with pytest.raises(OperatorError, match=r"no receiver 'nope'\n  There are gone, hive, soc\."):
        busy.try_("sink", "refused", "nope")
    assert busy.run("sink", "refused", "hive").splitlines()[1:] == []
    with pytest.raises(OperatorError, match="soc has refused no notice 98, 99"):
        busy.try_("sink", "retry", "soc", "2", "99", "98")
    assert len(busy.objects("sink", "refused", "--json")) == 1, "nothing was done"


def test_the_store_is_no_receiver(busy: Place) -> None:
    with pytest.raises(OperatorError, match="the store is no receiver"):
        busy.try_("sink", "retry", "store")


def test_a_rota_is_no_receiver(busy: Place) -> None:
    folder = busy.folder / "routes.d"
    (folder / "rota.ics").write_text("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n")
    (folder / "rota.toml").write_text(
        '[rota.on-call]\ncalendar = "rota.ics"\nzone = "UTC"\npeople = {Ada = "soc"}\notherwise = "hive"\n'
    )

    for command in ("test", "retry", "refused"):
        with pytest.raises(OperatorError, match="on-call is a rota, of the receivers hive, soc"):
            busy.try_("sink", command, "on-call")


def test_a_test_says_what_is_in_the_way_and_no_secret(busy: Place) -> None:
    for name in ("soc", "hive"):
        with pytest.raises(OperatorError, match=f"receiver {name}") as caught:
            busy.try_("sink", "test", name)
        assert "very-secret" not in str(caught.value)


def test_what_was_left_out_of_a_notice_that_arrived_is_no_trouble(busy: Place) -> None:
    """Also where it grew meanwhile, and the rest of it waits."""
    engine = engines.opened(busy.state_dir)
    with writing(engine) as connection:
        for group in "ef":
            outbox.put(connection, "hive", notice(group * 32), NOON)
            letter = outbox.next_of(connection, "hive", FOREVER)
            assert letter
            if group == "f":
                outbox.put(connection, "hive", notice(group * 32, number=2, reason="more"), NOON)
            outbox.told(connection, letter, Receipt("~1", ("TheHive refused the custom fields",)), NOON)
    engine.dispose()

    _, _, hive, _ = busy.objects("sink", "list", "--json")
    assert (hive["told"], hive["waiting"], hive["trouble"]) == (1, 1, "")
    assert "custom fields" not in busy.run("sink", "list")


def test_reports_are_listed_set_aside_and_tried_again_with_the_notices(busy: Place) -> None:
    engine = engines.opened(busy.state_dir)
    with writing(engine) as connection:
        for period in ("2026-07-01", "2026-07-02"):
            reports.put(connection, "soc", draft(period=period), NOON - timedelta(days=1))
        first = reports.next_of(connection, "soc", FOREVER)
        assert first
        reports.refused(connection, first, "mailbox\x1bfull", NOON)
        second = reports.next_of(connection, "soc", FOREVER)
        assert second
        reports.postponed(connection, second, "greylisted", NOON)
        reports.put(connection, "boss", draft(), NOON)
    engine.dispose()

    listed = {each["name"]: each for each in busy.objects("sink", "list", "--json")}
    assert (listed["soc"]["waiting"], listed["soc"]["refused"], listed["soc"]["told"]) == (2, 2, 1)
    assert listed["soc"]["trouble"] == "greylisted", "it waits for longest"
    assert listed["boss"]["waiting"] == 1

    [_, page] = busy.objects("sink", "refused", "--json")
    assert (page["number"], page["report"], page["period"]) == (None, "every day", "2026-07-01")
    assert "soc: mailbox\ufffdfull" in busy.run("sink", "refused", "soc")

    (busy.folder / "routes.d" / "more.toml").write_text('[receiver.boss]\nkind = "mail"\n')
    assert busy.run("sink", "retry", "boss").startswith("1 to be told to boss")
    assert busy.run("sink", "retry", "soc").startswith("4 to be told to soc")
    assert busy.objects("sink", "refused", "--json") == []
