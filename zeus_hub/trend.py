"""What a node's vitals say taken together: differences, and what lasts. One Trend a node, bounded.

Counters of a sensor begin anew when it restarts, so only differences within one of its lives count.
"""

import math
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from socme.v1.vitals_pb2 import SensorVitals, SourceVitals, Vitals

MOST_SOURCES = 32  # of one node; artemis.toml takes no more (artemis_agent/config.py)
LONGEST_NAME = 512  # characters of a source
SAMPLES = 64  # of one source: enough to cut a window into pieces
DROPS_SECONDS = 120.0  # over which lost packets are counted: a few of the sensor's statistics
SKEWS = 6  # vitals of which the one that was delayed least says how far a clock is off
LEAST_SKEWS = 3
BACKLOG_SECONDS = 5.0  # age of the oldest alert in a spool from where on vitals may wait behind what it sends


@dataclass(frozen=True, slots=True)
class Sample:
    """Some figures of a source at one moment."""

    at: float
    lag_bytes: int
    packets: int
    dropped: int
    life: int
    """Which of the sensor's lives the counters belong to; 0: it gave none."""


@dataclass(slots=True)
class SourceTrend:
    """What is known of one source."""

    newest: SourceVitals
    at: float
    sensor: SensorVitals | None = None
    """The newest statistics of a sensor that were ever seen in it."""
    samples: list[Sample] = field(default_factory=list)
    """At most SAMPLES, in order; a deque would take 600 bytes for the first one."""
    life: int = 0
    since: float = 0.0
    """When it was first told of."""
    still_since: float | None = None
    """Since when the sensor's counter of packets has not moved."""
    moves: bool = False
    """Whether it was seen to move in the sensor's present life."""
    confirmed: float = 0.0
    """When the sensor last reported, by the hub's monotonic clock."""

    @property
    def steady(self) -> bool:
        """Whether it gives a record every few seconds when all is well."""
        return self.sensor is not None

    def quiet_seconds(self, agent_uptime_seconds: float, now: float) -> float:
        """Return how long ago its last record was read; where none was, how long the agent has looked."""
        known = self.newest.HasField("last_record_age_seconds")
        age = self.newest.last_record_age_seconds if known else agent_uptime_seconds
        return age + now - self.at

    def lag_grows(self, now: float, *, seconds: float, floor: int) -> bool:
        """Tell whether it was never nearly caught up for so long, and is further behind than at first."""
        past = [sample for sample in self.samples if sample.at <= now - seconds]
        window = [*past[-1:], *(sample for sample in self.samples if sample.at > now - seconds)]
        if not past or len(window) < 2:  # noqa: PLR2004 - a beginning and an end
            return False
        least = min(sample.lag_bytes for sample in window)
        return least > floor and window[-1].lag_bytes > window[0].lag_bytes

    def lag_known(self, now: float, *, seconds: float, floor: int) -> bool:
        """Tell whether that was watched for so long, or it was nearly caught up meanwhile."""
        return any(sample.at <= now - seconds or sample.lag_bytes <= floor for sample in self.samples)

    def traffic_known(self, now: float) -> bool:
        """Tell whether the sensor's present life was watched for as long as `traffic` looks back."""
        start = now - DROPS_SECONDS
        if self.sensor is None:
            return self.since <= start
        return any(sample.at <= start for sample in self.samples if sample.life == self.life)

    def still_known(self, now: float, *, seconds: float) -> bool:
        """Tell whether the sensor was seen to see packets, or has given no statistics for so long."""
        return self.moves if self.sensor is not None else self.since <= now - seconds

    def traffic(self, now: float) -> tuple[int, int]:
        """Return how many packets were lost and seen lately, within the sensor's present life."""
        lately = [
            sample
            for sample in self.samples
            if sample.at > now - DROPS_SECONDS and sample.life and sample.life == self.life
        ]
        if not lately:
            return 0, 0
        first, last = lately[0], lately[-1]
        return last.dropped - first.dropped, last.packets - first.packets

    def forget(self, now: float, *, lag_seconds: float, floor: int) -> None:
        """Let go of samples that say nothing any more: of lag all before it was caught up, or its window."""
        count = len(self.samples)
        caught_up = (place for place in reversed(range(count)) if self.samples[place].lag_bytes <= floor)
        lag = next(caught_up, self._before(now - lag_seconds))
        traffic = count - 1 if self.sensor is None else self._before(now - DROPS_SECONDS, self.life)
        del self.samples[: min(lag, traffic)]

    def _before(self, start: float, life: int | None = None) -> int:
        """Return the place of the last sample up to a time, or else of the first; of one of the lives."""
        mine = [place for place, one in enumerate(self.samples) if life is None or one.life == life]
        return next(
            (place for place in reversed(mine) if self.samples[place].at <= start), min(mine, default=0)
        )

    def changes_at(self, now: float, *, lag_seconds: float, floor: int, still_seconds: float) -> float:
        """Return when, at the soonest, time alone changes what is said here."""
        times = [] if self.samples[-1].lag_bytes <= floor else [s.at + lag_seconds for s in self.samples]
        if self.sensor is None:
            times += [self.since + DROPS_SECONDS, self.since + still_seconds]
        alive = [sample for sample in self.samples if sample.life and sample.life == self.life]
        if alive:  # where nothing was lost, it matters only when it is known
            counted = alive if alive[-1].dropped != alive[0].dropped else alive[:1]
            times += [sample.at + DROPS_SECONDS for sample in counted]
        return min((time for time in times if time >= now), default=math.inf)

    def still_seconds(self) -> float:
        """Return how long the sensor has reported that it sees no packet."""
        return 0.0 if self.still_since is None else self.confirmed - self.still_since


class Trend:
    """What is known of one node; `spacing` is how many seconds apart samples are kept at the least."""

    def __init__(self, spacing: float) -> None:
        self.sources: dict[str, SourceTrend] = {}
        self.agent_uptime_seconds = 0.0
        self._spacing = spacing
        self._skews: list[float] = []
        self._told_at = array("d")  # when each of the ages was told
        self._ages = array("d")  # of the oldest alert

    def take(self, vitals: Vitals, *, at: float, arrived: float) -> None:
        """Take vitals that came `at` by the monotonic clock and `arrived` by that on the wall, in seconds."""
        self.agent_uptime_seconds = float(vitals.agent_uptime_seconds)
        ahead = vitals.time.seconds + vitals.time.nanos / 1e9 - arrived
        delayed = ahead < 0 and vitals.spool.oldest_age_seconds > BACKLOG_SECONDS
        self._keep(at, vitals.spool.oldest_age_seconds)
        if vitals.HasField("time") and not delayed:
            self._skews = [*self._skews[1 - SKEWS :], ahead]
        told = {source.name[:LONGEST_NAME]: source for source in vitals.sources[:MOST_SOURCES]}
        for name in self.sources.keys() - told.keys():
            del self.sources[name]
        for name, source in told.items():
            known = self.sources.get(name)
            if known is None:
                known = self.sources[name] = SourceTrend(source, at, since=at)
            _take(known, source, at, self._spacing)

    def forget(self, now: float, *, lag_seconds: float, floor: int) -> None:
        """Let go of what says nothing any more: a thousand nodes' past would be tens of megabytes."""
        old = min(bisect_right(self._told_at, now - lag_seconds), len(self._ages) - 1)
        del self._told_at[:old], self._ages[:old]
        for source in self.sources.values():
            source.forget(now, lag_seconds=lag_seconds, floor=floor)

    @property
    def skew_known(self) -> bool:
        """Whether enough was told to say how far the node's clock is off."""
        return len(self._skews) >= LEAST_SKEWS

    def backlog_grows(self, now: float, *, seconds: float) -> bool:
        """Tell whether the oldest alert in the spool waits for so long, and longer than it did a while ago.

        What the hub takes more slowly than it comes is late, though the node has read all of it. What has
        gathered while the hub was away gets younger as it comes.
        """
        window = self._window(now, seconds)
        return bool(window) and window[-1] > max(seconds, window[0])

    def backlog_known(self, now: float, *, seconds: float) -> bool:
        """Tell whether that was watched for long enough, or nothing waits for so long."""
        return bool(self._window(now, seconds)) or not self._ages or self._ages[-1] <= seconds

    def changes_at(self, now: float, *, lag_seconds: float, floor: int, still_seconds: float) -> float:
        """Return when, at the soonest, time alone changes what is said here and of the sources."""
        times = [
            source.changes_at(now, lag_seconds=lag_seconds, floor=floor, still_seconds=still_seconds)
            for source in self.sources.values()
        ]
        if self._ages and self._ages[-1] > lag_seconds:
            times += [at + part * lag_seconds for at in self._told_at for part in (0.5, 1)]
        return min((time for time in times if time >= now), default=math.inf)

    def _window(self, now: float, seconds: float) -> Sequence[float]:
        """Return the ages of the last seconds; none where less than half of them was watched."""
        begin = bisect_right(self._told_at, now - seconds)
        watched = begin < len(self._ages) and self._told_at[begin] <= now - seconds / 2
        return self._ages[begin:] if watched else ()

    def _keep(self, at: float, age: float) -> None:
        """Add an age, in the place of the newest one where that came a moment ago."""
        if len(self._ages) >= 2 and at - self._told_at[-2] < self._spacing:  # noqa: PLR2004 - the last two
            del self._told_at[-1], self._ages[-1]
        self._told_at.append(at)
        self._ages.append(age if math.isfinite(age) else 0.0)
        del self._told_at[:-SAMPLES], self._ages[:-SAMPLES]

    def skew_seconds(self) -> float:
        """Return how far the node's clock is ahead; 0 where that is not known.

        What is delayed seems to come from a clock that is behind, so the one that was delayed least counts.
        """
        return max(self._skews) if self.skew_known else 0.0


def _take(known: SourceTrend, source: SourceVitals, at: float, spacing: float) -> None:
    if source.HasField("sensor"):
        _follow(known, source.sensor, at)
    known.newest, known.at = source, at
    sensor = source.sensor
    life = known.life if source.HasField("sensor") else 0
    sample = Sample(at, source.lag_bytes, sensor.packets, sensor.dropped, life)
    # Vitals that come all the time must not push the window's beginning out: the newest one gives way.
    if len(known.samples) >= 2 and sample.at - known.samples[-2].at < spacing:  # noqa: PLR2004 - the last two
        known.samples.pop()
    known.samples = [*known.samples[1 - SAMPLES :], sample]


def _follow(known: SourceTrend, sensor: SensorVitals, at: float) -> None:
    """Take a sensor's statistics over; they may be the same ones again."""
    before, known.sensor = known.sensor, sensor
    restarted = before is None or any(
        new < old for new, old in zip(_counters(sensor), _counters(before), strict=True)
    )
    if restarted:
        known.life += 1
        known.moves = False
    elif before is not None and sensor.packets != before.packets:
        known.moves = True
    if restarted or before is None or sensor.packets != before.packets:
        known.still_since = at
        known.confirmed = at
    elif sensor.uptime_seconds > before.uptime_seconds or sensor.time != before.time:
        known.confirmed = at


def _counters(sensor: SensorVitals) -> Sequence[int]:
    return sensor.uptime_seconds, sensor.packets, sensor.dropped
