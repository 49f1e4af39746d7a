"""The forms in which alerts are exported, and where they go."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from socme.errors import OperatorError
from socme.v1.watch_pb2 import StoredAlert
from socme.view import alert_view, json_line
from zeus_hub.export import csv_text
from zeus_hub.export.whole import whole


class Form(StrEnum):
    """A form, as a person names it."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


def to_file(path: Path, form: Form, alerts: Iterable[StoredAlert]) -> int:
    """Write alerts to a file, which is there once they are all in it; return how many."""
    with whole(path) as beside:
        if form is Form.PARQUET:
            return _parquet(beside, alerts)
        counted = _Counted(alerts)
        with beside.open("wb") as file:
            to_stream(file, form, counted)
        return counted.count


def to_stream(out: BinaryIO, form: Form, alerts: Iterable[StoredAlert]) -> None:
    """Write alerts as lines."""
    lines = csv_text.encode(alerts) if form is Form.CSV else _json(alerts)
    out.writelines(lines)
    out.flush()


class _Counted:
    """Alerts that are counted as they pass."""

    def __init__(self, alerts: Iterable[StoredAlert]) -> None:
        self._alerts = alerts
        self.count = 0

    def __iter__(self) -> Iterator[StoredAlert]:
        for stored in self._alerts:
            self.count += 1
            yield stored


def _json(alerts: Iterable[StoredAlert]) -> Iterator[bytes]:
    for stored in alerts:
        yield f"{json_line(alert_view(stored))}\n".encode()


def _parquet(path: Path, alerts: Iterable[StoredAlert]) -> int:
    try:
        from zeus_hub.export import parquet  # noqa: PLC0415 - an extra, and 0.2 s to load
    except ImportError as error:
        raise OperatorError(
            f"Parquet is written by pyarrow, which cannot be loaded: {error}",
            'Install it: pip install "socme[parquet]"; or export CSV or JSON Lines.',
        ) from error
    return parquet.write(path, alerts)
