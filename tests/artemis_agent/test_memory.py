"""What a tail remembers of files that it has not open."""

import msgspec

from artemis_agent.file_identity import MOST_LEFT, Known, decode
from artemis_agent.memory import Memory
from artemis_agent.source import Gap


def known(number: int, *, left: bool = False, size: int = 10) -> Known:
    identity = b"%d" % number
    return Known(device=1, inode=number, head=b"h", identity=identity, offset=number, size=size, left=left)


def remembering(*files: Known) -> Memory:
    memory = Memory(None)
    memory.known += files
    return memory


def test_it_is_what_it_was_after_being_saved() -> None:
    memory = remembering(known(1))
    memory.fresh, memory.since, memory.seen, memory.target = False, 5, {7}, "/log"
    again = Memory(memory.position([known(2)]))

    assert again.known == [known(1), known(2)]
    assert (again.fresh, again.since, again.seen, again.target) == (False, 5, {7}, "/log")


def test_a_new_one_is_fresh() -> None:
    assert decode(Memory(None).position([])).fresh


def test_of_files_that_begin_alike_the_one_that_was_read_furthest_comes_first() -> None:
    memory = remembering(known(1), known(3), known(2), msgspec.structs.replace(known(4), head=b"other"))

    assert [each.offset for each in memory.with_head(b"h")] == [3, 2, 1]


def test_what_was_given_up_is_a_gap_and_no_longer_wanted() -> None:
    memory = remembering(known(4), known(5, left=True))
    memory.give_up(known(4), "why")

    assert memory.take_gaps() == [Gap(b"4", 4, 6, "why")]
    assert memory.take_gaps() == []
    assert memory.lost_bytes == 6
    assert memory.wanted == []
    assert memory.known[-1] == known(4, left=True, size=4)


def test_a_gap_of_which_nothing_is_known_has_no_size() -> None:
    memory = remembering(known(4, size=4))
    memory.give_up(known(4, size=4), "why")

    assert memory.take_gaps() == [Gap(b"4", 4, None, "why")]
    assert memory.lost_bytes == 0


def test_only_so_many_files_are_remembered_that_were_left_and_all_that_are_wanted() -> None:
    memory = remembering(*(known(number) for number in range(3)))
    for number in range(3, MOST_LEFT + 10):
        memory.leave(known(number))

    assert len(memory.wanted) == 3
    assert [each.inode for each in memory.known if each.left] == list(range(10, MOST_LEFT + 10))


def test_an_identity_is_given_once() -> None:
    memory = Memory(None)
    first = memory.name(known(1), [])
    second = memory.name(known(1), [first])
    memory.known.append(msgspec.structs.replace(known(1), identity=first))

    assert first != second
    assert memory.name(known(1), []) == second
