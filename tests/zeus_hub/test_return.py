"""Many nodes at once over real mTLS: a hub that stops sends each away to come back at a time of its own."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from socme.v1.uplink_pb2 import GoingAway
from tests.zeus_hub.kit import Link, Machine, alert, connect, give, hub
from zeus_hub import hub as wiring
from zeus_hub.pace import RETRY_SECONDS, RETURNS_A_SECOND

NODES = 250


@pytest.mark.slow
async def test_nodes_that_a_stopping_hub_sends_away_come_back_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "GOODBYE_SECONDS", 10.0)  # all are in this process: they share its time
    async with AsyncExitStack() as stack:
        async with hub(tmp_path) as zeus:
            machines = [await zeus.node("acme", f"n{number}") for number in range(NODES)]
            links = [await _link(stack, zeus.address, machine) for machine in machines]
        told = [await _farewell(link) for link in links]
    seconds = Counter(int(each.retry_after_seconds) for each in told)

    assert {each.reason for each in told} == {"restart"}
    assert min(each.retry_after_seconds for each in told) >= RETRY_SECONDS
    assert max(seconds.values()) <= RETURNS_A_SECOND + 1
    assert len(seconds) >= NODES // RETURNS_A_SECOND


@pytest.mark.slow
async def test_nodes_that_come_back_all_at_once_are_all_served(tmp_path: Path) -> None:
    """They were cut off and heard no goodbye: nothing keeps them apart but their own jitter."""

    async def serve(number: int, machine: Machine) -> None:
        await give(zeus, machine, [alert(number)])

    async with hub(tmp_path) as zeus:
        machines = [await zeus.node("acme", f"n{number}") for number in range(NODES)]
        async with asyncio.TaskGroup() as group:
            for number, machine in enumerate(machines):
                group.create_task(serve(number, machine))


async def _link(stack: AsyncExitStack, address: str, machine: Machine) -> Link:
    link = Link(await stack.enter_async_context(connect(address, machine)))
    await link.greet()
    return link


async def _farewell(link: Link) -> GoingAway:
    while True:
        message = await link.read()
        if message.HasField("going_away"):
            return message.going_away
