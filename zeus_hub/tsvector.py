"""Words of alerts on PostgreSQL: a table of vectors with an index (GIN), filled behind the store.

To keep such an index costs more than all else that is written of an alert, so it follows in transactions of
its own (backfill.py), which hold up nobody: `indexing` says up to which number alerts are there, and those
behind it are compared one by one.

The parser of `to_tsvector` takes hosts, paths and numbers apart in ways of its own, so words are parted as
terms.py says, without it.
"""

import re
from collections.abc import Sequence
from math import isqrt

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    any_,
    bindparam,
    false,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy import true as everything

from zeus_hub.schema import indexing
from zeus_hub.terms import LONGEST_WORD, Sought, Term

PAGE = 50  # alerts that a person is shown at once
LOOKED_UP = 2  # times as long as to compare the next one of all takes, to look an alert up by its number
WORDS = "tsvector"  # the row in `indexing`
_APART = r"\x01-\x2f\x3a-\x60\x7b-\x7f"  # terms.APART
_LONGEST_LEXEME = 2046  # bytes; the server refuses a longer one
# An alert's text for a search. White space is between the fields, so that no term is found across them.
_SAID = (
    "lower((alert.rule_name || ' ' || alert.message || ' ' || alert.host || ' ' || alert.\"user\")"
    ' COLLATE "C")'
)
_CUT = rf"regexp_replace({_SAID}, '([^{_APART}]{{{LONGEST_WORD}}})[^{_APART}]+', '\1', 'g')"
_FITTING = f"CASE WHEN octet_length({_SAID}) <= {_LONGEST_LEXEME} THEN {_SAID} ELSE {_CUT} END"
_VECTOR = f"array_to_tsvector(array_remove(regexp_split_to_array({_FITTING}, '[{_APART}]+'), ''))"
_ADD = text(
    f"INSERT INTO alert_words (number, words) SELECT alert.number, {_VECTOR} FROM alert"  # noqa: S608 - constants
    " WHERE alert.number > :after AND alert.number <= :end"
).columns()
_REMOVE = text("DELETE FROM alert_words WHERE number IN :numbers").bindparams(
    bindparam("numbers", expanding=True)
)
_HITS = "SELECT number FROM alert_words WHERE words @@ CAST(:query AS tsquery)"


def remove(connection: Connection, numbers: Sequence[int]) -> None:
    """Take alerts out that are about to be deleted."""
    connection.execute(_REMOVE, {"numbers": list(numbers)})


def there(connection: Connection) -> int:
    """Return up to which number alerts are there."""
    query = select(indexing.c.number).where(indexing.c.name == WORDS)
    return connection.execute(query).scalar_one_or_none() or 0


def step(connection: Connection, size: int) -> int:
    """Add the oldest alerts that are missing, `size` numbers of them at the most; return how many numbers."""
    before = there(connection)
    last: int = connection.execute(text("SELECT coalesce(max(number), 0) FROM alert")).scalar_one()
    end = min(last, before + size)
    if end <= before:
        return 0
    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")  # what is lost is done again
    connection.execute(_ADD, {"after": before, "end": end})
    mine = update(indexing).where(indexing.c.name == WORDS).values(number=end)
    if not connection.execute(mine).rowcount:
        connection.execute(insert(indexing).values(name=WORDS, number=end))
    return end - before


def compared(sought: Sought) -> ColumnElement[bool]:
    """Return what is sought as a condition on the alert table, by a look at each alert."""
    found: ColumnElement[bool] = everything()
    for term in sought.terms:
        like = literal_column(_SAID).op("~", is_comparison=True)(_pattern(term))
        # PostgreSQL takes any pattern for rare, and would look for all that match before it sorts them; of
        # this it supposes that it leaves a half.
        found = found & func.coalesce(like, false())
    return found


def worth_it(connection: Connection, sought: Sought, number: ColumnElement[int]) -> ColumnElement[bool]:
    """Return a condition on the alert table that leaves what is worth to be compared, where it is little.

    `number` is the table's key. Of n among N, a page is found within PAGE * N / n steps along all by time.
    """
    if not sought.words:
        return everything()
    query = " & ".join(f"'{word.text}'{':*' if word.is_open else ''}" for word in sought.words)
    (plan,) = connection.execute(text(f"EXPLAIN (FORMAT JSON) {_HITS}"), {"query": query}).scalar_one()
    done = there(connection)
    rare = isqrt(PAGE * done // LOOKED_UP)
    if plan["Plan"]["Plan Rows"] > rare:
        return everything()
    # That was a guess, which is wrong for many a beginning of a word. Where it holds, the numbers themselves
    # are given: PostgreSQL finds its way by them, whatever stands beside them, and not by a query for them.
    asked = {"query": query, "most": rare + 1}
    few = connection.scalars(text(f"{_HITS} LIMIT :most"), asked).all()
    if len(few) > rare:
        return everything()
    return (number > done) | (number == any_(literal(few, ARRAY(BigInteger))))


def _pattern(term: Term) -> str:
    """Return a term as an advanced regular expression."""
    escaped = re.sub(r"[\x01-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]", r"\\\g<0>", term.text)
    before = f"(?:^|[{_APART}])" if term.begins_word else ""
    return f"{before}{escaped}{f'(?:$|[{_APART}])' if term.ends_word else ''}"
