"""Proof that two tables hold the same: how many rows, and a checksum of their values.

Whichever database rows come from, they are seen in one form: in the order of their key, cut into pieces, and
of each piece one column after the other, which values are absent, how long they are, and the values. The
checksum of a table is that of the checksums of its pieces. No more than a piece of each side is in memory.
"""

import hashlib
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest

from sqlalchemy import Boolean, Column, Integer, LargeBinary, String, Table

from socme.text import clean
from zeus_hub.schema import plain

ROWS = 4000  # of a piece, at the most
BYTES = 8 * 1024 * 1024  # of its texts and bytes; one row may have more
LONGEST_KEY = 100  # characters of a value, where a row is named

Row = Sequence[object]


class Kind(Enum):
    """What a column's values are."""

    NUMBER = 0
    """A whole number of 64 bits; true and false are 1 and 0."""
    TEXT = 1
    BYTES = 2


@dataclass(frozen=True, slots=True)
class Form:
    """What is known of a table's rows."""

    kinds: Sequence[Kind]
    names: Sequence[str]
    keys: Sequence[int]
    """Which columns its rows are ordered by."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a table holds."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two tables hold, and where they differ first."""

    ours: Proof
    theirs: Proof
    difference: str
    """For people, with no value but those of a key; empty where they hold the same."""


class _Counting:
    """The proof of pieces so far."""

    def __init__(self) -> None:
        self._rows = 0
        self._sum = hashlib.sha256()

    def add(self, rows: int, digest: bytes) -> None:
        self._rows += rows
        self._sum.update(digest)

    def proof(self) -> Proof:
        return Proof(self._rows, self._sum.hexdigest())


def form(table: Table) -> Form:
    """Return what is known of a table's rows; TypeError where it has values of another kind."""
    columns = list(table.columns)
    keys = [columns.index(column) for column in table.primary_key.columns]
    return Form([_kind(column) for column in columns], [column.name for column in columns], keys)


def cleaned(form: Form, rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows as every database can hold them: older versions stored texts with a character 0."""
    texts = [place for place, kind in enumerate(form.kinds) if kind is Kind.TEXT]
    for row in rows:
        if any("\0" in text for place in texts if isinstance(text := row[place], str)):
            yield [plain(value) if isinstance(value, str) else value for value in row]
        else:
            yield row


def pieces(form: Form, rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Cut rows into pieces; where, their values alone decide."""
    weighed = [place for place, kind in enumerate(form.kinds) if kind is not Kind.NUMBER]
    piece: list[Row] = []
    held = 0
    for row in rows:
        weight = sum([len(value) for place in weighed if (value := row[place])])  # type: ignore[arg-type, misc]
        if piece and (held + weight > BYTES or len(piece) >= ROWS):
            yield piece
            piece, held = [], 0
        piece.append(row)
        held += weight
    if piece:
        yield piece


def prove(form: Form, rows: Iterable[Row]) -> Proof:
    """Return the proof of rows."""
    counting = _Counting()
    for piece in pieces(form, rows):
        counting.add(len(piece), digest(form, piece))
    return counting.proof()


def compare(form: Form, ours: Iterable[Row], theirs: Iterable[Row], saw: Callable[[int], None]) -> Comparison:
    """Read two tables side by side to their ends, and find where they differ first.

    `saw` hears how many more rows of ours were looked at.
    """
    one, other = _Counting(), _Counting()
    difference = ""
    none: list[Row] = []
    for mine, yours in zip_longest(pieces(form, ours), pieces(form, theirs), fillvalue=none):
        sums = (digest(form, mine), digest(form, yours))
        if mine:
            one.add(len(mine), sums[0])
        if yours:
            other.add(len(yours), sums[1])
        if sums[0] != sums[1] and not difference:
            difference = _difference(form, mine, yours)
        saw(len(mine))
    return Comparison(one.proof(), other.proof(), difference)


def digest(form: Form, piece: Sequence[Row]) -> bytes:
    """Return the checksum of a piece."""
    found = hashlib.sha256(struct.pack("<q", len(piece)))
    for kind, column in zip(form.kinds, zip(*piece, strict=True), strict=False):
        found.update(bytes([value is None for value in column]))
        _add(found, kind, column)
    return found.digest()


def row_named(form: Form, row: Row) -> str:
    """Return what to call a row: its key, harmless on a terminal."""
    return ", ".join(f"{form.names[place]} {_shown(row[place])}" for place in form.keys)


def _add(found: "hashlib._Hash", kind: Kind, column: Sequence[object]) -> None:
    count = f"<{len(column)}q"
    if kind is Kind.NUMBER:
        found.update(struct.pack(count, *[value or 0 for value in column]))
        return
    if kind is Kind.TEXT:
        values = [value.encode() if value else b"" for value in column]  # type: ignore[attr-defined]
    else:
        values = [value or b"" for value in column]
    found.update(struct.pack(count, *map(len, values)))
    found.update(b"".join(values))


def _difference(form: Form, mine: Sequence[Row], yours: Sequence[Row]) -> str:
    """Say which of two pieces' rows differ first, and in what."""
    for ours, theirs in zip(mine, yours, strict=False):
        named = [digest(form, [row]) for row in (ours, theirs)]
        if named[0] == named[1]:
            continue
        if any(ours[place] != theirs[place] for place in form.keys):
            return f"the source has {row_named(form, ours)} where the target has {row_named(form, theirs)}"
        columns = [name for name, a, b in zip(form.names, ours, theirs, strict=True) if a != b]
        return f"{row_named(form, ours)} differs in {', '.join(columns)}"
    if len(mine) > len(yours):
        return f"the target lacks {row_named(form, mine[len(yours)])}"
    return f"the source lacks {row_named(form, yours[len(mine)])}"


def _shown(value: object) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    return clean(text, LONGEST_KEY)


def _kind(column: Column[object]) -> Kind:
    if isinstance(column.type, Integer | Boolean):
        return Kind.NUMBER
    if isinstance(column.type, String):
        return Kind.TEXT
    if isinstance(column.type, LargeBinary):
        return Kind.BYTES
    raise TypeError(f"{column} has values of an unknown kind")
