"""What came of an alert beyond the hub: who was told of its groups, and what people made of them there."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, select

from zeus_hub import outcomes, schema, sent, triage
from zeus_hub.database import reading
from zeus_hub.letters import State
from zeus_hub.receivers.thehive.outcome import Outcome
from zeus_hub.sent import Sent


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one group at one receiver."""

    group: str
    receiver: str
    state: State | None
    """Of the latest notice; None where it was told so long ago that nothing is left of it."""
    at: datetime | None
    """When the receiver had the latest that it took; None for never, or not known any more."""
    reference: str
    """What it calls the group; empty where it has no name there."""
    outcome: Outcome | None
    """What people there made of it; None where nobody can be asked, or has said nothing."""


def of(engine: Engine, ref: triage.Ref) -> Sequence[Told]:
    """Return what came of an alert, by group and receiver. Blocks on the database."""
    with reading(engine) as connection:
        ids = _groups(connection, triage.numbers(connection, [ref]))
        told = {(each.group, each.receiver): each for each in sent.of_groups(connection, ids)}
        made = outcomes.of_groups(connection, ids)
    return [_told(key, told.get(key), made.get(key)) for key in sorted(told.keys() | made.keys())]


def _groups(connection: Connection, numbers: Sequence[int]) -> Collection[str]:
    """Return the groups that alerts went into."""
    table = schema.routed
    went = connection.scalars(select(table.c.alert_number).where(table.c.alert_number.in_(numbers))).all()
    if not went:
        return ()
    from zeus_hub import groups  # noqa: PLC0415 - half a second, of which many hubs have no need

    routed = groups.routed(connection, went)
    return {ticket.group for each in routed.values() for ticket in each.tickets}


def _told(key: tuple[str, str], told: Sent | None, outcome: Outcome | None) -> Told:
    """Return what is known of a group at a receiver from either side; one of them knows it."""
    reference = outcome.reference if outcome else ""
    if told is None:
        return Told(*key, None, None, reference, outcome)
    return Told(*key, told.state, told.at, told.reference or reference, outcome)
