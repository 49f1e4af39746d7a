"""A look at a spool from outside, whether its agent runs or not."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from artemis_agent.numbering import number
from artemis_agent.salvage import FILE
from artemis_agent.shelf import ENTRY_BYTES
from socme.errors import OperatorError
from socme.journal import Depth
from socme.journal_file import refuse_other_versions


@dataclass(frozen=True, slots=True)
class Peek:
    """What a spool holds, seen from outside the agent that owns it."""

    notes: Mapping[str, bytes]
    depth: Depth

    @property
    def acknowledged(self) -> int:
        """Alerts that the hub has taken since the spool was made."""
        return number(self.notes.get("acknowledged"))

    @property
    def dropped(self) -> dict[str, int]:
        """Alerts that were given up after they had been spooled, by reason."""
        return {reason: number(note) for reason, note in self.of_sources("dropped").items()}

    def of_sources(self, what: str) -> dict[str, bytes]:
        """Return each source's "position" or "counters", by its name."""
        prefix = f"{what}:"
        return {key.removeprefix(prefix): note for key, note in self.notes.items() if key.startswith(prefix)}


def peek(state_dir: Path) -> Peek | None:
    """Return what the spool of a state folder holds, None for no spool; its agent is not disturbed."""
    path = state_dir / FILE
    try:
        if not path.is_file():
            return None
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            refuse_other_versions(db, path)
            notes = {str(key): bytes(value) for key, value in db.execute("SELECT key, value FROM note")}
            row = db.execute(
                "SELECT count(*), coalesce(sum(alerts), 0), coalesce(sum(bytes), 0), min(received_us)"
                " FROM entry"
            ).fetchone()
    except (OSError, sqlite3.Error) as error:
        raise OperatorError(
            f"cannot read {path}: {error}", "Run this as the user that artemis runs as, or as root."
        ) from error
    return Peek(notes, Depth(*row))


def size_of(depth: Depth) -> int:
    """Return what all that waits takes on disk, in bytes, about."""
    return depth.bytes + ENTRY_BYTES * depth.entries
