"""An uplink that runs within a test, with a spool of its own, against whatever the test listens with."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from artemis_agent import uplink
from artemis_agent.link import Link
from artemis_agent.spool import Progress, Spool, Waiting
from artemis_agent.uplink import Uplink
from socme.identity import Identity
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Lane
from socme.v1.vitals_pb2 import Vitals
from tests.artemis_agent.hub import LIMIT
from tests.certificates import Authority


@dataclass
class Line:
    """A running uplink."""

    link: Link = field(default_factory=Link)
    buried: list[tuple[str, str]] = field(default_factory=list)
    """Message of each alert that was given up, and why."""


def at(authority: Authority, port: int) -> Identity:
    """Return a node's identity for a hub on loopback."""
    return authority.node(f"127.0.0.1:{port}")


async def spool_together(spool: Spool, *messages: str, lane: int = Lane.LANE_NORMAL) -> None:
    """Spool one batch of alerts with these messages."""
    alerts = [Waiting(Alert(message=message).SerializeToString(), lane) for message in messages]
    await spool.append(Progress(source="s", position=b"p", counters=b"", alerts=alerts))


async def spool_batches(spool: Spool, *messages: str, lane: int = Lane.LANE_NORMAL) -> None:
    """Spool one batch for each message."""
    for message in messages:
        await spool_together(spool, message, lane=lane)


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until something in this process holds."""
    try:
        async with asyncio.timeout(LIMIT):
            while not condition():  # noqa: ASYNC110 - conditions on plain attributes
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not within {LIMIT} s: {what}") from None


@asynccontextmanager
async def running(
    spool: Spool,
    identity: Identity,
    *,
    interval: float = 60.0,
    addresses: tuple[str, ...] = (),
    credentials: Callable[[], Awaitable[tuple[tuple[str, ...], Identity]]] | None = None,
    told_since: Callable[[int], Awaitable[tuple[int, Sequence[bytes]]]] | None = None,
) -> AsyncIterator[Line]:
    """Run an uplink (and the spool's trimming) for a while."""
    line = Line()

    async def own() -> tuple[tuple[str, ...], Identity]:
        return addresses or (identity.hub_address,), identity

    async def measure() -> Vitals:
        return Vitals(hostname="node")

    async def bury(payload: bytes, reason: str) -> None:
        line.buried.append((Alert.FromString(payload).message, reason))

    made = Uplink(
        spool=spool,
        link=line.link,
        credentials=credentials or own,
        vitals=measure,
        interval_seconds=interval,
        bury=bury,
        told_since=told_since,
    )
    with suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as tasks:
            started = [
                tasks.create_task(uplink.serve(made, random.Random(1))),
                tasks.create_task(spool.run_trim()),
            ]
            yield line
            for task in started:
                task.cancel()
