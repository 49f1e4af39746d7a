"""The spool: nothing is lost, nothing comes twice, whatever happens in between."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from artemis_agent import ledger, reserve
from artemis_agent import spool as spooling
from artemis_agent.lock import is_running
from artemis_agent.numbering import check_of
from artemis_agent.shelf import ENTRY_BYTES, MOST_BYTES, Shelf
from artemis_agent.spool import (
    TRIM_SECONDS,
    Progress,
    Spool,
    SpoolWriteError,
    Waiting,
    open_spool,
    trim_seconds,
)
from socme.batch import unpack
from socme.errors import OperatorError
from socme.journal import Entry
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Dropped, Encoding, Lane, Mark
from tests.artemis_agent.sources import spooled

_ZSTD, _DROPPED = Encoding.ENCODING_ZSTD, Encoding.ENCODING_DROPPED

SECOND = 10**9  # in nanoseconds, as the clocks of a spool count
GIB = 1 << 30


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    made = open_spool(tmp_path, max_bytes=GIB)
    yield made
    await made.close()


def progress(*messages: str, position: bytes = b"p", counters: bytes = b"c") -> Progress:
    alerts = [Waiting(Alert(message=message).SerializeToString()) for message in messages]
    return Progress(
        source="eve.json", position=position, counters=counters, alerts=alerts, tally={"read": len(alerts)}
    )


async def entries_in(spool: Spool) -> list[Entry]:
    """Return all batches as they would leave."""
    found: list[Entry] = []
    after: dict[int, int] = {}
    while len(found) < spool.depth.entries:
        for entry in await spool.next(after):
            after[entry.lane] = entry.position
            found.append(entry)
    return found


async def messages(spool: Spool) -> list[str]:
    return [alert.message for entry in await entries_in(spool) for alert in unpack(entry.packed)]


async def test_alerts_position_and_counters_are_kept_together(tmp_path: Path) -> None:
    """After a restart the spool holds what one append gave, under the same epoch."""
    spool = open_spool(tmp_path, max_bytes=GIB)
    await spool.append(progress("a", "b", position=b"here", counters=b"totals"))
    epoch = spool.epoch
    await spool.close()

    again = open_spool(tmp_path, max_bytes=GIB)

    assert await messages(again) == ["a", "b"]
    assert await again.position("eve.json") == b"here"
    assert await again.counters("eve.json") == b"totals"
    assert await again.position("other.json") is None
    assert again.epoch == epoch
    assert len(epoch) == 16
    assert again.depth.alerts == 2
    await again.close()


async def test_an_append_that_fails_leaves_nothing(spool: Spool) -> None:
    """Neither alerts nor position, and the next append takes the sequence."""
    await spool.append(progress("a", position=b"1"))

    def fail(db: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    bad = progress("b", position=b"2")
    with pytest.raises(SpoolWriteError, match="full"):
        await spool.append(Progress("eve.json", bad.position, b"", bad.alerts, also=fail))

    assert await messages(spool) == ["a"]
    assert await spool.position("eve.json") == b"1"
    assert spool.depth.entries == 1
    await spool.append(progress("c"))
    assert [entry.sequence for entry in await entries_in(spool)] == [1, 2]


async def test_a_full_disk_is_told_and_survived(spool: Spool) -> None:
    """SQLite ends the transaction by itself then; the next append works all the same."""
    await spool.append(progress("a", position=b"1"))
    await spool.ask(lambda journal: journal._db.execute("PRAGMA max_page_count = 10").fetchall())
    large = Progress(
        "eve.json", b"2", b"", [Waiting(bytes(range(256)) * 4), *map(Waiting, _incompressible(300))]
    )

    with pytest.raises(SpoolWriteError, match="full"):
        await spool.append(large)

    assert await spool.position("eve.json") == b"1"
    await spool.ask(lambda journal: journal._db.execute("PRAGMA max_page_count = 100000").fetchall())
    await spool.append(large)
    assert await spool.position("eve.json") == b"2"
    assert spool.depth.alerts == 302


def _incompressible(number: int) -> list[bytes]:
    rng = random.Random(1)
    return [rng.randbytes(1000) for _ in range(number)]


async def test_sequences_are_never_given_twice(tmp_path: Path) -> None:
    """Not after an empty spool, not after a restart."""
    spool = open_spool(tmp_path, max_bytes=GIB)
    await spool.append(progress("a"))
    await spool.append(progress("b"))
    spool.acknowledge(1, 2)
    await spool.trim()
    assert spool.depth.entries == 0
    assert spool.acknowledged == 2
    await spool.close()

    again = open_spool(tmp_path, max_bytes=GIB)
    await again.append(progress("c"))

    (entry,) = await entries_in(again)
    assert entry.sequence == 3
    assert again.acknowledged == 2
    await again.close()


async def test_trimming_keeps_what_is_not_acknowledged(spool: Spool) -> None:
    """Acknowledgements are cumulative, may come out of order, and may tell what is known."""
    for message in "abcd":
        await spool.append(progress(message))

    spool.acknowledge(1, 3)
    spool.acknowledge(1, 2)
    await spool.trim()
    await spool.trim()
    spool.acknowledge(1, 1)
    await spool.trim()

    assert await messages(spool) == ["d"]
    assert spool.acknowledged == 3
    assert spool.depth.alerts == 1
    assert spool.depth.oldest_us == (await entries_in(spool))[0].received_us


def test_a_small_spool_is_not_crowded_by_what_the_hub_has() -> None:
    assert trim_seconds(1 << 30) == TRIM_SECONDS
    assert trim_seconds(1 << 20) < TRIM_SECONDS / 50


async def test_many_acknowledgements_are_trimmed_in_one_go(spool: Spool) -> None:
    """The background task follows the acknowledgements by itself."""
    for message in "abc":
        await spool.append(progress(message))
    async with asyncio.TaskGroup() as tasks:
        trimming = tasks.create_task(spool.run_trim())
        for sequence in (1, 2, 3):
            spool.acknowledge(1, sequence)
        async with asyncio.timeout(20), spool._changed:
            await spool._changed.wait_for(lambda: spool.depth.entries == 0)
        trimming.cancel()

    assert spool.acknowledged == 3


async def test_room_comes_back_with_acknowledgements(tmp_path: Path) -> None:
    """At its bound the spool makes its writers wait, and loses nothing."""
    spool = open_spool(tmp_path, max_bytes=1)
    await asyncio.wait_for(spool.wait_for_room(), 5)
    await spool.append(progress("a"))
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(spool.wait_for_room())
        await spool.position("eve.json")  # lets the task begin
        assert not waiting.done()
        spool.acknowledge(1, 1)
        await spool.trim()
        await asyncio.wait_for(waiting, 5)
    await spool.close()


async def test_readers_wait_for_the_next_batch(spool: Spool) -> None:
    await spool.append(progress("a"))
    (first,) = await spool.next({})
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(spool.next({first.lane: first.position}))
        await spool.append(progress("b"))
        (second,) = await asyncio.wait_for(waiting, 5)

    assert [alert.message for alert in unpack(second.packed)] == ["b"]


async def test_a_second_agent_is_refused(spool: Spool, tmp_path: Path) -> None:
    """And told what to do."""
    with pytest.raises(OperatorError, match="another artemis") as refusal:
        open_spool(tmp_path, max_bytes=GIB)

    assert "state_dir" in refusal.value.mend
    assert is_running(tmp_path)


async def test_the_lock_goes_with_the_agent(tmp_path: Path) -> None:
    assert not is_running(tmp_path / "nowhere")
    await open_spool(tmp_path, max_bytes=GIB).close()

    assert not is_running(tmp_path)
    await open_spool(tmp_path, max_bytes=GIB).close()


def test_a_state_folder_that_cannot_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(OperatorError, match="cannot write to the state folder"):
        open_spool(file / "state", max_bytes=GIB)


async def test_follow_forgets_what_the_hub_has(spool: Spool) -> None:
    for message in "abc":
        await spool.append(progress(message))

    second = (await entries_in(spool))[1]

    assert await spool.follow([Mark(lane=Lane.LANE_NORMAL, sequence=2, check=check_of(second.packed))])

    assert await messages(spool) == ["c"]
    assert await spool.follow([])
    assert await messages(spool) == ["c"]


async def test_an_old_copy_of_a_spool_begins_anew(spool: Spool) -> None:
    """The hub knows sequences that this copy will give to other batches: a new epoch, from 1."""
    for message in "abc":
        await spool.append(progress(message))
    spool.acknowledge(1, 1)
    await spool.trim()
    old = spool.epoch

    assert not await spool.follow([Mark(lane=Lane.LANE_NORMAL, sequence=7)])

    assert spool.epoch != old
    assert await messages(spool) == ["b", "c"]
    assert [entry.sequence for entry in await entries_in(spool)] == [1, 2]
    await spool.append(progress("d"))
    assert (await entries_in(spool))[-1].sequence == 3


async def test_batches_are_bounded_in_number_and_size(spool: Spool) -> None:
    """A larger alert goes alone."""
    half = bytes(MOST_BYTES // 2)
    for alerts in ([b""] * 1201, [half, half, b"", 3 * half, b""]):
        await spool.append(Progress("eve.json", b"p", b"c", [Waiting(alert) for alert in alerts]))
    entries = await entries_in(spool)

    assert [entry.packed.alerts for entry in entries] == [500, 500, 201, 3, 1, 1]


APPEND_FOR_EVER = """
import asyncio, itertools, sys
from pathlib import Path
from artemis_agent.spool import Progress, Waiting, open_spool
from socme.v1.alert_pb2 import Alert

async def main():
    spool = open_spool(Path(sys.argv[1]), max_bytes=1 << 30)
    begin = int.from_bytes(await spool.position("s") or b"", "big")
    for number in itertools.count(begin + 1):
        alert = Alert(message=str(number), raw=bytes(5000)).SerializeToString()
        position = number.to_bytes(8, "big")
        await spool.append(Progress("s", position, position, [Waiting(alert)]))
        if number % 7 == 0:
            spool.acknowledge(1, number - 3)
            await spool.trim()
        print(number, flush=True)

asyncio.run(main())
"""


def append_and_kill(state_dir: Path) -> list[int]:
    """Let a process append for a while, kill it in the middle, and return what it said was kept."""
    command = [sys.executable, "-c", APPEND_FOR_EVER, str(state_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(40)]
        process.send_signal(signal.SIGKILL)
        return told + [int(line) for line in process.stdout.read().split("\n")[:-1]]


async def test_kill_in_the_middle_of_appends(tmp_path: Path) -> None:
    """What was told to be kept is kept; alerts, position, counters and sequence agree, again and again."""
    for _ in range(4):
        told = append_and_kill(tmp_path)
        spool = open_spool(tmp_path, max_bytes=GIB)
        entries = await entries_in(spool)
        last = int.from_bytes(await spool.position("s") or b"", "big")

        assert last in {told[-1], told[-1] + 1}
        assert int.from_bytes(await spool.counters("s") or b"", "big") == last
        assert [entry.sequence for entry in entries] == list(range(entries[0].sequence, last + 1))
        assert await messages(spool) == [str(entry.sequence) for entry in entries]
        assert spool.acknowledged == entries[0].sequence - 1
        await spool.close()


async def test_the_last_of_the_disk_is_left_free(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk SQLite cannot forget either, and the spool would stay full for ever."""
    await spool.append(progress("a"))
    monkeypatch.setattr(reserve, "RESERVE_BYTES", 1 << 60)
    with pytest.raises(SpoolWriteError, match="of its disk are free"):
        await spool.append(progress("b"))

    spool.acknowledge(1, 1)
    await spool.trim()

    assert spool.depth.entries == 0


async def test_what_was_forgotten_counts_as_free(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file never shrinks: were its own free pages not counted, it would refuse for ever."""
    await spool.append(Progress("eve.json", b"p", b"c", [Waiting(random.randbytes(300_000))]))
    monkeypatch.setattr(os, "fstatvfs", lambda _descriptor: SimpleNamespace(f_bavail=0, f_frsize=4096))
    monkeypatch.setattr(reserve, "RESERVE_BYTES", 200_000)
    with pytest.raises(SpoolWriteError):
        await spool.append(progress("a"))

    spool.acknowledge(1, 1)
    await spool.trim()
    await spool.append(progress("b"))

    assert await messages(spool) == ["b"]


async def test_damage_in_the_middle_is_set_aside(tmp_path: Path) -> None:
    """SQLite sees it only when it comes to that page, behind a good header."""
    spool = open_spool(tmp_path, max_bytes=GIB)
    await spool.append(progress("a"))
    await spool.close()
    file = tmp_path / spooling.FILE
    damaged = file.read_bytes()[:4096] + random.randbytes(file.stat().st_size - 4096)
    file.write_bytes(damaged)

    again = open_spool(tmp_path, max_bytes=GIB)

    assert again.depth.entries == 0
    assert again.epoch != spool.epoch
    assert await asyncio.to_thread(Path(again.set_aside).read_bytes) == damaged
    await again.append(progress("b"))
    await again.close()


def waiting(message: str, lane: Lane.ValueType = Lane.LANE_NORMAL) -> Waiting:
    return Waiting(Alert(message=message).SerializeToString(), lane)


async def test_urgent_batches_overtake_and_each_lane_keeps_its_order(spool: Spool) -> None:
    for message in "abc":
        await spool.append(progress(message))
    urgent = [waiting("x", Lane.LANE_URGENT), waiting("y", Lane.LANE_URGENT)]
    await spool.append(Progress("eve.json", b"p", b"c", [waiting("d"), *urgent]))

    assert await messages(spool) == ["x", "y", "a", "b", "c", "d"]
    assert [(each.lane, each.sequence) for each in await entries_in(spool)] == [
        (Lane.LANE_URGENT, 1),
        *((Lane.LANE_NORMAL, sequence) for sequence in (1, 2, 3, 4)),
    ]


async def test_a_twin_s_batch_under_our_number_begins_a_new_epoch(spool: Spool) -> None:
    """Were it taken for ours, ours would be forgotten though the hub never saw it."""
    for message in "ab":
        await spool.append(progress(message))
    old = spool.epoch

    assert not await spool.follow([Mark(lane=Lane.LANE_NORMAL, sequence=2, check=b"another!")])

    assert spool.epoch != old
    assert await messages(spool) == ["a", "b"]


def aged_spool(folder: Path, clock: list[int], stopwatch: list[int]) -> Spool:
    """Open a spool that keeps alerts for an hour, by clocks that stand until they are moved."""
    return open_spool(
        folder,
        max_bytes=GIB,
        max_age_seconds=3600.0,
        clock=lambda: clock[0],
        stopwatch=lambda: stopwatch[0],
    )


async def fill(spool: Spool, *, entries: int = 70) -> None:
    """Spool more than may be on its way."""
    for number in range(entries):
        await spool.append(progress(str(number)))


async def test_a_clock_that_is_set_makes_nothing_old(tmp_path: Path) -> None:
    """A month forward for one look, and for good; only what really passes counts."""
    clock, stopwatch = [1_000_000 * SECOND], [0]
    spool = aged_spool(tmp_path, clock, stopwatch)
    await fill(spool)
    await spool.tend()
    for days in (31, -31, 31):
        clock[0] += days * 24 * 3600 * SECOND
        await spool.tend()
        assert await spool.dropped() == {}

    for each in (clock, stopwatch):
        each[0] += 3601 * SECOND
    await spool.tend()

    assert await spool.dropped() == {"age": 6}
    await spool.close()


async def test_time_in_which_the_agent_did_not_run_makes_nothing_old(tmp_path: Path) -> None:
    """Nobody knows how much that was: the clock may have been set meanwhile. Also after a kill at once."""
    clock, stopwatch = [1_000_000 * SECOND], [5 * SECOND]
    spool = aged_spool(tmp_path, clock, stopwatch)
    await fill(spool)
    for ran in (0, 1800, 1900):
        await spool.close()
        clock[0] += 31 * 24 * 3600 * SECOND
        spool = aged_spool(tmp_path, clock, stopwatch)
        await spool.tend()
        assert await spool.dropped() == {}
        for each in (clock, stopwatch):
            each[0] += ran * SECOND
        await spool.tend()

    assert await spool.dropped() == {"age": 6}
    await spool.close()


async def test_an_empty_spool_forgets_how_far_the_clock_was_set(tmp_path: Path) -> None:
    clock, stopwatch = [1_000_000 * SECOND], [0]
    spool = aged_spool(tmp_path, clock, stopwatch)
    clock[0] += 31 * 24 * 3600 * SECOND
    await spool.tend()
    await fill(spool)
    for each in (clock, stopwatch):
        each[0] += 3601 * SECOND
    await spool.tend()

    assert await spool.dropped() == {"age": 6}
    await spool.close()


async def test_old_hours_of_the_ledger_are_forgotten(tmp_path: Path) -> None:
    """Else it would grow for ever; one of which something waits stays."""
    clock = [1_000_000 * SECOND]
    spool = aged_spool(tmp_path, clock, [0])
    await spool.append(progress("a"))
    clock[0] += 3600 * SECOND
    await spool.append(progress("b"))
    (first, _) = await entries_in(spool)
    spool.acknowledge(first.lane, first.sequence)
    await spool.trim()
    clock[0] += (ledger.KEPT_HOURS + 2) * 3600 * SECOND

    await spool.tend()

    assert [hour.pending for hour in await spool.ask(lambda it: ledger.hours(it.query, it.held()))] == [1]
    await spool.close()


async def test_what_is_too_old_is_given_up_but_for_what_may_be_on_its_way(tmp_path: Path) -> None:
    """One message stands for all of it, and the ledger says how many alerts that were."""
    now = [1_000_000 * 10**9]
    spool = aged_spool(tmp_path, now, now)
    await fill(spool)
    now[0] += 3601 * SECOND
    await spool.append(progress("fresh"))

    await spool.tend()

    kept = await entries_in(spool)
    assert [entry.packed.encoding for entry in kept] == [_ZSTD] * 64 + [_DROPPED, _ZSTD]
    told = Dropped.FromString(kept[64].packed.payload)
    assert (told.first_sequence, kept[64].sequence, told.alerts, told.reason) == (65, 70, 6, "age")
    assert await spool.dropped() == {"age": 6}
    assert sum(hour.dropped["age"] for hour in await spool.ledger()) == 6
    assert spool.unaccounted == 0
    await spool.close()


async def test_what_may_wait_is_given_up_for_room_but_for_what_may_be_on_its_way(tmp_path: Path) -> None:
    """The oldest go, no more than need be; urgent ones stay; the ledger says how many went and why."""
    spool = open_spool(tmp_path, max_bytes=100 * ENTRY_BYTES)
    names = [f"{number} of those that may wait" for number in range(40)]
    for number, name in enumerate(names):
        await spool.append(progress(name))
        await spool.append(
            Progress("eve.json", b"p", b"c", [waiting(f"urgent {number}", Lane.LANE_URGENT)], {"read": 1})
        )
    handed = await spool.next({Lane.LANE_URGENT: 2**60})
    before = spool.share

    await spool.relieve(before, "spool_full")
    less = [alert.message for alert in await spooled(spool)]

    assert [name for name in less if "urgent" not in name] == names[: len(handed)] + names[len(handed) + 1 :]
    assert spool.share < before

    await spool.relieve(0.1, "spool_full")

    left = [alert.message for alert in await spooled(spool)]
    assert [name for name in left if "urgent" not in name] == names[: len(handed)]
    assert len(left) == len(handed) + 40
    assert await spool.dropped() == {"spool_full": 40 - len(handed)}
    assert sum(hour.dropped["spool_full"] for hour in await spool.ledger()) == 40 - len(handed)
    assert spool.unaccounted == 0

    await spool.follow([])
    await spool.relieve(0.1, "spool_full")

    assert len([alert.message for alert in await spooled(spool)]) == 40
    await spool.close()


async def test_after_a_start_what_the_hub_may_have_is_not_given_up(tmp_path: Path) -> None:
    """Until it says what it has: a window of batches may have left before, of which nobody knows here."""
    spool = open_spool(tmp_path, max_bytes=GIB)
    for number in range(70):
        await spool.append(progress(str(number)))
    await spool.close()
    spool = open_spool(tmp_path, max_bytes=1)
    await spool.append(progress("new"))

    await spool.relieve(0.0, "spool_full")

    assert [alert.message for alert in await spooled(spool)] == [*map(str, range(64))]
    await spool.close()


async def test_a_batch_is_split_into_its_alerts(spool: Spool) -> None:
    """In a new epoch, where the others keep their order."""
    await spool.append(progress("a"))
    await spool.append(progress("b", "bad", "c"))
    await spool.append(progress("d"))
    old = spool.epoch
    assert await spool.follow([])
    assert len(await spool.alerts_of(Lane.LANE_NORMAL, 2)) == 3

    await spool.split(Lane.LANE_NORMAL, 2)

    assert spool.epoch != old
    assert await messages(spool) == ["a", "b", "bad", "c", "d"]
    assert [entry.sequence for entry in await entries_in(spool)] == [1, 2, 3, 4, 5]


async def test_one_batch_is_given_up(spool: Spool) -> None:
    """Its sequence stays taken, so that the hub does not miss it."""
    for message in "abc":
        await spool.append(progress(message))

    await spool.give_up(Lane.LANE_NORMAL, 2, "refused")

    encodings = [(entry.sequence, entry.packed.encoding) for entry in await entries_in(spool)]
    assert encodings == [(1, _ZSTD), (2, _DROPPED), (3, _ZSTD)]
    assert await spool.dropped() == {"refused": 1}
    assert await spool.alerts_of(Lane.LANE_NORMAL, 2) == ()


async def test_a_row_that_is_deleted_by_hand_is_found(spool: Spool) -> None:
    """On the node by the ledger, at the hub by the count in front of the batches behind it."""
    for messages_ in (("a", "b"), ("c",)):
        await spool.append(progress(*messages_))
    assert await spool.before() == {Lane.LANE_URGENT: 0, Lane.LANE_NORMAL: 0}

    await spool.ask(lambda journal: journal.remove(journal.first() or 0))

    assert sum(hour.unaccounted for hour in await spool.ledger()) == 2
    assert (await spool.before())[Lane.LANE_NORMAL] == 2


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entry SET payload = x'ff' WHERE encoding = 3",
        "UPDATE entry SET encoding = 2, payload = x'ffff'",
        "UPDATE entry SET origin = CAST(x'ff' AS TEXT)",
        "DROP TABLE ledger",
    ],
)
async def test_damage_that_is_met_ends_the_agent_and_is_set_aside_at_the_next_start(
    tmp_path: Path, damage: str
) -> None:
    """It is no fault of the disk, which would be waited for for ever; and nothing untrue is sent."""
    spool = open_spool(tmp_path, max_bytes=GIB)
    for message in "ab":  # what was committed last need not be read
        await spool.append(progress(message))
    with sqlite3.connect(tmp_path / spooling.FILE) as db:
        db.execute(damage)
    db.close()

    async def use() -> None:
        await spool.before()
        await spool.next({})
        await spool.ledger()

    with pytest.raises(OperatorError, match="the spool is damaged"):
        await use()
    await spool.close()
    again = open_spool(tmp_path, max_bytes=GIB)

    assert again.set_aside
    await again.append(progress("a"))
    await again.close()


async def test_whoever_waits_asks_the_disk_only_where_there_may_be_something(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every append and every acknowledgement wakes both lanes."""
    asked: list[Mapping[int, int]] = []
    ask = Shelf.next

    def noted(self: Shelf, after: Mapping[int, int]) -> Sequence[Entry]:
        asked.append(after)
        return ask(self, after)

    monkeypatch.setattr(Shelf, "next", noted)
    await spool.append(progress("a"))
    (first,) = await spool.next({})
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(spool.next({first.lane: first.position}))
        await asyncio.sleep(0)
        spool.acknowledge(first.lane, first.sequence)
        await spool.trim()

        assert asked == [{}]
        await spool.append(progress("b"))
    assert [entry.sequence for entry in waiting.result()] == [2]
    assert asked == [{}]  # what is committed is handed to those who wait for it, and not read


async def test_one_that_begins_to_wait_while_something_is_committed_is_not_forgotten(spool: Spool) -> None:
    """The thread that commits may have looked at those who wait a moment before."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(spool.append(progress("a")))
        await asyncio.sleep(0)  # handed to the thread, whose answer nobody has heard
        waiting = tasks.create_task(spool.next({}))
    found = waiting.result() or await spool.next({})
    assert [entry.sequence for entry in found] == [1]


async def test_a_last_batch_that_cannot_be_read_is_damage_as_any_other(tmp_path: Path) -> None:
    """It is met where it would leave; the start after that sets the spool aside, and goes on."""
    spool = open_spool(tmp_path, max_bytes=GIB)
    for _ in range(3):
        await spool.append(Progress("eve.json", b"", b"", [Waiting(os.urandom(60_000))]))
    last = (await entries_in(spool))[-1].packed.payload
    await spool.close()
    file = tmp_path / spooling.FILE
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = int(db.execute("PRAGMA page_size").fetchone()[0])
    pages = bytearray(file.read_bytes())
    page = pages.find(last[30_000:30_040]) // size
    pages[page * size : page * size + 4] = b"\x7f\xff\xff\xff"  # where its content goes on
    file.write_bytes(pages)

    spool = open_spool(tmp_path, max_bytes=GIB)
    with pytest.raises(OperatorError, match="damaged"):
        await entries_in(spool)
    await spool.close()
    spool = open_spool(tmp_path, max_bytes=GIB)
    assert spool.set_aside
    await spool.close()


async def test_what_is_gone_is_asked_for_once(spool: Spool) -> None:
    """What was acknowledged and forgotten before anybody asked holds nothing up."""
    await spool.append(progress("a"))
    spool.acknowledge(Lane.LANE_NORMAL, 1)
    await spool.trim()

    assert spool.may_hold({})
    assert not await spool.next({})
    assert not spool.may_hold({})
    await spool.append(progress("b"))
    assert spool.may_hold({})
