"""Alerts counted by severity. One that this screen is too old to know counts as unspecified."""

from collections.abc import Iterable, Mapping

from socme.v1.alert_pb2 import Severity
from socme.v1.watch_pb2 import SeverityCount

Counts = Mapping[int, int]
"""How many alerts of each severity; one that is not in it has none."""

CRITICAL = int(Severity.SEVERITY_CRITICAL)
HIGH = int(Severity.SEVERITY_HIGH)
MEDIUM = int(Severity.SEVERITY_MEDIUM)
LOW = int(Severity.SEVERITY_LOW)
UNKNOWN = int(Severity.SEVERITY_UNSPECIFIED)

# Worst first; what was not rated may be anything, and is looked at before what is known to be low.
SEVERITIES = (CRITICAL, HIGH, MEDIUM, UNKNOWN, LOW)


def known(severity: int) -> int:
    """Return a severity of SEVERITIES for any number."""
    return severity if severity in SEVERITIES else UNKNOWN


def rank(severity: int) -> int:
    """Return how urgent a severity is, from 0 on."""
    return len(SEVERITIES) - 1 - SEVERITIES.index(severity)


def is_wanted(severity: int, least: int) -> bool:
    """Tell whether a screen that shows alerts from `least` on shows this one."""
    return severity >= least or known(severity) == UNKNOWN


def read(told: Iterable[SeverityCount], least: int = UNKNOWN) -> Counts:
    """Return counts as the hub tells them."""
    counts: dict[int, int] = {}
    for count in told:
        if is_wanted(count.severity, least) and count.alerts:
            severity = known(count.severity)
            counts[severity] = counts.get(severity, 0) + count.alerts
    return counts


def moved(counts: Counts, severity: int, by: int) -> Counts:
    """Return counts with so many more, or fewer, of a severity; never fewer than none."""
    number = max(0, counts.get(severity, 0) + by)
    others = {each: count for each, count in counts.items() if each != severity}
    return {**others, severity: number} if number else others


def worst(counts: Counts) -> int | None:
    """Return the worst severity that there is an alert of."""
    return next((severity for severity in SEVERITIES if counts.get(severity)), None)
