"""What a search by text means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme.errors import OperatorError
from zeus_hub.terms import LONGEST_TEXT, LONGEST_WORD, MOST_TERMS, MOST_WORDS, Term, parse


def words(text: str) -> set[str]:
    """Return what an index is asked for, the beginnings of words with a star."""
    return {f"{word.text}{'*' if word.is_open else ''}" for word in parse(text).words}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Failed  PASSWORD\t", {"failed", "password"}),
        ("web01.example.com", {"web01", "example", "com"}),
        (r"C:\Windows\System32\cmd.exe", {"c", "windows", "system32", "cmd", "exe"}),
        ("/var/log/auth.log", {"var", "log", "auth"}),
        ("10.0.0.7", {"10", "0", "7"}),
        ("fail*", {"fail*"}),
        ("web.exam*", {"web", "exam*"}),
        ("*fail", {"fail"}),
        ("fa*il", {"fa", "il"}),
        ("fail.*", {"fail"}),
        ("*", set()),
        ("-- ( ) \" ' \\ NEAR", {"near"}),
        ("Émile ÉCHEC", {"Émile", "Échec"}),
        ("日本*", {"日本*"}),
        ("", set()),
    ],
)
def test_the_words_of_what_is_typed(text: str, expected: set[str]) -> None:
    assert words(text) == expected


def test_an_index_is_asked_for_the_longest_words_and_no_longer_than_it_knows_them() -> None:
    many = parse(" ".join("x" * length for length in range(1, 60)))
    long = parse("y" * 1000)

    assert [len(word.text) for word in many.words] == list(range(59, 59 - MOST_WORDS, -1))
    assert long.words == (Term("y" * LONGEST_WORD, is_open=True),)
    assert len(long.terms[0].text) == 1000


@given(st.text(max_size=100))
def test_nothing_that_is_typed_is_wrong(text: str) -> None:
    sought = parse(text)

    assert all(term.text and not set(term.text) & set(" \t\r\n\0") for term in sought.terms)
    assert all(word.text.isalnum() or any(ord(one) > 127 for one in word.text) for word in sought.words)


def test_what_is_sought_is_bounded() -> None:
    most = " ".join(str(number) for number in range(MOST_TERMS))

    assert len(parse(f"{most} 1 2 3").terms) == MOST_TERMS, "what comes twice counts once"
    assert len(parse("x" * LONGEST_TEXT).terms) == 1
    with pytest.raises(OperatorError, match=r"at most 100 terms; this one has 101\n  Leave out"):
        parse(f"{most} more")
    with pytest.raises(OperatorError, match=r"at most 4096 characters; this one has 4097\n  Shorten it"):
        parse("x" * (LONGEST_TEXT + 1))
