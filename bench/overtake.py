"""How soon a critical alert is seen that comes while a node drains a backlog of 200,000: real programs.

python bench/overtake.py            # a backlog of low alerts
python bench/overtake.py --check    # exit code 1 where one takes longer than docs/delivery.md says
python bench/overtake.py --high     # a backlog of high ones, which go by the same lane as critical ones
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.faults import lines
from tests.faults.lines import CALM, FRESH_RULE
from tests.faults.plan import HUB, Feed
from tests.faults.trial import Play, played
from tests.flow.programs import wait_until

BACKLOG = 200_000
LOW, HIGH = 3, 1  # Suricata's severities
BOUND = 2.0  # seconds to a screen, behind a backlog of low ones
LIMIT = 600.0  # seconds
LOOK = threading.Event()


def seconds_until(condition: Callable[[], object]) -> float:
    """Return how long it took for something to be so."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() > began + LIMIT:
            sys.exit("it never came")
        LOOK.wait(0.01)
    return time.monotonic() - began


def write_backlog(path: Path, severity: int) -> None:
    """Write what waits."""
    with path.open("ab") as log:
        for number in range(BACKLOG):
            record = lines.suricata_record(CALM + number, severity, "ab" * 100)
            log.write(json.dumps(record, separators=(",", ":")).encode() + b"\n")


class Screen:
    """What `hermes tail` prints, read as it grows."""

    def __init__(self, log: Path) -> None:
        self._file = log.open("rb")
        self._rest = b""

    def has_shown(self, number: int) -> bool:
        """Tell whether a fresh alert was among what came since the last call."""
        text = self._rest + self._file.read()
        self._rest = text[-100:]
        return b'number=%d"' % number in text


def report(play: Play, screen: Screen, *, when: str, stored: int) -> float:
    """Print how many seconds a fresh alert takes to a screen and to the store; return the first."""
    waiting = play.cast.waiting()
    (issued, *_) = play.author.fresh()
    shown = seconds_until(lambda: screen.has_shown(issued.number))
    found = shown + seconds_until(lambda: play.cast.stored(FRESH_RULE) >= stored)
    print(f"{when:42}{waiting:>10,} waiting  on the screen {shown:6.2f} s  in the store {found:6.2f} s")
    return shown


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--high", action="store_true", help="a backlog of high alerts")
    parser.add_argument("--check", action="store_true", help=f"fail where one takes longer than {BOUND:g} s")
    given = parser.parse_args()
    severity = HIGH if given.high else LOW
    feed = Feed("suricata", "rename")
    with tempfile.TemporaryDirectory() as folder, played(Path(folder), feed, disk_bytes=0) as play:
        cast = play.cast
        lobby = cast.stage.screen(cast.hub, "lobby", start=False)
        lobby.tail.start(ready=False)
        wait_until(lambda: "connected" in lobby.tail.log(), "the screen is connected")
        screen = Screen(lobby.folder / "tail.log")
        cast.want(HUB, up=False)
        cast.hub.program.end()
        write_backlog(play.author.paths[0], severity)
        wait_until(lambda: cast.waiting() >= BACKLOG, "the backlog is spooled", limit=LIMIT)
        (issued, *_) = play.author.fresh()
        before = cast.hub.program.log().count("node connected")
        cast.want(HUB, up=True)

        def is_back() -> bool:
            cast.supervise()
            return cast.hub.program.log().count("node connected") > before

        seconds_until(is_back)
        seconds = [seconds_until(lambda: screen.has_shown(issued.number))]
        print(
            f"{'written while the hub was away':42}{BACKLOG:>10,} waiting  on the screen {seconds[0]:6.2f} s"
        )
        seconds += [
            report(play, screen, when="written while the backlog drains, or behind it", stored=count)
            for count in range(2, 5)
        ]
    return 1 if given.check and max(seconds) > BOUND else 0


if __name__ == "__main__":
    sys.exit(main())
