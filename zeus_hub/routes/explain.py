"""Why one alert goes where it goes: what each route says of it, and what would hold it back. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from socme.v1.watch_pb2 import StoredAlert
from zeus_hub.routes.decide import Labels, grouped, matches
from zeus_hub.routes.due import is_muted
from zeus_hub.routes.inhibition import marks
from zeus_hub.routes.matcher import Matcher, Subject, subject
from zeus_hub.routes.rules import Inhibition, Route, Rules
from zeus_hub.routes.silence import Silence


@dataclass(frozen=True, slots=True)
class Asked:
    """A part of an expression, and whether it holds."""

    text: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """What a route says of an alert."""

    route: Route
    tried: bool
    """Whether it was its turn: not, where a route above has taken the alert and does not go on."""
    for_client: bool
    matches: bool
    parts: tuple[Asked, ...]
    """What && joins in its expression."""
    labels: Labels
    """Of the group; empty where it does not match."""
    muted: bool
    """Whether it tells nobody now: it is a mute time, or no active one."""

    @property
    def takes(self) -> bool:
        """Whether the alert goes into a group of this route."""
        return self.tried and self.matches


@dataclass(frozen=True, slots=True)
class Holding:
    """What an inhibition says of an alert."""

    inhibition: Inhibition
    is_source: bool
    is_target: bool
    holds: bool
    """Whether the alert is held back by it now."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that decides about one alert."""

    trials: tuple[Trial, ...]
    """All routes, in their order."""
    holdings: tuple[Holding, ...]
    """Inhibitions that it is a source or target of."""
    silences: tuple[Silence, ...]
    """Those that hold it back now."""


def explain(
    rules: Rules,
    stored: StoredAlert,
    now: datetime,
    *,
    silences: Sequence[Silence] = (),
    is_held: Callable[[str], bool] = lambda _veil: False,
) -> Explanation:
    """Explain an alert; `is_held` knows what fires, as Grouping.is_held does."""
    asked = subject(stored)
    holding = [each for each in silences if each.holds(now) and each.meets(stored.client, asked)]
    holdings = [_holding(each, stored, asked, is_held) for each in rules.inhibitions]
    return Explanation(
        _trials(rules.routes, stored, asked, now),
        tuple(each for each in holdings if each.is_source or each.is_target),
        tuple(holding),
    )


def _trials(routes: Sequence[Route], stored: StoredAlert, asked: Subject, now: datetime) -> tuple[Trial, ...]:
    trials, turn = [], True
    for route in routes:
        trial = _trial(route, stored, asked, turn=turn, now=now)
        turn = turn and (route.goes_on or not trial.takes)
        trials.append(trial)
    return tuple(trials)


def _trial(route: Route, stored: StoredAlert, asked: Subject, *, turn: bool, now: datetime) -> Trial:
    meant = matches(route, stored, asked)
    return Trial(
        route,
        tried=turn,
        for_client=route.clients is None or stored.client in route.clients,
        matches=meant,
        parts=_parts(route.match, asked),
        labels=grouped(route, stored).labels if meant else (),
        muted=is_muted(route, now),
    )


def _parts(matcher: Matcher | None, asked: Subject) -> tuple[Asked, ...]:
    return tuple(Asked(part.text, part.holds(asked)) for part in matcher.parts) if matcher else ()


def _holding(
    inhibition: Inhibition, stored: StoredAlert, asked: Subject, is_held: Callable[[str], bool]
) -> Holding:
    fires, veil = marks([inhibition], stored, asked)
    return Holding(inhibition, bool(fires), bool(veil), any(is_held(name) for name in veil))
