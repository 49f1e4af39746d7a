"""Which rotated files are to be read, and when it is looked for them. How they change: test_tail_cases.py."""

# ruff: noqa: D102  # names that say it

import gzip
import os
from pathlib import Path

import pytest

from artemis_agent.doubt import GRACE
from artemis_agent.line_file import open_line_file
from artemis_agent.memory import Memory
from artemis_agent.rotated import MOST_OPEN, RESCAN, RETRY, Lines, Rotated
from tests.artemis_agent.follower import Clock


class Case:
    """A folder with a current file, and what is remembered of it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "eve.json"
        self.clock = Clock()
        self.memory = Memory(None)
        self.rotated = Rotated(self.path, self.memory, self.clock)
        self.found: list[Lines] = []

    def make(self, name: str, content: bytes, *, age: int = 0) -> Path:
        path = self.path.with_name(name)
        path.write_bytes(content)
        os.utime(path, (1000 - age, 1000 - age))
        return path

    def find(self) -> list[int]:
        """Look, and return the inodes of what is to be read."""
        found = self.rotated.find(self.found)
        self.found += found
        return [file.inode for file in found]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_what_was_missed_is_found_the_oldest_first(case: Case) -> None:
    newer = case.make("eve.json.1", b"2\n", age=1)
    older = case.make("eve.json.2.gz", gzip.compress(b"1\n"), age=2)

    assert case.find() == [older.stat().st_ino, newer.stat().st_ino]
    assert len({file.identity for file in case.found}) == 2
    assert case.find() == []
    assert not case.rotated.owed


def test_what_is_older_or_has_no_name_of_rotation_is_not_opened(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.memory.since = 999 * 10**9
    case.make("eve.json.1", b"1\n", age=2)
    case.make("eve.json.old", b"2\n")
    monkeypatch.setattr("artemis_agent.rotated.open_line_file", lambda *_: pytest.fail("it was opened"))

    assert case.find() == []
    assert len(case.memory.seen) == 2


def test_it_looks_often_while_something_is_owed_and_seldom_otherwise(case: Case) -> None:
    case.find()

    assert not case.rotated.is_due

    case.clock.now += RESCAN

    assert case.rotated.is_due

    case.make("eve.json.1.gz", b"")  # it is being written
    case.find()
    case.clock.now += RETRY

    assert case.rotated.owed
    assert case.rotated.is_due


def test_what_does_not_fit_waits(case: Case) -> None:
    for number in range(MOST_OPEN + 2):
        case.make(f"eve.json.{number}", b"%d\n" % number)

    assert len(case.find()) == MOST_OPEN
    assert case.rotated.owed

    for file in case.found[:5]:
        case.rotated.leave(file)
    del case.found[:5]

    assert len(case.find()) == 2
    assert not case.rotated.owed


def test_nothing_is_judged_while_an_open_file_is_not_what_it_was(case: Case) -> None:
    """It was cut, and the tail has not noticed: what is found may belong to its old life or its new one."""
    path = case.make("eve.json", b"old\n")
    current = open_line_file(path)
    current.read(bytearray(100))
    path.write_bytes(b"new and longer\n")
    case.make("eve.json.1", b"old\n")
    case.found.append(current)

    assert case.find() == []
    assert case.rotated.owed


def test_a_file_that_was_left_and_grew_is_gone_on_with(case: Case) -> None:
    path = case.make("eve.json.1", b"1\n")
    case.find()
    (file,) = case.found
    file.read(bytearray(100))
    case.rotated.leave(file)
    case.found.clear()

    assert case.find() == []

    path.write_bytes(b"1\n2\n")

    assert case.find() == [path.stat().st_ino]
    assert case.found[0].offset == 2


def test_the_rest_of_a_file_is_looked_for_for_a_while(case: Case) -> None:
    path = case.make("eve.json.1", b"1\n2\n")
    case.find()
    known = case.found[0].known()
    assert known
    case.found.clear()
    path.unlink()
    case.memory.known.append(known)
    case.find()

    assert case.memory.wanted == [known]

    case.clock.now += GRACE
    case.find()
    (gap,) = case.memory.take_gaps()

    assert case.memory.wanted == []
    assert (gap.file, gap.offset, gap.size) == (known.identity, 0, 4)


def test_what_is_compared_is_closed_with_the_rest(case: Case) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    case.make("eve.json.1.gz", b"")
    case.find()
    case.rotated.close()

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_an_archive_is_compared_anew_where_an_open_file_was_cut_meanwhile(case: Case) -> None:
    """It may be the copy of what that file was; the tail has not noticed yet."""
    content = b"same\n" + b"".join(b"%d\n" % number for number in range(400_000))
    path = case.make("eve.json", content)
    current = open_line_file(path)
    current.identity = b"old life"
    current.read(bytearray(1000))
    known = current.known()
    assert known
    case.found.append(current)
    case.make("eve.json.1.gz", gzip.compress(content))

    assert case.find() == []

    path.write_bytes(b"same\nnew\n")
    found: list[Lines] = []
    worked = True
    while worked:
        worked, files = case.rotated.weigh(case.found, urgent=False)
        found += files

    assert found == []

    current.restart()
    case.memory.known.append(known)
    found += case.rotated.find(case.found)
    while not found:
        found += case.rotated.weigh(case.found, urgent=True)[1]

    assert [file.identity for file in found] == [b"old life"]

    current.close()
    found[0].close()
