"""The conditions that are open, as notes in the journal, and the ids of the alerts that tell of them.

Each is written down in the transaction that takes the alert that tells of it, and forgotten with the alert
that tells of its end. So a crash neither loses nor repeats one, and none has to wait for the database.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping

from socme.batch import ID_BYTES
from zeus_hub.database import microseconds, moment
from zeus_hub.raising import Key, Open

PREFIX = "condition:"  # of the notes


def name(key: Key) -> str:
    """Return the name of a condition's note; a node chooses its subject, which may be long."""
    return PREFIX + hashlib.blake2b("\0".join(key).encode(), digest_size=16).hexdigest()


def encode(one: Open) -> bytes:
    """Return a condition as a note."""
    since = microseconds(one.since)
    return json.dumps([*one.key, since, int(one.severity), one.message, int(one.told)]).encode()


def read(notes: Mapping[str, bytes]) -> list[Open]:
    """Return the conditions in notes, by client, node, kind and subject."""
    return sorted(_decoded(notes), key=lambda one: one.key)


def identify(condition: Open, *, raised: bool) -> bytes:
    """Return the id of the alert that raises a condition, with a severity, or clears it."""
    state = f"raised {condition.told}" if raised else "cleared"
    words = (*condition.key, str(microseconds(condition.since)), state)
    return hashlib.blake2b("\0".join(words).encode(), digest_size=ID_BYTES).digest()


def _decoded(notes: Mapping[str, bytes]) -> Iterator[Open]:
    for note in notes.values():
        client, node, kind, subject, since, severity, message, told = json.loads(note)
        yield Open(client, node, kind, subject, moment(since), severity, message, told)
