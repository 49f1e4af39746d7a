"""Hostile text within Markdown stays text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.zeus_hub.receivers.thehive.notices import HOSTILE, UNHURRIED, texts
from zeus_hub.receivers.thehive.markdown import cut, fits, literal

RENDERERS = (MarkdownIt("commonmark"), MarkdownIt("gfm-like", {"linkify": False, "html": True}))


@UNHURRIED
@given(texts)
def test_a_literal_is_one_code_span_and_nothing_else(text: str) -> None:
    for renderer in RENDERERS:
        paragraph, *rest = renderer.parse(f"- {literal(text, 200)} *ours*")[2:]

        assert paragraph.type == "paragraph_open"
        span, space, *ours = rest[0].children or []
        assert (span.type, space.content) == ("code_inline", " ")
        assert [token.type for token in ours] == ["em_open", "text", "em_close"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_hostile_can_still_be_read(text: str) -> None:
    seen = literal(text, 2000)

    for word in ("evil.example", "script", "heading", "critical"):
        assert (word in text) == (word in seen)


def test_nothing_is_something_to_see() -> None:
    assert literal(" \n ", 10) == "`-`"


@UNHURRIED
@given(texts, st.integers(1, 600))
def test_a_cut_text_has_at_most_as_many_units_as_thehive_counts(text: str, longest: int) -> None:
    made = cut(text, longest)

    assert len(made.encode("utf-16-le")) <= 2 * longest
    assert "\n" not in made
    assert fits(made, longest) or not made


def test_a_text_that_fits_is_not_cut() -> None:
    assert cut("\U0001f680" * 5, 10) == "\U0001f680" * 5
    assert cut("\U0001f680" * 6, 10) == "\U0001f680" * 4 + "…"
    assert fits("\U0001f680" * 5, 10)
    assert not fits("\U0001f680" * 6, 10)
    assert not fits("a\nb", 10)
    assert not fits("", 10)
