"""The rules of a folder: all of them, or all that is wrong with them."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from socme.text import UNSAFE
from tests.conftest import REPOSITORY
from tests.zeus_hub.routes.turns import CALENDAR, ROTA, agreed
from zeus_hub.routes import reading
from zeus_hub.routes.reading import RulesError, load
from zeus_hub.routes.rules import Rules

GOOD = """
[[mute]]
name = "night"
times = ["22:00-06:00"]
zone = "Europe/Paris"

[[inhibit]]
source = 'condition.kind == "node_silent"'
target = 'event.module == "socme" && severity < high'
equal = ["node"]

[[route]]
name = "brute force"
clients = ["acme"]
match = 'rule.groups.exists(g, g == "authentication_failed")'
group_by = ["source.ip"]
receivers = ["mail", "mail"]
mute = ["night"]
continue = true
escalate = [{after = "15m", receivers = ["phone"]}]

[receiver.mail]
kind = "smtp"
to = ["soc@example.org"]

[receiver.phone]
kind = "apprise"
url_file = "/run/credentials/phone"
"""
SPAN = 'give a number with s, m, h or d in quotes, as "30s", "5m", "4h" or "1d"'
REST = """
[[route]]
name = "rest"
receivers = ["mail"]
"""


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


def problems(folder: Path) -> list[str]:
    """Return what is wrong with a folder, each with the file's name and the line."""
    with pytest.raises(RulesError) as caught:
        load(folder)
    return [f"{each.place.file.name}:{each.place.line}: {each.reason}" for each in caught.value.problems]


def test_all_files_make_the_rules_in_the_order_of_their_names(tmp_path: Path) -> None:
    rules = load(written(tmp_path, b20=REST, a10=GOOD))
    brute, rest = rules.routes

    assert (brute.name, brute.place.file.name, brute.place.line) == ("brute force", "a10.toml", 12)
    assert brute.clients == frozenset({"acme"})
    assert brute.group_by == ("client", "source.ip")
    assert brute.receivers == ("mail",)
    assert (brute.goes_on, rest.goes_on) == (True, False)
    assert brute.mute[0].name == "night"
    assert [(step.after, step.receivers) for step in brute.escalate] == [(900, ("phone",))]
    assert rest.match is None
    assert rules.inhibitions[0].equal == ("client", "node")
    assert rules.receivers["mail"].kind == "smtp"
    assert rules.receivers["mail"].options == {"to": ["soc@example.org"]}
    assert rules.warnings == ()


def test_the_example_in_the_documentation_is_right(tmp_path: Path) -> None:
    text = (REPOSITORY / "docs" / "routes.md").read_text()
    (tmp_path / "rota.ics").write_text(CALENDAR.replace("Grace Hopper", "Ada Lovelace"))
    rules = load(written(tmp_path, example=text.split("```toml\n")[1].split("```")[0]))

    assert [route.name for route in rules.routes] == ["accounts", "brute force", "rest"]
    assert rules.warnings == ()


def test_a_folder_that_is_not_there_has_no_rules(tmp_path: Path) -> None:
    assert load(tmp_path / "routes.d") == Rules()


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    written(tmp_path, good=GOOD + REST)
    (tmp_path / "notes.txt").write_text("[[")
    (tmp_path / ".hidden.toml").write_text("[[")

    assert len(load(tmp_path).routes) == 2


def test_everything_that_is_wrong_with_files_is_told_at_once(tmp_path: Path) -> None:
    one = '''
[[route]]
name = "x"
match = """
severity >= high &&
  client == 3"""
receivers = ["mail"]
group_wait = "30"
foo = 1
'''
    two = """
[[inhibit]]
source = 'severity > low'
target = '''sevrity > low'''

[receiver.mail]
kind = "smtp"
"""
    assert problems(written(tmp_path, one=one, two=two, three="a = \n[[[")) == [
        "one.toml:6: route.0.match: column 3 of it: text and a number are never the same",
        "one.toml:8: route.0.group_wait: " + SPAN,
        "one.toml:9: route.0.foo: there is no such key",
        "three.toml:1: not TOML: Invalid value (at line 1, column 5)",
        "two.toml:4: inhibit.0.target: column 1 of it: there is no sevrity; is it severity?",
    ]


def test_everything_that_is_wrong_between_files_is_told_at_once(tmp_path: Path) -> None:
    one = """
[[route]]
name = "x"
receivers = ["mial"]
mute = ["nigt"]
escalate = [{after = "15m", receivers = ["phone"]}]
[receiver.mail]
kind = "smtp"
"""
    two = """
[[mute]]
name = "night"
zone = "UTC"
[[mute]]
name = "night"
zone = "UTC"
[[route]]
name = "x"
receivers = ["mail"]
[receiver.mail]
kind = "smtp"
[receiver.nothing]
to = "x"
"""
    first = tmp_path / "one.toml"
    assert problems(written(tmp_path, one=one, two=two)) == [
        "one.toml:2: route x: there is no [receiver.mial]; is it mail?",
        "one.toml:2: route x: there is no [receiver.phone]",
        "one.toml:5: route x: no [[mute]] is called nigt; is it night?",
        f"two.toml:6: mute night: this name is taken, in {tmp_path / 'two.toml'}:3",
        f"two.toml:8: route x: this name is taken, in {first}:2",
        f"two.toml:11: receiver.mail: this name is taken, in {first}:7",
        'two.toml:13: receiver.nothing: say what it is, as kind = "…"',
    ]


@pytest.mark.parametrize("name", ["store", "routes"])
def test_a_receiver_that_is_called_as_something_of_the_hubs_own_is_refused(tmp_path: Path, name: str) -> None:
    """Nobody could tell whose trouble it is; a route may be called so, for nothing is told of those."""
    called = GOOD.replace("receiver.phone]", f"receiver.{name}]").replace('["phone"]', f'["{name}"]')

    assert problems(written(tmp_path, a=called)) == [
        f"a.toml:26: receiver.{name}: no receiver can be called so: the hub has its own {name}"
    ]
    written(tmp_path, a=GOOD + REST.replace('"rest"', f'"{name}"'))
    assert load(tmp_path).routes[1].name == name


def test_the_message_is_for_the_person_at_the_keyboard(tmp_path: Path) -> None:
    with pytest.raises(RulesError) as caught:
        load(written(tmp_path, a="\n".join(f"key{number} = 1" for number in range(80))))

    lines = str(caught.value).splitlines()
    assert lines[0] == f"wrong rules: {tmp_path}/a.toml:1: key0: there is no such key, and 79 more"
    assert lines[1] == f"    {tmp_path}/a.toml:2: key1: there is no such key"
    assert lines[-2:] == ["    …", "  Mend what is named."]


def test_what_is_hardly_meant_is_a_warning(tmp_path: Path) -> None:
    more = '\n[[route]]\nname = "last"\nreceivers = ["mail"]\n[receiver.spare]\nkind = "smtp"\n'
    more += '[[mute]]\nname = "day"\nzone = "UTC"\n'
    path = tmp_path / "a.toml"

    lines = (GOOD + REST + more).splitlines()
    spare, day = lines.index("[receiver.spare]") + 1, lines.index('name = "day"') + 1
    rest, last = lines.index('name = "rest"'), lines.index('name = "last"')
    assert load(written(tmp_path, a=GOOD + REST + more)).warnings == (
        f"{path}:{spare}: no route names receiver.spare",
        f"{path}:{day}: no route names mute day",
        f"{path}:{last}: never tried, since rest ({path}:{rest}) takes all alerts",
    )


def test_secrets_are_not_in_the_message(tmp_path: Path) -> None:
    bad = '[receiver.mail]\npassword = "hunter2"\n[[route]]\nname = "hunter2!"\nreceivers = "hunter2"\n'

    assert problems(written(tmp_path, a=bad)) == [
        "a.toml:4: route.0.name: a name has 1 to 63 letters, digits, blanks, '.', '_' and '-'",
        "a.toml:5: route.0.receivers: write a list in [square brackets]",
    ]


def test_the_message_is_safe_to_print(tmp_path: Path) -> None:
    bad = '[[route]]\nname = "x"\nreceivers = ["mail"]\ngroup_by = ["\\u001b[31m\\u202e' + "x" * 9999 + '"]'
    (found,) = problems(written(tmp_path, a=bad))

    assert not UNSAFE.search(found)
    assert len(found) < 600


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff")
    (tmp_path / "b.toml").mkdir()
    (tmp_path / "c.toml").write_text("#" * (reading.LONGEST_FILE + 1))

    found = problems(tmp_path)
    assert [each.split(":")[0] for each in found] == ["a.toml", "b.toml", "c.toml"]
    assert all(": cannot be read: " in each for each in found[:2])
    assert "is longer than" in found[2]


def test_a_file_that_is_nested_deeply_is_refused(tmp_path: Path) -> None:
    assert problems(written(tmp_path, a="a = " + "[" * 100_000)) == ["a.toml:1: is nested too deeply"]


def test_the_number_of_files_and_routes_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_FILES", 2)
    monkeypatch.setattr(reading, "MOST_ROUTES", 1)
    written(tmp_path, a=GOOD, b=REST)
    assert problems(tmp_path) == ["b.toml:2: there are more than 1 routes"]
    written(tmp_path, c="")
    assert problems(tmp_path) == [f"{tmp_path.name}:1: there are more than 2 files"]


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(GOOD)), st.integers(0, 12), st.text(alphabet="[]\"'=#\n.aé\x00", max_size=4))
def test_no_file_is_a_surprise(tmp_path: Path, place: int, length: int, put: str) -> None:
    """What is broken by hand is refused, with a line that is there, or is still right."""
    text = GOOD[:place] + put + GOOD[place + length :]
    (tmp_path / "a.toml").write_text(text, newline="")
    try:
        load(tmp_path)
    except RulesError as error:
        wrong = error.problems
    else:
        return

    assert wrong
    assert all(1 <= each.place.line <= text.count("\n") + 2 for each in wrong)


def test_a_rota_may_stand_where_a_receiver_may(tmp_path: Path) -> None:
    rules = load(agreed(tmp_path, ROTA.replace('receivers = ["mail"]', 'receivers = ["mail", "on-call"]')))

    assert rules.routes[0].receivers == ("mail", "on-call")
    rota = rules.rotas["on-call"]
    assert (dict(rota.people), rota.otherwise) == (
        {"Ada Lovelace": "ada", "Grace Hopper": "grace"},
        "mail",
    )
    assert {duty.name for duty in rota.rota.duties} == set(rota.people)
    assert rules.warnings == ()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('= "ada"', '= "adda"', "2: rota.on-call: Ada Lovelace: there is no [receiver.adda]; is it ada?"),
        ('otherwise = "mail"', 'otherwise = "on-call"', "2: rota.on-call: otherwise: there is no [receiver"),
        ("[receiver.ada]", "[receiver.on-call]", "2: rota.on-call: this name is taken, in "),
        ("rota.ics", "rotta.ics", "3: rota.on-call: "),
        ("rota.ics", "../rota.ics", "3: rota.on-call.calendar: name a file that lies beside the rules"),
        ("rota.ics", "/etc/passwd", "3: rota.on-call.calendar: name a file that lies beside the rules"),
        ("rota.ics", ".", "3: rota.on-call.calendar: name a file that lies beside the rules"),
        ("Europe/Paris", "Europe/Pris", "4: rota.on-call.zone: there is no time zone"),
        ('otherwise = "mail"', "", "2: rota.on-call.otherwise: this key is needed"),
        ('["on-call"]', '["on-cal"]', "17: route all: there is no [receiver.on-cal]; is it on-call?"),
        ('"Ada Lovelace" =', '"" =', "7: rota.on-call.people"),
    ],
)
def test_a_rota_that_cannot_work_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    found = problems(agreed(tmp_path, ROTA.replace(old, new, 1)))

    assert any(each.startswith(f"rules.toml:{told}") for each in found), found


def test_a_broken_calendar_is_told_with_its_file_and_the_reason(tmp_path: Path) -> None:
    broken = CALENDAR.replace("RRULE:FREQ=WEEKLY", "RRULE:FREQ=SECONDLY")
    [problem] = problems(agreed(tmp_path, calendar=broken))

    assert problem.startswith(f"rules.toml:3: rota.on-call: {tmp_path}/rota.ics: event 'Ada Lovelace': ")


def test_who_is_on_call_and_has_no_receiver_is_a_warning(tmp_path: Path) -> None:
    rules = load(agreed(tmp_path, calendar=CALENDAR.replace("Grace Hopper", "Eve")))

    assert rules.warnings == (
        f"{tmp_path}/rules.toml:2: the calendar of rota.on-call names others than its people: Eve",
    )


def test_a_rota_that_no_route_names_is_a_warning(tmp_path: Path) -> None:
    rules = load(agreed(tmp_path, ROTA.replace('["on-call"]', '["grace"]')))

    assert rules.warnings == (f"{tmp_path}/rules.toml:2: no route names rota.on-call",)


REPORTS = """
[[report]]
name = "every day"
kind = "day"
clients = ["acme"]
at = "07:30"
zone = "Europe/Paris"
receivers = ["mail", "mail"]

[[report]]
name = "every month"
kind = "month"
at = "06:00"
zone = "UTC"
receivers = ["mail"]

[receiver.mail]
kind = "mail"
[receiver.phone]
kind = "apprise"
"""


def test_reports_are_agreed_on_beside_routes(tmp_path: Path) -> None:
    day, month = load(written(tmp_path, reports=REPORTS)).reports

    assert (day.name, day.kind, day.clients) == ("every day", "day", frozenset({"acme"}))
    assert (f"{day.at:%H:%M}", day.zone.key, day.receivers) == ("07:30", "Europe/Paris", ("mail",))
    assert (month.kind, month.clients) == ("month", None)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            '["mail", "mail"]',
            '["mail", "phone"]',
            '8: report every day: receiver.phone is of kind "apprise", which can take no report: only',
        ),
        ('["mail", "mail"]', '["mial"]', "8: report every day: there is no [receiver.mial]; is it mail?"),
        ("every month", "every day", "10: report every day: this name is taken, in "),
        ('"07:30"', '"7:30"', '6: report.0.at: give the time of day as "07:30"'),
        ('"07:30"', '"24:00"', '6: report.0.at: give the time of day as "07:30"'),
        ('"07:30"', "07:30:00", '6: report.0.at: give the time of day as "07:30"'),
        ('"month"', '"week"', "12: report.1.kind: "),
        ("[receiver.phone]", "[rota.mail]", "19: rota.mail"),
    ],
)
def test_a_report_that_cannot_be_sent_is_refused_with_its_line(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    found = problems(written(tmp_path, reports=REPORTS.replace(old, new, 1)))

    assert any(each.startswith(f"reports.toml:{told}") for each in found), found


def test_the_number_of_reports_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_REPORTS", 1)

    assert problems(written(tmp_path, reports=REPORTS)) == ["reports.toml:10: there are more than 1 reports"]
