"""Judges what a run left behind. Pure: evidence in, what is wrong out; no complaint: all is well."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.faults.lines import Issued, Place, feed_of, number_of
from tests.faults.watcher import Watched

NODE_BYTES = 96 * 1024 * 1024  # resident, at most
HUB_BYTES = 256 * 1024 * 1024
MORE_FILES = 16  # descriptors that a program may have at its end beyond those it had before
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
    """-1 where it names none of them."""
    offset: int
    """Where it begins in the file that is gone."""
    size: int | None
    """Bytes, where known."""

    def covers(self, start: int, end: int) -> bool:
        """Tell whether a line that stood there was in what is lost."""
        return self.offset <= start and (self.size is None or end <= self.offset + self.size)


@dataclass(frozen=True, slots=True)
class Used:
    """What a program took of its machine."""

    bytes: int
    """Resident, at most."""
    files: Sequence[tuple[int, int]] = ()
    """Descriptors of each of its lives that was long: the most in its first two thirds, and at its end."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run left behind."""

    issued: Mapping[int, Issued]
    stored: Sequence[Stored]
    """In the order in which the hub committed them."""
    places: Mapping[int, Place] = field(default_factory=dict)
    """Where each number's line ends."""
    perishable: Mapping[int, int] = field(default_factory=dict)
    """The feeds that lines can be lost from, and the most gaps of each: logs that were deleted."""
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
    node: Used = field(default_factory=lambda: Used(0))
    hub: Used = field(default_factory=lambda: Used(0))
    logs: str = ""
    ordered: bool = True
    """Whether order is owed at all."""
    ordered_from: Mapping[int, int] = field(default_factory=dict)
    """For each feed, from which number on: a spool that was lost is read again from a sure place."""
    may_lose: bool = False
    """Whether a loss that the ledgers name is no fault: something was taken away, or changed, by hand."""
    committed: Mapping[str, int] = field(default_factory=dict)
    """Ids of all that is stored, SOCme's own alerts too, in the order in which the hub committed them, each
    with the lane that it came in; 0 where that is not known any more."""
    watched: Watched | None = None
    """What somebody was shown who watched from the beginning; None where nobody did."""
    raised: Sequence[str] = ()
    """Conditions that are still raised when all is over."""


def complaints(evidence: Evidence) -> list[str]:
    """Return what is wrong, in words."""
    return [
        *_conserved(evidence),
        *_believable(evidence),
        *_unique(evidence),
        *_genuine(evidence),
        *_in_order(evidence),
        *_balanced(evidence),
        *_shown(evidence),
        *_calm(evidence),
        *_alive(evidence),
        *_bounded("node", evidence.node, NODE_BYTES),
        *_bounded("hub", evidence.hub, HUB_BYTES),
    ]


def _conserved(evidence: Evidence) -> Iterator[str]:
    """Yield what is neither stored nor covered by a reported gap."""
    there = {number_of(row.raw) for row in evidence.stored}
    lost = [issued for number, issued in evidence.issued.items() if number not in there]
    for feed in sorted({feed_of(issued.number) for issued in lost}):
        left = [each for each in lost if feed_of(each.number) == feed and not _covered(evidence, each)]
        if left and not (evidence.may_lose and len(lost) <= evidence.given_up + evidence.missing):
            gaps = [gap for gap in evidence.gaps if gap.feed == feed]
            yield f"G1, G4: {len(left)} alerts of feed {feed} are lost, gaps {gaps}: {_some(left)}"


def _covered(evidence: Evidence, lost: Issued) -> bool:
    """Tell whether a gap explains that an alert is not there.

    A file that came and went unseen is within the gap of the one before it; and what was written to a file
    after it was last seen is within the gap of that one.
    """
    feed, place = feed_of(lost.number), evidence.places.get(lost.number)
    gaps = [gap for gap in evidence.gaps if gap.feed == feed]
    if feed not in evidence.perishable or place is None:
        return False
    begin, ends = place.end - len(lost.raw) - 1, _ends(evidence)
    if any(gap.covers(begin, place.end) for gap in gaps):
        return True
    if (feed, place.life) not in ends:
        return bool(gaps)
    return place.end > ends[feed, place.life] and any(gap.offset <= begin for gap in gaps)


def _ends(evidence: Evidence) -> Mapping[tuple[int, int], int]:
    """Return where the last line that is stored ends, by the feed and life of its file."""
    ends: dict[tuple[int, int], int] = {}
    for number in {number_of(row.raw) for row in evidence.stored} & evidence.places.keys():
        if number is not None:
            key, place = (feed_of(number), evidence.places[number].life), evidence.places[number]
            ends[key] = max(ends.get(key, 0), place.end)
    return ends


def _believable(evidence: Evidence) -> Iterator[str]:
    """Yield gaps that nothing can have torn: a gap that is none hides a loss that is one."""
    for feed, gaps in Counter(gap.feed for gap in evidence.gaps).items():
        most = evidence.perishable.get(feed, 0)
        if gaps > most:
            told = [gap for gap in evidence.gaps if gap.feed == feed]
            yield f"G4: {gaps} gaps of feed {feed}, {most} at most: {told[:SHOWN]}"


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
        if number is None or issued is None or number < evidence.ordered_from.get(feed_of(number), 0):
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
    """Yield what the ledgers do not explain; what was taken away by hand they name, and no more."""
    lost = len(evidence.issued.keys() - {number_of(row.raw) for row in evidence.stored})
    for name, number in (("unaccounted", evidence.unaccounted), ("missing", evidence.missing)):
        if number > (lost if evidence.may_lose else 0):
            yield f"G4: the ledger has {number} {name}, and {lost} are lost"
    if evidence.waiting:
        yield f"{evidence.waiting} alerts still wait in the spool"


def _shown(evidence: Evidence) -> Iterator[str]:
    """Yield how what was shown differs from what is stored."""
    watched = evidence.watched
    if watched is None:
        return
    twice = [each for each, times in Counter(watched.ids).items() if times > 1]
    if twice:
        yield f"G8: {len(twice)} alerts were shown more than once: {twice[:SHOWN]}"
    if watched.canaries:
        yield f"G8: {watched.canaries} canaries were shown"
    there, seen = set(evidence.committed), set(watched.ids)
    strange = seen - there - watched.own  # what SOCme says of itself may come behind the end
    if strange:
        yield f"G8: {len(strange)} alerts were shown and are not stored: {sorted(strange)[:SHOWN]}"
    unseen = [each for each in evidence.committed if each not in seen]
    if unseen and not watched.lagged:
        yield f"G8: {len(unseen)} alerts were never shown: {unseen[:SHOWN]}"
    if not twice:
        yield from _overtaken(watched.ids, evidence.committed)


def _overtaken(shown: Sequence[str], committed: Mapping[str, int]) -> Iterator[str]:
    """Yield the lanes that were not shown in the order of the commits; one lane may overtake another."""
    for lane in sorted(set(committed.values()) - {0}):
        place = {each: at for at, each in enumerate(committed) if committed[each] == lane}
        seen = [place[each] for each in shown if each in place]
        if seen != sorted(seen):
            late = next(at for at, pair in enumerate(pairwise(seen)) if pair[1] < pair[0])
            ids = list(committed)
            yield f"G8: in lane {lane}, {ids[seen[late + 1]]} was shown behind {ids[seen[late]]}"


def _calm(evidence: Evidence) -> Iterator[str]:
    """Yield the conditions that never ended; a ledger that has something unaccounted keeps one."""
    left = sorted(set(evidence.raised) - ({"unaccounted"} if evidence.may_lose else set()))
    if left:
        yield f"still raised when all is well again: {left}"


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
    for first, last in used.files:
        if last > first + MORE_FILES:
            yield f"the {name} had {first} files open, in the end {last}"


def _some(lost: Sequence[Issued]) -> str:
    numbers = sorted(issued.number for issued in lost)
    return f"{numbers[:SHOWN]}" + (f" … {numbers[-1]}" if len(numbers) > SHOWN else "")
