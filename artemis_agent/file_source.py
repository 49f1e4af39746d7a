"""A log file as a source: tail, then sift, woken by what happens to the file."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from artemis_agent import sensor
from artemis_agent.config import Kind
from artemis_agent.file_identity import identity_of
from artemis_agent.line_file import BLOCK, Block, LineFile, Truncated, open_line_file
from artemis_agent.rotated import MOST_OPEN
from artemis_agent.sift import Sieve, Sifted
from artemis_agent.source import Health, Reading, Record, Reject
from artemis_agent.tail import Tail
from artemis_agent.wake import Wake
from socme.errors import OperatorError

if TYPE_CHECKING:
    from socme.v1.vitals_pb2 import SensorVitals

BLOCKS_PER_READING = 4  # of 256 KiB: small enough to be spooled in one go, large enough to be fast
SENSOR_SECONDS = 5.0  # between two looks for what the sensor says about itself; Suricata does so every 8 s
MOST_RECORDS = 10_000  # end a reading: one of two bytes takes some hundred times that in memory


class FileSource:
    """Follows one file; an artemis_agent.source.Source."""

    def __init__(self, path: Path, kind: Kind, tail: Tail, wake: Wake) -> None:
        self._path = path
        self._kind = kind
        self._tail = tail
        self._wake = wake
        self._sieves: dict[bytes, Sieve] = {}
        self._sensor: SensorVitals | None = None
        self._sensor_due = 0.0
        self._problem = tail.problem

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self._path)

    @property
    def kind(self) -> Kind:
        """What writes the file: `suricata` or `wazuh`."""
        return self._kind

    @property
    def position(self) -> bytes:
        """Where it stands: behind everything that `read` has returned."""
        return self._tail.position

    def read(self) -> Reading:
        """Return what has come since the last reading, about 1 MiB at most or one line that is longer."""
        records: list[Record] = []
        rejects: list[Reject] = []
        size = lines = passed = 0
        more = True
        self._tail.look()
        for _ in range(BLOCKS_PER_READING):
            found = self._tail.next()
            if found is None:
                more = False
                break
            size += found.size
            if isinstance(found, Reject):
                rejects.append(found)
                lines += 1
            elif found.size:
                sifted = self._sift(found, records)
                lines, passed = lines + sifted.lines, passed + sifted.passed
            if len(records) >= MOST_RECORDS:
                break
        self._problem = self._tail.problem or self._spelling_problem()
        self._wake.follow(self._tail.descriptors, busy=size > 0)
        gaps = self._tail.take_gaps()
        return Reading(records, rejects, self._tail.position, size, lines, more, passed, gaps)

    def look(self) -> None:
        """Open what was rotated: it can be read later though it is deleted."""
        self._tail.keep_hold()
        self._problem = self._tail.problem or self._spelling_problem()

    def health(self) -> Health:
        """Return how the source is now."""
        return Health(
            lag_bytes=self._lag(),
            problem=self._problem,
            lost_bytes=self._tail.lost_bytes,
            rotations=self._tail.rotations,
            sensor=self._sensor,
        )

    async def changed(self) -> None:
        """Wait until there may be something to read, a second at the longest."""
        await self._wake.wait()

    def close(self) -> None:
        """Let go of files and watches."""
        self._wake.close()
        self._tail.close()

    def _sift(self, block: Block, records: list[Record]) -> Sifted:
        """Add a block's candidates to `records`; return what it held."""
        sieve = self._sieves.pop(block.file, None) or Sieve(self._kind)
        self._sieves[block.file] = sieve  # at the end: the first is the one that was not used for longest
        if len(self._sieves) > MOST_OPEN:
            del self._sieves[next(iter(self._sieves))]
        found, sifted = _candidates(block, sieve)
        records += found
        if self._kind == "suricata":
            self._ask_sensor(block)
        return sifted

    def _ask_sensor(self, block: Block) -> None:
        """See what the sensor says about itself: in every block while few lines come, else in few."""
        now = time.monotonic()
        if now < self._sensor_due:
            return
        newest = sensor.latest(block.data, block.size)
        self._sensor = newest or self._sensor
        if newest or block.size > BLOCK // 2:
            self._sensor_due = now + SENSOR_SECONDS

    def _spelling_problem(self) -> str:
        newest = next(reversed(self._sieves.values()), None)
        return f"{newest.problem} ({self._path})" if newest and newest.problem else ""

    def _lag(self) -> int:
        lag = self._tail.lag
        try:
            status = self._tail.place.now().stat()
        except OSError:
            return lag.old
        device, inode, offset = lag.current or (0, 0, 0)
        if (status.st_dev, status.st_ino) != (device, inode):
            offset = 0
        return lag.old + max(0, status.st_size - offset)


def open_file_source(
    path: Path, kind: Kind, start: Literal["end", "beginning"], position: bytes | None
) -> FileSource:
    """Open a log file, or wait for it, from a saved position or as a new source (None).

    Raise OperatorError where the position is damaged; a file that cannot be read is told by `health`.
    """
    return FileSource(path, kind, Tail(path, start=start, position=position), Wake(path.parent))


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
    while file.head is not None and (found := file.read(buffer)) is not None:
        if isinstance(found, Truncated):
            return  # it was cut while we read: there is no more of what it held
        yield from [found] if isinstance(found, Reject) else _candidates(found, sieve)[0]
    rest = file.rest()
    if rest is not None:
        yield from [rest] if isinstance(rest, Reject) else _candidates(rest, sieve)[0]


def _candidates(block: Block, sieve: Sieve) -> tuple[list[Record], Sifted]:
    sifted = sieve.sift(block.data, block.size)
    view = memoryview(block.data)
    records = [
        Record(bytes(view[begin:end]), block.file, block.offset + begin) for begin, end in sifted.spans
    ]
    return records, sifted
