"""CSV that a spreadsheet shows and never runs."""

import csv
import io
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme.text import REPLACEMENT, UNSAFE
from tests.zeus_hub.stored import alert
from zeus_hub.export.columns import COLUMNS
from zeus_hub.export.csv_text import GUARDED, cell, encode

RUN = tuple(set(GUARDED) - {"'"})
HOSTILE = '=cmd|" /C calc"!A0'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (0, "0"),
        (-1, "-1"),
        (True, "true"),
        (False, "false"),
        (datetime(2026, 7, 1, 12, tzinfo=UTC), "2026-07-01T12:00:00.000000Z"),
        (["T1110", "T1059"], "T1110;T1059"),
        ([], ""),
        (["=1"], "'=1"),
        (b"\xffline", f"{REPLACEMENT}line"),
        ("plain", "plain"),
        ('a "b", c', '"a ""b"", c"'),
        ("a\r\nb", f"a{REPLACEMENT}{REPLACEMENT}b"),
        ("\x1b[31m\u202e\0", f"{REPLACEMENT}[31m{REPLACEMENT}{REPLACEMENT}"),
        ("=1+1", "'=1+1"),
        ("\t=1", f"'{REPLACEMENT}=1"),
        ("\uff1d1", "'\uff1d1"),
        ("'quoted", "''quoted"),
        ("a=1", "a=1"),
        ("x;=1+1;y", "x;'=1+1;y"),
        (";;@a;\uff0b1;'q;'", ";;'@a;'\uff0b1;''q;''"),
        ("=1;-1", "'=1;'-1"),
        ("x;\t=1;\n=1", f"x;'{REPLACEMENT}=1;{REPLACEMENT}=1"),
        ('x;"=1;""=1', '"x;\'""=1;\'""""=1"'),
        ('x;"a=1; =1', '"x;""a=1; =1"'),
        (["T1", "=1", '"=1'], '"T1;\'=1;\'""=1"'),
        (b"x;=1", "x;'=1"),
    ],
)
def test_a_cell(value: object, expected: str) -> None:
    assert cell(value) == expected  # type: ignore[arg-type]


@given(st.text() | st.text("ab;\"'=\t\n,\uff1d"))
def test_every_text_is_one_safe_cell_and_can_be_had_back(text: str) -> None:
    line = cell(text)
    (read,) = next(csv.reader(io.StringIO(f"{line},\r\n"), strict=True))[:-1]

    assert UNSAFE.search(line) is None
    assert not read.startswith(RUN)
    assert re.sub("(^|;)'", r"\1", read) == UNSAFE.sub(REPLACEMENT, text)


@given(st.text() | st.text("ab;\"'=\t\n,\uff1d"))
def test_no_part_of_a_line_is_a_formula_where_semicolons_part_cells(text: str) -> None:
    """Whatever quotes are in it: as a reader takes them off, and as they stand there."""
    line = f"id,{cell(text)},{cell(text)}"

    for part in next(csv.reader([line], delimiter=";")) + line.split(";"):
        assert not part.strip('"').startswith(RUN)


def test_a_file_is_read_back_by_another_reader() -> None:
    hostile = alert(1, name=HOSTILE, text="one\r\ntwo", techniques=["T1110", "T1059"])
    data = b"".join(encode([hostile, alert(2)])).decode()
    rows = list(csv.DictReader(io.StringIO(data, newline=""), strict=True))

    assert data.count("\r\n") == data.count("\n") == 3
    assert list(rows[0]) == [column.name for column in COLUMNS]
    assert rows[0]["rule_name"] == f"'{HOSTILE}"
    assert rows[0]["technique_ids"] == "T1110;T1059"
    assert [row["id"][-1] for row in rows] == ["1", "2"]
