"""Gathers what is known: of every node from the fleet and its vitals, and of the hub from its own parts."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from socme.v1.vitals_pb2 import Vitals
from zeus_hub.accounts import Account
from zeus_hub.canary import Tracker
from zeus_hub.clocks import Clocks
from zeus_hub.clone import WITHIN_SECONDS
from zeus_hub.conditions import (
    CANARY_LOST,
    CLOCK_SKEW,
    CLONE_SUSPECTED,
    LAG_GROWING,
    SENSOR_BLIND,
    SENSOR_DROPS,
    UNACCOUNTED,
    HubFacts,
    NodeFacts,
    SinkFacts,
    SourceFacts,
    is_silent,
    silence_seconds,
)
from zeus_hub.fleet import USUAL_INTERVAL, Fleet, Key, Seen
from zeus_hub.plan import Limits
from zeus_hub.settle import Settled
from zeus_hub.trend import DROPS_SECONDS, SAMPLES, SourceTrend, Trend

# How long nodes may take to come back to a hub that was away: the longest pause of socme.backoff, and some.
REDIAL_SECONDS = 75.0
STANDSTILL_SECONDS = 10.0  # between two looks; after more, this process stood still and heard nobody


@dataclass(frozen=True, slots=True)
class SinkState:
    """How a sink is at one moment."""

    name: str
    position: int
    problem: str


@dataclass(frozen=True, slots=True)
class Sources:
    """Where facts come from; every function answers at once."""

    fleet: Fleet
    accounts: Callable[[], Mapping[str, Account]]
    """By origin, "client/node"."""
    clones: Callable[[], Mapping[Key, str]]
    sinks: Callable[[], Sequence[SinkState]]
    last: Callable[[], int]
    """The journal's last position."""
    journal_problem: Callable[[], str]
    authority_ends: datetime
    certificate_ends: datetime


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a sink was when it was looked at last."""

    position: int
    since: float
    """Since when it takes nothing though there is something for it."""
    sure: bool
    """Whether it was ever seen to take something, or to have nothing to take."""


@dataclass(slots=True)
class Slow:
    """Facts that take a while to find out; the vigil does so in a thread."""

    free_bytes: int | None = None
    unstored: Mapping[Key, int] | None = None
    """For each node, by how many alerts what was taken and what became of it differ; None: not known yet."""
    failing: Mapping[Key, int] = field(default_factory=dict)
    """For each node, by how much the hours that it told fail, beyond what was settled."""
    settled: Mapping[Key, Settled] = field(default_factory=dict)
    """What a person has seen of each node."""


class Lookout:
    """Lives on the event loop."""

    def __init__(self, sources: Sources, tracker: Tracker, limits: Limits, clocks: Clocks) -> None:
        self.fleet = sources.fleet
        self.tracker = tracker
        self.limits = limits
        self.clocks = clocks
        self.slow = Slow()
        self._sources = sources
        self._trends: dict[Key, Trend] = {}
        self._reports: dict[Key, float] = {}
        self._places: dict[str, _Place] = {}
        self._speaks: dict[Key, float] = {}  # since when nodes are heard without a break
        self._mute: set[Key] = set()  # those that are not heard
        self._missing: Mapping[str, int] = {}
        self._clones: Mapping[Key, str] = {}
        self._wide: object = None  # what was known last that concerns every node
        self._started = self._hears_since = self._looked = self._before = clocks.monotonic()

    def look(self) -> float:
        """Begin a look at everything; return the time by the monotonic clock."""
        at = self.clocks.monotonic()
        if at - self._looked > STANDSTILL_SECONDS:
            self._hears_since = at
        self._before, self._looked = self._looked, at
        return at

    def touched(self) -> set[Key]:
        """Return the nodes of which more has changed since this was asked last than time alone changes."""
        touched = self.fleet.touched() | self.tracker.touched()
        accounts = self._sources.accounts()
        missing = {origin: account.missing for origin, account in accounts.items() if account.missing}
        changed = {origin for origin, _ in missing.items() ^ self._missing.items()}
        clones = dict(self._sources.clones())
        touched |= {key for key, _ in clones.items() ^ self._clones.items()}
        self._missing, self._clones = missing, clones
        slow = self.slow
        wide = (self._sources.journal_problem(), self._hears_since, slow.unstored, slow.failing, slow.settled)
        before, self._wide = self._wide, wide
        if wide != before:
            return {(seen.node.client, seen.node.name) for seen in self.fleet.nodes()}
        return touched | {(client, node) for client, _, node in (origin.partition("/") for origin in changed)}

    def node(self, seen: Seen, at: float) -> NodeFacts:
        """Return what is known of a node."""
        node, report = seen.node, seen.report
        key = (node.client, node.name)
        interval = node.interval_seconds or USUAL_INTERVAL
        missing = self._sources.accounts().get("/".join(key), Account()).missing
        settled = self.slow.settled.get(key, Settled()).amounts
        now = self.clocks.wall()
        ends = [self._started + WITHIN_SECONDS]
        if report is not None:
            ends.append(report.at + silence_seconds(interval))
        known = NodeFacts(
            shut_out=node.shut_out,
            seen=node.last_seen is not None,
            heard=seen.heard is not None,
            tells=report is not None and at - report.at <= silence_seconds(interval),
            quiet_seconds=self._quiet(seen, interval, at),
            interval_seconds=interval,
            certificate_seconds=None if node.expires is None else (node.expires - now).total_seconds(),
            clone=self._sources.clones().get(key, ""),
            missing=max(0, missing - settled.missing),
            unaccounted=self.slow.failing.get(key, 0),
            unstored=max(0, (self.slow.unstored or {}).get(key, 0) - settled.unstored),
            unsure=frozenset(self._unsure(at)),
            steady_seconds=min((end - at for end in ends if end >= at), default=math.inf),
        )
        return known if report is None else self._told(known, key, seen, at)

    def _unsure(self, at: float) -> Iterator[str | tuple[str, str]]:
        """Return what the hub knows too little of since it started, for every node."""
        if self.slow.unstored is None:
            yield UNACCOUNTED, "store"
        if at - self._started <= WITHIN_SECONDS:
            yield CLONE_SUSPECTED

    def hub(self, at: float) -> HubFacts:
        """Return what the hub knows of itself."""
        now = self.clocks.wall()
        return HubFacts(
            sinks=list(self._sinks(at)),
            free_bytes=self.slow.free_bytes,
            journal_problem=self._sources.journal_problem(),
            authority_seconds=(self._sources.authority_ends - now).total_seconds(),
            certificate_seconds=(self._sources.certificate_ends - now).total_seconds(),
        )

    def skew_seconds(self, key: Key) -> float:
        """Return how far a node's clock is ahead; 0 where that is not known."""
        trend = self._trends.get(key)
        return 0.0 if trend is None else trend.skew_seconds()

    def _quiet(self, seen: Seen, interval: int, at: float) -> float:
        """Return how long nothing was heard that could have been.

        To a hub that was away, or that let them in again, nodes come later.
        """
        since = max(self._hears_since, seen.let_in)
        if seen.heard is not None and seen.heard >= since:
            return at - seen.heard
        return at - since - max(0.0, REDIAL_SECONDS - silence_seconds(interval))

    def _told(self, known: NodeFacts, key: Key, seen: Seen, at: float) -> NodeFacts:
        """Add what a node's vitals say."""
        assert seen.report is not None  # noqa: S101 - the caller looked
        vitals, trend = seen.report.vitals, self._trend(key, seen)
        spool, each = vitals.spool, float(known.interval_seconds)
        since, limits = self._speaks_since(known, key, seen, at), self.limits
        lost = self.tracker.lost(
            key,
            at,
            vitals_seconds=each,
            journal_problem=self._sources.journal_problem(),
            speaks_since=since,
        )
        changes_at = min(
            self.tracker.changes_at(key, at, vitals_seconds=each, speaks_since=since),
            trend.changes_at(
                at,
                lag_seconds=limits.lag_seconds,
                floor=limits.lag_bytes,
                still_seconds=limits.no_traffic_seconds,
            ),
        )
        unsure = {(CANARY_LOST, name) for name in self.tracker.unsure(key, at, vitals_seconds=each)}
        return replace(
            known,
            spool_share=spool.bytes / spool.capacity_bytes if spool.capacity_bytes else 0.0,
            spool_problem=spool.problem,
            skew_seconds=trend.skew_seconds(),
            backlog_grows=trend.backlog_grows(at, seconds=limits.lag_seconds),
            sources=list(self._of_sources(trend, vitals, at)),
            lost=list(lost),
            unaccounted=max(known.unaccounted, self._beyond(key, spool.unaccounted)),
            unsure=known.unsure | unsure | self._unknown(trend, at),
            steady_seconds=min(known.steady_seconds, changes_at - at),
        )

    def _speaks_since(self, known: NodeFacts, key: Key, seen: Seen, at: float) -> float:
        """Return since when a node is heard without a break: the last look at which it was not."""
        if not seen.node.connected or is_silent(known):
            self._mute.add(key)
            self._speaks[key] = at
        elif key in self._mute:
            self._mute.discard(key)
            self._speaks[key] = self._before
        return max(self._speaks.setdefault(key, at), self._hears_since)

    def _beyond(self, key: Key, unaccounted: int) -> int:
        """Return by how much a node's books fail by its own word, beyond what was settled."""
        return max(0, unaccounted - self.slow.settled.get(key, Settled()).amounts.told)

    def _unknown(self, trend: Trend, at: float) -> set[str | tuple[str, str]]:
        """Return what a node has not told for long enough to say that it is over."""
        unknown: set[str | tuple[str, str]] = set() if trend.skew_known else {CLOCK_SKEW}
        if not trend.backlog_known(at, seconds=self.limits.lag_seconds):
            unknown.add((LAG_GROWING, "uplink"))
        return unknown

    def _trend(self, key: Key, seen: Seen) -> Trend:
        assert seen.report is not None  # noqa: S101 - the caller looked
        report = seen.report
        trend = self._trends.get(key)
        if trend is None:
            window = max(self.limits.lag_seconds, DROPS_SECONDS)
            trend = self._trends[key] = Trend(spacing=window / (SAMPLES - 8))
        if self._reports.get(key) != report.at:
            self._reports[key] = report.at
            trend.take(report.vitals, at=report.at, arrived=report.time.timestamp())
            trend.forget(report.at, lag_seconds=self.limits.lag_seconds, floor=self.limits.lag_bytes)
            self.tracker.told(key, report.vitals, report.at)
        return trend

    def _of_sources(self, trend: Trend, vitals: Vitals, at: float) -> Iterator[SourceFacts]:
        limits = self.limits
        for name, source in trend.sources.items():
            drops, packets = source.traffic(at)
            yield SourceFacts(
                name=name,
                problem=source.newest.problem,
                quiet_seconds=source.quiet_seconds(float(vitals.agent_uptime_seconds), at),
                steady=source.steady,
                lag_grows=source.lag_grows(at, seconds=limits.lag_seconds, floor=limits.lag_bytes),
                drops=drops,
                packets=packets,
                still_seconds=source.still_seconds(),
                unsure=frozenset(_unsure(source, limits, at)),
            )

    def _sinks(self, at: float) -> Iterator[SinkFacts]:
        last = self._sources.last()
        for sink in self._sources.sinks():
            place = self._places.get(sink.name, _Place(sink.position, at, sure=False))
            idle = sink.position >= last and not sink.problem
            if idle or place.position != sink.position:
                place = _Place(sink.position, at, sure=True)
            self._places[sink.name] = place
            yield SinkFacts(sink.name, sink.problem, at - place.since, place.sure)


def _unsure(source: SourceTrend, limits: Limits, at: float) -> Iterator[str]:
    """Return which kinds a source was not watched for long enough to say that they are over."""
    if not source.lag_known(at, seconds=limits.lag_seconds, floor=limits.lag_bytes):
        yield LAG_GROWING
    if not source.traffic_known(at):
        yield SENSOR_DROPS
    if not source.still_known(at, seconds=limits.no_traffic_seconds):
        yield SENSOR_BLIND
