"""What TheHive takes, by its OpenAPI description of 5.7: unknown, missing, long and wrong fields are refused.

Stricter than TheHive in two things that nobody should rely on: no semicolon in what an alert is known by, and
no observable twice in one alert.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MILLION = 1_048_576
FUTURE = 253_402_300_799_999  # milliseconds; the end of the year 9999

Check = Callable[[object], str]
"""Says what is wrong with a value; nothing where all is well."""


@dataclass(frozen=True)
class Form:
    """The fields of a body."""

    required: Mapping[str, Check]
    optional: Mapping[str, Check]

    def problem(self, body: object) -> str:
        """Return what is wrong with a body; nothing where all is well."""
        if not isinstance(body, dict):
            return "not an object"
        fields = {**self.required, **self.optional}
        unknown = sorted(body.keys() - fields)
        missing = sorted(self.required.keys() - body.keys())
        if unknown or missing:
            return f"unknown fields {unknown}, missing fields {missing}"
        problems = (f"{name}: {wrong}" for name, value in body.items() if (wrong := fields[name](value)))
        return next(problems, "")


@dataclass(frozen=True)
class Site:
    """What an administrator has set up."""

    types: Mapping[str, bool]
    """Data types of observables, and whether they take attachments."""
    fields: Mapping[str, str]
    """Custom fields and their types."""
    patterns: Mapping[str, frozenset[str]]
    """Techniques of ATT&CK and their tactics."""
    statuses: Mapping[str, str]
    """Names of statuses and the stages that they belong to."""
    insensitive: frozenset[str] = frozenset()
    """Data types whose values are the same in upper and lower case."""

    def same(self, kind: str, data: str) -> tuple[str, str]:
        """Return what tells two observables apart."""
        return kind, data.lower() if kind in self.insensitive else data


def units(text: str) -> int:
    """Return the length of a text in Java; raise UnicodeEncodeError for half a character."""
    return len(text.encode("utf-16-le")) // 2


def text(least: int, most: int, *, without: str = "") -> Check:
    def check(value: object) -> str:
        if not isinstance(value, str):
            return "not a text"
        try:
            length = units(value)
        except UnicodeEncodeError:
            return "half a character"
        if without and without in value:
            return f"has {without}"
        return "" if least <= length <= most else f"{length} characters, not {least} to {most}"

    return check


def whole(least: int, most: int) -> Check:
    def check(value: object) -> str:
        good = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return "" if good else f"not a whole number from {least} to {most}"

    return check


def flag(value: object) -> str:
    return "" if isinstance(value, bool) else "neither true nor false"


def many(check: Check) -> Check:
    def checked(value: object) -> str:
        if not isinstance(value, list):
            return "not a list"
        return next(filter(None, map(check, value)), "")

    return checked


def either(*checks: Check) -> Check:
    def check(value: object) -> str:
        found = [each(value) for each in checks]
        return "" if "" in found else " and ".join(found)

    return check


moment = whole(0, FUTURE)
severity = whole(1, 4)
tlp = whole(0, 4)
pap = whole(0, 3)
tags = many(text(1, 128))
words = text(0, MILLION)

_CUSTOM: Mapping[str, Check] = {
    "string": text(1, MILLION),
    "url": text(1, MILLION),
    "integer": whole(-(2**31), 2**31 - 1),
    "float": lambda value: (
        "" if isinstance(value, int | float) and not isinstance(value, bool) else "no number"
    ),
    "boolean": flag,
    "date": moment,
}
_CUSTOM_VALUE = Form({"name": text(1, 64), "value": lambda _: ""}, {"order": whole(0, 2**31 - 1)})


def custom_fields(site: Site) -> Check:
    def check(value: object) -> str:
        pairs = value.items() if isinstance(value, dict) else []
        if isinstance(value, list):
            wrong = next(filter(None, map(_CUSTOM_VALUE.problem, value)), "")
            if wrong:
                return wrong
            pairs = [(each["name"], each["value"]) for each in value]
        elif not isinstance(value, dict):
            return "neither an object nor a list"
        for name, told in pairs:
            if name not in site.fields:
                return f"CustomField {name} not found"
            wrong = _CUSTOM[site.fields[name]](told)
            if wrong:
                return f"{name}: {wrong}"
        return ""

    return check


COMMENT = Form({"message": text(1, MILLION)}, {})

_COMMON: Mapping[str, Check] = {
    "severity": severity,
    "tags": tags,
    "tlp": tlp,
    "pap": pap,
    "summary": words,
    "assignee": text(1, 128),
}
_KNOWN_BY: Mapping[str, Check] = {
    "type": text(1, 32, without=";"),
    "source": text(1, 32, without=";"),
    "sourceRef": text(1, 128, without=";"),
}


def observable(site: Site) -> Check:
    one = text(1, 4096)
    form = Form(
        {"dataType": text(1, 64)},
        {
            "data": either(one, many(one)),
            "message": words,
            "tlp": tlp,
            "pap": pap,
            "tags": tags,
            "ioc": flag,
            "sighted": flag,
            "sightedAt": moment,
            "ignoreSimilarity": flag,
        },
    )

    def check(value: object) -> str:
        wrong = form.problem(value)
        if wrong or not isinstance(value, dict):
            return wrong
        if value["dataType"] not in site.types:
            return f"ObservableType {value['dataType']} not found"
        if site.types[value["dataType"]] or "data" not in value:
            return "data is missing, or there should be an attachment"
        data = data_of(value)
        pairs = {site.same(value["dataType"], each) for each in data}
        return "Observable already exists" if len(pairs) < len(data) or not data else ""

    return check


def data_of(observable: Mapping[str, Any]) -> list[str]:
    """Return the values that one observable stands for."""
    data = observable["data"]
    return data if isinstance(data, list) else [data]


def observables(site: Site) -> Check:
    def check(value: object) -> str:
        wrong = many(observable(site))(value)
        if wrong or not isinstance(value, list):
            return wrong
        pairs = [site.same(each["dataType"], data) for each in value for data in data_of(each)]
        return "Observable already exists" if len(set(pairs)) < len(pairs) else ""

    return check


def procedure(site: Site) -> Check:
    form = Form(
        {"patternId": text(1, 128), "occurDate": moment}, {"tactic": text(1, 32), "description": words}
    )

    def check(value: object) -> str:
        wrong = form.problem(value)
        if wrong or not isinstance(value, dict):
            return wrong
        tactics = site.patterns.get(value["patternId"])
        if tactics is None:
            return f"Pattern {value['patternId']} not found"
        return "" if value.get("tactic", next(iter(tactics))) in tactics else "not a tactic of the pattern"

    return check


def status(site: Site) -> Check:
    def check(value: object) -> str:
        return text(1, 64)(value) or ("" if value in site.statuses else f"no status {value}")

    return check


def alert(site: Site) -> Form:
    return Form(
        {**_KNOWN_BY, "title": text(1, 512), "description": words},
        {
            **_COMMON,
            "date": moment,
            "flag": flag,
            "externalLink": text(1, 512),
            "customFields": custom_fields(site),
            "status": status(site),
            "caseTemplate": text(1, 128),
            "observables": observables(site),
            "procedures": many(procedure(site)),
        },
    )


def alert_update(site: Site) -> Form:
    return Form(
        {},
        {
            **_COMMON,
            **_KNOWN_BY,
            "title": text(1, 512),
            "description": words,
            "date": moment,
            "lastSyncDate": moment,
            "follow": flag,
            "externalLink": text(1, 512),
            "customFields": custom_fields(site),
            "status": status(site),
            "addTags": tags,
            "removeTags": tags,
        },
    )


def case_update(site: Site) -> Form:
    return Form(
        {},
        {
            **_COMMON,
            "title": text(1, 512),
            "description": words,
            "startDate": moment,
            "endDate": moment,
            "flag": flag,
            "status": status(site),
            "impactStatus": text(1, 128),
            "customFields": custom_fields(site),
            "addTags": tags,
            "removeTags": tags,
        },
    )


def promotion(site: Site) -> Form:
    return Form(
        {},
        {
            **_COMMON,
            "title": text(1, 512),
            "description": words,
            "startDate": moment,
            "endDate": moment,
            "flag": flag,
            "status": status(site),
            "customFields": custom_fields(site),
            "caseTemplate": text(1, 128),
        },
    )
