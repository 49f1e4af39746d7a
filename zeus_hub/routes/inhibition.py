"""Which alerts fire that make others not worth telling. Pure.

A source is all alerts that match an inhibition's `source`, have its `equal` fields alike, and came with less
than a day from one to the next. It holds targets back while one of them is open and the latest came within a
day; what comes after that is another source, to which those before do not count, though nobody has closed
them. Of a target that matches `source` as well, only such alerts hold it back as do not match both: two of a
kind would silence each other.

Whose source something is stands in its name, so that one of an inhibition that is gone holds nothing back.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import takewhile

from msgspec import Struct
from msgspec.structs import replace

from socme.v1.watch_pb2 import StoredAlert
from zeus_hub.routes.facts import value
from zeus_hub.routes.matcher import Subject
from zeus_hub.routes.rules import Inhibition

FIRES_SECONDS = 86_400.0  # since its latest alert; the same as a group's resolve_after where nothing is said
MOST_SOURCES = 2000  # that are remembered of a client; what one more would hold back is told
DIGEST_BYTES = 16  # whoever chooses a field must not find another with the same digest
OWNER_BYTES = 8  # of the digest of an inhibition, which only those choose who write the rules
PREFIX = "inhibit:"
_BOTH, _ONE = "+", "-"


class Source(Struct, frozen=True):
    """What is remembered of a source."""

    name: str
    """The client, the inhibition and what is alike, with slashes between."""
    came: float
    """When the latest came, in seconds of a steady clock."""
    one_sided: int = 0
    """Open alerts that match only `source`."""
    two_sided: int = 0
    """Open alerts that match `target` too."""
    since: float = 0.0
    """When the first came."""


class Sources:
    """All that fire."""

    def __init__(self, sources: Iterable[Source] = ()) -> None:
        ordered = sorted(sources, key=lambda source: source.came)
        self._sources = {source.name: source for source in ordered}
        self._sizes = Counter(_client(name) for name in self._sources)
        self.changed: set[str] = set()
        """Names of those that are not as they were when this was emptied last."""

    def get(self, name: str) -> Source | None:
        """Return a source; None for one that is not remembered."""
        return self._sources.get(name)

    def fire(self, mark: str, now: float) -> None:
        """Take an alert that is a source; `mark` as marks() gives it, `now` never before the last one."""
        self.expire(now)
        name = mark[:-1]
        source = self._sources.pop(name, None)  # to come in again as the latest
        if source is None:
            if self._sizes[_client(name)] >= MOST_SOURCES:
                return
            self._sizes[_client(name)] += 1
            source = Source(name, now, since=now)
        self._put(_counted(replace(source, came=now), mark, 1))

    def change(self, mark: str, came: float, opened: int) -> None:
        """Take it that a source's alert, which came then, was closed (-1) or opened again (1)."""
        source = self._sources.get(mark[:-1])
        if source is not None and came >= source.since:
            self._put(_counted(source, mark, opened))

    def expire(self, now: float) -> None:
        """Forget what has not come for so long that it does not fire any more."""
        stale = takewhile(lambda source: now >= source.came + FIRES_SECONDS, self._sources.values())
        for name in [source.name for source in stale]:
            del self._sources[name]
            self._sizes[_client(name)] -= 1
            self.changed.add(name)

    def holds(self, veil: str, now: float) -> bool:
        """Tell whether targets with such a name in their veil are held back."""
        source = self._sources.get(_source(veil))
        if source is None or now >= source.came + FIRES_SECONDS:
            return False
        return source.one_sided > 0 or (source.two_sided > 0 and veil.endswith(_ONE))

    def _put(self, source: Source) -> None:
        self.changed.add(source.name)
        self._sources[source.name] = source


def marks(
    inhibitions: Sequence[Inhibition], stored: StoredAlert, subject: Subject
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return of which sources an alert is one, and what is in its veil as a target."""
    fires, veil = [], []
    for inhibition in inhibitions:
        source, target = inhibition.source.holds(subject), inhibition.target.holds(subject)
        if source or target:
            name = _name(inhibition, stored) + (_BOTH if source and target else _ONE)
            fires += [name] if source else []
            veil += [PREFIX + name] if target else []
    return tuple(fires), tuple(veil)


def owner(inhibition: Inhibition) -> str:
    """Return what an inhibition is called in the names of its sources."""
    return _digest(inhibition.key, OWNER_BYTES)


def owner_of(veil: str) -> str:
    """Return what the inhibition is called that has put a name into a veil."""
    return _source(veil).partition("/")[2].partition("/")[0]


def _name(inhibition: Inhibition, stored: StoredAlert) -> str:
    alike = json.dumps([value(stored, path) for path in inhibition.equal])
    return f"{stored.client}/{owner(inhibition)}/{_digest(alike, DIGEST_BYTES)}"


def _source(veil: str) -> str:
    return veil.removeprefix(PREFIX)[:-1]


def _client(name: str) -> str:
    return name.partition("/")[0]


def _digest(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()


def _counted(source: Source, mark: str, by: int) -> Source:
    if mark.endswith(_BOTH):
        return replace(source, two_sided=max(0, source.two_sided + by))
    return replace(source, one_sided=max(0, source.one_sided + by))
