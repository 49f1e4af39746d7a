"""When somebody is told of a group, and why: Alertmanager's timers, with triage beside them. Pure.

A group begins with an alert and waits group_wait for companions (not where one is urgent). From then on it is
looked at every group_interval: is there something that nobody was told of, it is told, in one notice that
tells of all; are all alerts closed, that is told, and the group ends; has repeat_interval gone by while some
alert is still new, all is told again. Where nobody acknowledges anything, escalation tells others in between.
A group that nothing comes into for resolve_after ends without a word, but not before everything in it was
told: what a silence, an inhibition or a mute time holds back for longer than that is told after it, and then
the group lives for as long again, so that an escalation and the end find it.

Of what its node told people itself (TOLD), only receivers that keep records are told, unless there is more to
tell. It is counted in every notice, and nobody is called because of it.

A look that comes late (the hub was down) stands for all that were missed.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import floor
from typing import NamedTuple

from msgspec.structs import replace

from zeus_hub.notice import Reason
from zeus_hub.routes.group import TOLD, Group, Veil
from zeus_hub.routes.rules import Escalation, Route

IsHeld = Callable[[str], bool]
"""Tells whether what a name in a veil stands for (a silence, an inhibition) holds alerts back now."""


class Telling(NamedTuple):
    """What is to be told of a group."""

    reason: Reason
    """ "repeat" also where only those are told that an escalation adds."""
    number: int
    """Of the notice within its group."""
    fresh: int
    """Alerts that have not been told to all receivers, a roll-up counted with its count."""
    receivers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """How things stand when a group is looked at."""

    now: float
    muted: bool
    """Whether it is a time at which the route tells nobody."""
    is_held: IsHeld
    keepers: Collection[str] = frozenset()
    """Receivers that keep records."""


class Looked(NamedTuple):
    """What came of a look."""

    group: Group
    telling: Telling | None
    ended: bool


def look(group: Group, route: Route, moment: Moment) -> Looked:
    """Return what is to be told of a group now, and the group after that."""
    due = moment.now >= group.due
    quiet = moment.now >= group.came + route.resolve_after
    audible = [veil for veil in group.veils if not any(moment.is_held(name) for name in veil.names)]
    aloud = [veil for veil in audible if TOLD not in veil.names]
    reason = _reason(group, audible, silent=moment.muted) if due else None
    calm = moment.muted or (quiet and not reason)
    if due and not reason and not calm and _is_new(audible) and _may_repeat(group, route, moment.now):
        reason = "repeat"
    level = _level(group, route, moment.now) if _is_new(aloud) and not calm else group.level
    over = due and not group.open and (reason == "over" or not group.notices)
    expired = quiet and not reason and not _has_untold(group)
    known = level == group.level and _is_known(group, aloud, reason)
    telling = _telling(group, route, reason, level, only=moment.keepers if known else None)
    if reason and not telling:
        group, reason = _passed_over(group), None
    after = _after(group, route, moment.now, reason, level, known=known)
    return Looked(after, telling, over or expired)


def wake(group: Group, route: Route) -> float:
    """Return when the group must be looked at again unless something happens to it."""
    times = [group.due]
    if not _has_untold(group):
        times.append(group.came + route.resolve_after)
    if group.chain is not None and group.level < len(route.escalate):
        times.append(group.chain + route.escalate[group.level].after)
    return min(times)


def is_muted(route: Route, now: datetime) -> bool:
    """Tell whether it is a time at which a route tells nobody."""
    if any(hush.holds(now) for hush in route.mute):
        return True
    return bool(route.active) and not any(hush.holds(now) for hush in route.active)


def _reason(group: Group, audible: Sequence[Veil], *, silent: bool) -> Reason | None:
    """Return what has happened that is to be told at a look that was due; None for nothing."""
    if silent:
        return None
    if not group.open:
        return "over" if group.notices else None
    if any(veil.untold for veil in audible):
        return "more" if group.notices else "new"
    return None


def _has_untold(group: Group) -> bool:
    """Tell whether something waits to be told: open alerts, or that all are closed."""
    return bool(group.untold or (group.notices and not group.open))


def _is_new(veils: Iterable[Veil]) -> bool:
    return any(veil.new for veil in veils)


def _is_known(group: Group, aloud: Sequence[Veil], reason: Reason | None) -> bool:
    """Tell whether people know already what is to be told, or never knew of what is over."""
    match reason:
        case "over":
            return group.records == group.notices
        case "repeat":
            return not _is_new(aloud)
    return not any(veil.untold for veil in aloud)


def _passed_over(group: Group) -> Group:
    """Return the group with what its node told as told, where nobody else is to be: it waits for no look."""
    veils = tuple(replace(veil, untold=0) if TOLD in veil.names else veil for veil in group.veils)
    return replace(group, veils=veils)


def _may_repeat(group: Group, route: Route, now: float) -> bool:
    return bool(group.notices) and _tick(group, route, now) - group.told_at >= route.repeat_interval


def _tick(group: Group, route: Route, now: float) -> float:
    """Return when the look should have been: the last of those that were due."""
    return group.due + floor((now - group.due) / route.group_interval) * route.group_interval


def _level(group: Group, route: Route, now: float) -> int:
    """Return how many steps of its escalation a group has come to."""
    if group.chain is None:
        return group.level
    return max(group.level, sum(now - group.chain >= step.after for step in route.escalate))


def _telling(
    group: Group, route: Route, reason: Reason | None, level: int, only: Collection[str] | None
) -> Telling | None:
    """Return what is told; `only` are those who may be, None for all. None where there is nobody to tell."""
    if reason:
        steps = route.escalate[: max(group.reached, level) if reason == "over" else level]
        receivers = (*route.receivers, *_names(steps))
    elif level > group.level:
        reason, receivers = "repeat", _names(route.escalate[group.level : level])
    else:
        return None
    names = tuple(name for name in dict.fromkeys(receivers) if only is None or name in only)
    return Telling(reason, group.notices + 1, group.fresh, names) if names else None


def _names(steps: Iterable[Escalation]) -> tuple[str, ...]:
    return tuple(name for step in steps for name in step.receivers)


def _after(
    group: Group, route: Route, now: float, reason: Reason | None, level: int, *, known: bool
) -> Group:
    """Return the group after a look, and after it was told; `known` says that people were not."""
    tick = _tick(group, route, now)
    told = reason is not None or level > group.level
    group = replace(
        group,
        due=tick + route.group_interval if now >= group.due else group.due,
        notices=group.notices + told,
        records=group.records + (told and known),
        level=level,
        reached=max(group.reached, level),
    )
    if reason is None:
        return group
    quiet = now >= group.came + route.resolve_after
    begins = group.chain is None and reason in ("new", "more") and group.new and not known
    return replace(
        group,
        came=now if quiet else group.came,
        told=group.taken,
        fresh=0,
        told_at=tick,
        veils=tuple(replace(veil, untold=0) for veil in group.veils),
        chain=now if begins else group.chain,
    )
