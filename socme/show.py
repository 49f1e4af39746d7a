"""Sources and spool as aligned lines for people; socme.view has them for scripts. Pure."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from socme.text import clean
from socme.v1.vitals_pb2 import SensorVitals, SourceVitals, SpoolVitals

LONGEST = 200  # characters of one value on a terminal
UNKNOWN = "unknown"
_KIBI = 1024.0
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60

Row: TypeAlias = tuple[str, str]


def iso(time: datetime | None) -> str | None:
    """Return a time in UTC as ISO 8601 with microseconds and "Z"; None for None."""
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z") if time else None


def source_rows(source: SourceVitals) -> Iterator[Row]:
    """Yield how one source is doing."""
    name = f"{source.kind} {source.name}"
    yield name, f"{count(source.alerts)} alerts in {size(source.bytes)}, {count(source.spooled)} spooled"
    if source.dropped:
        reasons = (f"{reason} {count(number)}" for reason, number in sorted(source.dropped.items()))
        yield "", f"dropped: {', '.join(reasons)}"
    if source.rolled_up:
        yield "", f"rolled up: {count(source.rolled_up)}"
    if source.undecodable:
        yield "", f"undecodable: {count(source.undecodable)} (see dead-letters.jsonl in the state folder)"
    if source.lost_bytes:
        yield "", f"lost: {size(source.lost_bytes)}"
    age = ", last record " + duration(source.last_record_age_seconds) + " ago"
    yield "", f"{size(source.lag_bytes)} behind" + (age if source.HasField("last_record_age_seconds") else "")
    if source.HasField("sensor"):
        yield "", sensor_line(source.sensor)
    if source.HasField("canary"):
        sung = source.canary
        yield "", f"canaries: {sung.written} written, {sung.read} read, {sung.acknowledged} at the hub"
    if source.problem:
        yield "", f"PROBLEM: {source.problem}"


def sensor_line(sensor: SensorVitals) -> str:
    """Return what a sensor says of itself."""
    seen = f"sensor: {count(sensor.packets)} packets"
    lost = f", {count(sensor.lost_alerts)} alerts LOST (alert_queue_overflow)" if sensor.lost_alerts else ""
    if not sensor.dropped:
        return f"{seen}, none dropped{lost}"
    share = sensor.dropped / max(sensor.packets, sensor.dropped)
    return f"{seen}, {count(sensor.dropped)} dropped ({share:.2%}){lost}"


def spool_rows(spool: SpoolVitals) -> Iterator[Row]:
    """Yield how the spool is."""
    held = size(spool.bytes)
    if spool.capacity_bytes:
        held += f" of {size(spool.capacity_bytes)}"
    waiting = f"{count(spool.alerts)} alerts wait ({held}"
    waiting += (
        f", oldest {duration(spool.oldest_age_seconds)})" if spool.HasField("oldest_age_seconds") else ")"
    )
    yield "spool", f"{waiting}, {count(spool.acknowledged)} acknowledged"
    if spool.dropped:
        reasons = (f"{reason} {count(number)}" for reason, number in sorted(spool.dropped.items()))
        yield "", f"given up: {', '.join(reasons)}"
    if spool.unaccounted:
        yield "", f"UNACCOUNTED: {count(spool.unaccounted)} (artemis spool check)"
    if 0 < spool.capacity_bytes <= spool.bytes:
        yield "", "PROBLEM: it is full: reading pauses until the hub has taken some of it"
    if spool.problem:
        yield "", f"PROBLEM: {spool.problem}"


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the rows as aligned lines that are safe for a terminal."""
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        yield f"{clean(name, LONGEST):{width}}  {clean(value, LONGEST)}"


def age(past: timedelta) -> str:
    """Return how long ago something was in its largest unit; 0 where a clock says that it is to come."""
    seconds = max(0, int(past.total_seconds()))
    for length, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def duration(seconds: float) -> str:
    """Return a time span in its two largest units; whoever tells it may have told NaN or infinity."""
    if not math.isfinite(seconds):
        return UNKNOWN
    whole = int(seconds)
    if whole >= _DAY:
        return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"
    if whole >= _HOUR:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    if whole >= _MINUTE:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole} s"


def size(number: float) -> str:
    """Return a number of bytes in the unit that suits it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < _KIBI:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= _KIBI
    return f"{number:.1f} TiB"


def count(number: int) -> str:
    """Return a number with its thousands set apart."""
    return f"{number:,}"
