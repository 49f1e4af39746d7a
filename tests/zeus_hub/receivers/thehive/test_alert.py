"""What TheHive is sent: always what it takes, whatever the alerts say."""

import re
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zeus_hub.receivers.thehive import forms
from tests.zeus_hub.receivers.thehive.connected import settings
from tests.zeus_hub.receivers.thehive.hive import SITE
from tests.zeus_hub.receivers.thehive.notices import NOON, UNHURRIED, kinds, notice, notices, texts
from zeus_hub.notice import Notice, Observable, Technique
from zeus_hub.receivers.thehive import alert
from zeus_hub.receivers.thehive.description import described, told
from zeus_hub.receivers.thehive.settings import Value

FIELDS: dict[str, Value] = {
    "alerts": 7,
    "client": "{client_name}: {source.ip}, {count} until {last}",
    "last-seen": "{last}",
}
LINK = "https://soc.example/{client}?q={source.ip}&since={first}"
FULL = settings(custom_fields=FIELDS, case_template="Brute force", link=LINK)


def problem_of_procedure(body: alert.Json) -> str:
    """Return what is wrong with a technique, but for whether it exists."""
    known = replace(SITE, patterns={body["patternId"]: frozenset({body.get("tactic", "x")})})
    return forms.procedure(known)(body)


@UNHURRIED
@given(notices)
def test_any_notice_makes_an_alert_that_thehive_takes(notice: Notice) -> None:
    data, _ = alert.data_of(notice.observables, alert.PREDEFINED)

    assert forms.alert(SITE).problem(alert.creation(notice, FULL, data)) == ""
    assert forms.alert(SITE).problem(alert.bare_creation(notice, FULL)) == ""
    assert all(re.fullmatch(r"[\w.:@/+-]+", tag) for tag in alert.tags(notice, FULL))
    assert forms.COMMENT.problem({"message": alert.comment(notice)}) == ""
    assert [
        problem_of_procedure(body) for body in alert.procedures(notice).values() if problem_of_procedure(body)
    ] == []
    assert forms.tags(list(alert.procedures(notice))) == ""


@UNHURRIED
@given(notices, notices, st.one_of(st.none(), texts), st.integers(0, 4))
def test_any_notice_makes_a_change_that_thehive_takes(
    notice: Notice, earlier: Notice, remark: str | None, at: int
) -> None:
    number = earlier.number if at else 0  # 0: begun and not finished
    before = None if remark is None else told(described(earlier, number=number, remark=remark))
    body = alert.update(notice, FULL, before, at)

    assert forms.alert_update(SITE).problem(body) == ""
    whole = alert.beside(body, ({"name": "client", "value": "Acme"}, {"name": "last-seen", "value": 1}))
    assert forms.alert_update(SITE).problem(whole) == ""
    assert body.get("severity", 4) > at or "severity" not in body
    if before is None or before.number >= notice.number:
        assert "description" not in body


def test_an_alert_that_was_begun_gets_all_fields_and_its_link_and_another_one_what_changes() -> None:
    begun, known = (told(described(notice(), number=number)) for number in (0, 1))

    first, later = (alert.update(notice(2), FULL, before, 3) for before in (begun, known))
    assert (set(first["customFields"]), "externalLink" in first) == ({"alerts", "client", "last-seen"}, True)
    assert (set(later["customFields"]), "externalLink" in later) == ({"client", "last-seen"}, False)


def test_an_update_keeps_the_custom_fields_that_it_does_not_change() -> None:
    there = ({"name": "a", "value": 1, "order": 2}, {"name": "b", "value": 2}, {"name": "b", "value": 3})

    assert alert.beside({"title": "x"}, there) == {"title": "x"}
    assert alert.beside({"customFields": {"a": 9, "c": 4}}, there)["customFields"] == [
        {"name": "b", "value": 2},
        {"name": "b", "value": 3},
        {"name": "a", "value": 9},
        {"name": "c", "value": 4},
    ]


def test_an_update_comes_apart_into_what_it_can_do_without_and_the_rest() -> None:
    whole = {"description": "x", "customFields": {"a": 1, "b": 2}, "externalLink": "https://x.example/"}

    pieces, rest = alert.apart(whole)
    assert pieces == {
        "custom field a": {"customFields": {"a": 1}},
        "custom field b": {"customFields": {"b": 2}},
        "link": {"externalLink": "https://x.example/"},
    }
    assert rest == {"description": "x"}
    assert alert.apart(rest) == ({}, rest)


@UNHURRIED
@given(
    st.lists(st.builds(Observable, kinds, st.one_of(texts, st.sampled_from("aAbB")), st.booleans())),
    st.dictionaries(st.one_of(kinds, st.just(alert.OTHER)), st.booleans()),
)
def test_observables_are_there_once_and_of_types_that_exist(
    observables: list[Observable], types: dict[str, bool]
) -> None:
    site = replace(
        SITE,
        types=dict.fromkeys(types, False),
        insensitive=frozenset(name for name, sensitive in types.items() if not sensitive),
    )
    data, warnings = alert.data_of(observables, types)

    assert forms.observables(site)([alert.observable_body([each], FULL) for each in data]) == ""
    assert data or warnings or not observables


@pytest.mark.parametrize(
    ("observable", "ioc"),
    [
        (Observable("ip", "203.0.113.7"), True),
        (Observable("ip", "10.0.0.5", internal=True), False),
        (Observable("domain", "evil.example"), True),
        (Observable("domain", "intranet.acme.example", internal=True), False),
        (Observable("hash", "d41d8cd98f00b204e9800998ecf8427e"), True),
        (Observable("hostname", "web-1"), False),
        (Observable("user-agent", "curl/8"), False),
        (Observable("filename", "invoice.exe"), False),
    ],
)
def test_what_is_the_client_s_own_is_no_indicator(observable: Observable, *, ioc: bool) -> None:
    ((datum,), warnings) = alert.data_of([observable], alert.PREDEFINED)

    assert (datum.ioc, warnings) == (ioc, [])


def test_custom_fields_keep_their_kind_and_are_left_out_where_nothing_is_known() -> None:
    fields: dict[str, Value] = {
        "number": "{count}",
        "time": "{last}",
        "text": "{client} has {count} until {last}",
        "label": "{source.ip}",
        "missing": "{user.name}",
        "partly": "x {user.name}",
        "fixed": 3.5,
        "flag": True,
        "word": "SOC",
        "brace": "{",
    }

    made = alert.custom_fields(notice(), settings(custom_fields=fields))

    assert made == {
        "number": 12,
        "time": round(NOON.timestamp() * 1000) + 60_000,
        "text": "acme has 12 until 2026-03-01 12:01:00 UTC",
        "label": "203.0.113.7",
        "fixed": 3.5,
        "flag": True,
        "word": "SOC",
        "brace": "{",
    }
    changing = alert.custom_fields(notice(), settings(custom_fields=fields), only_changing=True)
    assert set(changing) == {"number", "time", "text"}


def test_a_label_does_not_pass_for_what_the_hub_says() -> None:
    hostile = notice(labels=(("client", "globex"), ("count", "0")))

    made = alert.custom_fields(hostile, settings(custom_fields={"a": "{client}", "b": "{count}"}))

    assert made == {"a": "acme", "b": 12}


def test_a_technique_that_is_none_is_no_procedure() -> None:
    many = tuple(
        Technique(each) for each in ("T1078", "T1078.001", "T1078", "t1078", "T1", "TA0001", "T1078;x")
    )

    assert list(alert.procedures(notice(techniques=many))) == ["attack:T1078", "attack:T1078.001"]


def test_tactics_go_by_their_short_names() -> None:
    technique = Technique("T1078", "", ("Defense Evasion (old)", "Initial Access", "Persistence"))

    (body,) = alert.procedures(notice(techniques=(technique,))).values()

    assert body["tactic"] == "initial-access"
    assert "tactic" not in next(iter(alert.procedures(notice(techniques=(Technique("T1078"),))).values()))


def test_an_alert_links_back_to_what_the_site_has() -> None:
    made = alert.creation(notice(), FULL, ())["externalLink"]

    assert made == "https://soc.example/acme?q=203.0.113.7&since=2026-03-01%2012%3A00%3A00%20UTC"


@pytest.mark.parametrize("said", ["/../x?y#z&a=b", "@evil.example", "\r\nX: y", "\u202e\N{SNOWMAN}"])
def test_nothing_that_an_alert_says_gets_out_of_its_place_in_a_link(said: str) -> None:
    link = alert.link_of(notice(labels=(("user.name", said),)), "https://soc.example/{user.name}?q=1")
    parts = urlsplit(link)

    assert (parts.scheme, parts.netloc, parts.query) == ("https", "soc.example", "q=1")
    assert unquote(parts.path) == f"/{said}"
    assert "/" not in parts.path[1:]


def test_a_link_is_left_out_where_it_is_too_long_or_something_is_missing() -> None:
    for template in ("", "https://soc.example/{user.name}", "https://soc.example/{client}" + "x" * 500):
        assert "externalLink" not in alert.creation(notice(), settings(link=template), ())


def test_severity_is_thehive_s_own() -> None:
    assert [alert.severity_of(notice(severity=each)) for each in range(6)] == [2, 1, 2, 3, 4, 2]


def test_every_reason_has_its_words() -> None:
    said = [alert.comment(notice(2, reason=each)) for each in ("new", "more", "repeat", "over")]

    assert len(set(said)) == 4
    assert all(each.startswith(alert.comment_heading(notice(2))) for each in said)
    assert not alert.comment(notice(12)).startswith(alert.comment_heading(notice(1)))
