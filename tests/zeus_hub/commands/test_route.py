"""Rules on the command line: checked, listed, tried on stored alerts, and explained."""

import re
from datetime import UTC, datetime

import pytest

from socme.errors import OperatorError
from tests.zeus_hub import engines
from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.stored import alert, keep
from zeus_hub import groups
from zeus_hub.commands import state
from zeus_hub.database import writing
from zeus_hub.router import Router
from zeus_hub.routes.kept import Routed
from zeus_hub.routes.reading import load

pytestmark = pytest.mark.usefixtures("both")

RULES = """
[receiver.soc]
kind = "webhook"
url_file = "url"
secret_file = "secret"

[[route]]
name = "brute force"
match = 'rule.id == "5763" && severity >= medium'
group_by = ["source.ip"]
receivers = ["soc"]

[[route]]
name = "beta"
clients = ["beta"]
receivers = ["soc"]
"""


@pytest.fixture
def ruled(place: Place) -> Place:
    """Return a hub with rules and alerts: two that are one group, one that goes nowhere, one of beta."""
    rules(place, RULES)
    made = [alert(1, rule="5763"), alert(2, rule="5763"), alert(3, rule="1002")]
    place.database([*made, alert(4, place="beta/beta-1", rule="1002", name="\x1b[31mred")]).dispose()
    return place


def rules(place: Place, text: str, folder: str = "routes.d") -> None:
    made = place.folder / folder
    made.mkdir(exist_ok=True)
    (made / "rules.toml").write_text(text)
    for name in ("url", "secret"):
        (made / name).write_text("https://127.0.0.1/very-secret\n")
        (made / name).chmod(0o600)


def test_rules_are_listed_in_the_order_in_which_they_are_tried(ruled: Place) -> None:
    head, first, second = ruled.run("route", "list").splitlines()

    assert head.split()[:2] == ["ROUTE", "CLIENTS"]
    assert first.split()[:4] == ["brute", "force", "all", "soc"]
    assert "client, source.ip" in first
    assert second.endswith("everything")
    [_, beta] = ruled.objects("route", "list", "--json")
    assert (beta["name"], beta["clients"], beta["match"]) == ("beta", ["beta"], "")


def test_wrong_rules_are_refused_with_file_line_and_reason(ruled: Place) -> None:
    rules(ruled, RULES.replace("medium", "medum"))

    with pytest.raises(OperatorError, match=r"rules.toml:9: .*there is no medum; is it medium\?"):
        ruled.try_("route", "list")


def test_what_the_hub_would_refuse_is_refused_all_at_once(ruled: Place) -> None:
    """Kinds, keys, secrets and the words of reports: the hub and this ask the same."""
    more = """
[receiver.phone]
kind = "aprise"

[receiver.chat]
kind = "apprise"
url_file = "missing"

[receiver.mail]
kind = "mail"
host = "mx"
sender = "zeus@soc.example"
to = ["soc@soc.example"]
templates = "words"

[[report]]
name = "daily"
kind = "day"
at = "07:30"
zone = "Europe/Paris"
receivers = ["mail"]
"""
    rules(ruled, RULES + more.replace("mx", "").replace("host", "hosst"))
    words = ruled.folder / "routes.d" / "words" / "en"
    words.mkdir(parents=True)
    (words / "day.txt").write_text("{{ nothing")

    with pytest.raises(OperatorError) as caught:
        ruled.try_("route", "list")

    told = str(caught.value)
    assert re.search(r"rules.toml:18: receiver.phone: there is no kind 'aprise'", told)
    assert re.search(r"rules.toml:21: receiver.chat: .*missing cannot be read", told)
    assert re.search(r"rules.toml:25: receiver.mail: host: .*; hosst: there is no such key", told)
    assert re.search(r"rules.toml:32: report daily: .*day.txt", told)
    assert ", and 3 more\n" in told
    assert "very-secret" not in told


def test_what_is_hardly_meant_is_told_and_is_no_fault(ruled: Place) -> None:
    """A client that there is not, of which no alert ever comes, and a secret that everybody can read."""
    rules(ruled, RULES.replace('["beta"]', '["acmee", "socme"]'))
    (ruled.folder / "routes.d" / "secret").chmod(0o644)

    result = ruled.try_("route", "list")

    assert result.exit_code == 0
    [secret, client] = result.stderr.splitlines()
    assert client.endswith("rules.toml:13: route beta is for a client that there is not: acmee")
    assert re.search(r"rules.toml:2: receiver.soc: its secret is everybody's: chmod 600 .*secret$", secret)


def test_rules_are_listed_where_clients_cannot_be_asked_for(place: Place) -> None:
    rules(place, RULES)
    if not engines.on_postgresql():  # whose file is not there yet: it is not made for this
        assert place.try_("route", "list").stderr == ""
    place.set_up("store.url = 'nonsense'")
    new = str(place.folder / "routes.d")

    result = place.try_("route", "list", "--routes", new)

    assert result.exit_code == 0
    assert "whether there are such clients is not known" in result.stderr


def test_a_folder_without_rules_has_none(place: Place) -> None:
    assert len(place.run("route", "list").splitlines()) == 1
    with pytest.raises(OperatorError, match="is no folder"):
        place.try_("route", "list", "--routes", str(place.folder / "nowhere"))


def test_rules_are_tried_on_stored_alerts_and_nothing_is_sent(ruled: Place) -> None:
    """What goes nowhere is told as well."""
    told = ruled.objects("route", "test", "--json")

    assert [(each["route"], each.get("count"), each.get("receivers")) for each in told] == [
        ("brute force", 1, ["soc"]),
        (None, None, None),
        ("beta", 1, ["soc"]),
        ("brute force", 2, ["soc"]),
    ]
    assert ruled.objects("sink", "list", "--json")[1]["waiting"] == 0
    result = ruled.try_("route", "test", "--client", "acme")
    assert result.stderr == "1 alerts go nowhere.\n"
    assert "source.ip=10.0.0.1" in result.stdout


def test_other_rules_can_be_tried_before_they_are_in_force(ruled: Place) -> None:
    rules(ruled, RULES.replace("5763", "1002"), "new")
    told = ruled.objects("route", "test", "--json", "--client", "acme", "--routes", str(ruled.folder / "new"))

    assert [each["route"] for each in told if each["route"]] == ["brute force"]


def test_rules_are_tried_on_what_was_exported_as_on_what_is_stored(ruled: Place) -> None:
    file = ruled.folder / "alerts.jsonl"
    file.write_text(ruled.run("alert", "export"))
    stored = ruled.objects("route", "test", "--json")

    assert ruled.objects("route", "test", "--json", "--file", str(file)) == stored


def test_rules_are_tried_on_a_file_without_a_hub(place: Place) -> None:
    rules(place, RULES, "new")
    file = place.folder / "mine.jsonl"
    line = '{"client":"acme","time":"2026-07-01T12:00:00Z","severity":"high","rule":{"id":"5763"}}\n'
    file.write_text(line * 3)

    told = place.objects(
        "route", "test", "--json", "--routes", str(place.folder / "new"), "--file", str(file)
    )

    assert [(each["route"], each["count"]) for each in told] == [("brute force", 3)]


@pytest.mark.parametrize(
    ("content", "more", "why"),
    [
        ('{"client":"acme"}\n', [], r"mine.jsonl:1: it has no time"),
        ("", ["--client", "acme"], "filters are for stored alerts"),
        (None, [], "cannot read .*mine.jsonl: No such file"),
    ],
)
def test_a_file_that_cannot_be_tried(place: Place, content: str | None, more: list[str], why: str) -> None:
    rules(place, RULES)
    file = place.folder / "mine.jsonl"
    if content is not None:
        file.write_text(content)

    with pytest.raises(OperatorError, match=why):
        place.try_("route", "test", "--file", str(file), *more)


def test_one_alert_is_explained(ruled: Place) -> None:
    said = ruled.run("route", "explain", f"{1:032x}")
    assert "takes it" in said
    assert 'rule.id == "5763"' in said
    assert "client=acme, source.ip=10.0.0.1" in said

    other = ruled.run("route", "explain", f"{3:032x}")
    assert "does not match" in other
    assert "not for this client" in other
    (failing,) = [line for line in other.splitlines() if line.strip().startswith("fails")]
    assert 'rule.id == "5763"' in failing
    assert "\x1b" not in ruled.run("route", "explain", f"{4:032x}")


def test_an_inhibition_that_holds_is_part_of_the_explanation(ruled: Place) -> None:
    inhibit = """
        [[inhibit]]
        source = 'rule.id == "1002"'
        target = 'rule.id == "5763"'
    """
    rules(ruled, RULES + inhibit)
    assert "may be held back by" in ruled.run("route", "explain", f"{1:032x}")
    assert "is a source of" in ruled.run("route", "explain", f"{3:032x}")

    with state.opened(state.read_plan(ruled.config)) as engine:
        router, now = Router(engine), datetime.now(UTC)
        router.heed(load(ruled.folder / "routes.d"))
        router.step(now)  # it begins behind what is there
        keep(engine, [alert(5, rule="1002")])
        router.step(now)

    assert "is held back by" in ruled.run("route", "explain", f"{1:032x}")
    assert "is held back by" not in ruled.run("route", "explain", f"{3:032x}")


def test_a_silence_is_part_of_the_explanation(ruled: Place) -> None:
    ruled.run("silence", "add", "--client", "acme", "--why", "a scan of ours", "--until", "2h")

    assert "a scan of ours" in ruled.run("route", "explain", f"{1:032x}")
    assert "a scan of ours" not in ruled.run("route", "explain", f"{4:032x}")


def test_that_a_node_told_people_itself_is_part_of_the_explanation(ruled: Place) -> None:
    """It is why nobody was mailed."""
    engine = engines.opened(ruled.state_dir)
    with writing(engine) as connection:
        groups.keep_routed(connection, {1: Routed(told=True), 2: Routed(fires=("x",))})
    engine.dispose()

    assert "its node told the client itself" in ruled.run("route", "explain", f"{1:032x}")
    assert "its node told" not in ruled.run("route", "explain", f"{2:032x}")
