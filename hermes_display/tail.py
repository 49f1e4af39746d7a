"""Print alerts as they come: a line each, coloured on a terminal, or a JSON object each for scripts."""

import sys
from collections import deque
from datetime import datetime
from typing import TextIO

from rich.console import Console
from rich.text import Text

from hermes_display.board import Event, Link
from hermes_display.rows import facts, title
from socme import severity
from socme.errors import OperatorError
from socme.table import cell, show_line
from socme.v1.watch_pb2 import StoredAlert, WatchEvent
from socme.view import alert_view, json_line, moment

LATEST = 10  # alerts to begin with, as tail(1)
REMEMBERED = 1000  # alerts; after a gap the hub tells its latest again, LATEST of them
WIDTHS = (8, 8, 24)  # of time, severity and node


class Tail:
    """What was printed of late, so that nothing is printed twice."""

    def __init__(self, *, as_json: bool, out: TextIO | None = None) -> None:
        self._as_json = as_json
        self._out = out or sys.stdout
        self._console = Console(file=self._out, markup=False, highlight=False, emoji=False)
        self._printed: deque[tuple[str, str, bytes]] = deque(maxlen=REMEMBERED)

    def show(self, event: Event) -> None:
        """Print the alerts of an event; raise OperatorError where the hub refuses this screen."""
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


def _clock(time: datetime | None) -> str:
    return time.astimezone().strftime("%H:%M:%S") if time else ""
