"""Whether the hub takes a batch, judged by its envelope; the alerts inside are not looked at. Pure."""

from dataclasses import dataclass
from enum import Enum, auto

from google.protobuf.message import DecodeError

from socme import VERSION
from socme.text import clean
from socme.v1.uplink_pb2 import AlertBatch, Dropped, Encoding
from zeus_hub.marks import GivenUp

HIGHEST_LANE = 15  # each lane costs a note in the journal
HIGHEST_SEQUENCE = 2**63 - 1  # what the journal can hold; at 1,000 batches a second, for 292 million years
# Of one batch, decompressed. A node cuts batches at 1 MiB and puts at least one alert of about 2 MiB in;
# what is more, one of few bytes could take any amount of memory behind here.
LARGEST_BATCH = 8 * 1024 * 1024
MOST_ALERTS = 5000  # in one batch; a node puts 500 in. Each costs some KiB of memory, however small it is
LARGEST_DROPPED = 1024  # bytes
LONGEST_REASON = 64  # characters


class Fault(Enum):
    """Whose fault it is that a batch is not taken."""

    BATCH = auto()
    """The batch's: a smaller one would be taken."""
    CONTRACT = auto()
    """The node's: nothing that it says can be relied on."""
    AGE = auto()
    """The hub's: it is too old to know it."""


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a batch is not taken."""

    fault: Fault
    reason: str
    """For people."""


def objection(batch: AlertBatch) -> Objection | None:
    """Return why a batch is not taken; None where it is."""
    if not 0 <= batch.lane <= HIGHEST_LANE:
        return Objection(Fault.CONTRACT, f"the lane {batch.lane} is not 0 to {HIGHEST_LANE}")
    if not 0 < batch.sequence <= HIGHEST_SEQUENCE:
        return Objection(Fault.CONTRACT, f"the sequence {batch.sequence} is out of range")
    match batch.encoding:
        case Encoding.ENCODING_ZSTD:
            reason = _too_much(batch)
        case Encoding.ENCODING_DROPPED:
            reason = _not_dropped(batch)
        case _:
            unknown = f"this hub ({VERSION}) does not know the encoding {batch.encoding}: update the hub"
            return Objection(Fault.AGE, unknown)
    return Objection(Fault.BATCH, reason) if reason else None


def given_up(batch: AlertBatch) -> GivenUp | None:
    """Return what a batch without objection says instead of alerts; None where it holds alerts."""
    if batch.encoding != Encoding.ENCODING_DROPPED:
        return None
    dropped = Dropped.FromString(batch.payload)
    return GivenUp(dropped.first_sequence, dropped.alerts, clean(dropped.reason, LONGEST_REASON) or "unknown")


def _too_much(batch: AlertBatch) -> str:
    """Return which bound a batch of alerts breaks; empty for none."""
    problems = (
        (batch.decoded_bytes > LARGEST_BATCH, f"a batch of {batch.decoded_bytes} bytes is too large"),
        (batch.alerts > MOST_ALERTS, f"a batch of {batch.alerts} alerts is too large"),
        (not batch.alerts or not batch.payload, "a batch without alerts"),
    )
    return next((reason for wrong, reason in problems if wrong), "")


def _not_dropped(batch: AlertBatch) -> str:
    """Return why a batch is no word of what was given up; empty where it is one."""
    try:
        dropped = Dropped.FromString(batch.payload[: LARGEST_DROPPED + 1])
    except DecodeError:
        return "what it says of alerts that were given up cannot be read"
    problems = (
        (len(batch.payload) > LARGEST_DROPPED, "what it says of alerts that were given up is too long"),
        (bool(batch.alerts), "it holds alerts and says that they were given up"),
        (not 0 < dropped.first_sequence <= batch.sequence, "it stands for sequences that are not before it"),
    )
    return next((reason for wrong, reason in problems if wrong), "")
