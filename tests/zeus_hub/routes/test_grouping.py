"""All groups that live, against a model that asks every alert at every moment."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from socme.triage import ACKNOWLEDGED, CLOSED, NEW
from socme.v1.alert_pb2 import AlertSource, ConditionState, Severity
from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub.routes.made import NOON, alert, inhibition, route
from zeus_hub.routes import grouping, kept
from zeus_hub.routes.grouping import Changes, Grouping, Told
from zeus_hub.routes.hush import Hush
from zeus_hub.routes.kept import Routed
from zeus_hub.routes.matcher import matcher
from zeus_hub.routes.rules import Escalation, Route, Rules
from zeus_hub.routes.silence import Silence, covers


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


@dataclass
class Kept:
    """What a database holds: enough to go on from."""

    rows: dict[str, bytes] = field(default_factory=dict)
    sources: dict[str, bytes] = field(default_factory=dict)
    steady: bytes = b""

    def keep(self, changes: Changes, all_groups: Grouping) -> None:
        self.rows.update((row.group.id, kept.encode(row)) for row in changes.rows)
        for ended in changes.ended:
            self.rows.pop(ended, None)
        self.sources.update((source.name, kept.encode(source)) for source in changes.sources)
        for silent in changes.silent:
            self.sources.pop(silent, None)
        self.steady = kept.encode(all_groups.steady)

    def again(self, rules: Rules, silences: list[Silence]) -> Grouping:
        """Return the groups as after a restart."""
        return Grouping(
            rules,
            silences,
            rows=[kept.decode_row(row) for row in self.rows.values()],
            sources=[kept.decode_source(source) for source in self.sources.values()],
            steady=kept.decode_steady(self.steady),
        )


# --- a model: it keeps every alert, and asks each of them each time --------------------------------------------


@dataclass
class Known:
    """An alert as the model knows it."""

    stored: StoredAlert
    at: float
    status: int = NEW


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

    def came(self) -> float:
        return max(each.known.at for each in self.alerts)

    def new(self) -> list[Inside]:
        return [each for each in self.alerts if each.known.status == NEW]


@dataclass
class Model:
    """Groups as the rules say it in words."""

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
        self.elapsed += max(0.0, (now - self.wall).total_seconds())
        self.wall = now
        for bunch in list(self.bunches):
            self.look(bunch)

    def take(self, stored: StoredAlert) -> None:
        known = Known(stored, self.elapsed)
        silences = {each.id for each in self.silences if self.wall < each.until and meets(each, stored)}
        self.alerts.append(known)
        for one in self.rules.routes:
            if not self.wants(one, stored):
                continue
            labels = labelled(one, stored)
            bunch = next((b for b in self.bunches if b.route is one and b.labels == labels), None)
            if bunch is None:
                bunch = Bunch(one, labels, self.elapsed + one.group_wait)
                self.bunches.append(bunch)
            bunch.alerts.append(Inside(known, set(silences)))
            if one.urgent is not None and stored.alert.severity >= one.urgent and not bunch.notices:
                bunch.due = min(bunch.due, self.elapsed)
            if not one.goes_on:
                return

    def change(self, known: Known, status: int) -> None:
        if known.status == status:
            return
        known.status = status
        for bunch in self.bunches:
            if any(each.known is known for each in bunch.alerts) and (
                status == ACKNOWLEDGED or not bunch.new()
            ):
                bunch.chain, bunch.level = None, 0

    def silence(self, silence: Silence) -> None:
        self.silences.append(silence)
        for bunch in self.bunches:
            if all(meets(silence, each.known.stored) for each in bunch.alerts[-20:]):
                for each in bunch.alerts:
                    each.silences.add(silence.id)

    def held(self, one: Inside) -> bool:
        if any(each.id in one.silences and self.wall < each.until for each in self.silences):
            return True
        return is_target(one.known) and any(self.fires(other, one.known) for other in self.alerts)

    def fires(self, other: Known, target: Known) -> bool:
        """Tell whether an alert holds a target back."""
        if not is_source(other) or other.status == CLOSED or source_of(other) != source_of(target):
            return False
        if is_source(target) and is_target(other):  # one that matches both is not held back by its like
            return False
        latest = max(each.at for each in self.alerts if is_source(each) and source_of(each) == source_of(other))
        return self.elapsed < latest + 86_400

    def look(self, bunch: Bunch) -> None:
        rule, muted = bunch.route, self.muted(self.wall)
        tick = None
        while bunch.due <= self.elapsed:
            tick, bunch.due = bunch.due, bunch.due + rule.group_interval
        expired = self.elapsed >= bunch.came() + rule.resolve_after
        still = [each for each in bunch.alerts if each.known.status != CLOSED]
        heard = [each for each in still if not muted and not self.held(each)]
        nags = not expired and any(each.known.status == NEW for each in heard)
        reason = ""
        if tick is not None and not still:
            if not bunch.notices or not muted:
                reason = "over" if bunch.notices else "nothing"
        elif tick is not None and any(not each.told for each in heard):
            reason = "more" if bunch.notices else "new"
        elif tick is not None and nags and bunch.notices and tick - bunch.told_at >= rule.repeat_interval:
            reason = "repeat"
        steps = bunch.level
        while nags and bunch.chain is not None and steps < len(rule.escalate):
            if self.elapsed - bunch.chain < rule.escalate[steps].after:
                break
            steps += 1
        self.tell(bunch, reason, steps, tick)
        if reason in ("over", "nothing") or expired:
            self.bunches.remove(bunch)

    def tell(self, bunch: Bunch, reason: str, steps: int, tick: float | None) -> None:
        rule = bunch.route
        names = [step.receivers[0] for step in rule.escalate]
        if reason and reason != "nothing":
            more = names[: max(bunch.reached, steps)] if reason == "over" else names[:steps]
            receivers = [*rule.receivers, *more]
        elif steps > bunch.level and not reason:
            receivers = names[bunch.level : steps]
        else:
            return
        bunch.notices += 1
        fresh = sum(each.known.stored.alert.count for each in bunch.alerts if not each.told)
        count = sum(each.known.stored.alert.count for each in bunch.alerts)
        worst = max(each.known.stored.alert.severity for each in bunch.alerts)
        told = (rule.name, bunch.labels, bunch.notices, reason or "repeat", fresh, tuple(receivers), count, worst)
        self.told.append(told)
        bunch.level, bunch.reached = steps, max(bunch.reached, steps)
        if reason:
            assert tick is not None
            bunch.told_at = tick
            for each in bunch.alerts:
                each.told = True
        if reason in ("new", "more") and bunch.chain is None and bunch.new():
            bunch.chain = self.elapsed


def labelled(one: Route, stored: StoredAlert) -> tuple[str, ...]:
    values = {"client": stored.client, "rule.id": stored.alert.rule.id}
    return tuple(values[path] for path in one.group_by)


def meets(silence: Silence, stored: StoredAlert) -> bool:
    return stored.client == silence.client and stored.alert.rule.id in ("1", "3")


def is_source(known: Known) -> bool:
    return known.stored.alert.rule.id in ("2", "3")


def is_target(known: Known) -> bool:
    return known.stored.alert.rule.id in ("1", "3")


def source_of(known: Known) -> tuple[str, str]:
    return known.stored.client, known.stored.alert.source_endpoint.ip


INHIBITION = inhibition('rule.id in ["2", "3"]', 'rule.id in ["1", "3"]', "source.ip")
BUSY = Hush("busy", frozenset(range(7)), tuple((m, m + 7) for m in range(0, 1440, 20)), (), ZoneInfo("UTC"))


def is_busy(now: datetime) -> bool:
    return now.minute % 20 < 7


def told_by(one: Told) -> tuple[object, ...]:
    row, telling = one
    labels = tuple(text for _, text in row.group.labels)
    return (
        row.group.route,
        labels,
        telling.number,
        telling.reason,
        telling.fresh,
        telling.receivers,
        row.summary.count,
        row.summary.severity,
    )


ROUTES = st.builds(
    lambda wait, interval, repeat, resolve, urgent, steps: route(
        group_wait=float(wait),
        group_interval=float(interval),
        repeat_interval=float(repeat),
        resolve_after=float(resolve),
        urgent=urgent,
        escalate=(Escalation(90.0, ("boss",)), Escalation(200.0, ("board",)))[:steps],
    ),
    st.sampled_from([0, 30]),
    st.sampled_from([60, 100]),
    st.sampled_from([60, 250, 600]),
    st.sampled_from([2000, 301, 100_000]),
    st.sampled_from([None, Severity.SEVERITY_CRITICAL]),
    st.sampled_from([2, 1, 0]),
)
CLIENTS = st.sampled_from(["acme", "beta"])
ALERTS = st.builds(
    lambda client, rule, severity, ip, count: ("alert", client, rule, severity, ip, count),
    CLIENTS,
    st.sampled_from(["2", "1", "3", "4"]),
    st.sampled_from([2, 0, 4]),
    st.sampled_from(["192.0.2.1", "192.0.2.2"]),
    st.sampled_from([1, 7]),
)
WAITS = st.tuples(st.just("wait"), st.sampled_from([61, 0, 1, 29, 30, 60, 100, 250, 301, 90_000]))
PROGRAM = 40  # steps; Hypothesis shortens what fails
TRIAGE = st.tuples(st.just("triage"), st.integers(0, 30), st.sampled_from([CLOSED, NEW, ACKNOWLEDGED]))
STEPS = st.one_of(
    ALERTS,
    WAITS,
    WAITS,
    WAITS,
    TRIAGE,
    st.tuples(st.just("close all"), st.integers(0, 1)),
    st.tuples(st.just("silence"), CLIENTS, st.sampled_from([50, 200, 1000])),
    st.tuples(st.just("clock back"), st.sampled_from([1, 600, 90_000])),
    st.tuples(st.just("restart")),
)


class Play:
    """The groups and the model, side by side."""

    def __init__(self, one: Route, *, muted: bool) -> None:
        changes = {"mute": (BUSY,)} if muted else {}
        first = route(
            'rule.id in ["1", "2"]',
            **{name: getattr(one, name) for name in ("group_wait", "group_interval", "repeat_interval")},
            resolve_after=one.resolve_after,
            urgent=one.urgent,
            escalate=one.escalate,
            name="first",
            goes_on=True,
            **changes,
        )
        second = route(name="second", group_by=("client",), receivers=("desk", "log"), **changes)
        self.rules = Rules((first, second), (INHIBITION,))
        self.kept = Kept()
        self.all = Grouping(self.rules)
        self.model = Model(
            self.rules,
            lambda each, stored: each.name == "second" or stored.alert.rule.id in ("1", "2"),
            is_busy if muted else lambda _now: False,
        )
        self.now = NOON
        self.routed: list[Routed] = []
        self.stored: dict[str, StoredAlert] = {}
        self.told: list[tuple[object, ...]] = []

    def step(self, action: tuple[object, ...]) -> None:
        self.model.pass_to(self.now)
        match action:
            case ("wait", int(span)):
                self.now += seconds(span)
            case ("clock back", int(span)):
                self.now -= seconds(span)
            case ("alert", *said):
                self.take(*said)  # type: ignore[arg-type]
            case ("triage", int(place), int(status)) if self.routed:
                self.change(place % len(self.routed), status)
            case ("close all", int(client)):
                for place, known in enumerate(self.model.alerts):
                    if known.stored.client == ("acme", "beta")[client]:
                        self.change(place, CLOSED)
            case ("silence", str(client), int(span)):
                self.silence(client, span)
            case ("restart",):
                self.keep()
                self.all = self.kept.again(self.rules, self.model.silences)
        self.all.tick(self.now)
        self.model.pass_to(self.now)
        self.keep()

    def take(self, client: str, rule: str, severity: int, ip: str, count: int) -> None:
        number = len(self.routed)
        stored = alert(number, client=client, rule=rule, severity=severity, ips=(ip, ""), count=count)
        self.stored[stored.alert.id.hex()] = stored
        self.routed += self.all.take([stored], self.now)
        self.model.take(stored)

    def change(self, place: int, status: int) -> None:
        known = self.model.alerts[place]
        self.all.change(self.routed[place], known.status, status, self.now)
        self.model.change(known, status)

    def silence(self, client: str, span: int) -> None:
        silence = Silence(
            id=str(len(self.model.silences)),
            client=client,
            match=matcher('rule.id in ["1", "3"]'),
            until=self.now + seconds(span),
            who="ann",
            why="a test",
        )
        self.all.tick(self.now)
        self.model.silence(silence)
        self.all.heed(self.rules, self.model.silences)
        self.all.cover(
            silence,
            [
                row.group.id
                for row in self.all.rows
                if covers(silence, [self.stored[member.id] for member in row.summary.members])
            ],
        )

    def keep(self) -> None:
        changes = self.all.drain()
        self.told += [told_by(one) for one in changes.told]
        self.kept.keep(changes, self.all)


@settings(deadline=None, max_examples=300)
@given(ROUTES, st.booleans(), st.lists(STEPS, min_size=PROGRAM, max_size=2 * PROGRAM))
def test_the_groups_do_as_a_model_that_asks_every_alert_at_every_moment(
    one: Route, muted: bool, actions: list[tuple[object, ...]]
) -> None:
    play = Play(one, muted=muted)
    for action in actions:
        play.step(action)
        assert sorted(play.told, key=repr) == sorted(play.model.told, key=repr), action
    assert len(play.kept.rows) == len(play.model.bunches)
