"""How far the canaries of each source have come, and where they stop.

A node tells by its vitals how far they came on its side; sinks and the live stream show them at the hub.
A stage has stopped where the one before it is ahead and it has not moved for half an interval, so that it is
named within one and a half intervals of the moment at which it stopped, and two of the node's vitals: within
two intervals, where vitals come four times in each. One that is slow but moves is not.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from socme.v1.vitals_pb2 import CanaryVitals, Vitals
from socme.v1.watch_pb2 import StoredAlert
from zeus_hub.conditions import LostCanary, silence_seconds
from zeus_hub.trend import LONGEST_NAME, MOST_SOURCES

LEAST_INTERVAL, LONGEST_INTERVAL = 1.0, 3600.0  # seconds; a node may claim anything
_LONGEST = 1e9  # seconds that a node may claim; NaN and infinity are no times
WRITE, TAIL, SPOOL, UPLINK, JOURNAL, LIVE = "write", "tail", "spool", "uplink", "journal", "live"
_INSIDE = (WRITE, TAIL, SPOOL)  # what stops there is not even taken in
_TOLD = (TAIL, SPOOL, UPLINK)  # by the node's vitals

Key = tuple[str, str]  # client and node


def sink_stage(sink: str) -> str:
    """Return what a sink is called as a stage."""
    return f"sink {sink}"


@dataclass(slots=True)
class _Stage:
    number: int
    """Of the last canary that reached it."""
    behind_since: float | None = None
    """Since when the stage before is ahead and this one has not moved."""
    seconds: float | None = None
    """What the way to here from the stage before took the last canary, where the clocks tell."""

    def follow(self, number: int, before: int, at: float) -> None:
        """Take note of how far it and the stage before it have come."""
        moved = number > self.number
        self.number = max(self.number, number)
        if self.number >= before:
            self.behind_since = None
        elif moved or self.behind_since is None:
            self.behind_since = at


@dataclass(slots=True)
class _Source:
    interval: float
    written: int
    written_at: float
    begun_at: float
    """Since when it is followed."""
    begun: int
    """The last canary that the node had spooled by then."""
    told_at: float
    """When its last vitals came."""
    heard_at: float
    """When they or a canary came."""
    stages: dict[str, _Stage] = field(default_factory=dict)
    """In order."""


class Tracker:
    """Of all nodes; `sinks` are the names of the sinks. Times `at` are monotonic, in seconds."""

    def __init__(self, sinks: Sequence[str]) -> None:
        self._sinks = [sink_stage(name) for name in sinks]
        self._nodes: dict[Key, dict[str, _Source]] = {}
        self._touched: set[Key] = set()

    def told(self, key: Key, vitals: Vitals, at: float) -> None:
        """Take what a node's vitals say."""
        known = self._nodes.setdefault(key, {})
        told = {
            source.name[:LONGEST_NAME]: source.canary
            for source in vitals.sources[:MOST_SOURCES]
            if source.HasField("canary") and source.canary.interval_seconds
        }
        for name in known.keys() - told.keys():
            del known[name]
        for name, canary in told.items():
            source = known.get(name)
            if source is None or canary.written < source.written:  # new here, or it counts anew
                source = known[name] = self._begin(canary, at)
            _follow(source, canary, at)

    def arrived(
        self, stage: str, stored: StoredAlert, *, at: float, now: datetime, skew_seconds: float = 0.0
    ) -> None:
        """Take note of a canary at a sink or in the live stream, of a source that vitals told of.

        `skew_seconds` is how far the node's clock is ahead.
        """
        source = self._nodes.get((stored.client, stored.node), {}).get(stored.alert.origin[:LONGEST_NAME])
        if source is None:
            return
        source.heard_at = at
        self._touched.add((stored.client, stored.node))
        number = stored.alert.canary.number
        if number < source.stages[stage].number:  # sent again
            return
        received = stored.received.ToMicroseconds() / 1e6
        source.stages[stage].seconds = max(0.0, now.timestamp() - received)
        _time(source, stored, received, skew_seconds)
        before = source.stages[UPLINK].number if stage in self._sinks else self._sunk(source)
        source.stages[stage].follow(number, before, at)
        if stage in self._sinks:
            live = source.stages[LIVE]
            live.follow(live.number, self._sunk(source), at)

    def touched(self) -> set[Key]:
        """Return the nodes of which canaries arrived since this was asked last."""
        touched, self._touched = self._touched, set()
        return touched

    def lost(
        self,
        key: Key,
        at: float,
        *,
        vitals_seconds: float,
        journal_problem: str,
        speaks_since: float = -math.inf,
    ) -> Iterator[LostCanary]:
        """Return where the canaries of a node's sources stop: for each source the first such stage.

        `vitals_seconds` is how often a node tells, `journal_problem` why the hub takes
        nothing, `speaks_since` since when the node is heard without a break.
        """
        for name, source in self._nodes.get(key, {}).items():
            unheard = at - max(source.heard_at, speaks_since)
            stage = UPLINK if unheard > _patience(source, vitals_seconds) else _stopped(source, at)
            if stage == UPLINK and journal_problem:
                stage = JOURNAL
            if stage:
                yield LostCanary(name, stage, inside=stage in _INSIDE)

    def unsure(self, key: Key, at: float, *, vitals_seconds: float) -> Iterator[str]:
        """Return the sources of a node that were not followed for long enough to say that none is lost.

        One is enough that was spooled since, and that came out at the end; or the time in which a stage that
        has stopped is named.
        """
        for name, source in self._nodes.get(key, {}).items():
            whole = source.stages[LIVE].number > source.begun
            if not whole and at - source.begun_at <= _naming_seconds(source, vitals_seconds):
                yield name

    def changes_at(
        self, key: Key, at: float, *, vitals_seconds: float, speaks_since: float = -math.inf
    ) -> float:
        """Return when, at the soonest, time alone changes what is lost of a node, or unsure."""
        times: list[float] = []
        for source in self._nodes.get(key, {}).values():
            times += [
                max(source.heard_at, speaks_since) + _patience(source, vitals_seconds),
                source.begun_at + _naming_seconds(source, vitals_seconds),
            ]
            behind = [reached.behind_since for name, reached in source.stages.items() if name not in _TOLD]
            times += [since + source.interval / 2 for since in behind if since is not None]
        return min((time for time in times if time >= at), default=math.inf)

    def view(self, key: Key) -> list[Mapping[str, object]]:
        """Return how far the canaries of a node's sources have come, for `zeus node show`."""
        return [
            {
                "source": name,
                "interval_seconds": source.interval,
                "written": source.written,
                "stages": {
                    stage: {
                        "number": reached.number,
                        "seconds": None if reached.seconds is None else round(reached.seconds, 3),
                    }
                    for stage, reached in source.stages.items()
                },
            }
            for name, source in self._nodes.get(key, {}).items()
        ]

    def keys(self) -> Iterator[Key]:
        """Return the nodes of which something is known."""
        return iter([key for key, sources in self._nodes.items() if sources])

    def _begin(self, canary: CanaryVitals, at: float) -> _Source:
        """Begin with what a node tells: at the hub, what was spooled by then is not waited for.

        It may have come before these vitals did, when nothing was known of the source.
        """
        numbers = {TAIL: canary.read, SPOOL: canary.spooled, UPLINK: canary.acknowledged}
        numbers |= dict.fromkeys((*self._sinks, LIVE), canary.spooled)
        stages = {stage: _Stage(number) for stage, number in numbers.items()}
        return _Source(
            0.0,
            written=canary.written,
            written_at=at,
            begun_at=at,
            begun=canary.spooled,
            told_at=at,
            heard_at=at,
            stages=stages,
        )

    def _sunk(self, source: _Source) -> int:
        """Return the last canary of which the hub knows where it lies in the journal."""
        return max(source.stages[sink].number for sink in self._sinks)


def _naming_seconds(source: _Source, vitals_seconds: float) -> float:
    """Return within how many seconds a stage that stops is named, and one more of the vitals."""
    return 1.5 * source.interval + 3 * vitals_seconds


def _patience(source: _Source, vitals_seconds: float) -> float:
    """Return how long neither vitals nor canaries may come of a node that is heard."""
    return max(_naming_seconds(source, vitals_seconds), silence_seconds(vitals_seconds))


def _stopped(source: _Source, at: float) -> str:
    """Return the first stage that has stopped. What vitals say of a stage is as old as they are."""
    patience = source.interval / 2
    if source.told_at - source.written_at > source.interval + patience:
        return WRITE
    for stage, reached in source.stages.items():
        now = source.told_at if stage in _TOLD else at
        if reached.behind_since is not None and now - reached.behind_since > patience:
            return stage
    return ""


def _follow(source: _Source, canary: CanaryVitals, at: float) -> None:
    source.interval = min(max(canary.interval_seconds, LEAST_INTERVAL), LONGEST_INTERVAL)
    source.told_at = source.heard_at = at
    source.stages[SPOOL].seconds = canary.spool_seconds if 0 <= canary.spool_seconds <= _LONGEST else None
    if canary.written > source.written:
        source.written, source.written_at = canary.written, at
    before = canary.written
    for stage, number in ((TAIL, canary.read), (SPOOL, canary.spooled), (UPLINK, canary.acknowledged)):
        source.stages[stage].follow(number, before, at)
        before = source.stages[stage].number
    for stage, reached in source.stages.items():
        if stage not in (*_TOLD, LIVE):  # the sinks
            reached.follow(reached.number, before, at)


def _time(source: _Source, stored: StoredAlert, received: float, skew_seconds: float) -> None:
    """Write down what the way to the journal took: on the node by its own clock, then by the hub's.

    How long it took to be spooled, the vitals tell.
    """
    alert = stored.alert
    if not (alert.canary.HasField("written") and alert.HasField("observed")):
        return
    read = alert.observed.ToMicroseconds() / 1e6
    source.stages[TAIL].seconds = max(0.0, read - alert.canary.written.ToMicroseconds() / 1e6)
    spooling = source.stages[SPOOL].seconds or 0.0
    source.stages[UPLINK].seconds = max(0.0, received - (read - skew_seconds) - spooling)
