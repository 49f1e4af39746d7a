"""The picture at a console: aligned, coloured, cut to the terminal, and safe."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent import portrait
from artemis_agent.portrait import LOGO, draw

ROWS = [("host", "node"), ("wazuh manager", "running, for 1 h"), ("", "and more"), ("memory", "unknown: why")]
COLOUR = re.compile(r"\x1b\[[0-9]+m")


def test_the_bow_has_one_width() -> None:
    assert len({len(line) for line in LOGO}) == 1
    assert all(line.isascii() for line in LOGO)


def test_rows_stand_aligned_beside_it() -> None:
    lines = list(draw("node", ROWS, columns=0, colour=False))

    assert len(lines) == len(LOGO), "the bow goes on where there are no rows"
    edge = len(LOGO[0]) + 2
    assert [line[edge:] for line in lines[:6]] == [
        "node",
        "----",
        "host           node",
        "wazuh manager  running, for 1 h",
        "               and more",
        "memory         unknown: why",
    ]
    assert all(line.startswith(drawn.rstrip()) for line, drawn in zip(lines, LOGO, strict=True))
    assert not any(line.endswith(" ") for line in lines)


def test_rows_go_on_below_it() -> None:
    rows = [(f"row {number}", "value") for number in range(30)]

    lines = list(draw("node", rows, columns=0, colour=False))

    assert len(lines) == 32
    assert {line.index("value") for line in lines[2:]} == {len(LOGO[0]) + 2 + len("row 29") + 2}


@pytest.mark.parametrize("columns", [65, 80, 120])
def test_what_is_wider_than_a_terminal_goes_on_in_the_next_line(columns: int) -> None:
    value = ", ".join(f"address-{number}" for number in range(12))

    lines = list(draw("node", [("addresses", value)], columns=columns, colour=False))

    assert max(map(len, lines)) <= columns
    shown = " ".join(line[len(LOGO[0]) :].replace("addresses  ", "").strip() for line in lines[2:])
    assert value in shown


def test_a_narrow_terminal_has_no_bow() -> None:
    lines = list(draw("node", ROWS, columns=50, colour=False))

    assert lines[0] == "node"
    assert max(map(len, lines)) <= 50


def test_a_long_name_has_a_line_of_its_own() -> None:
    """And does not push all values aside."""
    lines = list(
        draw("node", [("host", "x"), ("suricata /var/log/suricata/eve.json", "7")], columns=0, colour=False)
    )

    assert [line[len(LOGO[0]) + 2 :] for line in lines[2:5]] == [
        "host  x",
        "suricata /var/log/suricata/eve.json",
        "      7",
    ]


@pytest.mark.parametrize(
    ("value", "tone"),
    [
        ("running, for 1 h", "\x1b[32m"),
        ("Running, node.ts.net", "\x1b[32m"),
        ("failed, failed (failed)", "\x1b[31m"),
        ("PROBLEM: the disk is full", "\x1b[31m"),
        ("38,000, 2 NOT LOADED", "\x1b[31m"),
        ("EXPIRED 2 h ago", "\x1b[31m"),
        ("degraded, not running: wazuh-db", "\x1b[33m"),
        ("REBOOT PENDING: now", "\x1b[33m"),
        ("unknown: why", "\x1b[2m"),
        ("12 alerts in 3 MiB", ""),
    ],
)
def test_a_state_has_a_colour(value: str, tone: str) -> None:
    line = list(draw("node", [("row", value)], columns=0, colour=True))[2]

    assert f"{tone}{value}" in line
    assert line.count("\x1b[0m") == line.count("\x1b[") // 2


def test_colours_change_nothing_else() -> None:
    plain = list(draw("node", ROWS, columns=70, colour=False))
    coloured = list(draw("node", ROWS, columns=70, colour=True))

    assert [COLOUR.sub("", line).rstrip() for line in coloured] == plain
    assert "\x1b" not in "".join(plain)


TEXT = st.text() | st.sampled_from(["\x1b[31m", "\x1b]0;title\x07", "a\nb", "\u202e", "failed \x1b[0m"])


@given(TEXT, st.lists(st.tuples(TEXT, TEXT)), st.integers(0, 200), st.booleans())
def test_no_text_reaches_the_terminal_as_more_than_text(
    title: str,
    rows: list[tuple[str, str]],
    columns: int,
    colour: bool,  # noqa: FBT001
) -> None:
    told = "".join(draw(title, rows, columns=columns, colour=colour))
    rest = COLOUR.sub("", told) if colour else told

    assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in rest)
    assert set(COLOUR.findall(told)) <= {
        *(portrait._BOLD, portrait._DIM, portrait._RED, portrait._GREEN),
        *(portrait._YELLOW, portrait._CYAN, portrait._RESET),
    }
