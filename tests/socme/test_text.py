import json
import logging
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme import logs
from socme.table import cell
from socme.text import clean
from socme.view import json_line


@given(st.text(alphabet=st.characters(codec=None)), st.integers(1, 50))
def test_what_comes_out_is_one_safe_line(text: str, longest: int) -> None:
    shown = clean(text, longest)

    assert len(shown) <= longest
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in shown)
    shown.encode()


# What no program may print as it is, whatever else that may be.
BANNED = "".join(
    chr(code)
    for first, last in (
        *((0x00, 0x1F), (0x7F, 0x9F), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F)),
        *((0xFEFF, 0xFEFF), (0x061C, 0x061C), (0x00AD, 0x00AD), (0x3164, 0x3164), (0xE0000, 0xE01EF)),
    )
    for code in range(first, last + 1)
)


def test_none_of_what_is_banned_comes_out() -> None:
    assert set(clean(BANNED, len(BANNED))) == {"\N{REPLACEMENT CHARACTER}"}
    assert json.loads(json_line({"text": BANNED})) == {"text": BANNED}
    assert not set(BANNED) & set(json_line({"text": BANNED}))


def test_nor_in_a_log_or_in_a_table() -> None:
    record = logging.makeLogRecord({"msg": "bad", "fields": {"text": BANNED[:200]}})

    assert not set(BANNED) & set(logs._Formatter(journald=True).format(record))
    assert not set(BANNED) & set(cell(BANNED).plain)


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
