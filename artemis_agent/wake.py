"""Wake a tail when there may be something to read: at once, at little cost, and never too late.

watchdog sees files appear and move in the folder; inotify on the open files sees them grow (watchdog
would cost a third of a core at 10,000 lines a second, reading one event for each); while data comes the
files are polled instead, at first and in a flood of alerts each millisecond, else soon ten times a second;
and a slow poll stands behind it all, for network file systems and machines that have run out of inotify
watches.
"""

import asyncio
import contextlib
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

try:
    from inotify_simple import INotify, flags
except ImportError:  # it is only there on Linux
    INotify = None

BUSY = 0.3  # seconds for which a file that brought data is polled
POLL_BUSY = 0.1  # seconds; half of it is the latency that polling adds, and nobody sees so short a time
POLL_FLOOD = 0.001  # the same in a flood of records that go on, in which alerts must not queue
SLOWER = 4  # times as long is each poll as the one before, while no flood is seen
FLOOD = 100.0  # such records a second that make one
POLL_SLOW = 1.0  # seconds; how late a change is seen that no watch reports
_DRAIN = 65_536  # bytes of events that are thrown away at once
_FOLDER_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
]


class Wake:
    """Watches one folder and the open files of one tail.

    `follow` is called by the thread that reads, `wait` in the event loop; not both at a time.
    """

    def __init__(self, folder: Path, *, longest: float = 0.0) -> None:
        """`longest` may be more than POLL_SLOW where this machine alone writes: no change goes unreported."""
        self._longest = longest
        self._bell = _Bell()
        self._folder = _FolderWatch(folder, self._bell.ring)
        self._files = _FileWatch()
        self._busy_until = 0.0
        self._poll = POLL_BUSY
        self._is_flood = False
        self._data_at = -math.inf  # when data came last
        self._look_again = 0.0

    def follow(self, descriptors: Mapping[tuple[int, int], int], *, busy: bool, found: int = 0) -> None:
        """Watch these open files (by device and inode) and no others.

        `busy` if data came just now; `found` is how many records that go on are most of it. A trickle of
        those is no flood: to poll each millisecond for it would cost a tenth of a core.
        """
        now = time.monotonic()
        if busy:
            self._is_flood = found >= FLOOD * (now - self._data_at)
            if self._is_flood or now >= self._busy_until:
                self._poll = POLL_FLOOD  # what begins may become one
            self._busy_until = now + BUSY
            self._data_at = now
        renewed = self._files.follow(descriptors, retry=now >= self._look_again)
        if now >= self._look_again:
            self._look_again = now + POLL_SLOW
            renewed |= self._folder.renew()
        if renewed:  # what happened just before the watch began would not be seen for a second
            self._bell.ring()

    async def wait(self) -> None:
        """Wait until something may have changed, POLL_SLOW at the longest, or `longest` if all is watched."""
        if time.monotonic() < self._busy_until:
            poll = self._poll
            if not self._is_flood:
                self._poll = min(SLOWER * poll, POLL_BUSY)
            await asyncio.sleep(poll)
            return
        woken = asyncio.Event()
        loop = asyncio.get_running_loop()
        descriptors = [self._bell.descriptor, *self._files.descriptors]
        for descriptor in descriptors:
            loop.add_reader(descriptor, woken.set)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(self._longest, POLL_SLOW) if self._sees_all else POLL_SLOW):
                    await woken.wait()
        finally:
            for descriptor in descriptors:
                loop.remove_reader(descriptor)
        for descriptor in descriptors:
            _drain(descriptor)

    @property
    def _sees_all(self) -> bool:
        return self._folder.watches and self._files.watches_all

    def close(self) -> None:
        """End all watches."""
        self._folder.close()
        self._files.close()
        self._bell.close()


class _Bell:
    """A pipe that any thread can ring and an event loop can wait for."""

    def __init__(self) -> None:
        self.descriptor, self._far = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._far, False)

    def ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: it rings already
            os.write(self._far, b"\x00")

    def close(self) -> None:
        os.close(self.descriptor)
        os.close(self._far)


class _FileWatch:
    """inotify on open files; through /proc, so that it is the inode that is watched and not a name."""

    def __init__(self) -> None:
        self._inotify = _inotify()
        self._watches: dict[tuple[int, int], int | None] = {}

    @property
    def descriptors(self) -> list[int]:
        """What becomes readable when a file changed."""
        return [self._inotify.fileno()] if self._inotify else []

    @property
    def watches_all(self) -> bool:
        """Whether no file is without a watch."""
        return self._inotify is not None and None not in self._watches.values()

    def follow(self, descriptors: Mapping[tuple[int, int], int], *, retry: bool) -> bool:
        """Begin and end watches; return whether one began. `retry` those that failed, too."""
        if self._inotify is None and retry:
            self._inotify = _inotify()
        if self._inotify is None:
            return False
        for inode in self._watches.keys() - descriptors.keys():
            _unwatch(self._inotify, self._watches.pop(inode))
        if retry:
            self._watches = {inode: watch for inode, watch in self._watches.items() if watch is not None}
        new = {
            inode: _watch(self._inotify, descriptors[inode]) for inode in descriptors.keys() - self._watches
        }
        self._watches |= new
        return any(watch is not None for watch in new.values())

    def close(self) -> None:
        """End all watches."""
        if self._inotify is not None:
            self._inotify.close()


class _FolderWatch(FileSystemEventHandler):
    """watchdog on a folder, begun again when the folder comes (back)."""

    def __init__(self, folder: Path, ring: Callable[[], None]) -> None:
        self._folder = folder
        self._ring = ring
        self._observer: BaseObserver | None = None
        self._inode: tuple[int, int] | None = None

    @property
    def watches(self) -> bool:
        """Whether there is a watch."""
        return self._observer is not None

    def on_any_event(self, event: FileSystemEvent) -> None:  # noqa: ARG002  # watchdog's interface
        """Ring, whatever it was."""
        self._ring()

    def renew(self) -> bool:
        """See that the folder that is there now is watched; return whether a watch began."""
        try:
            status = self._folder.stat()
        except OSError:
            return False
        inode = (status.st_dev, status.st_ino)
        if inode == self._inode:
            return False
        self.close()
        self._observer = self._observe()
        self._inode = inode if self._observer else None
        return self._observer is not None

    def close(self) -> None:
        """End the watch and its threads."""
        if self._observer:
            self._observer.stop()
            self._observer.join()
        self._observer = self._inode = None

    def _observe(self) -> BaseObserver | None:
        try:
            observer = Observer()
            observer.schedule(self, str(self._folder.resolve()), event_filter=_FOLDER_EVENTS)
            observer.start()
        except OSError:  # no watches left, no right to list the folder: the slow poll has to do
            return None
        return observer


def _watch(inotify: "INotify", descriptor: int) -> int | None:
    mask = flags.MODIFY | flags.ATTRIB | flags.MOVE_SELF
    try:
        return int(inotify.add_watch(f"/proc/self/fd/{descriptor}", mask))
    except OSError:  # no watches left, or no /proc: the slow poll has to do
        return None


def _unwatch(inotify: "INotify", watch: int | None) -> None:
    if watch is not None:
        with contextlib.suppress(OSError):  # the kernel dropped it when the inode went
            inotify.rm_watch(watch)


def _inotify() -> "INotify | None":
    try:
        return INotify(nonblocking=True) if INotify else None
    except OSError:  # no instances left
        return None


def _drain(descriptor: int) -> None:
    with contextlib.suppress(BlockingIOError):
        os.read(descriptor, _DRAIN)
