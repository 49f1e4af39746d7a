"""Which alerts leave the site, by the operator's rules. Pure; whoever asks counts what is dropped."""

from dataclasses import dataclass

from socme.v1.alert_pb2 import Alert, Severity

MIN_SEVERITY = "min_severity"  # dropped for being less severe than the operator asked for
WAZUH_COPY = "wazuh_copy"  # dropped for being Wazuh's copy of a Suricata alert that was sent


@dataclass(frozen=True, slots=True)
class Send:
    """The alert goes to the hub."""


@dataclass(frozen=True, slots=True)
class Drop:
    """The alert stays on the site."""

    reason: str
    """Short and stable, for the vitals: MIN_SEVERITY or another name of that kind."""


Verdict = Send | Drop

_SEND = Send()
_LESS_SEVERE = Drop(MIN_SEVERITY)


def verdict(alert: Alert, min_severity: Severity.ValueType) -> Verdict:
    """Return what is to become of an alert. One without a known severity is sent: nobody judged it."""
    if Severity.SEVERITY_UNSPECIFIED < alert.severity < min_severity:
        return _LESS_SEVERE
    return _SEND
