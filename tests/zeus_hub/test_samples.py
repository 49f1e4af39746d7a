"""The numbers that are kept of vitals over time."""

import math
import zlib
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme.v1.vitals_pb2 import Vitals
from zeus_hub import samples
from zeus_hub.samples import EVERY, MOST, Sample, Waiting, join, pack, points, sample, summary, unpack

KEY = ("acme", "n1")
ONE = Sample(
    seconds=1000,
    cpu=70,
    memory=330,
    disk=260,
    spool=5,
    lag=10,
    packets=100,
    dropped=1,
    records=50,
    spooled=4,
    clock_ms=-3,
)


def told(records: int = 0, packets: int | None = None, dropped: int = 0, name: str = "eve.json") -> Vitals:
    made = Vitals()
    source = made.sources.add(name=name, records=records, spooled=records // 10)
    if packets is not None:
        source.sensor.packets, source.sensor.dropped = packets, dropped
    return made


def test_the_numbers_of_vitals() -> None:
    vitals = told()
    vitals.cpu_usage, vitals.cpu_count = 0.0724, 4
    vitals.memory.total_bytes, vitals.memory.used_bytes = 1000, 333
    for mount, part in (("/", 20), ("/var", 91)):
        disk = vitals.disks.add(mountpoint=mount)
        disk.capacity.total_bytes, disk.capacity.used_bytes = 100, part
    vitals.spool.alerts, vitals.clock_offset_seconds = 7, -1.25
    vitals.sources[0].lag_bytes = 11
    found = sample(vitals, None, 1000)

    assert (found.seconds, found.cpu, found.memory, found.disk) == (1000, 72, 333, 910)
    assert (found.spool, found.lag, found.clock_ms) == (7, 11, -1250)
    assert (found.packets, found.records) == (0, 0), "nothing is known to be added yet"


def test_what_was_not_told_is_none() -> None:
    found = sample(Vitals(), None, 0)

    assert (found.cpu, found.memory, found.disk, found.clock_ms) == (None, None, None, None)


def test_counters_become_what_was_added() -> None:
    found = sample(told(records=150, packets=1100, dropped=7), told(records=100, packets=1000, dropped=5), 0)

    assert (found.records, found.spooled, found.packets, found.dropped) == (50, 5, 100, 2)


def test_a_counter_that_begins_anew_counts_from_nothing() -> None:
    found = sample(told(records=150, packets=30), told(records=100, packets=1000, dropped=5), 0)

    assert (found.packets, found.dropped, found.records) == (30, 0, 50)


def test_a_source_or_a_sensor_that_is_new_adds_nothing() -> None:
    """Its counters may be years old."""
    assert sample(told(records=10**6, name="new.json"), told(), 0).records == 0
    assert sample(told(packets=10**6), told(), 0).packets == 0


def test_whatever_a_node_claims_fits_the_database() -> None:
    vitals = told(records=2**64 - 1, packets=2**64 - 1)
    vitals.cpu_usage, vitals.cpu_count, vitals.clock_offset_seconds = math.nan, 1, math.inf
    vitals.spool.alerts = vitals.sources[0].lag_bytes = 2**64 - 1
    vitals.memory.total_bytes, vitals.memory.used_bytes = 1, 2**64 - 1
    found = sample(vitals, told(packets=0), 0)

    assert (found.cpu, found.clock_ms, found.memory) == (None, None, 1000)
    assert {found.spool, found.lag, found.records, found.packets} == {MOST}
    for offset, kept in ((-1e300, -MOST), (1e306, MOST), (math.nan, None)):  # a thousand times 1e306 is none
        vitals.clock_offset_seconds = offset
        assert sample(vitals, None, 0).clock_ms == kept


def test_two_samples_of_a_moment_are_the_newer_one_with_what_both_added() -> None:
    found = join(ONE, replace(ONE, seconds=1003, cpu=90, spool=0, packets=11))

    assert (found.seconds, found.cpu, found.spool, found.packets, found.records) == (1003, 90, 0, 111, 100)


NUMBERS = st.integers(0, MOST)
SHARES = st.none() | st.integers(0, 1000)
SAMPLES = st.builds(
    Sample,
    seconds=st.integers(0, 2**33),
    cpu=SHARES,
    memory=SHARES,
    disk=SHARES,
    spool=NUMBERS,
    lag=NUMBERS,
    packets=NUMBERS,
    dropped=NUMBERS,
    records=NUMBERS,
    spooled=NUMBERS,
    clock_ms=st.none() | st.integers(-MOST, MOST),
)


@given(st.lists(SAMPLES, max_size=20, unique_by=lambda one: one.seconds))
def test_what_is_packed_is_unpacked_in_order(many: list[Sample]) -> None:
    assert unpack(pack(many)) == sorted(many, key=lambda one: one.seconds)


def test_a_quarter_of_an_hour_takes_little() -> None:
    many = [
        replace(ONE, seconds=1000 + 30 * number, cpu=70 + number % 7, packets=90_000 + number * 37 % 1000)
        for number in range(30)
    ]

    assert len(pack(many)) < 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff" * 30,
        zlib.compress(b"\xc1"),
        zlib.compress(msgspec.msgpack.encode([[1], [2]])),
        zlib.compress(msgspec.msgpack.encode([[1, 2], [3]])),
        zlib.compress(bytes(samples.LARGEST_BODY * 3)),
    ],
)
def test_a_damaged_pack_is_empty(body: bytes) -> None:
    assert unpack(body) == []


def test_a_summary() -> None:
    low = replace(ONE, cpu=None, memory=100, disk=None, spool=0, lag=99, clock_ms=2)
    found = summary(900, [ONE, low])

    assert (found.seconds, found.samples, found.cpu, found.cpu_most) == (900, 2, 70, 70)
    assert (found.memory, found.memory_most, found.disk) == (215, 330, 260)
    assert (found.spool, found.lag, found.clock_ms) == (5, 99, -3)
    assert (found.packets, found.dropped, found.records, found.spooled) == (200, 2, 100, 8)


def test_points_leave_out_spans_without_samples() -> None:
    many = [replace(ONE, seconds=seconds) for seconds in (0, 30, 60, 185)]

    assert [(one.seconds, one.samples) for one in points(many, 60)] == [(0, 2), (60, 1), (180, 1)]


def test_of_one_node_one_sample_of_a_few_seconds_waits() -> None:
    waiting = Waiting()
    for seconds in (1000, 1001, 1004, 1005):
        waiting.add(KEY, replace(ONE, seconds=seconds))
    done = waiting.take(1000 + EVERY)

    assert list(done) == [(KEY, 1000)]
    assert (done[KEY, 1000].seconds, done[KEY, 1000].records) == (1000, 150)
    assert list(waiting.take()) == [(KEY, 1005)]
    assert waiting.take() == {}


def test_what_waits_for_a_database_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MOST_WAITING", 3)
    waiting = Waiting()
    for number in range(5):
        waiting.add(KEY, replace(ONE, seconds=number * EVERY))
    taken = waiting.take()
    waiting.add(KEY, replace(ONE, seconds=5 * EVERY))
    waiting.give_back(taken)

    assert [place[1] for place in waiting.take()] == [15, 20, 25]
