"""Which conditions are raised: a finding must last before it is, and be gone for a while before it clears.

So what comes and goes every few seconds is told once. What cannot be judged now stays as it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from socme.v1.alert_pb2 import Severity
from zeus_hub import conditions
from zeus_hub.conditions import Finding, Judged

MOST_OF_ONE = 64  # conditions of one node at a time: a node chooses its sources' names

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
    conditions.CERTIFICATE_ENDING: Times(0, 0),
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
    message: str

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


class Book:
    """The conditions of all nodes. For each key, what it returns is raised and cleared in turn."""

    def __init__(self, opened: Iterable[Open] = ()) -> None:
        self._open: dict[Key, Open] = {condition.key: condition for condition in opened}
        self._found: dict[Key, tuple[float, datetime]] = {}  # since when; not raised yet
        self._gone: dict[Key, float] = {}  # since when; not cleared yet

    def opened(self) -> Iterator[Open]:
        """Return the conditions that are raised."""
        return iter(list(self._open.values()))

    def step(self, judged: Mapping[Place, Judged], *, at: float, now: datetime) -> list[Change]:
        """Take what was judged of every place, `at` by the monotonic clock; return what changes by that.

        A place that is left out is gone, and so is everything that was found there.
        """
        changes: list[Change] = []
        found: set[Key] = set()
        for place, judgement in judged.items():
            for finding in judgement.findings[:MOST_OF_ONE]:
                key = (*place, finding.kind, finding.subject)
                found.add(key)
                changes += self._hold(key, finding, at, now)
        for key in self._found.keys() - found:
            del self._found[key]
        for key in self._open.keys() - found:
            judgement = judged.get((key[0], key[1]), Judged(()))
            if key[2] not in judgement.undecided:
                changes += self._release(key, at, now)
        return changes

    def _hold(self, key: Key, finding: Finding, at: float, now: datetime) -> Iterator[Change]:
        self._gone.pop(key, None)
        if key in self._open:
            return
        begun, since = self._found.setdefault(key, (at, now))
        if at - begun < TIMES[finding.kind].hold or self._crowded(key):
            return
        del self._found[key]
        raised = Open(*key, since, finding.severity, finding.message)
        self._open[key] = raised
        yield Change(raised, raised=True, time=now)

    def _release(self, key: Key, at: float, now: datetime) -> Iterator[Change]:
        kind = key[2]
        gone = self._gone.setdefault(key, at)
        # A kind that this version does not know was raised by another one: it is over at once.
        if kind in TIMES and at - gone < TIMES[kind].clear:
            return
        del self._gone[key]
        yield Change(self._open.pop(key), raised=False, time=now)

    def _crowded(self, key: Key) -> bool:
        """Tell whether a node has as many conditions as it may; those that wait are raised later."""
        return sum(other[:2] == key[:2] for other in self._open) >= MOST_OF_ONE
