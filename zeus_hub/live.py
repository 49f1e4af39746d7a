"""Fan-out of alerts to watchers: from memory while they keep up, from the journal while they do not.

A watcher is a place and nothing else: there is no queue for one, so a slow one costs no memory and
holds up nobody. What many follow is decoded and serialised once, with the lines of the logs or without
them, and only if somebody follows. What is urgent is shown before all else that a watcher has not seen: a
node that comes back with a backlog must not hold up what happens now, there or elsewhere.
"""

import asyncio
import struct
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from socme.journal import Entry, Journal
from socme.v1.watch_pb2 import StoredAlert, WatchEvent
from zeus_hub import tracks
from zeus_hub.enrich import Arrival, enrich
from zeus_hub.redact import Redaction
from zeus_hub.tracks import Cursor, Place, is_urgent

RECENT_BYTES = 8 * 1024 * 1024  # of payloads kept in memory, so that the journal is not read for them
DECODED_BYTES = 16 * 1024 * 1024  # of alerts kept decoded; Python needs two to three times as much
# What the smallest batch and the smallest alert count for in these sums: they are no smaller in memory.
LEAST_BATCH = 1024
LEAST_ALERT = 1024
SMALL_BYTES = 16 * 1024  # by that sum, of a new batch that is decoded on the event loop: some 0.1 ms
_SCANNED = 1024  # batches of which it is looked up at once which track they are on
_CURSOR = struct.Struct(">B8sQIQIQ")
_CURSOR_VERSION = 3

Repeats = Callable[[Arrival], Collection[int]]


@dataclass(frozen=True, slots=True)
class Page:
    """What many watchers get alike."""

    position: int
    with_raw: bool
    """Whether the alerts have their raw lines."""
    redacted: bool
    """Whether what names machines, people and addresses is left out (redact.py)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One alert as watchers get it, the same message for all of them."""

    client: str
    severity: int
    after: Cursor
    """The place behind it, on its track."""
    event: bytes
    """A serialised WatchEvent of it alone, without a cursor."""
    canary: StoredAlert | None = None
    """What it is, where it only proves the way: no watcher gets it."""
    repeated: bool = False
    """Whether it had been committed before: watchers got it there."""


class ForgottenError(Exception):
    """The journal no longer has what comes next."""


class Live:
    """Lives on the event loop. `last` is the last position that is committed.

    `repeats` returns the indices of those alerts of a batch that had been committed before; it may block, and
    is called in one thread.
    """

    def __init__(self, journal: Path, *, identity: bytes, last: int, repeats: Repeats) -> None:
        self.last = last
        self._repeats = repeats
        self.redaction = Redaction(identity)  # of which watchers get to know but the first half
        self._identity = identity[:8]
        self._path = journal
        self._thread = ThreadPoolExecutor(1, "live")
        self._grown = asyncio.Event()
        self._recent: deque[Entry] = deque()
        self._recent_bytes = 0
        self._tracks = tracks.Recent(last + 1)
        self._new: set[int] = set()  # those of the recent ones that hold no alert which may have come before
        self._decoded: OrderedDict[Page, tuple[int, Sequence[Shown]]] = OrderedDict()
        self._decoded_bytes = 0
        self._loading: dict[Page, asyncio.Future[tuple[int, Sequence[Shown]] | None]] = {}
        self._journal: Journal | None = None

    def publish(self, entries: Sequence[Entry], new: Collection[int] = ()) -> None:
        """Show what has just been committed.

        `new` are the positions of those that hold no alert which may have been committed before.
        """
        self._new.update(new)
        self._tracks.add((entry.position, entry.lane) for entry in entries)
        for entry in entries:
            self._recent.append(entry)
            self._recent_bytes += LEAST_BATCH + len(entry.packed.payload)
        while self._recent_bytes > RECENT_BYTES:
            oldest = self._recent.popleft()
            self._new.discard(oldest.position)
            self._recent_bytes -= LEAST_BATCH + len(oldest.packed.payload)
        self.last = entries[-1].position
        self.stir()

    def stir(self) -> None:
        """Wake all watchers: there is something to show, here or elsewhere."""
        self._grown.set()
        self._grown = asyncio.Event()

    def grown(self) -> asyncio.Event:
        """Return what is set once there is more, or at `stir`; ask for it before asking for a page."""
        return self._grown

    async def next(self, place: Place, *, urgent: bool) -> Place:
        """Return a place whose cursor on a track is in a batch of it, or behind `last` where there is none.

        Raise ForgottenError where the journal has some no more that may have been on it.
        """
        cursor = place.on(urgent=urgent)
        if cursor.index:
            return place
        position = cursor.position
        while position < self._tracks.floor:
            found, position = await self._look_up(position, urgent=urgent)
            if found:
                return place.moved(Cursor(position), urgent=urgent)
        known = self._tracks.next(position, urgent=urgent)
        return place.moved(Cursor(self.last + 1 if known is None else known), urgent=urgent)

    async def page(self, position: int, *, with_raw: bool, redacted: bool = False) -> Sequence[Shown] | None:
        """Return the alerts of one batch, its canaries behind them; None where the journal has it no more.

        The caller asks for positions up to `last` only.
        """
        page = Page(position, with_raw, redacted)
        found = self._decoded.get(page)
        if found is None:
            loading = self._loading.get(page) or self._load(page)
            if loading.done():  # it was decoded here: a watcher that passes over many must let others go on
                await asyncio.sleep(0)
            # Many may wait for the same load: one that leaves must not take it away from the others.
            found = await asyncio.shield(loading)
        return None if found is None else found[1]

    def encode(self, place: Place, change: int) -> bytes:
        """Return a place, and the last change (changes.py) that was told there, as watchers keep it."""
        urgent, other = place.urgent, place.other
        numbers = (urgent.position, urgent.index, other.position, other.index, change)
        return _CURSOR.pack(_CURSOR_VERSION, self._identity, *numbers)

    def decode(self, cursor: bytes) -> tuple[Place, int] | None:
        """Return the place and the change that a watcher kept; None where they are of no use here."""
        try:
            version, identity, *numbers = _CURSOR.unpack(cursor)
        except struct.error:
            return None
        place, change = Place(Cursor(*numbers[:2]), Cursor(*numbers[2:4])), numbers[4]
        furthest = max(place.urgent.position, place.other.position)
        known = version == _CURSOR_VERSION and identity == self._identity and furthest <= self.last + 1
        return (place, change) if known else None

    def close(self) -> None:
        """Let go of the journal."""
        if self._journal is not None:
            self._thread.submit(self._journal.close)
        self._thread.shutdown(wait=True)

    async def _look_up(self, position: int, *, urgent: bool) -> tuple[bool, int]:
        """Look in the journal for a batch of a track from a position on, a bounded number of batches far.

        Return whether there is one and where, or up to which position there is none.
        """
        loop = asyncio.get_running_loop()
        rows = await loop.run_in_executor(self._thread, self._scan, position)
        if not rows or rows[0][0] != position:
            raise ForgottenError
        for found, lane in rows:
            if is_urgent(lane) == urgent:
                return True, found
        return False, rows[-1][0] + 1

    def _scan(self, position: int) -> list[tuple[int, int]]:
        return self._opened().lanes(position - 1, entries=_SCANNED)

    def _opened(self) -> Journal:
        """Return the journal, in the thread."""
        if self._journal is None:
            self._journal = Journal(self._path)
        return self._journal

    def _load(self, page: Page) -> asyncio.Future[tuple[int, Sequence[Shown]] | None]:
        position = page.position
        entry = next((entry for entry in reversed(self._recent) if entry.position == position), None)
        loop = asyncio.get_running_loop()
        is_new = position in self._new
        loading: asyncio.Future[tuple[int, Sequence[Shown]] | None]
        if is_new and entry is not None and _size(entry) <= SMALL_BYTES:
            # There and back to a thread would take as long, and longer where others compute.
            loading = loop.create_future()
            loading.set_result(self._decode(page, entry, _none))
        else:
            repeats = _none if is_new else self._repeats
            loading = loop.run_in_executor(self._thread, self._decode, page, entry, repeats)
        self._loading[page] = loading
        loading.add_done_callback(lambda done: self._loaded(page, done))
        return loading

    def _loaded(self, page: Page, done: asyncio.Future[tuple[int, Sequence[Shown]] | None]) -> None:
        del self._loading[page]
        if done.cancelled() or done.exception() is not None:
            return
        found = done.result()
        if found is None:
            return
        self._decoded[page] = found
        self._decoded_bytes += found[0]
        while self._decoded_bytes > DECODED_BYTES and len(self._decoded) > 1:
            _, (size, _) = self._decoded.popitem(last=False)
            self._decoded_bytes -= size

    def _decode(
        self, page: Page, entry: Entry | None, repeats: Repeats
    ) -> tuple[int, Sequence[Shown]] | None:
        """Return what a batch counts for in DECODED_BYTES and its alerts.

        In the thread, or on the event loop where it is small and needs no journal.
        """
        position = page.position
        if entry is None:
            entry = next(iter(self._opened().read(position - 1, entries=1, size=1)), None)
        if entry is None or entry.position != position:
            return None
        arrival = enrich(entry)
        if not isinstance(arrival, Arrival):
            return LEAST_BATCH, ()
        redaction = self.redaction if page.redacted else None
        return _size(entry), list(_shown(arrival, repeats(arrival), redaction, with_raw=page.with_raw))


def _size(entry: Entry) -> int:
    """Return what a batch counts for once it is decoded."""
    return LEAST_BATCH + LEAST_ALERT * entry.packed.alerts + entry.packed.decoded_bytes


def _shown(
    arrival: Arrival, repeats: Collection[int], redaction: Redaction | None, *, with_raw: bool
) -> Iterator[Shown]:
    everything = (*arrival.alerts, *arrival.canaries)
    position, count = arrival.entry.position, len(everything)
    for index, stored in enumerate(everything):
        if redaction is not None:
            redaction.apply(stored)
        elif not with_raw:
            stored.alert.ClearField("raw")
        yield Shown(
            client=stored.client,
            severity=stored.alert.severity,
            after=Cursor(position, index + 1) if index + 1 < count else Cursor(position + 1),
            event=_event(stored),
            canary=stored if stored.alert.HasField("canary") else None,
            repeated=index in repeats,
        )


def _event(stored: StoredAlert) -> bytes:
    event = WatchEvent()
    event.alerts.alerts.append(stored)  # made from the inside out, it would be copied twice more
    return event.SerializeToString()


def _none(_: Arrival) -> Collection[int]:
    """Return what is repeated in a batch that is new."""
    return ()
