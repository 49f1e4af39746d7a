"""Words of alerts on PostgreSQL: an index (GIN) of an expression, which the server keeps by itself.

The parser of `to_tsvector` takes hosts, paths and numbers apart in ways of its own, so words are parted as
terms.py says, without it.
"""

import re

from sqlalchemy import ColumnElement, cast, func, literal, literal_column
from sqlalchemy import true as everything
from sqlalchemy.dialects.postgresql import TSQUERY

from zeus_hub.terms import LONGEST_WORD, Sought, Term

_APART = r"\x01-\x2f\x3a-\x60\x7b-\x7f"  # terms.APART
_LONGEST_LEXEME = 2046  # bytes; the server refuses rows with a longer one
SAID = (
    "(' ' || alert.rule_name || ' ' || alert.message || ' ' || alert.host || ' ' || alert.\"user\")"
    ' COLLATE "C"'
)
_CUT = rf"regexp_replace({SAID}, '([^{_APART}]{{{LONGEST_WORD}}})[^{_APART}]+', '\1', 'g')"
_FITTING = f"CASE WHEN octet_length({SAID}) <= {_LONGEST_LEXEME} THEN {SAID} ELSE {_CUT} END"
# As in the index, letter by letter: that is how PostgreSQL knows it again.
WORDS = f"array_to_tsvector(array_remove(regexp_split_to_array(lower({_FITTING}), '[{_APART}]+'), ''))"


def condition(sought: Sought) -> ColumnElement[bool]:
    """Return what is sought as a condition on the alert table."""
    found: ColumnElement[bool] = everything()
    if sought.words:
        query = " & ".join(f"'{word.text}'{':*' if word.is_open else ''}" for word in sought.words)
        found = literal_column(WORDS).op("@@", is_comparison=True)(cast(literal(query), TSQUERY))
    if not sought.is_only_words:
        for term in sought.terms:
            found = found & func.lower(literal_column(SAID)).op("~", is_comparison=True)(_pattern(term))
    return found


def _pattern(term: Term) -> str:
    """Return a term as an advanced regular expression."""
    escaped = re.sub(r"[\x01-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]", r"\\\g<0>", term.text)
    before = f"(?:^|[{_APART}])" if term.begins_word else ""
    return f"{before}{escaped}{f'(?:$|[{_APART}])' if term.ends_word else ''}"
