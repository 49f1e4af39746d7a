"""Decides for every stored alert who is told of it and when, and puts that into the outbox.

It follows the store, in which each alert stands once and in the journal's order, and the changes of triage
behind it. Each step is one transaction: groups, places and letters are there together or not at all, so a
crash tells nobody twice and forgets nobody. All waits for the database, in a thread of its own.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from socme.v1.watch_pb2 import StoredAlert
from zeus_hub import groups, outbox, silences
from zeus_hub.database import writing
from zeus_hub.groups import Progress
from zeus_hub.routes.grouping import NOWHERE, Changes, Grouping, Told
from zeus_hub.routes.kept import Routed, Row
from zeus_hub.routes.rules import Rules
from zeus_hub.routes.silence import Silence, covers
from zeus_hub.routes.steady import Steady
from zeus_hub.routes.summary import notice

ALERTS_AT_ONCE = 500  # in one transaction, which others wait for
CHANGES_AT_ONCE = 1000

Link = Callable[[str], str]
"""Returns where a person sees more of a group; empty where there is no such place."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did."""

    receivers: frozenset[str]
    """Those who have something new in the outbox."""
    more: bool
    """Whether there is more to take at once."""


_UNCHANGED = Changes((), (), (), (), ())
IDLE = Step(frozenset(), more=False)


def nowhere(group: str) -> str:
    """Return that there is no place where a person sees more."""
    del group
    return ""


class Router:
    """Used by one thread at a time."""

    def __init__(self, engine: Engine, link: Link = nowhere) -> None:
        self._engine = engine
        self._link = link
        self._rules = Rules()
        self._grouping: Grouping | None = None
        self._silences: Sequence[Silence] = ()
        self._said: silences.Said = ()

    def heed(self, rules: Rules) -> None:
        """Go by these rules from the next step on."""
        self._rules = rules
        if self._grouping is not None:
            self._grouping.heed(rules, self._silences)

    def step(self, now: datetime) -> Step:
        """Take what is new, look at what is due; may raise SQLAlchemyError, and then nothing was done."""
        try:
            with writing(self._engine) as connection:
                return self._step(connection, now)
        except BaseException:
            self._grouping = None  # it is ahead of what is kept: read anew
            raise

    def _step(self, connection: Connection, now: datetime) -> Step:
        reached = groups.progress(connection)
        if reached is None:
            if not self._rules.routes:
                return IDLE
            reached = groups.begin(connection, Steady().at(now))
        grouping = self._ready(connection, reached)
        self._hush(connection, grouping, now)
        # What people did since the last step counts before a look at what is due: who was in time is in time.
        changed = groups.changes(connection, reached.change, reached.alert, CHANGES_AT_ONCE)
        self._change(connection, grouping, changed)
        taken = groups.arrivals(connection, reached.alert, ALERTS_AT_ONCE)
        self._take(connection, grouping, taken, now)
        grouping.tick(now)
        drained = grouping.drain()
        alert = taken[-1][0] if taken else reached.alert
        change = changed[-1].number if changed else reached.change
        if taken or changed or drained != _UNCHANGED:  # a step each half second must not write each time
            groups.save(connection, drained, Progress(alert, change, grouping.steady))
        receivers = self._tell(connection, drained.told, now)
        return Step(receivers, more=len(taken) == ALERTS_AT_ONCE or len(changed) == CHANGES_AT_ONCE)

    def _ready(self, connection: Connection, reached: Progress) -> Grouping:
        """Return the groups; read them where this is the first step, or the one before failed."""
        if self._grouping is None:
            rows, sources = groups.load(connection)
            self._silences, self._said = (), ()
            self._grouping = Grouping(self._rules, rows=rows, sources=sources, steady=reached.steady)
        return self._grouping

    def _hush(self, connection: Connection, grouping: Grouping, now: datetime) -> None:
        """Heed silences that were made, changed or ended since the last step."""
        said = silences.said(connection, now)
        if said == self._said:
            return
        found = silences.active(connection, now)
        known = {each.id for each in self._silences}
        self._silences, self._said = found, said
        grouping.heed(self._rules, found)
        for silence in found:
            if silence.id not in known:
                grouping.cover(silence, _covered(connection, silence, grouping.rows))

    def _take(
        self,
        connection: Connection,
        grouping: Grouping,
        taken: Sequence[tuple[int, StoredAlert]],
        now: datetime,
    ) -> None:
        if taken:
            routed = grouping.take([stored for _, stored in taken], now)
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
        for row, telling in told:
            titles = titles or groups.titles(connection)
            group = row.group
            name = titles.get(group.client, group.client)
            made = notice(group, row.summary, telling, client_name=name, link=self._link(group.id))
            for receiver in telling.receivers:
                outbox.put(connection, receiver, made, now)
            receivers.update(telling.receivers)
        return frozenset(receivers)


def _covered(connection: Connection, silence: Silence, rows: Iterable[Row]) -> Iterable[str]:
    """Yield the groups that are there already and that a new silence is about."""
    for row in rows:
        if row.group.client == silence.client and covers(
            silence, groups.remembered(connection, row.group.client, row.summary.members)
        ):
            yield row.group.id
