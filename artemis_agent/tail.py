"""Follow a growing file through every kind of rotation, and hand on its lines with their position.

Offsets belong to inodes, not to the name: a renamed file is read on through its open descriptor for as
long as it grows, beside the new one, and a name that goes away and comes back changes nothing. A file
that is cut (copytruncate) begins a new life under a new identity; what was not read of its old one is
taken from the copy that rotation left. What can no longer be had is told as a gap.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from artemis_agent.archive import Archive
from artemis_agent.doubt import GRACE
from artemis_agent.file_identity import identity_of_unread
from artemis_agent.line_file import BLOCK, Block, LineFile, Truncated, open_line_file
from artemis_agent.memory import Memory
from artemis_agent.place import Place, explained
from artemis_agent.rotated import MOST_OPEN, Lines, Rotated
from artemis_agent.siblings import siblings
from artemis_agent.source import Gap, Reject

PATIENCE = 60.0  # seconds for which a rotated file is tried that the disk does not give
FORMER_SECONDS = 3600.0  # for which a file may be written on that a link has left
_MOST_FORMER = 4  # targets of a link that are remembered
_CLOCK_SLACK = 1_000_000_000  # nanoseconds by which a file system's clock may be behind ours
_MOST_NOTED = 16  # rotated files of before our time of which the first line is remembered


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind a tail is, as of its last look."""

    old: int
    """Bytes to be read in rotated files; compressed ones count as they are."""
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
        self.problem = ""
        """Why the file cannot be read; empty when all is well."""
        self.rotations = 0
        self._path = path
        self.place = Place(path, clock)
        """Where the log is now."""
        self._start = start
        self._clock = clock
        self._memory = Memory(position)
        self._rotated = Rotated(path, self._memory, clock)
        self._settled = False
        self._leading: dict[str, float] = {}  # when the path, a link, was seen to lead there
        self._away = False  # nothing has had the name for a while
        self._old: list[Lines] = []
        self._current: LineFile | None = None
        self._failing: dict[int, float] = {}  # since when the disk does not give a file, by descriptor
        self._buffer = bytearray(BLOCK)
        self.look()

    @property
    def position(self) -> bytes:
        """Where the tail stands: behind everything that `next` returned."""
        return self._memory.position(known for file in self._files() if (known := file.known()))

    @property
    def lag(self) -> Lag:
        """How far behind the tail is."""
        current = self._current
        old = sum(file.remaining for file in self._old) + self._rotated.remaining
        return Lag(old, (current.device, current.inode, current.offset) if current else None)

    @property
    def lost_bytes(self) -> int:
        """The sum of the sizes of all gaps."""
        return self._memory.lost_bytes

    @property
    def descriptors(self) -> Mapping[tuple[int, int], int]:
        """The open files by device and inode."""
        return {(file.device, file.inode): file.descriptor for file in self._files()}

    def look(self) -> None:
        """See which file has the name now. Call it before a run of `next`."""
        self.problem = ""
        try:
            if not self._settled:
                self._settle()
            else:
                if len(self._old) < MOST_OPEN or not self._current:
                    self._look_at_path()
                if self._rotated.is_due:
                    self._find_rotated()
        except OSError as error:
            self._report(error)
        if self._rotated.problem and not self.problem:
            self._report(self._rotated.problem)

    def keep_hold(self) -> None:
        """Look in the place of reading: what is open can be read later, whatever becomes of its name."""
        self.look()
        try:
            for file in [each for each in self._files() if isinstance(each, LineFile)]:
                if file.identity and file.is_another():
                    self._begin_new_life(file)
                elif not file.identity and file.knows_head():
                    self._name(file)
                    self._find_rotated()
        except OSError as error:
            self._report(error)

    def next(self) -> Block | Reject | None:
        """Return the next lines, of rotated files first; None where there are none now."""
        if self._weigh(urgent=True):
            return Block(self._buffer, 0, b"", 0)
        for file in list(self._files()):
            try:
                found = self._read(file)
                self._failing.pop(file.descriptor, None)
            except OSError as error:
                self._failing.setdefault(file.descriptor, self._clock())
                self._report(error)
                continue
            if found is not None:
                return found
        if self._weigh(urgent=False):
            return Block(self._buffer, 0, b"", 0)
        return self._leave()

    def take_gaps(self) -> Sequence[Gap]:
        """Return what was lost since the last call; the position stands behind it."""
        return self._memory.take_gaps()

    def close(self) -> None:
        """Let go of all files."""
        for file in self._files():
            file.close()
        self._rotated.close()
        self._old, self._current = [], None

    def _files(self) -> Iterator[Lines]:
        yield from self._old
        if self._current:
            yield self._current

    def _read(self, file: Lines) -> Block | Reject | None:
        if not file.knows_head():
            return None
        if isinstance(file, Archive):
            return file.read(self._buffer)
        if not file.identity:  # it was empty so far: whole lives may have gone by since
            self._name(file)
            self._find_rotated()
            return Block(self._buffer, 0, b"", 0)
        size = file.size
        found = file.read(self._buffer)
        if isinstance(found, Truncated):
            self._begin_new_life(file)
            return Block(self._buffer, 0, b"", 0)
        self._note_cut(file, size)
        if file is self._current and not self._rotated.owed:
            self._memory.since = file.modified
        return found

    def _note_cut(self, file: LineFile, size: int) -> None:
        """Take note if a file is shorter than it was, though not shorter than what was read of it."""
        if file.size < size:
            self._memory.lose(file.identity, file.size, size - file.size, "the file was cut short")

    def _name(self, file: LineFile | None) -> None:
        known = file.known() if file else None
        if file and known and not file.identity:
            file.identity = self._memory.name(known, (other.identity for other in self._files()))

    def _find_rotated(self) -> None:
        self._queue(self._rotated.find(list(self._files())))
        self._note_target()

    def _queue(self, found: Sequence[Lines]) -> None:
        """Take in rotated files. Where the current one was rotated just now, some came after it."""
        current = self._current
        if not found or not current or self.place.leads_to(current.device, current.inode):
            self._old += found
            return
        current.note_growth()
        older = [file for file in found if file.modified <= current.modified]
        self._old += [*older, current, *(file for file in found if file not in older)]
        self._current = None
        self.rotations += 1

    def _note_target(self) -> None:
        """Keep where the path leads to, if it is a link, and for a while where it did before."""
        memory, now = self._memory, self._clock()
        real = str(self._path.resolve())
        here = "" if real == str(self._path.absolute()) else real
        places = [*(place for place in memory.former if place != here), *([here] if here else [])]
        self._leading = {place: self._leading.get(place, now) for place in places} | {here: now}
        recent = [place for place in places if now - self._leading[place] < FORMER_SECONDS]
        memory.former = tuple(recent[-_MOST_FORMER:])
        if not self._rotated.owed:  # else the folder that the path once led to is still of interest
            memory.target = here

    def _weigh(self, *, urgent: bool) -> bool:
        """Find out more about compressed files; return whether there was something to do."""
        try:
            worked, found = self._rotated.weigh(list(self._files()), urgent=urgent)
        except OSError as error:
            self._report(error)
            return False
        self._old = [*found, *self._old]
        return worked

    # Which file has the name.

    def _look_at_path(self) -> None:
        try:
            status = self.place.now().stat()
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
        self._find_rotated()
        self._name(self._current)

    def _take(self) -> LineFile:
        """Return the file that has the name: one that is open already, one that is known, or a new one."""
        file = open_line_file(self.place.now(), self._clock)
        for other in self._files():
            if (other.device, other.inode) == (file.device, file.inode) and isinstance(other, LineFile):
                file.close()
                self._old = [old for old in self._old if old is not other]
                return other
        self._resume(file)
        return file

    def _resume(self, file: LineFile) -> None:
        """Go on with a file that is known: by its inode and content, or by its content in another inode."""
        same = [known for known in self._memory.with_head(file.head or b"") if file.holds(known)]
        same.sort(key=lambda known: (known.device, known.inode) != (file.device, file.inode))
        if same:
            self._memory.take(same[0])
            file.go_on(same[0])
            self._note_cut(file, same[0].size)

    # The first look: where were we, and what happened since?

    def _settle(self) -> None:
        try:
            self._current = self._current or self._take()
        except FileNotFoundError as error:
            self._report(error)
        if self._memory.fresh:
            self._begin()
        elif self._path.parent.is_dir():
            if time.time_ns() < self._memory.since - _CLOCK_SLACK:
                self._memory.since = 0  # the clock was set back: times tell nothing, only what is known
            self._find_rotated()
            self.rotations += self._recognise_shortened(self._current)
        else:
            return
        self._name(self._current)
        self._memory.fresh, self._settled = False, True

    def _begin(self) -> None:
        """Take note of what is older than us, so that it is never taken for a rotation that we missed."""
        since = time.time_ns() - _CLOCK_SLACK
        if self._current:
            since = min(since, self._current.modified)
            if self._start == "end":
                self._current.go_to_end()
        noted = 0
        for sibling in siblings(self._path):
            plain = sibling.rotated and not sibling.is_compressed and not sibling.is_foreign
            old = plain and (sibling.device, sibling.inode)
            if old and old not in self.descriptors and noted < _MOST_NOTED:
                noted += 1
                self._note(sibling.path)
            self._memory.seen.add(sibling.fingerprint)
        self._memory.since = since

    def _note(self, path: Path) -> None:
        """Remember the first line of a rotated file, and where it ends: more of it is new."""
        try:
            file = open_line_file(path, self._clock)
        except OSError:  # rotation goes on while we look, and not every file beside ours is ours to read
            return
        file.go_to_end()
        self._name(file)
        self._rotated.leave(file)

    # The end of a file's life.

    def _begin_new_life(self, file: LineFile) -> None:
        """Look for what was not read of a file that was cut, then begin with it anew."""
        self.rotations += 1
        known = file.known()
        file.restart()
        if known:
            self._memory.known.append(known)
            self._find_rotated()
            self._recognise_shortened(file)

    def _recognise_shortened(self, file: LineFile | None) -> bool:
        """Keep the identity of a file that lost its end, in a power cut or because somebody cut it there.

        It begins as it did, and no copy of what it was is there. Its records are known by it when they come
        again.
        """
        if not file or file.identity or not file.knows_head():
            return False
        inode = (file.device, file.inode)
        for known in self._memory.wanted:
            same = (known.device, known.inode) == inode and file.head == known.head
            if same and not self._rotated.may_be_in_archive(known.identity):
                self._memory.take(known)
                self._memory.lose_rest(known, "the file was cut short, or lost its end in a power cut")
                file.identity = known.identity
                return True
        return False

    def _leave(self) -> Block | Reject | None:
        """Leave rotated files that have been quiet, once the new one is in use; return a last line."""
        for file in list(self._old):
            if self._is_done(file):
                self._old.remove(file)
                rest = self._finish(file)
                if rest is not None:
                    return rest
        return None

    def _is_done(self, file: Lines) -> bool:
        quiet = self._clock() - file.grew >= GRACE
        if isinstance(file, Archive):
            return file.ended or quiet
        if not self._current or not self._current.size:
            return False
        if file.descriptor in self._failing:
            return self._clock() - self._failing[file.descriptor] >= PATIENCE
        crowded = len(self._old) >= MOST_OPEN and file in self._old[: MOST_OPEN // 2]
        return quiet or crowded

    def _finish(self, file: Lines) -> Block | Reject | None:
        file.identity = file.identity or identity_of_unread(file.device, file.inode)
        rest = None
        if file.descriptor in self._failing:
            file.note_growth()  # its size is not known from reading
        try:
            rest = file.rest()
            self._note_missing(file, rest.size if isinstance(rest, Reject) else 0)
        except OSError as error:
            self._report(error)
            size = max(file.expected - file.offset, file.remaining)
            self._memory.lose(
                file.identity, file.offset, size, f"the disk does not give it: {error.strerror}"
            )
        self._failing.pop(file.descriptor, None)
        self._rotated.leave(file)
        return rest

    def _note_missing(self, file: Lines, refused: int) -> None:
        """Take note of what a file has not, that is left now; `refused` bytes of it are told otherwise."""
        end = max(file.offset + refused, file.size if isinstance(file, LineFile) else 0)
        if isinstance(file, Archive) and not file.ended:
            begin = file.began if file.damage else file.offset
            why = f"a compressed file is damaged: {file.damage or 'it has no end'}"
            self._memory.lose(file.identity, begin, max(0, file.expected - end) or None, why)
        elif file.expected > end:
            self._memory.lose(file.identity, end, file.expected - end, "it is not in the copy that is left")

    def _report(self, error: OSError) -> None:
        self.problem = explained(error, self._path)
