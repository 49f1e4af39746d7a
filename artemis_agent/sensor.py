"""What Suricata's statistics say of itself: the newest stats event of a block of eve.json. Pure."""

import msgspec

from artemis_agent.decode import UndecodableError, decode
from artemis_agent.values import LARGEST_UINT64, integer, mapping, moment
from socme.v1.vitals_pb2 import SensorVitals

_NEEDLE = b'"event_type":"stats"'
_MOST_TRIES = 8  # lines that hold the needle and are no stats event: somebody plays with us


class _Event(msgspec.Struct):
    event_type: object = None
    timestamp: object = None
    stats: object = None


_DECODER = msgspec.json.Decoder(_Event)


def latest(data: bytearray, size: int) -> SensorVitals | None:
    """Return what the last stats event in the first `size` bytes of a block of whole lines says.

    None where there is none in the usual spelling, or none that can be read.
    """
    end = size
    for _ in range(_MOST_TRIES):
        hit = data.rfind(_NEEDLE, 0, end)
        if hit < 0:
            return None
        begin = data.rfind(b"\n", 0, hit) + 1
        stop = data.find(b"\n", hit, size)
        found = _read(bytes(memoryview(data)[begin : size if stop < 0 else stop]))
        if found is not None:
            return found
        end = begin
    return None


def _read(line: bytes) -> SensorVitals | None:
    try:
        event = decode(line, _DECODER, _Event)
    except UndecodableError:
        return None
    if event is None or event.event_type != "stats" or not isinstance(event.stats, dict):
        return None
    capture = mapping(event.stats.get("capture"))
    packets = _count(capture.get("kernel_packets"))
    if packets is None:  # read from a file, or by a capture method that does not count
        packets = _count(mapping(event.stats.get("decoder")).get("pkts"))
    detect = mapping(event.stats.get("detect"))
    engines = detect.get("engines")
    return SensorVitals(
        time=moment(event.timestamp),
        uptime_seconds=_count(event.stats.get("uptime")) or 0,
        packets=packets or 0,
        dropped=_count(capture.get("kernel_drops")) or 0,
        rules_loaded=_sum(engines, "rules_loaded"),
        rules_failed=_sum(engines, "rules_failed"),
        lost_alerts=_count(detect.get("alert_queue_overflow")) or 0,
    )


def _sum(engines: object, key: str) -> int | None:
    """Return what all detection engines (one for each tenant) say together; None where none says."""
    said = [_count(mapping(engine).get(key)) for engine in engines] if isinstance(engines, list) else []
    known = [number for number in said if number is not None]
    return min(sum(known), LARGEST_UINT64) if known else None


def _count(value: object) -> int | None:
    return integer(value, 0, LARGEST_UINT64)
