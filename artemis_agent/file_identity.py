"""Which file is it? Names change and inodes are used again, but a log's first line stays what it was.

Where first lines are the same, the bytes before the place that was read to tell files apart. Beside that,
the form in which a tail's position is saved: a list of the files that it knows.
"""

import hashlib
from collections.abc import Collection

import msgspec

from socme.errors import OperatorError

VERSION = 2  # of the saved position
HEAD = 1024  # bytes; the part of a first line that is compared
MOST_LEFT = 64  # files that are remembered after they were read to their end; logrotate keeps 14
TRAIL = 256  # bytes before the place that was read to; compared as well
_BLANK = b" \t\r\n\x00"


class Known(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A file that was read, or is being read."""

    device: int
    inode: int
    head: bytes
    """Hash of its first line."""
    identity: bytes
    """What records carry: stays when the rest of the file is found in a copy of it."""
    offset: int
    """Where reading goes on, in bytes."""
    size: int
    """How large it was when it was last looked at, in bytes; what is compressed counts as it was before."""
    left: bool
    """Whether it was read to its end and nothing more was expected."""
    trail: bytes = b""
    """Hash of the TRAIL bytes before `offset`; empty where nothing was read."""


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where a tail stands."""

    version: int = VERSION
    fresh: bool = False
    """Whether it is not settled yet where to begin, because the file could not be read so far."""
    since: int = 0
    """Rotated files that were modified before this time are older than the tail's work (nanoseconds)."""
    files: tuple[Known, ...] = ()
    """Newest last."""
    seen: tuple[int, ...] = ()
    """Fingerprints of rotated files in which there is nothing to read while they stay as they are."""
    target: str = ""
    """Where the path led to, if it was a link: rotated files are looked for there as well."""
    former: tuple[str, ...] = ()
    """Where else it led to not long ago: files that are known may be written on there. Newest last."""


def head_of(beginning: bytes) -> bytes | None:
    """Return the part of a file's first HEAD bytes that tells it from others; None if not yet written.

    It ends with the first line that is not blank.
    """
    blank = len(beginning) - len(beginning.lstrip(_BLANK))
    end = beginning.find(b"\n", blank) + 1
    if end:
        return beginning[:end]
    return beginning if len(beginning) == HEAD else None


def hash_of(head: bytes) -> bytes:
    """Return what is kept of a head: a first line may hold what must not lie around twice."""
    return hashlib.blake2b(head, digest_size=16).digest()


def identity_of(head: bytes, taken: Collection[bytes] = ()) -> bytes:
    """Return 16 bytes that name a file, the same each time unless they are taken already.

    They are taken where a file was cut and written anew with the same first line. Where it lies is no part
    of it: when all is read once more, after the state was lost, a log may be in a compressed copy by then,
    and what it holds must come to the hub as what it was.
    """
    generation = 0
    while True:
        identity = hashlib.blake2b(b"%d " % generation + head, digest_size=16).digest()
        if identity not in taken:
            return identity
        generation += 1


def identity_of_unread(device: int, inode: int) -> bytes:
    """Return 16 bytes that name, in a gap, a file of which nothing could be read."""
    return hashlib.blake2b(b"unread %d %d" % (device, inode), digest_size=16).digest()


def trail_hash(trail: bytes) -> bytes:
    """Return what is kept of the bytes before an offset; nothing of none."""
    return hash_of(trail) if trail else b""


def taken_back(sure: Position, last: Position) -> Position:
    """Return where to read from when a spool is lost: from what is sure, in each file that was known last.

    A file that was opened after that is wanted from its beginning, so that it is missed if it is gone. Of a
    source that could not be read when it was new, nothing is sure but where it stood last.
    """
    if sure.fresh:
        return last  # where reading began is not known: better from there than from an end that is later
    begun = {known.identity: known for known in sure.files}
    files = []
    for known in last.files:
        nothing = msgspec.structs.replace(known, offset=0, trail=b"")
        was = begun.pop(known.identity, nothing)
        size, left = max(was.size, known.size, known.offset), was.left and was.offset >= known.offset
        files.append(msgspec.structs.replace(was, size=size, left=left))
    return msgspec.structs.replace(sure, files=(*begun.values(), *files))


def encode(position: Position) -> bytes:
    """Return a position as it is saved."""
    return msgspec.msgpack.encode(position)


def decode(saved: bytes) -> Position:
    """Return a position that was saved; raise OperatorError where it is damaged or from a later version."""
    try:
        position = msgspec.msgpack.decode(saved, type=Position)
    except msgspec.DecodeError as error:
        raise OperatorError(
            f"the saved position of a log file is damaged: {error}",
            "restore the state folder from a backup, or move its spool away to begin anew",
        ) from error
    if position.version != VERSION:
        raise OperatorError(
            f"the saved position of a log file has version {position.version}, this Artemis knows {VERSION}",
            "install the Artemis that wrote it, or a later one",
        )
    return position
