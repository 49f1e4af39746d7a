"""Which of the files that we know a compressed one is."""

# ruff: noqa: D102  # names that say it

import gzip
from pathlib import Path

import msgspec
import pytest

from artemis_agent.archive import open_archive
from artemis_agent.doubt import GRACE, Candidate, Doubt
from artemis_agent.file_identity import Known
from artemis_agent.line_file import open_line_file
from tests.artemis_agent.follower import Clock

FIRST = b"the same first line\n"
LONG = FIRST + b"".join(b"%d\n" % number for number in range(300_000))


def read_of(path: Path, size: int, *, left: bool) -> Known:
    """Return a file as it is remembered of which so many bytes were read."""
    file = open_line_file(path)
    file.identity = b"i"
    file.go_on(msgspec.structs.replace(file.known() or pytest.fail("no head"), offset=size))
    known = file.known(left=left)
    file.close()
    assert known
    return msgspec.structs.replace(known, size=size if left else known.size)


class Case:
    """A plain file and an archive."""

    def __init__(self, folder: Path, plain: bytes, packed: bytes) -> None:
        self.plain, self.packed = folder / "eve.json.1", folder / "eve.json.2.gz"
        self.plain.write_bytes(plain)
        self.packed.write_bytes(gzip.compress(packed))
        self.clock = Clock()
        self.archive = open_archive(self.packed, self.clock)
        self.doubt = Doubt(self.archive, missed=True, clock=self.clock)
        self.steps = 0

    def settle(self, *candidates: Candidate) -> Doubt:
        while not self.doubt.step(lambda _head: candidates):
            self.steps += 1
            assert self.steps < 100
        return self.doubt


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("size", [len(FIRST), len(LONG)])
def test_it_is_the_file_that_was_read(tmp_path: Path, size: int, *, left: bool) -> None:
    case = Case(tmp_path, LONG, LONG)
    known = read_of(case.plain, size, left=left)
    doubt = case.settle(Candidate(known))

    assert doubt.match
    assert doubt.match.known is known
    assert doubt.is_urgent is not left
    assert doubt.has_more is (left and size < len(LONG))
    assert case.steps > 0 or size == len(FIRST)

    case.archive.close()


def test_time_goes_by_between_two_steps(tmp_path: Path) -> None:
    """The spool was full: as long as there is more to compare, it goes on."""
    case = Case(tmp_path, LONG, LONG)
    known = read_of(case.plain, len(LONG), left=False)
    for _ in range(2):
        assert not case.doubt.step(lambda _head: [Candidate(known)])
        case.clock.now += 100 * GRACE
    doubt = case.settle()

    assert doubt.match
    assert doubt.match.known is known

    case.archive.close()


def test_another_one_that_begins_alike_is_not(tmp_path: Path) -> None:
    case = Case(tmp_path, LONG, FIRST + b"x" * 2 * len(LONG))
    doubt = case.settle(Candidate(read_of(case.plain, len(LONG), left=True)))

    assert (doubt.match, doubt.short) == (None, [])

    case.archive.close()


def test_one_that_ends_before_may_be_its_beginning(tmp_path: Path) -> None:
    case = Case(tmp_path, LONG, LONG[:1000])
    known = read_of(case.plain, len(LONG), left=False)
    doubt = case.settle(Candidate(known))

    assert (doubt.match, doubt.short) == (None, [known])

    case.archive.close()


@pytest.mark.parametrize(("packed", "same"), [(LONG[:1000], True), (FIRST + b"x\n" * 490, False)])
def test_an_open_file_is_compared_as_far_as_both_go(tmp_path: Path, packed: bytes, *, same: bool) -> None:
    case = Case(tmp_path, LONG, packed)
    file = open_line_file(case.plain)
    known = read_of(case.plain, len(LONG), left=True)
    doubt = case.settle(Candidate(known, open=True, plain=file))

    assert (doubt.match is not None, doubt.short, doubt.void) == (same, [], False)

    case.plain.write_bytes(b"new\n")
    file.restart()
    file.knows_head()
    again = Doubt(case.archive, missed=True, clock=case.clock)
    case.doubt = again

    assert case.settle(Candidate(known, open=True, plain=file)).void

    case.archive.close()
    file.close()


def test_one_that_never_shows_what_it_is_is_given_up(tmp_path: Path) -> None:
    case = Case(tmp_path, LONG, LONG)
    case.packed.write_bytes(b"")
    case.archive.close()
    case.archive = open_archive(case.packed, case.clock)
    doubt = Doubt(case.archive, missed=True, clock=case.clock)

    assert not doubt.step(lambda _head: [])

    case.clock.now += GRACE

    assert doubt.step(lambda _head: [])
    assert doubt.candidates == []

    case.archive.close()
