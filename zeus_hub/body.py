"""An alert as the store keeps it whole: one serialised Alert message in one zstd frame."""

import zstandard

from socme.v1.alert_pb2 import Alert

LEVEL = 1  # as on the wire: higher ones cost more than they save
LARGEST = 64 * 1024 * 1024  # bytes; what a stored body may hold, so that a damaged one cannot fill the memory


def compressor() -> zstandard.ZstdCompressor:
    """Return what `encode` needs; worth keeping, for one thread at a time."""
    return zstandard.ZstdCompressor(level=LEVEL)


def encode(alert: Alert, context: zstandard.ZstdCompressor) -> bytes:
    """Return an alert as the column `body` holds it."""
    return context.compress(alert.SerializeToString())


def decode(body: bytes) -> Alert:
    """Return the alert that a column `body` holds."""
    return Alert.FromString(zstandard.ZstdDecompressor().decompress(body, max_output_size=LARGEST))
