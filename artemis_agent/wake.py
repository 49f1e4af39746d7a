"""Wake a tail when there may be something to read: at once, at little cost, and never too late.

inotify sees files appear and move in the folder, and the open ones grow; while data comes the files are
polled instead, at first and in a flood of alerts every three milliseconds, else soon ten times a second;
and a slow poll stands behind it all, for network file systems and machines that have run out of inotify
watches.
"""

import asyncio
import contextlib
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path

try:
    from inotify_simple import INotify, flags
except ImportError:  # it is only there on Linux
    INotify = None
else:
    _FILE = flags.MODIFY | flags.ATTRIB | flags.MOVE_SELF
    _FOLDER = flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO | flags.ONLYDIR

BUSY = 0.3  # seconds for which a file that brought data is polled
POLL_BUSY = 0.1  # seconds; half of it is the latency that polling adds, and nobody sees so short a time
POLL_FLOOD = 0.003  # the same in a flood of records that go on; each is a batch, two commits and two messages
SLOWER = 4  # times as long is each poll as the one before, while no flood is seen
FLOOD = 100.0  # such records a second that make one
POLL_SLOW = 1.0  # seconds; how late a change is seen that no watch reports
_DRAIN = 65_536  # bytes of events that are thrown away at once


class Wake:
    """Watches one folder and the open files of one tail.

    `follow` is called by the thread that reads, `wait` in the event loop; not both at a time.
    """

    def __init__(self, folder: Path, *, longest: float = 0.0) -> None:
        """`longest` may be more than POLL_SLOW where this machine alone writes: no change goes unreported."""
        self._longest = longest
        self._watches = _Watches(folder)
        self._is_due = False  # for a look, whatever the watches say
        self._busy_until = 0.0
        self._poll = POLL_BUSY
        self._is_flood = False
        self._data_at = -math.inf  # when data came last
        self._look_again = 0.0

    def follow(self, descriptors: Mapping[tuple[int, int], int], *, busy: bool, found: int = 0) -> None:
        """Watch these open files (by device and inode) and no others.

        `busy` if data came just now; `found` is how many records that go on are most of it. A trickle of
        those is no flood: to poll so often for it would cost some hundredths of a core.
        """
        now = time.monotonic()
        if busy:
            self._is_flood = found >= FLOOD * (now - self._data_at)
            if self._is_flood or now >= self._busy_until:
                self._poll = POLL_FLOOD  # what begins may become one
            self._busy_until = now + BUSY
            self._data_at = now
        again = now >= self._look_again
        if again:
            self._look_again = now + POLL_SLOW
        # What happened just before a watch began would not be seen for a second.
        self._is_due |= self._watches.follow(descriptors, again=again)

    async def wait(self) -> None:
        """Wait until something may have changed, POLL_SLOW at the longest, or `longest` if all is watched."""
        if time.monotonic() < self._busy_until:
            poll = self._poll
            if not self._is_flood:
                self._poll = min(SLOWER * poll, POLL_BUSY)
            await asyncio.sleep(poll)
            return
        if self._is_due:
            self._is_due = False
            return
        await self._event()

    async def _event(self) -> None:
        woken = asyncio.Event()
        loop = asyncio.get_running_loop()
        descriptor = self._watches.descriptor
        if descriptor is not None:
            loop.add_reader(descriptor, woken.set)
        try:
            with contextlib.suppress(TimeoutError):
                longest = max(self._longest, POLL_SLOW) if self._watches.see_all else POLL_SLOW
                async with asyncio.timeout(longest):
                    await woken.wait()
        finally:
            if descriptor is not None:
                loop.remove_reader(descriptor)
        if descriptor is not None:
            _drain(descriptor)

    def close(self) -> None:
        """End all watches."""
        self._watches.close()


class _Watches:
    """inotify on a folder and on open files: on these through /proc, as what they are and not by a name."""

    def __init__(self, folder: Path) -> None:
        self._inotify = _inotify()
        self._folder = folder
        self._folder_watch: int | None = None
        self._files: dict[tuple[int, int], int | None] = {}

    @property
    def descriptor(self) -> int | None:
        """What becomes readable when something changed."""
        return None if self._inotify is None else self._inotify.fileno()

    @property
    def see_all(self) -> bool:
        """Whether nothing is without a watch."""
        return None not in {self._folder_watch, *self._files.values()}

    def follow(self, descriptors: Mapping[tuple[int, int], int], *, again: bool) -> bool:
        """Begin and end watches of files; return whether one began.

        With `again`, also look which folder is there now, and try those that failed.
        """
        if self._inotify is None and again:
            self._inotify = _inotify()
        if self._inotify is None:
            return False
        began = self._follow_files(self._inotify, descriptors, again=again)
        if again:
            began = self._follow_folder(self._inotify) or began
        return began

    def _follow_files(
        self, inotify: "INotify", descriptors: Mapping[tuple[int, int], int], *, again: bool
    ) -> bool:
        for inode in self._files.keys() - descriptors.keys():
            _unwatch(inotify, self._files.pop(inode))
        if again:
            self._files = {inode: watch for inode, watch in self._files.items() if watch is not None}
        new = {
            inode: _watch(inotify, f"/proc/self/fd/{descriptors[inode]}", _FILE)
            for inode in descriptors.keys() - self._files
        }
        self._files |= new
        return any(watch is not None for watch in new.values())

    def _follow_folder(self, inotify: "INotify") -> bool:
        watch = _watch(inotify, self._folder, _FOLDER)
        if watch == self._folder_watch:  # the system has one watch of an inode, by one number
            return False
        _unwatch(inotify, self._folder_watch)
        self._folder_watch = watch
        return watch is not None

    def close(self) -> None:
        """End all watches."""
        if self._inotify is not None:
            self._inotify.close()


def _watch(inotify: "INotify", path: Path | str, mask: int) -> int | None:
    try:
        return int(inotify.add_watch(path, mask))
    except OSError:  # nothing there, no watches left, or no right to look: the slow poll has to do
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
