"""Alerts as they travel and lie on disk: encoded once, compressed once, opaque until someone reads them."""

from collections.abc import Sequence
from dataclasses import dataclass

import zstandard
from google.protobuf.message import DecodeError

from socme import compression
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Encoding

LARGEST_DECODED = 64 * 1024 * 1024  # bytes; what a batch may claim to hold once decompressed
ID_BYTES = 16  # of an alert
_ZSTD = Encoding.ENCODING_ZSTD  # looked up once: protobuf's enums are slow to ask
_LONGEST_NUMBER = 63  # bits of a varint that may have another byte behind them
_ALERT_TAG = b"\x0a"  # field 1, length-delimited: Alerts.alerts
_IDS_TAG = b"\x12"  # field 2, length-delimited: Alerts.ids
# Field 1 of an Alert, length-delimited, and its size: how each begins that has an id. protobuf's libraries
# write fields by their numbers; where one does not, ids stay where they are.
_ID_HEAD = b"\x0a\x10"
_ID_END = len(_ID_HEAD) + ID_BYTES
_WORTH_IT = 2  # alerts whose ids stand apart: a block takes three bytes


class BatchError(ValueError):
    """A payload that does not hold what it claims."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch ready to be spooled and sent."""

    payload: bytes
    encoding: int
    alerts: int
    decoded_bytes: int


def pack(alerts: Sequence[bytes]) -> Packed:
    """Join serialised Alert messages into one Alerts message and compress it.

    The wire format of a repeated field is its elements one after another, so nothing is encoded twice. The
    frame carries a checksum: a bit that turns on a disk must never pass for another alert.
    """
    head, rests = _ids_apart(alerts)
    parts = [head]
    for rest in rests:
        parts += (_ALERT_TAG, varint(len(rest)), rest)
    plain = b"".join(parts)
    return Packed(
        payload=compression.compress_well(plain, noise=len(head)),
        encoding=_ZSTD,
        alerts=len(alerts),
        decoded_bytes=len(plain),
    )


def _ids_apart(alerts: Sequence[bytes]) -> tuple[bytes, Sequence[bytes]]:
    """Return the field of the ids, and the alerts without them; as they are where that would save nothing."""
    if len(alerts) < _WORTH_IT or not all(alert.startswith(_ID_HEAD) for alert in alerts):
        return b"", alerts
    ids = b"".join([alert[len(_ID_HEAD) : _ID_END] for alert in alerts])
    return _IDS_TAG + varint(len(ids)) + ids, [alert[_ID_END:] for alert in alerts]


def unpack(packed: Packed) -> Sequence[Alert]:
    """Return the alerts of a batch; raise BatchError where it is not what it claims to be."""
    try:
        return [Alert.FromString(alert) for alert in split(packed)]
    except DecodeError as error:
        raise BatchError(f"cannot be decoded: {error}") from error


def split(packed: Packed) -> list[bytes]:
    """Return the serialised Alert messages of a batch, not decoded; raise BatchError as `unpack` does."""
    return _elements(_plain(packed))


def verify(packed: Packed) -> None:
    """Raise BatchError unless a batch is what `pack` made, byte for byte; nothing of it is decoded."""
    _plain(packed)
    if not zstandard.get_frame_parameters(packed.payload).has_checksum:
        raise BatchError("has lost its checksum")


def _plain(packed: Packed) -> bytes:
    """Return the serialised Alerts message that a batch holds; the frame's checksum is looked at."""
    if packed.encoding != _ZSTD:
        raise BatchError(f"unknown encoding {packed.encoding}")
    if packed.decoded_bytes > LARGEST_DECODED:
        raise BatchError(f"claims {packed.decoded_bytes} bytes, more than {LARGEST_DECODED}")
    try:
        # A frame names its own size; believing the larger of two claims would let a node fill the memory.
        if zstandard.frame_content_size(packed.payload) != packed.decoded_bytes:
            raise BatchError("the frame's size differs from the batch's")
        plain = compression.decompress(packed.payload, most=packed.decoded_bytes)
    except zstandard.ZstdError as error:
        raise BatchError(f"cannot be decompressed: {error}") from error
    _check_count(plain, packed.alerts)
    return plain


def _check_count(plain: bytes, claimed: int) -> None:
    """Raise BatchError unless a serialised Alerts message holds as many alerts as are claimed.

    It is asked before anything is built, and counts no further than it must: an empty alert takes 2 bytes
    here and some 300 in memory.
    """
    place = count = 0
    try:
        while place < len(plain) and count <= claimed:
            tag, place = _number(plain, place)
            count += tag == _ALERT_TAG[0]
            place = _skip(plain, place, tag & 7)
    except IndexError:
        raise BatchError("cannot be decoded: it ends in the middle of a field") from None
    if count != claimed:
        raise BatchError(f"holds {count} alerts, claims {claimed}")


def _elements(plain: bytes) -> list[bytes]:
    """Return the serialised alerts of an Alerts message whose fields were counted."""
    found: list[bytes] = []
    ids = b""
    place = 0
    while place < len(plain):
        tag, begin = _number(plain, place)
        place = _skip(plain, begin, tag & 7)
        if tag == _ALERT_TAG[0]:
            found.append(plain[_number(plain, begin)[1] : place])
        elif tag == _IDS_TAG[0]:
            ids = plain[_number(plain, begin)[1] : place]
    if place > len(plain):
        raise BatchError("cannot be decoded: it ends in the middle of a field")
    return _with_ids(found, ids) if ids else found


def _with_ids(alerts: Sequence[bytes], ids: bytes) -> list[bytes]:
    """Put ids in front of alerts."""
    if len(ids) != ID_BYTES * len(alerts):
        raise BatchError(f"holds {len(ids)} bytes of ids for {len(alerts)} alerts")
    return [
        b"".join((_ID_HEAD, ids[place : place + ID_BYTES], alert))
        for place, alert in zip(range(0, len(ids), ID_BYTES), alerts, strict=True)
    ]


def _skip(plain: bytes, place: int, kind: int) -> int:
    """Return where a field ends whose value begins at `place`; fields that are not known are let be."""
    match kind:
        case 0:
            return _number(plain, place)[1]
        case 1:
            return place + 8
        case 2:
            size, place = _number(plain, place)
            return place + size
        case 5:
            return place + 4
        case _:
            raise BatchError("cannot be decoded: it holds something that is no field")


def _number(plain: bytes, place: int) -> tuple[int, int]:
    """Return the varint at a place, and the place behind it."""
    number = shift = 0
    while (byte := plain[place]) > 0x7F:  # noqa: PLR2004 - the seven low bits of each byte carry the number
        number |= (byte & 0x7F) << shift
        shift += 7
        place += 1
        if shift > _LONGEST_NUMBER:  # adding to it for ever would hold up whoever reads
            raise BatchError("cannot be decoded: it holds a number without an end")
    return number | byte << shift, place + 1


def varint(number: int) -> bytes:
    """Return a number as protobuf writes the size of what follows."""
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - the seven low bits of each byte carry the number
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
