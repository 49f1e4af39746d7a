"""What one group of batches changes, all of it in one transaction."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from socme.batch import Packed
from socme.journal import Draft, Entry, Journal
from tests.zeus_hub.batches import EPOCH, NODE, given_up, handed
from tests.zeus_hub.kit import LIMIT
from zeus_hub import accounts
from zeus_hub import journalist as module
from zeus_hub.accounts import Account
from zeus_hub.journalist import (
    ENTRY_BYTES,
    TRIMMED_AT_ONCE,
    Gap,
    Handed,
    Journalist,
    NoRoomError,
    Stopwatch,
)
from zeus_hub.marks import EPOCHS_KEPT, check


@pytest.fixture
def journalist(tmp_path: Path) -> Iterator[Journalist]:
    made = Journalist(tmp_path / "journal.db", 10**9)
    yield made
    made.close()


def _sequences(entries: Sequence[Entry]) -> list[tuple[str, int, int]]:
    return [(entry.origin, entry.lane, entry.sequence) for entry in entries]


def _reached(journalist: Journalist, origin: str, epoch: bytes = EPOCH) -> dict[int, int]:
    return {lane: mark.sequence for lane, mark in journalist.marks(origin, epoch).items()}


def _own(alerts: int, origin: str = NODE) -> Handed:
    return Handed(Draft(origin, 2, 0, Packed(b"own", 3, alerts, 3)), b"", lambda lane, sequence: None)


def test_a_group_is_one_transaction_with_its_marks(journalist: Journalist) -> None:
    done = journalist.commit([handed(1), handed(1, lane=2), handed(1, origin="b/n1"), handed(2)], 0)

    assert _sequences(done.entries) == [(NODE, 1, 1), (NODE, 2, 1), ("b/n1", 1, 1), (NODE, 1, 2)]
    assert _reached(journalist, NODE) == {1: 2, 2: 1}
    assert _reached(journalist, "b/n1") == {1: 1}
    assert _reached(journalist, NODE, b"f" * 16) == {}


def test_a_mark_says_what_the_batch_there_was(journalist: Journalist) -> None:
    journalist.commit([handed(1, payload=b"one"), handed(2, payload=b"two")], 0)

    assert journalist.marks(NODE, EPOCH)[1].check == check(b"two")
    journalist.commit([handed(2, payload=b"another")], 0)
    assert journalist.marks(NODE, EPOCH)[1].check == check(b"two"), "what came again changed nothing"


def test_a_repeated_batch_is_left_out_also_within_a_group(journalist: Journalist) -> None:
    journalist.commit([handed(1), handed(2)], 0)
    done = journalist.commit([handed(1), handed(2), handed(3), handed(3)], 0)

    assert _sequences(done.entries) == [(NODE, 1, 3)]
    assert done.repeated == 3
    assert journalist.commit([handed(3)], 0).entries == []
    assert journalist.accounts()[NODE] == Account(taken=3)


def test_a_gap_is_taken_told_and_counted(journalist: Journalist) -> None:
    done = journalist.commit([handed(1, alerts=10), handed(5, alerts=10)], 0)

    assert len(done.entries) == 2
    assert done.gaps == [Gap(NODE, 1, 1, 5, 30)]
    assert done.accounts == {NODE: Account(taken=20, missing=30)}


def test_alerts_that_a_spool_lost_are_missing_wherever_it_says_so(journalist: Journalist) -> None:
    """Its counts tell of a lost row from the next connection on, which is before the row's place."""
    journalist.commit([handed(1, alerts=10)], 0)
    journalist.commit([handed(2, alerts=10, before=17), handed(4, alerts=10, before=27)], 0)

    assert journalist.accounts()[NODE] == Account(taken=30, missing=7)


def test_what_a_node_gave_up_moves_the_mark_is_counted_and_makes_no_entry(journalist: Journalist) -> None:
    done = journalist.commit([handed(1, alerts=5), given_up(2, 9, 33, before=5), handed(10, before=38)], 0)

    assert _sequences(done.entries) == [(NODE, 1, 1), (NODE, 1, 10)]
    assert not done.gaps
    assert journalist.accounts()[NODE] == Account(taken=6, given_up={"age": 33})
    assert _reached(journalist, NODE) == {1: 10}
    assert journalist.commit([given_up(2, 9, 33, before=5)], 0).repeated == 1


def test_what_comes_beside_another_spool_may_have_come_before(tmp_path: Path) -> None:
    """Also in the first spool: two machines with one identity read the same lines."""
    journalist = Journalist(tmp_path / "journal.db", 10**9)
    done = journalist.commit([handed(1), handed(1, origin="b/n1"), handed(1, lane=2)], 0)
    assert set(done.new) == {entry.position for entry in done.entries}
    done = journalist.commit([handed(2), handed(1, epoch=b"f" * 16), handed(3), handed(2, origin="b/n1")], 0)
    assert set(done.new) == {done.entries[0].position, done.entries[3].position}
    journalist.close()
    journalist = Journalist(tmp_path / "journal.db", 10**9)

    done = journalist.commit([handed(4), handed(3, origin="b/n1")], 0)

    assert set(done.new) == {done.entries[1].position}
    journalist.close()


def test_a_group_of_what_was_given_up_alone_is_on_disk_too(tmp_path: Path) -> None:
    journalist = Journalist(tmp_path / "journal.db", 10**9)
    done = journalist.commit([given_up(1, 3, 12, before=0, reason="refused")], 0)
    journalist.close()
    journalist = Journalist(tmp_path / "journal.db", 10**9)

    assert not done.entries
    assert _reached(journalist, NODE) == {1: 3}
    assert journalist.accounts() == {NODE: Account(given_up={"refused": 12})}
    journalist.close()


def test_a_new_journal_does_not_miss_what_an_old_one_took(journalist: Journalist) -> None:
    """Lane by lane, in whatever order they come; what is missing from there on is."""
    journalist.commit([handed(1, lane=2), handed(500, alerts=10), handed(70, lane=3)], 0)
    assert journalist.accounts()[NODE].missing == 0
    journalist.commit([handed(502, alerts=10), handed(3, lane=2)], 0)

    assert journalist.accounts()[NODE].missing == 11


def test_a_known_nodes_new_spool_begins_with_its_first_batch(journalist: Journalist) -> None:
    journalist.commit([handed(1)], 0)
    journalist.commit([handed(3, epoch=b"f" * 16, before=20)], 0)

    assert journalist.accounts()[NODE].missing == 20


def test_the_hubs_own_alerts_are_numbered_apart_from_the_nodes(tmp_path: Path) -> None:
    journalist = Journalist(tmp_path / "journal.db", 10**9)
    done = journalist.commit([handed(1, lane=2), _own(3), _own(1), _own(1, "b/n1")], 0)
    journalist.close()
    journalist = Journalist(tmp_path / "journal.db", 10**9)
    again = journalist.commit([_own(1), handed(2, lane=2)], 0)

    assert _sequences(done.entries) == [(NODE, 2, 1), (NODE, 2, 1), (NODE, 2, 2), ("b/n1", 2, 1)]
    assert _sequences(again.entries) == [(NODE, 2, 3), (NODE, 2, 2)]
    assert journalist.accounts() == {NODE: Account(taken=2, own=5), "b/n1": Account(own=1)}
    assert _reached(journalist, NODE) == {2: 2}
    journalist.close()


def test_accounts_outlive_a_restart(tmp_path: Path) -> None:
    found = []
    for sequence in (1, 2):
        journalist = Journalist(tmp_path / "journal.db", 10**9)
        found.append(journalist.accounts())
        journalist.commit([handed(sequence, alerts=4)], 0)
        journalist.close()

    assert found == [{}, {NODE: Account(taken=4)}]


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
        journalist.commit([handed(1, epoch=bytes([number]) * 16), handed(number + 1, epoch=EPOCH)], 0)
    journalist.commit([handed(1, origin=f"{NODE}0")], 0)
    kept = [number for number in range(3 * EPOCHS_KEPT) if journalist.marks(NODE, bytes([number]) * 16)]

    assert _reached(journalist, NODE) == {1: 3 * EPOCHS_KEPT}
    assert len(kept) <= EPOCHS_KEPT
    assert kept[-1] == 3 * EPOCHS_KEPT - 1
    assert _reached(journalist, f"{NODE}0") == {1: 1}, "of another node whose name begins alike"


def test_the_oldest_entries_go_once_every_sink_has_read_them(tmp_path: Path) -> None:
    journalist = Journalist(tmp_path / "journal.db", 1000)
    for sequence in range(1, 31):
        journalist.commit([handed(sequence, payload=bytes(100))], needed=12)
    journal = Journal(tmp_path / "journal.db")

    assert _first(journal) == 13, "what a sink has not read is kept, however much it is"
    journalist.commit([handed(31, payload=bytes(100))], needed=30)
    assert journal.depth().bytes <= 1000 + 100
    assert _reached(journalist, NODE) == {1: 31}
    journal.close()
    journalist.close()


def test_trimming_takes_a_bounded_time(tmp_path: Path) -> None:
    journalist = Journalist(tmp_path / "journal.db", 1)
    journalist.commit([handed(sequence) for sequence in range(1, 1001)], needed=0)
    journalist.commit([handed(1001)], needed=1001)
    journal = Journal(tmp_path / "journal.db")

    assert _first(journal) == TRIMMED_AT_ONCE + 2
    journal.close()
    journalist.close()


def test_the_size_of_a_journal_is_known_after_a_restart(tmp_path: Path) -> None:
    for sequence in range(1, 21):
        journalist = Journalist(tmp_path / "journal.db", 1000)
        journalist.commit([handed(sequence, payload=bytes(100))], needed=100)
        journalist.close()
    journal = Journal(tmp_path / "journal.db")

    assert journal.depth().bytes <= 1100
    journal.close()


def test_batches_of_no_size_are_forgotten_too(tmp_path: Path) -> None:
    journalist = Journalist(tmp_path / "journal.db", 10 * ENTRY_BYTES)
    for sequence in range(1, 101):
        journalist.commit([handed(sequence, payload=b"")], needed=100)
    journal = Journal(tmp_path / "journal.db")

    assert journal.depth().entries <= 11
    journal.close()
    journalist.close()


def test_a_commit_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journalist = Journalist(tmp_path / "journal.db", 10**9)
    journalist.commit([handed(1)], 0)

    def full(*_: object) -> bytes:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(accounts, "encode", full)
        with pytest.raises(sqlite3.OperationalError):
            journalist.commit([handed(2), _own(1)], 0)

    assert journalist.accounts() == {NODE: Account(taken=1)}
    assert len(journalist.commit([handed(2)], 0).entries) == 1
    journalist.close()


def test_some_of_the_disk_is_left_free_and_watchers_pay_for_it_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a reserve larger than any disk: what no sink needs goes, then nothing is taken any more."""
    path = tmp_path / "journal.db"
    journalist = Journalist(path, 10**9)
    for sequence in range(1, 11):
        journalist.commit([handed(sequence, payload=bytes(100_000))], 0)
    journalist.close()
    monkeypatch.setattr(module, "RESERVE_BYTES", 2**60)
    journalist = Journalist(path, 10**9)
    with pytest.raises(NoRoomError, match="of its disk are free"):
        journalist.commit([handed(11)], needed=7)
    with pytest.raises(NoRoomError):
        journalist.probe(needed=7)
    journal = Journal(path)

    assert [entry.sequence for entry in journal.read(0, entries=99, size=10**9)] == [8, 9, 10]
    assert journal.reusable_bytes() > 600_000
    assert _reached(journalist, NODE) == {1: 10}
    journal.close()
    journalist.close()


def test_a_stopwatch_runs_while_there_is_work() -> None:
    watch, began, done = Stopwatch(), threading.Event(), threading.Event()

    def work() -> None:
        with watch:
            began.set()
            done.wait(LIMIT)

    thread = threading.Thread(target=work)
    assert watch.seconds == 0
    thread.start()
    began.wait(LIMIT)
    first = watch.seconds
    assert 0 <= first <= watch.seconds < LIMIT
    done.set()
    thread.join()
    assert watch.seconds == 0


def _first(journal: Journal) -> int:
    """Return the position of the oldest entry."""
    return journal.read(0, entries=1, size=1)[0].position
