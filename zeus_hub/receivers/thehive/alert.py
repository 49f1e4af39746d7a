"""What TheHive is sent for a notice: pure, and never more than TheHive takes, whatever the alerts say."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from socme import severity
from zeus_hub.notice import Notice, Observable, ObservableKind, Technique
from zeus_hub.receivers.thehive.description import Told, described, stamp
from zeus_hub.receivers.thehive.markdown import cut, fits
from zeus_hub.receivers.thehive.settings import LONGEST_TAG, TheHiveSettings, Value

LONGEST_TITLE = 512  # this and those below: TheHive's own limits, in UTF-16 units
LONGEST_LINK = 512  # 4096 since 5.7
LONGEST_DATA = 4096
LONGEST_FIELD_VALUE = 512  # of a custom field; TheHive names no limit
MOST_RULE_TAGS = 10
MEDIUM = 2  # TheHive's own severity where none is given

OTHER = "other"
PREDEFINED: Mapping[str, bool] = dict.fromkeys(
    (
        *("autonomous-system", "domain", "filename", "fqdn", "hash", "hostname", "ip", "mail"),
        *("mail-subject", "other", "regexp", "registry", "uri_path", "url", "user-agent"),
    ),
    True,
)
"""The data types that a TheHive has unless its administrators change them, but for files'; case matters."""

_INDICATORS: frozenset[ObservableKind] = frozenset({"ip", "domain", "url", "hash", "mail"})
_SEVERITIES = {"low": 1, "medium": 2, "high": 3, "critical": 4}
_PATTERN = re.compile(r"T\d{4}(\.\d{3})?")
_HOLE = re.compile(r"\{([^{}]*)\}")
_UNFIT = re.compile(r"[^\w.:@/+-]+")
_CHANGING = frozenset({"severity", "count", "last"})

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Datum:
    """An observable as this TheHive knows it."""

    type: str
    data: str
    ioc: bool


def same(kind: str, data: str, types: Mapping[str, bool]) -> tuple[str, str]:
    """Return what two observables have in common that TheHive takes for one."""
    return kind, data if types.get(kind, True) else data.casefold()


def data_of(
    observables: Sequence[Observable], types: Mapping[str, bool]
) -> tuple[tuple[Datum, ...], list[str]]:
    """Return what observables are to a TheHive with these data types, each once; and what was left out.

    Of a type, the value says whether upper and lower case make a difference.
    """
    found: dict[tuple[str, str], Datum] = {}
    warnings: list[str] = []
    for each in observables:
        kind = each.kind if each.kind in types else OTHER
        if kind not in types:
            warnings.append(
                f'TheHive has no observable type "{each.kind}" and no "{OTHER}": one was left out'
            )
        elif not fits(each.value, LONGEST_DATA):
            warnings.append(f"an observable of type {each.kind} was left out: TheHive cannot hold it")
        else:
            ioc = each.kind in _INDICATORS and not each.internal
            found.setdefault(same(kind, each.value, types), Datum(kind, each.value, ioc))
    return tuple(found.values()), list(dict.fromkeys(warnings))


def observable_body(data: Sequence[Datum], settings: TheHiveSettings) -> Json:
    """Return observables of one type and one kind as one request; a single one as it stands in an alert."""
    values = [each.data for each in data]
    return {
        "dataType": data[0].type,
        "data": values if len(values) > 1 else values[0],
        "ioc": data[0].ioc,
        "tlp": settings.tlp,
        "pap": settings.pap,
    }


def creation(notice: Notice, settings: TheHiveSettings, data: Sequence[Datum]) -> Json:
    """Return a whole alert but for its procedures, which a TheHive without them would refuse it for."""
    body = {
        **bare_creation(notice, settings, number=notice.number),
        "tags": tags(notice, settings),
        "observables": [observable_body([each], settings) for each in data],
        "customFields": custom_fields(notice, settings),
    }
    if link := link_of(notice, settings.link):
        body["externalLink"] = link
    return {name: value for name, value in body.items() if value not in ([], {})}


def bare_creation(notice: Notice, settings: TheHiveSettings, *, number: int = 0) -> Json:
    """Return the least that an alert must have; by default one that says that it is not finished.

    And its case template, which no update can set.
    """
    template = {"caseTemplate": settings.case_template} if settings.case_template else {}
    return {
        **template,
        "type": settings.type,
        "source": settings.source,
        "sourceRef": notice.group,
        "title": title(notice),
        "description": described(notice, number=number),
        "severity": severity_of(notice),
        "date": milliseconds(notice.first),
        "tlp": settings.tlp,
        "pap": settings.pap,
    }


def update(notice: Notice, settings: TheHiveSettings, before: Told | None, at: int) -> Json:
    """Return what changes in an alert of severity `at` that told `before`; empty for nothing.

    A severity rises when it has risen among our alerts since the notice before: what people set stays. An
    alert that was begun and not finished gets all that it would have been made with.
    """
    body: Json = {}
    is_begun = before is not None and before.number == 0
    if before is not None and before.number < notice.number:
        body["description"] = described(notice, number=notice.number, remark=before.remark)
        risen = severity_of(notice) > _SEVERITIES.get(before.severity, MEDIUM)
        if risen and severity_of(notice) > at:
            body["severity"] = severity_of(notice)
    fields = custom_fields(notice, settings, only_changing=not is_begun)
    if fields and (before is None or before.number < notice.number):
        body["customFields"] = fields
    if is_begun and (link := link_of(notice, settings.link)):
        body["externalLink"] = link
    return body


def beside(body: Json, fields: Sequence[Json]) -> Json:
    """Return an update that names the custom fields of an alert as well: it may remove those it omits."""
    if "customFields" not in body:
        return body
    ours = body["customFields"]
    kept = [each for each in fields if each["name"] not in ours]
    return {**body, "customFields": [*kept, *({"name": name, "value": ours[name]} for name in ours)]}


def apart(body: Json) -> tuple[dict[str, Json], Json]:
    """Return what an update can do without, by what it is called, each an update by itself; and the rest."""
    fields, link = body.get("customFields", {}), body.get("externalLink")
    pieces: dict[str, Json] = {
        f"custom field {name}": {"customFields": {name: value}} for name, value in fields.items()
    }
    if link is not None:
        pieces["link"] = {"externalLink": link}
    return pieces, {name: body[name] for name in body if name not in ("customFields", "externalLink")}


def title(notice: Notice) -> str:
    """Return what an alert is called: the most frequent title, the client, and what is common to all."""
    said = notice.titles[0].text if notice.titles else notice.route
    common = ", ".join(value for name, value in notice.labels if value and name != "client")
    whole = f"{cut(said, 300)}, {notice.client_name}" + (f" ({common})" if common else "")
    return cut(whole, LONGEST_TITLE)


def severity_of(notice: Notice) -> int:
    """Return TheHive's severity, 1 to 4."""
    return _SEVERITIES.get(severity.name(notice.severity), MEDIUM)


def tags(notice: Notice, settings: TheHiveSettings) -> list[str]:
    """Return the tags of a group but for its techniques', each once."""
    rules = dict.fromkeys(each.rule_id for each in notice.members if each.rule_id)
    words = [
        f"client:{notice.client}",
        f"route:{notice.route}",
        *(f"source:{each.source}" for each in notice.members),
        *(f"node:{each.node}" for each in notice.members),
        *(f"rule:{rule}" for rule in list(rules)[:MOST_RULE_TAGS]),
    ]
    return list(dict.fromkeys((*settings.tags, *(_UNFIT.sub("_", cut(word, LONGEST_TAG)) for word in words))))


def technique_tag(technique: Technique) -> str:
    """Return the tag that says that a technique was told, whether or not TheHive knew it."""
    return f"attack:{technique.id}"


def procedures(notice: Notice) -> dict[str, Json]:
    """Return procedures by the tags of their techniques."""
    made: dict[str, Json] = {}
    for each in notice.techniques:
        if _PATTERN.fullmatch(each.id):
            body: Json = {"patternId": each.id, "occurDate": milliseconds(notice.first)}
            tactics = [short for tactic in each.tactics if (short := _short(tactic))]
            if tactics:
                body["tactic"] = tactics[0]
            made.setdefault(technique_tag(each), body)
    return made


def comment(notice: Notice) -> str:
    """Return the comment for a notice; no text of an alert is in it."""
    heading = comment_heading(notice)
    news = {
        "new": "nothing new",
        "more": f"{notice.fresh} more",
        "repeat": "nobody has done anything yet",
        "over": "all are closed in SOCme",
    }[notice.reason]
    worst = severity.name(notice.severity)
    return (
        f"{heading} {news}; {notice.count} alerts in all, severity {worst}, the latest {stamp(notice.last)}."
    )


def comment_heading(notice: Notice) -> str:
    """Return how the comment for a notice begins, and no other one."""
    return f"SOCme, notice {notice.number}:"


def custom_fields(
    notice: Notice, settings: TheHiveSettings, *, only_changing: bool = False
) -> dict[str, Value]:
    """Return custom fields with their values; those without one are left out."""
    made: dict[str, Value] = {}
    facts = _facts(notice)
    for name, template in settings.custom_fields.items():
        holes = _HOLE.findall(template) if isinstance(template, str) else []
        if only_changing and not _CHANGING.intersection(holes):
            continue
        value = _filled(template, holes, facts)
        if value is not None:
            made[name] = value
    return made


def link_of(notice: Notice, template: str) -> str:
    """Return an address with what is known of a group in it, escaped; empty where something is missing."""
    facts = _facts(notice)
    if any(hole not in facts for hole in _HOLE.findall(template)):
        return ""
    link = _HOLE.sub(lambda hole: quote(_word(facts[hole[1]]), safe=""), template)
    return link if fits(link, LONGEST_LINK) else ""


def milliseconds(moment: datetime) -> int:
    """Return a time as TheHive counts it."""
    return round(moment.timestamp() * 1000)


def _facts(notice: Notice) -> Mapping[str, Value | datetime]:
    return {
        **dict(notice.labels),
        "client": notice.client,
        "client_name": notice.client_name,
        "route": notice.route,
        "group": notice.group,
        "severity": severity.name(notice.severity),
        "count": notice.count,
        "first": notice.first,
        "last": notice.last,
    }


def _filled(template: Value, holes: Sequence[str], facts: Mapping[str, Value | datetime]) -> Value | None:
    """Return a template with facts in it; None where one is missing or nothing is left."""
    if not isinstance(template, str):
        return template
    if any(hole not in facts for hole in holes):
        return None
    if len(holes) == 1 and template == f"{{{holes[0]}}}":
        fact = facts[holes[0]]
        if isinstance(fact, datetime):
            return milliseconds(fact)
        if not isinstance(fact, str):
            return fact
    text = _HOLE.sub(lambda hole: _word(facts[hole[1]]), template)
    return cut(text, LONGEST_FIELD_VALUE) or None


def _word(fact: Value | datetime) -> str:
    return stamp(fact) if isinstance(fact, datetime) else str(fact)


def _short(tactic: str) -> str:
    """Return "credential-access" for "Credential Access"; empty for what cannot be a tactic."""
    short = "-".join(tactic.lower().split())
    return short if re.fullmatch(r"[a-z-]{1,32}", short) else ""
