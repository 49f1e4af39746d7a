"""One journal entry as alerts, with what only the hub knows: client, node, time of arrival.

A node is trusted with its own alerts and with nothing else: whatever it sent is brought within the bounds
that sinks and watchers rely on: an id of 16 bytes, times that exist, a count of at least 1, a severity from
0 to 99 (others count as unspecified), a size that fits a message. A message that is the rule's name did not
travel, and is filled in. Canaries stand apart from alerts here, so that whoever takes `alerts` cannot count
one by mistake.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from socme.batch import ID_BYTES, BatchError, split, varint
from socme.journal import Entry
from socme.v1.alert_pb2 import Alert, Severity
from socme.v1.watch_pb2 import StoredAlert, StoredAlerts

# Bytes of one alert: raw is cut at 1 MiB by the node, and its text may stand in the message again.
LARGEST_ALERT = 4 * 1024 * 1024
LONGEST_KEPT = 4096  # characters of each text of an alert that was too large
# Above the highest severity that there is, for those of newer nodes. Whoever counts alerts by severity
# relies on there being few.
HIGHEST_SEVERITY = 99
_STAMPS: tuple[Literal["time", "observed", "first", "last"], ...] = ("time", "observed", "first", "last")
_STORED_TAG = b"\x0a"  # field 1, length-delimited: StoredAlerts.alerts
_ALERT_TAG = b"\x22"  # field 4, length-delimited: StoredAlert.alert
_ADDED = 1024
_NANOSECONDS = 1_000_000_000
# Seconds of the years 1 to 9999, what a Timestamp may say and a datetime can hold.
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799


@dataclass(frozen=True, slots=True)
class Arrival:
    """A batch that could be read."""

    entry: Entry
    alerts: Sequence[StoredAlert]
    """In the order in which they were read."""
    canaries: Sequence[StoredAlert] = ()
    """Proof of the way (Alert.canary), and no alerts."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A batch that could not: it is set aside, and nobody tries again."""

    entry: Entry
    reason: str


def enrich(entry: Entry) -> Arrival | Unreadable:
    """Decode a journal entry."""
    try:
        all_ = _stored(entry)
    except BatchError as error:
        return Unreadable(entry, str(error))
    except DecodeError as error:
        return Unreadable(entry, f"cannot be decoded: {error}")
    alerts: list[StoredAlert] = []
    canaries: list[StoredAlert] = []
    for stored in all_:
        (canaries if stored.alert.HasField("canary") else alerts).append(stored)
    return Arrival(entry, alerts, canaries)


def _stored(entry: Entry) -> list[StoredAlert]:
    """Return the alerts of an entry with what the hub adds.

    The wire format of a message is its fields one after another, so the hub's are put before each alert, and
    all is decoded at once: to copy decoded alerts into other messages takes twice as long as decoding them.
    """
    client, _, node = entry.origin.partition("/")
    received = Timestamp()
    received.FromMicroseconds(entry.received_us)
    head = StoredAlert(client=client, node=node, received=received).SerializeToString() + _ALERT_TAG
    parts: list[bytes] = []
    alerts = split(entry.packed)
    for alert in alerts:
        size = varint(len(alert))
        parts += (_STORED_TAG, varint(len(head) + len(size) + len(alert)), head, size, alert)
    decoded = StoredAlerts.FromString(b"".join(parts)).alerts
    return [_bounded(stored, len(alert)) for stored, alert in zip(decoded, alerts, strict=True)]


def time_us(stored: StoredAlert) -> int:
    """Return when it happened, in microseconds since 1970: by the sensor, else the node, else the hub."""
    alert = stored.alert
    if alert.HasField("time"):
        return microseconds(alert.time)
    return microseconds(alert.observed if alert.HasField("observed") else stored.received)


def microseconds(stamp: Timestamp) -> int:
    """Return a time that exists in microseconds since 1970; protobuf's own function looks whether it does."""
    return stamp.seconds * 1_000_000 + stamp.nanos // 1000


def _bounded(stored: StoredAlert, size: int) -> StoredAlert:
    """Bring an alert within bounds; `size` is how many bytes came."""
    alert = stored.alert
    _keep_times(alert)
    if len(alert.id) != ID_BYTES:
        alert.id = hashlib.blake2b(alert.SerializeToString(), digest_size=ID_BYTES).digest()
    if not alert.count:
        alert.count = 1
    if not 0 <= alert.severity <= HIGHEST_SEVERITY:
        alert.severity = Severity.SEVERITY_UNSPECIFIED
    if not alert.message:
        alert.message = alert.rule.name
    # To reckon a size takes a tenth of decoding. With its rule's name once more, and the few bytes of what is
    # filled in, none is twice what came.
    if size > LARGEST_ALERT // 2 - _ADDED and alert.ByteSize() > LARGEST_ALERT:
        alert.CopyFrom(_small(alert))
    return stored


def _keep_times(alert: Alert) -> None:
    """Clear the times that do not exist."""
    for stamp in _STAMPS:
        if alert.HasField(stamp) and not _is_time(getattr(alert, stamp)):
            alert.ClearField(stamp)
    if alert.HasField("canary") and not _is_time(alert.canary.written):
        alert.canary.ClearField("written")
    if alert.HasField("condition") and not _is_time(alert.condition.since):
        alert.condition.ClearField("since")


def _is_time(stamp: Timestamp) -> bool:
    return _EARLIEST <= stamp.seconds <= _LATEST and 0 <= stamp.nanos < _NANOSECONDS


def _small(alert: Alert) -> Alert:
    """Return the heart of an alert that no honest node would have sent."""
    small = Alert(
        id=alert.id,
        source=alert.source,
        time=alert.time if alert.HasField("time") else None,
        observed=alert.observed if alert.HasField("observed") else None,
        severity=alert.severity,
        message=alert.message[:LONGEST_KEPT],
        action=alert.action,
        count=alert.count,
        raw=alert.raw[: LARGEST_ALERT // 4],
        raw_bytes=max(alert.raw_bytes, len(alert.raw)),
        raw_cut=True,
        canary=alert.canary if alert.HasField("canary") else None,
    )
    small.rule.id = alert.rule.id[:LONGEST_KEPT]
    small.rule.name = alert.rule.name[:LONGEST_KEPT]
    small.source_endpoint.ip = alert.source_endpoint.ip[:LONGEST_KEPT]
    small.destination_endpoint.ip = alert.destination_endpoint.ip[:LONGEST_KEPT]
    return small
