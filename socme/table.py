"""Tables for people, on a terminal or in a pipe.

Cells are cleaned and never read as markup. One row is one line: on a terminal what does not fit ends in
"…"; in a pipe nothing is cut but by LONGEST_CELL, and nothing is wrapped. Colours only on a terminal.
"""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.text import Text

from socme.text import clean

LONGEST_CELL = 500  # characters; an attacker chooses the length of much that stands in a cell
LONGEST_FACT = 4000  # characters
LONGEST_NAME = 80  # characters; parts of some facts' names come from nodes
_GAP = "  "

# Styles by word; what is not named here has none.
STYLES: Mapping[str, str] = {
    "critical": "bold white on red",
    "high": "bold red",
    "medium": "yellow",
    "low": "cyan",
    "online": "green",
    "stale": "yellow",
    "offline": "bold red",
    "revoked": "dim",
    "up": "green",
    "degraded": "yellow",
    "late": "yellow",
    "blind": "bold red",
    "silent": "bold red",
}


def console() -> Console:
    """Return a console on standard output that takes every text literally."""
    return Console(markup=False, highlight=False, emoji=False)


def cell(text: object, longest: int = LONGEST_CELL) -> Text:
    """Return text that is safe to print, coloured where it is a severity or a state; "-" for none."""
    plain = clean(str(text), longest) if text not in (None, "") else "-"
    return Text(plain, style=STYLES.get(plain, ""))


def show_line(out: Console, cells: Sequence[Text], widths: Sequence[int] = ()) -> None:
    """Print cells on one line, padded to `widths` (all but the last); cut to the width of a terminal."""
    line = Text()
    for index, text in enumerate(cells):
        line.append_text(text)
        if index < len(cells) - 1:
            padding = widths[index] - text.cell_len if index < len(widths) else 0
            line.append(" " * padding + _GAP)
    if out.is_terminal:
        line.truncate(out.width, overflow="ellipsis")
    out.print(line, soft_wrap=True)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under the names of their columns; put the column that may be long last."""
    lines = [[cell(value) for value in row] for row in rows]
    head = [Text(name, style="bold") for name in columns]
    widths = [max(text.cell_len for text in column) for column in zip(head, *lines, strict=True)]
    out = console()
    for line in (head, *lines):
        show_line(out, line, widths)


def show_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one a line, never cut to a terminal's width; leave out what has no value."""
    told = [(clean(name, LONGEST_NAME), value) for name, value in facts if value not in (None, "")]
    width = max((len(name) for name, _ in told), default=0)
    out = console()
    for name, value in told:
        head = Text(f"{name:<{width}}{_GAP}", style="bold")
        out.print(Text().append_text(head).append_text(cell(value, LONGEST_FACT)), soft_wrap=True)
