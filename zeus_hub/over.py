"""What is over closes itself: where the hub has cleared a condition, the alerts that told of it are closed.

That is done by the store, in the transaction that stores the alert that clears it. A node can send an alert
that looks like one of the hub's, so the hub is asked: only what it does not hold open any more is over.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, select

from socme.triage import CLOSED
from socme.v1.alert_pb2 import AlertSource, ConditionState, Severity
from socme.v1.watch_pb2 import StoredAlert, Verdict
from zeus_hub import triaged
from zeus_hub.database import alert, moment
from zeus_hub.opened import identify
from zeus_hub.raising import Key, Open
from zeus_hub.triaged import Deed, State

BY = "zeus"  # who closed them
REASON = "over"

IsOpen = Callable[[Key, datetime], bool]
"""Tells whether the hub holds a condition, raised at that time, open; called from any thread."""


def ends(stored: StoredAlert) -> bool:
    """Tell whether an alert says that a condition is over."""
    condition = stored.alert.condition
    return (
        stored.alert.source == AlertSource.ALERT_SOURCE_SOCME
        and condition.state == ConditionState.CONDITION_STATE_CLEARED
        and condition.HasField("since")
    )


def close(connection: Connection, stored: StoredAlert, node_id: int, is_open: IsOpen) -> None:
    """Close, within a transaction, the alert that says that a condition is over, and those that raised it."""
    condition = stored.alert.condition
    key = (stored.client, stored.node, condition.kind, condition.subject)
    since = moment(condition.since.ToMicroseconds())
    if is_open(key, since):
        return
    ids = [stored.alert.id, *_raising(key, since)]
    query = select(alert.c.number).where(alert.c.id.in_(ids), alert.c.node_id == node_id)
    numbers = connection.execute(query).scalars().all()
    now = moment(stored.received.ToMicroseconds())
    triaged.change(connection, numbers, Deed("close", _step, BY, now))


def _step(state: State) -> State:
    """Close an alert; one that a person has closed keeps what the person said."""
    if state.status == CLOSED:
        return state
    return replace(state, status=CLOSED, verdict=Verdict.VERDICT_TRUE_POSITIVE, reason=REASON)


def _raising(key: Key, since: datetime) -> Iterator[bytes]:
    """Yield the ids of the alerts that may have raised a condition: one for each severity."""
    for severity in Severity.values():
        yield identify(Open(*key, since, severity, "", severity), raised=True)
