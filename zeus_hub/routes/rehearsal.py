"""What rules would have told of alerts that are known already: hours of them in a moment. Pure.

The clock is that of the alerts' arrival at the hub. Nobody acknowledges or closes anything meanwhile, so that
repeats and escalations are told as they would be to people who are asleep.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from socme.v1.watch_pb2 import StoredAlert
from zeus_hub.routes.grouping import Grouping, Told
from zeus_hub.routes.rules import Rules
from zeus_hub.routes.silence import Silence


class Would(NamedTuple):
    """Something that would have been told."""

    at: datetime
    told: Told


def rehearse(
    rules: Rules,
    alerts: Iterable[StoredAlert],
    *,
    silences: Iterable[Silence] = (),
    beyond: timedelta = timedelta(),
) -> Iterator[Would]:
    """Yield what would have been told of alerts, which come in the order of their arrival.

    `beyond`: how long to go on after the last of them.
    """
    groups = Grouping(rules, silences)
    now: datetime | None = None
    for stored in alerts:
        arrived = stored.received.ToDatetime(UTC)
        now = arrived if now is None else max(now, arrived)
        yield from _until(groups, now)
        groups.take([stored], now)
    if now is not None:
        yield from _until(groups, now + beyond)


def _until(groups: Grouping, end: datetime) -> Iterator[Would]:
    """Yield what is told up to and with some time."""
    while (at := groups.next()) is not None and at <= end.timestamp():
        yield from _at(groups, datetime.fromtimestamp(at, UTC))
    yield from _at(groups, end)


def _at(groups: Grouping, now: datetime) -> Iterator[Would]:
    groups.tick(now)
    for told in groups.drain().told:
        yield Would(now, told)
