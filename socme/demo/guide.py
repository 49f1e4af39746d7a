"""What the demo tells its user: where to look and what to try."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from socme.demo.layout import SITES, Layout
from socme.demo.processes import PACKAGES


def guide(layout: Layout, processes: Mapping[str, int], *, kept: bool) -> str:
    """Return the text; `processes` are the nodes' process ids by name."""
    site = SITES[0]
    after = "stays there" if kept else "is removed at the end"
    return f"""
The wall:  {layout.wall}      (open it in a browser)

Everything lies in {layout.folder} and {after}. In another terminal, try:

  what is stored, the worst of it
    {_line("zeus", "alert", "list", "--min-severity", "high", "--config", layout.zeus)}
  alerts as they come, one JSON object a line
    {_line("zeus", "watch", "--json", "--config", layout.zeus)}
  the nodes and how they are
    {_line("zeus", "node", "list", "--config", layout.zeus)}
  the same stream as the wall, in a terminal
    {_line("hermes", "tail", "--config", layout.hermes)}
  what a node has read and sent
    {_line("artemis", "status", "--config", layout.artemis(site))}
  pull a node's plug: it comes back, nothing is lost and nothing comes twice
    kill -9 {processes[site.node]}

Ctrl-C ends it all.
"""


def _line(program: str, *arguments: str | Path) -> str:
    return " ".join([_shown(program), *(shlex.quote(str(argument)) for argument in arguments)])


def _shown(program: str) -> str:
    """Return how to start a program from here: its script beside this Python, else as a module."""
    script = Path(sys.executable).with_name(program)
    if not script.exists():
        return f"{shlex.quote(sys.executable)} -m {PACKAGES[program]}"
    here = Path.cwd()
    return shlex.quote(str(script.relative_to(here) if script.is_relative_to(here) else script))
