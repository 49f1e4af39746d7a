"""How long alerts are kept: by severity, for all clients and for single ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, select

from socme.v1.alert_pb2 import Severity
from zeus_hub import schema
from zeus_hub.database import MICROSECOND
from zeus_hub.plan import Days, Retention

DAY_US = timedelta(days=1) // MICROSECOND
NAMES: Mapping[int, str] = {
    Severity.SEVERITY_LOW: "low",
    Severity.SEVERITY_MEDIUM: "medium",
    Severity.SEVERITY_HIGH: "high",
    Severity.SEVERITY_CRITICAL: "critical",
}
OTHER = int(Severity.SEVERITY_UNSPECIFIED)  # stands for all severities that are not named

Key = tuple[int, int]  # id of a client, and a severity


@dataclass(frozen=True, slots=True)
class Horizons:
    """From when on alerts are kept, by client and severity; of what is not named, all are."""

    since_us: Mapping[Key, int]
    """Microseconds since 1970, by the hub's clock."""

    def is_past(self, client_id: int, severity: int, received_us: int) -> bool:
        """Tell whether an alert is not kept any more."""
        since_us = self.since_us.get((client_id, severity if severity in NAMES else OTHER))
        return since_us is not None and received_us < since_us


def horizons(
    settings: Retention, clients: Mapping[int, str], before: Horizons, *, oldest_us: int, now_us: int
) -> Horizons:
    """Return from when on alerts are kept now, given from when on they were kept so far.

    That goes on by no more than a day each time: a clock that is put forward by mistake must not take all
    with it. It never goes back, for what is gone is gone.
    """
    found = dict(before.since_us)
    for client_id, name in clients.items():
        for severity, days in kept(settings, name).items():
            if days is not None:
                so_far = found.get((client_id, severity), oldest_us)
                wanted = min(now_us - days * DAY_US, max(so_far, oldest_us) + DAY_US)
                if wanted > so_far:
                    found[client_id, severity] = wanted
    return Horizons(found)


def noted(connection: Connection) -> Horizons:
    """Return from when on alerts are kept, as it was written down, within a transaction."""
    rows = connection.execute(select(schema.horizon))
    return Horizons({(row.client_id, row.severity): row.since_us for row in rows})


def kept(settings: Retention, client: str) -> Mapping[int, int | None]:
    """Return how many days alerts of a client are kept, by severity; None for ever.

    What has no severity that is known may be anything, so it is kept as long as any.
    """
    own = settings.clients.get(client, Days())
    days = {number: getattr(own, name) or getattr(settings, name) for number, name in NAMES.items()}
    limits = [one for one in days.values() if one is not None]
    return {**days, OTHER: max(limits) if len(limits) == len(NAMES) else None}
