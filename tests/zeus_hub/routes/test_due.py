"""When somebody is told of a group, and why."""

from collections.abc import Collection
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from socme.triage import ACKNOWLEDGED, CLOSED, NEW
from tests.zeus_hub.routes.made import route
from zeus_hub.routes.due import Looked, Moment, Telling, is_muted, look, wake
from zeus_hub.routes.group import TOLD, Arrival, Ticket, add, begin, change
from zeus_hub.routes.hush import Hush
from zeus_hub.routes.rules import Escalation, Route

PLAIN = route()
LADDER = route(
    escalate=(Escalation(900.0, ("boss",)), Escalation(1800.0, ("board", "mail"))), repeat_interval=100_000.0
)


class Watched:
    """A group that is looked at, and what was told of it."""

    def __init__(self, rule: Route = PLAIN, *arrivals: Arrival) -> None:
        self.rule = rule
        self.ended = False
        self.group = begin(rule, "key", (("client", "acme"),), first=[b"1"], now=0)
        self.add(0, *(arrivals or [Arrival(2, 1)]))

    def add(self, now: float, *arrivals: Arrival) -> None:
        """Take alerts."""
        self.group, _ = add(self.group, arrivals, self.rule, now)

    def change(self, number: int, before: int, after: int) -> None:
        """Do something about an alert, by its number."""
        self.group = change(self.group, Ticket(self.group.id, number, 0), before, after)

    def at(self, now: float, *, muted: bool = False, held: Collection[str] = ()) -> Telling | None:
        """Look at the group, and return what is told."""
        looked: Looked = look(self.group, self.rule, Moment(now, muted, lambda name: name in held, {"hive"}))
        self.group, telling, self.ended = looked
        return telling

    def reason(self, now: float, **how: object) -> str | None:
        """Look at the group, and return why something is told."""
        telling = self.at(now, **how)  # type: ignore[arg-type]
        return telling.reason if telling else None


def test_the_first_notice_comes_after_group_wait() -> None:
    group = Watched(PLAIN, Arrival(2, 1), Arrival(2, 7))

    assert group.at(29.9) is None
    assert group.at(30) == Telling("new", 1, 8, ("mail",))
    assert group.at(30) is None


def test_what_comes_later_is_told_at_the_next_tick() -> None:
    group = Watched()
    group.at(30)
    group.add(40, Arrival(2, 5))

    assert group.at(329) is None
    assert group.at(330) == Telling("more", 2, 5, ("mail",))
    assert group.at(630) is None


def test_a_look_that_comes_late_stands_for_those_that_were_missed() -> None:
    group = Watched()
    group.at(30)
    group.add(40, Arrival(2, 1))

    assert group.reason(1000) == "more"
    assert group.group.due == 1230
    assert group.group.told_at == 930


def test_all_is_told_again_while_some_of_it_is_new() -> None:
    group = Watched(route(repeat_interval=400.0))
    group.at(30)

    assert [now for now in range(31, 2000) if group.at(now)] == [630, 1230, 1830]


def test_what_somebody_looks_after_is_not_told_again_but_what_is_new_is() -> None:
    group = Watched(route(repeat_interval=400.0))
    group.at(30)
    group.change(1, NEW, ACKNOWLEDGED)
    assert group.at(5000) is None

    group.add(5001, Arrival(2, 1))
    assert group.reason(5130) == "more"


def test_all_closed_is_told_once_and_ends_the_group() -> None:
    group = Watched()
    group.at(30)
    group.change(1, NEW, CLOSED)
    assert group.at(100) is None
    assert not group.ended

    assert group.reason(330) == "over"
    assert group.ended


def test_what_is_closed_within_group_wait_is_never_told() -> None:
    group = Watched()
    group.change(1, NEW, CLOSED)

    assert group.at(30) is None
    assert group.ended


def test_a_group_that_nothing_comes_into_ends_without_a_word() -> None:
    group = Watched(route(resolve_after=1000.0))
    group.at(30)
    group.add(500, Arrival(2, 1))
    group.at(330 + 300)

    assert group.at(1499) is None
    assert not group.ended
    assert group.at(1500) is None
    assert group.ended


def test_what_was_never_told_is_told_however_late_and_then_the_group_lives_as_long_as_others() -> None:
    group = Watched(LADDER)
    assert group.reason(1_000_000) == "new"
    assert not group.ended

    assert group.at(1_000_900) == Telling("repeat", 2, 0, ("boss",))
    assert group.at(1_086_399) == Telling("repeat", 3, 0, ("board", "mail"))
    assert not group.ended
    assert group.at(1_086_400) is None
    assert group.ended


def test_what_a_mute_time_held_back_for_longer_than_a_group_lives_is_told_after_it() -> None:
    """A weekend, with a group that lives for a day."""
    group = Watched(LADDER)
    looks = [group.at(hour * 3600, muted=True) for hour in range(1, 60)]
    assert looks == [None] * 59
    assert not group.ended

    assert group.at(60 * 3600) == Telling("new", 1, 1, ("mail",))
    assert group.at(60 * 3600 + 900) == Telling("repeat", 2, 0, ("boss",))
    group.change(1, NEW, CLOSED)
    assert group.at(60 * 3600 + 1200) == Telling("over", 3, 0, ("mail", "boss"))
    assert group.ended


def test_what_came_in_addition_and_was_held_back_for_long_is_told_with_the_steps_it_missed() -> None:
    group = Watched(LADDER, Arrival(2, 1))
    group.at(30)
    group.add(40, Arrival(2, 3))
    for hour in range(1, 60):
        assert group.at(hour * 3600, muted=True) is None

    assert group.at(60 * 3600) == Telling("more", 2, 3, ("mail", "boss", "board"))
    assert not group.ended


def test_what_a_silence_held_back_for_longer_than_a_group_lives_is_told_after_it() -> None:
    group = Watched(PLAIN, Arrival(2, 1, ("s",)), Arrival(2, 1, ("s",)))
    for hour in range(1, 60):
        assert group.at(hour * 3600, held={"s"}) is None
    assert not group.ended

    assert group.at(60 * 3600) == Telling("new", 1, 2, ("mail",))


def test_an_end_that_falls_into_a_mute_time_is_told_after_it_however_long_that_lasts() -> None:
    group = Watched()
    group.at(30)
    group.change(1, NEW, CLOSED)
    for hour in range(1, 60):
        assert group.at(hour * 3600, muted=True) is None
    assert not group.ended

    assert group.reason(60 * 3600) == "over"
    assert group.ended


def test_what_was_told_already_is_over_without_a_word_in_a_mute_time_too() -> None:
    group = Watched()
    group.at(30)

    assert group.at(86_400, muted=True) is None
    assert group.ended


def test_what_is_held_back_past_its_time_is_looked_at_no_oftener_than_else() -> None:
    group = Watched(PLAIN, Arrival(2, 1, ("s",)))
    group.at(90_000, held={"s"})

    assert wake(group.group, PLAIN) == 90_030


def test_while_a_silence_holds_nothing_is_told_and_then_what_still_fires() -> None:
    group = Watched(PLAIN, Arrival(2, 1, ("s",)), Arrival(2, 1, ("s",)))
    group.group = change(group.group, Ticket(group.group.id, 1, 0), NEW, CLOSED)

    assert group.at(30, held={"s"}) is None
    assert group.at(330, held={"s"}) is None
    assert group.at(629) is None
    assert group.reason(630) == "new"


def test_silenced_alerts_are_told_with_others_that_are_not() -> None:
    group = Watched(PLAIN, Arrival(2, 1, ("s",)), Arrival(2, 1))

    assert group.at(30, held={"s"}) == Telling("new", 1, 2, ("mail",))
    assert group.at(330) is None


def test_a_silence_holds_repeats_and_escalation_back() -> None:
    group = Watched(route(repeat_interval=400.0, escalate=LADDER.escalate), Arrival(2, 1, ("s",)))
    group.at(30)

    assert [group.at(now, held={"s"}) for now in range(31, 1000)] == [None] * 969
    assert group.at(1000) == Telling("repeat", 2, 0, ("boss",))


def test_a_mute_time_holds_everything_back_the_end_too() -> None:
    group = Watched()
    assert group.at(30, muted=True) is None
    assert group.reason(330) == "new"

    group.change(1, NEW, CLOSED)
    assert group.at(630, muted=True) is None
    assert not group.ended
    assert group.reason(930) == "over"
    assert group.ended


def test_where_nobody_acknowledges_others_are_told_at_their_time() -> None:
    group = Watched(LADDER)
    group.at(30)

    assert group.at(929) is None
    assert group.at(930) == Telling("repeat", 2, 0, ("boss",))
    assert group.at(931) is None
    assert group.at(1830) == Telling("repeat", 3, 0, ("board", "mail"))


def test_whom_an_escalation_told_is_told_of_more_until_it_ends_and_of_the_end_in_any_case() -> None:
    group = Watched(LADDER)
    group.at(30)
    group.at(930)
    group.add(940, Arrival(2, 1))
    assert group.at(1230) == Telling("more", 3, 1, ("mail", "boss"))

    group.change(1, NEW, ACKNOWLEDGED)
    group.add(1240, Arrival(2, 1))
    assert group.at(1530) == Telling("more", 4, 1, ("mail",)), "somebody looks after it"

    for number, before in ((1, ACKNOWLEDGED), (2, NEW), (3, NEW)):
        group.change(number, before, CLOSED)
    assert group.at(1830) == Telling("over", 5, 0, ("mail", "boss"))


def test_steps_that_were_missed_are_one_notice() -> None:
    group = Watched(LADDER)
    group.at(30)

    assert group.at(5000) == Telling("repeat", 2, 0, ("boss", "board", "mail"))


def test_an_acknowledgement_ends_the_escalation_until_something_new_is_told() -> None:
    group = Watched(LADDER)
    group.at(30)
    group.add(40, Arrival(2, 1))
    group.change(1, NEW, ACKNOWLEDGED)
    assert group.reason(330) == "more"  # which begins another

    assert group.at(930) is None
    assert group.reason(1230) == "repeat"


def test_an_escalation_does_not_count_as_told_to_all() -> None:
    group = Watched(LADDER)
    for now in (31, 330, 630):  # the first look is late, so that steps and ticks do not meet
        group.at(now)
    group.add(900, Arrival(2, 4))
    assert group.at(930) == Telling("more", 2, 4, ("mail",))
    assert group.at(931) == Telling("repeat", 3, 0, ("boss",))

    assert [group.at(now) for now in (1230, 1530, 1830)] == [None] * 3
    group.add(1830.5, Arrival(2, 9))
    assert group.at(1831) == Telling("repeat", 4, 9, ("board", "mail"))
    assert group.at(2130) == Telling("more", 5, 9, ("mail", "boss", "board"))


def test_a_step_that_is_due_at_a_tick_is_one_notice_with_it() -> None:
    group = Watched(LADDER)
    group.at(30)
    group.add(40, Arrival(2, 4))

    assert group.at(930) == Telling("more", 2, 4, ("mail", "boss"))


def test_a_group_says_when_it_must_be_looked_at() -> None:
    group = Watched(LADDER)
    assert wake(group.group, LADDER) == 30
    group.at(30)
    assert wake(group.group, LADDER) == 330
    group.at(630)
    assert wake(group.group, LADDER) == 930

    slow = route(group_interval=5000.0, escalate=LADDER.escalate, resolve_after=6000.0)
    other = Watched(slow)
    other.at(30)
    assert wake(other.group, slow) == 930
    other.at(930)
    other.at(1830)
    assert wake(other.group, slow) == 5030


def test_a_route_is_mute_at_its_times_and_outside_its_active_ones() -> None:
    night = Hush("night", frozenset(range(7)), ((22 * 60, 30 * 60),), (), ZoneInfo("UTC"))
    day, late = datetime(2026, 7, 1, 12, tzinfo=UTC), datetime(2026, 7, 1, 23, tzinfo=UTC)

    assert [is_muted(route(mute=(night,)), now) for now in (day, late)] == [False, True]
    assert [is_muted(route(active=(night,)), now) for now in (day, late)] == [True, False]
    assert [is_muted(route(), now) for now in (day, late)] == [False, False]


KNOWN = Arrival(4, 1, (TOLD,))
BOTH = route(
    receivers=("mail", "hive"),
    escalate=(Escalation(900.0, ("boss",)),),
    repeat_interval=14_400.0,
)


def test_what_the_node_told_people_itself_is_told_to_those_who_keep_records() -> None:
    """Neither its repeats nor its end are told to people, and nobody is called because of it."""
    group = Watched(BOTH, KNOWN, KNOWN)

    assert group.at(30) == Telling("new", 1, 2, ("hive",))
    assert group.at(930) is None
    assert group.at(14_430) == Telling("repeat", 2, 0, ("hive",))
    group.change(1, NEW, CLOSED)
    group.change(2, NEW, CLOSED)
    assert group.at(14_730) == Telling("over", 3, 0, ("hive",))
    assert group.ended


def test_where_nobody_keeps_records_nobody_is_told_of_it_until_something_else_comes() -> None:
    group = Watched(LADDER, KNOWN)
    assert group.at(30) is None
    group.add(40, Arrival(4, 1))

    assert group.at(330) == Telling("new", 1, 2, ("mail",))
    assert group.at(1230) == Telling("repeat", 2, 0, ("boss",))


def test_with_anything_else_that_is_new_all_are_told_of_all() -> None:
    group = Watched(BOTH, KNOWN)
    group.at(30)
    group.add(40, KNOWN, Arrival(4, 5))

    assert group.at(330) == Telling("more", 2, 6, ("mail", "hive"))
    group.change(1, NEW, CLOSED)
    for number, place in ((2, 0), (3, 1)):
        group.group = change(group.group, Ticket(group.group.id, number, place), NEW, CLOSED)
    assert group.at(630) == Telling("over", 3, 0, ("mail", "hive"))


def test_a_group_of_which_only_the_node_told_ends_without_a_word_where_nobody_keeps_records() -> None:
    group = Watched(PLAIN, KNOWN)
    group.at(30)
    group.change(1, NEW, CLOSED)

    assert group.at(330) is None
    assert group.ended


def test_what_the_node_told_later_ends_no_escalation_that_is_on_its_way() -> None:
    group = Watched(BOTH)
    assert group.at(30) == Telling("new", 1, 1, ("mail", "hive"))
    group.add(700, KNOWN)

    assert group.at(930) == Telling("more", 2, 1, ("mail", "hive", "boss"))


def test_what_nobody_is_to_be_told_of_keeps_no_group_alive() -> None:
    """Its node told of it, and nobody keeps records."""
    group = Watched(PLAIN, KNOWN)
    group.at(30)
    assert wake(group.group, PLAIN) == 300

    assert group.at(86_400) is None
    assert group.ended
