"""Words on SQLite: parted as terms.py says, and cheap to keep."""

import sqlite3
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from zeus_hub.fts import _pattern
from zeus_hub.terms import APART, Term, parse


@given(st.text(max_size=30))
def test_its_tokenizer_parts_words_as_we_do(text: str) -> None:
    said = text.replace("\0", "").encode(errors="ignore").decode()
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE VIRTUAL TABLE words USING fts5(said, tokenize='ascii')")
        db.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(words, 'row')")
        db.execute("INSERT INTO words VALUES (?)", [said])
        found = {row[0] for row in db.execute("SELECT term FROM terms")}

    whole = {word.text for term in parse(said.replace("*", " ")).terms for word in term.words()}
    assert found == whole


def test_a_pattern_says_where_words_end() -> None:
    assert _pattern(Term("a*b?[", is_open=False)) == f"*[{APART}]a[*]b[?][[]*"
    assert _pattern(Term("ab", is_open=False)) == f"*[{APART}]ab[{APART}]*"
    assert _pattern(Term("ab", is_open=True)) == f"*[{APART}]ab*"
    assert _pattern(Term(".ab", is_open=False)) == f"*.ab[{APART}]*"
