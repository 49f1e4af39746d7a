"""What a node sends again is shown once: stored already, not stored yet, in one batch, after a restart."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
import pytest

from socme.v1.watch_pb2 import WatchEvent, WatchRequest
from socme.v1.watch_pb2_grpc import WatchStub
from tests.zeus_hub import kit
from tests.zeus_hub.kit import LIMIT, Hub, alert, connect, eventually, hub, linked
from zeus_hub import repeats

pytestmark = pytest.mark.usefixtures("both")

Call = grpc.aio.UnaryStreamCall[WatchRequest, WatchEvent]


class Screen:
    """Somebody who watches, and notes by their numbers which alerts came."""

    def __init__(self, channel: grpc.aio.Channel, cursor: bytes = b"") -> None:
        self._call: Call = WatchStub(channel).Alerts(WatchRequest(cursor=cursor))
        self.cursor = cursor

    @classmethod
    async def opened(cls, channel: grpc.aio.Channel) -> "Screen":
        """Return one that sees whatever is committed from now on."""
        screen = cls(channel)
        async with asyncio.timeout(LIMIT):
            event = await screen._call.read()
        assert isinstance(event, WatchEvent)
        assert event.HasField("snapshot")
        return screen

    async def until(self, last: int) -> list[int]:
        """Return the numbers of the alerts up to one."""
        seen: list[int] = []
        while not seen or seen[-1] != last:
            async with asyncio.timeout(LIMIT):
                event = await self._call.read()
            assert isinstance(event, WatchEvent)
            self.cursor = event.cursor
            own = [each.alert for each in event.alerts.alerts if not each.alert.HasField("condition")]
            seen += [int(alert.rule.id) for alert in own]
        return seen


@contextmanager
def store_held(zeus: Hub) -> Iterator[None]:
    """Let somebody else write to the database, so that the store cannot."""
    with closing(sqlite3.connect(zeus.settings.state_dir / "zeus.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


async def send(zeus: Hub, node: kit.Machine, epoch: bytes, *batches: list[int]) -> None:
    """Send batches in one life of a spool."""
    async with linked(zeus.address, node, epoch * 16) as link:
        for sequence, numbers in enumerate(batches, start=1):
            await link.batch(sequence, [alert(number) for number in numbers])
        await link.until_acked(len(batches))


async def test_what_is_stored_already_is_not_shown_again(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        node, other = await zeus.node(), await zeus.node("beta", "b-1")
        async with connect(zeus.address, zeus.operator()) as channel:
            screen = await Screen.opened(channel)
            await send(zeus, node, b"a", [1, 2], [3])
            assert await screen.until(3) == [1, 2, 3]
            await eventually(lambda: len(zeus.stored()) >= 3)
            await send(zeus, node, b"b", [1, 4, 3])
            await send(zeus, other, b"c", [1, 5])

            assert await screen.until(5) == [4, 1, 5], "another node's alert of this id is another alert"


async def test_nor_what_the_store_has_not_reached(tmp_path: Path) -> None:
    """Nobody waits for it: what is new is shown meanwhile."""
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        async with connect(zeus.address, zeus.operator()) as channel:
            screen = await Screen.opened(channel)
            await send(zeus, node, b"a", [1])
            await screen.until(1)
            with store_held(zeus):
                await send(zeus, node, b"b", [2, 3], [3, 4, 2], [1, 5, 5])
                assert await screen.until(5) == [2, 3, 4, 5]
                await send(zeus, node, b"c", [4, 6])
                assert await screen.until(6) == [6]


async def test_nor_after_a_restart_to_whoever_resumes(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        async with connect(zeus.address, zeus.operator()) as channel:
            screen = await Screen.opened(channel)
            await send(zeus, node, b"a", [1, 2])
            await screen.until(2)
            await send(zeus, node, b"b", [2, 3])
            await eventually(lambda: len(zeus.stored()) >= 3)
    async with hub(tmp_path) as zeus, connect(zeus.address, zeus.operator()) as channel:
        with store_held(zeus):
            await send(zeus, node, b"c", [3, 4], [4, 5])
            assert await Screen(channel, screen.cursor).until(5) == [3, 4, 5]


async def test_what_is_remembered_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the oldest may be shown again; nothing is left out."""
    monkeypatch.setattr(repeats, "MOST_REMEMBERED", 3)
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        async with connect(zeus.address, zeus.operator()) as channel:
            screen = await Screen.opened(channel)
            await send(zeus, node, b"a", [1])
            await screen.until(1)
            with store_held(zeus):
                await send(zeus, node, b"b", [2, 3], [4, 5], [2, 3, 4, 5, 6])
                shown = await screen.until(6)

    assert shown[:4] == [2, 3, 4, 5]
    assert 5 not in shown[4:]
