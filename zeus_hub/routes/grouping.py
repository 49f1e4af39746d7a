"""All groups that live: takes alerts and what people do about them, and says what is to be told when. Pure.

Held in memory by whoever runs it, by one thread at a time; what has changed is handed over by drain(), to be
kept in the transaction that moves the cursors. Where that fails, a new Grouping is made of what was kept.
The same alerts in the same order make the same groups with the same ids.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple

from socme.triage import CLOSED, NEW
from socme.v1.alert_pb2 import AlertSource, ConditionState
from socme.v1.watch_pb2 import StoredAlert
from zeus_hub.routes.decide import Grouped, grouped, others, taken
from zeus_hub.routes.due import Moment, Telling, is_muted, look, wake
from zeus_hub.routes.group import TOLD, Arrival, Group, Ticket, add, begin, change, cover
from zeus_hub.routes.inhibition import Source, Sources, marks, owner, owner_of
from zeus_hub.routes.kept import Routed, Row
from zeus_hub.routes.matcher import names, subject
from zeus_hub.routes.rules import Route, Rules
from zeus_hub.routes.silence import PREFIX, Silence
from zeus_hub.routes.steady import Steady
from zeus_hub.routes.summary import fold, weight

MOST_GROUPS = 500  # of one client by one route at a time; further alerts share a group called "others"

NOWHERE = Routed()


class Told(NamedTuple):
    """A group that is to be told, as it was then."""

    row: Row
    telling: Telling


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be kept, and what is to be forgotten."""

    rows: tuple[Row, ...]
    ended: tuple[str, ...]
    """Group.id."""
    sources: tuple[Source, ...]
    silent: tuple[str, ...]
    """Source.name."""
    told: tuple[Told, ...]
    """What is to be told, each once: it counts as told as soon as the rows are kept."""


@dataclass(slots=True)
class _Waiting:
    """What came for a group in one portion, and was not counted yet."""

    route: Route
    group: Group
    alerts: list[StoredAlert] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


class Grouping:
    """The groups that live."""

    def __init__(
        self,
        rules: Rules,
        silences: Iterable[Silence] = (),
        *,
        rows: Iterable[Row] = (),
        sources: Iterable[Source] = (),
        steady: Steady | None = None,
    ) -> None:
        self.steady = steady or Steady()
        self._rows = {row.group.key: row for row in rows}
        self._keys = {row.group.id: key for key, row in self._rows.items()}
        self._sizes = Counter((row.group.route, row.group.client) for row in self._rows.values())
        self._sources = Sources(sources)
        self._changed: set[str] = set()
        self._ended: set[str] = set()
        self._told: list[Told] = []
        self._wakes: dict[str, float] = {}
        self._silences: dict[str, Silence] = {}
        self.orphans: Counter[str] = Counter()
        """Alerts that nobody was told of, whose groups have ended with their route, by its name."""
        self.heed(rules, silences)

    @property
    def rows(self) -> Sequence[Row]:
        """All groups that live."""
        return tuple(self._rows.values())

    def next(self) -> float | None:
        """Return when, in seconds of `steady`, a group must be looked at next; None for never."""
        return min((at for at in self._wakes.values() if at > self.steady.seconds), default=None)

    def heed(self, rules: Rules, silences: Iterable[Silence]) -> None:
        """Go by these rules and silences from now on.

        Groups whose route is gone, or is not for their client any more, end without a word: their receivers
        may be another client's now. What an inhibition held back that is gone is told at the next look.
        """
        self._rules = rules
        self._routes = {route.name: route for route in rules.routes}
        self._keepers = rules.keepers()
        self._owners = {owner(each) for each in rules.inhibitions}
        self._silences = {silence.veil: silence for silence in silences}
        self._names = rules.names() | names(silence.match for silence in self._silences.values())
        for row in self.rows:
            route = self._routes.get(row.group.route)
            if route is None or (route.clients is not None and row.group.client not in route.clients):
                self.orphans[row.group.route] += row.group.untold
                self._end(row.group)
            else:
                self._wakes[row.group.key] = wake(row.group, route)

    def cover(self, silence: Silence, ids: Iterable[str]) -> None:
        """Put groups, by id, under a new silence, as far as they have alerts; silence.covers() says which."""
        for key in {self._keys[each] for each in ids if each in self._keys}:
            row = self._rows[key]
            self._put(Row(cover(row.group, silence.veil), row.summary))

    def take(
        self, alerts: Sequence[StoredAlert], now: datetime, *, told: Collection[int] = ()
    ) -> list[Routed]:
        """Take alerts, in the journal's order, and return where each went.

        `told` are the places of those of which their node told people itself.
        StoredAlert.triage says where an alert stands as it comes: what led there must not come as a change,
        and what comes later must.
        """
        self._advance(now)
        waiting: dict[str, _Waiting] = {}
        fires: list[tuple[str, ...]] = []
        for place, stored in enumerate(alerts):
            own = (TOLD,) if place in told else ()
            fires.append(() if _is_nothing(stored) else self._sort(stored, place, waiting, now, own))
        tickets: defaultdict[int, list[Ticket]] = defaultdict(list)
        for key, each in waiting.items():
            for place, ticket in zip(each.places, self._count(key, each), strict=True):
                tickets[place].append(ticket)
        return [
            Routed(tuple(tickets[place]), fired, place in told, self.steady.seconds)
            if place in tickets or fired
            else NOWHERE
            for place, fired in enumerate(fires)
        ]

    def change(self, routed: Routed, before: int, after: int) -> None:
        """Take it that people did something about an alert since the last look; both are a TriageStatus."""
        opened = (after != CLOSED) - (before != CLOSED)
        if opened:
            for mark in routed.fires:
                self._sources.change(mark, routed.came, opened)
        for ticket in routed.tickets:
            key = self._keys.get(ticket.group)
            if key is not None and before != after:
                row = self._rows[key]
                self._put(Row(change(row.group, ticket, before, after), row.summary))

    def tick(self, now: datetime) -> None:
        """Look at every group whose time has come; drain() has what is to be told."""
        self._advance(now)

    def drain(self) -> Changes:
        """Return what has changed since this was called last."""
        changed = Changes(
            rows=tuple(self._rows[key] for key in self._changed if key in self._rows),
            ended=tuple(self._ended),
            sources=tuple(found for name in self._sources.changed if (found := self._sources.get(name))),
            silent=tuple(name for name in self._sources.changed if not self._sources.get(name)),
            told=tuple(self._told),
        )
        self._told = []
        self._changed, self._ended, self._sources.changed = set(), set(), set()
        return changed

    def is_held(self, veil: str, now: datetime) -> bool:
        """Tell whether what a name in a veil stands for holds alerts back now, from all receivers."""
        if veil == TOLD:
            return False
        if veil.startswith(PREFIX):
            silence = self._silences.get(veil)
            return silence is not None and silence.holds(now)
        return owner_of(veil) in self._owners and self._sources.holds(veil, self.steady.seconds)

    def _advance(self, now: datetime) -> None:
        """Look at every group whose time has come."""
        self.steady = self.steady.at(now)
        seconds = self.steady.seconds
        self._sources.expire(seconds)
        for key in [key for key, at in self._wakes.items() if at <= seconds]:
            row = self._rows[key]
            route = self._routes[row.group.route]
            held = partial(self.is_held, now=now)
            moment = Moment(seconds, is_muted(route, now), held, self._keepers)
            group, telling, ended = look(row.group, route, moment)
            seen = Row(group, row.summary)
            if telling:
                self._told.append(Told(seen, telling))
            if ended:
                self._end(group)
            elif group != row.group:
                self._put(seen)

    def _sort(
        self,
        stored: StoredAlert,
        place: int,
        waiting: dict[str, _Waiting],
        now: datetime,
        own: tuple[str, ...],
    ) -> tuple[str, ...]:
        """Put an alert to the others of its groups; return of which inhibitions it is a source.

        `own` is in its veil beside what the rules and silences put there.
        """
        asked = subject(stored, self._names)
        fires, veil = marks(self._rules.inhibitions, stored, asked)
        for mark in fires:
            self._sources.fire(mark, self.steady.seconds)
        silent = [
            each.veil
            for each in self._silences.values()
            if each.holds(now) and each.meets(stored.client, asked)
        ]
        status = stored.triage.status or NEW
        arrival = Arrival(
            stored.alert.severity, weight(stored), tuple(sorted([*veil, *silent, *own])), status
        )
        for route in taken(self._rules.routes, stored, asked):
            each = self._waiting(route, stored, waiting)
            each.alerts.append(stored)
            each.arrivals.append(arrival)
            each.places.append(place)
        return fires

    def _waiting(self, route: Route, stored: StoredAlert, waiting: dict[str, _Waiting]) -> _Waiting:
        """Return what waits for an alert's group by a route; the group may begin with it."""
        found = grouped(route, stored)
        known = found.key in waiting or found.key in self._rows
        if not known and self._sizes[route.name, stored.client] >= MOST_GROUPS:
            found = others(route, stored.client)
        if found.key not in waiting:
            row = self._rows.get(found.key)
            group = row.group if row else self._begin(route, found, stored)
            waiting[found.key] = _Waiting(route, group)
        return waiting[found.key]

    def _begin(self, route: Route, found: Grouped, stored: StoredAlert) -> Group:
        self._sizes[route.name, stored.client] += 1
        first = (stored.client.encode(), stored.node.encode(), stored.alert.id)
        return begin(route, found.key, found.labels, first=first, now=self.steady.seconds)

    def _count(self, key: str, waiting: _Waiting) -> list[Ticket]:
        """Take what waits into its group."""
        group, tickets = add(waiting.group, waiting.arrivals, waiting.route, self.steady.seconds)
        row = self._rows.get(key)
        self._put(Row(group, fold(row.summary if row else None, waiting.alerts)))
        return tickets

    def _put(self, row: Row) -> None:
        group = row.group
        self._rows[group.key] = row
        self._keys[group.id] = group.key
        self._wakes[group.key] = wake(group, self._routes[group.route])
        self._changed.add(group.key)

    def _end(self, group: Group) -> None:
        del self._rows[group.key], self._keys[group.id]
        self._wakes.pop(group.key, None)
        self._sizes[group.route, group.client] -= 1
        self._changed.discard(group.key)
        self._ended.add(group.id)


def _is_nothing(stored: StoredAlert) -> bool:
    """Tell whether there is nothing to tell of an alert: it is none, or is done with as it comes."""
    alert = stored.alert
    over = (
        alert.source == AlertSource.ALERT_SOURCE_SOCME
        and alert.condition.state == ConditionState.CONDITION_STATE_CLEARED
    )
    return alert.HasField("canary") or over or stored.triage.status == CLOSED
