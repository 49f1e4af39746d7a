"""Judges what a run left behind. Pure: evidence in, what is wrong out; no complaint: all is well."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults.lines import Issued, feed_of, number_of

NODE_BYTES = 96 * 1024 * 1024  # resident, at most
HUB_BYTES = 256 * 1024 * 1024
MORE_FILES = 16  # descriptors that a program may have beyond those it had when it was ready
FRESH_SECONDS = 5.0  # in which a new alert is through when all is well again
SHOWN = 10  # numbers in a complaint


@dataclass(frozen=True, slots=True)
class Stored:
    """One row of the hub's store that came from a line."""

    id: str
    raw: bytes
    client: str
    node: str
    lane: int = 0
    """Which lane it came in; 0 where that is not known any more."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What the node reported as lost."""

    feed: int
    size: int | None
    """Bytes, where known."""


@dataclass(frozen=True, slots=True)
class Used:
    """What a program took of its machine."""

    bytes: int
    """Resident, at most."""
    files_before: int
    files_after: int
    """Descriptors when it was ready, and when all was over."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run left behind."""

    issued: Mapping[int, Issued]
    stored: Sequence[Stored]
    """In the order in which the hub committed them."""
    gaps: Sequence[Gap] = ()
    given_up: int = 0
    """Alerts that the hub's ledger names as given up or unreadable."""
    unaccounted: int = 0
    missing: int = 0
    """What the ledgers cannot explain."""
    waiting: int = 0
    """Alerts that are in the spool when all is over."""
    fresh_seconds: float | None = 0.0
    """How long the new alerts took; None where they did not come."""
    node: Used = field(default_factory=lambda: Used(0, 0, 0))
    hub: Used = field(default_factory=lambda: Used(0, 0, 0))
    logs: str = ""
    ordered: bool = True
    """Whether order is owed: a spool that was torn or damaged is read again from a sure place."""
    may_lose: bool = False
    """Whether a loss that the ledgers name is no fault: something was taken away, or changed, by hand."""


def complaints(evidence: Evidence) -> list[str]:
    """Return what is wrong, in words."""
    return [
        *_conserved(evidence),
        *_unique(evidence),
        *_genuine(evidence),
        *_in_order(evidence),
        *_balanced(evidence),
        *_alive(evidence),
        *_bounded("node", evidence.node, NODE_BYTES),
        *_bounded("hub", evidence.hub, HUB_BYTES),
    ]


def _conserved(evidence: Evidence) -> Iterator[str]:
    """Yield what is neither stored nor covered by a reported gap."""
    stored = {number_of(row.raw) for row in evidence.stored}
    for feed in sorted({feed_of(number) for number in evidence.issued}):
        lost = [
            issued
            for number, issued in evidence.issued.items()
            if feed_of(number) == feed and number not in stored
        ]
        if not lost:
            continue
        gaps = [gap for gap in evidence.gaps if gap.feed == feed]
        size = sum(len(issued.raw) + 1 for issued in lost)
        covered = any(gap.size is None for gap in gaps) or sum(gap.size or 0 for gap in gaps) >= size
        if not covered and not (evidence.may_lose and len(lost) <= evidence.given_up + evidence.missing):
            yield f"G1, G4: {len(lost)} alerts of feed {feed} are lost, gaps {gaps}: {_some(lost)}"


def _unique(evidence: Evidence) -> Iterator[str]:
    numbers = Counter(number_of(row.raw) for row in evidence.stored)
    twice = sorted(number for number, times in numbers.items() if times > 1 and number is not None)
    if twice:
        yield f"G2: {len(twice)} alerts are stored more than once: {twice[:SHOWN]}"
    ids = Counter(row.id for row in evidence.stored)
    same = [each for each, times in ids.items() if times > 1]
    if same:
        yield f"G2: ids are there more than once: {same[:SHOWN]}"


def _genuine(evidence: Evidence) -> Iterator[str]:
    for row in evidence.stored:
        number = number_of(row.raw)
        issued = evidence.issued.get(number) if number is not None else None
        if issued is None:
            yield f"invented: {row.raw[:200]!r}"
        elif issued.raw != row.raw:
            yield f"changed: {number}, {len(issued.raw)} bytes became {len(row.raw)}"
    names = {(row.client, row.node) for row in evidence.stored}
    if len(names) > 1:
        yield f"G6: one node's alerts are stored under {sorted(names)}"


def _in_order(evidence: Evidence) -> Iterator[str]:
    """Yield what came before what was written before it: within a lane, and among the urgent in any case."""
    if not evidence.ordered:
        return
    last: dict[tuple[int, object], int] = {}
    for row in evidence.stored:
        number = number_of(row.raw)
        issued = evidence.issued.get(number) if number is not None else None
        if number is None or issued is None:
            continue
        for rail in _rails(row, issued):
            before = last.get((feed_of(number), rail), -1)
            if number < before:
                yield f"G5: {number} came after {before}, {rail}"
                return
            last[feed_of(number), rail] = number


def _rails(row: Stored, issued: Issued) -> Iterator[object]:
    if row.lane:
        yield f"in lane {row.lane}"
    if issued.urgent:
        yield "both urgent"


def _balanced(evidence: Evidence) -> Iterator[str]:
    for name, number in (("unaccounted", evidence.unaccounted), ("missing", evidence.missing)):
        if number and not evidence.may_lose:
            yield f"G4: the ledger has {number} {name}"
    if evidence.waiting:
        yield f"{evidence.waiting} alerts still wait in the spool"


def _alive(evidence: Evidence) -> Iterator[str]:
    if evidence.fresh_seconds is None:
        yield "a fresh alert did not come through"
    elif evidence.fresh_seconds > FRESH_SECONDS:
        yield f"a fresh alert took {evidence.fresh_seconds:.1f} s"
    if "Traceback" in evidence.logs:
        place = evidence.logs.index("Traceback")
        yield f"a traceback: {evidence.logs[place : place + 3000]}"


def _bounded(name: str, used: Used, most: int) -> Iterator[str]:
    if used.bytes > most:
        yield f"G9: the {name} took {used.bytes >> 20} MiB, more than {most >> 20}"
    if used.files_after > used.files_before + MORE_FILES:
        yield f"the {name} had {used.files_before} files open, in the end {used.files_after}"


def _some(lost: Sequence[Issued]) -> str:
    numbers = sorted(issued.number for issued in lost)
    return f"{numbers[:SHOWN]}" + (f" … {numbers[-1]}" if len(numbers) > SHOWN else "")
