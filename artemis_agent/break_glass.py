"""Tells people of severe alerts itself while no hub takes them, and keeps in mind of which, for the hub.

    spool ─▶ untold ─▶ mail ─▶ told.json ─▶ stream (Told, before any batch)

Is there only where the settings ask for it. What a mail needs is imported when the first one is sent.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from artemis_agent import told
from artemis_agent.link import Link
from artemis_agent.outage import Outage
from artemis_agent.owed import Letter
from artemis_agent.plan import BreakGlass
from artemis_agent.spool import Spool, SpoolWriteError
from artemis_agent.told import Told
from artemis_agent.untold import MOST_IDS, Untold
from artemis_agent.worker import LooseWorker
from socme import backoff, batch, identity, logs, severity, show
from socme.errors import OperatorError
from socme.journal import LOWEST, Journal
from socme.v1.uplink_pb2 import Encoding, Lane

LOG = logging.getLogger("artemis.break_glass")

LOOK_SECONDS = 5.0  # between two looks at how things stand
WAIT_SECONDS = 5.0  # for a mail that is on its way, which may take minutes: then a stream goes on
CLOSE_SECONDS = 5.0  # for the same when the agent stops, of the 15 that systemd gives it
MAIL_SECONDS = 300.0  # between two mails; what comes meanwhile is in the next one
MOST_MAILS = 6  # within an hour
HOUR_SECONDS = 3600.0
FIRST_RETRY, LONGEST_RETRY = 60.0, 900.0  # seconds between attempts while the mail server fails
KEEP_SECONDS = 7 * 24 * HOUR_SECONDS  # how long ids are kept of a spool that is gone, whose lines come again
READ_ENTRIES, READ_BYTES = 16, 256 * 1024  # looked through in one turn of the spool's thread
_URGENT, _NORMAL = Lane.LANE_URGENT, Lane.LANE_NORMAL  # all alerts from high on are in the first
_DROPPED = Encoding.ENCODING_DROPPED
_BEYOND = 2**63 - 1  # a position behind all


@dataclass(frozen=True, slots=True)
class Clock:
    """What time it is; a test has another."""

    wall: Callable[[], datetime] = identity.utc_now
    steady: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class _Posted:
    """What became of a mail."""

    told: Told | None
    """What was told with it; None where it did not leave."""
    problem: str
    noted: bool = True
    letter: Letter | None = None
    """What some did not get while others did."""


class Glass:
    """Lives on the event loop; made once for each run of the agent."""

    def __init__(
        self, plan: BreakGlass, state_dir: Path, spool: Spool, link: Link, clock: Clock | None = None
    ) -> None:
        self.problem = ""
        """Why a mail did not leave, or could not be noted; empty when all is well."""
        self._plan = plan
        self._state_dir = state_dir
        self._spool = spool
        self._link = link
        self._clock = clock or Clock()
        self._worker = LooseWorker("break-glass")
        self._outage = Outage(self._clock.steady())
        self._told = told.read(state_dir)
        self._before = 0  # ids that were told and are forgotten: the number of the first that is not
        self._known = set(self._told.ids)
        self._position = LOWEST  # up to where it was looked through, if that is further than was told
        self._book = b""
        self._noted = True  # whether told.json says what is known
        self._retries = _retries()
        self._retry_at = 0.0
        self._letters: deque[Letter] = deque(maxlen=MOST_MAILS)  # some are to get them still
        self._mailing = asyncio.Lock()
        self._begun = 0.0  # when that was last held, by the loop's clock

    async def run(self) -> None:
        """Look how things stand, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Tell people of what waits, where it is time for that."""
        try:
            await self._forget()
            link = self._link
            async with self._mailing:  # nobody waits between the look and the lock: a stream that begins does
                self._begun = asyncio.get_running_loop().time()
                seconds = self._outage.look(
                    self._clock.steady(),
                    connected=link.state == "connected",
                    turned_away=link.turned_away,
                    waits=bool(self._spool.depth.entries),
                    acknowledged=link.last_acknowledgement,
                )
                if seconds >= self._plan.after_seconds and self._is_due() and self._may_hold():
                    await self._tell(seconds)
        except SpoolWriteError as error:
            self._complain(f"the spool cannot be read: {error}")
        await self._try_again()

    async def told_since(self, known: int) -> tuple[int, Sequence[bytes]]:
        """Return ids that were told behind the first `known` of them, and how many there are in all.

        Waits for a mail that is on its way: until then nobody can say whether its alerts were told. But not
        for long after it began: they count as untold then, because people who are told twice are better than
        people who are not told. They are returned later, if they were.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._begun + WAIT_SECONDS), self._mailing:
                pass
        ids = self._told.ids
        return self._before + len(ids), ids[max(0, known - self._before) :]

    def view(self) -> dict[str, Any]:
        """Return how things stand, for the status file."""
        last = max(self._told.mails, default=None)
        return {
            "to": list(self._plan.recipients),
            "after_minutes": self._plan.after_seconds / 60,
            "told": len(self._told.ids),
            "last_mail": None if last is None else show.iso(datetime.fromtimestamp(last, UTC)),
            "problem": self.problem,
        }

    def close(self) -> None:
        """Let go of the thread; a mail that is on its way has a few seconds to leave or fail.

        One that takes longer may have left and is not noted: it comes again, with the same Message-ID.
        """
        self._worker.close(CLOSE_SECONDS)

    async def _forget(self) -> None:
        """Forget what was told of and does not wait any more."""
        if not self._book:
            self._book = await self._spool.ask(lambda journal: journal.note("book") or b"")
        if self._told.ids and self._is_over(await self._spool.ask(Journal.first)):
            self._before += len(self._told.ids)
            self._known.clear()
            self._told, self._noted = replace(self._told, ids=()), False
        if not self._noted:
            await self._note()

    def _is_over(self, first: int | None) -> bool:
        """Tell whether none of what was told waits; `first` is the spool's first position."""
        if self._told.book == self._book:
            return first is None or first > self._told.position
        return self._clock.wall().timestamp() - max(self._told.mails, default=0.0) > KEEP_SECONDS

    def _is_due(self) -> bool:
        """Tell whether a mail may leave now; what the clock says is not to be relied on."""
        now = self._clock.wall().timestamp()
        lately = [each for each in self._told.mails if 0 <= now - each < HOUR_SECONDS]
        if len(lately) >= MOST_MAILS or any(now - each < MAIL_SECONDS for each in lately):
            return False
        return self._clock.steady() >= self._retry_at

    def _may_hold(self) -> bool:
        """Tell whether there may be something new; asks no disk."""
        return self._spool.may_hold({_URGENT: self._reached(), _NORMAL: _BEYOND})

    def _reached(self) -> int:
        if self._told.book != self._book:
            return self._position
        return max(self._told.position, self._position)

    async def _tell(self, seconds: float) -> None:
        """Mail what nobody was told of, and note that."""
        untold = await self._gather()
        if not untold.ids:
            self._position = untold.position  # looked through, and nothing was found
            return
        # Mail and note are one piece of work for the thread, which goes on with it while the agent stops.
        posted = await self._worker.do(partial(self._post, untold, seconds))
        if posted.told is None:
            self._retry_at = self._clock.steady() + next(self._retries)
            self._complain(posted.problem)
            return
        logs.event(LOG, logging.WARNING, "told people without a hub", alerts=untold.alerts)
        self._retries, self._retry_at = _retries(), 0.0
        self._before += len(self._told.ids) + len(untold.ids) - len(posted.told.ids)
        self._told, self._noted = posted.told, posted.noted
        self._known = set(self._told.ids)
        self._complain(posted.problem)
        if posted.letter is not None and posted.letter.whom:
            self._letters.append(posted.letter)

    async def _try_again(self) -> None:
        """Send a mail once more to those for whom the server could not take it, whatever the hub does."""
        now = self._clock.steady()
        letter = next((each for each in self._letters if each.is_due(now)), None)
        if letter is None:
            return
        before = letter.problem
        await self._worker.do(partial(self._post_again, letter))
        if self.problem == before:
            self._complain(letter.problem)
        if not letter.whom:
            self._letters.remove(letter)

    async def _gather(self) -> Untold:
        """Look through what waits, a little at a time: the spool's thread has other work, too."""
        untold = Untold(severity.named(self._plan.min_severity), self._known, self._reached())
        while await self._spool.ask(partial(_read, untold)):
            pass
        return untold

    def _post(self, untold: Untold, seconds: float) -> _Posted:
        """Send a mail and write down of what. In the worker's thread."""
        from artemis_agent import own_mail, smtp  # noqa: PLC0415 - not before there is need of it

        now = self._clock.wall()
        mail = own_mail.compose(
            untold,
            node=node_name(self._state_dir),
            sender=self._plan.sender,
            recipients=self._plan.recipients,
            seconds=seconds,
            now=now,
        )
        try:
            refused = smtp.send(self._plan.server, mail, self._plan.recipients)
        except smtp.MailError as error:
            return _Posted(None, str(error))
        ids, mails = (*self._told.ids, *untold.ids), (*self._told.mails, now.timestamp())
        letter = Letter(mail, refused, self._clock.steady()) if refused else None
        found = Told(self._book, untold.position, ids[-MOST_IDS:], mails[-MOST_MAILS:])
        try:
            told.write(self._state_dir, found)
        except OSError as error:
            return _Posted(found, _unwritten(error), noted=False, letter=letter)
        return _Posted(found, letter.problem if letter else "", letter=letter)

    def _post_again(self, letter: Letter) -> None:
        """Send a mail to those who have not got it. In the worker's thread."""
        from artemis_agent import smtp  # noqa: PLC0415 - was imported when it was sent first

        try:
            refused = smtp.send(self._plan.server, letter.mail, letter.whom)
        except smtp.MailError as error:  # what is wrong with the server is said of the mails that need it
            letter.failed(error.refused, self._clock.steady())
        else:
            letter.tried(refused, self._clock.steady())

    async def _note(self) -> None:
        """Write down what was told; where the disk does not take it, again at the next look."""
        try:
            await self._worker.do(partial(told.write, self._state_dir, self._told))
        except OSError as error:
            self._complain(_unwritten(error))
        else:
            self._noted = True
            if self.problem.startswith(told.NAME):
                self.problem = ""

    def _complain(self, reason: str) -> None:
        if reason and reason != self.problem:
            logs.event(LOG, logging.ERROR, "people cannot be told without a hub", reason=reason)
        self.problem = reason


def _retries() -> Iterator[float]:
    rng = random.Random()  # noqa: S311 - spreads load, guards nothing
    return backoff.delays(rng, first=FIRST_RETRY, longest=LONGEST_RETRY)


def _unwritten(error: OSError) -> str:
    return f"{told.NAME} cannot be written: {error.strerror}"


def _read(untold: Untold, journal: Journal) -> bool:
    """Take in the next few entries; return whether there were any. In the spool's thread."""
    entries = journal.read_lane(_URGENT, untold.position, entries=READ_ENTRIES, size=READ_BYTES)
    for entry in entries:
        untold.position = entry.position
        if entry.packed.encoding != _DROPPED:
            for alert in batch.unpack(entry.packed):
                untold.take(alert)
    return bool(entries)


def node_name(state_dir: Path) -> str:
    """Return this node's name for people; an identity that is of no use any more has one still."""
    try:
        own = identity.load(state_dir, now=datetime.min.replace(tzinfo=UTC), command="artemis enroll TOKEN")
    except OperatorError:
        return "without a name"
    return f"{own.client}/{own.name}"
