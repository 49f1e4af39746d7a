"""How a log file can change, and what Artemis does: a test for each row of the table in docs/delivery.md."""

import asyncio
import contextlib
import errno
import gzip
import os
import resource
import shutil
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from artemis_agent import rotated, wake
from artemis_agent.doubt import GRACE
from artemis_agent.file_identity import decode, encode
from artemis_agent.file_source import FileSource, open_file_source
from artemis_agent.line_file import LONGEST
from artemis_agent.rotated import MOST_OPEN
from artemis_agent.siblings import Sibling, siblings
from artemis_agent.tail import FORMER_SECONDS, PATIENCE
from artemis_agent.wake import Wake
from tests.artemis_agent.follower import Follower

LIMIT = 10.0  # seconds after which a test has failed
HOUR = 3600 * 1_000_000_000  # nanoseconds
SAME = b'{"same":"' + b"x" * 1100 + b'"}\n'  # a first line that tells nothing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "eve.json"


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def rotate(path: Path, generations: int = 14) -> None:
    """Rename all generations, as logrotate does."""
    for number in range(generations, 0, -1):
        for suffix in ("", ".gz"):
            older = path.with_name(f"{path.name}.{number}{suffix}")
            if older.exists():
                older.rename(path.with_name(f"{path.name}.{number + 1}{suffix}"))
    path.rename(path.with_name(f"{path.name}.1"))


def compress(path: Path) -> Path:
    """Do what logrotate does with gzip: the time stays, the plain file goes."""
    status = path.stat()
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
    path.unlink()
    return packed


def copytruncate(path: Path) -> Path:
    copy = path.with_name(path.name + ".1")
    shutil.copyfile(path, copy)
    os.truncate(path, 0)
    return copy


def between_two_looks(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Have something happen behind the next look at the path, before that at the folder."""

    def late(*args: Any, **named: Any) -> list[Sibling]:  # noqa: ANN401 - as the other one
        monkeypatch.setattr(rotated, "siblings", siblings)
        happens()
        return siblings(*args, **named)

    monkeypatch.setattr(rotated, "siblings", late)


def settled(follower: Follower) -> None:
    """Wait until nothing is looked for any more."""
    for _ in range(4):
        follower.after_grace()


def whole(follower: Follower) -> None:
    """Check that nothing was lost, and nothing told as lost."""
    settled(follower)

    assert follower.gaps == []
    assert follower.rejects == []
    assert follower.tail.lost_bytes == 0


def given(follower: Follower) -> list[bytes]:
    return [line for _, _, line in follower.lines]


def test_append(path: Path) -> None:
    follower = Follower(path)
    for number in range(100):
        append(path, b"%d\n" % number)
        follower.read()

    assert given(follower) == [b"%d" % number for number in range(100)]
    whole(follower)


def test_slow_partial_writes(path: Path) -> None:
    """Wazuh writes 4096 bytes at a time and flushes once a second; a line may be seen in any state."""
    follower = Follower(path)
    text = b"".join(b'{"line":%d}\r\n' % number for number in range(5))
    for index in range(len(text)):
        append(path, text[index : index + 1])
        follower.read()

    assert b"\n".join(given(follower)) + b"\n" == text
    whole(follower)


def test_a_partial_line_across_a_restart(path: Path) -> None:
    append(path, b'1\n{"a":')
    follower = Follower(path)
    follower.read()
    follower.restart()
    append(path, b"1}\n")
    follower.read()

    assert given(follower) == [b"1", b'{"a":1}']
    whole(follower)


def test_odd_bytes(path: Path) -> None:
    lines = [b"not json", b"\xff\xfe", b"a\x00b", b"{}\r", b"\xef\xbb\xbf{}", b"", b"last"]
    append(path, b"\n".join(lines) + b"\n")
    follower = Follower(path)
    follower.read()

    assert given(follower) == lines
    whole(follower)


def test_rename_and_create(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    rotate(path)
    append(path, b"3\n")

    assert follower.read() == [b"2", b"3"]
    whole(follower)


def test_many_rapid_rotations_between_two_polls(path: Path) -> None:
    append(path, b"0\n")
    follower = Follower(path)
    follower.read()
    for number in range(1, 11):
        rotate(path)
        append(path, b"%d\n" % number)

    assert follower.read() == [b"%d" % number for number in range(1, 11)]
    whole(follower)


def test_more_old_files_than_are_opened(path: Path) -> None:
    """They wait their turn: nothing is lost, nothing comes twice, and at most so many are open."""
    append(path, b"0\n")
    follower = Follower(path)
    follower.read()
    count = 2 * MOST_OPEN + 30
    for number in range(1, count):
        rotate(path, generations=count)
        append(path, b"%d\n" % number)
    for _ in range(20):
        follower.read()
        assert len(follower.tail.descriptors) <= MOST_OPEN + 1
        follower.after_grace()
    follower.restart()
    follower.read()

    assert sorted(given(follower), key=int) == [b"%d" % number for number in range(count)]
    whole(follower)


def rotate_and_delete(path: Path, keep: int = 2) -> None:
    """Rename all generations, and delete the oldest, as logrotate does with `rotate 2`."""
    rotate(path, generations=keep)
    path.with_name(f"{path.name}.{keep + 1}").unlink(missing_ok=True)


def test_generations_that_are_deleted_while_nothing_can_be_read(path: Path) -> None:
    """The spool is full for days: each was opened when it was seen, and is read when there is room."""
    append(path, b"0\n")
    follower = Follower(path)
    follower.read()
    for number in range(1, 31):
        rotate_and_delete(path)
        append(path, b"%d\n" % number)
        follower.hold()
    follower.read()

    assert given(follower) == [b"%d" % number for number in range(31)]
    assert len({file for file, _, _ in follower.lines}) == 31
    whole(follower)


def test_copies_that_are_deleted_while_nothing_can_be_read(path: Path) -> None:
    append(path, b"0\n")
    follower = Follower(path)
    follower.read()
    for number in range(1, 11):
        append(path, b"a longer line than the last one %s\n" % (b"x" * number))
        follower.hold()
        if number > 1:
            path.with_name("eve.json.1").rename(path.with_name("eve.json.2"))  # and what that was is gone
        copytruncate(path)
        append(path, b"%d\n" % number)
        follower.hold()
    path.with_name("eve.json.1").unlink()
    path.with_name("eve.json.2").unlink()
    follower.read()

    assert sorted(line for line in given(follower) if len(line) < 3) == sorted(b"%d" % n for n in range(11))
    assert sum(line.startswith(b"a longer") for line in given(follower)) == 10
    whole(follower)


@pytest.mark.parametrize("packed", [False, True])
def test_what_is_deleted_beyond_the_bound_while_nothing_can_be_read_is_a_gap(
    path: Path, *, packed: bool
) -> None:
    """Each is either read or told; an archive that appears at the same time is no excuse for another."""
    line = b"%080d\n"
    append(path, line % 0)
    follower = Follower(path)
    follower.read()
    count = MOST_OPEN + 30
    for number in range(1, count + 1):
        rotate_and_delete(path, keep=3)
        if packed:
            path.with_name("eve.json.4.gz").unlink(missing_ok=True)
            compress(path.with_name("eve.json.1"))
        append(path, line % number)
        follower.hold()
    settled(follower)
    read = {int(line) for line in given(follower)}
    lost = sum(gap.size or 0 for gap in follower.gaps)

    assert len(read) >= MOST_OPEN
    assert len(given(follower)) == len(read) < count
    assert len(follower.gaps) == count + 1 - len(read)
    assert follower.tail.lost_bytes == lost
    if not packed:
        assert lost == (count + 1 - len(read)) * 81


def test_copytruncate(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    copytruncate(path)
    append(path, b"3\n")
    follower.read()

    assert given(follower) == [b"1", b"2", b"3"]
    assert follower.lines[1][:2] == (follower.lines[0][0], 2)
    whole(follower)


def test_copytruncate_and_gzip_at_once(path: Path) -> None:
    """Debian's logrotate for Suricata 7: the copy is there for milliseconds."""
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    compress(copytruncate(path))
    append(path, b"3\n")
    follower.read()

    assert given(follower) == [b"1", b"2", b"3"]
    assert follower.lines[1][:2] == (follower.lines[0][0], 2)
    whole(follower)


def test_copytruncate_while_the_archive_is_written(path: Path) -> None:
    append(path, b"".join(b'{"n":%d}\n' % number for number in range(2)))
    follower = Follower(path)
    follower.read()
    append(path, b"".join(b'{"n":%d}\n' % number for number in range(2, 20_000)))
    copy = copytruncate(path)
    packed = gzip.compress(copy.read_bytes())
    copy.unlink()
    for size in (0, 5, len(packed) // 2, len(packed)):
        copy.with_name("eve.json.1.gz").write_bytes(packed[:size])
        follower.read()
        follower.clock.now += 2
        follower.read()
    settled(follower)

    assert given(follower) == [b'{"n":%d}' % number for number in range(20_000)]
    assert len({file for file, _, _ in follower.lines}) == 1
    whole(follower)


def test_copytruncate_where_we_read_on_behind_the_copy(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    shutil.copyfile(path, path.with_name("eve.json.1"))
    append(path, b"2\n")
    follower.read()
    os.truncate(path, 0)
    append(path, b"3\n")
    follower.read()

    assert given(follower) == [b"1", b"2", b"3"]
    whole(follower)


def test_copytruncate_with_the_same_first_line_and_a_large_archive(path: Path) -> None:
    """It takes a while to unpack what was read; until then nobody can say that the rest is lost."""
    old = b"the same\n" + b"".join(b"%d\n" % number for number in range(400_000))
    append(path, old)
    follower = Follower(path, block=256 * 1024)
    follower.read()
    append(path, b"rest\n")
    packed = compress(copytruncate(path))
    append(path, b"the same\nnew\n")
    follower.restart()
    follower.read()

    assert packed.exists()
    assert given(follower)[-3:] in ([b"rest", b"the same", b"new"], [b"the same", b"new", b"rest"])
    assert len(follower.lines) == old.count(b"\n") + 3
    whole(follower)


def test_a_copy_that_lacks_the_end_gives_what_it_has_and_the_rest_is_a_gap(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path, block=2)
    follower.read()
    append(path, b"2\n3\n")
    shutil.copyfile(path, path.with_name("eve.json.1"))
    append(path, b"4\n5\n")
    follower.read(1)
    os.truncate(path, 0)
    append(path, b"6\n")
    follower.read()
    settled(follower)
    (gap,) = follower.gaps

    assert sorted(given(follower)) == [b"1", b"2", b"3", b"6"]
    assert (gap.file, gap.offset, gap.size) == (follower.lines[0][0], 6, 4)


def test_the_race_of_copytruncate_is_a_gap_where_it_was_seen(path: Path) -> None:
    """Behind the copy and before the cut: the bytes that we saw and did not read."""
    append(path, b"1\n")
    follower = Follower(path, block=2)
    follower.read()
    shutil.copyfile(path, path.with_name("eve.json.1"))
    append(path, b"2\n3\n4\n")
    follower.read(1)
    os.truncate(path, 0)
    append(path, b"5\n")
    follower.read()
    settled(follower)
    (gap,) = follower.gaps

    assert given(follower) == [b"1", b"2", b"5"]
    assert (gap.file, gap.offset, gap.size) == (follower.lines[0][0], 4, 4)
    assert follower.tail.lost_bytes == 4


def test_copytruncate_while_down_and_the_new_size_is_beyond_the_old_offset(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    copytruncate(path)
    append(path, b"three\nfour\n")
    follower.restart()
    follower.read()

    assert given(follower) == [b"1", b"2", b"three", b"four"]
    whole(follower)


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("size", [100, 300_000])
def test_a_writer_without_append_under_copytruncate_the_first_and_the_second_time(
    path: Path,
    size: int,
    down: bool,  # noqa: FBT001
) -> None:
    """It writes on where it was: the file begins with a hole, and is longer than before at once."""
    follower = Follower(path)
    with path.open("wb") as writer:
        for life in range(3):
            for number in range(3):
                writer.write(b'{"life":%d,"n":%d,"x":"%s"}\n' % (life, number, b"x" * size))
                writer.flush()
                if number < 2:
                    follower.read()
            rotate_copy = path.with_name(f"eve.json.{3 - life}")
            shutil.copyfile(path, rotate_copy)
            os.truncate(path, 0)
            if down:
                follower.restart()
        writer.write(b"last\n")
    follower.read()

    assert [line[:16] for line in given(follower)] == [
        *(b'{"life":%d,"n":%d,' % (life, number) for life in range(3) for number in range(3)),
        b"last",
    ]
    assert all(not line.startswith(b"\x00") for line in given(follower))
    whole(follower)


def link_day(alerts: Path, day: int) -> Path:
    """Do what Wazuh does at midnight."""
    dated = alerts.parent / "2026" / "Nov" / f"ossec-alerts-{day}.json"
    dated.parent.mkdir(parents=True, exist_ok=True)
    dated.touch()
    alerts.unlink(missing_ok=True)
    os.link(dated, alerts)
    return dated


def test_wazuhs_daily_roll(tmp_path: Path) -> None:
    alerts = tmp_path / "alerts.json"
    first = link_day(alerts, 21)
    append(first, b"1\n")
    follower = Follower(alerts)
    follower.read()
    append(first, b"2\n")
    append(link_day(alerts, 22), b"3\n")
    compress(first)
    follower.read()

    assert given(follower) == [b"1", b"2", b"3"]
    whole(follower)


@pytest.mark.parametrize("wazuh", [True, False], ids=["wazuh", "logrotate"])
def test_a_rotation_between_two_looks_changes_no_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, wazuh: bool
) -> None:
    """Whatever holds us up between the look at the path and that at the folder, as SIGSTOP does."""
    path = tmp_path / "alerts.json"
    days = [tmp_path / "2026" / "Nov" / f"ossec-alerts-{day}.json" for day in (28, 29, 30)]
    days[0].parent.mkdir(parents=True)

    def begin(day: Path) -> Path:
        if not wazuh:
            if path.exists():
                rotate(path)
            path.touch()
            return path
        day.touch()
        path.unlink(missing_ok=True)
        path.hardlink_to(day)
        return day

    append(begin(days[0]), b"1\n")
    follower = Follower(path)
    settled(follower)

    def happens() -> None:
        append(path, b"2\n")
        for number, day in enumerate(days[1:], 3):
            append(begin(day), b"%d\n" % number)

    between_two_looks(monkeypatch, happens)
    settled(follower)

    assert given(follower) == [b"1", b"2", b"3", b"4"]
    whole(follower)


@pytest.mark.parametrize("then", ["goes", "grows", "stays"])
def test_what_came_behind_a_rotation_between_two_looks_is_held(
    path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """Nothing has the name yet (`nocreate`); the file behind may go, or be written on, before it is read."""
    append(path, b"1\n")
    follower = Follower(path)
    settled(follower)

    def happens() -> None:
        append(path, b"2\n")
        rotate(path)
        append(path, b"3\n")
        rotate(path)

    between_two_looks(monkeypatch, happens)
    follower.clock.now += GRACE + 1
    follower.tail.keep_hold()
    newest = path.with_name("eve.json.1")
    if then == "goes":
        newest.unlink()
    if then == "grows":
        append(newest, b"4\n")
        newest.rename(path.with_name("eve.json.3"))
    settled(follower)
    append(path, b"5\n")
    settled(follower)

    assert given(follower) == [b"1", b"2", b"3", *([b"4"] if then == "grows" else []), b"5"]
    whole(follower)


def test_a_file_that_is_cut_and_then_renamed_between_two_looks_changes_no_order(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    settled(follower)

    def happens() -> None:
        append(path, b"2\n")
        copytruncate(path)
        append(path, b"3\n")
        rotate(path)
        append(path, b"4\n")

    between_two_looks(monkeypatch, happens)
    settled(follower)

    assert given(follower) == [b"1", b"2", b"3", b"4"]
    whole(follower)


def test_wazuhs_daily_roll_while_down_with_yesterday_compressed(tmp_path: Path) -> None:
    """The archive is as young as its making; what was read of the plain file is passed over."""
    alerts = tmp_path / "alerts.json"
    first = link_day(alerts, 21)
    append(first, b"1\n")
    follower = Follower(alerts)
    follower.read()
    append(first, b"2\n")
    append(link_day(alerts, 22), b"3\n")
    os.utime(compress(first))
    follower.restart()
    follower.read()

    assert given(follower) == [b"1", b"2", b"3"]
    assert follower.lines[1][:2] == (follower.lines[0][0], 2)
    whole(follower)


def test_suricata_goes_on_in_the_old_file_until_hup_and_its_next_event(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    with path.open("ab", buffering=0) as suricata:
        rotate(path)
        for number in (2, 3):
            suricata.write(b"%d\n" % number)
            follower.after_grace()
    append(path, b"4\n")
    follower.read()

    assert given(follower) == [b"1", b"2", b"3", b"4"]
    whole(follower)


def test_suricata_opens_the_same_file_again(path: Path) -> None:
    """What HUP and its own rotation do where nobody took the file away: no rotation."""
    follower = Follower(path)
    for number in range(3):
        append(path, b"%d\n" % number)  # opened, appended to, closed
        follower.after_grace()

    assert given(follower) == [b"0", b"1", b"2"]
    assert follower.tail.rotations == 0
    whole(follower)


BY_TIME = ["eve-%Y-%m-%d-%H:%M.json", "eve-*.json"]


def minute(folder: Path, number: int, thread: str = "") -> Path:
    """Return the name that Suricata gives to a file in some minute of the 22nd."""
    return folder / f"eve-2026-11-22-{number // 60:02}:{number % 60:02}{thread}.json"


@pytest.mark.parametrize("name", BY_TIME)
@pytest.mark.parametrize("down", [False, True])
def test_suricatas_own_rotation_by_time(tmp_path: Path, name: str, *, down: bool) -> None:
    """`rotate-interval`: the name changes. Also many between two looks, a late line, and gzip from cron."""
    for number in (1, 2):
        append(minute(tmp_path, number), b"before our time %d\n" % number)
    append(minute(tmp_path, 3), b"old\n")
    follower = Follower(tmp_path / name, start="end")
    follower.read()
    append(minute(tmp_path, 3), b"3\n")
    follower.read()
    for number in range(4, 9):
        append(minute(tmp_path, number), b"%d\n" % number)
        if number % 2:
            follower.read()
    append(minute(tmp_path, 8), b"8, late\n")
    append(minute(tmp_path, 9), b"9\n")
    if down:
        follower.restart()
    follower.read()
    for number in range(1, 8):
        compress(minute(tmp_path, number))
    append(minute(tmp_path, 10), b"10\n")
    follower.restart()
    settled(follower)

    assert given(follower) == [b"3", b"4", b"5", b"6", b"7", b"8", b"8, late", b"9", b"10"]
    assert len({file for file, _, _ in follower.lines}) == 8
    assert follower.tail.problem == ""
    whole(follower)


@pytest.mark.parametrize("name", BY_TIME)
def test_a_changing_name_that_nothing_has_yet(tmp_path: Path, name: str) -> None:
    (tmp_path / "eve-2026.json.gz").touch()
    follower = Follower(tmp_path / name, start="end")
    follower.read()

    assert "No such file" in follower.tail.problem

    append(minute(tmp_path, 1), b"1\n")

    assert follower.read() == [b"1"]
    whole(follower)


def test_suricatas_own_rotation_with_threads(tmp_path: Path) -> None:
    """A source for each thread has no other's lines; a thread that has nothing to say leaves empty files."""
    threads = [Follower(tmp_path / f"eve-%Y-%m-%d-%H:%M.{thread}.json") for thread in (1, 2)]
    for number in range(1, 5):
        for thread, follower in enumerate(threads, 1):
            path = minute(tmp_path, number, f".{thread}")
            append(path, b"%d of %d\n" % (number, thread) if thread == 1 or number == 3 else b"")
            follower.read()
    for follower in threads:
        settled(follower)

    assert given(threads[0]) == [b"1 of 1", b"2 of 1", b"3 of 1", b"4 of 1"]
    assert given(threads[1]) == [b"3 of 2"]
    for follower in threads:
        whole(follower)


def test_threads_that_are_one_source(tmp_path: Path) -> None:
    """Not what is recommended, for a quiet thread's lines come some seconds late; but they come."""
    follower = Follower(tmp_path / "eve-*.json")
    for number in range(1, 20):
        for thread in (1, 2, 3):
            path = minute(tmp_path, number // 10, f".{thread}")
            append(path, b"%d of %d\n" % (number, thread) if number % thread == 0 else b"")
        follower.clock.now += 3
        follower.read()
    settled(follower)

    assert sorted(given(follower)) == sorted(
        b"%d of %d" % (number, thread)
        for number in range(1, 20)
        for thread in (1, 2, 3)
        if number % thread == 0
    )
    whole(follower)


def test_a_file_that_was_left_and_is_written_on(path: Path) -> None:
    """A straggler after the time of grace: it is seen within seconds, without another rotation."""
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    rotate(path)
    append(path, b"2\n")
    follower.read()
    follower.after_grace()
    append(path.with_name("eve.json.1"), b"3\n")
    follower.after_grace()

    assert given(follower) == [b"1", b"2", b"3"]
    assert follower.lines[2][:2] == (follower.lines[0][0], 2)
    whole(follower)


def test_gzip_right_after_rotation(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    rotate(path)
    compress(path.with_name("eve.json.1"))
    append(path, b"3\n")
    follower.read()

    assert given(follower) == [b"1", b"2", b"3"]
    whole(follower)


FOREIGN = [".xz", ".zst", ".bz2", ".lz4"]


def compress_otherwise(path: Path, ending: str) -> Path:
    """Do what logrotate does with another `compresscmd`; nobody here can look into it."""
    packed = compress(path)
    return packed.rename(packed.with_suffix(ending))


@pytest.mark.parametrize("ending", FOREIGN)
@pytest.mark.parametrize("down", [False, True])
def test_compressed_by_another_program_than_gzip_is_a_gap(path: Path, ending: str, *, down: bool) -> None:
    """The rest of a file that we know, and a whole generation that came between two looks."""
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    rotate(path)
    append(path, b"3\n")
    rotate(path)
    for number in (1, 2):
        compress_otherwise(path.with_name(f"eve.json.{number}"), ending)
    append(path, b"4\n")
    if down:
        follower.restart()
    follower.read()
    settled(follower)

    assert given(follower) == ([b"1", b"4"] if down else [b"1", b"2", b"4"])
    assert len(follower.gaps) == (3 if down else 1)
    assert all(f"eve.json.1{ending}" in gap.reason or f".2{ending}" in gap.reason for gap in follower.gaps)
    assert all("gzip" in gap.reason for gap in follower.gaps)
    if down:
        assert follower.lines[0][0] in {gap.file for gap in follower.gaps}

    follower.gaps.clear()
    follower.restart()
    settled(follower)

    assert follower.gaps == []


@pytest.mark.parametrize("ending", FOREIGN)
@pytest.mark.parametrize("at_once", [False, True])
def test_what_was_read_may_be_compressed_by_any_program(path: Path, ending: str, *, at_once: bool) -> None:
    """At once, with `delaycompress`, and while it is being made: no gap is told for it."""
    append(path, b"0\n")
    follower = Follower(path)
    for number in range(1, 5):
        follower.read()
        rotate(path)
        for old in (4, 3, 2):
            if path.with_name(f"eve.json.{old}{ending}").exists():
                path.with_name(f"eve.json.{old}{ending}").rename(
                    path.with_name(f"eve.json.{old + 1}{ending}")
                )
        append(path, b"%d\n" % number)
        plain = path.with_name(f"eve.json.{1 if at_once else 2}")
        if plain.exists():
            half_made = path.with_name(f"{plain.name}{ending}")
            half_made.write_bytes(b"half")
            follower.read()
            half_made.unlink()
            compress_otherwise(plain, ending).rename(path.with_name(f"eve.json.2{ending}"))
        settled(follower)
    follower.restart()

    assert given(follower) == [b"%d" % number for number in range(5)]
    whole(follower)


def test_rotation_while_down_one_generation(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    rotate(path)
    append(path, b"3\n")
    follower.restart()

    assert follower.read() == [b"2", b"3"]
    whole(follower)


@pytest.mark.parametrize("packed", [(1,), (1, 2), (1, 2, 3)])
def test_rotation_while_down_three_generations_compressed(path: Path, packed: tuple[int, ...]) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    for number in (3, 4, 5):
        rotate(path)
        append(path, b"%d\n" % number)
    for generation in packed:
        compress(path.with_name(f"eve.json.{generation}"))
    follower.restart()
    follower.read()

    assert given(follower) == [b"1", b"2", b"3", b"4", b"5"]
    assert follower.lines[1][:2] == (follower.lines[0][0], 2)
    whole(follower)


def test_archives_of_what_was_read_are_not_read_again(path: Path) -> None:
    """Logrotate's delaycompress, and Wazuh's archives, which are as young as their making."""
    append(path, b"0\n")
    follower = Follower(path)
    for number in range(1, 6):
        follower.read()
        rotate(path)
        if number > 1:
            packed = compress(path.with_name("eve.json.2"))
            os.utime(packed, None if number % 2 else (time.time(), time.time() - 60))
        append(path, b"%d\n" % number)
        settled(follower)
        follower.restart()
    follower.read()

    assert given(follower) == [b"%d" % number for number in range(6)]
    whole(follower)


def test_a_file_that_was_empty_when_we_saw_it_and_is_an_archive_now(path: Path) -> None:
    path.touch()
    follower = Follower(path)
    follower.read()
    rotate(path)
    append(path.with_name("eve.json.1"), b"1\n")
    append(path, b"2\n")
    compress(path.with_name("eve.json.1"))
    follower.read()

    assert sorted(given(follower)) == [b"1", b"2"]
    whole(follower)


def test_two_copies_of_a_file_of_which_one_has_more(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    shutil.copyfile(path, path.with_name("eve.json.9"))
    os.utime(path.with_name("eve.json.9"), (time.time() - 60, time.time() - 60))
    append(path, b"3\n")
    copytruncate(path)
    append(path, b"4\n")
    follower.restart()
    follower.read()
    settled(follower)

    assert sorted(given(follower)) == [b"1", b"2", b"3", b"4"]
    whole(follower)


def test_deletion(path: Path) -> None:
    """What the writer still writes into the deleted file is read, for as long as we run."""
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    with path.open("ab", buffering=0) as writer:
        path.unlink()
        writer.write(b"2\n")
        follower.after_grace()
        writer.write(b"3\n")
        append(path, b"4\n")
        follower.read()

    assert given(follower) == [b"1", b"2", b"3", b"4"]
    whole(follower)


@pytest.mark.parametrize("unread", [0, 4])
def test_deletion_while_down_is_a_gap(path: Path, unread: int) -> None:
    """If there was nothing that we knew of, there may have been something that we did not."""
    append(path, b"1\n")
    follower = Follower(path, block=2)
    follower.read()
    append(path, b"2\n3\n4\n"[: unread + 2])
    follower.read(1)
    path.unlink()
    append(path, b"5\n")
    follower.restart()
    follower.read()
    settled(follower)
    (gap,) = follower.gaps

    assert given(follower) == [b"1", b"2", b"5"]
    assert (gap.file, gap.offset, gap.size) == (follower.lines[0][0], 4, unread or None)
    assert follower.tail.lost_bytes == unread

    follower.gaps.clear()
    follower.restart()
    settled(follower)

    assert follower.gaps == []


def test_re_creation_under_the_same_inode(path: Path) -> None:
    """While we hold a file its inode is not given away; one that was left may come back with other lines."""
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    rotate(path)
    append(path, b"2\n")
    follower.read()
    follower.after_grace()
    with path.with_name("eve.json.1").open("r+b") as again:  # what the file system would do
        again.truncate(0)
        again.write(b"new\nlines\n")
    rotate(path)
    path.with_name("eve.json.2").rename(path)
    follower.read()

    assert given(follower) == [b"1", b"2", b"new", b"lines"]
    assert follower.lines[0][0] != follower.lines[2][0]
    whole(follower)


@pytest.mark.parametrize("new", [b"3\n", b"longer\nthan\nbefore\n"])
def test_inode_reuse_across_a_restart(path: Path, new: bytes) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    rotate(path)
    append(path, new)
    position = decode(follower.tail.position)
    known = msgspec.structs.replace(position.files[0], inode=path.stat().st_ino)
    position = msgspec.structs.replace(position, files=(known,))
    follower.tail.close()
    follower.tail = follower._open(encode(position))
    follower.read()

    assert given(follower) == [b"1", b"2", *new.splitlines()]
    assert follower.lines[0][0] == follower.lines[1][0] != follower.lines[2][0]
    whole(follower)


@pytest.mark.parametrize("down", [False, True])
def test_truncation_to_less_than_was_read(path: Path, *, down: bool) -> None:
    """What is left comes again under its old identity and offsets, by which the hub knows it."""
    append(path, b"1\n2\n3\n")
    follower = Follower(path)
    follower.read()
    os.truncate(path, 4)
    if down:
        follower.restart()
    append(path, b"4\n")
    follower.read()
    settled(follower)
    (gap,) = follower.gaps

    assert given(follower) == [b"1", b"2", b"3", b"1", b"2", b"4"]
    assert follower.lines[3:5] == follower.lines[:2]
    assert (gap.file, gap.offset, gap.size) == (follower.lines[0][0], 6, None)


@pytest.mark.parametrize("down", [False, True])
def test_truncation_to_more_than_was_read(path: Path, *, down: bool) -> None:
    append(path, b"1\n2\n3\n4\n5\n")
    follower = Follower(path, block=4)
    follower.read(1)
    os.truncate(path, 6)
    if down:
        follower.restart()
    follower.read()
    append(path, b"6\n")
    follower.read()
    settled(follower)
    (gap,) = follower.gaps

    assert given(follower) == [b"1", b"2", b"3", b"6"]
    assert (gap.file, gap.offset, gap.size) == (follower.lines[0][0], 6, 4)
    assert follower.tail.lost_bytes == 4


def test_truncation_to_nothing_without_a_copy_is_a_gap(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    os.truncate(path, 0)
    append(path, b"2\n")
    follower.read()
    settled(follower)
    (gap,) = follower.gaps

    assert given(follower) == [b"1", b"2"]
    assert (gap.file, gap.offset, gap.size) == (follower.lines[0][0], 2, None)


@pytest.mark.parametrize("down", [False, True])
def test_symlink_switch(path: Path, *, down: bool) -> None:
    for folder in ("a", "b"):
        path.with_name(folder).mkdir()
    first, second = path.with_name("a") / "log.json", path.with_name("b") / "log.json"
    append(first, b"1\n")
    path.symlink_to(first)
    follower = Follower(path)
    follower.read()
    append(first, b"2\n")
    append(second, b"3\n")
    path.unlink()
    path.symlink_to(second)
    if down:
        follower.restart()
    follower.read()

    assert given(follower) == [b"1", b"2", b"3"]
    whole(follower)


@pytest.mark.parametrize("down", [False, True])
def test_a_straggler_in_a_file_that_a_symlink_has_left(path: Path, *, down: bool) -> None:
    """In another folder, long after everything was quiet; whatever else is rotated there is not ours."""
    for folder in ("a", "b", "c"):
        path.with_name(folder).mkdir()
    first, second, third = (path.with_name(folder) / "log.json" for folder in ("a", "b", "c"))
    append(first, b"1\n")
    path.symlink_to(first)
    follower = Follower(path)
    follower.read()
    for number, target in ((2, second), (3, third)):
        append(target, b"%d\n" % number)
        path.unlink()
        path.symlink_to(target)
        settled(follower)
    append(first, b"4\n")
    append(second, b"5\n")
    append(first.with_name("log.json.1"), b"not ours\n")
    if down:
        follower.restart()
    follower.after_grace()

    assert sorted(given(follower)) == [b"1", b"2", b"3", b"4", b"5"]
    assert len({file for file, _, _ in follower.lines}) == 3
    whole(follower)


def test_what_a_symlink_left_long_ago_is_forgotten(path: Path) -> None:
    """Else a log that others go on with would be read for ever."""
    follower = Follower(path)
    for number in range(9):
        target = path.with_name(f"{number}.json")
        append(target, b"%d\n" % number)
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        settled(follower)

    assert len(decode(follower.tail.position).former) == 4

    follower.clock.now += FORMER_SECONDS
    follower.read()

    assert decode(follower.tail.position).former == (str(target),)


@pytest.mark.parametrize("down", [False, True])
def test_hard_linked_latest(tmp_path: Path, *, down: bool) -> None:
    latest, streams = tmp_path / "latest.json", [tmp_path / "stream-1.json", tmp_path / "stream-2.json"]
    append(streams[0], b"1\n")
    os.link(streams[0], latest)
    follower = Follower(latest)
    follower.read()
    append(streams[0], b"2\n")
    append(streams[1], b"3\n")
    latest.unlink()
    os.link(streams[1], latest)
    if down:
        follower.restart()
    follower.read()

    assert given(follower) == [b"1", b"2", b"3"]
    whole(follower)


async def test_a_directory_that_appears_later(tmp_path: Path) -> None:
    path = tmp_path / "log" / "suricata" / "eve.json"
    source = open_file_source(path, "wazuh", "end", None)

    assert source.read().records == []
    assert str(path) in source.health().problem

    path.parent.mkdir(parents=True)
    append(path, b"1\n")
    records: list[bytes] = []
    async with asyncio.timeout(LIMIT):
        while not records:
            await source.changed()
            records = [record.raw for record in source.read().records]
    source.close()

    assert records == [b"1"]


@pytest.mark.parametrize("down", [False, True])
def test_a_directory_that_vanishes_and_returns(tmp_path: Path, *, down: bool) -> None:
    path = tmp_path / "log" / "eve.json"
    path.parent.mkdir()
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    path.parent.rename(tmp_path / "away")
    append(tmp_path / "away" / "eve.json", b"2\n")
    if down:
        follower.restart()
    follower.read()

    assert follower.tail.problem.startswith("No such file")

    (tmp_path / "away").rename(path.parent)
    append(path, b"3\n")
    follower.read()

    assert given(follower) == [b"1", b"2", b"3"]
    whole(follower)


async def test_a_file_system_without_inotify(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(wake, "INotify", none)
    source = open_file_source(path, "wazuh", "end", None)
    source.read()
    append(path, b"1\n")
    async with asyncio.timeout(LIMIT):
        while not source.read().records:
            await source.changed()
    source.close()


OVERFLOW = 0x4000  # IN_Q_OVERFLOW


def queue_limit() -> int:
    return int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


async def test_inotify_queue_overflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are only a reason to look: that some were dropped costs nothing."""
    paths = [tmp_path / "eve.json", tmp_path / "eve.json.1"]
    for path in paths:
        path.touch()
    files = [os.open(path, os.O_RDWR) for path in paths]
    inodes = {(os.fstat(file).st_dev, os.fstat(file).st_ino): file for file in files}
    limit = queue_limit()
    events = Wake(tmp_path)
    told = bytearray()

    def drain(descriptor: int) -> None:
        with contextlib.suppress(BlockingIOError):
            drained = os.read(descriptor, 65_536)
            told.extend(drained)

    monkeypatch.setattr(wake, "_drain", drain)
    events.follow(inodes, busy=False)
    for number in range(limit + 10):  # two that are alike, one after the other, are one event
        os.pwrite(files[number % 2], b"x", 0)
    started = time.monotonic()
    async with asyncio.timeout(LIMIT):
        await events.wait()
        while time.monotonic() - started < wake.POLL_SLOW / 2:  # until all are taken
            await events.wait()
        overflowed = any(mask & OVERFLOW for _, mask, _, _ in struct.iter_unpack("iIII", told))
        told.clear()
        os.pwrite(files[0], b"x", 0)
        await events.wait()
    assert overflowed
    assert told, "what comes behind an overflow is told"
    events.close()
    for file in files:
        os.close(file)


async def test_inotify_limits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No instances or watches left: the slow poll has to do, and inotify is tried again."""
    with monkeypatch.context() as patched:
        patched.setattr(wake, "_watch", lambda *_: None)
        source = open_file_source(path, "wazuh", "end", None)
        source.read()
        append(path, b"1\n")
        async with asyncio.timeout(LIMIT):
            while not source.read().records:
                await source.changed()
        assert not watching(source)
    async with asyncio.timeout(LIMIT):
        while not watching(source):
            source.read()
            await source.changed()
    monkeypatch.setattr(wake, "POLL_SLOW", 100 * LIMIT)
    append(path, b"2\n")
    async with asyncio.timeout(LIMIT):
        while not source.read().records:
            await source.changed()
    source.close()


def watching(source: FileSource) -> bool:
    """Tell whether inotify is in use, for the file and for its folder."""
    watches = source._wake._watches
    return bool(watches._files) and watches.see_all


@contextlib.contextmanager
def closed(path: Path) -> Iterator[None]:
    """Take the permission to read a file away; as root, by being nobody meanwhile."""
    path.chmod(0)
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield
    path.chmod(0o640)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a folder that anybody may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_permission_taken_away_and_given_back(open_folder: Path) -> None:
    path = open_folder / "eve.json"
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    with closed(path):
        follower.read()
        follower.restart()
        follower.read()

        assert "Permission denied" in follower.tail.problem
        assert "group" in follower.tail.problem

    append(path, b"3\n")
    follower.read()

    assert given(follower) == [b"1", b"2", b"3"]
    assert follower.tail.problem == ""
    whole(follower)


@pytest.mark.parametrize("down", [False, True])
def test_a_permission_that_is_missing_on_a_rotated_file(open_folder: Path, *, down: bool) -> None:
    path = open_folder / "eve.json"
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    for number in (2, 3):
        append(path, b"%d\n" % number)
        rotate(path)
    append(path, b"4\n")
    with closed(path.with_name("eve.json.1")):
        if down:
            follower.restart()
        for _ in range(3):
            follower.after_grace()

        assert "Permission denied" in follower.tail.problem

    settled(follower)

    assert sorted(given(follower)) == [b"1", b"2", b"3", b"4"]
    assert follower.tail.problem == ""
    whole(follower)


def test_a_permission_that_is_missing_on_the_file_that_was_being_read(open_folder: Path) -> None:
    """It is there, so its rest is not given up."""
    path = open_folder / "eve.json"
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    rotate(path)
    append(path, b"3\n")
    with closed(path.with_name("eve.json.1")):
        follower.restart()
        settled(follower)

    settled(follower)

    assert sorted(given(follower)) == [b"1", b"2", b"3"]
    whole(follower)


def test_a_rotated_file_that_goes_before_it_could_be_opened_is_a_gap(open_folder: Path) -> None:
    path = open_folder / "eve.json"
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    rotate(path)
    append(path, b"22\n")
    rotate(path)
    append(path, b"3\n")
    with closed(path.with_name("eve.json.1")):
        follower.read()
    path.with_name("eve.json.1").unlink()
    settled(follower)
    (gap,) = follower.gaps

    assert given(follower) == [b"1", b"3"]
    assert (gap.offset, gap.size) == (0, 3)
    assert follower.tail.lost_bytes == 3


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Let nobody open anything."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("down", [False, True])
def test_emfile(path: Path, *, down: bool) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    for number in (2, 3, 4):
        append(path, b"%d\n" % number)
        rotate(path)
    append(path, b"5\n")
    with no_descriptors():
        if down:
            follower.restart()
        for _ in range(3):
            follower.after_grace()

        assert "Too many open files" in follower.tail.problem

    settled(follower)

    assert given(follower) == [b"1", b"2", b"3", b"4", b"5"]
    assert follower.tail.problem == ""
    whole(follower)


def broken(*_: object) -> int:
    raise OSError(errno.EIO, "Input/output error")


def test_eio(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    rotate(path)
    append(path, b"3\n")
    with monkeypatch.context() as patched:
        patched.setattr(os, "preadv", broken)
        follower.read()
        follower.clock.now += PATIENCE - 1
        follower.read()

        assert "Input/output error" in follower.tail.problem

    follower.read()

    assert given(follower) == [b"1", b"2", b"3"]
    assert follower.tail.problem == ""
    whole(follower)


def test_eio_for_good_in_a_rotated_file_is_a_gap(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    rotate(path)
    append(path, b"3\n")
    inode = path.with_name("eve.json.1").stat().st_ino
    preadv = os.preadv

    def broken_there(descriptor: int, buffers: list[bytearray], offset: int) -> int:
        return broken() if os.fstat(descriptor).st_ino == inode else preadv(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", broken_there)
    follower.read()
    follower.clock.now += PATIENCE + 1
    follower.read()
    settled(follower)
    (gap,) = follower.gaps

    assert given(follower) == [b"1", b"3"]
    assert (gap.file, gap.offset, gap.size) == (follower.lines[0][0], 2, 2)


@pytest.mark.parametrize("hours", [-3, 3])
@pytest.mark.parametrize("down", [False, True])
def test_clock_jumps(path: Path, monkeypatch: pytest.MonkeyPatch, hours: int, *, down: bool) -> None:
    """Files are as old as the clock said; what was read before is not read again for that."""
    append(path, b"0\n")
    follower = Follower(path)
    follower.read()
    for number in (1, 2):
        rotate(path)
        append(path, b"%d\n" % number)
        settled(follower)
    jumped = time.time_ns() + hours * HOUR
    monkeypatch.setattr(time, "time_ns", lambda: jumped)
    position = follower.tail.position
    if down:
        follower.tail.close()
    for number in (3, 4, 5):
        append(path, b"%d\n" % number)
        os.utime(path, ns=(jumped, jumped + number))
        if not down and number == 3:
            follower.read()
        rotate(path)
    append(path, b"6\n")
    os.utime(path, ns=(jumped, jumped + 6))
    if down:
        follower.tail = follower._open(position)
    settled(follower)
    follower.restart()
    settled(follower)

    assert given(follower) == [b"%d" % number for number in range(7)]
    whole(follower)


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_files_with_the_same_first_kibibyte(path: Path, *, down: bool, packed: bool) -> None:
    append(path, SAME + b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    rotate(path)
    append(path, SAME + b"3\n")  # shorter than what was read
    rotate(path)
    append(path, SAME + b"a longer one, 4\n5\n")
    if packed:
        compress(path.with_name("eve.json.1"))
        compress(path.with_name("eve.json.2"))
    if down:
        follower.restart()
    follower.read()
    settled(follower)

    lines = sorted(line[-1:] for line in given(follower) if line != SAME.strip())

    assert lines == [b"1", b"2", b"3", b"4", b"5"]
    assert len({file for file, _, _ in follower.lines}) == 3
    whole(follower)


def test_copytruncate_with_the_same_first_kibibyte(path: Path) -> None:
    append(path, SAME + b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    copytruncate(path)
    append(path, SAME + b"3 and beyond the old offset\n")
    follower.restart()
    follower.read()

    assert [line[:1] for line in given(follower) if line != SAME.strip()] == [b"1", b"2", b"3"]
    whole(follower)


def test_a_small_file_that_grows(path: Path) -> None:
    """It is read at its first line, and stays itself."""
    follower = Follower(path)
    for number in range(300):
        append(path, b"%d\n" % number)
        follower.read()
        if number in (1, 100):
            follower.restart()

    assert given(follower) == [b"%d" % number for number in range(300)]
    assert len({file for file, _, _ in follower.lines}) == 1
    whole(follower)


@pytest.mark.parametrize("size", [64 * 1024 + 1, 1024 * 1024, 10 * 1024 * 1024])
@pytest.mark.parametrize("packed", [False, True])
def test_long_lines(path: Path, size: int, *, packed: bool) -> None:
    line = b'{"x":"' + b"x" * (size - 8) + b'"}'
    follower = Follower(path, block=256 * 1024)
    follower.read()
    append(path, b"1\n")
    follower.read()
    append(path, line + b"\n2\n")
    if packed:
        rotate(path)
        compress(path.with_name("eve.json.1"))
        append(path, b"3\n")
        follower.restart()
    follower.read()

    assert size < LONGEST
    assert given(follower)[:3] == [b"1", line, b"2"]
    whole(follower)


@pytest.mark.parametrize("rotated", [False, True])
def test_another_inode_or_device_after_a_reboot(path: Path, *, rotated: bool) -> None:
    """A bind mount, an overlay, a file system that was moved: what the file holds decides."""
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    rotate(path)
    append(path, b"3\n")
    follower.read()
    if not rotated:
        follower.after_grace()
    append(path, b"4\n")
    position = decode(follower.tail.position)
    moved = tuple(
        msgspec.structs.replace(known, device=known.device + 1, inode=known.inode + 1000)
        for known in position.files
    )
    follower.tail.close()
    follower.tail = follower._open(encode(msgspec.structs.replace(position, files=moved, seen=())))
    follower.read()

    assert given(follower) == [b"1", b"2", b"3", b"4"]
    assert len({file for file, _, _ in follower.lines}) == 2
    whole(follower)


@pytest.mark.parametrize("damage", ["cut", "changed"])
@pytest.mark.parametrize("known", [True, False])
def test_a_damaged_archive_gives_what_it_can_and_is_a_gap(path: Path, damage: str, *, known: bool) -> None:
    lines = [b'{"n":%d,"x":"%d"}' % (number, number * 7919) for number in range(5000)]
    append(path, lines[0] + b"\n")
    follower = Follower(path)
    follower.read()
    if not known:
        rotate(path)
    append(path, b"\n".join(lines[1:]) + b"\n")
    rotate(path)
    packed = compress(path.with_name("eve.json.1"))
    content = packed.read_bytes()
    half = len(content) // 2
    packed.write_bytes(content[:half] + (b"\xff" * 50 + content[half + 50 :] if damage == "changed" else b""))
    append(path, b"last\n")
    follower.restart()
    follower.read()
    settled(follower)
    (gap,) = follower.gaps
    behind = [line for line in given(follower)[1:] if line in lines]

    assert behind == lines[1 : len(behind) + 1]
    assert 1000 < len(behind) < 5000
    assert gap.size is None
    assert gap.file == follower.lines[5][0]
    assert gap.offset <= follower.lines[len(behind)][1] + 100  # before all that may be wrong
    assert given(follower)[-1] == b"last"
    assert "damaged" in gap.reason

    follower.restart()
    follower.gaps.clear()
    settled(follower)

    assert follower.gaps == []


def test_an_archive_that_is_no_archive_is_a_gap(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    rotate(path)
    path.with_name("eve.json.0.gz").write_bytes(b"what is this\n")
    append(path, b"2\n")
    follower.restart()
    follower.read()
    settled(follower)
    (gap,) = follower.gaps

    assert given(follower) == [b"1", b"2"]
    assert (gap.offset, gap.size) == (0, None)


def test_a_file_that_was_moved_to_a_name_of_no_rotation(path: Path) -> None:
    append(path, b"1\n")
    follower = Follower(path)
    follower.read()
    append(path, b"2\n")
    path.rename(path.with_name("backup of monday"))
    append(path, b"3\n")
    follower.restart()

    assert follower.read() == [b"2", b"3"]
    whole(follower)


def test_a_copy_that_somebody_makes_is_not_read(path: Path) -> None:
    append(path, b"1\n2\n")
    follower = Follower(path)
    follower.read()
    shutil.copyfile(path, path.with_name("eve.json.1"))
    append(path, b"3\n")
    settled(follower)
    follower.restart()
    settled(follower)

    assert given(follower) == [b"1", b"2", b"3"]
    whole(follower)
