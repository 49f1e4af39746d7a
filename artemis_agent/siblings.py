"""Where rotated files are: beside the file itself, or in the dated folders of Wazuh.

logrotate calls them `eve.json.1`, `eve.json-20261122` or, with `extension`, `eve-20261122.json`; Wazuh
keeps `2026/Nov/ossec-alerts-22.json` (with -001 and on where it rotates by size). Each may be compressed;
what is not compressed by gzip cannot be read here, but that it is there must not be passed over in silence.
"""

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from artemis_agent.place import COMPRESSED, FOREIGN, is_changing, names

_ENDING = "|".join(re.escape(ending) for ending in (COMPRESSED, *FOREIGN))
_MONTHS = 2  # dated folders that are looked at, the newest first
_DATED = re.compile(rf"ossec-alerts-\d\d(-\d{{3}})?\.json({_ENDING})?")


@dataclass(frozen=True, slots=True)
class Sibling:
    """A file that may be a rotated one."""

    path: Path
    device: int
    inode: int
    size: int
    modified: int
    """Nanoseconds since 1970."""
    rotated: bool
    """Whether its name is one that rotation gives. Other names are only trusted with known content."""

    @property
    def is_compressed(self) -> bool:
        """Whether its name says so."""
        return self.path.name.endswith(COMPRESSED)

    @property
    def is_foreign(self) -> bool:
        """Whether it is compressed in a way that cannot be read here."""
        return self.path.name.endswith(FOREIGN)

    @property
    def fingerprint(self) -> int:
        """What stays the same while the file does."""
        return fingerprint(self.device, self.inode, self.size, self.modified)


def siblings(
    path: Path, *, inodes: Collection[int] = (), target: str = "", former: Collection[str] = ()
) -> list[Sibling]:
    """Return the regular files that may hold what once was in `path`, the newest first.

    They are beside the file itself and, where the path is a link to it, beside that as well, and beside
    the `target` that it once led to. What lies beside its `former` targets is trusted with known content
    only: others may go on there. A file of one of `inodes` counts under any name. A folder that may not be
    listed, or is gone, holds none; OSError where something else hinders.
    """
    left = {
        (sibling.device, sibling.inode, sibling.path): replace(sibling, rotated=False)
        for place in map(Path, former)
        for sibling in (*_beside(place, inodes), *_itself(place, path))
    }
    places = {path.parent.resolve() / path.name, path.resolve(), *([Path(target)] if target else [])}
    found = {
        (sibling.device, sibling.inode, sibling.path): sibling
        for place in places
        for sibling in (*_beside(place, inodes), *_dated(place), *_itself(place, path))
    }
    return sorted((left | found).values(), key=lambda sibling: sibling.modified, reverse=True)


def fingerprint(device: int, inode: int, size: int, modified: int) -> int:
    """Return 8 bytes that stay the same while a file does, whatever it is called."""
    text = b"%d %d %d %d" % (device, inode, size, modified)
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


def _beside(path: Path, inodes: Collection[int]) -> Iterator[Sibling]:
    if is_changing(path.name):
        yield from _alike(path, inodes)
        return
    name = re.escape(path.name)
    stem, suffix = re.escape(path.stem), re.escape(path.suffix)
    # Not eve.1.json: with `threaded: yes` that is a live file of its own.
    rotated = re.compile(rf"({name}[.-][\d.:_-]*\d|{stem}[-_]\d[\d:_-]{{5,}}{suffix})({_ENDING})?")
    for entry in _entries(path.parent):
        if entry.name != path.name and (entry.name.startswith(path.stem) or entry.inode() in inodes):
            yield from _look(Path(entry.path), rotated=rotated.fullmatch(entry.name) is not None)


def _alike(path: Path, inodes: Collection[int]) -> Iterator[Sibling]:
    """Give all files of a name that changes; the one that is the log now is known by its inode."""
    alike = re.compile(rf"{names(path)}([.-][\d.:_-]*\d)?({_ENDING})?")
    for entry in _entries(path.parent):
        rotated = alike.fullmatch(entry.name) is not None
        if rotated or entry.inode() in inodes:
            yield from _look(Path(entry.path), rotated=rotated)


def _itself(place: Path, path: Path) -> Iterator[Sibling]:
    """Give what a link led to once, and does no longer."""
    if place not in {path.parent.resolve() / path.name, path.resolve()}:
        yield from _look(place, rotated=False)


def _dated(path: Path) -> Iterator[Sibling]:
    if path.name != "alerts.json":
        return
    months = [
        (month.stat().st_mtime_ns, month.path)
        for year in _entries(path.parent)
        if re.fullmatch(r"\d{4}", year.name) and year.is_dir()
        for month in _entries(Path(year.path))
        if re.fullmatch(r"[A-Z][a-z]{2}", month.name) and month.is_dir()
    ]
    for _, month in sorted(months)[-_MONTHS:]:
        for entry in _entries(Path(month)):
            if _DATED.fullmatch(entry.name):
                yield from _look(Path(entry.path), rotated=True)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _look(path: Path, *, rotated: bool) -> Iterator[Sibling]:
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):  # rotation goes on while we look
        return
    if stat.S_ISREG(status.st_mode):
        yield Sibling(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, rotated)
