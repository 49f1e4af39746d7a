"""An alert as the store keeps it whole: one serialised Alert message in a frame of socme.compression."""

from collections.abc import Iterable

import zstandard

from socme import compression
from socme.errors import OperatorError
from socme.v1.alert_pb2 import Alert

TOGETHER = 1024 * 1024  # bytes that are compressed at once: some five hundred alerts
LARGEST = 64 * 1024 * 1024  # bytes; what a stored body may hold, so that a damaged one cannot fill the memory


class OtherDictionaryError(OperatorError, zstandard.ZstdError):
    """A body that is sound and that this version cannot read; whoever goes on past damage goes on past it."""


def encode(alert: Alert) -> bytes:
    """Return an alert as the column `body` holds it."""
    return compression.compress(alert.SerializeToString())


def encode_all(alerts: Iterable[Alert]) -> list[bytes]:
    """Return what `encode` does of each, with less ado."""
    bodies: list[bytes] = []
    some: list[bytes] = []
    size = 0
    for alert in alerts:
        some.append(alert.SerializeToString())
        size += len(some[-1])
        if size > TOGETHER:
            bodies += compression.compress_all(some)
            some, size = [], 0
    return bodies + compression.compress_all(some)


def decode(body: bytes) -> Alert:
    """Return the alert that a column `body` holds; raise zstandard.ZstdError or DecodeError."""
    try:
        return Alert.FromString(compression.decompress(body, most=LARGEST))
    except zstandard.ZstdError as error:
        if compression.is_of_another(body):
            raise OtherDictionaryError(
                "the database holds alerts that another version compressed, with a dictionary not known here",
                "Read it with that version, or move the state folder away and begin with a new one.",
            ) from error
        raise
