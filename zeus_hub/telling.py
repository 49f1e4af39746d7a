"""Tells of conditions: each change becomes an alert of SOCme in the journal, as those of the nodes.

A condition is written down before it is told, and forgotten after its end was told, so that a crash between
the two repeats an alert and never loses one; the repeated one has the same id.
"""

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from socme import logs
from socme.v1.alert_pb2 import Alert, AlertSource, Condition, ConditionState
from zeus_hub import chronicle
from zeus_hub.conditions import TITLES
from zeus_hub.database import microseconds
from zeus_hub.raising import Change, Open

LOG = logging.getLogger("zeus.telling")

MOST_UNTOLD = 4096  # changes that wait; while there are as many, nobody may bring more
AT_ONCE = 256  # changes written down in one transaction and told together
RETRY_SECONDS = 1.0  # between two attempts where the database cannot be written
ID_BYTES = 16

Announce = Callable[[str, Sequence[Alert]], Awaitable[None]]


class Teller:
    """Lives on the event loop; `thread` does what blocks. `announce` returns once alerts are on disk."""

    def __init__(self, engine: Engine, announce: Announce, thread: ThreadPoolExecutor) -> None:
        self._engine = engine
        self._announce = announce
        self._thread = thread
        self._untold: deque[Change] = deque()
        self._fresh = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether so much waits (the journal cannot be written) that no more may come."""
        return len(self._untold) >= MOST_UNTOLD

    def again(self, opened: Iterable[Open]) -> None:
        """Tell once more of open conditions that the store does not know. Blocks on the database.

        Whether they were told before the hub was killed is not known.
        """
        ids = {identify(one, raised=True): one for one in opened}
        known = chronicle.stored(self._engine, ids)
        self.take([Change(one, raised=True, time=one.since) for key, one in ids.items() if key not in known])

    def take(self, changes: Iterable[Change]) -> None:
        """Take changes that are to be told, in order."""
        self._untold.extend(changes)
        if self._untold:
            self._fresh.set()

    async def run(self) -> None:
        """Tell for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await self._fresh.wait()
            some = [self._untold[place] for place in range(min(AT_ONCE, len(self._untold)))]
            raised = [change.condition for change in some if change.raised]
            cleared = [change.condition for change in some if not change.raised]
            await self._write(
                lambda raised=raised: loop.run_in_executor(  # type: ignore[misc]
                    self._thread, chronicle.put_conditions, self._engine, raised
                )
            )
            await self._say(some)
            await self._write(
                lambda cleared=cleared: loop.run_in_executor(  # type: ignore[misc]
                    self._thread, chronicle.drop_conditions, self._engine, cleared
                )
            )
            for _ in some:
                self._untold.popleft()
            if not self._untold:
                self._fresh.clear()

    async def _write(self, step: Callable[[], Awaitable[None]]) -> None:
        """Try until the database takes it."""
        troubled = False
        while True:
            try:
                await step()
            except SQLAlchemyError as error:
                if not troubled:
                    logs.event(LOG, logging.ERROR, "conditions cannot be written down", reason=error)
                troubled = True
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _say(self, changes: Sequence[Change]) -> None:
        """Put the alerts of changes into the journal: those of one node in order, all nodes' together."""
        alerts: dict[str, list[Alert]] = {}
        for change in changes:
            condition = change.condition
            alerts.setdefault(f"{condition.client}/{condition.node}", []).append(compose(change))
            logs.event(
                LOG,
                logging.WARNING if change.raised else logging.INFO,
                "condition raised" if change.raised else "condition cleared",
                kind=condition.kind,
                client=condition.client,
                node=condition.node,
                subject=condition.subject,
            )
        async with asyncio.TaskGroup() as group:
            for origin, some in alerts.items():
                group.create_task(_told(self._announce, origin, some))


def identify(condition: Open, *, raised: bool) -> bytes:
    """Return the id of the alert that raises or clears a condition: the same whenever it is told."""
    words = (*condition.key, str(microseconds(condition.since)), "raised" if raised else "cleared")
    return hashlib.blake2b("\0".join(words).encode(), digest_size=ID_BYTES).digest()


def compose(change: Change) -> Alert:
    """Return the alert that raises or clears a condition."""
    one = change.condition
    state = ConditionState.CONDITION_STATE_RAISED if change.raised else ConditionState.CONDITION_STATE_CLEARED
    over = "" if change.raised else f"over after {_length(change.time - one.since)}: "
    alert = Alert(
        id=identify(one, raised=change.raised),
        source=AlertSource.ALERT_SOURCE_SOCME,
        # What ends is as severe as what began, so that whoever saw the one sees the other.
        severity=one.severity,
        message=f"{one.client}/{one.node}: {over}{one.message}",
        count=1,
        condition=Condition(kind=one.kind, subject=one.subject, state=state),
    )
    alert.condition.since.FromDatetime(one.since)
    alert.time.FromDatetime(change.time)
    alert.observed.FromDatetime(change.time)
    alert.rule.id = f"socme.{one.kind}"
    alert.rule.name = TITLES.get(one.kind, one.kind) + ("" if change.raised else " (over)")
    alert.host.name = one.node
    return alert


async def _told(announce: Announce, origin: str, alerts: Sequence[Alert]) -> None:
    await announce(origin, alerts)


def _length(time: timedelta) -> str:
    """Return how long something lasted, for people."""
    seconds = max(0, int(time.total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
