"""Whole lines from one file, whatever is in it and whatever is done to it."""

import os
from pathlib import Path

import pytest

from artemis_agent import line_file as module
from artemis_agent.line_file import LONGEST, Block, Truncated, open_line_file
from artemis_agent.source import Reject

BUFFER = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "eve.json"


def drain(path: Path) -> list[bytes | Reject | Truncated]:
    file = open_line_file(path)
    buffer = bytearray(BUFFER)
    found: list[bytes | Reject | Truncated] = []
    while file.knows_head() and (piece := file.read(buffer)) is not None:
        if not isinstance(piece, Block):
            found.append(piece)
        elif piece.size:
            found.append(bytes(piece.data[: piece.size]))
    file.close()
    return found


def test_only_lines_that_have_ended_are_read(path: Path) -> None:
    path.write_bytes(b"1\n2\r\n3")

    assert drain(path) == [b"1\n2\r\n"]


@pytest.mark.parametrize("size", [*range(BUFFER - 2, BUFFER + 2), *range(2 * BUFFER - 2, 2 * BUFFER + 2)])
def test_a_line_may_end_anywhere_in_a_block(path: Path, size: int) -> None:
    path.write_bytes(b"x" * size + b"\n")

    assert b"".join(found for found in drain(path) if isinstance(found, bytes)) == path.read_bytes()


def test_a_line_that_is_too_long_is_refused_and_the_next_one_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST", 10_000)
    path.write_bytes(b"1\n" + b"x" * 10_000 + b"\n" + b"y" * 10_001 + b"\n2\n")
    first, longest, refused, last = drain(path)

    assert (first, longest, last) == (b"1\n", b"x" * 10_000 + b"\n", b"2\n")
    assert isinstance(refused, Reject)
    assert (refused.head, refused.size, refused.offset) == (b"y" * 256, 10_001, 10_003)


def test_a_hole_of_nul_bytes_is_passed_over(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"1\n")
        file.truncate(LONGEST * 4)
        file.seek(0, os.SEEK_END)
        file.write(b"2\n")
    *holes, last = drain(path)[1:]

    assert isinstance(last, bytes)
    assert last.strip(b"\x00") == b"2\n"
    assert all(isinstance(hole, bytes) and not hole.strip(b"\x00") for hole in holes)


@pytest.mark.parametrize("after", [b"", b"new\n", b"new and longer than the old one\n"])
def test_a_file_that_was_written_anew_is_noticed(path: Path, after: bytes) -> None:
    path.write_bytes(b"1\n2\n")
    file = open_line_file(path)
    buffer = bytearray(BUFFER)
    file.read(buffer)
    os.truncate(path, 0)
    path.write_bytes(after)

    assert file.read(buffer) == Truncated()

    file.close()


@pytest.mark.parametrize(
    ("rest", "given"),
    [
        (b"", None),
        (b" \x00\r", None),
        (b'{"a":{}}', b'{"a":{}}'),
        (b'{"a":{}', "never ended"),
        (b"text", "never ended"),
        (b'{"a":' + b"[" * 100_000 + b"}", "never ended"),
    ],
)
def test_what_is_left_without_an_end(path: Path, rest: bytes, given: bytes | str | None) -> None:
    path.write_bytes(b"1\n" + rest)
    file = open_line_file(path)
    file.read(bytearray(BUFFER))
    found = file.rest()
    file.close()

    if isinstance(given, str):
        assert isinstance(found, Reject)
        assert (found.head, found.size, found.offset, found.reason) == (rest[:256], len(rest), 2, given)
    else:
        assert (bytes(found.data[: found.size]) if isinstance(found, Block) else None) == given


@pytest.mark.parametrize(
    ("content", "offset"), [(b"", 0), (b"half", 0), (b"1\nhalf", 2), (b"1\n" + b"x" * 300_000, 2)]
)
def test_the_end_of_a_file_is_behind_its_last_line_feed(path: Path, content: bytes, offset: int) -> None:
    path.write_bytes(content)
    file = open_line_file(path)
    file.go_to_end()

    assert file.offset == offset

    file.close()


def test_what_is_no_regular_file_is_refused_and_closed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(OSError, match="not a regular file"):
        open_line_file(tmp_path / "pipe")


def test_a_line_behind_nul_bytes_begins_behind_them(path: Path) -> None:
    """However much is read at a time: a record's offset must be the same each time."""
    path.write_bytes(bytes(10_000) + b"1\n2\n")
    offsets = []
    for size in (100, 4096, 20_000):
        file = open_line_file(path)
        buffer = bytearray(size)
        while not isinstance(found := file.read(buffer), Block) or not found.size:
            assert found
        offsets.append((found.offset, bytes(found.data[: found.size])))
        file.close()

    assert offsets == [(10_000, b"1\n2\n")] * 3


def test_nul_bytes_with_nothing_behind_them_are_waited_for(path: Path) -> None:
    path.write_bytes(b"1\n" + bytes(100))
    file = open_line_file(path)
    file.read(bytearray(BUFFER))

    assert file.read(bytearray(BUFFER)) is None
    assert file.offset == 2

    file.close()


def test_a_known_file_is_one_that_holds_what_was_read_of_it(path: Path) -> None:
    path.write_bytes(b"first\n" + b"x" * 5000 + b"\nlast\n")
    file = open_line_file(path)
    buffer = bytearray(BUFFER)
    while file.read(buffer):
        pass
    known = file.known()
    assert known
    contents = {
        "first\n" + "x" * 5000 + "\nlast\nmore\n": True,
        "first\n" + "x" * 5000 + "\nlost\nmore\n": False,
        "other\n" + "x" * 5000 + "\nlast\nmore\n": False,
        "first\n": False,
    }
    for content, held in contents.items():
        path.write_text(content)
        other = open_line_file(path)

        assert other.holds(known) is held

        other.close()
    file.close()


def test_going_on_with_a_known_file_is_being_it(path: Path) -> None:
    path.write_bytes(b"1\n2\n")
    file = open_line_file(path)
    file.identity = b"identity"
    file.read(bytearray(2))
    known = file.known()
    assert known
    again = open_line_file(path)
    again.go_on(known)

    assert again.known() == known
    assert again.remaining == 2

    file.close()
    again.close()
