"""One loop per receiver: take the next letter from its box, tell, note what came of it; the only retries.

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
from typing import Generic, Protocol, TypeVar

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


class Item(Protocol):
    """Something on its way to a receiver."""

    @property
    def due(self) -> datetime:
        """When it is to be told."""

    @property
    def about(self) -> str:
        """What it is about, for people; no secret, and nothing from an alert."""


Sent = TypeVar("Sent", bound=Item)


class Box(Protocol[Sent]):
    """Where letters wait until they are told or refused, as the module outbox; all within a transaction."""

    def next_of(self, connection: Connection, receiver: str, /) -> Sent | None:
        """Return what a receiver is to be told next, whenever that is due; None for nothing.

        Raise msgspec.MsgspecError for one that is damaged.
        """

    def skip_unreadable(self, connection: Connection, receiver: str, now: datetime, /) -> int | None:
        """Set the next letter aside if it cannot be read; return its number then."""

    def told(self, connection: Connection, letter: Sent, receipt: Receipt, now: datetime, /) -> None:
        """Note that a receiver has it."""

    def refused(self, connection: Connection, letter: Sent, reason: str, now: datetime, /) -> None:
        """Set it aside: the receiver will never take it."""

    def postponed(self, connection: Connection, letter: Sent, reason: str, due: datetime, /) -> None:
        """Note that it did not arrive, and when to try again."""


class Destination(Protocol[Sent]):
    """What takes letters; raises as Receiver does."""

    @property
    def box(self) -> Box[Sent]:
        """Where they wait for it."""

    async def send(self, letter: Sent, /) -> Receipt:
        """Tell."""

    async def close(self) -> None:
        """Let go of connections; the last call."""


class Notices:
    """A receiver, as the destination of letters from the outbox."""

    box: Box[Letter] = outbox

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def send(self, letter: Letter) -> Receipt:
        """Tell."""
        return await self._receiver.send(letter.notice)

    async def close(self) -> None:
        """Let go of connections."""
        await self._receiver.close()


class Postman(Generic[Sent]):
    """The way to one receiver. Lives on the event loop; asks the database in `thread`."""

    def __init__(
        self,
        name: str,
        destination: Destination[Sent],
        engine: Engine,
        thread: Executor,
        *,
        clock: Callable[[], datetime],
        rng: random.Random | None = None,
    ) -> None:
        self.name = name
        self.problem = ""
        """Why the receiver cannot be told now; empty when all is well."""
        self._destination = destination
        self._box = destination.box
        self._engine = engine
        self._thread = thread
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - spreads attempts, guards nothing
        self._pauses = delays(self._rng, longest=LONGEST_PAUSE)
        self._fresh = asyncio.Event()

    def wake(self) -> None:
        """Say that there is something new in its box."""
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
            await self._destination.close()

    async def _step(self) -> float:
        """Tell what is due; return how many seconds there is nothing to do."""
        try:
            letter = await self._read(lambda connection: self._box.next_of(connection, self.name))
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
            number = self._box.skip_unreadable(connection, self.name, now)
            found.extend([] if number is None else [number])

        await self._write(skip)
        logs.event(
            LOG, logging.ERROR, "a letter is damaged and was set aside", receiver=self.name, number=found
        )

    async def _deliver(self, letter: Sent) -> None:
        """Tell, and note what came of it."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                receipt = await self._destination.send(letter)
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

    async def _told(self, letter: Sent, receipt: Receipt) -> None:
        now = self._clock()
        await self._write(lambda connection: self._box.told(connection, letter, receipt, now))
        self._well()
        for warning in receipt.warnings:
            logs.event(LOG, logging.WARNING, "told in part", receiver=self.name, reason=warning)

    async def _down(self, letter: Sent, reason: str, pause: float) -> None:
        due = self._clock() + timedelta(seconds=pause)
        await self._write(lambda connection: self._box.postponed(connection, letter, reason, due))
        self._trouble(reason)

    async def _refused(self, letter: Sent, reason: str) -> None:
        now = self._clock()
        await self._write(lambda connection: self._box.refused(connection, letter, reason, now))
        logs.event(
            LOG,
            logging.ERROR,
            "refused for good, set aside",
            receiver=self.name,
            about=letter.about,
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
