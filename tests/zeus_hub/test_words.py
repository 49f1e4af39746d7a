"""What people write, cleaned and bounded."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme.errors import OperatorError
from socme.text import clean
from zeus_hub import words

ALL = [
    (words.person, words.LONGEST_NAME),
    (words.reason, words.LONGEST_REASON),
    (words.comment, words.LONGEST_COMMENT),
    (words.short_name, words.LONGEST_SHORT_NAME),
]
Read = Callable[[str], str]


@pytest.mark.parametrize(("read", "longest"), ALL)
def test_what_is_too_long_is_refused_and_not_cut(read: Read, longest: int) -> None:
    assert read("x" * longest) == "x" * longest
    with pytest.raises(OperatorError, match=f"at most {longest} characters"):
        read("x" * (longest + 1))


@pytest.mark.parametrize("read", [words.person, words.reason, words.comment])
@pytest.mark.parametrize("text", ["", " \t\n"])
def test_nothing_is_refused(read: Read, text: str) -> None:
    with pytest.raises(OperatorError):
        read(text)


def test_a_client_may_have_no_short_name() -> None:
    assert words.short_name(" ") == ""


@given(st.text(max_size=words.LONGEST_COMMENT))
def test_what_is_kept_is_one_clean_line(text: str) -> None:
    try:
        kept = words.comment(text)
    except OperatorError:
        assert not text.split()
        return

    assert kept == clean(kept, words.LONGEST_COMMENT)
    assert len(kept.splitlines()) == 1
