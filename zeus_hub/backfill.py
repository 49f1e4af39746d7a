"""Adds alerts to the index of their words behind the store, a little at a time.

On SQLite only those that were stored before there was the index, the newest first; then it ends. On
PostgreSQL all of them, as they come. Whatever is not added yet is found all the same: a search looks at each.
"""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from socme import logs
from zeus_hub import database, fts, sqlite, tsvector
from zeus_hub.database import writing, writing_beside

LOG = logging.getLogger("zeus.backfill")

PIECE = 1000  # alerts in one transaction: some 15 ms, on PostgreSQL 150
REST = 2  # times as long as that others have their turn
LEAST_REST = 0.01  # seconds
IDLE_SECONDS = 1.0  # between two looks where there was nothing to add
AGAIN_SECONDS = 30.0  # after trouble


class Backfill:
    """Lives on the event loop, with a thread for what blocks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ends = engine.dialect.name == sqlite.DIALECT
        self._trouble = ""

    async def run(self) -> None:
        """Add what is missing: until nothing is, on SQLite, for ever on PostgreSQL."""
        with ThreadPoolExecutor(1, "backfill") as thread:
            while True:
                try:
                    await self.once(thread)
                except SQLAlchemyError as error:
                    self._tell(database.reason(error))
                    await asyncio.sleep(AGAIN_SECONDS)
                    continue
                self._tell("")
                if self._ends:
                    return
                await asyncio.sleep(IDLE_SECONDS)

    async def once(self, thread: ThreadPoolExecutor) -> None:
        """Add all that is missing now. May raise SQLAlchemyError."""
        loop = asyncio.get_running_loop()
        while True:
            begun = time.monotonic()
            if not await loop.run_in_executor(thread, step, self._engine):
                return
            await asyncio.sleep(max(LEAST_REST, REST * (time.monotonic() - begun)))

    def _tell(self, trouble: str) -> None:
        if trouble and not self._trouble:
            logs.event(LOG, logging.ERROR, "words of alerts cannot be indexed", reason=trouble)
        self._trouble = trouble


def step(engine: Engine) -> int:
    """Add some alerts; return how many at the most, 0 where none was missing. Blocks on the database."""
    if engine.dialect.name == sqlite.DIALECT:
        with writing(engine) as connection:
            return fts.step(connection, PIECE)
    with writing_beside(engine) as connection:
        return tsvector.step(connection, PIECE)
