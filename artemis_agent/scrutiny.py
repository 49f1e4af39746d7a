"""Whether what a spool holds is what was put there, value by value: SQLite looks at its pages only.

Looked at before it leaves, at a start behind a doubt, and by `artemis spool check`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from google.protobuf.message import DecodeError

from artemis_agent import ledger
from artemis_agent.numbering import DROPPED, dropped_in
from socme import batch
from socme.batch import BatchError, Packed
from socme.journal import LOWEST, Entry, Outline, check_of_note
from socme.v1.alert_pb2 import Alert

DAMAGE = (ArithmeticError, AssertionError, AttributeError, DecodeError, LookupError, TypeError, ValueError)
"""What a value that was changed may end in, wherever it is used."""
PORTION = 16  # entries that are read at once: each may have a mebibyte
_ENTRIES = f"""
SELECT position, encoding, alerts, decoded_bytes, payload, sequence FROM entry
WHERE position > ? ORDER BY position LIMIT {PORTION}
"""  # noqa: S608 - constants
_UNORDERED = """
SELECT count(*) FROM (SELECT sequence <= lag(sequence) OVER (PARTITION BY lane ORDER BY position) AS wrong
FROM entry INDEXED BY entry_lane) WHERE wrong
"""
_NOTES = 'SELECT key, value, "check" FROM note'
_HELD = "SELECT count(*) FROM sqlite_schema WHERE name = 'held_first'"
# Made by artemis_agent/held_rows.py where a spool is opened; one that is only looked at may lack them.
_WINDOWS = "SELECT count(*) FROM held LEFT JOIN held_first USING (source, key) WHERE alert IS NULL"
_FIRSTS = "SELECT alert FROM held_first"

Query = Callable[[str, Iterable[object]], list[tuple[object, ...]]]


def verify(packed: Packed, sequence: int) -> None:
    """Raise BatchError unless what an entry holds is sound; `sequence` is the entry's own, on disk."""
    if packed.encoding != DROPPED:
        batch.verify(packed)
    elif not 0 < dropped_in(packed.payload).first_sequence <= sequence:
        raise BatchError("stands for alerts that were never there")


def leaving(entries: Sequence[Entry], outlines: Sequence[Outline]) -> None:
    """Raise BatchError where entries are not sound, or not what the index says of them."""
    if len(entries) != len(outlines):
        raise BatchError(f"the index knows {len(outlines)} entries where {len(entries)} are")
    for entry, outline in zip(entries, outlines, strict=True):
        packed = entry.packed
        of_entry = (entry.position, entry.origin, entry.sequence, entry.received_us)
        of_index = (outline.position, outline.origin, outline.sequence, outline.received_us)
        if of_entry != of_index or (packed.alerts, packed.encoding) != (outline.alerts, outline.encoding):
            raise BatchError(f"the entry at {entry.position} is not what the index says")
        try:
            verify(packed, entry.sequence)
        except BatchError as error:
            raise BatchError(f"the entry at {entry.position} {error}") from error


def order(query: Query) -> str:
    """Return what is wrong with the order of the entries; empty where it is right. Reads the index alone."""
    ((wrong,),) = query(_UNORDERED, ())
    return f"{wrong} entries are out of order" if wrong else ""


def faults(query: Query) -> Iterator[str]:
    """Yield what is wrong with the values of a spool whose pages are sound; reads all of it."""
    if wrong := order(query):
        yield wrong
    yield from _entries(query)
    for key, value, check in query(_NOTES, ()):
        if check != check_of_note(str(key), _bytes(value)):
            yield f"the note {key!r} was changed"
    try:
        ledger.hours(query, ())
    except DAMAGE as error:
        yield f"the ledger: {error}"
    if query(_HELD, ()) == [(1,)]:
        yield from _held(query)


def _entries(query: Query) -> Iterator[str]:
    after: object = LOWEST
    while rows := query(_ENTRIES, (after,)):
        for after, encoding, alerts, size, payload, sequence in rows:
            try:
                verify(_packed(payload, encoding, alerts, size), _number(sequence))
            except DAMAGE as error:
                yield f"the entry at {after} {error}"


def _held(query: Query) -> Iterator[str]:
    ((lone,),) = query(_WINDOWS, ())
    if lone:
        yield f"{lone} roll-ups have lost their first alert"
    for (alert,) in query(_FIRSTS, ()):
        try:
            Alert.FromString(_bytes(alert))
        except DAMAGE as error:
            yield f"the first alert of a roll-up: {error}"


def _packed(payload: object, encoding: object, alerts: object, size: object) -> Packed:
    return Packed(_bytes(payload), _number(encoding), _number(alerts), _number(size))


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise BatchError("holds no bytes")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise BatchError("holds no number")
    return value
