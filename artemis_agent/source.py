"""What a source of alerts is: records with positions out. A tailed file is the first kind.

Wazuh 5 has no alerts.json; its source will poll an indexer and give the same records. Values on the way from
a file to the spool are structures of msgspec: they are made in a fifth of the time that a dataclass takes.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from socme.v1.vitals_pb2 import SensorVitals

Kind = Literal["suricata", "wazuh"]
"""What writes a source."""


class Record(msgspec.Struct, frozen=True, gc=False):  # holds no cycles, and millions are made
    """One record that may be an alert, as the source wrote it."""

    raw: bytes
    """The line, byte for byte, without its line feed."""
    file: bytes
    """Identity of the file: the same for as long as the file lives, through renames and restarts."""
    offset: int
    """Where the line begins in that file, in bytes."""


class Reject(msgspec.Struct, frozen=True):
    """Something in the source that cannot be a record: a line that is too long, or never ended."""

    head: bytes
    """How it begins."""
    size: int
    """How long it is, in bytes."""
    file: bytes
    """Identity of the file."""
    offset: int
    """Where it begins, in bytes."""
    reason: str
    """Why, in a few words."""


class Gap(msgspec.Struct, frozen=True):
    """Lines that the source held once and that can no longer be had. Told once: by one reading."""

    file: bytes
    """Identity of the file, the same that its records carry."""
    offset: int
    """Where in that file they began, in bytes."""
    size: int | None
    """How many bytes are known to be lost: those that were seen there. There may have been more. None where
    it is not known whether there were any."""
    reason: str
    """Why they are lost, in a few words for people."""


class Reading(msgspec.Struct, frozen=True):
    """What one read of a source gave."""

    records: Sequence[Record]
    """Records that may be alerts, in order. Whoever takes them confirms by decoding."""
    rejects: Sequence[Reject]
    """What cannot be a record."""
    position: bytes
    """Where the source stands after this reading; opaque. To be saved in one transaction with what became
    of the records, and given back when the source is opened again."""
    bytes: int
    """How much was read."""
    lines: int
    """How many lines that was: those in `records`, in `rejects`, and those passed over. Blank ones are left
    out as far as that can be seen without looking at each."""
    more: bool
    """Whether there is more to read right now."""
    passed: int = 0
    """How many of the lines were passed over: they are certainly no alerts. Counted where that is decided,
    never as the rest, so that a record that is lost on its way to the spool shows in the ledger."""
    gaps: Sequence[Gap] = ()
    """What is lost; the position stands behind it, so that it is not told again."""


class Health(msgspec.Struct, frozen=True):
    """How a source is."""

    lag_bytes: int
    """Bytes between the position and the end."""
    problem: str
    """Why it cannot be read ("permission denied: /var/log/…"); empty when all is well."""
    lost_bytes: int
    """Bytes known to be lost since the source was opened: the sum of the sizes of its gaps."""
    rotations: int
    """Rotations and truncations seen since the source was opened."""
    sensor: "SensorVitals | None" = None
    """What the sensor last said about itself in its log; None until it was seen."""


class Source(Protocol):
    """A place that records come from, in order.

    `read` blocks on the disk and is called from one thread at a time; it never waits for new records
    and returns an empty reading where there are none. A reading belongs to the caller: the source will
    not give its records again unless it is opened anew with an older position. A source that cannot be
    read now (missing file, no permission) gives empty readings and says why in `health`.
    """

    @property
    def name(self) -> str:
        """What people call it: its path."""

    @property
    def kind(self) -> Kind:
        """What writes it: `suricata` or `wazuh`."""

    def read(self) -> Reading:
        """Return what has come since the last reading, up to a bounded amount."""

    def look(self) -> None:
        """Take hold of what may be gone by the next `read`; called in its place while nobody takes records.

        What is lost meanwhile is told by the next reading.
        """

    def health(self) -> Health:
        """Return how the source is now."""

    async def changed(self) -> None:
        """Wait until there may be something to read; may return without cause, never misses one."""

    def close(self) -> None:
        """Let go of files and watches."""
