"""Adds the alerts that were stored before their words were indexed, a little at a time, the newest first.

Only on SQLite, and only once: PostgreSQL makes an index of what is there when it is brought up to date. Until
it is done, those alerts are found all the same: a search looks at each of them (fts.py).
"""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from socme import logs
from zeus_hub import database, fts, sqlite
from zeus_hub.database import reading, writing

LOG = logging.getLogger("zeus.backfill")

PIECE = 1000  # alerts in one transaction: some 15 ms
REST = 2  # times as long as that others have their turn
LEAST_REST = 0.01  # seconds
AGAIN_SECONDS = 60.0  # after trouble


class Backfill:
    """Lives on the event loop, with a thread for what blocks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def run(self) -> None:
        """Add all that is missing; return when nothing is."""
        if self._engine.dialect.name != sqlite.DIALECT:
            return
        told = False
        with ThreadPoolExecutor(1, "backfill") as thread:
            while True:
                try:
                    await self._all(thread)
                except SQLAlchemyError as error:
                    if not told:
                        why = database.reason(error)
                        logs.event(LOG, logging.ERROR, "words of older alerts cannot be indexed", reason=why)
                    told = True
                    await asyncio.sleep(AGAIN_SECONDS)
                else:
                    return

    async def _all(self, thread: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        found = left = await loop.run_in_executor(thread, missing, self._engine)
        while left:
            begun = time.monotonic()
            left = await loop.run_in_executor(thread, step, self._engine)
            await asyncio.sleep(max(LEAST_REST, REST * (time.monotonic() - begun)))
        if found:
            logs.event(LOG, logging.INFO, "words of older alerts are indexed", alerts=found)


def missing(engine: Engine) -> int:
    """Return up to which number alerts are missing; 0 for none. Blocks on the database."""
    with reading(engine) as connection:
        return fts.rest(connection)


def step(engine: Engine) -> int:
    """Add some of them; return what is missing then. Blocks on the database."""
    with writing(engine) as connection:
        return fts.step(connection, PIECE)
