"""One group of alerts: what is remembered of it, what comes into it and what people do about it. Pure.

When somebody is told of it, due.py says. What holds alerts back without ending them (silences, inhibition) is
a veil: alerts under one cause no notice. The group knows how many of its alerts are under which veil, not
each of them: whoever tells it of a change brings the ticket that the alert was given when it came.

All times are seconds of a steady clock.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from socme.triage import ACKNOWLEDGED, CLOSED, NEW
from zeus_hub.routes.rules import Route

MOST_VEILS = 64  # that a group tells apart; an alert under one more is told, which is the safe mistake
ID_BYTES = 16
TOLD = "told"  # in a veil: people know of it from the node itself, so only those who keep records are told


class Ticket(NamedTuple):
    """What finds an alert in its group again."""

    group: str
    """Group.id."""
    number: int
    """1 for the first alert of the group."""
    veil: int
    """Which of the group's veils it came under."""


class Veil(Struct, frozen=True, array_like=True):
    """What may hold alerts back, and how many are under it."""

    names: tuple[str, ...] = ()
    new: int = 0
    acknowledged: int = 0
    untold: int = 0
    """Those of both that no notice has told of."""

    @property
    def alerts(self) -> int:
        """Those that nobody has closed."""
        return self.new + self.acknowledged


class Group(Struct, frozen=True, kw_only=True):
    """All that is remembered of a group, but for what it says (summary.py)."""

    id: str
    """32 hexadecimal digits."""
    key: str
    """The same for all groups of the same route with the same labels; one of them lives at a time."""
    route: str
    client: str
    labels: tuple[tuple[str, str], ...]
    """Safe to show, and cut."""
    came: float
    """When the latest alert came, or was told where that was later than such a group lives."""
    due: float
    """When the group is looked at next."""
    veils: tuple[Veil, ...] = ()
    taken: int = 0
    """Alerts so far, also the number of the latest."""
    told: int = 0
    """Number of the last alert that a notice has told of."""
    fresh: int = 0
    """Alerts behind that, a roll-up counted with its count."""
    notices: int = 0
    records: int = 0
    """Notices that went to none but receivers that keep records."""
    told_at: float = 0.0
    """When all were told last."""
    chain: float | None = None
    """When the escalation began that is on its way."""
    level: int = 0
    """How many of its steps have been taken."""
    reached: int = 0
    """The most that were ever taken: whoever was told of the alerts is told of their end, though an
    acknowledgement has begun the steps anew."""

    @property
    def open(self) -> int:
        """Alerts that nobody has closed."""
        return sum(veil.alerts for veil in self.veils)

    @property
    def untold(self) -> int:
        """Those of them that no notice has told of."""
        return sum(veil.untold for veil in self.veils)

    @property
    def new(self) -> int:
        """Alerts that nobody has looked at."""
        return sum(veil.new for veil in self.veils)


class Arrival(NamedTuple):
    """An alert that comes into a group, and that nobody has closed."""

    severity: int
    weight: int
    """How many alerts it stands for."""
    veil: tuple[str, ...] = ()
    """Names of what may hold it back, in order."""
    status: int = NEW


def begin(
    route: Route, key: str, labels: tuple[tuple[str, str], ...], *, first: Iterable[bytes], now: float
) -> Group:
    """Return a group without alerts; by its first alert's name it is known again after a crash."""
    said = b"\0".join((route.name.encode(), key.encode(), *first))
    return Group(
        id=hashlib.blake2b(said, digest_size=ID_BYTES).hexdigest(),
        key=key,
        route=route.name,
        client=dict(labels)["client"],
        labels=labels,
        came=now,
        due=now + route.group_wait,
    )


def add(group: Group, arrivals: Sequence[Arrival], route: Route, now: float) -> tuple[Group, list[Ticket]]:
    """Take alerts into a group, and return the ticket of each."""
    veils = _Veils(group.veils)
    tickets = []
    for number, arrival in enumerate(arrivals, group.taken + 1):
        tickets.append(Ticket(group.id, number, veils.count(arrival)))
    urgent = route.urgent is not None and any(arrival.severity >= route.urgent for arrival in arrivals)
    added = replace(
        group,
        came=now,
        due=min(group.due, now) if urgent and not group.notices else group.due,
        veils=veils.counted(),
        taken=group.taken + len(arrivals),
        fresh=group.fresh + sum(arrival.weight for arrival in arrivals),
    )
    return added, tickets


def change(group: Group, ticket: Ticket, before: int, after: int) -> Group:
    """Return the group after what people did about one of its alerts; both are a TriageStatus.

    Any acknowledgement ends an escalation, as does that nothing is new any more; the next notice of something
    that came later begins another.
    """
    veil = group.veils[ticket.veil]
    opened = (after != CLOSED) - (before != CLOSED)
    changed = Veil(
        veil.names,
        max(0, veil.new + (after == NEW) - (before == NEW)),
        max(0, veil.acknowledged + (after == ACKNOWLEDGED) - (before == ACKNOWLEDGED)),
        max(0, veil.untold + (opened if ticket.number > group.told else 0)),
    )
    group = replace(group, veils=(*group.veils[: ticket.veil], changed, *group.veils[ticket.veil + 1 :]))
    if after == ACKNOWLEDGED or not group.new:
        return replace(group, chain=None, level=0)
    return group


def cover(group: Group, name: str) -> Group:
    """Put all alerts that the group has so far under one more veil; those to come are as they are.

    Where the group knows the veil already, that was done before, or as alerts came: nothing changes.
    """
    known = any(name in veil.names for veil in group.veils)
    if known or len(group.veils) > MOST_VEILS:  # one more for those to come would be one too many
        return group
    veils = tuple(replace(veil, names=tuple(sorted({*veil.names, name}))) for veil in group.veils)
    return replace(group, veils=veils)


class _Veils:
    """A group's veils while alerts are counted. Their places never change: tickets name them."""

    def __init__(self, veils: Sequence[Veil]) -> None:
        self._names = [veil.names for veil in veils]
        self._counts = [[veil.new, veil.acknowledged, veil.untold] for veil in veils]
        self._places = {names: place for place, names in enumerate(self._names)}

    def count(self, arrival: Arrival) -> int:
        """Count an alert, and return the place of its veil."""
        place = self._places.get(arrival.veil)
        if place is None:
            place = self._new_place(arrival.veil)
        count = self._counts[place]
        count[arrival.status == ACKNOWLEDGED] += 1
        count[2] += 1
        return place

    def counted(self) -> tuple[Veil, ...]:
        """Return the veils with what is under them now."""
        return tuple(Veil(names, *count) for names, count in zip(self._names, self._counts, strict=True))

    def _new_place(self, names: tuple[str, ...]) -> int:
        """Return the place of a veil that the group does not know yet: one that nothing is under any more."""
        if len(self._names) >= MOST_VEILS:
            free = next((place for place, count in enumerate(self._counts) if not any(count)), None)
            if free is not None:
                self._places.pop(self._names[free], None)
                self._names[free], self._places[names] = names, free
                return free
            names = ()
            if names in self._places:
                return self._places[names]
        self._names.append(names)
        self._counts.append([0, 0, 0])
        self._places[names] = len(self._names) - 1
        return self._places[names]
