"""What could not be read, or the hub did not take, kept for a person: where it stood, why, and how it begins.

One JSON object a line in `<folder>/dead-letters.jsonl`, in plain ASCII, so that nothing in it can reach a
terminal as a command; the line before it was full is in `dead-letters.jsonl.1`. Letters are on disk before
the position behind them is committed, so one is never lost by a crash, but may be there twice: file and
offset tell. A full disk or a lost folder never stops the alerts: what cannot be kept is counted.
"""

import base64
import json
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from socme import logs

NAME = "dead-letters.jsonl"
LARGEST = 8 * 1024 * 1024  # bytes of one of the two files, and of what one call may write
LONGEST_HEAD = 4096  # bytes of a record that are kept
LONGEST_READABLE = 512  # characters of them that are shown as text as well

LOG = logging.getLogger("artemis.dead_letter")


@dataclass(frozen=True, slots=True)
class Letter:
    """A record that could not be read or sent."""

    source: str
    """The source's name."""
    file: bytes
    """Identity of its file; empty where that is no longer known."""
    offset: int
    """Where it begins in that file, in bytes."""
    size: int
    """How long it is, in bytes."""
    reason: str
    """Why it is here."""
    head: bytes
    """The record, or how it begins."""


class DeadLetters:
    """The dead letters of one node. Calls block on the disk and are made from one thread at a time.

    The file is opened for each call: there are few, and whoever takes the file away takes nothing with
    it that is still to come.
    """

    def __init__(self, folder: Path, *, largest_bytes: int = LARGEST) -> None:
        self._path = folder / NAME
        self._older = folder / f"{NAME}.1"
        self._largest = largest_bytes
        self._failing = False

    def append(self, letters: Sequence[Letter], *, observed: datetime) -> int:
        """Write letters to disk; return how many could not be kept.

        Those are all of them where the disk refuses, which is logged when it begins and when it ends, and
        the last ones where a single call brings more than a whole file holds.
        """
        if not letters:
            return 0
        lines = _as_fit(letters, observed.astimezone(UTC), self._largest)
        try:
            self._write(b"".join(lines))
        except OSError as error:
            self._say(error)
            return len(letters)
        self._say(None)
        return len(letters) - len(lines)

    def _write(self, text: bytes) -> None:
        file = _open(self._path)
        try:
            size = file.seek(0, os.SEEK_END)
            if size and size + len(text) > self._largest:
                file.close()
                self._path.replace(self._older)
                file = _open(self._path)
            elif _torn(file, size):
                file.write(b"\n")
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        finally:
            file.close()

    def _say(self, error: OSError | None) -> None:
        if error is not None and not self._failing:
            logs.event(
                LOG, logging.ERROR, "dead letters cannot be kept, only counted", path=self._path, error=error
            )
        elif error is None and self._failing:
            logs.event(LOG, logging.INFO, "dead letters are kept again", path=self._path)
        self._failing = error is not None


def _as_fit(letters: Iterable[Letter], observed: datetime, largest: int) -> list[bytes]:
    lines: list[bytes] = []
    room = largest
    for letter in letters:
        line = _line(letter, observed)
        if len(line) > room:
            break
        room -= len(line)
        lines.append(line)
    return lines


def _line(letter: Letter, observed: datetime) -> bytes:
    head = letter.head[:LONGEST_HEAD]
    fields = {
        "time": observed.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z",
        "source": letter.source,
        "file": letter.file.hex(),
        "offset": letter.offset,
        "size": letter.size,
        "reason": letter.reason,
        "head": head.decode("utf-8", "replace")[:LONGEST_READABLE],
        "head_base64": base64.b64encode(head).decode(),
    }
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def _open(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), "a+b")


def _torn(file: BinaryIO, size: int) -> bool:
    """Return whether the file ends within a line, because a crash cut it off."""
    if not size:
        return False
    file.seek(size - 1)
    return file.read(1) != b"\n"
