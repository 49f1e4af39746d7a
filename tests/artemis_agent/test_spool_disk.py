"""A spool on a disk that is full or read-only, and one that is far larger than the memory it may take."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from artemis_agent import reserve
from artemis_agent.spool import Progress, Spool, SpoolWriteError, Waiting, open_spool
from socme.errors import OperatorError
from socme.journal import LOWEST
from socme.v1.uplink_pb2 import Lane
from tests.conftest import REPOSITORY
from tests.disk import fill, small_disk

MIB = 1024 * 1024
GIB = 1024 * MIB
NORMAL = Lane.LANE_NORMAL


def progress(number: int, size: int = 100_000) -> Progress:
    """Return an append of one alert that cannot be compressed; its position is its number."""
    alert = Waiting(random.Random(number).randbytes(size))
    return Progress("eve.json", str(number).encode(), b"c", [alert], {"read": 1})


async def fill_up(spool: Spool, last: int, refusal: str) -> int:
    """Append what follows `last` until the spool refuses, for that reason; return what was appended last."""
    while True:
        try:
            await spool.append(progress(last + 1))
        except SpoolWriteError as error:
            if refusal not in str(error):
                raise
            return last
        last += 1


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


async def held(spool: Spool) -> list[int]:
    """Return the sequences that lie in the spool, having seen that it is sound and accounts for all."""
    assert await spool.ask(lambda journal: journal.query("PRAGMA integrity_check")) == [("ok",)]
    await spool.ledger()
    assert spool.unaccounted == 0
    found = await spool.ask(lambda journal: journal.outlines(NORMAL, LOWEST, entries=10**6))
    return [each.sequence - found[0].sequence + 1 for each in found]


async def test_an_append_that_the_disk_does_not_take_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its reserve even: what was kept before stays, and there is more when there is room."""
    monkeypatch.setattr(reserve, "RESERVE_BYTES", 0)
    with small_disk(tmp_path / "small", 8 * MIB) as folder:
        spool = open_spool(folder, max_bytes=GIB)
        await spool.append(progress(1))
        other = fill(folder, but=MIB // 2)
        kept = await fill_up(spool, 1, "the disk is full")

        assert spool.problem == "the disk is full"
        assert await spool.position("eve.json") == str(kept).encode()
        assert await held(spool) == list(range(1, kept + 1))
        other.unlink()
        await spool.append(progress(kept + 1))
        assert spool.problem == ""
        await spool.close()
        again = open_spool(folder, max_bytes=GIB)
        assert not again.set_aside
        assert await held(again) == list(range(1, kept + 2))
        await again.close()


async def test_what_is_left_free_is_enough_to_forget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Appends are refused before the disk is full, so that acknowledgements still make room: no deadlock."""
    monkeypatch.setattr(reserve, "RESERVE_BYTES", 4 * MIB)
    with small_disk(tmp_path / "small", 24 * MIB) as folder:
        spool = open_spool(folder, max_bytes=GIB)
        last = await fill_up(spool, 0, "of its disk are free")
        assert last > 10
        for _ in range(3):
            spool.acknowledge(NORMAL, last - 2)
            await spool.trim()
            assert spool.depth.entries == 2
            begin = last
            last = await fill_up(spool, begin, "of its disk are free")
            assert last > begin + 10, "what was forgotten is used anew"
        assert spool.acknowledged == begin - 2
        await held(spool)
        await spool.close()


async def test_a_read_only_disk_is_named_and_nothing_is_taken_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserve, "RESERVE_BYTES", 0)
    with small_disk(tmp_path / "small", 8 * MIB) as folder:
        spool = open_spool(folder, max_bytes=GIB)
        await spool.append(progress(1))
        await spool.close()
        remount(folder, "ro")

        with pytest.raises(OperatorError, match="cannot write to the state folder") as refusal:
            open_spool(folder, max_bytes=GIB)

        assert "Run this as the user" in refusal.value.mend
        remount(folder, "rw")
        assert sorted(folder.glob("*damaged*")) == []
        again = open_spool(folder, max_bytes=GIB)
        assert await held(again) == [1]
        await again.close()


async def test_a_file_that_cannot_be_written_any_more_is_told(tmp_path: Path) -> None:
    """And works again when it can be."""
    spool = open_spool(tmp_path, max_bytes=GIB)
    await spool.append(progress(1))
    await spool.ask(lambda journal: journal.query("PRAGMA query_only = ON"))

    with pytest.raises(SpoolWriteError, match="the file is read-only"):
        await spool.append(progress(2))
    spool.acknowledge(NORMAL, 1)
    await spool.trim()

    assert spool.problem == "the file is read-only"
    assert spool.depth.entries == 1
    await spool.ask(lambda journal: journal.query("PRAGMA query_only = OFF"))
    await spool.trim()
    assert spool.depth.entries == 0
    assert await spool.position("eve.json") == b"1"
    await spool.close()


LARGE = """
import asyncio, random, sys
from pathlib import Path
from artemis_agent.spool import Progress, Waiting, open_spool

PIECE, PIECES = 500_000, 200

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024

async def main():
    spool = open_spool(Path(sys.argv[1]), max_bytes=1 << 40)
    async def fill(pieces):
        for number in range(pieces):
            alerts = [Waiting(random.randbytes(PIECE)), Waiting(random.randbytes(PIECE))]
            await spool.append(Progress("s", b"p", b"c", alerts, {"read": 2}))
    async def all_of_it():
        after, seen = {}, 0
        while seen < spool.depth.entries:
            for entry in await spool.next(after):
                after[entry.lane] = entry.position
                seen += 1
        await spool.before(), await spool.ledger(), await spool.tend()
        assert spool.unaccounted == 0
        return seen
    await fill(5)
    await all_of_it()
    small = peak()
    await fill(PIECES)
    assert spool.depth.bytes > 2 * PIECE * PIECES
    seen = await all_of_it()
    spool.acknowledge(1, seen)
    await spool.trim()
    assert spool.depth.entries == 0
    print(peak() - small)

asyncio.run(main())
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_spool(tmp_path: Path) -> None:
    """200 MB that are appended, read, counted and forgotten take no more of it than 5 MB."""
    done = subprocess.run(
        [sys.executable, "-c", LARGE, str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 20, "MiB"
