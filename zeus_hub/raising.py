"""Which conditions are raised: a finding must last before it is, and be gone for a while before it clears.

So what comes and goes every few seconds is told once, and what comes and goes every minute takes twice as
long to clear each time. What cannot be judged now stays as it is.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from socme.v1.alert_pb2 import Severity
from zeus_hub import conditions
from zeus_hub.conditions import Finding, Judged

MOST_OF_ONE = 64  # conditions of one node at a time: a node chooses its sources' names

LONGEST_CLEAR = 1800.0  # seconds
MOST_DOUBLED = 16  # times; far beyond the longest
CALM_SECONDS = 3600.0  # without a condition, after which it is forgotten how often it came

Place = tuple[str, str]  # client and node
Key = tuple[str, str, str, str]  # client, node, kind, subject


@dataclass(frozen=True, slots=True)
class Times:
    """How long a finding must last before it is raised, and be gone before it clears; in seconds."""

    hold: float
    clear: float


# Where the finding itself says that something has lasted, it need not last again.
TIMES: Mapping[str, Times] = {
    conditions.NODE_SILENT: Times(0, 10),
    conditions.SOURCE_SILENT: Times(5, 30),
    conditions.SENSOR_DROPS: Times(20, 300),
    conditions.SENSOR_BLIND: Times(0, 30),
    conditions.SPOOL_FILLING: Times(15, 60),
    conditions.LAG_GROWING: Times(0, 60),
    conditions.CLOCK_SKEW: Times(30, 60),
    conditions.CERTIFICATE_ENDING: Times(0, 10),
    conditions.CANARY_LOST: Times(0, 30),
    conditions.UNACCOUNTED: Times(30, 60),
    conditions.CLONE_SUSPECTED: Times(0, 60),
    conditions.SINK_STUCK: Times(0, 30),
    conditions.HUB_DISK: Times(5, 60),
}


@dataclass(frozen=True, slots=True)
class Open:
    """A condition that was raised and is not over."""

    client: str
    node: str
    kind: str
    subject: str
    since: datetime
    """When it was first found."""
    severity: Severity.ValueType
    """As it is now."""
    message: str
    told: Severity.ValueType
    """The highest that was told of it: what ends is as severe as what was told, so that whoever saw the one
    sees the other."""

    @property
    def key(self) -> Key:
        """What there is one of at a time."""
        return self.client, self.node, self.kind, self.subject


@dataclass(frozen=True, slots=True)
class Change:
    """A condition that is raised, or cleared."""

    condition: Open
    raised: bool
    time: datetime
    silent: bool = False
    """Whether nobody is told: it was raised, and something else is to be said of it now."""


@dataclass(frozen=True, slots=True)
class _Past:
    """That a condition came and went."""

    raises: int
    """How often, without a calm hour between."""
    ended: float


class Book:
    """The conditions of all nodes. For each key, what it returns is raised and cleared in turn.

    What is raised is raised once more where it has become more severe.
    """

    def __init__(self, opened: Iterable[Open] = ()) -> None:
        self._open: dict[Key, Open] = {condition.key: condition for condition in opened}
        self._found: dict[Key, tuple[float, datetime]] = {}  # since when; not raised yet
        self._gone: dict[Key, float] = {}  # since when; not cleared yet
        self._raises: dict[Key, int] = {}  # of what is open: how often it came
        self._past: dict[Place, OrderedDict[Key, _Past]] = {}  # of what is not

    def opened(self) -> Iterator[Open]:
        """Return the conditions that are raised."""
        return iter(list(self._open.values()))

    def holds(self, key: Key, since: datetime) -> bool:
        """Tell whether a condition, raised at that time, is not over; may be called from any thread."""
        one = self._open.get(key)
        return one is not None and one.since == since

    def step(self, judged: Mapping[Place, Judged], *, at: float, now: datetime) -> list[Change]:
        """Take what was judged of every place, `at` by the monotonic clock; return what changes by that.

        A place that is left out is gone, and so is everything that was found there.
        """
        changes: list[Change] = []
        found: set[Key] = set()
        for place, judgement in judged.items():
            for index, finding in enumerate(judgement.findings):
                key = (*place, finding.kind, finding.subject)
                found.add(key)
                if index < MOST_OF_ONE or key in self._open:
                    changes += self._hold(key, finding, at, now)
        for key in self._found.keys() - found:
            del self._found[key]
        for key in self._open.keys() - found:
            judgement = judged.get((key[0], key[1]), Judged(()))
            if judgement.decides(key[2], key[3]):
                changes += self._release(key, at, now)
            else:
                self._gone.pop(key, None)  # it is to be gone for as long as it says, seen to be so
        return changes

    def _hold(self, key: Key, finding: Finding, at: float, now: datetime) -> Iterator[Change]:
        self._gone.pop(key, None)
        one = self._open.get(key)
        if one is not None and finding.severity <= one.told:
            self._found.pop(key, None)
            if (finding.severity, finding.message) != (one.severity, one.message):
                self._open[key] = replace(one, severity=finding.severity, message=finding.message)
                yield Change(self._open[key], raised=True, time=now, silent=True)
            return
        begun, since = self._found.setdefault(key, (at, now))
        if at - begun < TIMES[finding.kind].hold or (one is None and self._crowded(key)):
            return
        del self._found[key]
        if one is None:
            self._raises[key] = self._came(key, at)
        began = since if one is None else one.since
        raised = Open(*key, began, finding.severity, finding.message, told=finding.severity)
        self._open[key] = raised
        yield Change(raised, raised=True, time=now)

    def _release(self, key: Key, at: float, now: datetime) -> Iterator[Change]:
        gone = self._gone.setdefault(key, at)
        # A kind that this version does not know was raised by another one: it is over at once.
        if key[2] in TIMES and at - gone < self._clear_seconds(key):
            return
        del self._gone[key]
        past = self._past.setdefault((key[0], key[1]), OrderedDict())
        past[key] = _Past(self._raises.pop(key, 1), at)
        if len(past) > MOST_OF_ONE:
            past.popitem(last=False)
        yield Change(self._open.pop(key), raised=False, time=now)

    def _came(self, key: Key, at: float) -> int:
        """Return how often a condition has come by now, without a calm hour between."""
        place = (key[0], key[1])
        past = self._past.get(place, OrderedDict())
        for old in [old for old, known in past.items() if at - known.ended > CALM_SECONDS]:
            del past[old]
        known = past.pop(key, None)
        if not past:
            self._past.pop(place, None)
        return 1 if known is None else known.raises + 1

    def _clear_seconds(self, key: Key) -> float:
        """Return how long a condition must be gone before it clears: the longer, the more often it came."""
        doubled = min(self._raises.get(key, 1) - 1, MOST_DOUBLED)
        return min(TIMES[key[2]].clear * (1 << doubled), LONGEST_CLEAR)

    def _crowded(self, key: Key) -> bool:
        """Tell whether a node has as many conditions as it may; those that wait are raised later."""
        return sum(other[:2] == key[:2] for other in self._open) >= MOST_OF_ONE
