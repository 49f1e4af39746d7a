"""Alerts in each form, to a file and to a stream."""

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from socme.errors import OperatorError
from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub.stored import alert
from zeus_hub.export.form import Form, to_file, to_stream

SOME = [alert(1), alert(2, name="=hostile\n")]


@pytest.mark.parametrize("form", list(Form))
def test_a_file_has_every_alert(tmp_path: Path, form: Form) -> None:
    path = tmp_path / "alerts"

    assert to_file(path, form, iter(SOME)) == 2
    assert path.stat().st_size > 0


@pytest.mark.parametrize("form", [Form.JSONL, Form.CSV])
def test_a_stream_is_as_a_file(tmp_path: Path, form: Form) -> None:
    path, out = tmp_path / "alerts", io.BytesIO()
    to_file(path, form, SOME)
    to_stream(out, form, SOME)

    assert out.getvalue() == path.read_bytes()


def test_json_lines_are_objects() -> None:
    out = io.BytesIO()
    to_stream(out, Form.JSONL, SOME)
    objects = [json.loads(line) for line in out.getvalue().splitlines()]

    assert [one["rule"]["name"] for one in objects] == ["a rule", "=hostile\n"]


@pytest.mark.parametrize("form", list(Form))
def test_alerts_that_cannot_be_read_to_their_end_leave_no_file(tmp_path: Path, form: Form) -> None:
    def failing() -> Iterator[StoredAlert]:
        yield SOME[0]
        raise OperatorError("the database is gone")

    with pytest.raises(OperatorError, match="the database is gone"):
        to_file(tmp_path / "alerts", form, failing())

    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_a_person_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("zeus_hub.export.parquet", raising=False)
    monkeypatch.delitem(sys.modules, "zeus_hub.export.parquet", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(OperatorError, match=r'pip install "socme\[parquet\]"'):
        to_file(tmp_path / "alerts", Form.PARQUET, SOME)

    assert list(tmp_path.iterdir()) == []
