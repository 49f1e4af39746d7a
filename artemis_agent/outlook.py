"""What the agent sees of its machine: it looks around all the time, and tells at once of what matters."""

import asyncio
from collections.abc import Sequence

from artemis_agent import vitals
from artemis_agent.probes.panel import Panel
from artemis_agent.probes.standing import standing
from artemis_agent.worker import Worker
from socme.v1.vitals_pb2 import SourceVitals, SpoolVitals, Vitals

LOOK_SECONDS = 5.0  # between two looks at the states of services and the like


class Outlook:
    """Asks the panel, in a thread of its own; lives on the event loop."""

    def __init__(self, panel: Panel, news: asyncio.Event) -> None:
        """`news` is set where the hub shall have the vitals now."""
        self._panel = panel
        self._news = news
        self._worker = Worker("panel")
        self._seen: Vitals | None = None
        self._stood: tuple[object, ...] | None = None

    async def run(self) -> None:
        """Look around, for ever."""
        while True:
            self._seen = await self._worker.do(self._panel.look)
            await asyncio.sleep(LOOK_SECONDS)

    async def vitals(self) -> Vitals:
        """Return what is known of the machine now, and measure what changes all the time."""
        found = await self._worker.do(self._panel.tell)
        vitals.stamp(found)
        return found

    def compare(self, sources: Sequence[SourceVitals], spool: SpoolVitals) -> None:
        """Take note of how sources and spool are as well; say so where something that matters has changed.

        The first time, too: what was told when the connection began may be older.
        """
        if self._seen is None:
            return
        all_of_it = Vitals()
        all_of_it.CopyFrom(self._seen)
        all_of_it.sources.extend(sources)
        all_of_it.spool.problem = spool.problem
        before, self._stood = self._stood, standing(all_of_it)
        if before != self._stood:
            self._news.set()

    def close(self) -> None:
        """Let go of the thread."""
        self._worker.close()
