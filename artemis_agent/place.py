"""Where a log is: at one path, or under a name that changes with the time, where the newest file is the log.

Suricata's own rotation (`rotate-interval`) opens eve-2026-11-22-19:33.json after eve-2026-11-22-19:32.json.
What is older under such a name is a rotated file of the same log.
"""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

COMPRESSED = ".gz"
FOREIGN = (".bz2", ".lz4", ".xz", ".zst")  # what else logrotate's `compresscmd` may be told to make
LIST_SECONDS = 1.0  # between two looks at a folder that seems not to have changed
_CODE = re.compile(r"(%[-_0^#]?[A-Za-z]|\*)")


def is_changing(name: str) -> bool:
    """Return whether a name holds codes of strftime (`%Y`) or a `*`."""
    return _CODE.search(name) is not None


def names(path: Path) -> str:
    """Return the regular expression of the names that a changing one may take.

    A code stands for digits and letters: not for what tells the files of two threads apart (`.1.json`).
    """
    parts = _CODE.split(path.name)
    return "".join(
        re.escape(part) if index % 2 == 0 else (".*" if part == "*" else r"[\w+:-]+")
        for index, part in enumerate(parts)
    )


def newest(path: Path) -> Path:
    """Return the file that is the log now; OSError where there is none, or the folder may not be listed."""
    if not is_changing(path.name):
        return path
    wanted = re.compile(names(path))
    found: list[tuple[int, str]] = []
    with os.scandir(path.parent) as entries:
        for entry in entries:
            if wanted.fullmatch(entry.name) and not entry.name.endswith((COMPRESSED, *FOREIGN)):
                try:
                    found.append((entry.stat().st_mtime_ns, entry.path))
                except FileNotFoundError:  # rotation goes on while we look
                    continue
    if not found:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return Path(max(found)[1])


class Place:
    """Where a tail finds its log; a folder is listed only when something in it was made or is gone."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._found: Path | None = None
        self._folder = 0  # when the folder changed, as of the last listing
        self._due = 0.0

    def now(self) -> Path:
        """Return the file that is the log now; OSError as `newest`."""
        if not is_changing(self._path.name):
            return self._path
        folder = self._path.parent.stat().st_mtime_ns
        if self._found is None or folder != self._folder or self._clock() >= self._due:
            self._folder, self._due = folder, self._clock() + LIST_SECONDS
            self._found = None
            self._found = newest(self._path)
        return self._found

    def leads_to(self, device: int, inode: int) -> bool:
        """Tell whether a file is the log now, however long ago it was that we looked; OSError as `now`."""
        try:
            status = self.now().stat()
        except FileNotFoundError:  # rotation is under way
            return False
        return (status.st_dev, status.st_ino) == (device, inode)


def explained(error: OSError, path: Path) -> str:
    """Return why a log cannot be read, and what to do."""
    return f"{error.strerror or error}: {path}{_MEND.get(error.errno or 0, '')}"


_MEND = {
    errno.ENOENT: " (nothing has written it yet, or `path` is wrong)",
    errno.ENOTDIR: " (correct `path`)",
    errno.EACCES: " (give Artemis's user the right to read it, by the group that owns it)",
    errno.EPERM: " (give Artemis's user the right to read it, by the group that owns it)",
    errno.EINVAL: " (`path` must name a log file)",
    errno.EMFILE: " (raise the limit of open files)",
    errno.ENFILE: " (raise the machine's limit of open files)",
    errno.EIO: " (look after the disk)",
}
