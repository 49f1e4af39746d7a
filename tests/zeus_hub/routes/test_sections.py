"""What may stand in a file of routes.d."""

import re

import pytest
from pydantic import ValidationError

from socme.settings import Section
from tests.conftest import REPOSITORY
from zeus_hub.routes.durations import written
from zeus_hub.routes.sections import (
    InhibitSection,
    MuteSection,
    ReportSection,
    RotaSection,
    RouteSection,
    RulesFile,
)

MUTE = {"name": "night", "zone": "Europe/Paris"}


def route(**said: object) -> RouteSection:
    return RouteSection.model_validate({"name": "all", "receivers": ["mail"], **said})


def test_a_route_needs_a_name_and_receivers_alone() -> None:
    section = route()

    assert (section.group_by, section.group_wait, section.group_interval) == (("client", "rule.id"), 30, 300)
    assert (section.repeat_interval, section.resolve_after) == (14_400, 86_400)
    assert (section.continue_, section.clients, section.match, section.severity()) == (False, None, None, 4)


def test_spans_are_written_with_their_unit() -> None:
    section = route(group_wait="0s", group_interval="1m", escalate=[{"after": "15m", "receivers": ["boss"]}])

    assert (section.group_wait, section.group_interval, section.escalate[0].after) == (0, 60, 900)


def test_urgent_is_a_severity_or_never() -> None:
    assert route(urgent="high").severity() == 3
    assert route(urgent="never").severity() is None


def test_times_are_those_of_a_place() -> None:
    said = {"days": ["mon-fri", "sun"], "times": ["22:00-06:00"], "dates": ["2026-12-25"]}
    hush = MuteSection.model_validate({**MUTE, **said}).hush()

    assert hush.days == {0, 1, 2, 3, 4, 6}
    assert hush.spans == ((1320, 1800),)
    assert str(hush.zone) == "Europe/Paris"
    assert MuteSection.model_validate(MUTE).hush().days == frozenset(range(7))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"name": ""}, "pattern"),
        ({"name": "a\nb"}, "pattern"),
        ({"name": "a" * 64}, "pattern"),
        ({"receivers": []}, "at least 1"),
        ({"receivers": ["mail"] * 101}, "at most 100"),
        ({"clients": []}, "at least 1"),
        ({"match": "client == 3"}, "column 1 of it: text and a number are never the same"),
        ({"match": 3}, "write it in quotes"),
        ({"group_by": ["clint"]}, "there is no field clint; is it client?"),
        ({"group_by": ["rule.groups"]}, "is a list"),
        ({"group_by": [["client"]]}, "there is no field"),
        ({"group_by": [{}]}, "there is no field"),
        ({"group_wait": 30}, "give a number with s, m, h or d"),
        ({"group_interval": "0s"}, "greater than or equal to 1"),
        ({"resolve_after": "5m"}, "resolve_after must be longer than 5m"),
        ({"group_wait": "2d"}, "resolve_after must be longer than 2d"),
        ({"urgent": "urgent"}, "Input should be"),
        (
            {"escalate": [{"after": "15m", "receivers": ["a"]}, {"after": "15m", "receivers": ["b"]}]},
            "must come later than the one before",
        ),
        ({"escalate": [{"after": "0s", "receivers": ["a"]}]}, "greater than or equal to 1"),
        ({"sevrity": 1}, "Extra inputs"),
    ],
)
def test_a_route_that_cannot_be_meant_is_refused(said: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason.replace("?", r"\?")):
        route(**said)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"zone": "Europe/Pris"}, "there is no time zone 'Europe/Pris'"),
        ({"zone": "../../etc/passwd"}, "time zone"),
        ({"zone": ""}, "time zone"),
        ({"zone": "Europe"}, "time zone"),
        ({"days": ["monday"]}, "give days as"),
        ({"times": ["25:00-26:00"]}, "an hour is"),
        ({"dates": ["2026-02-30"]}, "give dates as"),
    ],
)
def test_times_that_there_are_not_are_refused(said: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        MuteSection.model_validate({**MUTE, **said})


def test_both_sides_of_an_inhibition_are_expressions() -> None:
    section = InhibitSection(source="severity >= high", target='node == ""', equal=("source.ip",))

    assert section.source.text == "severity >= high"
    with pytest.raises(ValidationError, match="there is no nde"):
        InhibitSection(source="severity >= high", target='nde == ""')


@pytest.mark.parametrize(
    ("table", "section"),
    [
        ("[[route]]", RouteSection),
        ("[[inhibit]]", InhibitSection),
        ("[[mute]]", MuteSection),
        ("[rota.NAME]", RotaSection),
        ("[[report]]", ReportSection),
    ],
)
def test_every_key_is_documented_in_its_order(table: str, section: type[Section]) -> None:
    text = (REPOSITORY / "docs" / "routes.md").read_text()
    told = text.split(f"### {table}\n")[1].partition("\n#")[0]

    keys = [field.alias or name for name, field in section.model_fields.items()]
    assert re.findall(r"^\| `([a-z_]+)` \|", told, re.MULTILINE) == keys


@pytest.mark.parametrize("key", ["group_wait", "group_interval", "repeat_interval", "resolve_after"])
def test_spans_have_the_documented_defaults(key: str) -> None:
    text = (REPOSITORY / "docs" / "routes.md").read_text()

    assert f'| `{key}` | `"{written(getattr(route(), key))}"` |' in text


def test_a_file_may_be_empty() -> None:
    assert RulesFile() == RulesFile(route=(), inhibit=(), mute=(), receiver={})
