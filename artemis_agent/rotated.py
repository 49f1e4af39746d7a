"""Rotated files, and which of them hold lines that nobody has read.

A file that was read is known by its first line and by what stands before the place that it was read to:
under any name, as a copy, compressed. One that is not known, and was changed since the tail last read its
current file, was rotated while nobody looked. What cannot be opened now is tried again; until then the tail
keeps the time from which on files count as missed.
"""

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from artemis_agent.archive import Archive, open_archive
from artemis_agent.doubt import GRACE, Candidate, Doubt
from artemis_agent.file_identity import identity_of_unread
from artemis_agent.line_file import LineFile, open_line_file
from artemis_agent.memory import MOST_SEEN, Memory
from artemis_agent.siblings import Sibling, fingerprint, siblings

Lines: TypeAlias = LineFile | Archive

MOST_OPEN = 64  # files at a time; four times what logrotate keeps
RETRY = 1.0  # seconds between two looks while something is owed
RESCAN = 10.0  # seconds between two looks otherwise: a file that was left may be written on
_UNREADABLE = "which Artemis cannot read: let logrotate use gzip"


class Rotated:
    """The rotated files of one path. The memory is shared with the tail."""

    def __init__(self, path: Path, memory: Memory, clock: Callable[[], float]) -> None:
        self.problem: OSError | None = None
        """Why a file that is to be read cannot be opened."""
        self.owed = True
        """Whether there may be lines in files that are not open yet."""
        self._path = path
        self._memory = memory
        self._clock = clock
        self._due = 0.0
        self._until: dict[bytes, float] = {}  # when to stop looking for the rest of a file
        self._short: set[bytes] = set()  # files of which a copy was found that ends before what we read
        self._doubts: list[Doubt] = []
        self._unopened: dict[tuple[int, int], Sibling] = {}
        self._listed: set[int] = set()

    @property
    def is_due(self) -> bool:
        """Whether it is time to look."""
        return self._clock() >= self._due

    @property
    def remaining(self) -> int:
        """How many bytes may have to be read in files of which that is not settled."""
        return sum(doubt.archive.remaining for doubt in self._doubts if doubt.missed)

    def find(self, open_files: Sequence[Lines]) -> list[Lines]:
        """Return the files that are to be read from now on, the oldest first. OSError says: not now."""
        self._due, self.owed = self._clock() + RETRY, True
        for file in open_files:
            file.knows_head()  # what is found of it elsewhere is known by that
            if isinstance(file, LineFile) and file.is_another():
                return []  # it was cut, and is read next: what is found now may belong to its new life
        inodes = {known.inode for known in self._memory.wanted}
        beside = siblings(self._path, inodes=inodes, target=self._memory.target, former=self._memory.former)
        missing, self._unopened, self.problem = self._unopened, {}, None
        found: list[Lines] = []
        oldest_first = beside[::-1]
        for sibling in sorted(oldest_first, key=_turn(beside, inodes)):
            files = [*open_files, *found]
            passed = sibling.is_foreign or self._is_settled(sibling, files)
            examined = None if passed else self._examine(sibling, files)
            found += [examined] if examined else []
        self._tell_foreign(beside, [*open_files, *found])
        self._settle_wanted([sibling for sibling in beside if sibling.is_foreign])
        self._miss(missing.values(), beside)
        self._forget(beside, full=len(open_files) + len(found) > MOST_OPEN)
        return found

    def weigh(self, open_files: Sequence[Lines], *, urgent: bool) -> tuple[bool, list[Lines]]:
        """Find out more about archives; return whether that went on, and files to be read."""
        moved = False
        found: list[Lines] = []
        for doubt in [doubt for doubt in self._doubts if doubt.is_urgent == urgent]:
            before = doubt.archive.offset
            if doubt.step(lambda head: self._with_head(head, open_files)):
                self._due = self._clock()  # what is owed may be less now
                self._doubts.remove(doubt)
                found += self._conclude(doubt, open_files)
            moved = moved or doubt.archive.offset != before
        return moved or bool(found), found

    def may_be_in_archive(self, identity: bytes) -> bool:
        """Return whether the rest of a file may be in an archive of which that is not settled."""
        return any(known.identity == identity for doubt in self._doubts for known in doubt.candidates)

    def leave(self, file: Lines) -> None:
        """Remember a file that was read to its end, and let go of it."""
        known = file.known(left=True)
        if known:
            self._memory.leave(known)
        self._let_go(file)

    def close(self) -> None:
        """Let go of all files."""
        for doubt in self._doubts:
            doubt.archive.close()
        self._doubts = []

    # One file.

    def _is_settled(self, sibling: Sibling, files: Iterable[Lines]) -> bool:
        """Return whether a file need not be opened to know that there is nothing to read in it."""
        memory, inode = self._memory, (sibling.device, sibling.inode)
        if inode in {(file.device, file.inode) for file in (*files, *self._archives())}:
            return True
        if memory.wanted or self._is_missed(sibling):
            return False
        grew = any(
            (known.device, known.inode) == inode and sibling.size > known.size for known in memory.known
        )
        if grew and sibling.fingerprint not in memory.seen:
            return False
        memory.seen.add(sibling.fingerprint)
        return True

    def _is_missed(self, sibling: Sibling) -> bool:
        is_new = sibling.modified >= self._memory.since and sibling.fingerprint not in self._memory.seen
        return sibling.rotated and is_new

    def _examine(self, sibling: Sibling, files: Sequence[Lines]) -> Lines | None:
        missed = self._is_missed(sibling)
        if len(files) + len(self._doubts) >= MOST_OPEN:
            if not _is_packed(sibling, files):
                self._unopened[sibling.device, sibling.inode] = sibling
            return None
        try:
            opened = (open_archive if sibling.is_compressed else open_line_file)(sibling.path, self._clock)
        except OSError as error:
            # Not every file beside ours is ours to read, and rotation goes on while we look.
            if missed or sibling.inode in {known.inode for known in self._memory.wanted}:
                self._unopened[sibling.device, sibling.inode] = sibling
                self.problem = None if isinstance(error, FileNotFoundError) else error
            return None
        if isinstance(opened, LineFile):
            try:
                return self._judge(opened, sibling, files)
            except OSError as error:  # the disk does not give it
                opened.close()
                self._unopened[sibling.device, sibling.inode] = sibling
                self.problem = error
                return None
        doubt = Doubt(opened, missed=missed, clock=self._clock)
        if doubt.step(lambda head: self._with_head(head, files)):
            return next(iter(self._conclude(doubt, files)), None)
        self._doubts.append(doubt)
        return None

    def _judge(self, file: LineFile, sibling: Sibling, files: Sequence[Lines]) -> Lines | None:
        """Return a plain file if it is to be read, standing where it is to be read from."""
        same = self._memory.with_head(file.head) if file.head else ()
        known = next((known for known in same if file.holds(known)), None)
        alike = [other for other in files if file.head is not None and file.head == other.head]
        twin = next((other for other in alike if _is_same(file, other)), None)
        if known and (not known.left or (file.size > known.size and not twin)):
            file.go_on(known)
            self._memory.take(known)
            return file
        if twin and twin.size < file.size and isinstance(twin, LineFile):
            self._unopened[file.device, file.inode] = sibling  # it has more: its turn comes
            file.close()
            return None
        if not twin and any(isinstance(other, LineFile) and other.is_another() for other in alike):
            self._unopened[file.device, file.inode] = sibling  # it may be a copy of what was cut just now
            file.close()
            return None
        short = {each.identity for each in same if file.size < each.offset}
        if not twin and not known and not short and file.size and self._is_missed(sibling):
            return self._named(file, files)
        self._short |= short if not (twin or known) else set()
        self._let_go(file)
        return None

    def _conclude(self, doubt: Doubt, files: Sequence[Lines]) -> list[Lines]:
        """Return an archive if it is to be read."""
        archive, found = doubt.archive, doubt.match.known.identity if doubt.match else None
        self._short |= {known.identity for known in doubt.short}
        known = next((each for each in self._memory.known if each.identity == found), None)
        if doubt.void:
            archive.close()
            return []
        if known and (doubt.has_more or not known.left):
            self._memory.take(known)
            archive.go_on(known)
            return [archive]
        if doubt.missed and not doubt.candidates and not doubt.short:
            archive.go_to(0)
            if archive.head or archive.ended:
                return [self._named(archive, files)]
            why = f"a compressed file cannot be read: {archive.damage or 'it has no end'}"
            self._memory.lose(identity_of_unread(archive.device, archive.inode), 0, None, why)
        self._let_go(archive)
        return []

    def _named(self, file: Lines, files: Sequence[Lines]) -> Lines:
        known = file.known()
        if known:
            file.identity = self._memory.name(known, (other.identity for other in files))
        return file

    def _let_go(self, file: Lines) -> None:
        """Close a file; there is nothing to read in it for as long as it stays as it was when we looked."""
        self._memory.seen.add(fingerprint(file.device, file.inode, file.size, file.modified))
        file.close()

    def _archives(self) -> list[Archive]:
        return [doubt.archive for doubt in self._doubts]

    def _with_head(self, head: bytes, files: Sequence[Lines]) -> list[Candidate]:
        """Return what begins so, of what is remembered and of what is open."""
        found = [Candidate(known) for known in self._memory.with_head(head)]
        for file in files:
            known = file.known(left=True) if file.head == head else None
            if known and isinstance(file, LineFile):
                found.append(
                    Candidate(msgspec.structs.replace(known, offset=file.size), open=True, plain=file)
                )
            elif known and known.offset:
                found.append(Candidate(known, open=True))
        return found

    # All of them.

    def _tell_foreign(self, beside: Sequence[Sibling], files: Sequence[Lines]) -> None:
        """Tell of compressed files that may hold lines nobody has read, and cannot be read here.

        They are made of a plain file, which goes when they are whole, and keep its time.
        """
        plain = {sibling.path for sibling in beside}
        for sibling in beside:
            whole = sibling.is_foreign and sibling.path.with_suffix("") not in plain
            if whole and self._is_missed(sibling):
                self._memory.seen.add(sibling.fingerprint)
                if not _is_packed(sibling, files):
                    identity = identity_of_unread(sibling.device, sibling.inode)
                    self._memory.lose(identity, 0, None, f"it may be in {sibling.path.name}, {_UNREADABLE}")

    def _settle_wanted(self, foreign: Sequence[Sibling]) -> None:
        """Give up the rest of files that was not found for a while; or at once, where a copy lacks it."""
        gone = "the file was cut or deleted, and no copy of it was found"
        why = f"{gone}, unless it is in {foreign[0].path.name}, {_UNREADABLE}" if foreign else gone
        now, memory = self._clock(), self._memory
        for known in [each for each in memory.wanted if not self.may_be_in_archive(each.identity)]:
            until = self._until.setdefault(known.identity, now + GRACE)
            if known.identity in self._short and known.size <= known.offset:
                memory.take(known)
                memory.leave(known)
            elif known.identity in self._short:
                memory.give_up(known, "written after the file was copied and before it was cut")
            elif now >= until and not self._unopened:
                memory.give_up(known, why)
        self._short &= {known.identity for known in memory.wanted}
        self._until = {each.identity: self._until.get(each.identity, now + GRACE) for each in memory.wanted}

    def _miss(self, missing: Iterable[Sibling], beside: Sequence[Sibling]) -> None:
        """Take note of files that could not be opened and are gone now, and not only compressed.

        The inode alone tells nothing: once freed, it is used again. An archive that was not there before
        stands for one plain file, and for nothing that was compressed already.
        """
        made = [each for each in beside if each.is_compressed or each.is_foreign]
        packed = sum(each.fingerprint not in self._listed for each in made)
        same = {each.fingerprint for each in beside}
        sizes = {(each.device, each.inode, each.path): each.size for each in beside}
        gone = [
            each
            for each in missing
            if each.fingerprint not in same
            and sizes.get((each.device, each.inode, each.path), -1) < each.size  # it may have grown
        ]
        for sibling in sorted(gone, key=lambda each: each.modified, reverse=True):
            if packed and not sibling.is_compressed:
                packed -= 1  # it is judged by itself, when its turn comes
                continue
            identity = identity_of_unread(sibling.device, sibling.inode)
            self._memory.lose(identity, 0, sibling.size, "the file was gone before it could be opened")
        self._listed = {sibling.fingerprint for sibling in beside}

    def _forget(self, beside: Sequence[Sibling], *, full: bool) -> None:
        """Forget what is gone; `full` says that no more may be open, not even what has the name by now."""
        self.owed = bool(full or self._unopened or self._doubts or self._memory.wanted)
        there = beside if self.owed else beside[:MOST_SEEN]
        self._memory.seen &= {sibling.fingerprint for sibling in there}
        self._due = self._clock() + (RETRY if self.owed else RESCAN)


def _turn(beside: Sequence[Sibling], inodes: Collection[int]) -> Callable[[Sibling], int]:
    """Return when a file's turn is: first what is gone on with, last a copy that is being compressed."""
    plain = {sibling.path for sibling in beside}
    return lambda each: 0 if each.inode in inodes else 1 + (each.path.with_suffix("") in plain)


def _is_packed(sibling: Sibling, files: Iterable[Lines]) -> bool:
    """Return whether a compressed file is as old as one that is open: gzip and its like keep the time."""
    packed = sibling.is_compressed or sibling.is_foreign
    return packed and any(os.fstat(file.descriptor).st_mtime_ns == sibling.modified for file in files)


def _is_same(file: LineFile, other: Lines) -> bool:
    """Return whether a file holds what an open one with the same first line does, as far as both go."""
    if isinstance(other, LineFile):
        end = min(file.size, other.size)
        return file.before(end) == other.before(end)
    known = other.known()
    return known is not None and (file.size < known.offset or file.holds(known))
