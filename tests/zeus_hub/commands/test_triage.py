"""What people do about alerts, on the command line."""

import pytest

from socme.errors import OperatorError
from socme.v1.alert_pb2 import Severity
from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.stored import alert
from zeus_hub.commands import triage

pytestmark = pytest.mark.usefixtures("both")

SOME = [
    alert(1, severity=Severity.SEVERITY_LOW, name="first"),
    alert(2, severity=Severity.SEVERITY_HIGH),
    alert(3, severity=Severity.SEVERITY_HIGH, place="beta/beta-1"),
]
ONE, TWO, THREE = (f"{number:032x}" for number in (1, 2, 3))


@pytest.fixture
def stored(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a hub with three alerts, and ada at its keyboard."""
    monkeypatch.setattr(triage, "person", lambda: "ada")
    place.database(SOME).dispose()
    return place


def status(place: Place) -> dict[int, str]:
    """Return where the alerts stand that somebody has touched."""
    listed = place.objects("alert", "list", "--json")
    return {int(one["id"], 16): one["triage"]["status"] for one in listed if "triage" in one}


def test_an_alert_from_its_beginning_to_its_end(stored: Place) -> None:
    assert stored.run("alert", "ack", TWO) == "1 alert acknowledged\n"
    assert stored.run("alert", "assign", TWO, "--to", "bob") == "1 alert assigned\n"
    assert stored.run("alert", "comment", TWO, "--message", "seen before") == "1 alert commented on\n"
    closing = ("--verdict", "false-positive", "--reason", "a scan of ours", "--by", "bob")
    assert stored.run("alert", "close", TWO, *closing) == "1 alert closed\n"
    (shown,) = stored.objects("alert", "show", TWO, "--json")
    told = shown.pop("history")

    changed = shown["triage"].pop("changed")
    assert shown["triage"] == {
        "status": "closed",
        "verdict": "false-positive",
        "reason": "a scan of ours",
        "owner": "bob",
        "changed_by": "bob",
        "comments": 1,
    }
    assert [(one["by"], one["action"], one["status"]) for one in told] == [
        ("ada", "acknowledge", "acknowledged"),
        ("ada", "assign", "acknowledged"),
        ("ada", "comment", "acknowledged"),
        ("bob", "close", "closed"),
    ]
    assert (told[2]["comment"], told[3]["time"]) == ("seen before", changed)
    assert stored.run("alert", "reopen", TWO) == "1 alert reopened\n"
    assert status(stored) == {2: "new"}


def test_a_person_is_shown_who_did_what_and_why(stored: Place) -> None:
    stored.run("alert", "ack", ONE)
    stored.run("alert", "comment", ONE, "--message", "evil\x1b[31m")
    stored.run("alert", "close", ONE, "--verdict", "benign", "--reason", "the admin")
    shown = stored.run("alert", "show", ONE)

    assert "triage.status" in shown
    lines = [" ".join(line.split()[2:]) for line in shown.splitlines()]
    assert "ada comment evil\ufffd[31m" in lines
    assert "ada close benign: the admin" in lines
    assert "\x1b" not in shown


def test_what_nobody_has_touched_has_no_triage(stored: Place) -> None:
    (shown,) = stored.objects("alert", "show", ONE, "--json")

    assert "triage" not in shown
    assert "history" not in shown
    assert "triage" not in stored.run("alert", "show", ONE)


def test_many_by_id_and_what_was_so_already(stored: Place) -> None:
    stored.run("alert", "ack", ONE)
    result = stored.try_("alert", "ack", ONE, TWO, THREE)

    assert (result.stdout, result.stderr) == (
        "2 alerts acknowledged\n",
        "Nothing was to be done about 1 more.\n",
    )
    assert stored.objects("alert", "ack", ONE, TWO, "--json") == [{"found": 2, "changed": 0}]


def test_many_by_filter(stored: Place) -> None:
    closing = ("--verdict", "duplicate", "--reason", "one and the same")
    assert stored.run("alert", "close", "--min-severity", "high", *closing) == "2 alerts closed\n"
    assert stored.run("alert", "ack", "--status", "open") == "1 alert acknowledged\n"
    assert status(stored) == {1: "acknowledged", 2: "closed", 3: "closed"}
    assert stored.run("alert", "reopen", "--client", "beta") == "1 alert reopened\n"
    assert status(stored) == {1: "acknowledged", 2: "closed", 3: "new"}


def test_lists_show_and_filter_by_status_and_owner(stored: Place) -> None:
    stored.run("alert", "ack", ONE)

    def found(*filters: str) -> set[int]:
        return {int(one["id"], 16) for one in stored.objects("alert", "list", "--json", *filters)}

    assert found("--status", "acknowledged") == found("--owner", "ada") == {1}
    assert found("--status", "NEW") == found("--owner", "") == {2, 3}
    assert found("--status", "open") == {1, 2, 3}
    assert found("--status", "closed") == set()
    assert len(stored.objects("alert", "export", "--status", "new")) == 2
    head, *lines = stored.run("alert", "list").splitlines()
    assert head.split()[6] == "STATUS"
    assert "first   acknowledged ada" in " ".join(lines)
    assert "a rule  new" in " ".join(lines)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("ack", "by their ids or by filters"),
        (f"ack {ONE} --client acme", "by their ids or by filters"),
        ("ack xyz", "no id"),
        (f"close {ONE} --verdict maybe --reason x", "true-positive, false-positive, benign, duplicate"),
        (f"close {ONE} --verdict benign", "--reason"),
        (f"assign {ONE}", "--to"),
        (f"comment {ONE}", "--message"),
        ("ack --status done", "new, acknowledged, closed, open"),
    ],
)
def test_wrong_usage_is_told_and_changes_nothing(stored: Place, arguments: str, told: str) -> None:
    result = stored.try_("alert", *arguments.split())

    assert result.exit_code == 2
    assert told in result.stderr
    assert status(stored) == {}


def test_an_id_that_there_is_not_stops_all(stored: Place) -> None:
    with pytest.raises(OperatorError, match="there is no alert abcdef"):
        stored.try_("alert", "ack", ONE, "abcdef")
    with pytest.raises(OperatorError, match="several alerts begin with 000000"):
        stored.try_("alert", "ack", "000000")
    with pytest.raises(OperatorError, match="there is no client 'nobody'"):
        stored.try_("alert", "ack", "--client", "nobody")
    with pytest.raises(OperatorError, match="a reason has at most 500 characters"):
        stored.try_("alert", "close", ONE, "--verdict", "benign", "--reason", "x" * 501)

    assert status(stored) == {}


def test_a_group_is_a_third_way_to_name_alerts_and_no_two_go_together(stored: Place) -> None:
    for names in ((ONE, "--group", "ab" * 3), ("--group", "ab" * 3, "--client", "acme"), ("--group", "x")):
        assert stored.try_("alert", "ack", *names).exit_code == 2
    with pytest.raises(OperatorError, match="there is no group ababab"):
        stored.try_("alert", "ack", "--group", "ab" * 3)
    assert status(stored) == {}
