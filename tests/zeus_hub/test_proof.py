"""Proof that two tables hold the same: nothing that differs goes unnoticed, whatever the values are."""

import tracemalloc
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Date, Integer, LargeBinary, MetaData, Table, Text

from zeus_hub import proof
from zeus_hub.database import METADATA
from zeus_hub.proof import BYTES, Comparison, Kind, Row, cleaned, compare, form, pieces, prove

TABLE = Table(
    "t",
    MetaData(),
    Column("key", Integer, primary_key=True),
    Column("a", Text),
    Column("b", Text),
    Column("c", LargeBinary),
    Column("d", Integer),
)
FORM = form(TABLE)
TEXTS = st.none() | st.text(max_size=5)
VALUES = st.tuples(
    TEXTS, TEXTS, st.none() | st.binary(max_size=5), st.none() | st.integers(-(2**63), 2**63 - 1)
)
TABLES = st.lists(VALUES, max_size=9).map(lambda all_: [(key, *values) for key, values in enumerate(all_)])


def judged(ours: Sequence[Row], theirs: Sequence[Row]) -> Comparison:
    return compare(FORM, iter(ours), iter(theirs), lambda _: None)


@given(TABLES, TABLES)
def test_two_tables_have_one_proof_only_where_they_hold_the_same(ours: list[Row], theirs: list[Row]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proof, "ROWS", 3)
        found = judged(ours, theirs)

        assert (found.ours == found.theirs) == (ours == theirs) == (not found.difference)
        assert found.ours == prove(FORM, ours)
        assert found.ours.rows == len(ours)
        assert found.theirs.rows == len(theirs)


ROW: Row = (1, "a", "bc", b"d", 1)


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        ((1, "ab", "c", b"d", 1), "key 1 differs in a, b"),
        ((1, "a", "bc", b"", 1), "key 1 differs in c"),
        ((1, "a", "bc", None, 1), "key 1 differs in c"),
        ((1, "a", "bc", b"d", 0), "key 1 differs in d"),
        ((1, "a", "bc", b"d", None), "key 1 differs in d"),
        ((2, "a", "bc", b"d", 1), "the source has key 1 where the target has key 2"),
    ],
)
def test_where_it_differs_is_told_without_its_values(other: Row, differs: str) -> None:
    assert judged([(0, "", "", b"", 0), ROW], [(0, "", "", b"", 0), other]).difference == differs


def test_a_row_that_one_side_lacks_is_named() -> None:
    assert judged([ROW, (2, *ROW[1:])], [ROW]).difference == "the target lacks key 2"
    assert judged([], [ROW]).difference == "the source lacks key 1"


def test_a_key_does_no_harm_where_it_is_shown() -> None:
    table = Table(
        "t", MetaData(), Column("a", Text, primary_key=True), Column("b", LargeBinary, primary_key=True)
    )
    named = proof.row_named(form(table), ("\x1b[31m\r\n\u202e" + "x" * 500, b"\x1b"))

    assert named.isprintable()
    assert named.endswith("b 1b")
    assert len(named) < 150


def test_where_a_value_ends_counts() -> None:
    ours, theirs = (
        [(1, one, "", one.encode(), 0), (2, other, "", other.encode(), 0)]
        for one, other in (("ab", "c"), ("a", "bc"))
    )

    assert judged(ours, theirs).difference == "key 1 differs in a, c"


def test_true_is_what_another_database_calls_1() -> None:
    assert judged([(1, "a", "b", b"", True)], [(1, "a", "b", b"", 1)]).difference == ""


def test_all_columns_of_the_hub_are_of_a_known_kind_and_others_are_refused() -> None:
    assert all(form(table).keys for table in METADATA.sorted_tables)
    assert set(form(METADATA.tables["alert"]).kinds) == set(Kind)
    with pytest.raises(TypeError, match="unknown kind"):
        form(Table("t", MetaData(), Column("day", Date, primary_key=True)))


def test_a_character_0_is_replaced_and_the_rest_left() -> None:
    assert list(cleaned(FORM, [(1, "a\0", None, b"\0", 0), ROW])) == [[1, "a\ufffd", None, b"\0", 0], ROW]


@given(TABLES)
def test_pieces_are_the_rows(rows: list[Row]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proof, "ROWS", 4)
        patch.setattr(proof, "BYTES", 6)
        cut = list(pieces(FORM, rows))

        assert [row for piece in cut for row in piece] == rows
        for piece in cut:
            weight = sum(len(value) for row in piece for value in row[1:4] if isinstance(value, str | bytes))
            assert len(piece) == 1 or (len(piece) <= 4 and weight <= 6)


def test_memory_does_not_grow_with_what_rows_hold() -> None:
    def large() -> Iterator[Row]:
        return ((key, "", "", bytes(BYTES // 4), 0) for key in range(40))

    tracemalloc.start()
    try:
        found = compare(FORM, large(), large(), lambda _: None)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert found.difference == ""
    assert most < 6 * BYTES
