"""Keeps watch: judges nodes and the hub, has conditions told, and says how clients are.

It looks each second, but only at what may be different: a node of which nothing was heard since stays what
it is until the moment at which time alone could make it something else.
"""

import asyncio
import itertools
import logging
import shutil
import sqlite3
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from socme import logs
from socme.errors import OperatorError
from socme.v1.vitals_pb2 import Health
from zeus_hub import chronicle, health, ledger, settle
from zeus_hub.agenda import Agenda
from zeus_hub.conditions import Judged, holds_seconds, judge_hub, judge_node
from zeus_hub.health import Moment, Standing
from zeus_hub.local import Pulse, read_pulse, write_pulse
from zeus_hub.lookout import Lookout
from zeus_hub.raising import Book, Key, Open, Place
from zeus_hub.registry import HUB
from zeus_hub.telling import Announce, Teller

LOG = logging.getLogger("zeus.vigil")

TICK_SECONDS = 1.0  # between two looks
MARGIN_SECONDS = 0.001  # by which a node may be judged anew too early: sums of times are not exact
LONGEST_SECONDS = (
    30.0  # between two looks at a node of which nothing changes: the clock on the wall may be set
)
AT_ONCE = 50  # nodes judged before others get their turn
SLOW_SECONDS = 5.0  # between two looks at what takes a while, and between two signs of life
BALANCE_EVERY = 12  # of these: what was taken and what became of it are compared
FORGET_EVERY = 720  # of these
MOST_UNRECORDED = 4096  # changes of clients that wait for the database
MICROSECOND = timedelta(microseconds=1)


class Vigil:
    """Lives on the event loop, with threads for what blocks. Making it blocks on the database.

    `opened` are the conditions that were open when the hub stopped.
    """

    def __init__(
        self, engine: Engine, state_dir: Path, lookout: Lookout, announce: Announce, opened: Iterable[Open]
    ) -> None:
        self._engine = engine
        self._state_dir = state_dir
        self._lookout = lookout
        self._fleet = lookout.fleet
        self._clocks = lookout.clocks
        self._thread = ThreadPoolExecutor(2, "vigil")  # a sign of life must not wait for the database
        self._agenda = Agenda()
        self._judged: dict[Place, Judged] = {}
        self._standings: dict[str, dict[str, Standing]] = {}  # of nodes, by client
        self._clients: dict[str, tuple[bool, Standing]] = {}  # and whether anything is taken from each
        self._book = Book(opened)
        self._teller = Teller(announce)
        self._history = chronicle.histories(engine, self._clocks.wall())
        self._unrecorded: list[tuple[str, Moment]] = []
        self._troubles: dict[str, str] = {}  # by the kind of work, what was told of it last
        self._was_away()
        self._looked_at = self._clocks.monotonic()

    @property
    def idle_seconds(self) -> float:
        """How long ago it last looked at everything."""
        return self._clocks.monotonic() - self._looked_at

    def holds(self, key: Key, since: datetime) -> bool:
        """Tell whether a condition, raised at that time, is open; may be called from any thread."""
        return self._book.holds(key, since)

    async def run(self) -> None:
        """Keep watch for ever."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._teller.run(), name="tell")
                group.create_task(self._look_slowly(), name="slow")
                group.create_task(self._live(), name="pulse")
                while True:
                    await self.look()
                    await asyncio.sleep(TICK_SECONDS)
        finally:
            self._thread.submit(self._write_down, self._unrecorded)
            self._thread.shutdown(wait=True)
            self._beat(self._pulse(running=False))

    async def look(self) -> None:
        """Judge the hub, and every node that may be different from before; say how all are."""
        at, limits = self._lookout.look(), self._lookout.limits
        due = self._lookout.touched() | self._agenda.due(at + MARGIN_SECONDS)
        for count, key in enumerate(sorted(due), start=1):
            seen = self._fleet.seen(key)
            if seen is not None:
                facts = self._lookout.node(seen, at)
                self._judged[key] = judge_node(facts, limits)
                self._agenda.put(key, at + min(holds_seconds(facts, limits), LONGEST_SECONDS))
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)
        self._judged[HUB] = judge_hub(self._lookout.hub(at), limits)
        if not self._teller.is_full:
            changes = self._book.step(self._judged, at=at, now=self._clocks.wall())
            due |= {(change.condition.client, change.condition.node) for change in changes}
            self._teller.take(changes)
        self._tell_nodes(due | {HUB})
        self._tell_clients()
        self._looked_at = self._clocks.monotonic()

    def _tell_nodes(self, keys: Iterable[Place]) -> None:
        """Say how nodes are, and the hub, which may be different from before."""
        opened: dict[Place, list[Open]] = {}
        for one in self._book.opened():
            opened.setdefault((one.client, one.node), []).append(one)
        for key in keys:
            seen = self._fleet.seen(key)
            if key == HUB:
                standing = health.of_node(
                    opened.get(HUB, ()), revoked=False, enabled=True, heard=True, seen=True
                )
            elif seen is not None:
                standing = health.of_node(
                    opened.get(key, ()),
                    revoked=seen.node.revoked is not None,
                    enabled=seen.node.enabled,
                    heard=seen.report is not None,
                    seen=seen.node.last_seen is not None,
                )
                self._fleet.judged(key, standing.health, standing.reasons)
            else:
                continue
            nodes = self._standings.setdefault(key[0], {})
            if nodes.get(key[1]) != standing:
                nodes[key[1]] = standing
                self._clients.pop(key[0], None)

    def _tell_clients(self) -> None:
        """Say how all clients are: time alone changes in which share of the last day one could see."""
        now = self._clocks.wall()
        for name in self._fleet.enabled.keys() | self._standings.keys():
            enabled = self._fleet.enabled.get(name, True)
            known = self._clients.get(name)
            if known is None or known[0] != enabled:
                nodes = self._standings.get(name, {})
                known = self._clients[name] = enabled, health.of_client(nodes, enabled=enabled)
            history = self._follow(name, known[1], now)
            self._fleet.judged_client(chronicle.status(name, known[1], history, now))

    def _follow(self, client: str, standing: Standing, now: datetime) -> list[Moment]:
        """Return how a client was and is. It begins when something is first known of it."""
        history = self._history.setdefault(client, [])
        self._set_right(client, now)
        last = history[-1].health if history else Health.HEALTH_UNSPECIFIED
        if standing.health != last:
            reason = standing.reasons[0] if standing.reasons else ""
            since = max(now, history[-1].since + MICROSECOND) if history else now
            self._note(client, Moment(since, standing.health, reason))
        while len(history) > 1 and history[1].since <= now - health.DAY:
            history.pop(0)
        return history

    def _set_right(self, client: str, now: datetime) -> None:
        """Cut what a clock that was ahead wrote down back to now."""
        history = self._history[client]
        cut = health.behind(history, now)
        if cut is not None:
            while history and history[-1].since >= now:
                history.pop()
            self._note(client, cut)

    def _note(self, client: str, moment: Moment) -> None:
        """Take a change into a client's history, here and, soon, in the database."""
        self._history[client].append(moment)
        if len(self._unrecorded) < MOST_UNRECORDED:
            self._unrecorded.append((client, moment))
            self._tell_trouble("notes", "")
        else:
            self._tell_trouble("notes", "too many changes of clients wait for the database: some are lost")

    def _was_away(self) -> None:
        """Take note of how long there was no hub: nobody could see then."""
        now = self._clocks.wall()
        for client in self._history:
            self._set_right(client, now)
        since = min(self._seen_last(), now)
        for client, history in self._history.items():
            if history[-1].health != Health.HEALTH_UNSPECIFIED:
                gone = max(since, history[-1].since + MICROSECOND)
                self._note(client, Moment(gone, Health.HEALTH_UNSPECIFIED, health.AWAY))
        # At once: a report of that time may be due already.
        self._unrecorded = self._write_down(self._unrecorded)

    def _seen_last(self) -> datetime:
        """Return when a hub ran last: by its sign of life; where that is lost, by all that it wrote down."""
        pulse = read_pulse(self._state_dir)
        if pulse is not None:
            return pulse.time
        heard = (seen.node.last_seen for seen in self._fleet.nodes())
        known = [history[-1].since for history in self._history.values()]
        return max([*known, *(time for time in heard if time is not None)], default=self._clocks.wall())

    async def _look_slowly(self) -> None:
        """Look at what takes a while, and write down what has changed, for ever."""
        loop = asyncio.get_running_loop()
        for count in itertools.count():
            changes, self._unrecorded = self._unrecorded, []
            left = await loop.run_in_executor(self._thread, self._write_down, changes)
            self._unrecorded[:0] = left
            await loop.run_in_executor(self._thread, self._measure, count)
            await asyncio.sleep(SLOW_SECONDS)

    async def _live(self) -> None:
        """Give signs of life for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await loop.run_in_executor(self._thread, self._beat, self._pulse(running=True))
            await asyncio.sleep(SLOW_SECONDS)

    def _pulse(self, *, running: bool) -> Pulse:
        tracker = self._lookout.tracker
        canaries = {"/".join(key): tracker.view(key) for key in tracker.keys()}  # noqa: SIM118 - no mapping
        nodes = [seen for seen in self._fleet.nodes() if seen.report is None]
        unheard = [
            f"{seen.node.client}/{seen.node.name}" for seen in nodes if seen.node.last_seen is not None
        ]
        return Pulse(self._clocks.wall(), canaries, unheard, running)

    def _write_down(self, changes: list[tuple[str, Moment]]) -> list[tuple[str, Moment]]:
        """Write down how clients are from some moment on; return what could not be. In the thread."""
        try:
            if changes:
                chronicle.record(self._engine, changes)
        except SQLAlchemyError as error:
            self._tell_trouble("clients", f"how clients are cannot be written down: {error}")
            return changes
        self._tell_trouble("clients", "")
        return []

    def _beat(self, pulse: Pulse) -> None:
        """Give a sign of life, in the thread."""
        try:
            write_pulse(self._state_dir, pulse)
        except OSError as error:
            self._tell_trouble("pulse", f"no sign of life can be written: {error}")
        else:
            self._tell_trouble("pulse", "")

    def _measure(self, count: int) -> None:
        """Find out what takes a while, in the thread."""
        slow = self._lookout.slow
        try:
            slow.free_bytes = shutil.disk_usage(self._state_dir).free
            if count % BALANCE_EVERY == 0:
                balances = ledger.balances(self._engine, self._state_dir / "journal.db")
                slow.unstored = {(one.client, one.node): one.unaccounted for one in balances}
                slow.failing = ledger.failing(self._engine)
                before, slow.settled = slow.settled, settle.settled(self._engine)
                for (client, node), one in settle.fresh(before, slow.settled) if count else ():
                    logs.event(LOG, logging.INFO, "loss settled", client=client, node=node, **one.facts())
            if count % FORGET_EVERY == 0:
                chronicle.forget(self._engine, self._clocks.wall())
        except (OSError, OperatorError, SQLAlchemyError, sqlite3.Error) as error:
            self._tell_trouble("measures", str(error))
        else:
            self._tell_trouble("measures", "")

    def _tell_trouble(self, work: str, reason: str) -> None:
        """Log what does not work, once for as long as it does not; nothing where it does."""
        if reason and reason != self._troubles.get(work):
            logs.event(LOG, logging.ERROR, "the vigil cannot do all of its work", reason=reason)
        self._troubles[work] = reason
