"""How a lane is numbered, and what its entries hold: alerts, or a word of those that were given up. Pure.

An entry's sequence on disk never changes; what the hub sees is counted from `Numbers.base`, so that a new
epoch moves a few numbers and not a gigabyte.
"""

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import DecodeError

from socme import batch
from socme.batch import BatchError, Packed
from socme.journal import Entry
from socme.v1.uplink_pb2 import Dropped, Encoding

DROPPED = Encoding.ENCODING_DROPPED
_BEGIN = 1 << 40  # on disk, before the first sequence: what an entry is split into finds room below it
_CHECK_BYTES = 8
_NUMBERS = struct.Struct(f">QQQQ{_CHECK_BYTES}s")


@dataclass(frozen=True, slots=True)
class Numbers:
    """Where a lane stands. Sequences are those on disk."""

    base: int = _BEGIN
    """What is 0 on the way."""
    last: int = _BEGIN
    """The last one given."""
    total: int = 0
    """Alerts that were spooled in this epoch."""
    trimmed: int = 0
    """The last one that the hub acknowledged in this epoch; 0 for none."""
    check: bytes = bytes(_CHECK_BYTES)
    """Mark.check of that one."""


def read_numbers(noted: bytes | None) -> Numbers:
    """Return a lane's numbers as they were noted; those of a lane that was never used for None."""
    return Numbers(*_NUMBERS.unpack(noted)) if noted else Numbers()


def notes_of(numbers: Mapping[int, Numbers]) -> dict[str, bytes]:
    """Return lanes' numbers as notes."""
    return {
        key_of(lane): _NUMBERS.pack(each.base, each.last, each.total, each.trimmed, each.check)
        for lane, each in numbers.items()
    }


def key_of(lane: int) -> str:
    """Return the key of the note that holds a lane's numbers."""
    return f"lane:{lane}"


def note(value: int) -> bytes:
    """Return a number as it is noted."""
    return value.to_bytes(8, "big")


def number(noted: bytes | None) -> int:
    """Return a number that was noted; 0 for none."""
    return int.from_bytes(noted or b"", "big")


def check_of(packed: Packed) -> bytes:
    """Return what Mark.check is of a batch as it is sent."""
    return hashlib.blake2b(packed.payload).digest()[:_CHECK_BYTES]


def shown(entry: Entry, base: int) -> Entry:
    """Return an entry with its sequences counted from a base."""
    packed = entry.packed
    if packed.encoding == DROPPED:
        message = dropped_in(packed.payload)
        if message.first_sequence <= base:
            raise BatchError(f"stands for alerts from {message.first_sequence} on, before all others")
        message.first_sequence -= base
        packed = packed_dropped(message)
    return replace(entry, sequence=entry.sequence - base, packed=packed)


def first_sequence(entry: Entry) -> int:
    """Return the first sequence that an entry stands for."""
    if entry.packed.encoding == DROPPED:
        return int(dropped_in(entry.packed.payload).first_sequence)
    return entry.sequence


def dropped_in(payload: bytes) -> Dropped:
    """Return the message that stands for alerts; BatchError where it is none."""
    try:
        return Dropped.FromString(payload)
    except DecodeError as error:
        raise BatchError(f"cannot be decoded: {error}") from error


def packed_dropped(message: Dropped) -> Packed:
    """Return a Dropped message as a batch."""
    payload = message.SerializeToString()
    return Packed(payload, DROPPED, 0, len(payload))


def alerts_in(packed: Packed) -> Sequence[bytes]:
    """Return the alerts of a batch, serialised; none where it holds none or cannot be read."""
    if packed.encoding == DROPPED:
        return ()
    try:
        return [alert.SerializeToString() for alert in batch.unpack(packed)]
    except BatchError:
        return ()
