"""What the hub holds of one stream, and what it tells the node, without a network."""

# ruff: noqa: D102 - names say it, as for functions

import asyncio
from datetime import UTC, datetime
from typing import cast

import pytest

from socme.spiffe import Role
from socme.v1.uplink_pb2 import HubMessage, Lane, Refusal
from tests.zeus_hub.kit import eventually
from zeus_hub import link as link_module
from zeus_hub import pace
from zeus_hub.authorise import Context, Stream
from zeus_hub.link import Farewell, Link
from zeus_hub.pace import FULL, Window
from zeus_hub.registry import Holder

HOLDER = Holder(b"f", Role.NODE, "n1", "acme", frozenset(), datetime.now(UTC), False, True)  # noqa: FBT003


class Wire:
    """The hub's side of a stream; it takes what is written, while `open` is set."""

    def __init__(self) -> None:
        self.written: list[HubMessage] = []
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, message: HubMessage) -> None:
        await self.open.wait()
        self.written.append(message)

    def acks(self) -> list[tuple[int, int]]:
        return [(each.ack.lane, each.ack.sequence) for each in self.written if each.HasField("ack")]


def _link(wire: Wire) -> Link:
    return Link(Stream(HOLDER, polite=True), cast("Context", wire), ("acme", "n1"), b"e" * 16, FULL)


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _acknowledged(wire: Wire, sequence: int) -> None:
    await eventually(lambda: wire.acks()[-1:] == [(1, sequence)])


async def test_what_is_on_disk_is_acknowledged_once_for_many() -> None:
    wire = Wire()
    link = _link(wire)
    wire.open.clear()
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(_for_ever())
        task = group.create_task(link.tell(reader, Farewell()))
        for sequence in range(1, 21):
            await link.take(10)
            link.committed(1, sequence, 10)
            await asyncio.sleep(0)
        wire.open.set()
        await eventually(lambda: wire.acks()[-1:] == [(1, 20)])
        task.cancel()
        reader.cancel()

    assert len(wire.acks()) <= 3, "while one is being written, the others become one"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let acknowledgements wait for each other without end."""
    monkeypatch.setattr(link_module, "GATHER_SECONDS", 1000.0)


@pytest.mark.usefixtures("patient")
async def test_the_first_is_acknowledged_at_once_and_the_next_with_an_eighth_of_the_window() -> None:
    wire = Wire()
    link = _link(wire)
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(_for_ever())
        task = group.create_task(link.tell(reader, Farewell()))
        link.committed(1, 1, 0)
        await eventually(lambda: wire.acks() == [(1, 1)])
        for sequence in range(2, 9):
            link.committed(1, sequence, 0)
            await asyncio.sleep(0.001)
        assert wire.acks() == [(1, 1)]
        link.committed(2, 1, 0)
        await eventually(lambda: wire.acks() == [(1, 1), (1, 8), (2, 1)])
        task.cancel()
        reader.cancel()


async def test_what_no_other_comes_behind_is_acknowledged_soon() -> None:
    wire = Wire()
    link = _link(wire)
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(_for_ever())
        task = group.create_task(link.tell(reader, Farewell()))
        for sequence in (1, 2):
            link.committed(1, sequence, 0)
            await _acknowledged(wire, sequence)
        task.cancel()
        reader.cancel()


@pytest.mark.usefixtures("patient")
async def test_a_pace_waits_for_nothing_and_takes_what_is_on_disk_along() -> None:
    wire = Wire()
    link = _link(wire)
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(_for_ever())
        task = group.create_task(link.tell(reader, Farewell()))
        link.committed(1, 1, 0)
        await eventually(lambda: wire.acks() == [(1, 1)])
        link.committed(1, 2, 0)
        link.go_at(Window(0, 0, "full"))
        await eventually(lambda: wire.written[-1].HasField("pace"))
        task.cancel()
        reader.cancel()

    assert wire.acks() == [(1, 1), (1, 2)]


async def test_no_more_is_held_of_a_node_than_its_window_by_count_and_by_bytes() -> None:
    for size, most in ((1, FULL.batches), (FULL.bytes // 4, 4)):
        link = _link(Wire())
        for _ in range(most):
            await link.take(size)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(link.take(size))
            await asyncio.sleep(0.01)
            assert not waiting.done()
            link.committed(1, 1, size)


async def test_a_node_that_says_its_last_is_told_everything_first() -> None:
    wire = Wire()
    link = _link(wire)
    await link.take(1)
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(asyncio.sleep(0))
        told = group.create_task(link.tell(reader, Farewell()))
        await eventually(reader.done)
        assert not told.done()
        link.committed(1, 7, 1)

    assert wire.acks() == [(1, 7)]


async def test_a_refusal_comes_behind_everything_that_was_taken() -> None:
    wire = Wire()
    link = _link(wire)
    await link.take(1)
    link.refusal = Refusal(lane=Lane.LANE_NORMAL, sequence=2, reason="too large")
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(asyncio.sleep(0))
        group.create_task(link.tell(reader, Farewell()))
        await eventually(reader.done)
        assert not wire.written
        link.committed(1, 1, 1)

    assert [message.WhichOneof("message") for message in wire.written] == ["ack", "refusal"]


async def test_a_pace_is_told_when_it_changes_and_only_the_last_one() -> None:
    wire = Wire()
    link = _link(wire)
    stop = Window(0, 0, "full")
    wire.open.clear()
    async with asyncio.TaskGroup() as group:
        reader = group.create_task(_for_ever())
        task = group.create_task(link.tell(reader, Farewell()))
        link.go_at(FULL)
        link.go_at(Window(4, 100, "busy"))
        link.go_at(stop)
        wire.open.set()
        await eventually(lambda: bool(wire.written))
        link.go_at(stop)
        link.go_at(FULL)
        await eventually(lambda: len(wire.written) == 2)
        task.cancel()
        reader.cancel()

    assert [(each.pace.window_batches, each.pace.reason) for each in wire.written] == [
        (0, "full"),
        (FULL.batches, ""),
    ]


async def test_nodes_are_sent_away_one_behind_the_other() -> None:
    farewell, told = Farewell(), []
    for _ in range(200):
        wire = Wire()
        link = _link(wire)
        link.stream.leaving = True
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(asyncio.sleep(0))
            await link.tell(reader, farewell)
        told.append(wire.written[-1].going_away)

    assert [each.retry_after_seconds for each in told] == sorted(each.retry_after_seconds for each in told)
    assert told[-1].retry_after_seconds == pytest.approx(pace.retry_after(199, 0.5), abs=0.5)
    assert {each.reason for each in told} == {"restart"}


def test_a_link_that_is_over_wants_nothing() -> None:
    link = _link(Wire())
    assert link.origin == "acme/n1"
    assert link.wanted()
    link.over = True
    assert not link.wanted()
