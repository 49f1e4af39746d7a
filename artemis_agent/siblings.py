"""Where rotated files are: beside the file itself, or in the dated folders of Wazuh.

logrotate calls them `eve.json.1`, `eve.json-20261122` or, with `extension`, `eve-20261122.json`; Wazuh
keeps `2026/Nov/ossec-alerts-22.json` (with -001 and on where it rotates by size).
"""

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOST = 256  # files that are looked at, the newest first
_MONTHS = 2  # dated folders that are looked at, the newest first
_DATED = re.compile(r"ossec-alerts-\d\d(-\d{3})?\.json")


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
    """Whether its name is one that rotation gives. Other names are only trusted with a known first line."""


def siblings(path: Path) -> list[Sibling]:
    """Return the regular files that may hold what once was in `path`, the newest first.

    They are beside the file itself and, where the path is a link to it, beside that as well. OSError where
    a folder cannot be listed.
    """
    places = {path.parent.resolve() / path.name, path.resolve()}
    found = [sibling for place in places for sibling in (*_beside(place), *_dated(place))]
    return sorted(found, key=lambda sibling: sibling.modified, reverse=True)[:MOST]


def _beside(path: Path) -> Iterator[Sibling]:
    name = re.escape(path.name)
    stem, suffix = re.escape(path.stem), re.escape(path.suffix)
    # Not eve.1.json: with `threaded: yes` that is a live file of its own.
    rotated = re.compile(rf"{name}[.-][\d.:_-]+|{stem}[-_]\d[\d:_-]{{5,}}{suffix}")
    for entry in path.parent.iterdir():
        if entry.name != path.name and entry.name.startswith(path.stem):
            yield from _look(entry, rotated=rotated.fullmatch(entry.name) is not None)


def _dated(path: Path) -> Iterator[Sibling]:
    if path.name != "alerts.json":
        return
    months = [
        folder for folder in path.parent.glob("[0-9][0-9][0-9][0-9]/[A-Z][a-z][a-z]") if folder.is_dir()
    ]
    for folder in sorted(months, key=lambda folder: folder.stat().st_mtime_ns)[-_MONTHS:]:
        for entry in folder.iterdir():
            if _DATED.fullmatch(entry.name):
                yield from _look(entry, rotated=True)


def _look(path: Path, *, rotated: bool) -> Iterator[Sibling]:
    try:
        status = path.lstat()
    except FileNotFoundError:  # rotation goes on while we look
        return
    if stat.S_ISREG(status.st_mode):
        yield Sibling(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, rotated)
