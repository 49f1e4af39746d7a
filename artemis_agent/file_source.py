"""A log file as a source: tail, then sift, woken by what happens to the file."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from artemis_agent import sensor
from artemis_agent.candidates import candidates
from artemis_agent.line_file import BLOCK, Block
from artemis_agent.rotated import MOST_OPEN
from artemis_agent.sift import Sieve, Sifted
from artemis_agent.source import Health, Kind, Reading, Record, Reject
from artemis_agent.tail import Tail
from artemis_agent.wake import Wake

if TYPE_CHECKING:
    from socme.v1.vitals_pb2 import SensorVitals

MOST_BLOCKS = 128  # of 512 KiB end a reading: what stands between two of them is paid once for so much
MOST_SECONDS = 0.1  # end it too: the thread has others to answer, and a disk may be slow
MOST_BYTES = 1024 * 1024  # of records end a reading: small enough to be spooled in one go
SENSOR_SECONDS = 5.0  # between two looks for what the sensor says about itself; Suricata does so every 8 s
MUCH = 4  # one byte in so many belongs to records that go on: else there is more to search than to send
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
        """Return what has come since the last reading: 64 MiB at most, of which about 1 MiB is records."""
        records: list[Record] = []
        rejects: list[Reject] = []
        size = lines = passed = taken = 0
        more = True
        end = time.monotonic() + MOST_SECONDS
        self._tail.look()
        for _ in range(MOST_BLOCKS):
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
                taken += sifted.size
            if len(records) >= MOST_RECORDS or taken >= MOST_BYTES or time.monotonic() >= end:
                break
        self._problem = self._tail.problem or self._spelling_problem()
        self._wake.follow(
            self._tail.descriptors, busy=size > 0, found=len(records) if size <= taken * MUCH else 0
        )
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
        found, sifted = candidates(block, sieve)
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
    path: Path,
    kind: Kind,
    start: Literal["end", "beginning"],
    position: bytes | None,
    *,
    longest: float = 0.0,
) -> FileSource:
    """Open a log file, or wait for it, from a saved position or as a new source (None).

    `longest` is Wake's.

    Raise OperatorError where the position is damaged; a file that cannot be read is told by `health`.
    """
    return FileSource(
        path, kind, Tail(path, start=start, position=position), Wake(path.parent, longest=longest)
    )
