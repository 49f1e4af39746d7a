import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme.text import clean


@given(st.text(alphabet=st.characters(codec=None)), st.integers(1, 50))
def test_what_comes_out_is_one_safe_line(text: str, longest: int) -> None:
    shown = clean(text, longest)

    assert len(shown) <= longest
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in shown)
    shown.encode()


def test_ordinary_text_stays() -> None:
    assert clean("Lochriger-Hädd 中文 🚨 'quoted' <b>", 100) == "Lochriger-Hädd 中文 🚨 'quoted' <b>"
    assert clean("abc", 3) == "abc"
    assert clean("abcd", 3) == "ab…"


@pytest.mark.parametrize(
    "text",
    [
        *("\x1b[2J", "\x9b2J", "a\rb", "a\nb", "\x00", "\ud800", "a\u2028b"),
        *("a\u202eb", "a\u2066b", "a\u061cb", "a\u200fb"),
        *("a\u200bb", "\ufeffa", "a\u00adb", "a\U000e0041b", "a\ufff9b", "a\u180eb"),
    ],
)
def test_what_moves_hides_or_turns_is_replaced(text: str) -> None:
    assert "\N{REPLACEMENT CHARACTER}" in clean(text, 100)
