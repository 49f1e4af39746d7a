"""What a node says of alerts that it told people of itself while it reached no hub. Pure.

The hub's report of that is an alert of its own. It stands in the journal before the alerts that it is about:
whoever tells people knows of it in time, and everybody can see that the client was told.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from socme.batch import ID_BYTES
from socme.v1.alert_pb2 import Alert, AlertSource, Condition, ConditionState, Severity
from socme.v1.uplink_pb2 import Told

KIND = "told_by_node"
MOST_IDS = 2000  # in one message, by the contract


def objection(told: Told) -> str:
    """Return why a message is not taken; empty where it is."""
    if not 0 < len(told.alerts) <= MOST_IDS:
        return f"Told has {len(told.alerts)} alerts, not 1 to {MOST_IDS}"
    if any(len(each) != ID_BYTES for each in told.alerts):
        return f"the id of an alert has {ID_BYTES} bytes"
    return ""


def report(client: str, node: str, ids: Sequence[bytes], now: datetime) -> Alert:
    """Return the alert that says so; what is said again has the same id."""
    digest = hashlib.blake2b(f"{KIND}\0{client}\0{node}\0".encode(), digest_size=ID_BYTES)
    digest.update(b"".join(ids))
    many = f"{len(ids)} alert{'' if len(ids) == 1 else 's'}"
    alert = Alert(
        id=digest.digest(),
        source=AlertSource.ALERT_SOURCE_SOCME,
        severity=Severity.SEVERITY_LOW,
        message=f"{client}/{node}: mailed {many} to the client itself while it reached no hub",
        count=1,
        condition=Condition(kind=KIND, state=ConditionState.CONDITION_STATE_HAPPENED),
        told=ids,
    )
    for stamp in (alert.time, alert.observed, alert.condition.since):
        stamp.FromDatetime(now)
    alert.rule.id, alert.rule.name = f"socme.{KIND}", "The node told the client itself"
    alert.host.name = node
    return alert
