"""One record in, one Alert out, or the reason why not. Pure; never raises, whatever the record holds."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import TypeAlias

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from artemis_agent import suricata, wazuh
from artemis_agent.decode import UndecodableError
from artemis_agent.source import Kind, Record
from artemis_agent.values import timestamp
from socme.batch import ID_BYTES
from socme.v1.alert_pb2 import Alert

LARGEST_RAW = 1024 * 1024  # bytes of a line that travel with its alert
_TIME_BYTES = 3  # of an id: the alert's seconds, which begin anew after half a year
_DIGEST_BYTES = ID_BYTES - _TIME_BYTES
_Read: TypeAlias = Callable[[bytes], tuple[Alert, int | None] | None]


class Normalised(msgspec.Struct, frozen=True, gc=False):  # as source.Record
    """An alert, complete."""

    alert: Alert
    copy_key: int | None
    """Of a Suricata alert: the key that its copy in Wazuh has; None where it has nothing to make it of."""
    copy_of: int | None
    """Of a Wazuh alert that is a copy (rule 86601): the key of the Suricata alert."""


class NotAnAlert(msgspec.Struct, frozen=True):
    """A record of another kind, or a blank line; nothing is lost by leaving it."""


class Undecodable(msgspec.Struct, frozen=True):
    """A record that cannot be read and may have been an alert."""

    reason: str


def normalise(
    record: Record, *, kind: Kind, origin: str, observed: datetime
) -> Normalised | NotAnAlert | Undecodable:
    """Return what a record of a source of this kind is.

    `origin` is the source's name, `observed` when the record was read (aware). Fields of an alert that
    are missing or of the wrong type are left empty; the alert is kept.
    """
    found = _outcome(record.raw, kind, suricata.read if kind == "suricata" else wazuh.read)
    if isinstance(found, Normalised):
        alert = found.alert
        _add_place(alert, record, kind, origin)
        alert.count = 1
        alert.observed.CopyFrom(_observed(observed))
    return found


def glance(record: Record, *, kind: Kind) -> Normalised | NotAnAlert | Undecodable:
    """Return what a record is as far as the filter asks: of an alert severity, rule, and whose copy it is.

    Of Suricata's lines it takes a fifth of the time; Wazuh's are read whole. The alert is not to be changed;
    a key of its own is not given.
    """
    return _outcome(record.raw, kind, suricata.glance if kind == "suricata" else wazuh.read)


def _outcome(raw: bytes, kind: Kind, read: _Read) -> Normalised | NotAnAlert | Undecodable:
    try:
        found = read(raw)
    except UndecodableError as error:
        return Undecodable(str(error))
    if found is None:
        return NotAnAlert()
    alert, key = found
    if kind == "suricata":
        return Normalised(alert, copy_key=key, copy_of=None)
    return Normalised(alert, copy_key=None, copy_of=key)


@lru_cache(maxsize=1)  # many alerts are read at one time
def _observed(time: datetime) -> Timestamp:
    return timestamp(time)


def _add_place(alert: Alert, record: Record, kind: Kind, origin: str) -> None:
    alert.id = id_time(alert) + id_digest(record, kind, origin)
    alert.origin = origin
    alert.offset = record.offset
    alert.raw = record.raw[:LARGEST_RAW]
    if len(record.raw) > LARGEST_RAW:
        alert.raw_bytes, alert.raw_cut = len(record.raw), True


def id_time(alert: Alert) -> bytes:
    """Return what an alert's id begins with: when it happened, as its line says; zeros where it does not.

    Whoever keeps alerts by their ids adds new ones side by side, then, as they come: ids in no order would
    change a page each. A wrong clock costs that, and nothing else.
    """
    return (alert.time.seconds % (1 << 8 * _TIME_BYTES)).to_bytes(_TIME_BYTES, "big")


def id_digest(record: Record, kind: Kind, origin: str) -> bytes:
    """Return the rest of the id: the same for the same line read twice from the same place, else different.

    Two sources may read logs that begin with the same line: an id is of one of them.
    """
    digest = blake2b(kind.encode() + b"\x00" + origin.encode() + b"\x00", digest_size=_DIGEST_BYTES)
    digest.update(record.file)
    digest.update(record.offset.to_bytes(8, "big"))
    digest.update(record.raw)
    return digest.digest()
