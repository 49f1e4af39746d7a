"""What people have agreed on: who is told of which alerts, and when. Values that are known to be right."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from zeus_hub import periods
from zeus_hub.rota import Rota, in_charge
from zeus_hub.routes.hush import Hush
from zeus_hub.routes.matcher import Matcher, names

TAKEN = ("routes", "store")
"""What no receiver is called: `zeus sink list` and the hub's conditions have them beside the receivers."""
TAKE_REPORTS = frozenset({"mail"})
"""Kinds of receivers that can be told of a day or a month."""
RECORDS = frozenset({"thehive", "webhook"})
"""Kinds of receivers that keep records, and tell no person."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written."""

    file: Path
    line: int

    def __str__(self) -> str:
        """Return it as compilers do."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who else is told where nobody has acknowledged anything."""

    after: float
    """Seconds since the first notice."""
    receivers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which alerts are told together, to whom and when; spans of time are seconds."""

    name: str
    place: Place
    clients: frozenset[str] | None
    """None for all."""
    match: Matcher | None
    """None for everything."""
    group_by: tuple[str, ...]
    """Fields that the alerts of a group have in common; `client` is the first."""
    group_wait: float
    group_interval: float
    repeat_interval: float
    resolve_after: float
    receivers: tuple[str, ...]
    goes_on: bool
    """Whether later routes are tried too where this one matches."""
    mute: tuple[Hush, ...]
    """At none of these times anybody is told."""
    active: tuple[Hush, ...]
    """Only at these times somebody is told; always, where there are none."""
    urgent: int | None
    """The severity from which nobody waits for companions; None for none."""
    escalate: tuple[Escalation, ...]
    """The earliest first."""

    @property
    def everybody(self) -> frozenset[str]:
        """All receivers, and rotas, that it may tell."""
        return frozenset((*self.receivers, *(name for step in self.escalate for name in step.receivers)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibition:
    """While an alert that is a source fires, nobody is told of the targets that equal it."""

    place: Place
    source: Matcher
    target: Matcher
    equal: tuple[str, ...]
    """Fields; `client` is the first."""

    @property
    def key(self) -> str:
        """The same as long as it says the same, wherever it stands."""
        return json.dumps([self.source.text, self.target.text, *self.equal])


@dataclass(frozen=True, slots=True)
class Receiver:
    """A place that is told, as it is described; what the options mean, its kind knows."""

    name: str
    kind: str
    options: Mapping[str, object] = field(repr=False)
    """May name secrets: never shown."""
    place: Place

    @property
    def keeps_records(self) -> bool:
        """Whether it is there to have all alerts, and not to tell a person."""
        return self.kind in RECORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCall:
    """A name that stands for the receivers of whoever is on call."""

    name: str
    place: Place
    rota: Rota
    people: Mapping[str, str]
    """Receivers, by the names that the calendar has."""
    otherwise: str
    """The receiver where nobody is on call, or somebody who is not among the people."""

    @property
    def everybody(self) -> frozenset[str]:
        """All receivers that it may stand for."""
        return frozenset((*self.people.values(), self.otherwise))

    def receivers(self, now: datetime) -> tuple[str, ...]:
        """Return who is told at a time."""
        told = [self.people.get(name, self.otherwise) for name in in_charge(self.rota, now)]
        return tuple(dict.fromkeys(told)) or (self.otherwise,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is told of clients every day or every month."""

    name: str
    place: Place
    kind: periods.Kind
    clients: frozenset[str] | None
    """None for all that are enabled."""
    at: time
    """By the clock of the zone; of a month, on the first day of the next."""
    zone: ZoneInfo
    receivers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """All that is agreed on."""

    routes: tuple[Route, ...] = ()
    """In the order in which they are tried."""
    inhibitions: tuple[Inhibition, ...] = ()
    receivers: Mapping[str, Receiver] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    """What is not wrong, but hardly meant."""
    rotas: Mapping[str, OnCall] = field(default_factory=dict)
    reports: tuple[Report, ...] = ()

    def resolve(self, name: str, now: datetime) -> tuple[str, ...]:
        """Return the receivers that a name stands for at a time: itself, unless it is a rota's."""
        rota = self.rotas.get(name)
        return (name,) if rota is None else rota.receivers(now)

    def clients_of(self, receiver: str) -> frozenset[str] | None:
        """Return of whose alerts a receiver may be told; None for all."""
        names = {receiver, *(name for name, rota in self.rotas.items() if receiver in rota.everybody)}
        found: set[str] = set()
        for clients, told in (
            *((route.clients, route.everybody) for route in self.routes),
            *((report.clients, frozenset(report.receivers)) for report in self.reports),
        ):
            if names & told:
                if clients is None:
                    return None
                found |= clients
        return frozenset(found)

    def keepers(self) -> frozenset[str]:
        """Return the names of receivers that keep records."""
        return frozenset(name for name, each in self.receivers.items() if each.keeps_records)

    def names(self) -> frozenset[str]:
        """Return what a subject must have for all matchers to be asked."""
        sides = [side for each in self.inhibitions for side in (each.source, each.target)]
        return names([*(route.match for route in self.routes), *sides])
