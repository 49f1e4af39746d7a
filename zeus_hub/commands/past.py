"""How a node was: a line of bars for a person, numbers for scripts."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from sqlalchemy import Engine

from socme.show import Row, count, size
from zeus_hub import history
from zeus_hub.database import EPOCH, MICROSECOND
from zeus_hub.history import HOUR, QUARTER
from zeus_hub.samples import WHOLE, Key, Point, Sample, aligned, points
from zeus_hub.sparks import sparkline

STEP = 1800  # seconds of one bar
BARS = 48  # a day
HOURS = 24  # bars of a day in a line of many nodes
PACKED_SECONDS = (
    QUARTER + 300
)  # after which an hour that has begun is there: its first quarter is packed by then
_MICROSECONDS = 1_000_000


def day(samples: Sequence[Sample], now: datetime) -> list[Point | None]:
    """Return the last 24 hours by half an hour, the oldest first; None where nothing was heard."""
    last = int(now.timestamp()) // STEP * STEP
    return aligned(points(samples, STEP), last - (BARS - 1) * STEP, STEP, BARS)


def processors(engine: Engine, now: datetime, clients: Collection[str] = ()) -> dict[Key, str]:
    """Return how busy the processors of all nodes, or of some clients', were: a bar for each of 24 hours.

    Of all numbers that are kept it tells most at a glance: when a machine was heard, when it works, and
    when it does more than usual. Spool and lag are 0 nearly always. Blocks on the database.
    """
    newest = (int(now.timestamp()) - PACKED_SECONDS) // HOUR * HOUR
    begin = newest - (HOURS - 1) * HOUR
    found = history.fleet(engine, now, clients)
    return {key: _bars(aligned(hours, begin, HOUR, HOURS), "cpu", WHOLE) for key, hours in found.items()}


def rows(samples: Sequence[Sample], now: datetime) -> Iterator[Row]:
    """Yield a line of bars for each number that a person follows; none where nothing was heard in a day."""
    bars = day(samples, now)
    told = [point for point in bars if point is not None]
    if not told:
        return
    newest = samples[-1]
    yield "last 24 h", f"{'24 h ago':<{BARS - 3}}now"
    for name, most in (("cpu", "cpu_most"), ("memory", "memory_most"), ("disk", "disk")):
        shown = f"{_percent(getattr(newest, name))} last, at most {_percent(_most(told, most))}"
        yield f"  {name}", f"{_bars(bars, name, WHOLE)}  {shown}"
    for name, shown in (
        ("spool", f"{count(newest.spool)} alerts last, at most {count(_most(told, 'spool') or 0)}"),
        ("lag", f"{size(newest.lag)} last, at most {size(_most(told, 'lag') or 0)}"),
        ("dropped", _drops(told)),
        ("records", f"{count(_sum(told, 'records'))} read, {count(_sum(told, 'spooled'))} alerts spooled"),
    ):
        yield f"  {name}", f"{_bars(bars, name)}  {shown}"


def sample_view(sample: Sample) -> dict[str, object]:
    """Return a node's numbers at one moment, as JSON has them: shares from 0 to 1."""
    return {
        "time": _time(sample.seconds),
        "cpu": _share(sample.cpu),
        "memory": _share(sample.memory),
        "disk": _share(sample.disk),
        **_rest(sample),
    }


def view(point: Point) -> dict[str, object]:
    """Return what a span of time comes to, likewise."""
    return {
        "time": _time(point.seconds),
        "samples": point.samples,
        "cpu": _share(point.cpu),
        "cpu_most": _share(point.cpu_most),
        "memory": _share(point.memory),
        "memory_most": _share(point.memory_most),
        "disk": _share(point.disk),
        **_rest(point),
    }


def _rest(told: Sample | Point) -> dict[str, object]:
    return {
        "spool_alerts": told.spool,
        "lag_bytes": told.lag,
        "packets": told.packets,
        "dropped": told.dropped,
        "records": told.records,
        "spooled": told.spooled,
        "clock_offset_seconds": None if told.clock_ms is None else told.clock_ms / 1000,
    }


def _time(seconds: int) -> str:
    return (EPOCH + seconds * _MICROSECONDS * MICROSECOND).isoformat().replace("+00:00", "Z")


def _bars(bars: Sequence[Point | None], name: str, top: int | None = None) -> str:
    return sparkline([None if point is None else getattr(point, name) for point in bars], top)


def _most(told: Sequence[Point], name: str) -> int | None:
    return max((found for point in told if (found := getattr(point, name)) is not None), default=None)


def _sum(told: Sequence[Point], name: str) -> int:
    return sum(getattr(point, name) for point in told)


def _drops(told: Sequence[Point]) -> str:
    packets, dropped = _sum(told, "packets"), _sum(told, "dropped")
    if not packets:
        return "no packets seen"
    return f"{count(dropped)} of {count(packets)} packets ({dropped / max(packets, dropped):.2%})"


def _percent(share: int | None) -> str:
    return "unknown" if share is None else f"{share / WHOLE:.0%}"


def _share(share: int | None) -> float | None:
    return None if share is None else share / WHOLE
