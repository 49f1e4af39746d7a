"""One loop per receiver: take the next letter from the outbox, tell, note what came of it; the only retries.

A receiver that is down holds up nobody else: its letters wait, those of one group in one. What it refuses for
good is set aside for people. Letters go one after another, so those of a group come in order.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from socme import logs
from socme.backoff import delays
from zeus_hub import outbox
from zeus_hub.database import reading, writing
from zeus_hub.outbox import Letter
from zeus_hub.receivers.contract import DownError, Receipt, Receiver, RefusedError

LOG = logging.getLogger("zeus.postman")

SEND_SECONDS = 90.0  # for one letter; receivers have shorter limits of their own
LONGEST_PAUSE = 300.0  # seconds between two attempts at a receiver that is down
HOPELESS_PAUSE = 900.0  # and at one that people must mend first
CHECK_SECONDS = 5.0  # how long to sleep at most: commands write into the outbox as well

Result = TypeVar("Result")


class Postman:
    """The way to one receiver. Lives on the event loop; asks the database in `thread`."""

    def __init__(
        self,
        name: str,
        receiver: Receiver,
        engine: Engine,
        thread: Executor,
        *,
        clock: Callable[[], datetime],
        rng: random.Random | None = None,
    ) -> None:
        self.name = name
        self.problem = ""
        """Why the receiver cannot be told now; empty when all is well."""
        self._receiver = receiver
        self._engine = engine
        self._thread = thread
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - spreads attempts, guards nothing
        self._pauses = delays(self._rng, longest=LONGEST_PAUSE)
        self._fresh = asyncio.Event()

    def wake(self) -> None:
        """Say that there is something new in the outbox."""
        self._fresh.set()

    async def run(self) -> None:
        """Tell for ever."""
        try:
            while True:
                self._fresh.clear()
                try:
                    seconds = await self._step()
                except SQLAlchemyError as error:
                    self._trouble(f"the outbox cannot be used: {error.__cause__ or error}")
                    seconds = CHECK_SECONDS
                if seconds > 0:
                    await self._wait(min(seconds, CHECK_SECONDS))
        finally:
            await self._receiver.close()

    async def _step(self) -> float:
        """Tell what is due; return how many seconds there is nothing to do."""
        try:
            letter = await self._read(lambda connection: outbox.next_of(connection, self.name))
        except msgspec.MsgspecError:
            await self._skip()
            return 0.0
        if letter is None:
            return CHECK_SECONDS
        early = (letter.due - self._clock()).total_seconds()
        if early > 0:
            return early
        await self._deliver(letter)
        return 0.0

    async def _skip(self) -> None:
        """Set a letter aside that cannot be read: those behind it are well."""
        now, found = self._clock(), list[int]()

        def skip(connection: Connection) -> None:
            number = outbox.skip_unreadable(connection, self.name, now)
            found.extend([] if number is None else [number])

        await self._write(skip)
        logs.event(
            LOG, logging.ERROR, "a letter is damaged and was set aside", receiver=self.name, number=found
        )

    async def _deliver(self, letter: Letter) -> None:
        """Tell, and note what came of it."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                receipt = await self._receiver.send(letter.notice)
        except RefusedError as error:
            await self._refused(letter, str(error))
        except DownError as error:
            await self._down(letter, str(error), self._pause(error))
        except TimeoutError:
            await self._down(letter, f"no answer within {SEND_SECONDS:g} s", next(self._pauses))
        except Exception as error:  # a fault of ours in one receiver must not end the hub; it is told as that
            LOG.exception("fault in the receiver %s", self.name)
            await self._down(letter, f"a fault of SOCme's own: {type(error).__name__}", HOPELESS_PAUSE)
        else:
            await self._told(letter, receipt)

    async def _told(self, letter: Letter, receipt: Receipt) -> None:
        now = self._clock()
        await self._write(lambda connection: outbox.told(connection, letter, receipt, now))
        self._well()
        for warning in receipt.warnings:
            logs.event(LOG, logging.WARNING, "told in part", receiver=self.name, reason=warning)

    async def _down(self, letter: Letter, reason: str, pause: float) -> None:
        due = self._clock() + timedelta(seconds=pause)
        await self._write(lambda connection: outbox.postponed(connection, letter, reason, due))
        self._trouble(reason)

    async def _refused(self, letter: Letter, reason: str) -> None:
        now = self._clock()
        await self._write(lambda connection: outbox.refused(connection, letter, reason, now))
        logs.event(
            LOG,
            logging.ERROR,
            "refused for good, set aside",
            receiver=self.name,
            group=letter.notice.group,
            reason=reason,
        )
        self._well()

    def _pause(self, error: DownError) -> float:
        """Return for how many seconds to leave a receiver alone."""
        if error.misconfigured:
            return HOPELESS_PAUSE
        return max(next(self._pauses), min(error.retry_after or 0.0, HOPELESS_PAUSE))

    def _trouble(self, reason: str) -> None:
        """Say once what is wrong."""
        if reason != self.problem:
            self.problem = reason
            logs.event(LOG, logging.ERROR, "receiver is down", receiver=self.name, reason=reason)

    def _well(self) -> None:
        self._pauses = delays(self._rng, longest=LONGEST_PAUSE)
        if self.problem:
            self.problem = ""
            logs.event(LOG, logging.INFO, "receiver is back", receiver=self.name)

    async def _read(self, ask: Callable[[Connection], Result]) -> Result:
        def asked() -> Result:
            with reading(self._engine) as connection:
                return ask(connection)

        return await asyncio.get_running_loop().run_in_executor(self._thread, asked)

    async def _write(self, do: Callable[[Connection], None]) -> None:
        def done() -> None:
            with writing(self._engine) as connection:
                do(connection)

        # What the other side has taken must be noted even where the hub is stopped meanwhile.
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, done))

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._fresh.wait()
