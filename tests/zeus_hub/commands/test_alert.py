"""The commands under `zeus alert`."""

import base64
import io
from contextlib import redirect_stdout

import pytest
from rich.console import Console

from socme.errors import OperatorError
from socme.table import show_table
from socme.v1.alert_pb2 import AlertSource, Severity
from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.stored import alert
from zeus_hub.commands.alert import _COLUMNS, fitted, row

pytestmark = pytest.mark.usefixtures("both")

HOSTILE = "evil\x1b[31m\n[bold]\u202e"

SOME = [
    alert(1, severity=Severity.SEVERITY_LOW, name="first"),
    alert(2, severity=Severity.SEVERITY_HIGH, name=HOSTILE, raw=b"\xff\x1b[2J raw"),
    alert(3, severity=Severity.SEVERITY_CRITICAL, place="beta/beta-1", source=AlertSource.ALERT_SOURCE_WAZUH),
]


@pytest.fixture
def stored(place: Place) -> Place:
    """Return a hub with three alerts."""
    place.database(SOME).dispose()
    return place


def ids(objects: list[dict[str, object]]) -> list[int]:
    """Return the numbers that the test alerts were made with."""
    return [int(str(one["id"]), 16) for one in objects]


def test_list_as_a_table(stored: Place) -> None:
    head, first, second, third = stored.run("alert", "list").splitlines()

    assert head.startswith("TIME (UTC)           SEVERITY  NODE")
    assert first.startswith("2026-07-01 12:03:00  critical  beta/beta-1  000000000000  a rule")
    assert "evil\ufffd[31m\ufffd[bold]\ufffd" in second
    assert third.split()[-1] == "2001"


def table(width: int, names: tuple[str, ...] = ("a rule", "n" * 60)) -> list[str]:
    """Return what a terminal of some width shows, line by line."""
    rows = [row(alert(number, name=name)) for number, name in enumerate(names)]
    columns, kept = fitted(rows, width)
    assert all(len(values) == columns for values in kept)
    out = io.StringIO()
    with redirect_stdout(out):
        show_table(_COLUMNS[:columns], kept)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [72, 80, 100, 120, 132, 200])
def test_a_column_is_there_whole_or_not_at_all(width: int) -> None:
    """What a terminal cuts off unseen may be what somebody looks for."""
    head, *lines = table(width)

    assert max(map(len, (head, *lines))) <= width
    shown = head.replace("TIME (UTC)", "TIME").split()
    assert shown == ["TIME", *_COLUMNS[1 : len(shown)]]
    assert all(len(line.split("  ")) >= len(shown) for line in lines)


def test_a_narrow_terminal_shows_when_how_bad_where_and_what() -> None:
    assert table(80)[0].split()[-1] == "ALERT"
    assert "nnnnnnnnnnnnnnnnnnnnn" in table(80)[2]
    assert table(80)[2].endswith("…")
    assert table(200)[0].split()[-1] == "RULE"
    assert "n" * 60 in table(200)[2]


def test_without_alerts_there_is_still_a_head() -> None:
    assert table(80, ())[0].split()[-1] == "RULE"


def test_what_a_terminal_has_no_room_for_is_named(stored: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = Console(width=80, force_terminal=True, markup=False, highlight=False)
    monkeypatch.setattr("socme.table.console", lambda: narrow)
    result = stored.try_("alert", "list")

    assert (
        "A wider terminal shows STATUS, FROM, TO, COUNT, SENSOR, RULE; `zeus alert show ID` everything."
        in result.stderr
    )


def test_list_as_json_is_the_newest_first_and_whole(stored: Place) -> None:
    listed = stored.objects("alert", "list", "--json")

    assert ids(listed) == [3, 2, 1]
    assert listed[0]["source"]["module"] == "wazuh"
    assert listed[1]["rule"]["name"] == HOSTILE
    assert listed[1]["raw"] == "\ufffd\x1b[2J raw"
    assert base64.b64decode(listed[1]["raw_base64"]) == b"\xff\x1b[2J raw"


def test_export_is_the_oldest_first(stored: Place) -> None:
    assert ids(stored.objects("alert", "export")) == [1, 2, 3]
    assert ids(stored.objects("alert", "export", "--limit", "2")) == [1, 2]


def test_a_script_is_given_all_and_a_person_the_newest(place: Place) -> None:
    """A part that nobody asked for would pass for the whole."""
    place.database(alert(number) for number in range(1, 61)).dispose()

    assert len(place.objects("alert", "list", "--json")) == 60
    assert len(place.objects("alert", "list", "--json", "--limit", "7")) == 7
    assert len(place.run("alert", "list").splitlines()) == 1 + 50


def test_a_bounded_list_says_that_there_may_be_more(stored: Place) -> None:
    result = stored.try_("alert", "list", "--limit", "2")

    assert len(result.stdout.splitlines()) == 3
    assert "--limit" in result.stderr
    assert stored.try_("alert", "list").stderr == ""


@pytest.mark.parametrize("command", ["list --json", "export"])
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("--client beta", {3}),
        ("--node acme-1", {1, 2}),
        ("--since 2026-07-01T12:02", {2, 3}),
        ("--until 2026-07-01T14:02+02:00", {1}),
        ("--since 9999d", None),
        ("--since 3650d", {1, 2, 3}),
        ("--severity high", {2}),
        ("--severity HIGH", {2}),
        ("--min-severity high", {2, 3}),
        ("--source wazuh", {3}),
        ("--rule 2001", {1, 2, 3}),
        ("--rule 1", set()),
        ("--ip 10.0.0.1", {1, 2, 3}),
        ("--ip 2001:0db8::0001", set()),
        ("--technique t1059", set()),
        ("--text FIRST", {1}),
    ],
)
def test_filters(stored: Place, command: str, filters: str, expected: set[int] | None) -> None:
    arguments = ["alert", *command.split(), *filters.split()]
    if expected is None:
        assert stored.try_(*arguments).exit_code == 2
    else:
        assert set(ids(stored.objects(*arguments))) == expected


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ("--since yesterdayish", "yesterdayish"),
        ("--since 2026-13-01", "2026-13-01"),
        ("--since 0h", "0h"),
        ("--severity urgent", "low, medium, high, critical"),
        ("--min-severity 3", "low, medium, high, critical"),
        ("--source snort", "wazuh, suricata"),
        ("--ip 10.0.0.0/8", "no IP address"),
        ("--limit 0", "--limit"),
        ("--text " + "x" * 1001, "1000"),
        ("--text a\udcff", "UTF-8"),
    ],
)
def test_bad_values_are_wrong_usage(stored: Place, filters: str, told: str) -> None:
    result = stored.try_("alert", "list", *filters.split())

    assert result.exit_code == 2
    assert told in result.stderr


@pytest.mark.parametrize("command", ["list", "export"])
def test_unknown_names_are_told(stored: Place, command: str) -> None:
    with pytest.raises(OperatorError, match="there is no client 'nobody'"):
        stored.try_("alert", command, "--client", "nobody")
    with pytest.raises(OperatorError, match="there is no node 'nobody'"):
        stored.try_("alert", command, "--node", "nobody")


def test_show(stored: Place) -> None:
    whole = f"{2:032x}"
    shown = stored.run("alert", "show", whole)

    assert "rule.name" in shown
    assert "evil\ufffd[31m\ufffd[bold]\ufffd" in shown
    assert "\ufffd\ufffd[2J raw" in shown
    assert "\x1b" not in shown
    assert stored.objects("alert", "show", whole.upper(), "--json") == [
        one for one in stored.objects("alert", "list", "--json") if one["id"] == whole
    ]


def test_show_by_some_digits(place: Place) -> None:
    made = alert(1)
    made.alert.id = bytes.fromhex("abcdef" + "0" * 26)
    place.database([made, alert(2), alert(3)]).dispose()

    assert place.objects("alert", "show", "abcdef", "--json")[0]["id"].startswith("abcdef")
    with pytest.raises(OperatorError, match="several alerts begin with 000000"):
        place.try_("alert", "show", "000000")
    with pytest.raises(OperatorError, match="there is no alert 0123456789"):
        place.try_("alert", "show", "0123456789")


def test_show_cuts_a_long_line_and_says_so(place: Place) -> None:
    place.database([alert(1, raw=b"x" * 100_000)]).dispose()

    result = place.try_("alert", "show", f"{1:032x}")

    assert len(result.stdout) < 25_000
    assert "--json" in result.stderr


@pytest.mark.parametrize("digits", ["abcde", "xyzxyz", "a" * 33, "'; --"])
def test_what_is_no_id_is_wrong_usage(stored: Place, digits: str) -> None:
    assert stored.try_("alert", "show", digits).exit_code == 2


def test_without_a_hub_the_alert_is_named(unused: Place) -> None:
    with pytest.raises(OperatorError, match=r"there is no hub in .*, and no alert 0123456789ab"):
        unused.try_("alert", "show", "0123456789ab")
    with pytest.raises(OperatorError, match="there is no hub"):
        unused.try_("alert", "export")


def test_export_as_csv_to_standard_output(stored: Place) -> None:
    result = stored.try_("alert", "export", "--format", "csv", "--limit", "2")
    lines = result.stdout_bytes.decode().split("\r\n")

    assert lines[0].startswith("id,client,node,time,")
    assert len(lines) == 4
    assert "evil\ufffd[31m\ufffd[bold]\ufffd" in lines[2]


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_export_to_a_file(stored: Place, form: str) -> None:
    path = stored.folder / "alerts"
    result = stored.try_("alert", "export", "--format", form, "--output", str(path), "--client", "acme")

    assert result.exit_code == 0
    assert result.stdout == ""
    assert f"2 alerts are in {path}." in result.stderr
    assert path.stat().st_size > 0


@pytest.mark.parametrize(
    "options",
    [["--format", "parquet"], ["--format", "xml"], ["--format", "csv", "--json"]],
)
def test_an_export_that_cannot_be_is_wrong_usage(stored: Place, options: list[str]) -> None:
    assert stored.try_("alert", "export", *options).exit_code == 2
