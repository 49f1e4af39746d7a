"""Print alerts and what becomes of nodes as they come: a line each, coloured on a terminal.

For scripts, a JSON object for each alert, and nothing else.
"""

import sys
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import TextIO

from rich.console import Console
from rich.text import Text

from hermes_display.board import Event, Link
from hermes_display.nodes import Node, read_node
from hermes_display.rows import facts, title
from socme import severity
from socme.errors import OperatorError
from socme.identity import utc_now
from socme.table import cell, show_line
from socme.v1.watch_pb2 import FleetEvent, StoredAlert, WatchEvent
from socme.view import alert_view, json_line, moment

LATEST = 10  # alerts to begin with, as tail(1)
REMEMBERED = 1000  # alerts; after a gap the hub tells its latest again, LATEST of them
MOST_NODES = 20_000  # that are known by how they are
WIDTHS = (8, 8, 24)  # of time, severity and node
WELL = ("good", "new")
WORDS = {"good": "up", "care": "degraded", "off": "revoked"}  # as the hub's own commands say it


class Tail:
    """What was printed of late, so that nothing is printed twice."""

    def __init__(
        self, *, as_json: bool, out: TextIO | None = None, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._as_json = as_json
        self._now = now
        self._out = out or sys.stdout
        self._console = Console(file=self._out, markup=False, highlight=False, emoji=False)
        self._printed: deque[tuple[str, str, bytes]] = deque(maxlen=REMEMBERED)
        self._grades: dict[tuple[str, str], str] = {}

    def show(self, event: Event) -> None:
        """Print what an event tells; raise OperatorError where the hub refuses this screen."""
        if isinstance(event, Link):
            if event.refused:
                raise OperatorError(
                    f"the hub refuses this screen: {event.reason}",
                    "Ask the hub's operator for a new token and run: hermes enroll TOKEN",
                )
            return
        match event.WhichOneof("event"), event:
            case "snapshot", WatchEvent():
                for stored in event.snapshot.alerts:
                    self._print(stored)
            case "alerts", WatchEvent():
                for stored in event.alerts.alerts:
                    self._print(stored)
            case "node", FleetEvent() if not self._as_json:
                self._print_node(read_node(event.node))
            case _:
                pass

    def _print(self, stored: StoredAlert) -> None:
        key = (stored.client, stored.node, stored.alert.id)
        if key in self._printed:
            return
        self._printed.append(key)
        if self._as_json:
            self._out.write(json_line(alert_view(stored)) + "\n")
            self._out.flush()
        else:
            show_line(self._console, cells(stored), WIDTHS)

    def _print_node(self, node: Node) -> None:
        """Tell of a node that is another than it was; of one that is new here, only where it is not well."""
        key = (node.client, node.name)
        before = self._grades.get(key, "off" if node.grade == "off" else WELL[0])
        if key not in self._grades and len(self._grades) >= MOST_NODES:
            return
        self._grades[key] = node.grade
        if node.grade != before and not (before in WELL and node.grade in WELL):
            show_line(self._console, node_cells(node, self._now()), WIDTHS)


def cells(stored: StoredAlert) -> list[Text]:
    """Return an alert's line: local time, severity, client and node, title and what tells it apart."""
    alert = stored.alert
    times = f"\N{MULTIPLICATION SIGN}{alert.count}" if alert.count > 1 else ""
    about = "  ".join(filter(None, (title(alert), times, *facts(alert))))
    return [
        cell(_clock(moment(stored.received))),
        cell(severity.name(alert.severity)),
        cell(f"{stored.client}/{stored.node}"),
        cell(about),
    ]


def node_cells(node: Node, now: datetime) -> list[Text]:
    """Return a node's line: local time, how it is, client and node, and why."""
    about = node.trouble
    if node.grade == "silent":
        about = f"last heard {_clock(node.last_seen)}" if node.last_seen else "never heard"
    return [
        cell(_clock(now)),
        cell(WORDS.get(node.grade, node.grade)),
        cell(f"{node.client}/{node.name}"),
        cell(f"node: {about}" if about else "node"),
    ]


def _clock(time: datetime | None) -> str:
    return time.astimezone().strftime("%H:%M:%S") if time else ""
