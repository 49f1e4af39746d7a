"""What is wrong with a matcher is found before there is an alert."""

from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from socme.v1.watch_pb2 import StoredAlert
from zeus_hub.routes.checker import check, nearest
from zeus_hub.routes.facts import CONSTANTS, FIELDS
from zeus_hub.routes.matcher import matcher, subject
from zeus_hub.routes.syntax import MatcherError, parse

RIGHT = [
    'client == "acme" && severity >= high',
    'source.port in [22, 23] || in_network(source.ip, "10.0.0.0/8")',
    'rule.groups.exists(g, g.startsWith("ss"))',
    "rule.groups.exists(g, threat.tactic.name.all(t, t != g))",
    "rule.groups.map(g, size(g)).exists_one(n, n > 3 && n - 1 < 10)",
    'rule.groups.filter(g, g != "").size() == 2',
    'rule.groups == ["sshd", "x"]',
    "severity + 1 > rule.level * 2 - 5 % 3",
    "10 / (severity + 1) == 2",
    '(count > 1 ? "many" : "one") == "one"',
    r'message.matches("^[a-z]+\\d$") && url.contains("..")',
    r"message.matches(r'(?x) a # why')",
    "(size(message) > 10) == true",
    "[[1], [2, 3]].exists(l, severity in l)",
    "-9223372036854775808 < severity",
    "!(low == medium)",
    '"T1110" in threat.technique.id',
]

WRONG = [
    # names
    ('sorce.ip == "a"', 1, 1, "there is no sorce; is it source?"),
    ('ip == ""', 1, 1, "there is no ip; is it source.ip?"),
    ('rule.nme == ""', 1, 6, "there is no rule.nme; is it rule.name?"),
    ("severity == hihg", 1, 13, "there is no hihg; is it high?"),
    ('true || x == ""', 1, 9, "there is no x"),
    ('source == ""', 1, 1, "source is only the beginning of a name, as source.ip"),
    ("source == destination", 1, 1, "only the beginning"),
    ('"a" in rule', 1, 8, "behind `in` there must be a list"),
    ('client.name == "a"', 1, 8, "text has no field name"),
    ("low.name == 1", 1, 5, "a number has no field name"),
    # functions
    ("foo(client)", 1, 1, "there is no function foo()"),
    ('contains(client, "a")', 1, 1, "write value.contains(…)"),
    ('client.startswith("a")', 1, 8, "is it startsWith?"),
    ('client.lowerAscii() == "a"', 1, 8, "there is no function lowerAscii()"),
    ("has(url)", 1, 1, "every field is always there"),
    ('client.contains("a", "b")', 1, 1, "takes 1 arguments"),
    ("client.contains()", 1, 1, "takes 1 arguments"),
    ("size() == 1", 1, 1, "takes 1 arguments"),
    ("size(severity) == 1", 1, 6, "size() is for text and lists; this is a number"),
    ('severity.contains("a")', 1, 1, "contains() is for text; this is a number"),
    ('rule.groups.contains("a")', 1, 1, "`in` looks into a list"),
    ("client.contains(3)", 1, 17, "here must be text; this is a number"),
    # types
    ("client == 3", 1, 1, "text and a number are never the same"),
    ('client == "a" &&\n  node == 3', 2, 3, "text and a number are never the same"),
    ('severity < "high"', 1, 1, "a number and text are never the same"),
    ("3 in rule.groups", 1, 1, "a number and text are never the same"),
    ('"a" in client', 1, 8, "contains() looks into a text"),
    ('[1, "a"] == [1]', 1, 5, "a number and text are never the same"),
    ('rule.groups == [[""]]', 1, 1, "are never the same"),
    ("true < false", 1, 1, "true or false is neither more nor less"),
    ("rule.groups < rule.groups", 1, 1, "neither more nor less"),
    ('true ? "a" : 1', 1, 1, "text and a number"),
    ('(severity >= high ? rule : user).id == "5763"', 1, 21, "rule is only the beginning of a name"),
    ('(false ? condition : event).kind == ""', 1, 10, "condition is only the beginning of a name"),
    ('(true ? source.ip : source) == ""', 1, 21, "source is only the beginning of a name"),
    ("client ? true : false", 1, 1, "here must be true or false; this is text"),
    ("!client", 1, 2, "here must be true or false; this is text"),
    ("severity && true", 1, 1, "here must be true or false; this is a number"),
    ('client + "a" == "b"', 1, 1, "here must be a number; this is text"),
    ("-client == 1", 1, 2, "here must be a number"),
    ("client", 1, 1, "it must be true or false; this is text"),
    ("severity + 1", 1, 1, "it must be true or false; this is a number"),
    ("rule", 1, 1, "it must be true or false; this is the group rule.…"),
    # what might fail
    ("count * 9223372036854775807 > 1", 1, 1, "this might become too large"),
    ("-(-9223372036854775807 - 1) > 1", 1, 1, "this might become too large"),
    ("5 / severity == 1", 1, 1, "this might divide by zero"),
    ("5 % 0 == 1", 1, 1, "this might divide by zero"),
    ('rule.groups[0] == "a"', 1, 1, "a list may have no such entry"),
    ("9223372036854775808 > severity", 1, 1, "too large"),
    # what is not there
    ("1.5 < 2", 1, 1, "all numbers are whole"),
    ("1u == 1", 1, 1, "all numbers are whole"),
    ("url == null", 1, 8, "nothing is ever null"),
    ("client in []", 1, 11, "an empty list says nothing"),
    ('client == "\\d"', 1, 11, "an escape that CEL does not know"),
    # macros
    ('client.exists(c, c == "a")', 1, 1, "exists() is for lists; this is text"),
    ("rule.groups.exists(rule, true)", 1, 20, "rule means something already"),
    ('rule.groups.exists(g, rule.groups.exists(g, g == ""))', 1, 42, "g means something already"),
    ("rule.groups.exists(g, g)", 1, 23, "here must be true or false; this is text"),
    ("rule.groups.exists(1, true)", 1, 20, "a name must stand first"),
    ("rule.groups.exists(g)", 1, 1, "takes 2 arguments"),
    ('rule.groups.map(g, g) == ["a"] && g == ""', 1, 35, "there is no g"),
    ("rule.groups.map(g, rule) == rule.groups", 1, 20, "only the beginning"),
    (
        "[1].exists(a, [1].exists(b, [1].exists(c, a + b == c)))",
        1,
        29,
        "more than 2 of exists",
    ),
    (
        'rule.groups.exists(g, rule.references.exists(r, r.matches("a")))',
        1,
        49,
        "matches() within two loops is too expensive",
    ),
    # patterns and networks
    ('client.matches("(")', 1, 16, "this is no regular expression: unclosed group"),
    ("client.matches(node)", 1, 16, "must be written here as text"),
    (f'client.matches("{"a" * 501}")', 1, 16, "longer than 500"),
    (r'client.matches("\\w{200}")', 1, 16, "too expensive"),
    (r'client.matches("((a{100}){100}){10}")', 1, 16, "too expensive"),
    ('in_network(source.ip, "10.0.0.1/8")', 1, 23, "this is no network: 10.0.0.1/8 has host bits set"),
    ("in_network(source.ip, destination.ip)", 1, 23, "must be written here as text"),
    ('in_network(source, "10.0.0.0/8")', 1, 12, "here must be text; this is the group source.…"),
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_passes(text: str) -> None:
    check(parse(text))


@pytest.mark.parametrize(("text", "line", "column", "reason"), WRONG)
def test_what_is_wrong_is_told_with_its_place(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(MatcherError) as caught:
        check(parse(text))

    assert reason in caught.value.reason
    assert (caught.value.line, caught.value.column) == (line, column)


def test_a_guess_is_made_only_where_something_is_near() -> None:
    assert nearest("sevrity", ["severity", "client"]) == "; is it severity?"
    assert nearest("zzz", ["severity", "client"]) == ""


# --- whatever passes runs on any alert ---------------------------------------------------------------

HOSTILE = st.one_of(
    st.sampled_from(
        ["", "acme", "10.0.0.1", "::1", "sshd", "\x00", "\u202e<b>", "%s", '"', "\\", "a" * 20_000]
    ),
    st.text(max_size=20),
)
PATHS = {
    kind: sorted(path for path in FIELDS if FIELDS[path].kind == kind) for kind in ("text", "number", "texts")
}
WORDS = st.sampled_from(['"acme"', '"10.0.0.1"', "'sshd'", 'r"\\d"', '"\\u202e"', '""'])
NETWORKS = st.sampled_from(['"10.0.0.0/8"', '"::/0"', '"fe80::/10"', '"10.0.0.1/8"'])
PATTERNS = st.sampled_from(['"^a+$"', '"(?i)ACME|x{1,3}"', '"("', r'"\\w+"', '""', r'"(?s).*"'])
NUMBERS = st.one_of(
    st.integers(-3, 5).map(str), st.sampled_from([*CONSTANTS, "9223372036854775807", "-9223372036854775808"])
)


def joined(*parts: "st.SearchStrategy[str] | str") -> st.SearchStrategy[str]:
    """Return expressions that are put together from others."""
    drawn = [st.just(part) if isinstance(part, str) else part for part in parts]
    return st.tuples(*drawn).map("".join)


TEXTS = st.one_of(WORDS, st.sampled_from(PATHS["text"]), st.just("v"))
SUMS = st.recursive(
    st.one_of(NUMBERS, st.sampled_from(PATHS["number"])),
    lambda inner: st.one_of(
        joined("(", inner, st.sampled_from([" + ", " - ", " * ", " / ", " % "]), inner, ")"),
        joined("-", inner),
        joined("size(", TEXTS, ")"),
    ),
    max_leaves=4,
)
LISTS = st.one_of(
    st.sampled_from(PATHS["texts"]),
    joined("[", TEXTS, ", ", TEXTS, "]"),
    joined(st.sampled_from(PATHS["texts"]), ".filter(v, v != ", TEXTS, ")"),
    joined(st.sampled_from(PATHS["texts"]), ".map(v, ", TEXTS, ")"),
)
COMPARE = st.sampled_from([" == ", " != ", " < ", " >= "])
TRUTHS = st.recursive(
    st.one_of(
        joined(TEXTS, COMPARE, TEXTS),
        joined(SUMS, COMPARE, SUMS),
        joined(TEXTS, " in ", LISTS),
        joined(LISTS, " == ", LISTS),
        joined(TEXTS, ".", st.sampled_from(["contains", "startsWith", "endsWith"]), "(", TEXTS, ")"),
        joined(TEXTS, ".matches(", PATTERNS, ")"),
        joined("in_network(", TEXTS, ", ", NETWORKS, ")"),
        joined(LISTS, ".size() > ", SUMS),
        joined(TEXTS, COMPARE, SUMS),  # which is wrong
    ),
    lambda inner: st.one_of(
        joined("(", inner, st.sampled_from([" && ", " || ", " == "]), inner, ")"),
        joined("!(", inner, ")"),
        joined("(", inner, " ? ", inner, " : ", inner, ")"),
        joined(LISTS, st.sampled_from([".exists(v, ", ".all(v, ", ".exists_one(v, "]), inner, ")"),
    ),
    max_leaves=6,
)


def hostile(text: str, texts: list[str], number: int) -> StoredAlert:
    """Return an alert that says the same hostile things everywhere."""
    stored = StoredAlert(client=text, node=text)
    made = stored.alert
    made.severity, made.count = number % 7, number  # type: ignore[assignment]
    made.message = made.url = made.domain = made.user = text
    made.source_endpoint.ip, made.source_endpoint.port = text, number
    made.destination_endpoint.ip, made.destination_endpoint.port = text, number
    made.rule.id, made.rule.level = text, number - 2**31
    made.rule.groups.extend(texts)
    made.threat.technique_ids.extend(texts)
    return stored


ANY_ALERT = st.builds(
    hostile,
    HOSTILE,
    st.lists(HOSTILE, max_size=5),
    st.integers(0, 2**32 - 1),
)


@settings(deadline=None, max_examples=600)
@given(TRUTHS, ANY_ALERT)
def test_whatever_passes_is_true_or_false_of_any_alert(text: str, stored: StoredAlert) -> None:
    try:
        made = matcher(text)
    except MatcherError:
        return
    asked = subject(stored)

    assert made.holds(asked) in (True, False)
    assert made.holds(asked) == made.holds(subject(stored, made.names))
    assert made.holds(asked) == all(part.holds(asked) for part in made.parts)


def test_what_is_made_for_that_passes_often_enough() -> None:
    """Otherwise the test before this one says nothing."""
    passed = []

    @settings(deadline=None, max_examples=200, database=None, derandomize=True)
    @given(TRUTHS)
    def count(text: str) -> None:
        with suppress(MatcherError):
            matcher(text)
            passed.append(text)

    count()
    assert len(passed) > 60


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(RIGHT), st.integers(0, 60), st.integers(0, 3), st.text(max_size=3), ANY_ALERT)
@example('client == "acme" && severity >= high', 0, 0, "(" * 400, StoredAlert())
@example('client == "acme" && severity >= high', 0, 0, "!" * 3000, StoredAlert())
@example('client == "acme" && severity >= high', 9, 0, "\x00", StoredAlert())
def test_what_is_broken_by_hand_is_refused_or_means_something_else(
    text: str, place: int, length: int, put: str, stored: StoredAlert
) -> None:
    broken = text[:place] + put + text[place + length :]
    try:
        made = matcher(broken)
    except MatcherError:
        return

    assert made.holds(subject(stored)) in (True, False)
