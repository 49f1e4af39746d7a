"""Words on PostgreSQL: the patterns of terms."""

import re

from zeus_hub.terms import APART, Term
from zeus_hub.tsvector import _APART, _pattern


def test_words_are_parted_by_the_same_characters_as_on_sqlite() -> None:
    ours, theirs = re.compile(f"[{APART}]"), re.compile(f"[{_APART}]")
    characters = [chr(one) for one in (*range(1, 300), 0x3000, 0x10FFFF) if not 65 <= one <= 90]

    assert [one for one in characters if ours.match(one)] == [one for one in characters if theirs.match(one)]


def test_a_pattern_says_where_words_end_and_nothing_in_it_is_syntax() -> None:
    assert _pattern(Term("ab", is_open=True)) == f"(?:^|[{_APART}])ab"
    assert _pattern(Term("a.b", is_open=False)) == rf"(?:^|[{_APART}])a\.b(?:$|[{_APART}])"
    assert _pattern(Term("(?i)\\é", is_open=False)) == rf"\(\?i\)\\é(?:$|[{_APART}])"
