"""Parquet that keeps every value, typed."""

from datetime import UTC
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.zeus_hub.stored import NOON, alert
from zeus_hub.export import parquet
from zeus_hub.export.columns import COLUMNS

HOSTILE = "=evil\x1b[31m\n\u202e"


def test_what_is_read_back_is_what_was_stored(tmp_path: Path) -> None:
    made = alert(1, name=HOSTILE, raw=b"\xff\0{}", techniques=["T1110"])
    made.alert.time.FromDatetime(NOON.replace(microsecond=123457))
    path = tmp_path / "alerts.parquet"

    assert parquet.write(path, [made, alert(2, ips=("", ""))]) == 2
    first, second = pq.read_table(path).to_pylist()

    assert list(first) == [column.name for column in COLUMNS]
    assert first["time"] == NOON.replace(microsecond=123457)
    assert first["time"].tzinfo is not None
    assert first["time"].utcoffset() == UTC.utcoffset(None)
    assert first["rule_name"] == HOSTILE
    assert first["raw"] == b"\xff\0{}"
    assert first["technique_ids"] == ["T1110"]
    assert (second["technique_ids"], second["source_ip"], second["count"]) == ([], None, 1)


def test_columns_are_typed(tmp_path: Path) -> None:
    path = tmp_path / "alerts.parquet"
    assert parquet.write(path, []) == 0
    types = {field.name: field.type for field in pq.read_schema(path)}

    assert types["time"] == pa.timestamp("us", tz="UTC")
    assert types["source_port"] == pa.int64()
    assert pa.types.is_list(types["technique_ids"])
    assert types["raw"] == pa.binary()
    assert types["raw_cut"] == pa.bool_()


def test_what_is_held_at_once_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MOST_ROWS", 3)
    path = tmp_path / "alerts.parquet"
    assert parquet.write(path, (alert(number) for number in range(7))) == 7
    assert [pq.ParquetFile(path).metadata.row_group(one).num_rows for one in range(3)] == [3, 3, 1]

    monkeypatch.setattr(parquet, "MOST_BYTES", 1000)
    assert parquet.write(path, (alert(number, raw=b"x" * 900) for number in range(3))) == 3
    assert pq.ParquetFile(path).metadata.num_row_groups == 3
