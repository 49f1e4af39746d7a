"""The group commit: what is on disk, what is acknowledged, and in which order the two happen."""

# ruff: noqa: D102 - names say it, as for functions

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from socme.batch import Packed
from socme.errors import OperatorError
from socme.journal import Draft, Entry, Journal
from tests.zeus_hub.kit import eventually
from zeus_hub import commit
from zeus_hub.commit import (
    ENTRY_BYTES,
    EPOCHS_KEPT,
    TRIMMED_AT_ONCE,
    Committer,
    Handed,
    Journalist,
    explained,
)

EPOCH = b"e" * 16
NOTHING: Callable[[int, int], None] = lambda lane, sequence: None  # noqa: E731


def _handed(
    sequence: int,
    *,
    lane: int = 1,
    origin: str = "a/n1",
    epoch: bytes = EPOCH,
    size: int = 10,
    acknowledge: Callable[[int, int], None] = NOTHING,
) -> Handed:
    return Handed(Draft(origin, lane, sequence, Packed(bytes(size), 1, 1, size)), epoch, acknowledge)


@pytest.fixture
def journalist(tmp_path: Path) -> Iterator[Journalist]:
    made = Journalist(tmp_path / "journal.db", 10**9)
    yield made
    made.close()


def _sequences(entries: Sequence[Entry]) -> list[tuple[str, int, int]]:
    return [(entry.origin, entry.lane, entry.sequence) for entry in entries]


def test_a_group_is_one_transaction_with_its_marks(journalist: Journalist) -> None:
    done = journalist.commit([_handed(1), _handed(1, lane=2), _handed(1, origin="b/n1"), _handed(2)], 0)

    assert _sequences(done.entries) == [("a/n1", 1, 1), ("a/n1", 2, 1), ("b/n1", 1, 1), ("a/n1", 1, 2)]
    assert journalist.marks("a/n1", EPOCH) == {1: 2, 2: 1}
    assert journalist.marks("b/n1", EPOCH) == {1: 1}
    assert journalist.marks("a/n1", b"f" * 16) == {}


def test_a_repeated_batch_is_left_out_also_within_a_group(journalist: Journalist) -> None:
    journalist.commit([_handed(1), _handed(2)], 0)
    done = journalist.commit([_handed(1), _handed(2), _handed(3), _handed(3)], 0)

    assert _sequences(done.entries) == [("a/n1", 1, 3)]
    assert done.repeated == 3
    assert journalist.commit([_handed(3)], 0).entries == []


def test_a_gap_is_taken_and_told(journalist: Journalist) -> None:
    done = journalist.commit([_handed(1), _handed(5)], 0)

    assert len(done.entries) == 2
    assert done.gaps == [("a/n1", 1, 1, 5)]


def test_a_journal_has_an_identity_that_lasts(tmp_path: Path) -> None:
    found = []
    for name in ("one.db", "one.db", "two.db"):
        journalist = Journalist(tmp_path / name, 10**9)
        found.append(journalist.identity)
        journalist.close()

    assert found[0] == found[1] != found[2]


def test_a_node_cannot_fill_the_journal_with_the_marks_of_its_spools(journalist: Journalist) -> None:
    """The newest are kept; one that is in use is always among them."""
    for number in range(3 * EPOCHS_KEPT):
        journalist.commit([_handed(1, epoch=bytes([number]) * 16), _handed(number + 1, epoch=EPOCH)], 0)
    journalist.commit([_handed(1, origin="a/n10")], 0)
    kept = [number for number in range(3 * EPOCHS_KEPT) if journalist.marks("a/n1", bytes([number]) * 16)]

    assert journalist.marks("a/n1", EPOCH) == {1: 3 * EPOCHS_KEPT}
    assert len(kept) <= EPOCHS_KEPT
    assert kept[-1] == 3 * EPOCHS_KEPT - 1
    assert journalist.marks("a/n10", EPOCH) == {1: 1}, "of another node whose name begins alike"


def test_the_oldest_entries_go_once_every_sink_has_read_them(tmp_path: Path) -> None:
    journalist = Journalist(tmp_path / "journal.db", 1000)
    for sequence in range(1, 31):
        journalist.commit([_handed(sequence, size=100)], needed=12)
    journal = Journal(tmp_path / "journal.db")

    assert _first(journal) == 13, "what a sink has not read is kept, however much it is"
    journalist.commit([_handed(31, size=100)], needed=30)
    assert journal.depth().bytes <= 1000 + 100
    assert journalist.marks("a/n1", EPOCH) == {1: 31}
    journal.close()
    journalist.close()


def test_trimming_takes_a_bounded_time(tmp_path: Path) -> None:
    journalist = Journalist(tmp_path / "journal.db", 1)
    journalist.commit([_handed(sequence) for sequence in range(1, 1001)], needed=0)
    journalist.commit([_handed(1001)], needed=1001)
    journal = Journal(tmp_path / "journal.db")

    assert _first(journal) == TRIMMED_AT_ONCE + 2
    journal.close()
    journalist.close()


def test_the_size_of_a_journal_is_known_after_a_restart(tmp_path: Path) -> None:
    for sequence in range(1, 21):
        journalist = Journalist(tmp_path / "journal.db", 1000)
        journalist.commit([_handed(sequence, size=100)], needed=100)
        journalist.close()
    journal = Journal(tmp_path / "journal.db")

    assert journal.depth().bytes <= 1100
    journal.close()


class Desk:
    """A committer at work, and what it called."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.calls: list[tuple[str, int]] = []
        self.committer = Committer(path, 10**9, needed=lambda: 0, committed=self._committed)

    def _committed(self, entries: Sequence[Entry]) -> None:
        self.calls += [("committed", entry.sequence) for entry in entries]

    def handed(self, sequence: int, size: int = 10) -> Handed:
        return _handed(sequence, size=size, acknowledge=self._acknowledge)

    def _acknowledge(self, lane: int, sequence: int) -> None:
        reader = sqlite3.connect(self.path)
        (on_disk,) = reader.execute("SELECT count(*) FROM entry WHERE sequence = ?", (sequence,)).fetchone()
        reader.close()
        assert on_disk == 1, "acknowledged before it was on disk"
        self.calls.append(("acknowledged", sequence))

    def acknowledged(self) -> list[int]:
        return [sequence for call, sequence in self.calls if call == "acknowledged"]


async def test_nothing_is_acknowledged_before_it_is_on_disk_and_shown(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "journal.db")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.committer.run())
        for sequence in range(1, 51):
            await desk.committer.hand_in(desk.handed(sequence))
        await eventually(lambda: desk.acknowledged() == list(range(1, 51)))
        task.cancel()
    for sequence in range(1, 51):
        assert desk.calls.index(("committed", sequence)) < desk.calls.index(("acknowledged", sequence))


async def test_what_waits_together_goes_to_disk_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[int] = []
    real = Journalist.commit

    def counting(self: Journalist, group: Sequence[Handed], needed: int) -> commit.Committed:
        groups.append(len(group))
        return real(self, group, needed)

    monkeypatch.setattr(Journalist, "commit", counting)
    desk = Desk(tmp_path / "journal.db")
    for sequence in range(1, 101):
        await desk.committer.hand_in(desk.handed(sequence))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.committer.run())
        await eventually(lambda: len(desk.acknowledged()) == 100)
        task.cancel()

    assert groups == [100]


async def test_at_the_bound_a_stream_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "WAITING_BYTES", 1000)
    desk = Desk(tmp_path / "journal.db")
    for sequence in range(1, 11):
        await desk.committer.hand_in(desk.handed(sequence, size=100))
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(desk.committer.hand_in(desk.handed(11, size=100)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
        task = group.create_task(desk.committer.run())
        await waiting
        await eventually(lambda: len(desk.acknowledged()) == 11)
        task.cancel()


async def test_a_disk_that_fails_delays_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process holds the file longer than one waits for it: like a full disk, but without root."""
    monkeypatch.setattr("socme.journal.BUSY_SECONDS", 0.01)
    path = tmp_path / "journal.db"
    desk = Desk(path)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.committer.run())
        await desk.committer.hand_in(desk.handed(1))
        await eventually(lambda: "locked" in desk.committer.problem)
        assert desk.acknowledged() == []
        blocker.execute("ROLLBACK")
        await eventually(lambda: desk.acknowledged() == [1])
        assert desk.committer.problem == ""
        task.cancel()
    blocker.close()


async def test_repeats_and_gaps_are_counted(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "journal.db")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.committer.run())
        for sequence in (1, 1, 5, 5, 9):
            await desk.committer.hand_in(desk.handed(sequence))
        await eventually(lambda: len(desk.acknowledged()) == 5)
        task.cancel()

    assert (desk.committer.repeated, desk.committer.gaps) == (2, 2)


def _first(journal: Journal) -> int:
    """Return the position of the oldest entry."""
    return journal.read(0, entries=1, size=1)[0].position


def test_batches_of_no_size_are_forgotten_too(tmp_path: Path) -> None:
    journalist = Journalist(tmp_path / "journal.db", 10 * ENTRY_BYTES)
    for sequence in range(1, 101):
        journalist.commit([_handed(sequence, size=0)], needed=100)
    journal = Journal(tmp_path / "journal.db")

    assert journal.depth().entries <= 11
    journal.close()
    journalist.close()


def test_a_journal_that_cannot_be_used_is_named_with_what_to_do(tmp_path: Path) -> None:
    refused = pytest.raises(OperatorError, match=r"journal\.db: malformed\n.*move it away")
    with refused, explained(tmp_path / "journal.db"):
        raise sqlite3.DatabaseError("malformed")
