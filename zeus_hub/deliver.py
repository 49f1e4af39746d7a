"""One loop per sink: read from its position in the journal, decode, send; the only place that retries.

A sink that is down holds up nobody else: it falls behind in the journal, which keeps what it has not
read yet.
"""

import asyncio
import logging
import random
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from socme import logs
from socme.backoff import delays
from socme.journal import Entry, Journal
from socme.v1.watch_pb2 import StoredAlert
from zeus_hub.enrich import Arrival, enrich
from zeus_hub.sinks.contract import Sink, SinkDownError

LOG = logging.getLogger("zeus.deliver")

MOST_ENTRIES = 256  # read at once; few enough that a sink's transaction stays short
MOST_BYTES = 4 * 1024 * 1024  # compressed
MOST_DECODED = 16 * 1024 * 1024  # bytes decoded at once, or one entry
MOST_ALERTS = 10_000  # decoded at once, or one entry; an alert of 20 bytes takes 3 KiB of memory on its way
LONGEST_PAUSE = 30.0  # seconds between two attempts at a sink that is down
CHECK_SECONDS = 5.0  # how long to sleep at most where nobody wakes the loop
GATHER_SECONDS = (
    0.1  # between the beginnings of two steps: a transaction costs as much for one alert as for ten
)
MANY_ALERTS = 1000  # of one step, behind which the next one begins at once

Canaries = Callable[[str, int, Sequence[StoredAlert]], None]


@dataclass(frozen=True, slots=True)
class Piece:
    """What is delivered in one step: as many entries as may be in memory at once."""

    entries: Sequence[Entry]
    batches: Sequence[object]
    """Of each entry what the sink made of it, or Unreadable."""
    canaries: Sequence[tuple[int, Sequence[StoredAlert]]]
    """Positions and the canaries there, where there are any."""

    @property
    def many(self) -> bool:
        """Whether it is so much that there may be more."""
        return _are_many(self.entries)


class Delivery:
    """The way of alerts to one sink. `position` is what the journal may forget up to.

    `canaries` is told, on the event loop, which canaries got as far as behind the sink: its name, the
    position of their batch in the journal, and themselves. A batch that is sent again is told again.
    """

    def __init__(self, sink: Sink[Any], journal: Path, canaries: Canaries) -> None:
        self.name = sink.name
        self.position = sink.position()
        self.problem = ""
        """Why the sink cannot be reached now; empty when all is well."""
        self._sink = sink
        self._path = journal
        self._canaries = canaries
        self._fresh = asyncio.Event()
        self._ahead: asyncio.Future[Piece] | None = None  # what lies behind `position`

    def wake(self) -> None:
        """Say that the journal has grown."""
        self._fresh.set()

    async def run(self) -> None:
        """Deliver for ever."""
        loop = asyncio.get_running_loop()
        with (
            ThreadPoolExecutor(1, f"read-{self.name}") as reader,
            ThreadPoolExecutor(1, f"deliver-{self.name}") as sender,
        ):
            journal = await loop.run_in_executor(reader, Journal, self._path)

            def read(after: int) -> asyncio.Future[Piece]:
                return loop.run_in_executor(reader, self._read, journal, after)

            def send(piece: Piece) -> asyncio.Future[None]:
                return loop.run_in_executor(sender, self._sink.send, piece.batches)

            try:
                while True:
                    self._fresh.clear()
                    begun = loop.time()
                    sent = await self._persist(lambda: self._step(read, send))
                    if sent is None:
                        await _wait(self._fresh)
                        continue
                    for position, canaries in sent.canaries:
                        self._canaries(self.name, position, canaries)
                    if not sent.many:
                        await asyncio.sleep(begun + GATHER_SECONDS - loop.time())
            finally:
                # The steps that may still run in the threads end before these do.
                reader.submit(journal.close)
                sender.submit(self._sink.close)

    async def _step(
        self, read: Callable[[int], asyncio.Future[Piece]], send: Callable[[Piece], asyncio.Future[None]]
    ) -> Piece | None:
        """Deliver one piece; return None where there was nothing. The next one is prepared meanwhile."""
        ahead, self._ahead = self._ahead, None
        piece = await ahead if ahead else None
        if piece is None or not piece.entries:  # there may be something by now
            piece = await read(self.position)
        if not piece.entries:
            return None
        last = piece.entries[-1].position
        ahead = read(last) if piece.many else None
        try:
            await send(piece)
        except BaseException:
            if ahead is not None:
                ahead.cancel()
            raise
        self.position, self._ahead = last, ahead
        return piece

    def _read(self, journal: Journal, after: int) -> Piece:
        """Read, decode and prepare what lies behind a position, in the reader's thread."""
        entries = _prefix(journal.read(after, entries=MOST_ENTRIES, size=MOST_BYTES))
        batches: list[object] = []
        canaries: list[tuple[int, Sequence[StoredAlert]]] = []
        for entry in entries:
            batch = enrich(entry)
            if isinstance(batch, Arrival):
                batches.append(self._sink.prepare(batch))
                if batch.canaries:
                    canaries.append((entry.position, batch.canaries))
            else:
                batches.append(batch)
        return Piece(entries, batches, canaries)

    async def _persist(self, step: Callable[[], Awaitable[Piece | None]]) -> Piece | None:
        """Try a step until it works."""
        pauses = delays(random.Random(), longest=LONGEST_PAUSE)  # noqa: S311 - spreads load, guards nothing
        while True:
            try:
                done = await step()
            except (SinkDownError, sqlite3.Error) as error:
                if str(error) != self.problem:
                    self.problem = str(error)
                    logs.event(LOG, logging.ERROR, "sink is down", sink=self.name, reason=self.problem)
                await asyncio.sleep(next(pauses))
                continue
            if self.problem:
                self.problem = ""
                logs.event(LOG, logging.INFO, "sink is back", sink=self.name)
            return done


def _are_many(entries: Sequence[Entry]) -> bool:
    """Tell whether so much was read at once that there may be more."""
    alerts = sum(each.packed.alerts for each in entries)
    size = sum(len(each.packed.payload) for each in entries)
    decoded = sum(each.packed.decoded_bytes for each in entries)
    bounds = (MOST_ENTRIES, MANY_ALERTS, MOST_BYTES // 2, MOST_DECODED // 2)
    return any(
        part >= bound for part, bound in zip((len(entries), alerts, size, decoded), bounds, strict=True)
    )


def _prefix(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Return as many entries as may be decoded at once."""
    size = alerts = 0
    for index, entry in enumerate(entries):
        size += entry.packed.decoded_bytes
        alerts += entry.packed.alerts
        if index and (size > MOST_DECODED or alerts > MOST_ALERTS):
            return entries[:index]
    return entries


async def _wait(fresh: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await fresh.wait()
    except TimeoutError:
        return
