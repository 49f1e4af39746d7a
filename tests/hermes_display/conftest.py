"""Fixtures for tests of the screen."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.hermes_display.watch_server import TestHub, hub_running


@pytest_asyncio.fixture
async def hub() -> AsyncIterator[TestHub]:
    """Give a hub that runs, with nothing to tell yet."""
    async with hub_running() as running:
        yield running
