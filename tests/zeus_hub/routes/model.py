"""What groups must do, in as few words as can be: every alert is kept, and asked each time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from socme.triage import ACKNOWLEDGED, CLOSED, NEW
from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub.routes.made import NOON
from zeus_hub.routes.rules import Route, Rules
from zeus_hub.routes.silence import Silence

REMEMBERED = 20  # alerts by which a new silence is judged
DAY = 86_400
TARGETS, SOURCES = ("1", "3"), ("2", "3")
"""Rules whose alerts an inhibition is about, and silences are about TARGETS as well."""


@dataclass
class Known:
    """An alert as the model knows it."""

    stored: StoredAlert
    at: float
    status: int = NEW

    @property
    def is_source(self) -> bool:
        """Whether it holds others back."""
        return self.stored.alert.rule.id in SOURCES

    @property
    def is_target(self) -> bool:
        """Whether it is held back."""
        return self.stored.alert.rule.id in TARGETS

    @property
    def alike(self) -> tuple[str, str]:
        """What source and target must have in common."""
        return self.stored.client, self.stored.alert.source_endpoint.ip


@dataclass
class Inside:
    """An alert in a group of the model."""

    known: Known
    silences: set[str]
    told: bool = False


@dataclass
class Bunch:
    """A group of the model."""

    route: Route
    labels: tuple[str, ...]
    due: float
    alerts: list[Inside] = field(default_factory=list)
    notices: int = 0
    told_at: float = 0
    chain: float | None = None
    level: int = 0
    reached: int = 0
    late: float = 0
    """When news was told that had been held back past the time after which all is over."""

    def anything_new(self) -> bool:
        """Tell whether somebody should look at it."""
        return any(each.known.status == NEW for each in self.alerts)

    def expired(self, now: float) -> bool:
        """Tell whether nothing has come for so long that it is over."""
        return now >= max(self.late, *(each.known.at for each in self.alerts)) + self.route.resolve_after

    def passed(self, now: float) -> float | None:
        """Return the last tick that has come by now and was not seen, and see it."""
        tick = None
        while self.due <= now:
            tick, self.due = self.due, self.due + self.route.group_interval
        return tick

    def steps(self, now: float) -> int:
        """Return how far the escalation has come."""
        if self.chain is None:
            return self.level
        return max(self.level, len([step for step in self.route.escalate if now - self.chain >= step.after]))


@dataclass
class Model:
    """All groups, and what they have told."""

    rules: Rules
    wants: Callable[[Route, StoredAlert], bool]
    muted: Callable[[datetime], bool]
    elapsed: float = 0
    wall: datetime = NOON
    alerts: list[Known] = field(default_factory=list)
    bunches: list[Bunch] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    told: list[tuple[object, ...]] = field(default_factory=list)

    def pass_to(self, now: datetime) -> None:
        """Look at everything at some time."""
        self.elapsed += max(0.0, (now - self.wall).total_seconds())
        self.wall = now
        for bunch in list(self.bunches):
            self._look(bunch)

    def take(self, stored: StoredAlert) -> None:
        """Take an alert."""
        known = Known(stored, self.elapsed)
        self.alerts.append(known)
        for route in self.rules.routes:
            if self.wants(route, stored):
                self._put(route, known)
                if not route.goes_on:
                    return

    def change(self, known: Known, status: int) -> None:
        """Do something about an alert."""
        if known.status == status:
            return
        known.status = status
        for bunch in self.bunches:
            touched = any(each.known is known for each in bunch.alerts)
            if touched and (status == ACKNOWLEDGED or not bunch.anything_new()):
                bunch.chain, bunch.level = None, 0

    def silence(self, silence: Silence) -> None:
        """Silence the targets of a client."""
        self.silences.append(silence)
        for bunch in self.bunches:
            if all(_meets(silence, each.known) for each in bunch.alerts[-REMEMBERED:]):
                for each in bunch.alerts:
                    each.silences.add(silence.id)

    def _put(self, route: Route, known: Known) -> None:
        labels = _labels(route, known.stored)
        bunch = next((each for each in self.bunches if (each.route, each.labels) == (route, labels)), None)
        if bunch is None:
            bunch = Bunch(route, labels, self.elapsed + route.group_wait)
            self.bunches.append(bunch)
        silences = {each.id for each in self.silences if self.wall < each.until and _meets(each, known)}
        bunch.alerts.append(Inside(known, silences))
        if route.urgent is not None and known.stored.alert.severity >= route.urgent and not bunch.notices:
            bunch.due = min(bunch.due, self.elapsed)

    def _held(self, one: Inside) -> bool:
        if any(each.id in one.silences and self.wall < each.until for each in self.silences):
            return True
        return one.known.is_target and any(self._holds_back(other, one.known) for other in self.alerts)

    def _holds_back(self, other: Known, target: Known) -> bool:
        if not other.is_source or other.status == CLOSED or other.alike != target.alike:
            return False
        if target.is_source and other.is_target:  # one that matches both is not held back by its like
            return False
        like = [each.at for each in self.alerts if each.is_source and each.alike == other.alike]
        since = sorted([other.at, *(at for at in like if at > other.at), self.elapsed])
        return all(later < earlier + DAY for earlier, later in pairwise(since))

    def _look(self, bunch: Bunch) -> None:
        muted, expired = self.muted(self.wall), bunch.expired(self.elapsed)
        tick = bunch.passed(self.elapsed)
        still = [each for each in bunch.alerts if each.known.status != CLOSED]
        heard = [] if muted else [each for each in still if not self._held(each)]
        news = any(not each.told for each in heard) and tick is not None
        nags = (news or not expired) and any(each.known.status == NEW for each in heard)
        steps = bunch.steps(self.elapsed) if nags else bunch.level
        reason = "" if tick is None else self._reason(bunch, tick, heard, nags=nags)
        over = tick is not None and not still and not (bunch.notices and muted)
        if over:
            reason = "over" if bunch.notices else ""
        if reason or steps > bunch.level:
            self._tell(bunch, reason, steps, tick)
        if news and expired:
            bunch.late = self.elapsed
        untold = any(not each.told for each in still) or (bunch.notices and not still)
        if over or (expired and not news and not untold):
            self.bunches.remove(bunch)

    def _reason(self, bunch: Bunch, tick: float, heard: list[Inside], *, nags: bool) -> str:
        if any(not each.told for each in heard):
            return "more" if bunch.notices else "new"
        again = bunch.notices and tick - bunch.told_at >= bunch.route.repeat_interval
        return "repeat" if nags and again else ""

    def _tell(self, bunch: Bunch, reason: str, steps: int, tick: float | None) -> None:
        more = [step.receivers[0] for step in bunch.route.escalate]
        receivers = (*bunch.route.receivers, *more[:steps])
        if reason == "over":
            receivers = (*bunch.route.receivers, *more[: max(bunch.reached, steps)])
        elif not reason:
            receivers = tuple(more[bunch.level : steps])
        bunch.notices += 1
        bunch.level, bunch.reached = steps, max(bunch.reached, steps)
        alerts = [each.known.stored.alert for each in bunch.alerts]
        fresh = [each.known.stored.alert.count for each in bunch.alerts if not each.told]
        count, worst = sum(each.count for each in alerts), max(each.severity for each in alerts)
        said = (bunch.notices, reason or "repeat", sum(fresh), receivers, count, worst)
        self.told.append((bunch.route.name, bunch.labels, *said))
        if reason:
            bunch.told_at = tick or 0
            for each in bunch.alerts:
                each.told = True
        if reason in ("new", "more") and bunch.chain is None and bunch.anything_new():
            bunch.chain = self.elapsed


def _meets(silence: Silence, known: Known) -> bool:
    return known.stored.client == silence.client and known.is_target


def _labels(route: Route, stored: StoredAlert) -> tuple[str, ...]:
    values = {"client": stored.client, "rule.id": stored.alert.rule.id}
    return tuple(values[path] for path in route.group_by)
