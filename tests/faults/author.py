"""Writes the oracle's lines into real log files while faults go on, and rotates them as it is told.

One thread writes everything, so that a rotation comes between two lines and loses none by itself.
"""

import gzip
import os
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults import lines
from tests.faults.lines import CALM, FRESH, SHARE, Issued, Place
from tests.faults.plan import Feed
from tests.flow.writer import Output

TICK = 0.01  # seconds between two looks at what is due


@dataclass(slots=True)
class RotatedOutput(Output):
    """A log file with rotations beyond those of the flow tests."""

    deleted: int = 0
    """How often the file was deleted."""

    @property
    def end(self) -> Place:
        """Where the file ends now; only `delete` counts its lives: of all others nothing is ever lost."""
        return Place(self.deleted, os.fstat(self._file).st_size)

    def rotate(self) -> None:
        """Rotate once: `gz` compresses the old file at once, `delete` leaves nothing of it."""
        match self.rotation:
            case "gz":
                for number in range(99, 0, -1):
                    old = Path(f"{self.path}.{number}.gz")
                    if old.exists():
                        old.rename(f"{self.path}.{number + 1}.gz")
                first = Path(f"{self.path}.1")
                self.path.rename(first)
                self.reopen()
                with first.open("rb") as plain, gzip.open(f"{first}.gz", "wb", compresslevel=1) as packed:
                    shutil.copyfileobj(plain, packed)
                shutil.copystat(first, f"{first}.gz")
                first.unlink()
            case "delete":
                self.path.unlink()
                self.reopen()
                self.deleted += 1
            case _:
                Output.rotate(self)


class Author:
    """The writer of some feeds below a folder."""

    def __init__(self, folder: Path, feeds: Sequence[Feed]) -> None:
        self.feeds = feeds
        self.paths = [
            folder / f"log-{index}" / ("eve.json" if feed.kind == "suricata" else "alerts.json")
            for index, feed in enumerate(feeds)
        ]
        """Where each feed writes."""
        self.issued: dict[int, Issued] = {}
        """All that must arrive, by number."""
        self.places: dict[int, Place] = {}
        """Where each of them ends in its log."""
        self._outputs = [
            RotatedOutput(path, feed.rotation) for path, feed in zip(self.paths, feeds, strict=True)
        ]
        self._next = [index * SHARE for index in range(len(feeds))]
        self._fresh = 0
        self._turn = threading.Lock()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        for output in self._outputs:
            output.open()

    @property
    def written(self) -> int:
        """How many alerts are written."""
        return len(self.issued)

    @property
    def writing(self) -> bool:
        """Whether it still writes by itself."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def deleted(self) -> dict[int, int]:
        """How often each feed's file was deleted, where it was."""
        return {feed: output.deleted for feed, output in enumerate(self._outputs) if output.deleted}

    def next_numbers(self) -> dict[int, int]:
        """Return the number that each feed's next alert will have."""
        with self._turn:
            return dict(enumerate(self._next))

    def start(self, alerts: int, rate: float) -> None:
        """Begin to write so many alerts, evenly, the feeds in turn."""
        self._thread = threading.Thread(target=self._run, args=[alerts, rate], name="author", daemon=True)
        self._thread.start()

    def burst(self, feed: int, alerts: int) -> None:
        """Write so many alerts at once."""
        with self._turn:
            for _ in range(alerts):
                self._write(feed)

    def flood(self, feed: int, alerts: int, *, begin: int = 0) -> None:
        """Write so many alerts of low severity at once, from a number on."""
        with self._turn:
            for number in range(begin, begin + alerts):
                self._put(feed, self.feeds[feed].kind, feed * SHARE + CALM + number)

    def rotate(self, feed: int) -> None:
        """Rotate a feed's file."""
        with self._turn:
            self._outputs[feed].rotate()

    def fresh(self) -> list[Issued]:
        """Write one more urgent alert into each feed, and return them."""
        self._fresh += 1
        made = []
        with self._turn:
            for index, feed in enumerate(self.feeds):
                number = index * SHARE + FRESH + self._fresh
                made.append(self._put(index, feed.kind, number))
        return made

    def end(self) -> None:
        """Write no more."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
        for output in self._outputs:
            output.close()

    def _run(self, alerts: int, rate: float) -> None:
        began, done = time.monotonic(), 0
        while done < alerts and not self._ending.wait(TICK):
            due = min(alerts, int((time.monotonic() - began) * rate))
            while done < due:
                with self._turn:
                    self._write(done % len(self.feeds))
                done += 1

    def _write(self, feed: int) -> None:
        self._put(feed, self.feeds[feed].kind, self._next[feed])
        self._next[feed] += 1

    def _put(self, feed: int, kind: str, number: int) -> Issued:
        issued = lines.issue(kind, number)
        for line in lines.lines(kind, number):
            self._outputs[feed].write(line)
        self.places[number] = self._outputs[feed].end
        self.issued[number] = issued
        return issued
