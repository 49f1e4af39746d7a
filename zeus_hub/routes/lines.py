"""In which line of a TOML file something stands, as well as can be told without a parser of our own.

tomllib forgets where it found a value. Tables are found by their headers, keys by their names below them; for
what is written in another way the nearest line above is given.
"""

import re
from collections.abc import Sequence

_HEADER = re.compile(r"\s*\[")
_SYNTAX = re.compile(r"\(at line (\d+), column \d+\)")


def line_of(text: str, place: Sequence[str | int]) -> int:
    """Return the line, from 1 on, of a place as pydantic names it: ("route", 2, "escalate", 0, "after")."""
    lines = text.splitlines()
    match place:
        case [str(table), int(number), *rest]:
            header = re.compile(rf"\s*\[\[\s*{re.escape(table)}\s*\]\]")
        case [str(table), str(name), *rest]:
            number, quoted = 0, re.escape(name)
            header = re.compile(rf"""\s*\[\s*{re.escape(table)}\s*\.\s*["']?{quoted}["']?\s*\]""")
        case [str(key)]:
            return _key(lines, key, 0) or 1
        case _:
            return 1
    found = [number for number, line in enumerate(lines) if header.match(line)]
    if number >= len(found):
        return _key(lines, str(place[0]), 0) or 1
    return _within(lines, found[number], str(place[0]), [str(step) for step in rest]) or found[number] + 1


def syntax_line(message: str) -> int:
    """Return the line that tomllib's message names; 1 where it names none, as at the end of a file."""
    found = _SYNTAX.search(message)
    return int(found[1]) if found else 1


def first_line(text: str, line: int) -> int:
    """Return the line in which the text of a value begins whose key stands in `line`.

    TOML leaves out a line feed straight behind three quotes.
    """
    lines = text.splitlines()
    opened = line <= len(lines) and re.search(r"""=\s*("\""|''')\s*$""", lines[line - 1])
    return line + 1 if opened else line


def _within(lines: Sequence[str], header: int, table: str, steps: Sequence[str]) -> int:
    """Return the line of the last step that is found below a header, 0 for none: `route.escalate.1.after`."""
    inner = re.compile(rf"\s*\[\[?\s*{re.escape(table)}\s*\.")
    end = next(
        (
            number
            for number in range(header + 1, len(lines))
            if _HEADER.match(lines[number]) and _is_header(lines[number]) and not inner.match(lines[number])
        ),
        len(lines),
    )
    found = header
    for index, step in enumerate(steps):
        if step.isdecimal():
            continue
        entry = int(steps[index + 1]) if index + 1 < len(steps) and steps[index + 1].isdecimal() else 0
        found = (
            _key(lines[:end], step, found)
            or _table(lines[:end], f"{table}.{step}", found, entry)
            or found + 1
        ) - 1
    return found + 1


def _is_header(line: str) -> bool:
    """Tell a table's header from a line of a list that is spread over several."""
    return re.fullmatch(r"""\s*\[\[?\s*[A-Za-z0-9_."' -]+\s*\]\]?\s*(#.*)?""", line) is not None


def _key(lines: Sequence[str], key: str, start: int) -> int:
    wanted = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*[=.]""")
    return next((number + 1 for number in range(start, len(lines)) if wanted.match(lines[number])), 0)


def _table(lines: Sequence[str], name: str, start: int, entry: int) -> int:
    wanted = re.compile(rf"\s*\[\[\s*{re.escape(name)}\s*\]\]")
    found = [number + 1 for number in range(start, len(lines)) if wanted.match(lines[number])]
    return found[min(entry, len(found) - 1)] if found else 0
