"""What tells that files have changed: those of a folder, and those that receivers are made of."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

from zeus_hub.routes.rules import Receiver

MOST_TEMPLATES = 200  # files of a site's own: a dozen for each language

Marks = Mapping[Path, tuple[int, int] | None]
"""Of each file, when it or its permissions were last changed, and its length; None where there is none."""


def inside(folder: Path) -> Iterator[Path]:
    """Yield all that is in a folder; nothing where it cannot be looked at: reading says why."""
    with suppress(OSError):
        yield from sorted(folder.iterdir())


def named(receiver: Receiver) -> Iterator[Path]:
    """Yield the files, wherever they are, that a receiver is made of: secrets, certificates, templates."""
    for key, value in receiver.options.items():
        if isinstance(value, str) and key.endswith("_file"):
            yield receiver.place.file.parent / value
        if isinstance(value, str) and key == "templates":
            yield from islice(_templates(receiver.place.file.parent / value), MOST_TEMPLATES)


def _templates(folder: Path) -> Iterator[Path]:
    """Yield a folder with those in it and their files; one in which a file is new is another one."""
    yield folder
    for each in inside(folder):
        yield each
        yield from inside(each)


def marks(paths: Iterable[Path]) -> Marks:
    """Return what changes where a file does."""
    return {path: _mark(path) for path in paths}


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except (OSError, ValueError):  # gone since, or no name of a file
        return None
    return stat.st_ctime_ns, stat.st_size
