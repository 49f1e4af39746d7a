"""A full disk at the hub: it says so, nodes keep what they have, and everything drains when there is room."""

import os
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from socme.journal import Journal
from tests.disk import fill, small_disk
from tests.zeus_hub.batches import handed
from tests.zeus_hub.kit import Machine, alert, connect, eventually, hub, linked
from zeus_hub import journalist
from zeus_hub.accounts import Account
from zeus_hub.journalist import Journalist, NoRoomError

MIB = 1024 * 1024
RESERVE = 4 * MIB


async def test_a_full_disk_pauses_ingest_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journalist, "RESERVE_BYTES", RESERVE)
    with small_disk(tmp_path / "small", 24 * MIB) as folder:
        async with hub(folder) as zeus:
            node = await zeus.node()
            async with linked(zeus.address, node) as link:
                await link.batch(1, [alert(1)])
                await link.until_acked(1)
                other = fill(folder, but=RESERVE - MIB)
                await link.batch(2, [alert(2)])
                stop = (await link.read()).pace
                assert stop.window_batches == 0
                assert "of its disk are free" in stop.reason
                await _health(zeus.address, node, health_pb2.HealthCheckResponse.NOT_SERVING)
                assert 2 not in _sequences(zeus.journal)
                other.unlink()
                kinds = {(await link.read()).WhichOneof("message") for _ in range(2)}
                assert kinds == {"ack", "pace"}
                await link.batch(3, [alert(3)])
                await link.until_acked(3)
                await _health(zeus.address, node, health_pb2.HealthCheckResponse.SERVING)
            await eventually(lambda: len(zeus.stored()) == 3)


async def test_a_disk_that_is_full_to_its_last_byte_harms_nothing_and_drains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reserve is gone as well: SQLite itself fails, in the middle of a transaction."""
    monkeypatch.setattr(journalist, "RESERVE_BYTES", 0)
    big = [alert(number, url=os.urandom(200_000).hex()) for number in range(1, 31)]
    with small_disk(tmp_path / "small", 16 * MIB) as folder:
        async with hub(folder) as zeus, linked(zeus.address, await zeus.node()) as link:
            await link.batch(1, big[:1])
            await link.until_acked(1)
            other = fill(folder, but=64 * 1024)
            for sequence, each in enumerate(big[1:5], start=2):
                await link.batch(sequence, [each])
            assert (await link.read()).pace.window_batches == 0
            assert _sequences(zeus.journal) == [1]
            other.unlink()
            while link.acked.get(1, 0) < 5:
                message = await link.read()
                if message.HasField("ack"):
                    link.acked[1] = message.ack.sequence
            await eventually(lambda: len(zeus.stored()) == 5)


async def test_a_hub_starts_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nobody would hear from it what is wrong, nodes least of all."""
    monkeypatch.setattr(journalist, "RESERVE_BYTES", RESERVE)
    with small_disk(tmp_path / "small", 24 * MIB) as folder:
        async with hub(folder) as zeus, linked(zeus.address, node := await zeus.node()) as link:
            await link.batch(1, [alert(1)])
            await link.until_acked(1)
            await eventually(lambda: len(zeus.stored()) == 1)
        other = fill(folder, but=0)
        async with hub(folder) as zeus:
            async with linked(zeus.address, node) as link:
                await link.batch(2, [alert(2)])
                while (told := await link.read()).pace.reason == "":
                    pass
                assert "of its disk are free" in told.pace.reason
                other.unlink()
                await link.until_acked(2)
            await eventually(lambda: len(zeus.stored()) == 2)
            await eventually(lambda: zeus.address in (folder / "hub.json").read_text())


def test_there_is_always_room_to_forget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What every sink has is kept for watchers no longer; then the journal goes on in its place."""
    monkeypatch.setattr(journalist, "RESERVE_BYTES", RESERVE)
    with small_disk(tmp_path / "small", 24 * MIB) as folder:
        path = folder / "journal.db"
        made = Journalist(path, 10**9)
        taken = _fill_up(made)
        assert taken > 10
        fill(folder, but=MIB)
        for again in range(3):
            number = taken + 1 + again
            made.commit([handed(number, payload=os.urandom(200_000))], needed=taken)
        assert made.accounts()["acme/acme-1"] == Account(taken=taken + 3)
        made.close()
        assert _sequences(path)[-3:] == [taken + 1, taken + 2, taken + 3]


def _fill_up(made: Journalist) -> int:
    """Commit until the disk is full; return how many batches that took."""
    for sequence in range(1, 1000):
        try:
            made.commit([handed(sequence, payload=os.urandom(200_000))], needed=0)
        except NoRoomError:
            return sequence - 1
    raise AssertionError("it never was")


async def _health(address: str, machine: Machine, status: int) -> None:
    """Wait until the health service says something."""
    async with connect(address, machine) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(service="socme.v1.Uplink"), timeout=10
        )
        while True:
            answer = await watch.read()
            assert answer is not grpc.aio.EOF
            if answer.status == status:
                watch.cancel()
                return


def _sequences(path: Path) -> list[int]:
    journal = Journal(path)
    found = [entry.sequence for entry in journal.read(0, entries=1000, size=10**9)]
    journal.close()
    return found
