"""Rows beside Artemis's bow, aligned and coloured, for a person at a console. Pure.

Every text is cleaned before a colour is put around it: what comes from outside stays text on a terminal.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from socme.show import LONGEST, Row
from socme.text import clean

LOGO = (
    r"         |\            ",
    r"         | \           ",
    r"         |  \          ",
    r"         |   \         ",
    r"         |    \        ",
    r"         |     |       ",
    r" >>>-----+-----|---->  ",
    r"         |     |       ",
    r"         |    /        ",
    r"         |   /         ",
    r"         |  /          ",
    r"         | /           ",
    r"         |/            ",
)
_ARROW = 6  # its line
_GAP = "  "
LONGEST_NAME = 20  # characters; a longer one has a line of its own
_LEAST = 40  # columns that rows need beside the bow; on a narrower terminal there is none
_RESET = "\x1b[0m"
_BOLD, _DIM, _RED, _GREEN, _YELLOW, _CYAN = (f"\x1b[{code}m" for code in ("1", "2", "31", "32", "33", "36"))
# What a value begins with, or shouts in the middle, and its colour; the first that fits counts.
_TONES = (
    (re.compile(r"failed\b|.*\b(PROBLEM|UNACCOUNTED|EXPIRED|LOST|NOT LOADED)\b"), _RED),
    (re.compile(r"(degraded|stopped|changing)\b|.*\b(REBOOT PENDING|WARNING|SET ASIDE)\b"), _YELLOW),
    (re.compile(r"unknown\b"), _DIM),
    (re.compile(r"(running|Running)\b"), _GREEN),
)


def draw(title: str, rows: Sequence[Row], *, columns: int, colour: bool) -> Iterator[str]:
    """Yield the lines. `columns` is the terminal's width, 0 for no limit; what is wider goes on below."""
    bow = LOGO if not columns or columns >= len(LOGO[0]) + len(_GAP) + _LEAST else ()
    room = max(_LEAST, columns - (len(LOGO[0]) + len(_GAP) if bow else 0)) if columns else 0
    head = clean(title, LONGEST)
    told = [_paint(head, _BOLD, colour), "-" * len(head), *_facts(rows, room, colour=colour)]
    blank = " " * len(LOGO[0])
    for number, (drawn, line) in enumerate(zip_longest(bow, told)):
        left = "" if not bow else _paint(drawn or blank, _YELLOW if number == _ARROW else _CYAN, colour)
        yield (left + (_GAP if bow else "") + (line or "")).rstrip()


def _facts(rows: Sequence[Row], room: int, *, colour: bool) -> Iterator[str]:
    named = [(clean(name, LONGEST), clean(value, LONGEST)) for name, value in rows]
    width = max((len(name) for name, _ in named if len(name) <= LONGEST_NAME), default=0)
    for name, value in named:
        tone = next((tone for pattern, tone in _TONES if pattern.match(value)), "")
        if len(name) > width:
            yield _paint(name, _BOLD, colour)
            name = ""  # noqa: PLW2901 - it has a line of its own
        parts = textwrap.wrap(value, max(_LEAST // 2, room - width - len(_GAP))) if room else [value]
        for part in parts or [""]:
            yield f"{_paint(f'{name:{width}}', _BOLD, colour)}{_GAP}{_paint(part, tone, colour)}"
            name = ""  # noqa: PLW2901 - it stands once


def _paint(text: str, tone: str, colour: bool) -> str:  # noqa: FBT001 - passed through
    return f"{tone}{text}{_RESET}" if colour and tone and text.strip() else text
