"""One open file as blocks of whole lines; sees when it is cut or written anew under our hands."""

import errno
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from artemis_agent.file_identity import HEAD, Known, hash_of, head_of
from artemis_agent.source import Reject

BLOCK = 256 * 1024  # bytes; larger blocks fall out of the second-level cache and are searched more slowly
LONGEST = 16 * 1024 * 1024  # bytes of a line that is still taken; Suricata has written 2.4 MB
SAMPLE = 256  # bytes that are shown of what is refused
_BLANK = b" \t\r\n\x00"
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines. The data is valid until the next block is read into the same buffer."""

    data: bytearray
    size: int
    """How much of the data counts; 0 where work was done (a part of a long line searched) without a line."""
    file: bytes
    """Identity of the file."""
    offset: int
    """Where the block begins in it."""


@dataclass(frozen=True, slots=True)
class Truncated:
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
        self._head: bytes | None = None
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
        )

    def read(self, buffer: bytearray) -> Block | Reject | Truncated | None:
        """Return the next whole lines; None where there are none yet. OSError where the disk says so.

        The first line is compared after the bytes were read, never before: if it is the old one then,
        the file was not written anew before or during the read, and what was read belongs to it.
        """
        if self._searched > self.offset:
            return self._search(buffer)
        count = os.preadv(self.descriptor, [buffer], self.offset)
        if self._is_another():
            return Truncated()
        end = buffer.rfind(b"\n", 0, count) + 1
        if not end and count == len(buffer):
            if buffer.strip(b"\x00"):
                self._searched = self.offset + count
                return self._block(buffer, 0)
            end = count  # a hole that a crash left, or a writer that does not append after copytruncate
        return self._block(buffer, end) if end else None

    def rest(self) -> Block | Reject | None:
        """Give up waiting for the end of the last line: return it if it is whole, or what it is.

        After a refusal the file stands before the line still, should it be written on one day.
        """
        size = self.size - self.offset
        data = bytearray(min(size, LONGEST))
        filled = _fill(self.descriptor, data, self.offset)
        if size <= LONGEST:
            if not data[:filled].strip(_BLANK):
                return None
            if _is_object(data[:filled]):
                return self._block(data, filled)
        return Reject(bytes(data[:SAMPLE]), size, self.identity, self.offset, "never ended")

    def go_to_end(self) -> None:
        """Stand behind the last line that has ended."""
        position = self.size
        while position > 0:
            begin = max(0, position - BLOCK)
            found = os.pread(self.descriptor, position - begin, begin).rfind(b"\n")
            if found >= 0:
                self.offset = begin + found + 1
                return
            position = begin
        self.offset = 0

    def restart(self) -> None:
        """Begin with the file as a new one."""
        status = os.fstat(self.descriptor)
        self.size, self.modified = status.st_size, status.st_mtime_ns
        self.offset = self._searched = 0
        self.identity, self._head = b"", None

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.descriptor)

    def _look_for_head(self) -> bool:
        self._head = head_of(os.pread(self.descriptor, HEAD, 0))
        if self._head is None:
            self._note_growth()
        return self._head is not None

    def _is_another(self) -> bool:
        head = self._head or b""
        if os.pread(self.descriptor, len(head), 0) != head:
            return True
        return not self._note_growth()

    def _note_growth(self) -> bool:
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
        return block

    def _search(self, buffer: bytearray) -> Block | Reject | Truncated | None:
        """Look on for the end of a line that is longer than a block."""
        count = os.preadv(self.descriptor, [buffer], self._searched)
        if self._is_another():
            return Truncated()
        found = buffer.find(b"\n", 0, count)
        if found < 0:
            self._searched += count
            return self._block(buffer, 0) if count else None
        return self._long_line(self._searched + found - self.offset)

    def _long_line(self, size: int) -> Block | Reject | Truncated:
        data = bytearray(size + 1 if size <= LONGEST else SAMPLE)
        filled = _fill(self.descriptor, data, self.offset)
        if self._is_another() or filled < len(data):
            return Truncated()
        if size <= LONGEST:
            return self._block(data, size + 1)
        offset, self.offset = self.offset, self.offset + size + 1
        reason = f"longer than {LONGEST // 1024**2} MiB"
        return Reject(bytes(data), size, self.identity, offset, reason)


def open_line_file(path: Path, clock: Callable[[], float] = time.monotonic) -> LineFile:
    """Open a file for reading; raise OSError where it cannot be, or is no regular file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return LineFile(descriptor, clock)
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    raise OSError(errno.EINVAL, "not a regular file", str(path))


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
