"""What stands in a lane in place of alerts that were given up: Dropped messages, neighbours merged."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from artemis_agent.numbering import DROPPED, dropped_in, packed_dropped
from socme.journal import HOUR_US, Journal, Outline
from socme.v1.uplink_pb2 import Dropped


@dataclass(slots=True)
class Stretch:
    """Entries one behind the other that become one."""

    message: Dropped
    entries: list[Outline]

    @property
    def is_new(self) -> bool:
        """Whether there is anything to change."""
        return len(self.entries) > 1 or self.entries[0].encoding != DROPPED


def lost(outlines: Sequence[Outline]) -> Counter[tuple[str, int]]:
    """Return how many alerts entries hold, by source and hour."""
    alerts: Counter[tuple[str, int]] = Counter()
    for each in outlines:
        if each.encoding != DROPPED:
            alerts[each.origin, each.received_us // HOUR_US] += each.alerts
    return alerts


def bury(journal: Journal, lane: int, outlines: Sequence[Outline], reason: str) -> tuple[int, int]:
    """Put Dropped messages in the place of entries, within the transaction that is open.

    Returns by how much the numbers of entries and of bytes have changed.
    """
    entries = size = 0
    for stretch in _stretches(journal, lane, outlines, reason):
        if stretch.is_new:
            packed = packed_dropped(stretch.message)
            *others, last = stretch.entries
            for each in others:
                journal.remove(each.position)
            journal.rewrite(last.position, packed)
            entries -= len(others)
            size += len(packed.payload) - sum(each.bytes for each in stretch.entries)
    return entries, size


def _stretches(journal: Journal, lane: int, outlines: Sequence[Outline], reason: str) -> Iterator[Stretch]:
    """Join what may be joined: sequences without a gap, given up for one reason."""
    open_: Stretch | None = None
    for each in outlines:
        message = _message(journal, lane, each, reason)
        if open_ is not None and _follows(open_, message):
            open_.message.alerts += message.alerts
            open_.entries.append(each)
            continue
        if open_ is not None:
            yield open_
        open_ = Stretch(message, [each])
    if open_ is not None:
        yield open_


def _follows(stretch: Stretch, message: Dropped) -> bool:
    last = stretch.entries[-1].sequence
    return message.first_sequence == last + 1 and message.reason == stretch.message.reason


def _message(journal: Journal, lane: int, outline: Outline, reason: str) -> Dropped:
    if outline.encoding != DROPPED:
        return Dropped(first_sequence=outline.sequence, alerts=outline.alerts, reason=reason)
    (entry,) = journal.read_lane(lane, outline.position - 1, entries=1, size=1)
    return dropped_in(entry.packed.payload)
