"""Which of the alerts that were read leave now, which are held for a roll-up, and which stay on the site."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

from artemis_agent.examine import Found
from artemis_agent.filter import SPOOL_FULL
from artemis_agent.held import Due, Held
from artemis_agent.lane import lane_of
from artemis_agent.spool import Waiting
from socme.v1.alert_pb2 import Alert

MOST_DUE = 256  # roll-ups that leave at one time because their windows are over

Going: TypeAlias = Found | Due | Alert


@dataclass(frozen=True, slots=True)
class Sorted:
    """What becomes of what was read."""

    going: list[Going] = field(default_factory=list)
    """What leaves, in order: alerts, roll-ups, and what the node says of itself."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Alerts that stay, by reason."""
    held: int = 0
    """Alerts that wait for their roll-up."""

    @property
    def made(self) -> int:
        """How many of those that leave are no lines."""
        return sum(not isinstance(each, Found) for each in self.going)

    @property
    def dues(self) -> Sequence[Due]:
        """The roll-ups among them."""
        return [each for each in self.going if isinstance(each, Due)]


def sort(
    alerts: Iterable[Found],
    held: Held,
    now_us: int,
    *,
    has_room: Callable[[int], bool],
    more: Sequence[Alert],
) -> Sorted:
    """Return what becomes of alerts, by this node's clock; `more` is what the node adds of its own.

    `has_room` tells whether the spool takes alerts of a severity. Where it does not, no more roll-ups begin.
    One that has begun takes no more room for what it counts, and is taken: its lines are gone past.
    """
    going: list[Going] = list(more)
    dropped, kept = Counter[str](), 0
    for alert in alerts:
        if alert.drop:
            dropped[alert.drop] += 1
            continue
        fits = has_room(alert.severity)
        may_be_held = alert.key and (fits or held.windows.held(alert.key))
        is_held, due = (
            held.hold(alert.key, alert.time_us, now_us, alert.payload) if may_be_held else (False, None)
        )
        if due:
            going.append(due)
        if is_held:
            kept += 1
        elif fits:
            going.append(alert)
        else:
            dropped[SPOOL_FULL] += 1
    going.extend(islice(held.end_due(now_us), MOST_DUE))
    return Sorted(going, dropped, kept)


def waiting(going: Iterable[Going], firsts: Mapping[bytes, bytes], *, live: bool) -> list[Waiting]:
    """Return what goes to the spool, each in its lane; `firsts` are of roll-ups that lie in the spool."""
    return [_waiting(each.alert(firsts) if isinstance(each, Due) else each, live=live) for each in going]


def _waiting(each: Found | Alert, *, live: bool) -> Waiting:
    payload = each.payload if isinstance(each, Found) else each.SerializeToString()
    return Waiting(payload, lane_of(each.severity, live=live))
