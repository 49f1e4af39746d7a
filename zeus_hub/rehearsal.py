"""What rules would have done with alerts that came once: who would have been told of what, and when. Pure.

Time is what the hub's clock showed when each alert came, and what is due between two of them is told at its
time; behind the last one it goes on until everything has been told. What would have been repeated, or told to
others because nobody acknowledged it, depends on people and is left out.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from socme.v1.watch_pb2 import StoredAlert
from socme.view import moment
from zeus_hub.routes.due import Telling
from zeus_hub.routes.grouping import Grouping, Told
from zeus_hub.routes.rules import Rules

AFTER = timedelta(minutes=1)  # one look behind the last alert, beyond every group_wait
PORTION = 1000  # alerts that are taken together
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """One thing that would have happened."""

    time: datetime
    client: str
    telling: Telling | None
    """None: the alert goes nowhere."""
    alert: str = ""
    """Its id, of one that goes nowhere."""
    route: str = ""
    group: str = ""
    count: int = 0
    """Alerts of the group so far."""
    labels: tuple[tuple[str, str], ...] = ()


def rehearse(rules: Rules, alerts: Iterable[StoredAlert]) -> Iterator[Rehearsed]:
    """Yield what would have happened, in order; alerts are in the order of their arrival."""
    grouping = Grouping(rules)
    now = _EPOCH
    for time, portion in _portions(alerts):
        yield from _between(grouping, now, time)
        now = time
        routes = grouping.take([_untouched(stored) for stored in portion], now)
        for stored, routed in zip(portion, routes, strict=True):
            if not routed.tickets:
                yield Rehearsed(time=now, client=stored.client, telling=None, alert=stored.alert.id.hex())
    longest = max((route.group_wait + route.group_interval for route in rules.routes), default=0.0)
    yield from _between(grouping, now, now + timedelta(seconds=longest) + AFTER)


def _portions(alerts: Iterable[StoredAlert]) -> Iterator[tuple[datetime, list[StoredAlert]]]:
    """Yield what came in one moment together, as the router takes it; time never goes back."""
    now, portion = _EPOCH, list[StoredAlert]()
    for stored in alerts:
        came = max(now, moment(stored.received) or now)
        if portion and (came > now or len(portion) >= PORTION):
            yield now, portion
            portion = []
        now = came
        portion.append(stored)
    if portion:
        yield now, portion


def _between(grouping: Grouping, begin: datetime, end: datetime) -> Iterator[Rehearsed]:
    """Yield what is told from one time, at which alerts came that may be told at once, to another."""
    yield from _told(grouping, begin)
    while (at := grouping.next()) is not None and at <= end.timestamp():
        yield from _told(grouping, datetime.fromtimestamp(at, UTC))
    yield from _told(grouping, end)


def _untouched(stored: StoredAlert) -> StoredAlert:
    """Return an alert as it came: without what people did about it."""
    came = StoredAlert()
    came.CopyFrom(stored)
    came.ClearField("triage")
    return came


def _told(grouping: Grouping, now: datetime) -> Iterator[Rehearsed]:
    grouping.tick(now)
    for told in grouping.drain().told:
        if told.telling.reason != "repeat":
            yield _rehearsed(told, now)


def _rehearsed(told: Told, now: datetime) -> Rehearsed:
    group = told.row.group
    return Rehearsed(
        time=now,
        client=group.client,
        telling=told.telling,
        route=group.route,
        group=group.id,
        count=told.row.summary.count,
        labels=group.labels,
    )
