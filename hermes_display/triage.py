"""Whether an alert is open, and whether somebody looks after it, as far as a screen needs to know."""

from datetime import datetime, timedelta
from enum import Enum

from hermes_display.tally import HIGH
from socme.v1.watch_pb2 import TriageStatus

SHORT_LIFE = timedelta(days=1)  # how long the hub counts an alert among the open ones
LONG_LIFE = timedelta(days=30)  # the same for high and critical ones


class Stage(Enum):
    """Where an alert stands."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


def stage(status: int) -> Stage:
    """Return where an alert stands; somebody did something where a status is too new to be known."""
    if status in (TriageStatus.TRIAGE_STATUS_UNSPECIFIED, TriageStatus.TRIAGE_STATUS_NEW):
        return Stage.NEW
    return Stage.CLOSED if status == TriageStatus.TRIAGE_STATUS_CLOSED else Stage.ACKNOWLEDGED


def is_counted(severity: int, received: datetime | None, now: datetime | None) -> bool:
    """Tell whether an alert is young enough to be among the open ones."""
    if received is None or now is None:
        return True
    return now - received <= (LONG_LIFE if severity >= HIGH else SHORT_LIFE)


def steps(before: Stage, after: Stage) -> tuple[int, int]:
    """Return by how many the open and the fresh alerts change where one goes from a stage to another."""
    is_open = (after is not Stage.CLOSED) - (before is not Stage.CLOSED)
    is_fresh = (after is Stage.NEW) - (before is Stage.NEW)
    return is_open, is_fresh
