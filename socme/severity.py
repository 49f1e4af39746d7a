"""One scale of severity for all sources, and its names for people, settings and JSON.

Wazuh counts upwards (level 15 is worst), Suricata downwards (priority 1 is worst); nobody but this module
compares the two.
"""

from collections.abc import Mapping

from socme.v1.alert_pb2 import Severity

UNKNOWN = "unknown"  # what a severity is called that was not given, or that this version does not know

_BY_NAME: Mapping[str, Severity.ValueType] = {
    "low": Severity.SEVERITY_LOW,
    "medium": Severity.SEVERITY_MEDIUM,
    "high": Severity.SEVERITY_HIGH,
    "critical": Severity.SEVERITY_CRITICAL,
}
_NAMES: Mapping[int, str] = {severity: name for name, severity in _BY_NAME.items()}

NAMES = tuple(_BY_NAME)  # ascending

# The lowest Wazuh level of each band, worst first. Wazuh alerts with levels 3 to 16.
_WAZUH: tuple[tuple[int, Severity.ValueType], ...] = (
    (15, Severity.SEVERITY_CRITICAL),
    (12, Severity.SEVERITY_HIGH),
    (7, Severity.SEVERITY_MEDIUM),
)
# Suricata's priorities are 1 to 255; rule authors use 1 to 3, and whatever is above is less urgent still.
_SURICATA: Mapping[int, Severity.ValueType] = {1: Severity.SEVERITY_HIGH, 2: Severity.SEVERITY_MEDIUM}
_LOW = Severity.SEVERITY_LOW  # looked up once: protobuf's enums are slow to ask


def of_wazuh(level: int) -> Severity.ValueType:
    """Return the severity of a Wazuh rule level."""
    return next((severity for lowest, severity in _WAZUH if level >= lowest), _LOW)


def of_suricata(priority: int | None, *, critical: bool = False) -> Severity.ValueType:
    """Return the severity of a Suricata rule priority (`alert.severity`).

    `critical` says that the rule's metadata names signature_severity Critical, which no priority can
    express. Without a priority, and for 0, which Suricata does not allow, it is unspecified.
    """
    if critical:
        return Severity.SEVERITY_CRITICAL
    if priority is None or priority < 1:
        return Severity.SEVERITY_UNSPECIFIED
    return _SURICATA.get(priority, _LOW)


def name(severity: int) -> str:
    """Return "low", "medium", "high" or "critical", and "unknown" for anything else."""
    return _NAMES.get(severity, UNKNOWN)


def named(name: str) -> Severity.ValueType:
    """Return the severity of one of NAMES; raise KeyError for any other name."""
    return _BY_NAME[name]
