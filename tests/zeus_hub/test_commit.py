"""The group commit: what is on disk, what is acknowledged, and in which order the two happen."""

# ruff: noqa: D102 - names say it, as for functions

import asyncio
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from socme.batch import unpack
from socme.errors import OperatorError
from socme.journal import Entry, Journal
from socme.v1.uplink_pb2 import Lane
from tests.zeus_hub.batches import EPOCH, NODE, handed
from tests.zeus_hub.kit import alert, eventually
from zeus_hub import commit
from zeus_hub.accounts import Account
from zeus_hub.commit import Committer, explained
from zeus_hub.journalist import Committed, Handed, Journalist


class Desk:
    """A committer at work, and what it called."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.calls: list[tuple[str, int]] = []
        self.committer = Committer(path, 10**9, needed=lambda: 0, committed=self._committed)

    def _committed(self, entries: Sequence[Entry], new: Collection[int]) -> None:
        del new
        self.calls += [("committed", entry.sequence) for entry in entries]

    def handed(self, sequence: int, size: int = 10) -> Handed:
        return handed(sequence, payload=bytes(size), acknowledge=self._acknowledge)

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

    def counting(self: Journalist, group: Sequence[Handed], needed: int) -> Committed:
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


@contextmanager
def failing_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have another process hold the file longer than one waits for it: like a full disk, without root."""
    monkeypatch.setattr("socme.journal_file.BUSY_SECONDS", 0.01)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    yield
    blocker.execute("ROLLBACK")
    blocker.close()


async def test_a_disk_that_fails_delays_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socme.journal_file.BUSY_SECONDS", 0.01)
    path = tmp_path / "journal.db"
    desk = Desk(path)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.committer.run())
        with failing_disk(path, monkeypatch):
            for sequence in (1, 2, 3):
                await desk.committer.hand_in(desk.handed(sequence))
            await eventually(lambda: "locked" in desk.committer.problem)
            assert desk.acknowledged() == []
        await eventually(lambda: desk.acknowledged() == [1, 2, 3])
        assert desk.committer.problem == ""
        task.cancel()


async def test_a_disk_that_works_again_is_noticed_though_nobody_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes that are told to send nothing send nothing: the hub must find out by itself."""
    monkeypatch.setattr("socme.journal_file.BUSY_SECONDS", 0.01)
    path = tmp_path / "journal.db"
    desk, wanted, changes = Desk(path), True, []
    desk.committer.listen(lambda: changes.append(desk.committer.problem))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.committer.run())
        with failing_disk(path, monkeypatch):
            await desk.committer.hand_in(handed(1, wanted=lambda: wanted))
            await eventually(lambda: bool(desk.committer.problem))
            wanted = False
            await eventually(lambda: desk.committer.share == 0)
            seen = len(changes)
            await eventually(lambda: len(changes) > seen + 1)
            assert all("locked" in problem for problem in changes[seen:])
        await eventually(lambda: not desk.committer.problem)
        task.cancel()

    assert "locked" in changes[1]
    assert changes[-1] == ""


async def test_what_nobody_waits_for_any_more_is_left_to_its_node(tmp_path: Path) -> None:
    """A stream ended before its batch was in line for the disk: its next one begins behind the mark."""
    desk = Desk(tmp_path / "journal.db")
    await desk.committer.hand_in(desk.handed(1))
    await desk.committer.hand_in(handed(2, wanted=lambda: False))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.committer.run())
        await eventually(lambda: desk.acknowledged() == [1])
        marks = await desk.committer.marks(NODE, EPOCH)
        assert desk.committer.share == 0
        task.cancel()

    assert {lane: mark.sequence for lane, mark in marks.items()} == {1: 1}


async def test_what_the_hub_announces_is_on_disk_when_it_returns(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    desk = Desk(path)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.committer.run())
        await desk.committer.announce(NODE, [alert(1), alert(2)], {})
        journal = Journal(path)
        (entry,) = journal.read(0, entries=9, size=10**9)
        journal.close()
        await desk.committer.announce("socme/zeus", [alert(3)], {})
        task.cancel()

    assert (entry.origin, entry.lane, entry.sequence) == (NODE, Lane.LANE_URGENT, 1)
    assert [found.message for found in unpack(entry.packed)] == ["alert 1", "alert 2"]
    assert desk.committer.accounts() == {NODE: Account(own=2), "socme/zeus": Account(own=1)}
    assert desk.calls == [("committed", 1), ("committed", 1)]


async def test_an_announcement_waits_for_the_disk_and_can_be_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socme.journal_file.BUSY_SECONDS", 0.01)
    path = tmp_path / "journal.db"
    desk = Desk(path)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.committer.run())
        with failing_disk(path, monkeypatch):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await desk.committer.announce(NODE, [alert(1)], {})
            await eventually(lambda: bool(desk.committer.problem))
        await eventually(lambda: NODE in desk.committer.accounts())
        task.cancel()


async def test_accounts_are_what_is_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    desk = Desk(path)
    seen = desk.committer.accounts()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.committer.run())
        await desk.committer.hand_in(desk.handed(1))
        await desk.committer.hand_in(handed(4, before=20))
        await eventually(lambda: desk.committer.gaps == 1)
        assert seen == {NODE: Account(taken=2, missing=19)}, "it is a view"
        task.cancel()

    assert Desk(path).committer.accounts() == seen


async def test_how_long_the_thread_is_at_one_thing_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    real = Journalist.commit

    def stuck(self: Journalist, group: Sequence[Handed], needed: int) -> Committed:
        go_on.wait()
        return real(self, group, needed)

    monkeypatch.setattr(Journalist, "commit", stuck)
    desk = Desk(tmp_path / "journal.db")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.committer.run())
        assert desk.committer.busy_seconds == 0
        await desk.committer.hand_in(desk.handed(1))
        await eventually(lambda: desk.committer.busy_seconds > 0.05)
        go_on.set()
        await eventually(lambda: desk.acknowledged() == [1])
        assert desk.committer.busy_seconds == 0
        task.cancel()


async def test_repeats_and_gaps_are_counted(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "journal.db")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(desk.committer.run())
        for sequence in (1, 1, 5, 5, 9):
            await desk.committer.hand_in(desk.handed(sequence))
        await eventually(lambda: len(desk.acknowledged()) == 5)
        task.cancel()

    assert (desk.committer.repeated, desk.committer.gaps) == (2, 2)


@pytest.mark.parametrize(
    ("user_version", "words"), [(99, "newer version"), (3, "older version")], ids=["newer", "older"]
)
def test_a_journal_of_another_version_is_refused_with_what_to_do(
    tmp_path: Path, user_version: int, words: str
) -> None:
    path = tmp_path / "journal.db"
    Journal(path).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {user_version}")
    db.close()
    with pytest.raises(OperatorError, match=rf"journal\.db.*{words}.*\n.*move"), explained(path):
        _open(path)


@pytest.mark.parametrize(
    "torn", [b"this is no database, but long enough to be one" * 200, b"SQLite format 3\0" * 64]
)
def test_a_corrupt_journal_is_refused_with_what_to_do_and_left_as_it_is(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(torn)
    with pytest.raises(OperatorError, match=r"journal\.db.*\n.*[Mm]ove it away"), explained(path):
        _open(path)

    assert path.read_bytes() == torn


def test_a_journal_whose_pages_are_damaged_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    _open(path)
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(OperatorError, match=r"journal\.db.*\n.*[Mm]ove it away"), explained(path):
        _open(path)


def _open(path: Path) -> None:
    Journalist(path, 10**9).close()


def test_a_journal_that_cannot_be_used_is_named_with_what_to_do(tmp_path: Path) -> None:
    refused = pytest.raises(OperatorError, match=r"journal\.db: malformed\n.*move it away")
    with refused, explained(tmp_path / "journal.db"):
        raise sqlite3.DatabaseError("malformed")
