"""Alerts as Parquet, typed: times in UTC to the microsecond, lists as lists, the line byte for byte.

Written by pyarrow, which is installed with the extra `parquet` and loaded here alone.
"""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
from pyarrow.parquet import ParquetWriter

from socme.v1.watch_pb2 import StoredAlert
from zeus_hub.export.columns import COLUMNS, Kind, Value, row

MOST_ROWS = 20_000  # of a row group, which is held in memory
MOST_BYTES = 16 * 1024 * 1024  # of the alerts of a row group; one alert alone may have 4 MiB
_TYPES = {
    Kind.TEXT: pa.string(),
    Kind.NUMBER: pa.int64(),
    Kind.TIME: pa.timestamp("us", tz="UTC"),
    Kind.TEXTS: pa.list_(pa.string()),
    Kind.FLAG: pa.bool_(),
    Kind.BYTES: pa.binary(),
}
SCHEMA = pa.schema([pa.field(column.name, _TYPES[column.kind]) for column in COLUMNS])


def write(path: Path, alerts: Iterable[StoredAlert]) -> int:
    """Write alerts to a file; return how many."""
    written, size = 0, 0
    rows: list[list[Value]] = []
    with ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for stored in alerts:
            rows.append(row(stored))
            size += stored.ByteSize()
            if len(rows) >= MOST_ROWS or size >= MOST_BYTES:
                _write(writer, rows)
                written, size = written + len(rows), 0
                rows.clear()
        if rows:
            _write(writer, rows)
    return written + len(rows)


def _write(writer: ParquetWriter, rows: list[list[Value]]) -> None:
    columns = [
        pa.array(values, field.type) for field, values in zip(SCHEMA, zip(*rows, strict=True), strict=True)
    ]
    writer.write_batch(pa.record_batch(columns, schema=SCHEMA))
