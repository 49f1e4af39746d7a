"""Which lane of the spool an alert takes: what is urgent overtakes what may wait. Pure."""

from socme.v1.alert_pb2 import Severity
from socme.v1.uplink_pb2 import Lane

_MAY_WAIT = frozenset((Severity.SEVERITY_LOW, Severity.SEVERITY_MEDIUM))
_URGENT, _NORMAL = Lane.LANE_URGENT, Lane.LANE_NORMAL  # looked up once: protobuf's enums are slow to ask


def lane_of(severity: int, *, live: bool) -> Lane.ValueType:
    """Return the lane of an alert of a severity.

    `live` says that it was read as it was written while the hub was connected: then everything is urgent,
    and one lane in use means one batch for each append. A severity that was not given, or that this
    version does not know, may be anything and does not wait.
    """
    return _NORMAL if severity in _MAY_WAIT and not live else _URGENT
