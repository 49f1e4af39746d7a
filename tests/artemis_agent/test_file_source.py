"""A log file as a source: records with positions out, through restarts and trouble."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from artemis_agent import file_source, sensor, wake
from artemis_agent.doubt import GRACE
from artemis_agent.file_source import MOST_BLOCKS, MOST_BYTES, MOST_RECORDS, FileSource, open_file_source
from artemis_agent.line_file import BLOCK, LONGEST
from artemis_agent.tail import Tail
from artemis_agent.wake import Wake
from socme.errors import OperatorError

if TYPE_CHECKING:
    from artemis_agent.source import Gap, Record, Reject, Source

FLOW = b'{"timestamp":"2026-11-22T10:00:00.000000+0000","event_type":"flow"}\n'
LIMIT = 10.0  # seconds after which a test has failed


def alert(number: int) -> bytes:
    return b'{"timestamp":"2026-11-22T10:00:00.000000+0000","event_type":"alert","flow_id":%d}' % number


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "eve.json"


@pytest.fixture
def source(path: Path) -> Iterator[FileSource]:
    source = open_file_source(path, "suricata", "beginning", None)
    yield source
    source.close()


def test_alerts_come_with_their_bytes_their_file_and_their_offset(path: Path, source: FileSource) -> None:
    followed: Source = source
    path.write_bytes(FLOW + alert(1) + b"\r\n" + FLOW + alert(2) + b"\n")
    reading = followed.read()
    first, second = reading.records

    assert (first.raw, first.offset) == (alert(1) + b"\r", len(FLOW))
    assert (second.raw, second.offset) == (alert(2), 2 * len(FLOW) + len(alert(1)) + 2)
    assert first.file == second.file
    assert (reading.bytes, reading.lines, reading.more) == (path.stat().st_size, 4, False)
    assert (followed.name, followed.kind) == (str(path), "suricata")


def test_a_reading_is_bounded_and_says_that_there_is_more(path: Path, source: FileSource) -> None:
    path.write_bytes(FLOW * (2 * MOST_BLOCKS * BLOCK // len(FLOW)) + alert(1) + b"\n")
    readings = [source.read()]
    while readings[-1].more:
        readings.append(source.read())

    assert len(readings) > 1
    assert max(reading.bytes for reading in readings) <= MOST_BLOCKS * BLOCK
    assert sum(reading.bytes for reading in readings) == path.stat().st_size
    assert [record.raw for reading in readings for record in reading.records] == [alert(1)]


def test_a_reading_ends_in_time_where_the_disk_is_slow(
    path: Path, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(FLOW * (4 * BLOCK // len(FLOW)))
    monkeypatch.setattr(file_source, "MOST_SECONDS", 0.0)
    reading = source.read()

    assert reading.more
    assert 0 < reading.bytes <= BLOCK


def test_a_reading_of_alerts_is_bounded_by_what_it_holds(path: Path, source: FileSource) -> None:
    path.write_bytes((alert(1) + b"\n") * (3 * MOST_BYTES // len(alert(1))))
    readings = [source.read()]
    while readings[-1].more:
        readings.append(source.read())
    held = [sum(len(record.raw) for record in reading.records) for reading in readings]

    assert max(held) <= MOST_BYTES + BLOCK
    assert max(len(reading.records) for reading in readings) <= MOST_RECORDS + BLOCK // len(alert(1))


def test_a_source_goes_on_from_a_saved_position(path: Path, source: FileSource) -> None:
    path.write_bytes(alert(1) + b"\n")
    position = source.read().position
    append(path, alert(2) + b"\n")
    again = open_file_source(path, "suricata", "end", position)
    (record,) = again.read().records
    again.close()

    assert record.raw == alert(2)


def test_a_damaged_position_is_an_error_with_a_mend(path: Path) -> None:
    with pytest.raises(OperatorError):
        open_file_source(path, "suricata", "end", b"damaged")


def test_a_line_that_is_too_long_is_one_reject_and_the_rest_goes_on(path: Path, source: FileSource) -> None:
    path.write_bytes(b"x" * (LONGEST + 1) + b"\n" + alert(1) + b"\n")
    records: list[Record] = []
    rejects: list[Reject] = []
    more = True
    while more:
        reading = source.read()
        records += reading.records
        rejects += reading.rejects
        more = reading.more
    (reject,) = rejects

    assert (reject.head, reject.size, reject.offset) == (b"x" * 256, LONGEST + 1, 0)
    assert [record.offset for record in records] == [LONGEST + 2]


def test_health_tells_how_far_behind_it_is(path: Path, source: FileSource) -> None:
    path.write_bytes(FLOW * 3)

    assert source.health().lag_bytes == len(FLOW) * 3

    source.read()

    assert source.health().lag_bytes == 0

    path.rename(path.with_suffix(".json.1"))
    path.write_bytes(FLOW)

    assert source.health().lag_bytes == len(FLOW)

    source.read()

    assert (source.health().lag_bytes, source.health().rotations) == (0, 1)


def test_health_says_what_is_wrong_and_recovers(path: Path, source: FileSource) -> None:
    source.read()

    assert str(path) in source.health().problem

    path.write_text(json.dumps({"event_type": "alert"}, indent=2) + "\n")
    source.read()

    assert "compact" in source.health().problem

    append(path, FLOW)
    source.read()

    assert source.health().problem == ""


def open_things() -> tuple[int, int]:
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


async def test_a_source_is_woken_and_leaves_nothing_open(tmp_path: Path) -> None:
    async def follow(path: Path) -> None:
        source = open_file_source(path, "suricata", "end", None)
        source.read()
        append(path, alert(1) + b"\n")
        async with asyncio.timeout(LIMIT):
            while not source.read().records:
                await source.changed()
        source.close()

    before = open_things()
    await follow(tmp_path / "eve.json")

    assert open_things() == before


async def test_a_name_that_changes_wakes_and_counts_what_is_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next file of Suricata's own rotation is noticed as it is made, not at the next poll."""
    monkeypatch.setattr(wake, "POLL_SLOW", 100 * LIMIT)
    source = open_file_source(tmp_path / "eve-%Y.json", "suricata", "beginning", None)
    source.read()
    for number in (2026, 2027):
        append(tmp_path / f"eve-{number}.json", alert(number) + b"\n")

        assert source.health().lag_bytes >= len(alert(number)) + 1

        async with asyncio.timeout(LIMIT):
            while not (found := source.read().records):
                await source.changed()

        assert [record.raw for record in found] == [alert(number)]
        assert source.health().lag_bytes == 0
    source.close()


def test_a_reading_of_tiny_records_is_bounded_too(path: Path) -> None:
    """They take far more in memory than in the file."""
    path.write_bytes(b"x\n" * (2 * BLOCK))
    source = open_file_source(path, "wazuh", "beginning", None)
    reading = source.read()
    source.close()

    assert len(reading.records) == BLOCK // 2
    assert reading.more


class Noting(Wake):
    """Notes what it was told of the records that go on."""

    found: list[int]

    def follow(self, descriptors: Mapping[tuple[int, int], int], *, busy: bool, found: int = 0) -> None:
        """Note it."""
        del descriptors, busy
        self.found.append(found)


def test_a_log_that_is_mostly_alerts_may_be_in_a_flood(path: Path) -> None:
    noting = Noting(path.parent)
    noting.found = []
    source = FileSource(path, "suricata", Tail(path, start="beginning", position=None), noting)
    told = []
    for text in (alert(1) + b"\n", FLOW * 100 + alert(2) + b"\n", b""):
        append(path, text)
        noting.found.clear()
        while source.read().more:
            pass
        told.append(any(noting.found))
    source.close()

    assert told == [True, False, False]


STATS = b'{"timestamp":"2026-11-22T10:00:00.000000+0000","event_type":"stats","stats":{"uptime":%d}}\n'


def test_health_tells_what_the_sensor_says_about_itself(path: Path, source: FileSource) -> None:
    assert source.health().sensor is None

    path.write_bytes(FLOW + STATS % 8 + FLOW)
    source.read()
    newest = source.health().sensor

    assert newest
    assert newest.uptime_seconds == 8


def test_the_sensor_is_not_looked_for_in_every_block_of_a_backlog(
    path: Path, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    monkeypatch.setattr(sensor, "latest", lambda *_: looks.append(1))
    path.write_bytes(FLOW * (2 * BLOCK // len(FLOW)))
    source.read()

    assert len(looks) == 1


def test_wazuh_says_nothing_about_itself(path: Path) -> None:
    source = open_file_source(path, "wazuh", "beginning", None)
    path.write_bytes(STATS % 8)
    source.read()

    assert source.health().sensor is None

    source.close()


def test_a_gap_is_told_by_one_reading(path: Path) -> None:
    path.write_bytes(alert(1) + b"\n")
    source = open_file_source(path, "suricata", "beginning", None)
    position = source.read().position
    source.close()
    path.write_bytes(FLOW)
    again = open_file_source(path, "suricata", "beginning", position)
    again._tail._clock = again._tail._rotated._clock = lambda: time.monotonic() + GRACE
    gaps: list[Gap] = []
    end = time.monotonic() + LIMIT
    while not gaps and time.monotonic() < end:
        reading = again.read()
        gaps += reading.gaps
    (gap,) = gaps

    assert gap.offset == len(alert(1)) + 1
    assert again.health().lost_bytes == (gap.size or 0)
    assert again.read().gaps == []

    again.close()
    last = open_file_source(path, "suricata", "beginning", reading.position)

    assert last.read().gaps == []

    last.close()
