"""A compressed file gives the lines that the plain one had, at the same offsets, in bounded memory."""

import gzip
import random
import tracemalloc
import zlib
from pathlib import Path

import pytest

from artemis_agent import archive as module
from artemis_agent import line_file
from artemis_agent.archive import RETRY, Archive, open_archive
from artemis_agent.line_file import Block, LineFile, Truncated, open_line_file
from artemis_agent.source import Reject
from tests.artemis_agent.follower import Clock

BUFFER = bytearray(4096)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "eve.json.1.gz"


def found_in(file: Archive | LineFile) -> list[tuple[int, bytes]]:
    """Return the lines of a file and where they begin; of one that is refused, how it begins."""
    lines = []
    while (found := file.read(BUFFER)) is not None:
        assert not isinstance(found, Truncated)
        if isinstance(found, Reject):
            lines.append((found.offset, found.head))
            continue
        offset = found.offset
        for line in bytes(found.data[: found.size]).splitlines(keepends=True):
            lines.append((offset, line))
            offset += len(line)
    return lines


def content(lines: int) -> bytes:
    dice = random.Random(1)
    return b"".join(b'{"n":%d,"x":"%s"}\n' % (n, b"x" * dice.randint(0, 300)) for n in range(lines))


@pytest.mark.parametrize(
    "plain",
    [
        content(1),
        content(2000),
        b"x" * 1024 + b"\n",
        b"x" * 100_000 + b"\n" + content(3),
        b"\x00" * 100_000 + content(3),
        content(3) + b"\x00" * 9000 + content(1),
    ],
    ids=["one line", "many", "head", "long line", "hole before", "hole between"],
)
def test_it_gives_what_the_plain_file_gives(path: Path, plain: bytes) -> None:
    path.write_bytes(gzip.compress(plain))
    path.with_suffix("").write_bytes(plain)
    archive, file = open_archive(path), open_line_file(path.with_suffix(""))

    assert archive.head == file.head
    assert [line for _, line in found_in(archive)] == [line for _, line in found_in(file)]
    assert archive.ended
    assert archive.offset == file.offset
    known, plainly = archive.known(), file.known()
    assert known
    assert plainly
    assert (known.offset, known.trail) == (plainly.offset, plainly.trail)

    archive.close()
    file.close()


def test_it_goes_on_where_the_plain_file_was_left(path: Path) -> None:
    plain = content(20_000)
    path.write_bytes(gzip.compress(plain))
    path.with_suffix("").write_bytes(plain)
    file = open_line_file(path.with_suffix(""))
    for _ in range(100):
        file.read(BUFFER)
    file.identity = b"i" * 16
    known = file.known()
    assert known
    archive = open_archive(path)
    archive.go_on(known)

    assert archive.known() == known.__class__(
        **{**{name: getattr(known, name) for name in known.__struct_fields__}, "inode": archive.inode}
    )
    assert found_in(archive) == found_in(file)
    assert archive.identity == known.identity

    archive.close()
    file.close()


def test_whether_what_was_read_of_a_file_is_in_it_is_told_in_steps(path: Path) -> None:
    plain = content(20_000)
    path.write_bytes(gzip.compress(plain))
    path.with_suffix("").write_bytes(plain)
    file = open_line_file(path.with_suffix(""))
    found_in(file)
    known = file.known()
    assert known
    archive = open_archive(path)
    steps = [archive.holds(known) for _ in range(10)]

    assert steps[0] is None
    assert steps[-1] is True
    assert archive.has_more() is False

    file.close()
    archive.close()


@pytest.mark.parametrize("other", [b"x" * 100_000, b""], ids=["other lines", "an end"])
def test_another_file_with_the_same_first_line_is_told_apart(path: Path, other: bytes) -> None:
    path.write_bytes(gzip.compress(b"same\n" + other))
    path.with_suffix("").write_bytes(b"same\n" + content(200))
    file = open_line_file(path.with_suffix(""))
    found_in(file)
    known = file.known()
    assert known
    archive = open_archive(path)
    while (held := archive.holds(known)) is None:
        pass

    assert archive.head == known.head
    assert held is False

    file.close()
    archive.close()


def test_one_that_is_being_written_is_read_as_it_grows(path: Path) -> None:
    plain = content(2000)
    packed = gzip.compress(plain)
    path.write_bytes(b"")
    archive = open_archive(path)
    lines = []
    for size in (1, 5, 2000, len(packed) - 3, len(packed)):
        lines += found_in(archive) if archive.knows_head() else []

        assert not archive.ended
        assert archive.damage == ""

        path.write_bytes(packed[:size])
    lines += found_in(archive)

    assert b"".join(line for _, line in lines) == plain
    assert archive.ended

    archive.close()


def test_streams_one_after_the_other_are_one_file_and_what_follows_is_none(path: Path) -> None:
    path.write_bytes(gzip.compress(b"1\n2") + gzip.compress(b"3\n") + gzip.compress(b"") + b"\x00" * 512)
    archive = open_archive(path)

    assert found_in(archive) == [(0, b"1\n"), (2, b"23\n")]
    assert archive.ended

    archive.close()


def test_a_last_line_without_its_end_is_the_rest(path: Path) -> None:
    for plain, rest in ((b'1\n{"a":1}', b'{"a":1}'), (b'{"a":1}', b'{"a":1}'), (b"1\n", None), (b"", None)):
        path.write_bytes(gzip.compress(plain))
        archive = open_archive(path)
        found_in(archive)
        found = archive.rest()

        assert (bytes(found.data[: found.size]) if isinstance(found, Block) else found) == rest

        archive.close()


@pytest.mark.parametrize("length", [10_000, 10_001, 14_000, 50_000])
def test_a_line_that_is_too_long_is_refused_and_the_next_one_read(
    path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr(module, "LONGEST", 10_000)
    monkeypatch.setattr(line_file, "LONGEST", 10_000)
    path.write_bytes(gzip.compress(b"1\n" + b"y" * length + b"\n2\n3"))
    archive = open_archive(path)
    first, middle, last = found_in(archive)

    assert (first, last) == ((0, b"1\n"), (length + 3, b"2\n"))
    assert middle == (2, b"y" * 256 if length > 10_000 else b"y" * length + b"\n")
    known = archive.known()
    assert known
    path.with_suffix("").write_bytes(b"1\n" + b"y" * length + b"\n2\n3")
    file = open_line_file(path.with_suffix(""))

    assert file.holds(known)

    archive.close()
    file.close()


def damage(packed: bytes) -> bytes:
    return packed[: len(packed) // 2] + b"\xff" * 100 + packed[len(packed) // 2 + 100 :]


def test_one_that_is_damaged_gives_what_can_be_had_and_is_tried_again_once(path: Path) -> None:
    plain = content(5000)
    path.write_bytes(damage(gzip.compress(plain)))
    clock = Clock()
    archive = open_archive(path, clock)
    found_in(archive)

    assert 0 < archive.offset < len(plain)
    assert archive.damage
    assert not archive.ended

    before = archive.offset
    clock.now += RETRY + 1
    while found_in(archive):
        pass
    clock.now += RETRY + 1

    assert found_in(archive) == []
    assert archive.offset == before
    assert archive.rest() is None

    archive.close()


def test_one_that_was_damaged_and_is_mended_goes_on(path: Path) -> None:
    plain = content(5000)
    path.write_bytes(damage(gzip.compress(plain)))
    archive = open_archive(path)
    lines = found_in(archive)
    path.write_bytes(gzip.compress(plain) + b"\x00")
    lines += found_in(archive)

    assert b"".join(line for _, line in lines) == plain

    archive.close()


def test_where_wrong_lines_came_out_before_the_damage_was_noticed_all_come_again(path: Path) -> None:
    """The hub knows the right ones among them by their file and offset."""
    wrong, right = b"same\nwrong\n" + content(500), b"same\nright\n\n\n" + content(5000)
    path.write_bytes(damage(gzip.compress(wrong)))
    archive = open_archive(path)
    found_in(archive)
    path.write_bytes(gzip.compress(right))

    assert b"".join(line for _, line in found_in(archive)) == right

    archive.close()


def test_a_wrong_checksum_is_damage(path: Path) -> None:
    packed = gzip.compress(content(3))
    path.write_bytes(packed[:-8] + zlib.crc32(b"other").to_bytes(4, "little") + packed[-4:])
    archive = open_archive(path)
    found_in(archive)

    assert "check" in archive.damage
    assert not archive.ended

    archive.close()


def test_what_is_no_archive_is_damaged(path: Path) -> None:
    path.write_bytes(b"plain text\n")
    archive = open_archive(path)

    assert not archive.knows_head()
    assert "not a .gz" in archive.damage

    archive.close()


def test_a_bomb_takes_no_memory(path: Path) -> None:
    """100 MiB of nothing become 100 KiB."""
    with gzip.open(path, "wb", compresslevel=1) as packed:
        packed.write(b"1\n")
        for _ in range(100):
            packed.write(bytes(1024 * 1024))
        packed.write(b"\n2\n")
    tracemalloc.start()
    archive = open_archive(path)
    last = found_in(archive)[-1]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    archive.close()

    assert last[1] == b"2\n"
    assert peak < 2 * 1024 * 1024


def test_a_folder_is_refused_and_closed(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="not a regular file"):
        open_archive(tmp_path)

    assert len(list(Path("/proc/self/fd").iterdir())) == before
