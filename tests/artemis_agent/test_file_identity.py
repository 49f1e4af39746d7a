"""What tells files apart, and the form of a saved position."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.file_identity import (
    HEAD,
    Known,
    Position,
    decode,
    encode,
    head_of,
    identity_of,
    identity_of_unread,
    taken_back,
    trail_hash,
)
from socme.errors import OperatorError


@pytest.mark.parametrize(
    ("beginning", "head"),
    [
        (b"", None),
        (b"half", None),
        (b"\n\n", None),
        (b"first\nsecond\n", b"first\n"),
        (b" \n\x00\nfirst\nsecond\n", b" \n\x00\nfirst\n"),
        (b"x" * HEAD, b"x" * HEAD),
    ],
)
def test_a_head_is_the_first_line_that_is_not_blank(beginning: bytes, head: bytes | None) -> None:
    assert head_of(beginning) == head


@given(st.binary(max_size=HEAD), st.binary(max_size=HEAD))
def test_a_head_stays_what_it_is_while_the_file_grows(beginning: bytes, more: bytes) -> None:
    head = head_of(beginning)

    assert head is None or head_of((beginning + more)[:HEAD]) == head


def test_identities_are_the_same_each_time_and_differ_by_each_part() -> None:
    identity, unread = identity_of(b"head"), identity_of_unread(1, 2)

    assert (identity, unread) == (identity_of(b"head"), identity_of_unread(1, 2))
    assert len({identity, identity_of(b"h"), identity_of(b""), unread}) == 4
    assert len({unread, identity_of_unread(2, 2), identity_of_unread(1, 1)}) == 3
    assert identity_of(b"head", {identity}) != identity


def known(name: bytes, offset: int, *, size: int = 100, left: bool = False) -> Known:
    trail = name if offset else b""
    return Known(
        device=1, inode=2, head=name, identity=name, offset=offset, size=size, left=left, trail=trail
    )


def test_a_lost_spool_goes_back_to_what_is_sure_in_each_file_that_it_knew() -> None:
    """Those that were opened since are wanted from their beginning; those that were read on in are wanted."""
    sure = Position(
        since=7, files=(known(b"gone", 5, left=True), known(b"a", 100, left=True), known(b"b", 30))
    )
    last = Position(
        since=9, files=(known(b"a", 100, left=True), known(b"b", 120, left=True), known(b"c", 40))
    )

    assert taken_back(sure, last) == Position(
        since=7,
        files=(
            known(b"gone", 5, left=True),
            known(b"a", 100, left=True),
            known(b"b", 30, size=120),
            known(b"c", 0),
        ),
    )
    assert taken_back(sure, sure) == sure
    unsettled = Position(fresh=True)
    assert taken_back(unsettled, last) == last


def test_a_position_is_what_it_was_after_being_saved() -> None:
    known = Known(device=1, inode=2, head=b"\xff", identity=b"\x00", offset=3, size=4, left=True, trail=b"t")
    position = Position(
        fresh=True, since=5, files=(known,), seen=(2**64 - 1,), target="/log", former=("/a", "/b")
    )

    assert decode(encode(position)) == position


def test_nothing_is_kept_of_a_trail_that_is_not_there() -> None:
    assert trail_hash(b"") == b""
    assert len(trail_hash(b"x")) == 16


@pytest.mark.parametrize("saved", [b"", b"\x81", b"[]", msgspec.msgpack.encode(Position(version=1))])
def test_a_position_that_cannot_be_understood_is_an_error_with_a_mend(saved: bytes) -> None:
    with pytest.raises(OperatorError) as caught:
        decode(saved)

    assert caught.value.mend
