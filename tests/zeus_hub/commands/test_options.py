"""How values on the command line are read, and how answers are printed."""

import contextlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from socme.identity import utc_now
from zeus_hub.commands.options import (
    CONFIG,
    address,
    duration,
    facts,
    hint,
    moment,
    plain,
    print_json,
    severity,
    source,
    suggest,
    technique,
)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        (" 24h ", timedelta(hours=24)),
        ("3d", timedelta(days=3)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_durations(text: str, length: timedelta) -> None:
    before = utc_now() - length

    assert duration(text) == length
    assert timedelta() <= moment(text) - before < timedelta(seconds=10)


@pytest.mark.parametrize("text", ["", "3", "d", "0s", "-1h", "1.5h", "3 d", "1y", "999999999w", "٣d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        duration(text)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-07-01", datetime(2026, 7, 1, tzinfo=UTC)),
        ("2026-07-01T12:30", datetime(2026, 7, 1, 12, 30, tzinfo=UTC)),
        ("2026-07-01 12:30:01.5Z", datetime(2026, 7, 1, 12, 30, 1, 500_000, tzinfo=UTC)),
        ("2026-07-01T12:30+02:00", datetime(2026, 7, 1, 10, 30, tzinfo=UTC)),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(text: str, time: datetime) -> None:
    assert moment(text) == time


@given(st.text() | st.from_regex(r"[0-9]{1,12}[smhdw]", fullmatch=True) | st.datetimes().map(str))
def test_any_text_is_a_time_or_wrong_usage(text: str) -> None:
    """Nothing else rises, also at the ends of the calendar."""
    with contextlib.suppress(typer.BadParameter):
        assert moment(text).tzinfo is UTC


def test_a_time_that_the_calendar_does_not_hold_in_utc() -> None:
    with pytest.raises(typer.BadParameter):
        moment("0001-01-01T00:00+14:00")


def test_names_in_either_case() -> None:
    assert (severity("low"), severity("Critical")) == (1, 4)
    assert (source("WAZUH"), source("suricata")) == (1, 2)
    assert technique("t1059.001") == "T1059.001"


@pytest.mark.parametrize("read", [severity, source])
def test_other_names_are_wrong_usage(read: object) -> None:
    assert callable(read)
    with pytest.raises(typer.BadParameter):
        read("unknown")


@pytest.mark.parametrize(
    ("text", "short"), [("192.0.2.1", "192.0.2.1"), ("2001:0DB8:0:0::1", "2001:db8::1"), (" ::1 ", "::1")]
)
def test_addresses_become_short(text: str, short: str) -> None:
    assert address(text) == short


@pytest.mark.parametrize("text", ["", "192.0.2.0/24", "host", "192.0.2.256"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        address(text)


@pytest.mark.parametrize("text", ["x" * 1001, "\udcff"])
def test_text_that_a_database_cannot_compare(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        plain(text)


def test_objects_are_utf8_lines_and_hints_are_apart(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    print_json({"text": "é\n"})
    hint("next")

    out, err = capfdbinary.readouterr()
    assert out == '{"text":"é\\n"}\n'.encode()
    assert json.loads(out) == {"text": "é\n"}
    assert err == b"next\n"


def test_facts_have_dotted_names() -> None:
    view = {"a": 1, "b": {"c": [1, 2], "d": {}}, "e": [{"f": "x"}, {"f": "y"}], "g": []}

    assert list(facts(view)) == [("a", 1), ("b.c", "1, 2"), ("e.1.f", "x"), ("e.2.f", "y"), ("g", "")]


def test_a_suggestion_names_the_settings_file_of_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed can be typed as it is."""
    suggest("Next", "zeus client list", CONFIG)
    suggest("Next", "zeus client list", Path("/tmp/a hub/zeus.toml"))

    assert capsys.readouterr().err.splitlines() == [
        "Next: zeus client list",
        "Next: zeus client list --config '/tmp/a hub/zeus.toml'",
    ]
