"""The hub acknowledges only what is on disk: killed at every step between receipt and acknowledgement.

Whatever was acknowledged is there after it comes back; what was not is taken again, each once.
"""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
import pytest

from socme.batch import Packed, unpack
from socme.journal import Draft, Entry, Journal
from tests.conftest import REPOSITORY
from tests.zeus_hub.batches import EPOCH
from tests.zeus_hub.killed import BATCHES, batches
from tests.zeus_hub.kit import LIMIT, Link, Machine, connect, hub
from zeus_hub.accounts import Account
from zeus_hub.envelope import given_up
from zeus_hub.journalist import Handed, Journalist

ORIGIN = "c/n1"


@pytest.mark.parametrize(
    "every", [pytest.param(40, id="some"), pytest.param(1, id="all", marks=pytest.mark.slow)]
)
def test_what_was_acknowledged_is_on_disk_at_whatever_step_the_hub_dies(tmp_path: Path, every: int) -> None:
    told = _run("wire", tmp_path, every)
    killed = [line for line in told if line["killed"]]

    assert len(killed) * every > 200, "so many steps there are at least"
    assert not told[-1]["killed"]
    assert told[-1]["acked"] == BATCHES
    assert {line["acked"] for line in killed} >= ({0, BATCHES} if every == 1 else {0})
    for line in told:
        _judge(tmp_path / f"{line['step']}.db", line["acked"])


def _judge(path: Path, acked: int) -> None:
    """Check what a killed hub left behind, then let the node send everything again."""
    assert acked <= len(_entries(path))
    journalist = Journalist(path, 10**9)
    before = len(_entries(path))
    marks = journalist.marks(ORIGIN, EPOCH)
    assert (marks[1].sequence if marks else 0) == before
    assert journalist.accounts() == ({ORIGIN: Account(taken=before)} if before else {})
    journalist.commit([_handed(index) for index in range(BATCHES)], 0)
    journalist.close()
    entries = _entries(path)

    assert [entry.sequence for entry in entries] == list(range(1, BATCHES + 1))
    assert [unpack(entry.packed)[0].message for entry in entries] == ["alert 1", "alert 2"]


def _handed(index: int) -> Handed:
    batch = batches()[index].batch
    packed = Packed(batch.payload, batch.encoding, batch.alerts, batch.decoded_bytes)
    draft = Draft(ORIGIN, batch.lane, batch.sequence, packed)
    return Handed(draft, EPOCH, lambda lane, sequence: None, before=index, given_up=given_up(batch))


@pytest.mark.slow
async def test_a_whole_hub_that_dies_at_any_step_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        node = await zeus.node("c", "n1")
    with _hub(tmp_path, 0) as process:
        acked, steps = await _send(process, node, 1)
    assert acked == BATCHES
    _forget_journal(tmp_path)
    killed = 0
    for step in range(1, steps, max(1, steps // 8)):
        with _hub(tmp_path, step) as process:
            acked, _ = await _send(process, node, 1)
        killed += process.returncode == -signal.SIGKILL
        found = [entry.sequence for entry in _entries(tmp_path / "journal.db")]
        assert found == list(range(1, len(found) + 1))
        assert acked <= len(found)
        with _hub(tmp_path, 0) as process:
            assert (await _send(process, node, len(found) + 1))[0] == BATCHES
        assert [entry.sequence for entry in _entries(tmp_path / "journal.db")] == [1, 2]
        _forget_journal(tmp_path)
    assert killed >= 4, "most of them are"


def test_the_journal_waits_for_the_disk_at_each_commit(tmp_path: Path) -> None:
    journalist = Journalist(tmp_path / "journal.db", 10**9)
    db = journalist._journal._db

    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    journalist.close()


def _run(mode: str, folder: Path, number: int) -> list[dict[str, int]]:
    command = [sys.executable, "-m", "tests.zeus_hub.killed", mode, str(folder), str(number)]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True, timeout=110)
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def _hub(state_dir: Path, step: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tests.zeus_hub.killed", "hub", str(state_dir), str(step)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE)
    try:
        yield process
        if step:
            # How many steps there are depends on the time: the last may come after all is done.
            assert process.wait(LIMIT) in {-signal.SIGKILL, -signal.SIGTERM}
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def _send(process: subprocess.Popen[bytes], node: Machine, first: int) -> tuple[int, int]:
    """Send batches from `first` on; return what was acknowledged, and the steps that the hub took."""
    assert process.stdout is not None
    loop = asyncio.get_running_loop()
    address = json.loads(await loop.run_in_executor(None, process.stdout.readline))["address"]
    async with connect(address, node) as channel:
        link = Link(channel)
        await link.greet()
        acked = max((mark.sequence for mark in link.welcome.marks), default=0)
        assert acked >= first - 1
        try:
            for batch in batches()[acked:]:
                await link.send(batch)
            while acked < BATCHES:
                acked = (await link.read()).ack.sequence
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError, AssertionError):
            return max(link.acked.get(1, 0), acked), 0
    process.terminate()
    lines = (await loop.run_in_executor(None, process.stdout.read)).splitlines()
    return acked, max(json.loads(line)["steps"] for line in lines) if lines else 0


def _entries(path: Path) -> list[Entry]:
    with closing(Journal(path)) as journal:
        return journal.read(0, entries=100, size=10**9)


def _forget_journal(state_dir: Path) -> None:
    for path in state_dir.glob("journal.db*"):
        path.unlink()
