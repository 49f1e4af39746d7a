"""A receiver of a strict TheHive, for tests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.zeus_hub.receivers.thehive.hive import KEY, Hive
from tests.zeus_hub.receivers.thehive.thehive_server import Fault, Server, serving
from zeus_hub.receivers.contract import DownError
from zeus_hub.receivers.thehive.receiver import TheHive
from zeus_hub.receivers.thehive.settings import TheHiveSettings

LIMIT = 20.0  # seconds for an answer; far more than one takes


def settings(url: str = "http://127.0.0.1:9", **changes: Any) -> TheHiveSettings:  # noqa: ANN401 - fields
    """Return settings of a receiver that may be in a hurry."""
    made = TheHiveSettings(
        url=url,
        key=KEY,
        organisations={"acme": "acme", "globex": "globex"},
        pause_seconds=0.0,
        limit_seconds=LIMIT,
    )
    return replace(made, **changes)


def of(hive: Hive) -> datetime:
    """Return what time it is by a TheHive."""
    return datetime.fromtimestamp(hive.now / 1000, UTC)


@asynccontextmanager
async def connected(
    hive: Hive | None = None,
    *,
    clock: Callable[[], float] = lambda: 0.0,
    **changes: Any,  # noqa: ANN401 - fields
) -> AsyncIterator[tuple[Server, TheHive]]:
    """Serve a TheHive, and connect a receiver to it."""
    async with serving(hive) as server:
        receiver = TheHive(settings(server.url, **changes), clock=clock, now=lambda: of(server.hive))
        try:
            yield server, receiver
        finally:
            await receiver.close()


async def outlasted(work: Awaitable[object], fault: Fault, patch: pytest.MonkeyPatch) -> DownError:
    """Return the error of what waits in vain, without waiting as long: the loop's clock is put forward."""

    async def failing() -> DownError:
        with pytest.raises(DownError) as caught:
            await work
        return caught.value

    loop = asyncio.get_running_loop()
    real = loop.time
    async with asyncio.TaskGroup() as group:
        task = group.create_task(failing())
        await fault.happened.wait()
        patch.setattr(loop, "time", lambda: real() + LIMIT)
    return task.result()
