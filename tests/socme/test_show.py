import math
from datetime import UTC, datetime, timedelta

import pytest

from socme import show
from socme.v1.vitals_pb2 import (
    CanaryVitals,
    SensorVitals,
    SourceVitals,
    SpoolVitals,
)

SOURCE = SourceVitals(
    name="/var/log/eve.json",
    kind="suricata",
    bytes=3 * 1024**2,
    records=1000,
    alerts=12,
    spooled=10,
    dropped={"min_severity": 2},
    undecodable=1,
    lag_bytes=5,
    last_record_age_seconds=61.0,
    problem="permission denied\x1b[2J",
    lost_bytes=2048,
    rolled_up=1500,
    canary=CanaryVitals(interval_seconds=60, written=9, read=8, spooled=8, acknowledged=7),
    sensor=SensorVitals(packets=2000, dropped=20),
)
SPOOL = SpoolVitals(
    alerts=3,
    bytes=1500,
    oldest_age_seconds=2.0,
    acknowledged=1_234_567,
    capacity_bytes=1 << 30,
    dropped={"age": 4},
    unaccounted=5,
    problem="the disk is full",
)


def test_everything_is_shown_on_aligned_safe_lines() -> None:
    text = "\n".join(show.lines([*show.source_rows(SOURCE), *show.spool_rows(SPOOL)]))

    for words in (
        "12 alerts in 3.0 MiB, 10 spooled",
        "dropped: min_severity 2",
        "undecodable: 1",
        "lost: 2.0 KiB",
        "5 B behind, last record 1 min 1 s ago",
        "PROBLEM: permission denied",
        "rolled up: 1,500",
        "canaries: 9 written, 8 read, 7 at the hub",
        "sensor: 2,000 packets, 20 dropped (1.00%)",
        "3 alerts wait (1.5 KiB of 1.0 GiB, oldest 2 s), 1,234,567 acknowledged",
        "given up: age 4",
        "UNACCOUNTED: 5",
        "PROBLEM: the disk is full",
    ):
        assert words in text
    assert "\x1b" not in text
    columns = [
        next(line.index(word) for line in text.split("\n") if word in line) for word in ("12 a", "3 a")
    ]
    assert len(set(columns)) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (86_400, "1 d 0 h"),
        (math.nan, "unknown"),
        (-math.inf, "unknown"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert show.duration(seconds) == text


@pytest.mark.parametrize(
    ("past", "text"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(minutes=60), "1 h"),
        (timedelta(hours=47), "1 d"),
    ],
)
def test_ages(past: timedelta, text: str) -> None:
    assert show.age(past) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1024**3, "1.0 GiB"), (1024**5, "1024.0 TiB")],
)
def test_sizes(number: int, text: str) -> None:
    assert show.size(number) == text


def test_times() -> None:
    assert show.iso(datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)) == "2026-11-22T01:02:03.000000Z"
    assert show.iso(None) is None


def test_a_sensor_that_drops_nothing_says_so() -> None:
    assert show.sensor_line(SensorVitals(packets=7)) == "sensor: 7 packets, none dropped"
    assert show.sensor_line(SensorVitals(packets=7, lost_alerts=3)).endswith(
        "none dropped, 3 alerts LOST (alert_queue_overflow)"
    )
    assert "(100.00%)" in show.sensor_line(SensorVitals(dropped=7))
