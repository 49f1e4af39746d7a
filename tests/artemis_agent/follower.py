"""A tail whose clock is set by hand, and all that it gave."""

# ruff: noqa: D102  # names that say it

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from artemis_agent.doubt import GRACE
from artemis_agent.source import Gap, Reject
from artemis_agent.tail import Tail


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Follower:
    """A tail and all that it gave."""

    path: Path
    start: Literal["end", "beginning"] = "beginning"
    block: int = 4096
    clock: Clock = field(default_factory=Clock)
    lines: list[tuple[bytes, int, bytes]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tail = self._open(None)

    def _open(self, position: bytes | None) -> Tail:
        tail = Tail(self.path, start=self.start, position=position, clock=self.clock)
        tail._buffer = bytearray(self.block)
        return tail

    def restart(self) -> None:
        position = self.tail.position
        self.tail.close()
        self.tail = self._open(position)

    def read(self, most: int = 1_000_000) -> list[bytes]:
        """Read, and return the new lines alone."""
        before = len(self.lines)
        self.tail.look()
        for _ in range(most):
            found = self.tail.next()
            if found is None:
                break
            if isinstance(found, Reject):
                self.rejects.append(found)
                continue
            offset = found.offset
            for line in bytes(found.data[: found.size]).splitlines(keepends=True):
                self.lines.append((found.file, offset, line.rstrip(b"\n")))
                offset += len(line)
        self.gaps += self.tail.take_gaps()
        return [line for _, _, line in self.lines[before:]]

    def hold(self) -> None:
        """Look, some seconds later, while nothing can be read."""
        self.clock.now += 2.0
        self.tail.keep_hold()

    def after_grace(self) -> list[bytes]:
        self.clock.now += GRACE + 1
        return self.read()
