"""A file that is there whole or not at all: written beside its place, synced, then put there."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from socme.errors import OperatorError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a path to write to; what was written replaces `path` where the context ends well.

    Only its owner may read it. A process that is killed leaves a hidden file that ends with `.part`.
    """
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():
            raise OperatorError(f"{path} is no file", "Name one that is to be made, or replaced.")
        beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        beside.touch(mode=0o600, exist_ok=False)
        try:
            yield beside
            _sync(beside)
            beside.replace(target)
        finally:
            with suppress(FileNotFoundError):
                beside.unlink()
        _sync(target.parent)
    except OSError as error:
        raise OperatorError(
            f"cannot write {path}: {error.strerror or error}",
            "Name a file in a folder that you may write to, with room for it.",
        ) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
