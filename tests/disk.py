"""A small disk for tests that fill one."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lacking import lacking


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a file system of so many bytes; it needs root."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        lacking(f"a small tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, *, but: int) -> Path:
    """Let somebody else take the disk, but for so many bytes; the hub goes on writing meanwhile."""
    other = folder / "somebody-elses"
    with other.open("wb") as file:
        while True:
            stat = os.statvfs(folder)
            try:
                os.posix_fallocate(file.fileno(), 0, stat.f_bavail * stat.f_frsize - but)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
            else:
                return other
