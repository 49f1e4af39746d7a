"""The files of this repository, for the tests beside this file."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PACKAGES = ("artemis_agent", "hermes_display", "socme", "zeus_hub")
GENERATED = REPOSITORY / "socme" / "v1"


@cache
def tracked() -> tuple[Path, ...]:
    """Return the repository's files: those in git, and those that the next commit could take."""
    git = shutil.which("git")
    if git is None or not (REPOSITORY / ".git").exists():
        pytest.skip("this is no git working tree, so nothing says which files belong to it")
    listed = subprocess.run(
        # A tree that another user cloned is no danger here.
        [git, "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(
        sorted(path for name in listed.stdout.split("\0") if name and (path := REPOSITORY / name).is_file())
    )


def texts() -> Iterator[tuple[Path, str]]:
    """Yield every text file of the repository."""
    for path in tracked():
        try:
            yield path, path.read_text()
        except UnicodeDecodeError:
            continue  # a capture or a picture


def modules() -> list[Path]:
    """Return every module of the four packages that was written by hand."""
    return sorted(
        path
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*.py")
        if GENERATED not in path.parents
    )


def name(path: Path) -> str:
    """Return how a file is called in messages: its path in the repository."""
    return path.relative_to(REPOSITORY).as_posix()
