"""One loop per receiver: take the next letter from its box, tell, note what came of it; the only retries.

A receiver that is down holds up nobody else: its letters wait, those of one group in one. A letter that does
not arrive holds up no other one either: the next is tried, and only where that fails too does the receiver
get its rest, after which what was tried least often is next. A letter that fails again while others arrive
waits by itself, each time for longer; so does one that the receiver took for some people and not yet for
others. Where a part of the receiver takes nothing (an organisation in TheHive), the letters of its clients
rest alone. What it refuses for good is set aside for people. What came of a letter is noted before the next
one is touched, however long that takes: else a database that cannot be written would have it sent again and
again.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from socme import logs
from socme.backoff import FIRST, delays
from zeus_hub import outbox
from zeus_hub.box import Box, Destination, Item, Sent, UnreadableError
from zeus_hub.database import reading, reason, writing
from zeus_hub.outbox import Letter
from zeus_hub.receivers.contract import DownError, Receipt, Receiver, RefusedError

LOG = logging.getLogger("zeus.postman")

SEND_SECONDS = 90.0  # for one letter; receivers have shorter limits of their own
LONGEST_PAUSE = 300.0  # seconds between two attempts at a receiver that is down
HOPELESS_PAUSE = 900.0  # and at one that people must mend first
CHECK_SECONDS = 5.0  # how long to sleep at most: commands write into the outbox as well
MOST_IN_A_ROW = 2  # letters that fail one after another before the receiver is left alone
MOST_DOUBLED = 16  # times that the pause of a letter is doubled; it is the longest long before

Result = TypeVar("Result")
Note = Callable[[Connection], None]


class Notices:
    """A receiver, as the destination of letters from the outbox."""

    box: Box[Letter] = outbox

    def __init__(self, receiver: Receiver, seconds: float = SEND_SECONDS) -> None:
        self._receiver = receiver
        self.seconds = seconds

    async def send(self, letter: Letter) -> Receipt:
        """Tell."""
        return await self._receiver.send(letter.notice)

    async def close(self) -> None:
        """Let go of connections."""
        await self._receiver.close()


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a receiver that takes nothing."""

    name: str
    reason: str
    until: datetime
    """Before which what was tried is not tried again."""
    misconfigured: bool


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
        """Why the receiver cannot be told now; empty when all is well, but for its parts."""
        self.hopeless = False
        """Whether people must mend that first."""
        self.clients: frozenset[str] | None = None
        """Whose letters it may carry; None for all. What the rules do not allow any more is set aside."""
        self._destination = destination
        self._box = destination.box
        self._engine = engine
        self._thread = thread
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - spreads attempts, guards nothing
        self._pauses = delays(self._rng, longest=LONGEST_PAUSE)
        self._fresh = asyncio.Event()
        self._note: Note | None = None  # what came of the last letter, as long as it is not written down
        self._failures = 0  # in a row
        self._begun = False
        self._retired = False
        self._stuck: dict[str, _Part] = {}  # parts of the receiver that take nothing, by client
        self._alone: dict[int, datetime] = {}  # until when letters wait by themselves, by number

    @property
    def parts(self) -> Mapping[str, str]:
        """Why parts of the receiver cannot be told, while others can."""
        return {each.name: each.reason for each in self._stuck.values()}

    @property
    def stale(self) -> bool:
        """Whether people must mend something, of the receiver or of a part of it."""
        return self.hopeless or any(each.misconfigured for each in self._stuck.values())

    def wake(self) -> None:
        """Say that there is something new in its box."""
        self._fresh.set()

    def retire(self) -> None:
        """Let it end once the letter that is under way has been told and noted."""
        self._retired = True
        self._fresh.set()

    async def run(self) -> None:
        """Tell until retired or cancelled."""
        try:
            while not (self._retired and self._note is None):
                self._fresh.clear()
                seconds = await self._attempt()
                if seconds > 0 and not self._retired:
                    await self._wait(min(seconds, CHECK_SECONDS))
        finally:
            try:
                await self._destination.close()
            except Exception:
                LOG.exception("fault at the end of the receiver %s", self.name)

    async def _attempt(self) -> float:
        """Take a step; return how many seconds there is nothing to do, whatever goes wrong."""
        try:
            if self._note is not None:
                await self._write(self._note)
                self._note = None
            return 0.0 if self._retired else await self._step()
        except UnreadableError:
            await self._skip()
        except SQLAlchemyError as error:
            self._trouble(f"the outbox cannot be used: {reason(error)}")
        except Exception as error:  # a fault of ours must not end the hub; it is told as that
            LOG.exception("fault in the way to the receiver %s", self.name)
            self._trouble(f"a fault of SOCme's own: {type(error).__name__}")
        return CHECK_SECONDS

    async def _step(self) -> float:
        """Tell what is due; return how many seconds there is nothing to do."""
        now = self._clock()
        if not self._begun:
            await self._begin(now)
        letter = await self._read(lambda connection: self._box.next_of(connection, self.name, now))
        if not self._failures:
            self._well()  # of the outbox, at least; a receiver says so by itself
        if letter is None:
            return CHECK_SECONDS
        early = (letter.due - now).total_seconds()
        if 0 < early <= HOPELESS_PAUSE + LONGEST_PAUSE:  # more: the clock was set back since
            return early
        if self.clients is not None and letter.client not in self.clients:
            await self._refused(letter, "the rules do not let this receiver be told of this client any more")
            self._stuck.pop(letter.client, None)
            return 0.0
        part, alone = self._stuck.get(letter.client), self._alone.get(letter.number, now)
        if part is not None and letter.attempts and now < part.until:
            await self._write_down(self._postponing(letter, part))
        elif letter.attempts and now < alone <= now + timedelta(seconds=HOPELESS_PAUSE):
            await self._write_down(
                lambda connection: self._box.postponed(connection, letter, letter.reason, alone)
            )
        else:
            await self._deliver(letter)
        return 0.0

    async def _begin(self, now: datetime) -> None:
        """Try at once what waits: the receiver is another one by now, perhaps. Until then it is as it was."""
        first = await self._read(lambda connection: self._box.next_of(connection, self.name, now))
        if first is not None and first.reason and not first.in_part:  # else it was well
            self._failures = 1
            self._trouble(first.reason)
        await self._write(lambda connection: self._box.move(connection, self.name, now, sooner=True))
        self._begun = True

    async def _deliver(self, letter: Sent) -> None:
        """Tell, and note what came of it."""
        try:
            async with asyncio.timeout(self._destination.seconds):
                receipt = await self._destination.send(letter)
        except RefusedError as error:
            await self._refused(letter, str(error))
            self._part_is_well(letter)
        except DownError as error:
            await self._down(letter, error)
        except TimeoutError:
            await self._down(letter, DownError(f"no answer within {self._destination.seconds:g} s"))
        except Exception as error:  # a fault of ours in one receiver must not end the hub; it is told as that
            LOG.exception("fault in the receiver %s", self.name)
            fault = f"a fault of SOCme's own: {type(error).__name__}"
            await self._down(letter, DownError(fault, misconfigured=True))
        else:
            await self._told(letter, receipt)

    async def _told(self, letter: Sent, receipt: Receipt) -> None:
        now, was_down = self._clock(), self._failures > 0

        def note(connection: Connection) -> None:
            self._box.told(connection, letter, receipt, now)
            if was_down:  # what failed with it comes in its order now
                self._box.move(connection, self.name, now, sooner=True)

        await self._write_down(note)
        self._failures = 0
        self._alone.pop(letter.number, None)
        self._well()
        self._part_is_well(letter)
        for warning in receipt.warnings:
            self._tell(logging.WARNING, "told in part", reason=warning)

    async def _down(self, letter: Sent, error: DownError) -> None:
        """Postpone a letter; and all others with it, where it is not for this one alone."""
        if error.alone:
            await self._is_not_done(letter, error)
            return
        said, now = str(error), self._clock()
        due = now + timedelta(seconds=self._pause(error))
        if error.part:
            await self._part_is_down(letter, _Part(error.part, said, due, error.misconfigured))
            return
        self._failures += 1
        rests = error.retry_after is not None or self._failures >= MOST_IN_A_ROW
        again = due
        if letter.attempts >= self._failures:  # it failed before, and others arrived since: it is the letter
            again = max(due, now + timedelta(seconds=_own_pause(letter)))
            self._alone[letter.number] = again

        def note(connection: Connection) -> None:
            self._box.postponed(connection, letter, said, again)
            if rests:
                self._box.move(connection, self.name, due, sooner=False)

        await self._write_down(note)
        self._trouble(said)
        self.hopeless = error.misconfigured

    async def _refused(self, letter: Sent, why: str) -> None:
        now = self._clock()
        await self._write_down(lambda connection: self._box.refused(connection, letter, why, now))
        self._tell(logging.ERROR, "refused for good, set aside", about=letter.about, reason=why)
        self._failures = 0
        self._alone.pop(letter.number, None)

    async def _part_is_down(self, letter: Sent, part: _Part) -> None:
        await self._postpone_alone(self._postponing(letter, part))
        if part.reason != self.parts.get(part.name):
            self._tell(logging.ERROR, "part of a receiver is down", part=part.name, reason=part.reason)
        self._stuck[letter.client] = part

    async def _is_not_done(self, letter: Sent, error: DownError) -> None:
        """Postpone a letter that some people have by now."""
        said, first, now = str(error), not letter.attempts, self._clock()
        seconds = max(_own_pause(letter), min(error.retry_after or 0.0, HOPELESS_PAUSE))
        again = now + timedelta(seconds=seconds)
        await self._postpone_alone(
            lambda connection: self._box.told_in_part(connection, letter, said, again, now)
        )
        self._alone[letter.number] = again
        self._part_is_well(letter)
        if first:
            self._tell(logging.WARNING, "told in part, the rest later", about=letter.about, reason=said)

    async def _postpone_alone(self, postpone: Note) -> None:
        """Postpone a letter; the receiver itself is well, and takes others."""
        was_down = self._failures > 0

        def note(connection: Connection) -> None:
            if was_down:
                self._box.move(connection, self.name, self._clock(), sooner=True)
            postpone(connection)

        await self._write_down(note)
        self._failures = 0
        self._well()

    def _part_is_well(self, letter: Sent) -> None:
        part = self._stuck.get(letter.client)
        if part is not None:
            self._stuck = {client: each for client, each in self._stuck.items() if each.name != part.name}
            self._tell(logging.INFO, "part of a receiver is back", part=part.name)

    def _postponing(self, letter: Sent, part: _Part) -> Note:
        return lambda connection: self._box.postponed(connection, letter, part.reason, part.until)

    async def _skip(self) -> None:
        """Set letters aside that cannot be read: those behind them are well."""
        now = self._clock()

        def note(connection: Connection) -> None:
            count = self._box.skip_unreadable(connection, self.name, now)
            self._tell(logging.ERROR, "letters are damaged and were set aside", number=count)

        self._note = note

    def _pause(self, error: DownError) -> float:
        """Return for how many seconds to leave a letter alone."""
        if error.misconfigured:
            return HOPELESS_PAUSE
        return max(next(self._pauses), min(error.retry_after or 0.0, HOPELESS_PAUSE))

    def _trouble(self, why: str) -> None:
        """Say once what is wrong."""
        if why != self.problem:
            self.problem = why
            self._tell(logging.ERROR, "receiver is down", reason=why)

    def _well(self) -> None:
        self.hopeless = False
        if self.problem:
            self._pauses = delays(self._rng, longest=LONGEST_PAUSE)
            self.problem = ""
            self._tell(logging.INFO, "receiver is back")

    def _tell(self, level: int, event: str, **facts: object) -> None:
        logs.event(LOG, level, event, receiver=self.name, **facts)

    async def _read(self, ask: Callable[[Connection], Result]) -> Result:
        def asked() -> Result:
            with reading(self._engine) as connection:
                return ask(connection)

        return await asyncio.get_running_loop().run_in_executor(self._thread, asked)

    async def _write_down(self, note: Note) -> None:
        """Note what came of a letter; where that fails, it is tried again before anything else is done."""
        self._note = note
        await self._write(note)
        self._note = None

    async def _write(self, do: Note) -> None:
        def done() -> None:
            with writing(self._engine) as connection:
                do(connection)

        # What the other side has taken must be noted even where the hub is stopped meanwhile.
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, done))

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._fresh.wait()


def _own_pause(letter: Item) -> float:
    """Return for how many seconds to leave a letter alone that fails while others arrive."""
    return min(LONGEST_PAUSE, FIRST * 2.0 ** min(letter.attempts, MOST_DOUBLED))
