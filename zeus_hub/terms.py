"""What a search by text means: the same on both databases, and for alerts that no index knows yet.

A text is cut at white space into terms, all of which must occur, in any order and in any of the fields. A
term occurs where it stands as it is written, punctuation and all, letters A to Z in either case: beginning at
the beginning of a word and ending at the end of one, or within one where it ends with `*`.

A word is made of letters and digits, and of every character beyond ASCII; all else parts words. So
`example.com` is found in `https://www.example.com/x`, and `10.0.0` in `10.0.0.7`, but not in `110.0.0.7`.
"""

import re
import string
from dataclasses import dataclass
from functools import cached_property

from socme.errors import OperatorError
from zeus_hub.schema import plain

# As ranges, for a class of a regular expression or of SQLite's GLOB: all of ASCII that parts words, but for
# character 0, which no column holds, and capitals, which are made small before.
APART = "\x01-/:-`{-\x7f"
LONGEST_WORD = 255  # characters of a word that an index is asked for; what follows is compared
# Of one search. SQLite takes some 1,000 terms, and patterns of 50,000 bytes; longer than that no field is.
MOST_TERMS = 100
LONGEST_TEXT = 4096  # characters
MOST_WORDS = 16  # of one search that an index is asked for; the rest is compared
_WORD = re.compile(f"[^\0{APART}]+")
_SPACE = re.compile(r"[\t\n\v\f\r ]+")
_SMALL = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


@dataclass(frozen=True, slots=True)
class Term:
    """A piece of what is sought, without white space."""

    text: str
    """Letters A to Z are small."""
    is_open: bool
    """Whether more of a word may follow."""

    @property
    def begins_word(self) -> bool:
        """Tell whether a word begins with it, so that none may be going on before it."""
        return _WORD.match(self.text) is not None

    @property
    def ends_word(self) -> bool:
        """Tell whether a word ends with it, so that none may be going on behind it."""
        return not self.is_open and _WORD.match(self.text[-1]) is not None

    def words(self) -> list["Term"]:
        """Return the words that are in each text in which this occurs."""
        found = [Term(each.group(), is_open=False) for each in _WORD.finditer(self.text)]
        if found and self.is_open:
            found[-1] = Term(found[-1].text, is_open=True)
        return [
            Term(word.text[:LONGEST_WORD], word.is_open or len(word.text) >= LONGEST_WORD) for word in found
        ]


@dataclass(frozen=True)
class Sought:
    """What is sought."""

    terms: tuple[Term, ...]

    @cached_property
    def words(self) -> tuple[Term, ...]:
        """What an index is asked for: some of the words, the longest, that are in all that is found."""
        found = dict.fromkeys(word for term in self.terms for word in term.words())
        return tuple(sorted(found, key=lambda word: len(word.text), reverse=True)[:MOST_WORDS])

    @property
    def is_only_words(self) -> bool:
        """Tell whether every text that has the words is what is sought, without a look at it."""
        return set(self.words) == set(self.terms)


def parse(text: str) -> Sought:
    """Read what a person typed; nothing in it is wrong, but OperatorError is raised where it is too much."""
    if len(text) > LONGEST_TEXT:
        raise OperatorError(
            f"a text to search for has at most {LONGEST_TEXT} characters; this one has {len(text)}",
            "Shorten it.",
        )
    pieces = _SPACE.split(plain(text).translate(_SMALL))
    terms = tuple(dict.fromkeys(_term(piece) for piece in pieces if piece))
    if len(terms) > MOST_TERMS:
        raise OperatorError(
            f"a text to search for has at most {MOST_TERMS} terms; this one has {len(terms)}",
            "Leave out those that say least.",
        )
    return Sought(terms)


def _term(piece: str) -> Term:
    """`*` means something behind a word alone."""
    is_open = len(piece) > 1 and piece.endswith("*") and _WORD.match(piece[-2]) is not None
    return Term(piece.removesuffix("*") if is_open else piece, is_open)
