"""Which alerts this node told people of itself: `<state_dir>/told.json`, replaced as a whole.

It lies outside the spool's file, because what is read again after that was damaged must not be told again.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from socme.journal import LOWEST

FORMAT = 1  # of told.json
NAME = "told.json"


@dataclass(frozen=True, slots=True)
class Told:
    """What is remembered."""

    book: bytes = b""
    """Of the spool whose positions these are."""
    position: int = LOWEST
    """All alerts up to it that were worth it were told."""
    ids: tuple[bytes, ...] = ()
    """Of those that were told and may wait still, in the order of telling."""
    mails: tuple[float, ...] = ()
    """When the last ones left, in seconds since 1970."""


def read(state_dir: Path) -> Told:
    """Return what was told; nothing where there is no file, or none that can be read."""
    try:
        found = json.loads((state_dir / NAME).read_text())
        if found["format"] != FORMAT:
            return Told()
        return Told(
            book=bytes.fromhex(found["book"]),
            position=int(found["position"]),
            ids=tuple(bytes.fromhex(each) for each in found["ids"]),
            mails=tuple(float(each) for each in found["mails"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Told()


def write(state_dir: Path, told: Told) -> None:
    """Replace the file; after a crash there is the old one or the new one. May raise OSError."""
    text = json.dumps(
        {
            "format": FORMAT,
            "book": told.book.hex(),
            "position": told.position,
            "ids": [each.hex() for each in told.ids],
            "mails": told.mails,
        }
    )
    fresh = state_dir / f"{NAME}.new"
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(state_dir / NAME)
