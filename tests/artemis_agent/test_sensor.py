"""Suricata's own statistics, as versions 6 to 8 write them."""

import json

import pytest

from artemis_agent import sensor
from socme.v1.vitals_pb2 import SensorVitals

CAPTURE = {"kernel_packets": 1000, "kernel_drops": 10}
ALERT = b'{"event_type":"alert","alert":{"signature_id":1}}'


def stats(second: int = 0, **fields: object) -> bytes:
    """Return a stats event."""
    inner = {"uptime": 3600 + second, "decoder": {"pkts": 990}, **fields}
    record = {
        "timestamp": f"2026-11-22T10:00:{second:02}.000000+0000",
        "event_type": "stats",
        "stats": inner,
    }
    return json.dumps(record, separators=(",", ":")).encode()


def latest(*lines: bytes) -> SensorVitals | None:
    block = bytearray(b"".join(line + b"\n" for line in lines))
    size = len(block)
    return sensor.latest(block + b"what was in the buffer before", size)


def test_the_newest_of_a_block() -> None:
    found = latest(stats(1, capture=CAPTURE), ALERT, stats(2, capture=CAPTURE | {"kernel_drops": 20}), ALERT)

    assert found is not None
    assert (found.uptime_seconds, found.packets, found.dropped) == (3602, 1000, 20)
    assert found.time.ToJsonString() == "2026-11-22T10:00:02Z"


def test_without_a_kernel_the_decoder_counts() -> None:
    found = latest(stats())

    assert found is not None
    assert (found.packets, found.dropped) == (990, 0)


def test_a_capture_that_saw_nothing_saw_nothing() -> None:
    """A dead tap: what the decoder counted before must not hide it."""
    found = latest(stats(capture={"kernel_packets": 0, "kernel_drops": 0}))

    assert found is not None
    assert found.packets == 0


@pytest.mark.parametrize(
    "line",
    [
        b"",
        ALERT,
        b'{"event_type":"stats"',
        b'{"event_type":"stats"}',
        b'{"event_type":"stats","stats":[1]}',
        b'{"event_type":"http","http":{"event_type":"stats","stats":{"uptime":1}}}',
    ],
)
def test_what_is_none(line: bytes) -> None:
    assert latest(line) is None


def test_what_is_none_does_not_hide_what_is_one() -> None:
    fake = b'{"event_type":"http","http":{"event_type":"stats","stats":{"uptime":1}}}'
    found = latest(stats(7), fake, b'{"event_type":"stats"')

    assert found is not None
    assert found.uptime_seconds == 3607


def test_values_of_any_kind_are_borne() -> None:
    found = latest(stats(uptime="x", capture={"kernel_packets": -1, "kernel_drops": 2**70}, decoder=[]))

    assert found is not None
    assert (found.uptime_seconds, found.packets, found.dropped) == (0, 0, 0)


def test_what_lies_behind_the_block_is_not_looked_at() -> None:
    block = bytearray(stats(1) + b"\n")
    size = len(block)

    assert sensor.latest(bytearray(ALERT + b"\n") + block, len(ALERT) + 1) is None
    assert sensor.latest(block + bytearray(stats(2)), size) == latest(stats(1))
