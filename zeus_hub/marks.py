"""How far the hub holds a node's lane, and what the next batch of it means.

A mark is written down in the transaction that takes the batch. It recognises a batch that comes again by
its number alone, and alerts that never came by two counts of the same thing: the node says how many
alerts it gave out before a batch, the mark knows how many came.
"""

import hashlib
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from zeus_hub.accounts import HIGHEST

PREFIX = "mark:"  # of the names of all marks
EPOCHS_KEPT = 16  # spools of one node whose marks are remembered; Alert.id recognises what is older
CHECK_BYTES = 8
_NOTE = struct.Struct(f">QQQQ?{CHECK_BYTES}s")


@dataclass(frozen=True, slots=True)
class Mark:
    """The end of what is known of one lane in one epoch."""

    sequence: int = 0
    """The last one that is on disk; 0 for none."""
    check: bytes = bytes(CHECK_BYTES)
    """What its payload was, as Mark.check in the contract."""
    counted: int = 0
    """Alerts up to here: those that came, those that were given up, and those that are missing."""
    missing: int = 0
    """The last of these."""
    first: bool = False
    """Whether it is of the spool with which this journal first heard of the node."""
    age: int = 0
    """The journal's last position when it was written, which orders epochs."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What stands in a lane in place of batches that the node gave up."""

    first_sequence: int
    alerts: int
    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """A batch as a mark sees it."""

    sequence: int
    before: int
    """Alerts of the lane before it, by the node's count."""
    alerts: int
    """That it holds, or that were given up."""
    first_sequence: int
    """The first that it stands for: its own, unless batches were given up."""


@dataclass(frozen=True, slots=True)
class Advance:
    """What a batch that is new does to its mark."""

    mark: Mark
    missing: int
    """Alerts that were found missing before it."""
    fresh: int
    """Alerts of it that were not counted before: all, save where what was given up overlaps what came."""
    gap: bool
    """Whether sequences before it are left out without a word."""


def begin(step: Step, *, first: bool) -> Mark:
    """Return the mark of a lane before its first batch here.

    `first`: it is of the spool with which this journal first heard of the node. What that gave out before is
    another journal's affair (this one is new, the old one was moved away), unless it begins with its first.
    """
    if first and step.first_sequence > 1:
        return Mark(sequence=step.first_sequence - 1, counted=min(step.before, HIGHEST), first=True)
    return Mark(first=first)


def advance(known: Mark, step: Step) -> Advance | None:
    """Return where a batch leads a mark; None for a batch that came before."""
    if step.sequence <= known.sequence:
        return None
    gap = step.first_sequence > known.sequence + 1
    overlap = step.first_sequence <= known.sequence
    missing = 0 if overlap else _missing(known, step, gap=gap)
    # Of batches that came and were given up all the same only the rest is new; the counts tell how much.
    fresh = min(step.alerts, max(0, step.before + step.alerts - known.counted)) if overlap else step.alerts
    after = replace(
        known,
        sequence=step.sequence,
        counted=min(known.counted + missing + fresh, HIGHEST),
        missing=min(known.missing + missing, HIGHEST),
    )
    return Advance(after, missing, fresh, gap)


def _missing(known: Mark, step: Step, *, gap: bool) -> int:
    """Return how many alerts lack before a batch.

    A spool that lost a row says so in its counts from the next connection on, before or behind the place in
    the order. Where a sequence is left out and no count ever says of what size, it is one: not none.
    """
    told = max(0, min(step.before, HIGHEST) - known.counted)
    return told or int(gap and not known.missing)


def check(payload: bytes) -> bytes:
    """Return what tells a batch from another of the same number."""
    return hashlib.blake2b(payload).digest()[:CHECK_BYTES]


def encode(mark: Mark) -> bytes:
    """Return a mark as a note."""
    return _NOTE.pack(mark.sequence, mark.counted, mark.missing, mark.age, mark.first, mark.check)


def decode(note: bytes) -> Mark:
    """Return the mark that a note holds."""
    sequence, counted, missing, age, first, found = _NOTE.unpack(note)
    return Mark(sequence, found, counted, missing, first, age)


def of_origin(origin: str) -> str:
    """Return how the names of all marks of a node begin."""
    return f"{PREFIX}{origin}/"


def of_epoch(origin: str, epoch: bytes) -> str:
    """Return how the names of the marks of one spool begin; the lane follows."""
    return f"{of_origin(origin)}{epoch.hex()}/"


def key(origin: str, epoch: bytes, lane: int) -> str:
    """Return the name of a mark's note."""
    return f"{of_epoch(origin, epoch)}{lane}"


def of_several(names: Iterable[str]) -> set[str]:
    """Return the nodes that have marks of more than one spool."""
    spools = {name.removeprefix(PREFIX).rpartition("/")[0] for name in names}
    return {
        node for node, count in Counter(spool.rpartition("/")[0] for spool in spools).items() if count > 1
    }


def outdated(origin: str, notes: Mapping[str, bytes]) -> list[str]:
    """Return which of a node's marks are of spools that are too old to be remembered."""
    start = of_origin(origin)
    ages: dict[str, int] = {}
    for name, note in notes.items():
        epoch = name.removeprefix(start).partition("/")[0]
        ages[epoch] = max(ages.get(epoch, 0), decode(note).age)
    gone = set(sorted(ages, key=lambda epoch: ages[epoch])[:-EPOCHS_KEPT])
    return [name for name in notes if name.removeprefix(start).partition("/")[0] in gone]
