"""Tells of conditions: each change becomes an alert of SOCme in the journal, as those of the nodes.

What is open is written down in the transaction that takes the alert (opened.py).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta

from socme import logs
from socme.v1.alert_pb2 import Alert, AlertSource, Condition, ConditionState
from zeus_hub import opened
from zeus_hub.conditions import TITLES
from zeus_hub.opened import identify
from zeus_hub.raising import Change

LOG = logging.getLogger("zeus.telling")

MOST_UNTOLD = 4096  # changes that wait; while there are as many, nobody may bring more
AT_ONCE = 256  # changes told together

Announce = Callable[[str, Sequence[Alert], Mapping[str, bytes | None]], Awaitable[None]]


class Teller:
    """Lives on the event loop. `announce` returns once alerts and notes are on disk, in one transaction."""

    def __init__(self, announce: Announce) -> None:
        self._announce = announce
        self._untold: deque[Change] = deque()
        self._fresh = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether so much waits (the journal cannot be written) that no more may come."""
        return len(self._untold) >= MOST_UNTOLD

    def take(self, changes: Iterable[Change]) -> None:
        """Take changes that are to be told, in order."""
        self._untold.extend(changes)
        if self._untold:
            self._fresh.set()

    async def run(self) -> None:
        """Tell for ever: the changes of one node in order, those of all nodes together."""
        while True:
            await self._fresh.wait()
            some = [self._untold[place] for place in range(min(AT_ONCE, len(self._untold)))]
            by_node: dict[str, list[Change]] = {}
            for change in some:
                by_node.setdefault(f"{change.condition.client}/{change.condition.node}", []).append(change)
            async with asyncio.TaskGroup() as group:
                for origin, changes in by_node.items():
                    group.create_task(self._tell(origin, changes))
            for _ in some:
                self._untold.popleft()
            if not self._untold:
                self._fresh.clear()

    async def _tell(self, origin: str, changes: Sequence[Change]) -> None:
        """Put the alerts of one node's changes into the journal, and with them what is open now."""
        told = [change for change in changes if not change.silent]
        notes = {opened.name(change.condition.key): _note(change) for change in changes}
        await self._announce(origin, [compose(change) for change in told], notes)
        for change in told:
            _log(change)


def compose(change: Change) -> Alert:
    """Return the alert that raises or clears a condition."""
    one = change.condition
    state = ConditionState.CONDITION_STATE_RAISED if change.raised else ConditionState.CONDITION_STATE_CLEARED
    over = "" if change.raised else f"over after {_length(change.time - one.since)}: "
    alert = Alert(
        id=identify(one, raised=change.raised),
        source=AlertSource.ALERT_SOURCE_SOCME,
        severity=one.told,
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


def _note(change: Change) -> bytes | None:
    return opened.encode(change.condition) if change.raised else None


def _log(change: Change) -> None:
    condition = change.condition
    logs.event(
        LOG,
        logging.WARNING if change.raised else logging.INFO,
        "condition raised" if change.raised else "condition cleared",
        kind=condition.kind,
        client=condition.client,
        node=condition.node,
        subject=condition.subject,
    )


def _length(time: timedelta) -> str:
    """Return how long something lasted, for people."""
    seconds = max(0, int(time.total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
