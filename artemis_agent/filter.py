"""Which alerts leave the site, by the operator's rules. Pure; whoever asks counts what is dropped."""

import math
from collections.abc import Mapping

import msgspec

from socme.v1.alert_pb2 import Alert, Severity

MIN_SEVERITY = "min_severity"  # dropped for being less severe than the operator asked for
WAZUH_COPY = "wazuh_copy"  # dropped for being Wazuh's copy of a Suricata alert that was sent
SPOOL_FULL = "spool_full"  # dropped to leave what room the spool has to alerts that are more severe

# The share of the spool that alerts of a severity may fill, where the operator chose to drop the lowest.
# Critical alerts may fill all of it, as those may that nobody judged; then reading pauses.
# At the last of these shares, those that may wait are given up: nothing severe is refused for them.
_SHARES: Mapping[int, float] = {
    Severity.SEVERITY_LOW: 0.5,
    Severity.SEVERITY_MEDIUM: 0.75,
    Severity.SEVERITY_HIGH: 0.9,
}
CROWDED = _SHARES[Severity.SEVERITY_HIGH]


class Send(msgspec.Struct, frozen=True):
    """The alert goes to the hub."""


class Drop(msgspec.Struct, frozen=True):
    """The alert stays on the site."""

    reason: str
    """Short and stable, for the vitals: MIN_SEVERITY or another name of that kind."""


Verdict = Send | Drop

_UNKNOWN = Severity.SEVERITY_UNSPECIFIED
_SEND = Send()
_LESS_SEVERE = Drop(MIN_SEVERITY)


def verdict(alert: Alert, min_severity: Severity.ValueType) -> Verdict:
    """Return what is to become of an alert. One without a known severity is sent: nobody judged it."""
    if _UNKNOWN < alert.severity < min_severity:
        return _LESS_SEVERE
    return _SEND


def has_room(severity: int, share: float) -> bool:
    """Tell whether a spool that is full to a share still takes alerts of a severity (`drop-lowest`)."""
    return share < _SHARES.get(severity, math.inf)
