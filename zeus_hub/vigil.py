"""Keeps watch: judges every node and the hub each second, has conditions told, and says how clients are."""

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
from zeus_hub.conditions import Judged, judge_hub, judge_node
from zeus_hub.health import Moment, Standing
from zeus_hub.local import Pulse, read_pulse, write_pulse
from zeus_hub.lookout import Lookout
from zeus_hub.raising import Book, Key, Open, Place
from zeus_hub.registry import HUB
from zeus_hub.telling import Announce, Teller

LOG = logging.getLogger("zeus.vigil")

TICK_SECONDS = 1.0  # between two looks
AT_ONCE = 50  # nodes judged before others get their turn
SLOW_SECONDS = 5.0  # between two looks at what takes a while, and between two signs of life
BALANCE_EVERY = 12  # of these: what was taken and what became of it are compared
FORGET_EVERY = 720  # of these
MOST_UNRECORDED = 4096  # changes of clients that wait for the database
MICROSECOND = timedelta(microseconds=1)
AWAY = "the hub did not run"


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
        """Judge every node and the hub."""
        at = self._lookout.look()
        limits = self._lookout.limits
        judged: dict[Place, Judged] = {}
        for count, seen in enumerate(self._fleet.nodes(), start=1):
            judged[seen.node.client, seen.node.name] = judge_node(self._lookout.node(seen, at), limits)
            if count % AT_ONCE == 0:
                await asyncio.sleep(0)
        judged[HUB] = judge_hub(self._lookout.hub(at), limits)
        if not self._teller.is_full:
            self._teller.take(self._book.step(judged, at=at, now=self._clocks.wall()))
        self._judge()
        self._looked_at = self._clocks.monotonic()

    def _judge(self) -> None:
        """Say how all nodes and clients are."""
        opened: dict[Place, list[Open]] = {}
        for one in self._book.opened():
            opened.setdefault((one.client, one.node), []).append(one)
        clients: dict[str, dict[str, Standing]] = {name: {} for name in self._fleet.enabled}
        for seen in self._fleet.nodes():
            node, key = seen.node, (seen.node.client, seen.node.name)
            standing = health.of_node(
                opened.get(key, ()),
                revoked=node.revoked is not None,
                heard=seen.report is not None,
                seen=node.last_seen is not None,
            )
            clients.setdefault(key[0], {})[key[1]] = standing
            self._fleet.judged(key, standing.health, standing.reasons)
        own = health.of_node(opened.get(HUB, ()), revoked=False, heard=True, seen=True)
        clients[HUB[0]] = {HUB[1]: own}
        now = self._clocks.wall()
        for name, nodes in clients.items():
            standing = health.of_client(nodes, enabled=self._fleet.enabled.get(name, True))
            history = self._follow(name, standing, now)
            self._fleet.judged_client(chronicle.status(name, standing, history, now))

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
                self._note(client, Moment(gone, Health.HEALTH_UNSPECIFIED, AWAY))

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
