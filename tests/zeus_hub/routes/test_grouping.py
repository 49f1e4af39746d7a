"""All groups that live, beside a model that asks every alert each time."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import perf_counter
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from socme.triage import ACKNOWLEDGED, CLOSED, NEW
from socme.v1.alert_pb2 import AlertSource, ConditionState, Severity
from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub.routes.made import HERE, NOON, alert, inhibition, route
from tests.zeus_hub.routes.model import Model
from zeus_hub.routes import grouping, kept
from zeus_hub.routes.grouping import NOWHERE, Changes, Grouping, Told
from zeus_hub.routes.hush import Hush
from zeus_hub.routes.matcher import matcher
from zeus_hub.routes.rules import Escalation, Receiver, Route, Rules
from zeus_hub.routes.silence import Silence, covering
from zeus_hub.routes.summary import notice

if TYPE_CHECKING:
    from zeus_hub.routes.kept import Routed


def after(number: float) -> datetime:
    """Return a time so many seconds after noon."""
    return NOON + timedelta(seconds=number)


@dataclass
class Kept:
    """What a database holds: enough to go on from."""

    rows: dict[str, bytes] = field(default_factory=dict)
    sources: dict[str, bytes] = field(default_factory=dict)
    steady: bytes = b""

    def keep(self, changes: Changes, groups: Grouping) -> None:
        """Do as the transaction does that moves the cursors."""
        self.rows.update((row.group.id, kept.encode(row)) for row in changes.rows)
        for ended in changes.ended:
            self.rows.pop(ended, None)
        self.sources.update((source.name, kept.encode(source)) for source in changes.sources)
        for silent in changes.silent:
            self.sources.pop(silent, None)
        self.steady = kept.encode(groups.steady)

    def again(self, rules: Rules, silences: Iterable[Silence] = ()) -> Grouping:
        """Return the groups as after a restart."""
        return Grouping(
            rules,
            silences,
            rows=[kept.decode_row(row) for row in self.rows.values()],
            sources=[kept.decode_source(source) for source in self.sources.values()],
            steady=kept.decode_steady(self.steady),
        )


def silence(name: str, client: str, until: datetime, match: str | None = None) -> Silence:
    made = matcher(match) if match else None
    return Silence(id=name, client=client, match=made, until=until, who="ann", why="a test")


def told(groups: Grouping, seconds: float) -> list[tuple[str, str, int]]:
    """Return what is told at some time: of which client or label, why, and of how many alerts."""
    groups.tick(after(seconds))
    return [
        (one.row.group.labels[-1][1], one.telling.reason, one.row.summary.count)
        for one in groups.drain().told
    ]


# --- beside the model --------------------------------------------------------------------------------

BUSY = Hush("busy", frozenset(range(7)), tuple((m, m + 7) for m in range(0, 1440, 20)), (), ZoneInfo("UTC"))
INHIBITION = inhibition('rule.id in ["2", "3"]', 'rule.id in ["1", "3"]', "source.ip")
PROGRAM = 40  # steps; Hypothesis shortens what fails

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
ALERTS = st.tuples(
    st.just("alert"),
    CLIENTS,
    st.sampled_from(["2", "1", "3", "4"]),
    st.sampled_from([2, 0, 4]),
    st.sampled_from(["192.0.2.1", "192.0.2.2"]),
    st.sampled_from([1, 7]),
)
WAITS = st.tuples(st.just("wait"), st.sampled_from([61, 0, 1, 29, 30, 60, 100, 250, 301, 90_000]))
STEPS = st.one_of(
    ALERTS,
    WAITS,
    WAITS,
    WAITS,
    st.tuples(st.just("triage"), st.integers(0, 30), st.sampled_from([CLOSED, NEW, ACKNOWLEDGED])),
    st.tuples(st.just("close all"), CLIENTS),
    st.tuples(st.just("silence"), CLIENTS, st.sampled_from([50, 200, 1000])),
    st.tuples(st.just("clock back"), st.sampled_from([1, 600, 90_000])),
    st.tuples(st.just("restart")),
)


class Play:
    """The groups and the model, side by side."""

    def __init__(self, like: Route, *, muted: bool) -> None:
        mute = (BUSY,) if muted else ()
        first = route(
            'rule.id in ["1", "2"]',
            name="first",
            goes_on=True,
            mute=mute,
            **{name: getattr(like, name) for name in ("group_wait", "group_interval", "repeat_interval")},
            **{name: getattr(like, name) for name in ("resolve_after", "urgent", "escalate")},
        )
        second = route(name="second", group_by=("client",), receivers=("desk", "log"), mute=mute)
        self.rules = Rules((first, second), (INHIBITION,))
        self.kept = Kept()
        self.groups = Grouping(self.rules)
        self.model = Model(
            self.rules,
            lambda each, stored: each.name == "second" or stored.alert.rule.id in ("1", "2"),
            lambda now: muted and now.minute % 20 < 7,
        )
        self.now = NOON
        self.routed: list[Routed] = []
        self.stored: dict[str, StoredAlert] = {}
        self.told: list[tuple[object, ...]] = []

    def step(self, action: tuple[object, ...]) -> None:
        """Do something, and look at everything before and after."""
        self.model.pass_to(self.now)
        name, *said = action
        getattr(self, f"do_{str(name).replace(' ', '_')}")(*said)
        self.groups.tick(self.now)
        self.model.pass_to(self.now)
        self._keep()

    def do_wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def do_clock_back(self, seconds: float) -> None:
        """Set the clock back."""
        self.now -= timedelta(seconds=seconds)

    def do_alert(self, client: str, rule: str, severity: int, ip: str, count: int) -> None:
        """Take an alert."""
        stored = alert(
            len(self.routed), client=client, rule=rule, severity=severity, ips=(ip, ""), count=count
        )
        self.stored[stored.alert.id.hex()] = stored
        self.routed += self.groups.take([stored], self.now)
        self.model.take(stored)

    def do_triage(self, place: int, status: int) -> None:
        """Do something about an alert."""
        if self.routed:
            self._change(place % len(self.routed), status)

    def do_close_all(self, client: str) -> None:
        """Close all alerts of a client."""
        for place, known in enumerate(self.model.alerts):
            if known.stored.client == client:
                self._change(place, CLOSED)

    def do_silence(self, client: str, seconds: float) -> None:
        """Silence some alerts of a client for a while."""
        name, until = str(len(self.model.silences)), self.now + timedelta(seconds=seconds)
        made = silence(name, client, until, 'rule.id in ["1", "3"]')
        self.groups.tick(self.now)
        self.model.silence(made)
        self.groups.heed(self.rules, self.model.silences)
        covered = [
            row.group.id
            for row in self.groups.rows
            if covering([made], [self.stored[member.id] for member in row.summary.members])
        ]
        self.groups.cover(made, covered)

    def do_restart(self) -> None:
        """Go on from what was kept."""
        self._keep()
        self.groups = self.kept.again(self.rules, self.model.silences)

    def _change(self, place: int, status: int) -> None:
        known = self.model.alerts[place]
        self.groups.change(self.routed[place], known.status, status)
        self.model.change(known, status)

    def _keep(self) -> None:
        changes = self.groups.drain()
        self.told += [said(one) for one in changes.told]
        self.kept.keep(changes, self.groups)


def said(one: Told) -> tuple[object, ...]:
    """Return what is told, as the model says it."""
    group, summary, telling = one.row.group, one.row.summary, one.telling
    labels = tuple(text for _, text in group.labels)
    what = (telling.number, telling.reason, telling.fresh, telling.receivers)
    return group.route, labels, *what, summary.count, summary.severity


AT_ONCE = route(
    group_wait=0.0, group_interval=60.0, repeat_interval=60.0, resolve_after=2000.0, urgent=None, escalate=()
)
SOURCE = ("alert", "acme", "2", 2, "192.0.2.1", 1)
TARGET = ("alert", "acme", "1", 2, "192.0.2.1", 1)
A_DAY_LATER = ("wait", 90_000)


@settings(deadline=None, max_examples=200)
@example(  # what has not come for a day does not fire again because another one comes, and that one is closed
    like=AT_ONCE, muted=False, actions=[SOURCE, A_DAY_LATER, SOURCE, ("triage", 1, CLOSED), TARGET]
)
@example(  # nor does it matter to the other one that somebody closes it then
    like=AT_ONCE, muted=False, actions=[SOURCE, A_DAY_LATER, SOURCE, ("triage", 0, CLOSED), TARGET]
)
@example(  # or opens it again
    like=AT_ONCE,
    muted=False,
    actions=[
        SOURCE,
        ("triage", 0, CLOSED),
        A_DAY_LATER,
        SOURCE,
        ("triage", 0, NEW),
        ("triage", 1, CLOSED),
        TARGET,
    ],
)
@given(like=ROUTES, muted=st.booleans(), actions=st.lists(STEPS, min_size=PROGRAM, max_size=2 * PROGRAM))
def test_the_groups_do_as_a_model_that_asks_every_alert_each_time(
    *, like: Route, muted: bool, actions: list[tuple[object, ...]]
) -> None:
    play = Play(like, muted=muted)
    for action in actions:
        play.step(action)
        assert sorted(play.told, key=repr) == sorted(play.model.told, key=repr), action

    assert len(play.kept.rows) == len(play.model.bunches)


# --- floods ------------------------------------------------------------------------------------------


def flood(client: str, number: int) -> list[StoredAlert]:
    return [alert(each, client=client, received=after(each * 60 / number)) for each in range(number)]


def test_ten_thousand_alerts_of_a_minute_are_one_group() -> None:
    groups = Grouping(Rules((route('rule.id == "5710" && severity >= medium'),)))
    alerts = flood("acme", 10_000)
    found, begun = [], perf_counter()
    for second in range(60):
        portion = alerts[second * 10_000 // 60 : (second + 1) * 10_000 // 60]
        groups.take(portion, after(second))
        found += told(groups, second)
    took = perf_counter() - begun
    found += told(groups, 330)

    assert found == [("5710", "new", 5000), ("5710", "more", 10_000)]
    assert told(groups, 3000) == []
    assert took < 5  # seconds; a quarter of one here, on a machine that does nothing else


def test_a_short_flood_is_one_notice_with_the_right_count() -> None:
    groups = Grouping(Rules((route(group_wait=60.0),)))
    for begin in range(0, 10_000, 500):
        groups.take(flood("acme", 10_000)[begin : begin + 500], after(begin * 60 / 10_000))
    groups.tick(after(60))
    (one,) = groups.drain().told
    tells = notice(one.row.group, one.row.summary, one.telling, client_name="Acme")

    assert (tells.count, tells.fresh, tells.number, tells.reason) == (10_000, 10_000, 1, "new")
    assert tells.titles[0].count == 10_000
    assert (tells.first, tells.last) == (after(0), after(59.994))


def test_floods_of_two_clients_never_share_a_group() -> None:
    groups = Grouping(Rules((route(group_by=("client", "rule.id"), group_wait=0.0),)))
    mixed = [each for pair in zip(flood("acme", 1000), flood("beta", 1000), strict=True) for each in pair]
    groups.take(mixed, NOON)
    groups.tick(NOON)
    one, other = groups.drain().told

    assert {one.row.group.client, other.row.group.client} == {"acme", "beta"}
    assert one.row.group.id != other.row.group.id
    for each in (one, other):
        assert each.row.summary.count == 1000
        assert {member.node for member in each.row.summary.members} == {f"{each.row.group.client}-1"}


def test_alerts_that_find_no_place_for_a_group_of_their_own_share_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grouping, "MOST_GROUPS", 3)
    groups = Grouping(Rules((route(group_by=("client", "source.ip")),)))
    groups.take([alert(number, ips=(f"192.0.2.{number}", "")) for number in range(10)], NOON)
    groups.take([alert(99, client="beta"), alert(98, ips=("192.0.2.1", ""))], NOON)

    found = {row.group.labels[-1][1]: row.summary.count for row in groups.rows}
    assert found == {
        "192.0.2.0": 1,
        "192.0.2.1": 2,
        "192.0.2.2": 1,
        "too many groups at once": 7,
        "203.0.113.9": 1,
    }
    assert told(groups, 80_000) != []
    assert told(groups, 90_000) == []
    groups.take([alert(5, ips=("192.0.2.200", ""))], after(90_001))
    assert [row.group.labels[-1][1] for row in groups.rows] == ["192.0.2.200"]


# --- one by one --------------------------------------------------------------------------------------


def test_what_is_no_alert_or_done_with_goes_nowhere() -> None:
    canary, closed, over = alert(1), alert(2), alert(3)
    canary.alert.canary.number = 1
    closed.triage.status = CLOSED
    over.alert.source = AlertSource.ALERT_SOURCE_SOCME
    over.alert.condition.state = ConditionState.CONDITION_STATE_CLEARED
    groups = Grouping(Rules((route(),)))

    assert groups.take([canary, closed, over], NOON) == [NOWHERE] * 3
    assert groups.rows == ()


def test_an_alert_that_somebody_looks_after_already_is_told_and_not_repeated() -> None:
    groups = Grouping(Rules((route(),)))
    stored = alert()
    stored.triage.status = ACKNOWLEDGED
    groups.take([stored], NOON)

    assert told(groups, 30) == [("5710", "new", 1)]
    assert told(groups, 80_000) == []


def test_the_same_alerts_make_the_same_groups_after_a_crash() -> None:
    rules = Rules((route(),))
    one, other = Grouping(rules), Grouping(rules)
    one.take([alert(1), alert(2)], NOON)
    other.take([alert(1)], after(5))
    other.take([alert(2)], after(6))

    assert one.rows[0].group.id == other.rows[0].group.id


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(0, 30))
def test_it_does_not_matter_in_which_portions_alerts_come(numbers: list[int], cut: int) -> None:
    rules = Rules((route(goes_on=True, urgent=None), route(name="second", urgent=None)), (INHIBITION,))
    alerts = [alert(place, rule=str(number), severity=number) for place, number in enumerate(numbers)]
    one, other = Grouping(rules), Grouping(rules)

    assert other.take(alerts[:cut], NOON) + other.take(alerts[cut:], NOON) == one.take(alerts, NOON)
    assert sorted(one.rows, key=repr) == sorted(other.rows, key=repr)


def test_after_a_group_has_ended_the_next_alert_begins_another() -> None:
    groups = Grouping(Rules((route(),)))
    (routed,) = groups.take([alert(1)], NOON)
    assert told(groups, 30) == [("5710", "new", 1)]
    groups.change(routed, NEW, CLOSED)
    assert told(groups, 330) == [("5710", "over", 1)]

    groups.take([alert(2)], after(331))
    assert groups.rows[0].group.id != routed.tickets[0].group
    groups.change(routed, CLOSED, NEW)  # of a group that is gone
    assert told(groups, 361) == [("5710", "new", 1)]


def test_what_is_to_be_told_is_handed_over_with_the_groups_it_changed() -> None:
    groups = Grouping(Rules((route(group_wait=0.0),)))
    groups.take([alert(1)], NOON)
    groups.take([alert(2)], after(1))  # looks at what was due
    changes = groups.drain()

    assert [(one.telling.reason, one.row.summary.count) for one in changes.told] == [("new", 1)]
    assert [row.group.notices for row in changes.rows] == [1]
    assert groups.drain() == Changes((), (), (), (), ())


def test_new_rules_end_the_groups_of_routes_that_are_gone() -> None:
    groups = Grouping(Rules((route(name="old"),)))
    groups.take([alert(1)], NOON)
    (row,) = groups.drain().rows
    groups.heed(Rules((route(name="new"),)), [])

    assert groups.rows == ()
    assert groups.drain().ended == (row.group.id,)
    assert told(groups, 30) == []
    assert groups.orphans == {"old": 1}


def test_a_route_that_is_for_another_client_now_tells_that_one_nothing_of_the_first() -> None:
    groups = Grouping(Rules((route(clients=frozenset({"acme", "beta"})),)))
    groups.take([alert(1), alert(2, client="beta")], NOON)
    ids = {row.group.client: row.group.id for row in groups.drain().rows}
    groups.heed(Rules((route(clients=frozenset({"globex", "beta"}), receivers=("globex",)),)), [])

    assert groups.drain().ended == (ids["acme"],)
    groups.tick(after(30))
    assert [one.row.group.client for one in groups.drain().told] == ["beta"]


def test_new_rules_hold_for_groups_that_are_there() -> None:
    groups = Grouping(Rules((route(),)))
    groups.take([alert(1)], NOON)
    groups.heed(Rules((route(receivers=("phone",)),)), [])
    groups.tick(after(30))

    assert groups.drain().told[0].telling.receivers == ("phone",)


def test_a_silence_is_for_one_client_and_ends() -> None:
    groups = Grouping(Rules((route(),)), [silence("1", "acme", after(100))])
    groups.take([alert(1), alert(2, client="beta")], NOON)

    assert [one[0] for one in told(groups, 30)] == ["5710"]
    assert groups.rows[0].group.client == "acme"
    assert told(groups, 329) == []
    assert told(groups, 330) == [("5710", "new", 1)]


def test_a_silence_that_is_taken_back_holds_nothing_back() -> None:
    groups = Grouping(Rules((route(),)), [silence("1", "acme", after(10_000))])
    groups.take([alert(1)], NOON)
    assert told(groups, 30) == []
    groups.heed(Rules((route(),)), [])

    assert told(groups, 330) == [("5710", "new", 1)]


def test_a_source_that_comes_within_group_wait_holds_its_targets_back() -> None:
    rules = Rules((route(),), (inhibition('rule.id == "dead"', 'rule.id == "5710"'),))
    groups = Grouping(rules)
    groups.take([alert(1)], NOON)
    (source,) = groups.take([alert(2, rule="dead")], after(10))
    assert told(groups, 40) == [("dead", "new", 1)]

    groups.change(source, NEW, CLOSED)
    assert ("5710", "new", 1) in told(groups, 350)


def test_an_inhibition_that_is_gone_holds_nothing_back() -> None:
    with_it = Rules((route(),), (inhibition('rule.id == "dead"', 'rule.id == "5710"'),))
    groups = Grouping(with_it)
    groups.take([alert(1), alert(2, rule="dead")], NOON)
    assert told(groups, 30) == [("dead", "new", 1)]
    groups.heed(Rules((route(),), (inhibition('rule.id == "dead"', 'rule.id == "1"'),)), [])

    assert told(groups, 330) == [("5710", "new", 1)]


def test_an_inhibition_that_is_there_again_holds_back_what_its_source_did() -> None:
    rules = Rules((route(),), (inhibition('rule.id == "dead"', 'rule.id == "5710"'),))
    groups = Grouping(rules)
    groups.take([alert(2, rule="dead")], NOON)
    groups.heed(Rules((route(),)), [])
    groups.heed(rules, [])
    groups.take([alert(1)], after(1))

    assert told(groups, 31) == [("dead", "new", 1)]


def test_what_inhibits_is_forgotten_with_time_though_nothing_comes() -> None:
    groups = Grouping(Rules((route(),), (inhibition('rule.id == "dead"', 'rule.id == "5710"'),)))
    groups.take([alert(2, rule="dead")], NOON)
    (source,) = groups.drain().sources
    groups.tick(after(86_400))

    assert groups.drain().silent == (source.name,)


def test_changes_of_triage_are_counted_before_a_look_at_what_is_due() -> None:
    groups = Grouping(Rules((route(),)))
    (routed,) = groups.take([alert(1)], NOON)
    groups.change(routed, NEW, CLOSED)

    assert told(groups, 30) == []
    assert groups.rows == ()


def test_what_a_node_told_itself_holds_nothing_back_from_those_who_keep_records() -> None:
    """By the kind of the receiver, whatever its name is."""
    kinds = {"a": "thehive", "b": "webhook", "c": "mail", "d": "apprise"}
    receivers = {name: Receiver(name, kind, {}, HERE) for name, kind in kinds.items()}
    rules = Rules(routes=(route(receivers=tuple(kinds)),), receivers=receivers)
    groups = Grouping(rules)
    groups.take([alert(1), alert(2)], NOON, told={0, 1})
    groups.tick(after(30))
    (first,) = groups.drain().told
    groups.take([alert(3), alert(4)], after(31), told={1})
    groups.tick(after(330))
    (second,) = groups.drain().told

    assert first.telling.receivers == ("a", "b")
    assert first.row.summary.count == 2
    assert second.telling.receivers == ("a", "b", "c", "d")
    assert second.row.summary.count == 4
