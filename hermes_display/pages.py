"""Which of many clients are on the screen: pages in turn; a client with something new comes to the front."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

MOST = 20  # clients on a page of a screen on which nothing is drawn larger
# Where it is, in the units of the page (a screen is 1920 by 1080 of them): what is left for tiles, and the
# smallest tile that a client's name and number fit on, with the gap to the next.
WIDE, TALL = 1920, 1080
BESIDE, ABOVE = 572, 120
TILE_WIDE, TILE_TALL, GAP = 230, 145, 16
TURN = timedelta(seconds=15)  # how long a page is shown where there are more
HOLD = timedelta(seconds=5)  # how long one that came out of turn is shown at least

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Pages:
    """The page that is shown."""

    number: int = 0
    since: datetime | None = None
    """By this machine's clock; None where its time begins with the next second."""
    most: int = MOST
    """Clients on a page, at the most."""
    waiting: tuple[int, ...] = ()
    """Pages with news, which come next."""
    jumps: frozenset[int] = frozenset()
    """Pages that came to the front out of turn; they do so again once all had their turn."""
    turns: int = 0
    """How many pages have yet to get theirs until then."""
    is_held: bool = False
    """Whether the page came out of turn and is to be seen before another one does."""


def most(scale: float) -> int:
    """Return how many clients fit on a page where everything is so many times as large."""
    if scale <= 1:
        return MOST
    columns = int((WIDE / scale - BESIDE + GAP) // (TILE_WIDE + GAP))
    rows = int((TALL / scale - ABOVE + GAP) // (TILE_TALL + GAP))
    return min(MOST, max(1, columns * rows))


def count(total: int, most: int) -> int:
    """Return how many pages there are."""
    return max(1, -(-total // most))


def size(total: int, most: int) -> int:
    """Return how many clients stand on a page: as many on each as can be, so that none is all but empty."""
    return max(1, -(-total // count(total, most)))


def on_page(items: list[Item], pages: Pages) -> tuple[int, list[Item]]:
    """Return which page is shown, and its items: the first one where there is no such page any more."""
    length = size(len(items), pages.most)
    number = pages.number if pages.number < count(len(items), pages.most) else 0
    return number, items[number * length : (number + 1) * length]


def ticked(pages: Pages, total: int, at: datetime) -> Pages:
    """Turn the page where its time is over, or where another one has news."""
    number = count(total, pages.most)
    if pages.since is None or at < pages.since or pages.number >= number:
        return replace(pages, number=pages.number % number, since=at)
    shown = at - pages.since
    if pages.is_held and shown >= HOLD:
        pages = replace(pages, is_held=False)
    if pages.waiting and not pages.is_held:
        return replace(_front(pages, number), since=at)
    if number > 1 and shown >= TURN:
        turns = max(0, pages.turns - 1)
        jumps = pages.jumps if turns else frozenset[int]()
        return replace(pages, number=(pages.number + 1) % number, since=at, turns=turns, jumps=jumps)
    return pages


def jumped(pages: Pages, place: int, total: int) -> Pages:
    """Show the page of the client at a place for its whole time, before others get their turn.

    Only once in a round: a client with news every few seconds would hide all the others.
    """
    page = place // size(total, pages.most)
    if page == pages.number or page in pages.waiting or page in pages.jumps:
        return pages
    pages = replace(pages, waiting=(*pages.waiting, page))
    return pages if pages.is_held else _front(pages, count(total, pages.most))


def _front(pages: Pages, number: int) -> Pages:
    """Bring the first page that waits to the front."""
    page, *rest = pages.waiting
    return replace(
        pages,
        number=page % number,
        since=None,
        waiting=tuple(rest),
        jumps=pages.jumps | {page},
        turns=number,
        is_held=True,
    )
