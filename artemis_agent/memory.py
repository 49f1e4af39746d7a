"""What a tail knows of files that it does not have open, what it lost, and how that is saved."""

from collections.abc import Iterable, Sequence

import msgspec

from artemis_agent.file_identity import MOST_LEFT, Known, Position, decode, encode, identity_of
from artemis_agent.source import Gap

MOST_SEEN = 1024  # rotated files that are remembered as having nothing to read


class Memory:
    """The state of a tail beside its open files. A known file that was not left is wanted: it has a rest."""

    def __init__(self, position: bytes | None) -> None:
        saved = Position(fresh=True) if position is None else decode(position)
        self.fresh = saved.fresh
        self.since = saved.since
        self.known = list(saved.files)
        self.seen = set(saved.seen)
        self.target = saved.target
        self.former = saved.former
        self.lost_bytes = 0
        self._gaps: list[Gap] = []

    def position(self, read: Iterable[Known]) -> bytes:
        """Return what is to be saved, with the files that are being read."""
        return encode(
            Position(
                fresh=self.fresh,
                since=self.since,
                files=(*self.known, *read),
                seen=tuple(self.seen),
                target=self.target,
                former=self.former,
            )
        )

    @property
    def wanted(self) -> Sequence[Known]:
        """The files of which the rest is looked for."""
        return [known for known in self.known if not known.left]

    def with_head(self, head: bytes) -> Sequence[Known]:
        """Return the files that begin so, the one that was read furthest first."""
        same = [known for known in self.known if known.head == head]
        return sorted(same, key=lambda known: known.offset, reverse=True)

    def take(self, known: Known) -> None:
        """Forget a file, because it is being read now."""
        self.known.remove(known)

    def leave(self, known: Known) -> None:
        """Remember a file as one that was read to its end."""
        self.known.append(msgspec.structs.replace(known, left=True))
        surplus = [each for each in self.known if each.left][:-MOST_LEFT]
        self.known = [each for each in self.known if each not in surplus]

    def give_up(self, known: Known, reason: str) -> None:
        """Lose what was not read of a wanted file. Should it be found one day, it is read all the same."""
        self.take(known)
        self.lose_rest(known, reason)
        self.leave(msgspec.structs.replace(known, size=known.offset))

    def lose_rest(self, known: Known, reason: str) -> None:
        """Take note that the rest of a file cannot be had, as much as is known to have been there."""
        rest = known.size - known.offset
        self.lose(known.identity, known.offset, rest if rest > 0 else None, reason)

    def lose(self, file: bytes, offset: int, size: int | None, reason: str) -> None:
        """Take note of lines that cannot be had."""
        self.lost_bytes += size or 0
        self._gaps.append(Gap(file, offset, size, reason))

    def take_gaps(self) -> Sequence[Gap]:
        """Return what was lost since the last call."""
        gaps, self._gaps = self._gaps, []
        return gaps

    def name(self, known: Known, taken: Iterable[bytes]) -> bytes:
        """Return an identity for a file that has none, other than those that are taken."""
        return identity_of(known.head, {*taken, *(each.identity for each in self.known)})
