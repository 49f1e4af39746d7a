"""A compressed log file as blocks of whole lines, at the offsets that they had before it was compressed.

It is read from its beginning to its end in memory of a few blocks; what was read of the plain file is
passed over. One that is still being written is read as it grows. One that is damaged is tried once more
from its beginning; after that, what was read of it is all that can be had.
"""

import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from artemis_agent.file_identity import HEAD, TRAIL, Known, hash_of, head_of, trail_hash
from artemis_agent.line_file import LONGEST, SAMPLE, Block, last_line, open_regular, too_long
from artemis_agent.source import Reject

RETRY = 5.0  # seconds after which one that could not be unpacked is tried again
_CHUNK = 64 * 1024  # bytes that are read at a time; they may become a thousand times as many
_STEPS = 16  # chunks that are passed over in one go
_MAGIC = b"\x1f\x8b"
_GZIP = 31  # zlib's name for the format, with its checksum


class Archive:
    """An open .gz file. Of a line that has not ended it keeps what it unpacked, up to LONGEST."""

    def __init__(self, descriptor: int, clock: Callable[[], float] = time.monotonic) -> None:
        status = os.fstat(descriptor)
        self.descriptor = descriptor
        self.device = status.st_dev
        self.inode = status.st_ino
        self.size = status.st_size
        self.modified = status.st_mtime_ns
        self.grew = clock()
        self.identity = b""
        self.expected = 0  # how large the plain file is known to have been
        self.damage = ""
        """Why it cannot be unpacked; empty where nothing is wrong with it so far."""
        self.began = 0
        """Where reading began. If it is damaged, what was read from there on may be wrong: a wrong byte is
        noticed by the checksum at the end, if not before."""
        self._clock = clock
        self._failed = 0.0  # when it was found to be damaged
        self.offset = 0
        self._trail = b""  # the bytes before `offset`
        self._held = bytearray()  # what was unpacked and not given
        self._searched = 0  # how much of it was searched for the end of a line
        self._dropped = 0  # how much of a line that is too long is not held any more
        self._tried_again = False
        self._head: bytes | None = None
        self._target = 0  # the offset at which reading is to begin
        self._rewind()
        self.knows_head()

    @property
    def head(self) -> bytes | None:
        """Hash of the first line; None until it can be unpacked."""
        return None if self._head is None else hash_of(self._head)

    @property
    def ended(self) -> bool:
        """Whether all of it was unpacked, and its checksum is right."""
        return self._inflater.ended

    @property
    def trail(self) -> bytes:
        """The bytes before `offset`, TRAIL of them if there are so many."""
        return self._trail

    @property
    def remaining(self) -> int:
        """How many bytes are to be read, compressed as they are."""
        return max(0, self.size - self._inflater.taken)

    def knows_head(self) -> bool:
        """Look for the first line, if need be, and return whether it is there."""
        self._try_again()
        if self._head is None:
            self._rewind()
            beginning = b""
            while len(beginning) < HEAD and (more := self._unpack(HEAD - len(beginning))):
                beginning += more
            self._head = head_of(beginning)
            if not self.ended or self._head:
                self._rewind()
            else:  # there is no whole line in it
                self._held += beginning
        return self._head is not None

    def known(self, *, left: bool = False) -> Known | None:
        """Return the file as it is remembered; None while it has no first line to know it by."""
        if self._head is None:
            return None
        return Known(
            device=self.device,
            inode=self.inode,
            head=hash_of(self._head),
            identity=self.identity,
            offset=max(self.offset, self._target),
            size=max(self.offset, self._target, self.expected),
            left=left,
            trail=self._target_trail or trail_hash(self._trail),
        )

    def go_on(self, known: Known) -> None:
        """Stand where the reading of a known file ended, and be that file."""
        self.identity, self.expected = known.identity, known.size
        self.go_to(known.offset)
        if self.offset < known.offset:
            self._target_trail = known.trail

    def go_to(self, offset: int) -> None:
        """Have reading begin at an offset."""
        if self.offset > offset or (self._held and self.offset != offset):
            self._rewind()
        self._target, self._target_trail = offset, b""
        self.began = offset

    def holds(self, known: Known) -> bool | None:
        """Pass over some of what was read of a known file; return whether it is in this one.

        None where that is not known yet: call it again. False, too, where this file ends before.
        """
        self._try_again()
        if self._target != known.offset:
            self.go_to(known.offset)
        if self.offset < known.offset and (self._pass_over() or not self.ended):
            return None
        return self.offset == known.offset and trail_hash(self._trail) == known.trail

    def has_more(self) -> bool | None:
        """Return whether there is more behind where reading stands; None where that is not known yet."""
        if not self._held:
            self._held += self._unpack(_CHUNK)
        if self._held:
            return True
        return False if self.ended else None

    def read(self, buffer: bytearray) -> Block | Reject | None:
        """Return the next whole lines, about as much as the buffer would hold; None where there are none.

        They are in memory of their own. OSError where the disk says so.
        """
        self._try_again()
        if self.offset < self._target:
            went_on = self._pass_over()
            self._check_target()
            return Block(buffer, 0, b"", 0) if went_on else None
        if len(self._held) == self._searched:
            self._held += self._unpack(len(buffer))
            if len(self._held) == self._searched:
                return None
        self._drop_nuls()
        end = self._held.find(b"\n", self._searched) + 1
        if end and end + self._dropped > LONGEST + 1:
            return self._refuse(end)
        if end:
            return self._block(self._held[: self._held.rfind(b"\n") + 1])
        self._wait_for_end()
        return Block(buffer, 0, b"", 0)

    def rest(self) -> Block | Reject | None:
        """Return what the file ends with that has no line feed; None where that is nothing, or no end."""
        if not self.ended or self.offset < self._target:
            return None
        size = len(self._held) + self._dropped
        found = last_line(self._held[:], size, self.identity, self.offset)
        return self._block(self._held[:]) if isinstance(found, Block) else found

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.descriptor)

    def _block(self, data: bytearray) -> Block:
        block = Block(data, len(data), self.identity, self.offset)
        self._advance(len(data))
        return block

    def _refuse(self, end: int) -> Reject:
        size = end - 1 + self._dropped
        refused = too_long(bytes(self._held[:SAMPLE]), size, self.identity, self.offset)
        self.offset += self._dropped
        self._advance(end)
        return refused

    def _wait_for_end(self) -> None:
        """Remember how far a line was searched; one that is too long already needs its edges only."""
        if len(self._held) > LONGEST:
            self._dropped += len(self._held) - SAMPLE - TRAIL
            del self._held[SAMPLE:-TRAIL]
        self._searched = len(self._held)

    def _drop_nuls(self) -> None:
        """Pass over NUL bytes where a line would begin, as the reader of a plain file does."""
        if self._held[:1] == b"\x00":
            self._advance(len(self._held) - len(self._held.lstrip(b"\x00")))

    def _advance(self, size: int) -> None:
        """Let go of what is held up to `size`."""
        self.offset += size
        self._trail = (self._trail + self._held[max(0, size - TRAIL) : size])[-TRAIL:]
        del self._held[:size]
        self._searched = self._dropped = 0

    def _pass_over(self) -> bool:
        """Unpack what is not wanted; return whether there was any."""
        for step in range(_STEPS):
            more = self._unpack(min(_CHUNK, self._target - self.offset))
            if not more:
                return step > 0
            self._held += more
            self._advance(len(more))
        return True

    def _check_target(self) -> None:
        """Begin anew where what was read before is not what is here: it was damaged then.

        The records that come again are known by their file and offset.
        """
        wanted = self._target_trail
        if self.offset == self._target and wanted and trail_hash(self._trail) != wanted:
            self.go_to(0)

    def _rewind(self) -> None:
        self._inflater = _Inflater(self.descriptor)
        self._held = bytearray()
        self._trail = self._target_trail = b""
        self.offset = self._searched = self._dropped = 0

    def _unpack(self, most: int) -> bytes:
        """Return up to `most` bytes more; none where there are no more now, or where it is damaged."""
        if self.damage or most <= 0:
            return b""
        try:
            more = self._inflater.more(most)
        except zlib.error as error:
            self.damage, self._failed = str(error), self._clock()
            self.grew = self._failed  # so that it is tried again before it is left
            return b""
        if not more and not self.ended:
            self.note_growth()
        return more

    def _try_again(self) -> None:
        """Begin again with a damaged file that has changed, or once after a while."""
        late = not self._tried_again and self._clock() - self._failed >= RETRY
        if not self.damage or not (self.note_growth() or late):
            return
        self._tried_again = self._tried_again or late
        target, trail = max(self.offset, self._target), self._target_trail or trail_hash(self._trail)
        self._rewind()
        self.damage, self._target, self._target_trail = "", target, trail

    def note_growth(self) -> bool:
        """Look at the file; return whether it changed."""
        status = os.fstat(self.descriptor)
        changed = (status.st_size, status.st_mtime_ns) != (self.size, self.modified)
        self.size, self.modified = status.st_size, status.st_mtime_ns
        if changed:
            self.grew = self._clock()
        return changed


class _Inflater:
    """The content of a .gz file from its beginning, however many streams it is made of."""

    def __init__(self, descriptor: int) -> None:
        self.ended = False
        self.taken = 0  # bytes that were read of the file
        self._descriptor = descriptor
        self._waiting = b""  # read and not yet unpacked
        self._begun = False
        self._stream: zlib._Decompress | None = None

    def more(self, most: int) -> bytes:
        """Return up to `most` bytes more; none where the file has no more now. zlib.error on damage."""
        while not self.ended and (self._stream or self._begin_stream()):
            grown = bool(self._waiting) or self._fetch()
            stream = self._stream
            found = stream.decompress(self._waiting, most) if stream else b""
            self._waiting = stream.unconsumed_tail if stream else b""
            if stream and stream.eof:
                self._waiting, self._stream = stream.unused_data, None
                grown = True
            if found or not grown:
                return found
        return b""

    def _begin_stream(self) -> bool:
        if self._begun:
            self._waiting = self._waiting.lstrip(b"\x00")  # what pads it, on tapes
        while len(self._waiting) < len(_MAGIC) and self._fetch():
            pass
        if self._waiting.startswith(_MAGIC):
            self._begun, self._stream = True, zlib.decompressobj(_GZIP)
        elif self._begun:
            self.ended = True  # what follows the last stream is no part of it
        elif len(self._waiting) >= len(_MAGIC):
            raise zlib.error("it is not a .gz file")
        return self._stream is not None

    def _fetch(self) -> bool:
        more = os.pread(self._descriptor, _CHUNK, self.taken)
        self.taken += len(more)
        self._waiting += more
        return bool(more)


def open_archive(path: Path, clock: Callable[[], float] = time.monotonic) -> Archive:
    """Open a compressed file for reading; raise OSError where it cannot be, or is no regular file."""
    descriptor = open_regular(path)
    try:
        return Archive(descriptor, clock)
    except BaseException:
        os.close(descriptor)
        raise
