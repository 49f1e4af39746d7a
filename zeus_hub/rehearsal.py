"""What rules would have done with alerts that came once: who would have been told of what, and when. Pure.

Time is what the hub's clock showed when each alert came; behind the last one it goes on until everything has
been told. Nobody acknowledges anything, so what would be repeated for ever is told once.
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
    for stored in alerts:
        now = max(now, moment(stored.received) or now)
        [routed] = grouping.take([_untouched(stored)], now)
        yield from _told(grouping, now)
        if not routed.tickets:
            yield Rehearsed(time=now, client=stored.client, telling=None, alert=stored.alert.id.hex())
    longest = max((route.group_wait + route.group_interval for route in rules.routes), default=0.0)
    end = now + timedelta(seconds=longest) + AFTER
    grouping.tick(end)
    yield from _told(grouping, end)


def _untouched(stored: StoredAlert) -> StoredAlert:
    """Return an alert as it came: without what people did about it."""
    came = StoredAlert()
    came.CopyFrom(stored)
    came.ClearField("triage")
    return came


def _told(grouping: Grouping, now: datetime) -> Iterator[Rehearsed]:
    for told in grouping.drain().told:
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
