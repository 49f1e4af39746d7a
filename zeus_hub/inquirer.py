"""One loop per receiver that can be asked: what people there made of the groups that it was told of.

It asks every minute, one organisation after another; one that cannot be asked keeps nobody from the others.
What is found and up to where it was read are kept in one transaction, so nothing is missed over a stop, and
what is read twice is the same. Nothing waits for it, least of all what is to be told.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from socme import logs
from socme.backoff import delays
from zeus_hub import outcomes
from zeus_hub.database import reading, reason, writing
from zeus_hub.receivers.contract import DownError
from zeus_hub.receivers.thehive.api import part_of
from zeus_hub.receivers.thehive.outcome import Kind, Mark
from zeus_hub.receivers.thehive.poll import Found, Poll

LOG = logging.getLogger("zeus.inquirer")

ASK_SECONDS = 60.0  # between two rounds
MOST_STEPS = 10  # of one organisation in one round, however much there is: others have their turn
LONGEST_PAUSE = 300.0  # seconds between two rounds while nobody can be asked
HOPELESS_PAUSE = 900.0  # and where people must mend something first
LONGEST_PROBLEM = 1000  # characters
WARN_EVERY = timedelta(days=1)  # a licence is looked at so often

Result = TypeVar("Result")


class Inquirer:
    """Asks one receiver. Lives on the event loop; uses the database in `thread`."""

    def __init__(
        self,
        name: str,
        poll: Poll,
        engine: Engine,
        thread: Executor,
        *,
        clock: Callable[[], datetime],
        rng: random.Random | None = None,
    ) -> None:
        self.name = name
        self.problem = ""
        """Why nobody can be asked; empty when somebody can."""
        self.parts: Mapping[str, str] = {}
        """Why organisations cannot be asked, while others can."""
        self.hopeless = False
        """Whether people must mend something before anybody can be asked."""
        self._poll = poll
        self._engine = engine
        self._thread = thread
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - spreads attempts, guards nothing
        self._pauses = delays(self._rng, longest=LONGEST_PAUSE)
        self._warned: datetime | None = None
        self._said = ""  # what is in the log

    async def run(self) -> None:
        """Ask for ever."""
        try:
            while True:
                seconds = await self._round()
                await asyncio.sleep(seconds)
        finally:
            try:
                await self._poll.close()
            except Exception:
                LOG.exception("fault at the end of what asks the receiver %s", self.name)

    async def _round(self) -> float:
        """Ask everywhere; return after how many seconds to ask again."""
        more, troubles = False, dict[str, DownError]()
        for organisation in self._poll.organisations:
            try:
                with self._explained():
                    more |= await self._ask(organisation)
            except DownError as error:
                troubles[organisation] = error
        in_vain = bool(troubles) and len(troubles) == len(self._poll.organisations)
        self._tell(troubles, in_vain=in_vain)
        self.hopeless = in_vain and all(trouble.misconfigured for trouble in troubles.values())
        if in_vain:
            return self._pause(troubles.values())
        self._pauses = delays(self._rng, longest=LONGEST_PAUSE)
        with suppress(DownError), self._explained():  # the next round says so as well
            await self._warn()
        return 0.0 if more else ASK_SECONDS

    async def _ask(self, organisation: str) -> bool:
        """Ask what has changed; tell whether there is more that can be asked at once."""
        marks = await self._marks(organisation)
        more = [await self._follow(organisation, kind, mark) for kind, mark in marks.items()]
        return any(more)

    async def _marks(self, organisation: str) -> Mapping[Kind, Mark]:
        """Return up to where is known what became of alerts and of cases; from now on, to begin with."""
        marks = await self._do(reading, lambda connection: self._known(connection, organisation))
        missing = [kind for kind in outcomes.KINDS if kind not in marks]
        if not missing:
            return marks
        begin = dict.fromkeys(missing, Mark(round(self._clock().timestamp() * 1000)))

        def put(connection: Connection) -> None:
            for kind, mark in begin.items():
                outcomes.put_mark(connection, self.name, organisation, kind, mark)

        await self._do(writing, put)
        return marks | begin

    def _known(self, connection: Connection, organisation: str) -> dict[Kind, Mark]:
        marks = {kind: outcomes.mark(connection, self.name, organisation, kind) for kind in outcomes.KINDS}
        return {kind: mark for kind, mark in marks.items() if mark is not None}

    async def _follow(self, organisation: str, kind: Kind, mark: Mark) -> bool:
        """Ask and keep what is said, step by step; tell whether there is more that can be asked at once."""
        ask = self._poll.alerts if kind == "alert" else self._poll.cases
        for _ in range(MOST_STEPS):
            before, found = mark, await ask(organisation, mark)
            mark = found.mark
            if found.outcomes or mark != before:
                await self._do(writing, partial(self._keep, organisation, kind, found))
            if not mark.behind or mark == before:
                return False
        return True

    def _keep(self, organisation: str, kind: Kind, found: Found, connection: Connection) -> None:
        def concerns(client: str) -> bool:
            return self._poll.concerns(organisation, client)

        outcomes.keep(connection, self.name, organisation, found.outcomes, concerns)
        outcomes.put_mark(connection, self.name, organisation, kind, found.mark)

    async def _warn(self) -> None:
        """Say once a day what will soon keep the receiver from taking anything."""
        now = self._clock()
        if self._warned is not None and now - self._warned < WARN_EVERY:
            return
        warning = await self._poll.warning()
        self._warned = now
        if warning:
            logs.event(LOG, logging.WARNING, "look after the receiver", receiver=self.name, reason=warning)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise DownError for whatever goes wrong."""
        try:
            yield
        except DownError:
            raise
        except SQLAlchemyError as error:
            raise DownError(f"outcomes cannot be kept: {reason(error)}") from error
        except Exception as error:  # a fault of ours here must not end the hub; it is told as that
            said = f"a fault of SOCme's own: {type(error).__name__}"
            if said not in self._said:
                LOG.exception("fault in what asks the receiver %s", self.name)
            raise DownError(said, misconfigured=True) from error

    def _tell(self, troubles: Mapping[str, DownError], *, in_vain: bool) -> None:
        """Say once what is wrong."""
        said = "; ".join(dict.fromkeys(map(str, troubles.values())))[:LONGEST_PROBLEM]
        self.problem = said if in_vain else ""
        self.parts = {} if in_vain else {part_of(name): str(trouble) for name, trouble in troubles.items()}
        if said == self._said:
            return
        self._said = said
        if said:
            logs.event(LOG, logging.ERROR, "receiver cannot be asked", receiver=self.name, reason=said)
        else:
            logs.event(LOG, logging.INFO, "receiver can be asked again", receiver=self.name)

    def _pause(self, troubles: Iterable[DownError]) -> float:
        """Return for how many seconds to leave a receiver alone."""
        if self.hopeless:
            return HOPELESS_PAUSE
        asked = max(trouble.retry_after or 0.0 for trouble in troubles)
        return max(next(self._pauses), min(asked, HOPELESS_PAUSE))

    async def _do(
        self,
        within: Callable[[Engine], AbstractContextManager[Connection]],
        work: Callable[[Connection], Result],
    ) -> Result:
        """Do something within a transaction."""

        def done() -> Result:
            with within(self._engine) as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._thread, done)
