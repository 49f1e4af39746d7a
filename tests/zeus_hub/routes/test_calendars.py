"""The file of a rota."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from socme.errors import OperatorError
from tests.zeus_hub.routes.turns import CALENDAR
from zeus_hub.rota import LARGEST, on_call
from zeus_hub.routes.calendars import load

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_calendar_is_read_from_its_file(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "rota.ics"
    file.write_text(CALENDAR, encoding=encoding)

    assert on_call(load(file, PARIS), datetime(2026, 6, 30, 12, tzinfo=UTC)) == ("Ada Lovelace",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe", "is no text in UTF-8"),
        (b"hello", "it is no calendar"),
        (b"", "it is no calendar"),
        (b"x" * (LARGEST + 1), "more than 1048576 characters"),
        (b"\xf0\x9f\x98\x80" * (LARGEST + 1), "more than 1048576 characters"),
    ],
)
def test_what_is_no_calendar_is_refused_with_file_and_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    file = tmp_path / "rota.ics"
    file.write_bytes(content)

    with pytest.raises(OperatorError, match=f"rota.ics: .*{reason}"):
        load(file, PARIS)


def test_a_calendar_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"rota\.ics: cannot be read: No such file"):
        load(tmp_path / "rota.ics", PARIS)
