"""What is this compressed file? Its first line may be that of files we know; then more has to be unpacked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from artemis_agent.archive import Archive
from artemis_agent.file_identity import Known
from artemis_agent.line_file import LineFile

GRACE = 10.0  # seconds of quiet; after HUP, Suricata writes to the old file until its next event


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that an archive may be of: one that is remembered, or one that is open."""

    known: Known
    open: bool = False
    plain: LineFile | None = None
    """The open file itself, if it is not compressed: it is compared at the end of what both hold."""


class Doubt:
    """One archive that is being compared with what is known. A step unpacks about a megabyte."""

    def __init__(self, archive: Archive, *, missed: bool, clock: Callable[[], float]) -> None:
        self.archive = archive
        self.missed = missed
        """Whether it is to be read from its beginning if it is none of the known files."""
        self.match: Candidate | None = None
        """What it is."""
        self.short: list[Known] = []
        """Remembered files of which it may be the beginning: it ends before where they were read to."""
        self.has_more = False
        """Whether more is in it than the remembered file had when that was left."""
        self.void = False
        """Whether a file that it was compared with changed meanwhile: nothing is known of it then."""
        self._untried: list[Candidate] | None = None
        self._moved = 0.0  # when more of it was unpacked
        self._clock = clock

    @property
    def candidates(self) -> Sequence[Known]:
        """The files that it may be."""
        left = [*(self._untried or ()), *([self.match] if self.match else [])]
        return [candidate.known for candidate in left]

    @property
    def is_urgent(self) -> bool:
        """Whether the rest of a file may be in it that was not read to its end."""
        return any(not known.left for known in self.candidates)

    def step(self, with_head: Callable[[bytes], Sequence[Candidate]]) -> bool:
        """Compare on; return whether it is settled what the file is, or that nobody will tell."""
        before = self.archive.offset
        try:
            settled = self._compare(with_head)
        except OSError:  # the disk does not give it now
            settled = False
        if self.archive.offset != before:
            self._moved = self._clock()
        return settled or self._clock() - max(self.archive.grew, self._moved) >= GRACE

    def _compare(self, with_head: Callable[[bytes], Sequence[Candidate]]) -> bool:
        archive = self.archive
        if self._untried is None:
            if not archive.knows_head():
                return archive.ended
            self._untried = sorted(with_head(archive.head or b""), key=lambda each: each.known.offset)
        while self._untried and not self.void:
            candidate = self._untried[0]
            held = archive.holds(candidate.known)
            if held is None:
                return False
            self._untried.pop(0)
            if candidate.plain:
                held = self._is_like(candidate.plain)
            if held:
                self.match = candidate
            elif archive.offset < candidate.known.offset and not candidate.open:
                self.short.append(candidate.known)
        return self.void or self._look_behind()

    def _is_like(self, plain: LineFile) -> bool:
        """Compare what is before the place to which was unpacked; all of it, where the archive is shorter."""
        self.void = plain.head != self.archive.head or plain.is_another()
        return plain.before(self.archive.offset) == self.archive.trail

    def _look_behind(self) -> bool:
        known = self.match.known if self.match and not self.match.open else None
        if not known or not known.left:
            return True
        end = msgspec.structs.replace(known, offset=max(known.offset, known.size))
        if self.archive.holds(end) is None:
            return False
        more = self.archive.offset == end.offset and self.archive.has_more()
        self.has_more = bool(more)
        return more is not None
