"""The feed: what came of late, at a pace that people can read.

At most one row comes in a second, the most severe of those that wait; what waits for longer than a row stays
on the screen is left out, and so is whatever is low. What says the same as a row that is there is counted in
it, and nothing moves.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from hermes_display import rows, tally
from hermes_display.rows import Row
from hermes_display.triage import Stage

ROWS = 8  # what fits beside the tiles
MOST_WAITING = 32  # the most severe of them, and of those the newest

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Feed:
    """The rows."""

    shown: tuple[Row, ...] = ()
    """Newest first."""
    waiting: tuple[Row, ...] = ()
    """Most urgent first."""
    is_busy: bool = False
    """Whether a row came in since the last second began."""


def filled(found: Iterable[Row]) -> Feed:
    """Return a feed of the newest of these; an alert that is among them twice counts once."""
    merged: list[Row] = []
    for row in sorted(found, key=_newest, reverse=True):
        same = _find(merged, row)
        if same is not None:
            merged[same] = replace(rows.joined(row, merged[same]), key=merged[same].key)
        elif row.severity != tally.LOW and not _is_known(merged, row):
            merged.append(row)
    return Feed(tuple(merged[:ROWS]))


def arrived(feed: Feed, row: Row) -> Feed:
    """Take a new alert: into a row that says the same, at once where none came in this second, or to wait."""
    if row.severity == tally.LOW:
        return feed
    if _find(feed.shown, row) is not None:
        return replace(feed, shown=_joined(feed.shown, row))
    if _find(feed.waiting, row) is not None:
        return replace(feed, waiting=_joined(feed.waiting, row))
    if _is_known((*feed.shown, *feed.waiting), row):
        return feed
    if not feed.is_busy and not feed.waiting:
        return replace(feed, shown=_inserted(feed.shown, row), is_busy=True)
    waiting = sorted((row, *feed.waiting), key=_urgency, reverse=True)
    return replace(feed, waiting=tuple(waiting[:MOST_WAITING]))


def ticked(feed: Feed) -> Feed:
    """Let a second pass."""
    if feed.is_busy:
        return replace(feed, is_busy=False)
    oldest = _newest(feed.shown[-1]) if len(feed.shown) >= ROWS else _NEVER
    waiting = tuple(row for row in feed.waiting if _newest(row) >= oldest)
    if not waiting:
        return feed if not feed.waiting else replace(feed, waiting=())
    return replace(feed, shown=_inserted(feed.shown, waiting[0]), waiting=waiting[1:])


def triaged(feed: Feed, member: str, after: Stage, owner: str) -> Feed:
    """Mark or leave out an alert about which somebody did something."""

    def done(row: Row) -> Row | None:
        return rows.triaged(row, member, after, owner)

    return replace(feed, shown=_each(feed.shown, done), waiting=_each(feed.waiting, done))


def _each(there: tuple[Row, ...], done: Callable[[Row], Row | None]) -> tuple[Row, ...]:
    return tuple(row for row in map(done, there) if row is not None)


def _find(there: Iterable[Row], row: Row) -> int | None:
    return next((index for index, each in enumerate(there) if rows.says_the_same(each, row)), None)


def _is_known(there: Iterable[Row], row: Row) -> bool:
    """Tell whether an alert is there that is called the same and says something else: no alert is that."""
    return any(row.key == each.key or row.key in each.members for each in there)


def _joined(there: tuple[Row, ...], row: Row) -> tuple[Row, ...]:
    return tuple(rows.joined(each, row) if rows.says_the_same(each, row) else each for each in there)


def _inserted(shown: tuple[Row, ...], row: Row) -> tuple[Row, ...]:
    """Put a row where it belongs by its time; rows that were counted up stay where they are."""
    place = next((index for index, each in enumerate(shown) if _newest(each) <= _newest(row)), len(shown))
    return (*shown[:place], row, *shown[place:])[:ROWS]


def _newest(row: Row) -> datetime:
    return row.received or _NEVER


def _urgency(row: Row) -> tuple[int, datetime]:
    return tally.rank(row.severity), _newest(row)
