"""What could not be read is kept for a person, within bounds, and never stops the alerts."""

import base64
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from artemis_agent.dead_letter import LONGEST_HEAD, NAME, DeadLetters, Letter

NOW = datetime(2026, 11, 16, 7, 6, 14, 5, tzinfo=timezone(timedelta(hours=1)))


def letter(head: bytes = b"{broken", *, offset: int = 17) -> Letter:
    return Letter("/var/log/eve.json", b"\x01\xff", offset, 5000, "not JSON", head)


def lines(path: Path) -> list[Mapping[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_letter_says_where_why_and_how_it_begins(tmp_path: Path) -> None:
    assert DeadLetters(tmp_path).append([letter(b'{"a":"\xff')], observed=NOW) == 0
    assert lines(tmp_path / NAME) == [
        {
            "time": "2026-11-16T06:06:14.000005Z",
            "source": "/var/log/eve.json",
            "file": "01ff",
            "offset": 17,
            "size": 5000,
            "reason": "not JSON",
            "head": '{"a":"\ufffd',
            "head_base64": base64.b64encode(b'{"a":"\xff').decode(),
        }
    ]


def test_nothing_in_a_letter_reaches_a_terminal_as_a_command(tmp_path: Path) -> None:
    hostile = "\x1b]0;x\x07\x7f\x9b31m\u202e\u2028\r\n".encode()
    DeadLetters(tmp_path).append([letter(hostile)], observed=NOW)
    text = (tmp_path / NAME).read_bytes()
    assert text.count(b"\n") == 1
    assert all(0x20 <= byte < 0x7F for byte in text[:-1])
    assert lines(tmp_path / NAME)[0]["head"] == hostile.decode()


def test_a_long_record_is_kept_by_its_head(tmp_path: Path) -> None:
    DeadLetters(tmp_path).append([letter(b"x" * 1_000_000)], observed=NOW)
    kept = lines(tmp_path / NAME)[0]
    assert base64.b64decode(str(kept["head_base64"])) == b"x" * LONGEST_HEAD
    assert (tmp_path / NAME).stat().st_size < 10_000


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    DeadLetters(tmp_path).append([letter()], observed=NOW)
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_letters_are_added_across_restarts_in_order(tmp_path: Path) -> None:
    for offset in range(3):
        DeadLetters(tmp_path).append([letter(offset=offset)], observed=NOW)
    assert [line["offset"] for line in lines(tmp_path / NAME)] == [0, 1, 2]


def test_two_files_of_bounded_size_hold_the_newest(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path, largest_bytes=2000)
    for offset in range(100):
        assert letters.append([letter(offset=offset)], observed=NOW) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME, f"{NAME}.1"]
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    kept = [line["offset"] for name in (f"{NAME}.1", NAME) for line in lines(tmp_path / name)]
    assert kept == list(range(100 - len(kept), 100))
    assert len(kept) > 10


def test_of_a_flood_a_file_full_is_kept_and_the_rest_counted(tmp_path: Path) -> None:
    lost = DeadLetters(tmp_path, largest_bytes=2000).append(
        [letter(offset=offset) for offset in range(50)], observed=NOW
    )
    kept = [line["offset"] for line in lines(tmp_path / NAME)]
    assert kept == list(range(50 - lost))
    assert lost > 0


def test_a_letter_after_a_crash_within_one_stands_on_its_own_line(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b'{"time":"2026')
    DeadLetters(tmp_path).append([letter()], observed=NOW)
    torn, whole = (tmp_path / NAME).read_bytes().splitlines()
    assert torn == b'{"time":"2026'
    assert json.loads(whole)["offset"] == 17


def test_no_letters_make_no_file(tmp_path: Path) -> None:
    assert DeadLetters(tmp_path).append([], observed=NOW.astimezone(UTC)) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_is_counted_logged_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "state"
    letters = DeadLetters(folder)
    with caplog.at_level(logging.INFO):
        assert letters.append([letter(), letter()], observed=NOW) == 2
        assert letters.append([letter()], observed=NOW) == 1
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        folder.mkdir()
        assert letters.append([letter()], observed=NOW) == 0
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert len(lines(folder / NAME)) == 1


def test_a_full_disk_is_counted() -> None:
    """/dev/full takes no byte."""
    letters = DeadLetters(Path("/dev"), largest_bytes=2000)
    letters._path = Path("/dev/full")
    assert letters.append([letter()], observed=NOW) == 1
