"""From where a source must be read again when the spool is lost: `<state_dir>/sure.json`.

A position is sure once no line before it is on this node alone: what was held for roll-ups there has been
spooled, and then the hub has acknowledged all that was spooled. It lies outside the spool's file, because it
is for the day on which that is damaged. What is read twice is known at the hub by its id; but what is rolled
up anew may be rolled up otherwise, and is then counted twice rather than lost.
"""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from artemis_agent.held_rows import Opened

FORMAT = 1  # of sure.json
NAME = "sure.json"


@dataclass(frozen=True, slots=True)
class Sure:
    """What is sure."""

    epoch: bytes
    """Of the spool that stood beside it."""
    positions: Mapping[str, bytes]
    """By source."""


class Entries(Protocol):
    """What a spool can be asked for it."""

    epoch: bytes

    def positions(self) -> Mapping[str, bytes]:
        """Return where each source stood at its last commit."""

    def holding(self) -> Opened:
        """Return the windows that hold alerts for a roll-up, as of that commit."""

    def last(self) -> Mapping[int, int]:
        """Return the last sequence of each lane."""

    def holds_until(self, last: Mapping[int, int]) -> bool:
        """Tell whether there is an entry at or before these sequences."""


@dataclass(slots=True)
class _Sample:
    """Positions, and what must become of the lines before them."""

    positions: Mapping[str, bytes]
    opened: Opened
    """What was held then has been spooled once none of these windows is there. They end by the clock, within
    an hour, and at once where that was set back."""
    last: Mapping[int, int] | None = None
    """What is to be acknowledged; known once nothing of it is held."""

    def is_sure(self, spool: Entries) -> bool:
        """Tell whether the positions are."""
        if self.last is None:
            if self.opened and not self.opened.isdisjoint(spool.holding()):
                return False
            self.last = spool.last()
        return not spool.holds_until(self.last)


class Horizon:
    """Follows what becomes sure and writes it down when it has changed."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._written = read(state_dir)
        self._sample: _Sample | None = None
        self.problem = ""
        """Why it cannot be written down; empty where it can."""

    def begin(self, spool: Entries, source: str, position: bytes) -> None:
        """Take where a new source begins as sure, before anything of it is spooled. Blocks."""
        known = self._written.positions if self._written else {}
        if source not in known:
            self._write(Sure(spool.epoch, {**known, source: position}))

    def look(self, spool: Entries) -> None:
        """See how far the spool is. Blocks."""
        if self._written is None or self._written.epoch != spool.epoch:
            known = self._written.positions if self._written else {}
            self._write(Sure(spool.epoch, known))
        if self._sample is not None:
            if not self._sample.is_sure(spool):
                return
            self._advance(spool.epoch, self._sample.positions)
        self._sample = _Sample(spool.positions(), spool.holding())
        if self._sample.is_sure(spool):
            self._advance(spool.epoch, self._sample.positions)

    def _advance(self, epoch: bytes, positions: Mapping[str, bytes]) -> None:
        """Write down what is sure now; of a source that had no commit yet, where it begins stays so."""
        known = self._written.positions if self._written else {}
        self._write(Sure(epoch, {**known, **positions}))

    def _write(self, sure: Sure) -> None:
        if sure == self._written:
            return
        try:
            write(self._state_dir, sure)
        except OSError as error:  # what was written before is right still: more is read again than need be
            self.problem = f"{NAME} cannot be written: {error.strerror}"
        else:
            self._written, self.problem = sure, ""


def read(state_dir: Path) -> Sure | None:
    """Return what was written last; None where there is nothing that can be read."""
    try:
        found = json.loads((state_dir / NAME).read_text())
        if found["format"] != FORMAT:
            return None
        positions = {str(name): base64.b64decode(each) for name, each in found["positions"].items()}
        return Sure(bytes.fromhex(found["epoch"]), positions)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write(state_dir: Path, sure: Sure) -> None:
    """Replace the file; after a crash there is the old one or the new one."""
    positions = {name: base64.b64encode(each).decode() for name, each in sure.positions.items()}
    told = {"format": FORMAT, "epoch": sure.epoch.hex(), "positions": positions}
    fresh = state_dir / f"{NAME}.new"
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w") as file:
        json.dump(told, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(state_dir / NAME)
