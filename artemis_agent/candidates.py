"""The records that may be alerts, of a block of lines and of a whole file."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from artemis_agent.file_identity import identity_of
from artemis_agent.line_file import BLOCK, Block, LineFile, Truncated, open_line_file
from artemis_agent.sift import Sieve, Sifted
from artemis_agent.source import Kind, Record, Reject
from socme.errors import OperatorError


def candidates(block: Block, sieve: Sieve) -> tuple[list[Record], Sifted]:
    """Return the candidates of a block, and what else it held."""
    sifted = sieve.sift(block.data, block.size)
    return _records(block, sifted.spans), sifted


def candidates_in_file(path: Path, kind: Kind) -> Iterator[Record | Reject]:
    """Yield what a source of a kind would find in a whole file, its last line too if that has no end.

    Raise OperatorError where the file cannot be read.
    """
    try:
        file = open_line_file(path)
        try:
            yield from _read_through(file, Sieve(kind))
        finally:
            file.close()
    except OSError as error:
        raise OperatorError(
            f"cannot read {path}: {error.strerror}", "name a file that you may read"
        ) from error


def _read_through(file: LineFile, sieve: Sieve) -> Iterator[Record | Reject]:
    file.identity = identity_of(file.head or b"")
    buffer = bytearray(BLOCK)
    while file.knows_head() and (found := file.read(buffer)) is not None:
        if isinstance(found, Truncated):
            return  # it was cut while we read: there is no more of what it held
        yield from _found(found, sieve)
    rest = file.rest()
    if rest is not None:
        yield from _found(rest, sieve)


def _found(read: Block | Reject, sieve: Sieve) -> Sequence[Record | Reject]:
    return [read] if isinstance(read, Reject) else _records(read, sieve.find(read.data, read.size))


def _records(block: Block, spans: Iterable[tuple[int, int]]) -> list[Record]:
    data = memoryview(block.data)
    return [Record(bytes(data[begin:end]), block.file, block.offset + begin) for begin, end in spans]
