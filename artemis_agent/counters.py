"""What became of everything that was read from one source; committed together with what it counts.

The counters are kept as a SourceVitals message, so that they grow with the contract and survive updates.
"""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from google.protobuf.message import DecodeError

from socme.v1.vitals_pb2 import SensorVitals, SourceVitals


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since the first start of the spool's epoch; the meaning of each is SourceVitals'."""

    bytes: int = 0
    records: int = 0
    alerts: int = 0
    spooled: int = 0
    undecodable: int = 0
    lost_bytes: int = 0
    rotations: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    rolled_up: int = 0
    made: int = 0
    """Of those spooled, the ones that are no lines (roll-ups, gaps); for the ledger alone, in no note."""
    not_alert: int = 0
    """Lines that were passed over or turned out to be no alerts; for the ledger alone, in no note."""

    def __add__(self, other: "Counters") -> "Counters":
        return Counters(
            bytes=self.bytes + other.bytes,
            records=self.records + other.records,
            alerts=self.alerts + other.alerts,
            spooled=self.spooled + other.spooled,
            undecodable=self.undecodable + other.undecodable,
            lost_bytes=self.lost_bytes + other.lost_bytes,
            rotations=self.rotations + other.rotations,
            dropped=Counter(self.dropped) + Counter(other.dropped) if other.dropped else self.dropped,
            rolled_up=self.rolled_up + other.rolled_up,
            made=self.made + other.made,
            not_alert=self.not_alert + other.not_alert,
        )


def tally(read: Counters) -> dict[str, int]:
    """Return what the ledger books of what was read: the lines, and what became of each.

    Each figure was counted by itself: where they do not come out even, something was lost on the way. The
    spool itself books what it takes.
    """
    booked = {
        "read": read.records,
        "not_alert": read.not_alert,
        "undecodable": read.undecodable,
        "rolled_up": read.rolled_up,
        "made": read.made,
    }
    booked |= {f"filtered:{rule}": number for rule, number in read.dropped.items()}
    return {key: number for key, number in booked.items() if number}


def message(counters: Counters, *, name: str, kind: str) -> SourceVitals:
    """Return the vitals of a source as far as they are counters."""
    return SourceVitals(
        name=name,
        kind=kind,
        bytes=counters.bytes,
        records=counters.records,
        alerts=counters.alerts,
        spooled=counters.spooled,
        undecodable=counters.undecodable,
        lost_bytes=counters.lost_bytes,
        rotations=counters.rotations,
        dropped=counters.dropped,
        rolled_up=counters.rolled_up,
    )


def read(note: bytes | None) -> SourceVitals:
    """Return the message that a note holds; an empty one where there is none or it is damaged."""
    try:
        return SourceVitals.FromString(note or b"")
    except DecodeError:
        return SourceVitals()


@dataclass(slots=True)
class Last:
    """What a source gave last: known over a restart, for one that stands still does so over it, too."""

    record: float | None = None
    """When its last record was read, by the monotonic clock; None for never."""
    sensor: SensorVitals | None = None
    """What the sensor said of itself, as far as that is known."""

    @classmethod
    def of(cls, noted: SourceVitals, now: datetime) -> "Last":
        """Return what was noted. `now` is by the clock on the wall, whatever that did meanwhile.

        So the age of the last record is never less than nothing, nor more than the machine has run: what
        it did not see while it was off was no silence.
        """
        sensor = noted.sensor if noted.HasField("sensor") else None
        if not noted.HasField("last_record"):
            return cls(None, sensor)
        age = now.timestamp() - noted.last_record.ToMicroseconds() / 1e6
        age = min(max(0.0, age), time.clock_gettime(time.CLOCK_BOOTTIME))
        return cls(time.monotonic() - age, sensor)

    def tell(self, vitals: SourceVitals, sensor: SensorVitals | None) -> None:
        """Add it to vitals; `sensor` is what the sensor said since the start, if anything."""
        self.sensor = sensor or self.sensor
        if self.sensor is not None:
            vitals.sensor.CopyFrom(self.sensor)
        if self.record is not None:
            vitals.last_record_age_seconds = time.monotonic() - self.record

    def note(self, totals: SourceVitals, sensor: SensorVitals | None, now: datetime) -> None:
        """Add it to what is noted."""
        self.tell(totals, sensor)
        if totals.HasField("last_record_age_seconds"):
            age = timedelta(seconds=totals.last_record_age_seconds)
            totals.ClearField("last_record_age_seconds")  # true for a moment only
            totals.last_record.FromDatetime(now - age)


def parse(note: bytes | None) -> Counters:
    """Return the counters that a note holds; zeros where there is none or it is damaged."""
    vitals = read(note)
    return Counters(
        bytes=vitals.bytes,
        records=vitals.records,
        alerts=vitals.alerts,
        spooled=vitals.spooled,
        undecodable=vitals.undecodable,
        lost_bytes=vitals.lost_bytes,
        rotations=vitals.rotations,
        dropped=dict(vitals.dropped),
        rolled_up=vitals.rolled_up,
    )
