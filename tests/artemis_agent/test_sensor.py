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


def test_rules_of_all_engines_and_alerts_that_were_lost() -> None:
    """As 7.0.10 writes it; with tenants there are several engines."""
    engine = {
        "id": 0,
        "last_reload": "2026-11-28T23:28:03.873554+0000",
        "rules_loaded": 38_000,
        "rules_failed": 2,
        "rules_skipped": 0,
    }
    found = latest(stats(detect={"engines": [engine, engine], "alert": 5, "alert_queue_overflow": 7}))

    assert found is not None
    assert (found.rules_loaded, found.rules_failed, found.lost_alerts) == (76_000, 4, 7)


@pytest.mark.parametrize(
    "detect", [None, 7, {}, {"engines": None}, {"engines": [None, {"rules_loaded": "x"}]}]
)
def test_a_sensor_that_says_nothing_of_rules(detect: object) -> None:
    found = latest(stats(detect=detect))

    assert found is not None
    assert not found.HasField("rules_loaded")
    assert not found.HasField("rules_failed")


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
