"""A power cut: what a disk may hold of a program's databases that forgot writes which were not synced.

The program runs with a small library that writes down what it writes, cuts and syncs (`Recorder`); `cuts`
gives the states of the disk that a cut can leave: at each write, whatever was synced is there; of the rest
nothing, all of it, all but the first, or all with the last write torn in half.
"""

import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conftest import REPOSITORY
from tests.flow.programs import environment
from tests.lacking import lacking

SOURCE = Path(__file__).parent / "record.c"
_HEAD = struct.Struct("<cB6xQQ")


class Recorder:
    """Writes down what a program does to the databases of one folder; it needs a C compiler, once."""

    def __init__(self, folder: Path, watched: Path) -> None:
        self.log = folder / "power.log"
        self.log.touch()
        self._watched = watched.resolve()
        self._library = folder / "record.so"
        cc = shutil.which("cc")
        if cc is None:
            lacking("there is no C compiler (cc), which a power cut needs")
        command = [cc, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(self._library), str(SOURCE)]
        subprocess.run([*command, "-ldl"], check=True)

    def record(self, module: str) -> tuple[Sequence[str], bytes]:
        """Let `write(folder, log)` of a module run until it ends; return what it printed, and the log."""
        call = f"write(Path({str(self._watched)!r}), Path({str(self.log)!r}))"
        done = subprocess.run(
            [sys.executable, "-c", f"from pathlib import Path; from {module} import write; {call}"],
            cwd=REPOSITORY,
            env=environment(**self.environment()),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines(), self.log.read_bytes()

    def environment(self) -> dict[str, str]:
        """Return what the program is started with."""
        return {
            "LD_PRELOAD": str(self._library),
            "POWER_FOLDER": str(self._watched),
            "POWER_LOG": str(self.log),
        }


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the program did to a file."""

    kind: str
    """"w" write, "t" truncate, "s" sync."""
    file: str
    offset: int
    data: bytes
    end: int
    """How long the log was when it was done."""


def steps(log: bytes) -> Iterator[Step]:
    """Yield what was written down, in order."""
    place = 0
    while place < len(log):
        kind, name, offset, size = _HEAD.unpack_from(log, place)
        begin = place + _HEAD.size
        place = begin + name + size
        yield Step(
            kind.decode(), log[begin : begin + name].decode(), offset, log[begin + name : place], place
        )


@dataclass(frozen=True, slots=True)
class Cut:
    """One state that a power cut can leave."""

    at: int
    """How long the log was at that moment."""
    kept: str
    """What was kept of that which was not synced, for people."""
    files: Mapping[str, bytes]

    @contextmanager
    def laid(self) -> Iterator[Path]:
        """Give a new folder with the files, in memory where that can be had: syncing there is quick."""
        memory = Path("/dev/shm")
        with TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
            folder = Path(name)
            for file, data in self.files.items():
                (folder / file).write_bytes(data)
            yield folder


@dataclass(slots=True)
class _Disk:
    sure: dict[str, bytes] = field(default_factory=dict)
    loose: list[Step] = field(default_factory=list)  # not synced, of all files

    def take(self, step: Step) -> None:
        if step.kind != "s":
            self.loose.append(step)
            return
        self.sure = self.with_(step_ for step_ in self.loose if step_.file == step.file)
        self.loose = [other for other in self.loose if other.file != step.file]

    def with_(self, some: Iterator[Step]) -> dict[str, bytes]:
        """Return the files with some of the loose steps done."""
        files = dict(self.sure)
        for step in some:
            files[step.file] = _done(files.get(step.file, b""), step)
        return files


def cuts(log: bytes, *, base: Mapping[str, bytes] | None = None, every: int = 1) -> Iterator[Cut]:
    """Yield the states that a cut can leave at each write and cut of a file, or at every so manyth.

    `base` is what the files held before.
    """
    disk = _Disk(dict(base or {}))
    for number, step in enumerate(steps(log)):
        disk.take(step)
        if step.kind == "s" or number % every:
            continue
        loose = list(disk.loose)
        yield Cut(step.end, "nothing", dict(disk.sure))
        yield Cut(step.end, "all", disk.with_(iter(loose)))
        if len(loose) > 1:
            yield Cut(step.end, "all but the first", disk.with_(iter(loose[1:])))
        if step.kind == "w" and len(step.data) > 1:
            torn = Step("w", step.file, step.offset, step.data[: len(step.data) // 2], step.end)
            yield Cut(step.end, "all, the last one torn", disk.with_(iter([*loose[:-1], torn])))


def _done(data: bytes, step: Step) -> bytes:
    """Return a file's content behind a step."""
    held = bytearray(data)
    if step.kind == "t":
        return bytes(held[: step.offset].ljust(step.offset, b"\0"))
    if len(held) < step.offset:
        held.extend(bytes(step.offset - len(held)))
    held[step.offset : step.offset + len(step.data)] = step.data
    return bytes(held)
