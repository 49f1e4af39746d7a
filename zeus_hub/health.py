"""What can be relied on: of a node by its conditions, of a client by its nodes, and over the last day."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from socme.v1.alert_pb2 import Severity
from socme.v1.vitals_pb2 import Health
from zeus_hub import conditions
from zeus_hub.raising import Open

DAY = timedelta(hours=24)
MOST_REASONS = 16
SEEING = frozenset((Health.HEALTH_UP, Health.HEALTH_DEGRADED, Health.HEALTH_LATE))
"""Of what happens in such a state, one is told, sooner or later."""
REVOKED = "its certificate was revoked: nothing is taken from it"
CLIENT_DISABLED = "its client is disabled: nothing is taken from it"
DISABLED = "it is disabled: nothing is taken from its nodes"
UNHEARD = "nothing was heard of it since the hub started, or let it in again"
AWAY = "the hub did not run"
UNUSED = "no node of it was ever heard"
# Every kind that is not named here needs care, and that is all.
_WORSE = {
    conditions.NODE_SILENT: Health.HEALTH_SILENT,
    conditions.SOURCE_SILENT: Health.HEALTH_BLIND,
    conditions.SENSOR_DROPS: Health.HEALTH_BLIND,
    conditions.SENSOR_BLIND: Health.HEALTH_BLIND,
    conditions.LAG_GROWING: Health.HEALTH_LATE,
    conditions.SINK_STUCK: Health.HEALTH_LATE,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How something is, and why: the worst first; nothing where it is up."""

    health: Health.ValueType
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """A change in how a client is."""

    since: datetime
    health: int
    reason: str = ""


def of_condition(condition: Open) -> Health.ValueType:
    """Return what a condition makes of its node."""
    if condition.kind == conditions.CANARY_LOST:  # behind the spool it is kept, and comes later
        inside = condition.severity >= Severity.SEVERITY_HIGH
        return Health.HEALTH_BLIND if inside else Health.HEALTH_LATE
    return _WORSE.get(condition.kind, Health.HEALTH_DEGRADED)


def of_node(opened: Iterable[Open], *, revoked: bool, enabled: bool, heard: bool, seen: bool) -> Standing:
    """Return how a node is, by its open conditions.

    `enabled`: its client is; `heard` since the hub started, or let it in again; `seen` ever.
    """
    if revoked or not enabled:
        return Standing(Health.HEALTH_REVOKED, (REVOKED if revoked else CLIENT_DISABLED,))
    ranked = sorted(opened, key=lambda one: (-of_condition(one), -one.severity, one.kind, one.subject))
    reasons = tuple(condition.message for condition in ranked)
    if ranked and of_condition(ranked[0]) is Health.HEALTH_SILENT:
        return Standing(Health.HEALTH_SILENT, reasons[:MOST_REASONS])
    if not heard:
        unheard = (UNHEARD,) if seen else ()
        return Standing(Health.HEALTH_UNSPECIFIED, (*unheard, *reasons)[:MOST_REASONS])
    worst = of_condition(ranked[0]) if ranked else Health.HEALTH_UP
    return Standing(worst, reasons[:MOST_REASONS])


def of_client(nodes: Mapping[str, Standing], *, enabled: bool) -> Standing:
    """Return how a client is: as the worst of its nodes, of which those that are revoked do not count."""
    if not enabled:
        return Standing(Health.HEALTH_REVOKED, (DISABLED,))
    counted = {name: standing for name, standing in nodes.items() if standing.health != Health.HEALTH_REVOKED}
    if nodes and not counted:
        return Standing(Health.HEALTH_REVOKED, (f"{min(nodes)}: {REVOKED}",))
    known = {name: standing for name, standing in counted.items() if _is_known(standing)}
    if not known:
        return Standing(Health.HEALTH_UNSPECIFIED, (UNUSED,))
    ranked = sorted(known.items(), key=lambda one: (-_badness(one[1]), one[0]))
    reasons = [f"{name}: {reason}" for name, standing in ranked for reason in standing.reasons]
    return Standing(ranked[0][1].health, tuple(reasons[:MOST_REASONS]))


def behind(history: Sequence[Moment], now: datetime) -> Moment | None:
    """Return how it is from now on, where a clock that was ahead wrote down moments that are still to come.

    None of those is true: it is as the last of them says, and nobody knows since when, but now.
    """
    last = history[-1] if history else None
    return replace(last, since=now) if last is not None and last.since > now else None


def share(history: Sequence[Moment], now: datetime) -> float:
    """Return in which share of the last 24 hours one could see, 0 to 1.

    The moments ascend, and each holds until the next one; what was before the first one is left out.
    """
    start = now - DAY
    ends = [*(moment.since for moment in history[1:]), now]
    whole = seeing = timedelta()
    for moment, end in zip(history, ends, strict=False):
        length = max(timedelta(), min(end, now) - max(moment.since, start))
        whole += length
        if moment.health in SEEING:
            seeing += length
    if not whole:
        return 1.0 if history and history[-1].health in SEEING else 0.0
    return seeing / whole


def _is_known(standing: Standing) -> bool:
    """Tell whether a node counts: one that was never heard is not in use yet."""
    return standing.health != Health.HEALTH_UNSPECIFIED or bool(standing.reasons)


def _badness(standing: Standing) -> int:
    """Return the order of states; one that is not known yet may be the worst of those that last."""
    unknown = standing.health == Health.HEALTH_UNSPECIFIED
    return Health.HEALTH_BLIND if unknown else standing.health
