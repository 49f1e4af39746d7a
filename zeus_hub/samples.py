"""The few numbers of a node's vitals that are kept over time, and what many of them come to. Pure.

A node may claim anything: numbers are cut to what the database takes. Counters become what was added since
the vitals before, source by source, so that a sensor that begins anew counts nothing twice.
"""

import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate, groupby, pairwise
from operator import attrgetter

import msgspec

from socme.v1.vitals_pb2 import Capacity, SourceVitals, Vitals
from socme.view import lag_bytes

EVERY = 5  # seconds; of what comes oftener from one node the newest is kept, with all that was added
WHOLE = 1000  # a share is kept in thousandths
MOST = 1 << 53  # what a node claims beyond that makes no difference
LARGEST_BODY = 1 << 20  # bytes of one pack, unpacked; 180 samples take 10 KiB
MOST_WAITING = 50_000  # samples while the database cannot be written: 10 MiB

Key = tuple[str, str]  # client and node
Place = tuple[Key, int]  # whose sample it is, and when it was taken


@dataclass(frozen=True, slots=True)
class Sample:
    """A node's numbers at one moment. None stands for what was not told."""

    seconds: int
    """Since 1970, by the hub's clock."""
    cpu: int | None
    """Share of its processors in use, in thousandths."""
    memory: int | None
    """The same of its memory."""
    disk: int | None
    """The same of its fullest file system."""
    spool: int
    """Alerts that wait in its spool."""
    lag: int
    """Bytes of its sources that it has not read."""
    packets: int
    """That its sensors saw since the sample before."""
    dropped: int
    """Packets that they lost since then."""
    records: int
    """Read since then."""
    spooled: int
    """Alerts put into the spool since then."""
    clock_ms: int | None
    """Milliseconds by which the hub's clock is ahead of the node's."""


@dataclass(frozen=True, slots=True)
class Point:
    """What the samples of a span of time come to."""

    seconds: int
    """Its beginning, since 1970."""
    samples: int
    cpu: int | None
    """Mean, as Sample has it."""
    cpu_most: int | None
    memory: int | None
    """Mean."""
    memory_most: int | None
    disk: int | None
    """Most."""
    spool: int
    """Most."""
    lag: int
    """Most."""
    packets: int
    """All together, as the three that follow."""
    dropped: int
    records: int
    spooled: int
    clock_ms: int | None
    """The one that is farthest off."""


NAMES = tuple(field.name for field in fields(Sample))
POINT_NAMES = tuple(field.name for field in fields(Point))
values = attrgetter(*NAMES)
"""Returns a sample's numbers in their order: astuple() takes ten times as long."""
point_values = attrgetter(*POINT_NAMES)
"""The same of a point."""
ADDED = ("packets", "dropped", "records", "spooled")


def sample(vitals: Vitals, before: Vitals | None, seconds: int) -> Sample:
    """Return the numbers of a node's vitals, given those before; without, nothing counts as added."""
    known = {source.name: source for source in before.sources} if before is not None else {}
    steps = [(known[source.name], source) for source in vitals.sources if source.name in known]
    sensors = [(old, new) for old, new in steps if old.HasField("sensor") and new.HasField("sensor")]
    return Sample(
        seconds=seconds,
        cpu=busy(vitals),
        memory=used(vitals.memory),
        disk=fullest(vitals),
        spool=_cut(vitals.spool.alerts),
        lag=_cut(lag_bytes(vitals)),
        packets=_added((old.sensor.packets, new.sensor.packets) for old, new in sensors),
        dropped=_added((old.sensor.dropped, new.sensor.dropped) for old, new in sensors),
        records=_of_sources(steps, "records"),
        spooled=_of_sources(steps, "spooled"),
        clock_ms=_clock_ms(vitals),
    )


def busy(vitals: Vitals) -> int | None:
    """Return which share of a node's processors is in use, in thousandths; None where it does not say."""
    return _thousandths(vitals.cpu_usage) if vitals.cpu_count else None


def used(capacity: Capacity) -> int | None:
    """Return which share of something is in use, in thousandths; None where nobody said how much there is."""
    return _thousandths(capacity.used_bytes / capacity.total_bytes) if capacity.total_bytes else None


def fullest(vitals: Vitals) -> int | None:
    """Return which share of the fullest file system is in use, in thousandths."""
    return max((found for disk in vitals.disks if (found := used(disk.capacity)) is not None), default=None)


def join(older: Sample, newer: Sample) -> Sample:
    """Return the newer of two samples with what both added."""
    added = {name: _cut(getattr(older, name) + getattr(newer, name)) for name in ADDED}
    return replace(newer, **added)


def pack(samples: Iterable[Sample]) -> bytes:
    """Return samples as a few bytes each: column by column, since most numbers repeat the one before."""
    by_time = {one.seconds: one for one in samples}
    rows = [values(by_time[seconds]) for seconds in sorted(by_time)]
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        times = columns[0]
        columns[0] = times[:1] + [later - earlier for earlier, later in pairwise(times)]
    return zlib.compress(msgspec.msgpack.encode(columns))


def unpack(body: bytes) -> list[Sample]:
    """Return the samples of a pack, the oldest first; none where it is damaged or of another version."""
    try:
        plain = zlib.decompressobj().decompress(body, LARGEST_BODY)
        columns = msgspec.msgpack.decode(plain, type=list[list[int | None]])
        columns[:1] = [list(accumulate(column)) for column in columns[:1]]
        return [Sample(*row) for row in zip(*columns, strict=True)]
    except (zlib.error, msgspec.MsgspecError, ValueError, TypeError):
        return []


def summary(seconds: int, samples: Sequence[Sample]) -> Point:
    """Return what the samples (one or more) of the span that begins at `seconds` come to."""
    cpu, memory, disk, clock = (
        [found for one in samples if (found := get(one)) is not None]
        for get in map(attrgetter, ("cpu", "memory", "disk", "clock_ms"))
    )
    return Point(
        seconds=seconds,
        samples=len(samples),
        cpu=_mean(cpu),
        cpu_most=max(cpu, default=None),
        memory=_mean(memory),
        memory_most=max(memory, default=None),
        disk=max(disk, default=None),
        spool=max(one.spool for one in samples),
        lag=max(one.lag for one in samples),
        packets=_cut(sum(one.packets for one in samples)),
        dropped=_cut(sum(one.dropped for one in samples)),
        records=_cut(sum(one.records for one in samples)),
        spooled=_cut(sum(one.spooled for one in samples)),
        clock_ms=max(clock, key=abs, default=None),
    )


def points(samples: Iterable[Sample], step: int) -> list[Point]:
    """Return what samples, the oldest first, come to in spans of `step` seconds; none for an empty span."""
    spans = groupby(samples, key=lambda one: one.seconds // step * step)
    return [summary(seconds, list(inside)) for seconds, inside in spans]


def aligned(found: Iterable[Point], begin: int, step: int, count: int) -> list[Point | None]:
    """Return one point for each of `count` spans from `begin` on, None for a span without any."""
    by_time = {one.seconds: one for one in found}
    return [by_time.get(begin + number * step) for number in range(count)]


def _of_sources(steps: Iterable[tuple[SourceVitals, SourceVitals]], name: str) -> int:
    return _added((getattr(old, name), getattr(new, name)) for old, new in steps)


def _added(steps: Iterable[tuple[int, int]]) -> int:
    """Return by how much counters grew; one that is smaller than before began anew."""
    return _cut(sum(new - old if new >= old else new for old, new in steps))


def _cut(number: int) -> int:
    return min(number, MOST)


def _clock_ms(vitals: Vitals) -> int | None:
    offset = vitals.clock_offset_seconds
    if not vitals.HasField("clock_offset_seconds") or not math.isfinite(offset):
        return None
    # Cut before it is rounded: a thousand times a number that is finite need not be.
    return round(max(-MOST, min(offset * 1000, MOST)))


def _thousandths(share: float) -> int | None:
    return round(max(0.0, min(share, 1.0)) * WHOLE) if math.isfinite(share) else None


def _mean(numbers: Sequence[int]) -> int | None:
    return round(sum(numbers) / len(numbers)) if numbers else None


class Waiting:
    """Samples of many nodes that wait to be written: bounded, one of each node every few seconds."""

    def __init__(self) -> None:
        self._samples: dict[Place, Sample] = {}

    def add(self, key: Key, one: Sample) -> None:
        """Take a sample; it is joined with one of the same node and the same few seconds."""
        slot = one.seconds // EVERY * EVERY
        there = self._samples.get((key, slot))
        fresh = replace(one, seconds=slot)
        self._samples[key, slot] = fresh if there is None else join(there, fresh)

    def take(self, seconds: int | None = None) -> dict[Place, Sample]:
        """Return and forget what is complete at a moment; all of it without one."""
        done = {
            place: one
            for place, one in self._samples.items()
            if seconds is None or place[1] + EVERY <= seconds
        }
        for place in done:
            del self._samples[place]
        return done

    def give_back(self, taken: Mapping[Place, Sample]) -> None:
        """Take back what could not be written; the oldest are given up where there are too many."""
        self._samples = {**taken, **self._samples}
        for place in list(self._samples)[: max(0, len(self._samples) - MOST_WAITING)]:
            del self._samples[place]
