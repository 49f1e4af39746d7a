"""Numbers as the hub sees them, counted from a base that an epoch moves."""

from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.numbering import (
    DROPPED,
    Numbers,
    check_of,
    first_sequence,
    key_of,
    note,
    notes_of,
    number,
    packed_dropped,
    read_numbers,
    shown,
)
from socme.batch import Packed, pack
from socme.journal import Entry
from socme.v1.uplink_pb2 import Dropped

NUMBERS = st.integers(0, 2**63)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.binary(min_size=8, max_size=8))
def test_numbers_come_back_from_their_note(
    base: int, last: int, total: int, trimmed: int, check: bytes
) -> None:
    numbers = Numbers(base, last, total, trimmed, check)

    assert read_numbers(notes_of({2: numbers})[key_of(2)]) == numbers


def test_a_lane_that_was_never_used_begins_with_one() -> None:
    numbers = read_numbers(None)

    assert (numbers.last - numbers.base, numbers.total, numbers.trimmed) == (0, 0, 0)


@given(NUMBERS)
def test_a_number_comes_back_from_its_note(value: int) -> None:
    assert number(note(value)) == value
    assert number(None) == 0


def entry(packed: Packed, sequence: int) -> Entry:
    return Entry(1, "eve.json", 1, sequence, 0, packed)


def test_an_entry_is_shown_as_the_hub_knows_it() -> None:
    plain = entry(pack([b"a"]), 107)

    assert shown(plain, 100).sequence == 7
    assert first_sequence(plain) == 107


def test_what_stands_for_others_moves_with_its_first_sequence() -> None:
    packed = packed_dropped(Dropped(first_sequence=103, alerts=9, reason="age"))
    moved = shown(entry(packed, 107), 100)

    assert packed.encoding == DROPPED
    assert packed.alerts == 0
    assert first_sequence(entry(packed, 107)) == 103
    assert Dropped.FromString(moved.packed.payload) == Dropped(first_sequence=3, alerts=9, reason="age")


def test_a_check_tells_batches_apart() -> None:
    assert len(check_of(pack([b"a"]))) == 8
    assert check_of(pack([b"a"])) != check_of(pack([b"b"]))
