"""One open file as blocks of whole lines; sees when it is cut or written anew under our hands."""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from artemis_agent.file_identity import HEAD, TRAIL, Known, hash_of, head_of, trail_hash
from artemis_agent.source import Reject

# Bytes; a smaller one costs more calls for each byte, a larger one falls out of the second-level cache.
BLOCK = 512 * 1024
LONGEST = 16 * 1024 * 1024  # bytes of a line that is still taken; Suricata has written 2.4 MB
SAMPLE = 256  # bytes that are shown of what is refused
_BLANK = b" \t\r\n\x00"
_MOST_HOLES = 256  # blocks of NUL bytes that are passed over in one go
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Block(msgspec.Struct, frozen=True):
    """Whole lines. The data is valid until the next block is read into the same buffer."""

    data: bytearray
    size: int
    """How much of the data counts; 0 where work was done (a part of a long line searched) without a line."""
    file: bytes
    """Identity of the file."""
    offset: int
    """Where the block begins in it."""


class Truncated(msgspec.Struct, frozen=True):
    """The file is not what it was: it was cut, or cut and written anew."""


class LineFile:
    """An open file, read from an offset that always lies at the beginning of a line.

    Nothing is kept in memory of a line that has not ended: it is read again when there is more.
    """

    def __init__(self, descriptor: int, clock: Callable[[], float] = time.monotonic) -> None:
        status = os.fstat(descriptor)
        self.descriptor = descriptor
        self.device = status.st_dev
        self.inode = status.st_ino
        self.size = status.st_size
        self.modified = status.st_mtime_ns
        self.grew = clock()
        self.offset = 0
        self.identity = b""
        self.expected = 0  # how large it is known to have been, where this is a copy of it
        self._head: bytes | None = None
        self._trail = b""  # the bytes before `offset`
        self._searched = 0  # where to go on looking for the end of a line that is longer than a block
        self._clock = clock
        self._look_for_head()

    @property
    def head(self) -> bytes | None:
        """Hash of the first line; None until it is written."""
        return None if self._head is None else hash_of(self._head)

    def knows_head(self) -> bool:
        """Look for the first line, if need be, and return whether it is there."""
        return self._head is not None or self._look_for_head()

    def is_at(self, status: os.stat_result) -> bool:
        """Return whether a path whose status this is leads to this file."""
        return (status.st_dev, status.st_ino) == (self.device, self.inode)

    def known(self, *, left: bool = False) -> Known | None:
        """Return the file as it is remembered; None while it has no first line to know it by."""
        if self._head is None:
            return None
        return Known(
            device=self.device,
            inode=self.inode,
            head=hash_of(self._head),
            identity=self.identity,
            offset=self.offset,
            size=self.size,
            left=left,
            trail=trail_hash(self._trail),
        )

    @property
    def remaining(self) -> int:
        """How many bytes are to be read, as of the last look."""
        return max(0, self.size - self.offset)

    def holds(self, known: Known) -> bool:
        """Return whether all that was read of a known file is in this one."""
        return (
            self.head == known.head
            and self.size >= known.offset
            and trail_hash(self.before(known.offset)) == known.trail
        )

    def before(self, offset: int) -> bytes:
        """Return the bytes before an offset, TRAIL of them if there are so many."""
        begin = max(0, offset - TRAIL)
        return os.pread(self.descriptor, offset - begin, begin)

    def go_on(self, known: Known) -> None:
        """Stand where the reading of a known file ended, and be that file."""
        self.identity, self.expected = known.identity, known.size
        self._stand(known.offset)

    def is_another(self) -> bool:
        """Return whether what was read of the file is no longer in it: it was cut, or written anew."""
        head = self._head or b""
        if os.pread(self.descriptor, len(head), 0) != head:
            return True
        trail = self._trail
        return bool(trail) and os.pread(self.descriptor, len(trail), self.offset - len(trail)) != trail

    def read(self, buffer: bytearray) -> Block | Reject | Truncated | None:
        """Return the next whole lines; None where there are none yet. OSError where the disk says so.

        The first line and the bytes before the offset are compared after more was read, never before: if
        they are the old ones then, the file was not written anew before or during the read, and what was
        read belongs to it.
        """
        if self._searched > self.offset:
            return self._search(buffer)
        for _ in range(_MOST_HOLES):
            count = os.preadv(self.descriptor, [buffer], self.offset)
            if self.is_another() or not self.note_growth():
                return Truncated()
            if not count or buffer[0] or not self._pass_over(buffer, count):
                return self._whole_lines(buffer, count)
        return self._block(buffer, 0)

    def _whole_lines(self, buffer: bytearray, count: int) -> Block | None:
        end = buffer.rfind(b"\n", 0, count) + 1
        if not end and count == len(buffer):
            self._searched = self.offset + count
            return self._block(buffer, 0)
        return self._block(buffer, end) if end else None

    def _pass_over(self, buffer: bytearray, count: int) -> bool:
        """Pass over NUL bytes if there is something behind them; return whether there was.

        A crash leaves such a hole, and so does a writer that does not append when its file is cut: it
        writes on where it was.
        """
        nuls = count - len(buffer[:count].lstrip(b"\x00"))
        if nuls == count < len(buffer):
            return False
        offset = self.offset + nuls
        if nuls == count:
            with contextlib.suppress(OSError):  # no data behind it, or a file system that knows no holes
                offset = max(offset, os.lseek(self.descriptor, offset, os.SEEK_DATA))
        self._stand(offset)
        return True

    def rest(self) -> Block | Reject | None:
        """Give up waiting for the end of the last line: return it if it is whole, or what it is.

        After a refusal the file stands before the line still, should it be written on one day.
        """
        size = self.size - self.offset
        data = bytearray(min(size, LONGEST))
        filled = _fill(self.descriptor, data, self.offset)
        found = last_line(data[:filled], size, self.identity, self.offset)
        if isinstance(found, Block):
            self._stand(self.offset + filled)
        return found

    def go_to_end(self) -> None:
        """Stand behind the last line that has ended."""
        position = self.size
        while position > 0:
            begin = max(0, position - BLOCK)
            found = os.pread(self.descriptor, position - begin, begin).rfind(b"\n")
            if found >= 0:
                self._stand(begin + found + 1)
                return
            position = begin
        self._stand(0)

    def restart(self) -> None:
        """Begin with the file as a new one."""
        status = os.fstat(self.descriptor)
        self.size, self.modified = status.st_size, status.st_mtime_ns
        self._searched = self.expected = 0
        self.identity, self._head = b"", None
        self._stand(0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.descriptor)

    def _look_for_head(self) -> bool:
        self._head = head_of(os.pread(self.descriptor, HEAD, 0))
        self.note_growth()
        return self._head is not None

    def note_growth(self) -> bool:
        """Look at the size; return False where the file is shorter than what was read of it."""
        status = os.fstat(self.descriptor)
        if status.st_size < self.offset:
            return False
        if status.st_size != self.size:
            self.grew = self._clock()
        self.size, self.modified = status.st_size, status.st_mtime_ns
        return True

    def _block(self, data: bytearray, size: int) -> Block:
        block = Block(data, size, self.identity, self.offset)
        self.offset += size
        self._trail = (self._trail + data[max(0, size - TRAIL) : size])[-TRAIL:]
        return block

    def _stand(self, offset: int) -> None:
        self.offset, self._trail = offset, self.before(offset)

    def _search(self, buffer: bytearray) -> Block | Reject | Truncated | None:
        """Look on for the end of a line that is longer than a block."""
        count = os.preadv(self.descriptor, [buffer], self._searched)
        if self.is_another() or not self.note_growth():
            return Truncated()
        found = buffer.find(b"\n", 0, count)
        if found < 0:
            self._searched += count
            return self._block(buffer, 0) if count else None
        return self._long_line(self._searched + found - self.offset)

    def _long_line(self, size: int) -> Block | Reject | Truncated:
        data = bytearray(size + 1 if size <= LONGEST else SAMPLE)
        filled = _fill(self.descriptor, data, self.offset)
        if self.is_another() or filled < len(data):
            return Truncated()
        if size <= LONGEST:
            return self._block(data, size + 1)
        refused = too_long(bytes(data), size, self.identity, self.offset)
        self._stand(self.offset + size + 1)
        return refused


def open_line_file(path: Path, clock: Callable[[], float] = time.monotonic) -> LineFile:
    """Open a file for reading; raise OSError where it cannot be, or is no regular file."""
    descriptor = open_regular(path)
    try:
        return LineFile(descriptor, clock)
    except BaseException:
        os.close(descriptor)
        raise


def open_regular(path: Path) -> int:
    """Return a descriptor of a file to read; raise OSError where it cannot be, or is no regular file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "not a regular file", str(path))


def last_line(data: bytearray, size: int, identity: bytes, offset: int) -> Block | Reject | None:
    """Return what a file ends with that has no line feed: a line if it is whole, or what it is."""
    if size <= LONGEST:
        if not data.strip(_BLANK):
            return None
        if _is_object(data):
            return Block(data, len(data), identity, offset)
    return Reject(bytes(data[:SAMPLE]), size, identity, offset, "never ended")


def too_long(head: bytes, size: int, identity: bytes, offset: int) -> Reject:
    """Return a line that is longer than LONGEST as it is refused."""
    return Reject(head, size, identity, offset, f"longer than {LONGEST // 1024**2} MiB")


def _fill(descriptor: int, data: bytearray, offset: int) -> int:
    """Read until `data` is full or the file ends; return how much was read."""
    view, filled = memoryview(data), 0
    while filled < len(data):
        count = os.preadv(descriptor, [view[filled:]], offset + filled)
        if not count:
            break
        filled += count
    return filled


def _is_object(line: bytearray) -> bool:
    """Return whether a line is one whole JSON object."""
    try:
        _OBJECT.decode(line.strip(_BLANK))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
