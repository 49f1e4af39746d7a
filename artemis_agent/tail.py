"""Follow a growing file through every kind of rotation, and hand on its lines with their position.

Offsets belong to inodes, not to the name: a renamed file is read on through its open descriptor for as
long as it grows, beside the new one, and a name that goes away and comes back changes nothing. A file
that is cut (copytruncate) begins a new life under a new identity; what was not read of its old one is
taken from the copy that rotation left.
"""

import errno
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from artemis_agent.file_identity import MOST_LEFT, Known, Position, decode, encode, identity_of
from artemis_agent.line_file import BLOCK, Block, LineFile, Truncated, open_line_file
from artemis_agent.siblings import Sibling, siblings
from artemis_agent.source import Reject

GRACE = 10.0  # seconds of quiet; after HUP, Suricata writes to the old file until its next event
MOST_OPEN = 64  # rotated files at a time; four times what logrotate keeps
_CLOCK_SLACK = 1_000_000_000  # nanoseconds by which a file system's clock may be behind ours


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind a tail is, as of its last look."""

    old: int
    """Bytes to be read in rotated files."""
    current: tuple[int, int, int] | None
    """Device, inode and offset of the file that has the name."""


class Tail:
    """Follows the file at one path. Every call may block on the disk; one thread at a time.

    A tail without a saved position is fresh: it begins at the file's end or beginning, as told, if the
    file is there when the tail is made, and at its beginning when it appears later.
    """

    def __init__(
        self,
        path: Path,
        *,
        start: Literal["end", "beginning"],
        position: bytes | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        saved = Position(fresh=True) if position is None else decode(position)
        self.problem = ""
        """Why the file cannot be read; empty when all is well."""
        self.lost_bytes = 0
        self.rotations = 0
        self._path = path
        self._start = start
        self._clock = clock
        self._fresh = saved.fresh
        self._settled = False
        self._away = False  # nothing has had the name for a while
        self._since = saved.since
        self._known = list(saved.files)
        self._old: list[LineFile] = []
        self._current: LineFile | None = None
        self._buffer = bytearray(BLOCK)
        self.look()

    @property
    def position(self) -> bytes:
        """Where the tail stands: behind everything that `next` returned."""
        read = [known for file in self._files() if (known := file.known())]
        return encode(Position(fresh=self._fresh, since=self._since, files=(*self._known, *read)))

    @property
    def lag(self) -> Lag:
        """How far behind the tail is."""
        current = self._current
        old = sum(max(0, file.size - file.offset) for file in self._old)
        return Lag(old, (current.device, current.inode, current.offset) if current else None)

    @property
    def descriptors(self) -> Mapping[tuple[int, int], int]:
        """The open files by device and inode."""
        return {_inode(file): file.descriptor for file in self._files()}

    def look(self) -> None:
        """See which file has the name now. Call it before a run of `next`."""
        self.problem = ""
        try:
            if not self._settled:
                self._settle()
            elif len(self._old) < MOST_OPEN:
                self._look_at_path()
        except OSError as error:
            self._report(error)

    def next(self) -> Block | Reject | None:
        """Return the next lines, of rotated files first; None where there are none now."""
        for file in list(self._files()):
            try:
                found = self._read(file)
            except OSError as error:
                self._report(error)
                continue
            if found is not None:
                return found
        return self._leave()

    def close(self) -> None:
        """Let go of all files."""
        for file in self._files():
            file.close()
        self._old, self._current = [], None

    def _files(self) -> Iterator[LineFile]:
        yield from self._old
        if self._current:
            yield self._current

    def _read(self, file: LineFile) -> Block | Reject | None:
        if not file.knows_head():
            return None
        if not file.identity:  # it was empty so far: whole lives may have gone by since
            self._name(file)
            self._old += self._unread(self._siblings())
            return Block(self._buffer, 0, b"", 0)
        found = file.read(self._buffer)
        if isinstance(found, Truncated):
            self._begin_new_life(file)
            return Block(self._buffer, 0, b"", 0)
        if file is self._current:
            self._since = max(self._since, file.modified)
        return found

    def _name(self, file: LineFile) -> None:
        known = None if file.identity else file.known()
        if known:
            taken = {other.identity for other in self._known} | {other.identity for other in self._files()}
            file.identity = identity_of(known.device, known.inode, known.head, taken)

    # Which file has the name.

    def _look_at_path(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError as error:
            self._away = True
            self._report(error)
            return
        before = self._current
        if before and before.is_at(status) and not self._away:
            return
        self._current = self._take()
        self._away = False
        if before and before is not self._current:
            self._old.append(before)
            self.rotations += 1
        self._old += self._unread(self._siblings())

    def _take(self) -> LineFile:
        """Return the file that has the name: one that is open already, one that is known, or a new one."""
        file = open_line_file(self._path, self._clock)
        for other in self._files():
            if _inode(other) == _inode(file):
                file.close()
                self._old = [old for old in self._old if old is not other]
                return other
        self._resume(file)
        return file

    def _resume(self, file: LineFile) -> None:
        same = [known for known in self._known if _is_same(known, file)]
        if same:
            self._go_on(file, same[-1])

    def _go_on(self, file: LineFile, known: Known) -> None:
        """Continue a known file.

        One that is shorter now lost its end in a power cut. It keeps its identity, by which its records
        are recognised when they come again.
        """
        self._known.remove(known)
        file.identity = known.identity
        if file.size >= known.offset:
            file.offset = known.offset
        else:
            self.rotations += 1

    # The first look: where were we, and what happened since?

    def _settle(self) -> None:
        try:
            self._current = self._current or self._take()
        except FileNotFoundError as error:
            self._report(error)
        if self._fresh:
            self._begin(self._siblings())
        elif self._path.parent.is_dir():
            self._find_again(self._siblings())
        else:
            return
        self._fresh, self._settled = False, True

    def _siblings(self) -> Sequence[Sibling]:
        """Return the siblings; none where the folder is missing or may be passed through but not listed."""
        try:
            return siblings(self._path)
        except OSError:
            return ()

    def _begin(self, beside: Sequence[Sibling]) -> None:
        """Take note of what is older than us, so that it is never taken for a rotation that we missed."""
        self._since = time.time_ns() - _CLOCK_SLACK
        if self._current:
            self._since = min(self._since, self._current.modified)
            if self._start == "end":
                self._current.go_to_end()
        for sibling in beside:
            if sibling.modified >= self._since and not self._is_open(sibling):
                with_head = _open_sibling(sibling, self._clock)
                if with_head:
                    with_head.offset = with_head.size
                    self._name(with_head)
                    self._remember(with_head)

    def _find_again(self, beside: Sequence[Sibling]) -> None:
        """Open what was being read when we stopped, under whatever name it has now."""
        for known in [known for known in self._known if not known.left]:
            itself = [sibling for sibling in beside if _inode(sibling) == _inode(known)]
            longer = [sibling for sibling in beside if sibling.size > known.offset]
            file = self._find(known, itself)
            current = self._current
            if not file and current and not current.identity and current.head == known.head:
                self._go_on(current, known)  # the same lines in another inode: moved, or restored
                continue
            self._known.remove(known)
            self._replace(known, file or self._find(known, longer))
        self._old += self._unread(beside)

    def _find(self, known: Known, among: Sequence[Sibling]) -> LineFile | None:
        """Open the first of some siblings that has a known file's first line and all that was read of it."""
        for sibling in among:
            file = None if self._is_open(sibling) else _open_sibling(sibling, self._clock)
            if file and file.head == known.head and file.size >= known.offset:
                file.identity, file.offset = known.identity, known.offset
                return file
            if file:
                file.close()
        return None

    def _replace(self, known: Known, file: LineFile | None) -> None:
        """Go on with a known file in another one; without one, what is known of the rest is lost.

        Reading compressed copies belongs between the two.
        """
        if file:
            self._old.append(file)
            return
        self.lost_bytes += max(0, known.size - known.offset)
        self._known.append(msgspec.structs.replace(known, left=True))
        self._forget()

    def _unread(self, beside: Sequence[Sibling]) -> list[LineFile]:
        """Return rotated files with lines that came while nobody looked, the oldest first."""
        sizes = {_inode(known): known.size for known in self._known}
        unread: list[LineFile] = []
        for sibling in beside:
            grew = sibling.size > sizes.get(_inode(sibling), sibling.size)
            missed = sibling.rotated and sibling.modified >= self._since
            if (grew or missed) and not self._is_open(sibling):
                file = _open_sibling(sibling, self._clock)
                if file and self._has_unread(file, unread):
                    unread.append(file)
                elif file:
                    file.close()
        for file in unread:
            self._name(file)
        return unread[::-1]

    def _has_unread(self, file: LineFile, unread: Sequence[LineFile]) -> bool:
        """Return whether a rotated file is to be read: from its beginning, or on from where it was left."""
        if file.head is None or file.head in {other.head for other in unread}:
            return False  # there is no line in it, or it has two names, as Wazuh's files have
        left = [known for known in self._known if _is_same(known, file) and known.size < file.size]
        if not left and self._knows(file.head):
            return False
        if len(self._old) + len(unread) >= MOST_OPEN:
            self.lost_bytes += file.size
            return False
        if left:
            self._go_on(file, left[-1])
        return True

    def _is_open(self, sibling: Sibling) -> bool:
        return _inode(sibling) in self.descriptors

    def _knows(self, head: bytes) -> bool:
        return head in {known.head for known in self._known} | {file.head for file in self._files()}

    # The end of a file's life.

    def _begin_new_life(self, file: LineFile) -> None:
        """Look for what was not read of a file that was cut, then begin with it anew."""
        self.rotations += 1
        known = file.known()
        if known:
            beside = self._siblings()
            self._replace(known, self._find(known, [other for other in beside if other.size > known.offset]))
            self._old += self._unread(beside)
        file.restart()

    def _leave(self) -> Block | Reject | None:
        """Leave rotated files that have been quiet, once the new one is in use; return a last line."""
        if not self._current or not self._current.size:
            return None
        for file in [file for file in self._old if self._is_quiet(file)]:
            self._old.remove(file)
            rest = self._rest(file)
            self._remember(file)
            if rest is not None:
                return rest
        return None

    def _is_quiet(self, file: LineFile) -> bool:
        crowded = len(self._old) >= MOST_OPEN and file is self._old[0]
        return crowded or self._clock() - file.grew >= GRACE

    def _rest(self, file: LineFile) -> Block | Reject | None:
        try:
            file.identity = file.identity or identity_of(file.device, file.inode, b"")
            return file.rest()
        except OSError as error:
            self._report(error)
            self.lost_bytes += max(0, file.size - file.offset)
            return None

    def _remember(self, file: LineFile) -> None:
        known = file.known(left=True)
        file.close()
        if known:
            self._known.append(known)
        self._forget()

    def _forget(self) -> None:
        """Keep the list of files that were left short."""
        surplus = [known for known in self._known if known.left][:-MOST_LEFT]
        self._known = [known for known in self._known if known not in surplus]

    def _report(self, error: OSError) -> None:
        self.problem = f"{error.strerror or error}: {self._path}{_MEND.get(error.errno or 0, '')}"


_MEND = {
    errno.ENOENT: " (nothing has written it yet, or `path` is wrong)",
    errno.ENOTDIR: " (correct `path`)",
    errno.EACCES: " (give Artemis's user the right to read it, by the group that owns it)",
    errno.EPERM: " (give Artemis's user the right to read it, by the group that owns it)",
    errno.EINVAL: " (`path` must name a log file)",
    errno.EMFILE: " (raise the limit of open files)",
    errno.ENFILE: " (raise the machine's limit of open files)",
    errno.EIO: " (look after the disk)",
}


def _is_same(known: Known, file: LineFile) -> bool:
    return (_inode(known), known.head) == (_inode(file), file.head)


def _inode(file: LineFile | Known | Sibling) -> tuple[int, int]:
    return file.device, file.inode


def _open_sibling(sibling: Sibling, clock: Callable[[], float]) -> LineFile | None:
    try:
        return open_line_file(sibling.path, clock)
    except OSError:  # rotation goes on while we look, and not every file beside ours is ours to read
        return None
