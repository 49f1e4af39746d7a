"""Decides for every stored alert who is told of it and when, and puts that into the outbox.

It follows the store, in which each alert stands once and in the journal's order, and the changes of triage
behind it. Each step is one transaction: groups, places and letters are there together or not at all, so a
crash tells nobody twice and forgets nobody. All waits for the database, in a thread of its own.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, Engine

from socme import logs
from socme.v1.watch_pb2 import StoredAlert
from zeus_hub import foretold, groups, outbox, silences
from zeus_hub.database import writing
from zeus_hub.groups import Progress
from zeus_hub.routes.grouping import NOWHERE, Changes, Grouping, Told
from zeus_hub.routes.kept import Routed, Row
from zeus_hub.routes.rules import Rules
from zeus_hub.routes.silence import Silence, covering
from zeus_hub.routes.steady import Steady
from zeus_hub.routes.summary import notice

LOG = logging.getLogger("zeus.router")

ALERTS_AT_ONCE = 500  # in one transaction, which others wait for
CHANGES_AT_ONCE = 1000
# New silences, and groups that are asked whether those are about them.
SILENCES_AT_ONCE = 50
GROUPS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did."""

    receivers: frozenset[str]
    """Those who have something new in the outbox."""
    more: bool
    """Whether there is more to take at once."""


_UNCHANGED = Changes((), (), (), (), ())
IDLE = Step(frozenset(), more=False)


class Router:
    """Used by one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._rules = Rules()
        self._grouping: Grouping | None = None
        self._silences: Sequence[Silence] = ()
        self._said: silences.Said = ()
        self._new: Sequence[Silence] = ()
        """Silences that groups of before are being put under."""
        self._unasked: list[Row] = []
        """The groups of which it is not known yet whether those are about them."""

    def heed(self, rules: Rules) -> None:
        """Go by these rules from the next step on."""
        self._rules = rules
        if self._grouping is not None:
            self._grouping.heed(rules, self._silences)

    def step(self, now: datetime) -> Step:
        """Take what is new, look at what is due; may raise SQLAlchemyError, and then nothing was done."""
        try:
            with writing(self._engine) as connection:
                done = self._step(connection, now)
        except BaseException:
            self._grouping = None  # it is ahead of what is kept: read anew
            raise
        if self._grouping is not None:
            _tell_orphans(self._grouping)
        return done

    def _step(self, connection: Connection, now: datetime) -> Step:
        reached = groups.progress(connection)
        if reached is None:
            if not self._rules.routes:
                return IDLE
            reached = groups.begin(connection, Steady().at(now))
        grouping = self._ready(connection, reached)
        silence, more = self._hush(connection, grouping, reached.silence, now)
        alert, change = reached.alert, reached.change
        if not more:  # what a silence holds back that was made already must not be told meanwhile
            alert, change, more = self._go_on(connection, grouping, reached, now)
        drained = grouping.drain()
        after = Progress(alert, change, silence, grouping.steady)
        moved = after != replace(reached, steady=grouping.steady)  # or the clock that is kept is damaged
        if moved or drained != _UNCHANGED:  # a step each half second must not write each time
            groups.save(connection, drained, after)
        return Step(self._tell(connection, drained.told, now), more=more)

    def _go_on(
        self, connection: Connection, grouping: Grouping, reached: Progress, now: datetime
    ) -> tuple[int, int, bool]:
        """Take what is new and look at what is due; return the last alert and change, and if there is more.

        What people did since the last step counts before a look at what is due: who was in time is in time.
        That holds for alerts that are taken only now, too.
        """
        changed = groups.changes(connection, reached.change, CHANGES_AT_ONCE)
        self._change(connection, grouping, [each for each in changed if each.alert <= reached.alert])
        change = changed[-1].number if changed else reached.change
        taken = groups.arrivals(connection, reached.alert, ALERTS_AT_ONCE)
        self._take(connection, grouping, taken, now)
        late = groups.changes_of(connection, [number for number, _ in taken], change)
        self._change(connection, grouping, late)
        grouping.tick(now)
        alert = taken[-1][0] if taken else reached.alert
        return alert, change, len(taken) == ALERTS_AT_ONCE or len(changed) == CHANGES_AT_ONCE

    def _ready(self, connection: Connection, reached: Progress) -> Grouping:
        """Return the groups; read them where this is the first step, or the one before failed."""
        if self._grouping is None:
            rows, sources = groups.load(connection)
            self._silences, self._said = (), ()
            self._new, self._unasked = (), []
            self._grouping = Grouping(self._rules, rows=rows, sources=sources, steady=reached.steady)
        return self._grouping

    def _hush(
        self, connection: Connection, grouping: Grouping, reached: int, now: datetime
    ) -> tuple[int, bool]:
        """Heed silences that were made, changed or ended since the last step.

        Those behind `reached` are new, and some groups of before are put under some of them. Returns the
        number of the last that all groups have been asked about, and whether there is more to do.
        """
        said = silences.said(connection, now)
        if said != self._said:
            self._silences, self._said = silences.active(connection, now), said
            grouping.heed(self._rules, self._silences)
        if not self._unasked:
            self._new = [each for each in self._silences if int(each.id) > reached][:SILENCES_AT_ONCE]
            clients = {each.client for each in self._new}
            self._unasked = [row for row in grouping.rows if row.group.client in clients]
        asked, self._unasked = self._unasked[:GROUPS_AT_ONCE], self._unasked[GROUPS_AT_ONCE:]
        for row in asked:
            self._cover(connection, grouping, row)
        if self._new and not self._unasked:
            reached = int(self._new[-1].id)
        return reached, bool(self._unasked) or any(int(each.id) > reached for each in self._silences)

    def _cover(self, connection: Connection, grouping: Grouping, row: Row) -> None:
        """Put a group under those of the new silences that are about it."""
        group = row.group
        remembered = groups.remembered(connection, group.client, row.summary.members)
        for silence in covering([each for each in self._new if each.client == group.client], remembered):
            grouping.cover(silence, [group.id])

    def _take(
        self,
        connection: Connection,
        grouping: Grouping,
        taken: Sequence[tuple[int, StoredAlert]],
        now: datetime,
    ) -> None:
        if taken:
            alerts = [stored for _, stored in taken]
            routed = grouping.take(alerts, now, told=foretold.take(connection, alerts, now))
            numbers = (number for number, _ in taken)
            groups.keep_routed(connection, dict(zip(numbers, routed, strict=True)))

    def _change(self, connection: Connection, grouping: Grouping, changed: Sequence[groups.Change]) -> None:
        known: dict[int, Routed] = {}
        for begin in range(0, len(changed), ALERTS_AT_ONCE):
            part = changed[begin : begin + ALERTS_AT_ONCE]
            known |= groups.routed(connection, [each.alert for each in part])
        for each in changed:
            grouping.change(known.get(each.alert, NOWHERE), each.before, each.after)

    def _tell(self, connection: Connection, told: Iterable[Told], now: datetime) -> frozenset[str]:
        receivers: set[str] = set()
        titles: dict[str, str] = {}
        resolve = cache(lambda name: self._rules.resolve(name, now))
        for row, telling in told:
            titles = titles or groups.titles(connection)
            group = row.group
            name = titles.get(group.client, group.client)
            made = notice(group, row.summary, telling, client_name=name)
            who = dict.fromkeys(each for name in telling.receivers for each in resolve(name))
            for receiver in who:
                outbox.put(connection, receiver, made, now)
            receivers.update(who)
        return frozenset(receivers)


def _tell_orphans(grouping: Grouping) -> None:
    """Say, in the log, of which alerts nobody will be told, as their route is gone or called otherwise."""
    for route, alerts in grouping.orphans.items():
        if alerts:
            event = "a route is gone, and groups of it that nobody was told of"
            logs.event(LOG, logging.WARNING, event, route=route, alerts=alerts)
    grouping.orphans.clear()
