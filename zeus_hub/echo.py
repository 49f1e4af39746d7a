"""Looks for canaries where watchers would see alerts: at the places in the journal that a sink named.

So the live stream is proved for one batch a canary, and not decoded in vain for all others.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from socme.v1.watch_pb2 import StoredAlert
from zeus_hub.canary import LIVE, sink_stage
from zeus_hub.live import Live
from zeus_hub.lookout import Lookout

POSITIONS = 256  # places that wait to be looked at; the newest ones


class Echo:
    """Lives on the event loop."""

    def __init__(self, lookout: Lookout, live: Live) -> None:
        self._lookout = lookout
        self._live = live
        self._places: deque[int] = deque(maxlen=POSITIONS)
        self._fresh = asyncio.Event()

    def sunk(self, sink: str, position: int, canaries: Sequence[StoredAlert]) -> None:
        """Take note of canaries that got as far as behind a sink, and of where they lie in the journal."""
        for stored in canaries:
            self._arrived(sink_stage(sink), stored)
        if position not in self._places:
            self._places.append(position)
        self._fresh.set()

    async def run(self) -> None:
        """Look for canaries in the live stream for ever."""
        while True:
            await self._fresh.wait()
            self._fresh.clear()
            while self._places:
                position = self._places.popleft()
                known = position <= self._live.last
                page = await self._live.page(position, with_raw=False) if known else None
                for shown in page or ():
                    if shown.canary is not None:
                        self._arrived(LIVE, shown.canary)

    def _arrived(self, stage: str, stored: StoredAlert) -> None:
        clocks = self._lookout.clocks
        self._lookout.tracker.arrived(
            stage,
            stored,
            at=clocks.monotonic(),
            now=clocks.wall(),
            skew_seconds=self._lookout.skew_seconds((stored.client, stored.node)),
        )
