"""The part of CEL that a matcher may be written in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeus_hub.routes.syntax import DEEPEST, LONGEST, MatcherError, conjuncts, parse, source


@pytest.mark.parametrize(
    "text",
    [
        'client == "acme"',
        "a.b.c >= -1 && !d || e ? f : g",
        'rule.groups.exists(g, g.startsWith("ss"))',
        "source.port in [22, 0x17,\n  2222,\n]",
        "f()",
        'r"a\\" == \'"\'',
        "// why\ntrue // because",
        "inner == information",
    ],
)
def test_cel_is_understood(text: str) -> None:
    parse(text)


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("", 1, 1, "missing at the end"),
        ("a &&", 1, 5, "missing at the end"),
        ("a ==\n", 2, 1, "missing at the end"),
        ("(a", 1, 3, "missing at the end"),
        ("a b", 1, 3, "'b' does not belong here"),
        ("a\n  == == b", 2, 6, "'==' does not belong here"),
        ("a & b", 1, 3, "CEL knows no '&' here"),
        ("{}", 1, 1, "CEL knows no '{' here"),
        ('"abc', 1, 1, "CEL knows no '\"' here"),
        ("a == é", 1, 6, "CEL knows no 'é' here"),
        ("a" * (LONGEST + 1), 1, 1, "longer than 4000"),
    ],
)
def test_what_is_not_is_told_with_its_place(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(MatcherError) as caught:
        parse(text)

    assert (caught.value.line, caught.value.column) == (line, column)
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    "text",
    [
        "!" * (LONGEST - 1) + "a",
        "-" * (LONGEST - 1) + "1",
        "a?b:" * 900 + "c",
        "[" * 1990 + "1" + "]" * 1990,
    ],
)
def test_what_is_nested_deeply_is_refused(text: str) -> None:
    with pytest.raises(MatcherError, match=f"more than {DEEPEST} deep"):
        parse(text)


def test_brackets_alone_make_nothing_deep() -> None:
    parse("(" * 1000 + "a" + ")" * 1000)


def test_what_has_to_hold_together_is_taken_apart() -> None:
    text = "a && (b ||\n c) && (d && e)"

    assert [source(text, part) for part in conjuncts(parse(text))] == ["a", "b ||\n c", "d && e"]
    assert [source("a || b", part) for part in conjuncts(parse("a || b"))] == ["a || b"]


@given(st.text(max_size=200))
def test_no_text_is_a_surprise(text: str) -> None:
    try:
        parse(text)
    except MatcherError as error:
        place = error.line, error.column
    else:
        place = 1, 1

    assert min(place) >= 1
