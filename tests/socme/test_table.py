"""Tables for people."""

import io

import pytest
from rich.console import Console

from socme.table import LONGEST_CELL, cell, show_facts, show_line, show_table

HOSTILE = "\x1b[31m[bold]:smile:\n\u202eevil"


def test_columns_line_up_and_nothing_trails(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(["A", "LONG", "LAST"], [["12345", "x", "one two"], ["1", None, "3"]])

    assert capsys.readouterr().out == "A      LONG  LAST\n12345  x     one two\n1      -     3\n"


def test_wide_characters_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(["A", "B"], [["你好", "x"], ["abcd", "y"]])

    assert capsys.readouterr().out == "A     B\n你好  x\nabcd  y\n"


def test_no_rows_leave_the_head(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(["A", "B"], [])

    assert capsys.readouterr().out == "A  B\n"


def test_hostile_text_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    """No escape, no markup, no emoji, no new line, nothing that turns the text around."""
    show_table(["A"], [[HOSTILE]])

    head, row, end = capsys.readouterr().out.split("\n")
    assert (head, end) == ("A", "")
    assert row == "\ufffd[31m[bold]:smile:\ufffd\ufffdevil"


def test_a_pipe_gets_whole_lines_without_colour(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(["A", "B"], [["high", "x" * 400]])

    assert capsys.readouterr().out.splitlines()[1] == "high  " + "x" * 400


def test_a_cell_is_bounded() -> None:
    assert len(cell("x" * 100_000).plain) == LONGEST_CELL


def terminal(width: int) -> tuple[Console, io.StringIO]:
    """Return a terminal and what is written to it."""
    out = io.StringIO()
    return Console(file=out, force_terminal=True, width=width, color_system="standard"), out


def test_a_terminal_gets_colour_and_one_line_a_row() -> None:
    console, out = terminal(20)

    show_line(console, [cell("high"), cell("x" * 100)], [8])

    assert out.getvalue() == "\x1b[1;31mhigh\x1b[0m      xxxxxxxxx…\n"


def test_facts_leave_out_what_has_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    show_facts([("id", "abc"), ("none", None), ("empty", ""), ("longer", 0), ("no", False)])

    assert capsys.readouterr().out == "id      abc\nlonger  0\nno      False\n"


def test_long_facts_are_not_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    show_facts([("text", "word " * 200)])

    assert len(capsys.readouterr().out.splitlines()) == 1


def test_names_of_facts_may_come_from_an_attacker(capsys: pytest.CaptureFixture[str]) -> None:
    show_facts([(f"dropped.{HOSTILE}", 1), ("x" * 100_000, 2)])

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 2
    assert len(out) < 1000
