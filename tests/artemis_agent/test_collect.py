"""Collectors: what is read is spooled, counted or buried, and Wazuh's copies are recognised."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from artemis_agent import collect, copies
from artemis_agent.collect import Collector, Site
from artemis_agent.config import Kind
from artemis_agent.dead_letter import NAME, DeadLetters
from artemis_agent.file_source import open_file_source
from artemis_agent.source import Health, Reading, Record, Reject
from artemis_agent.spool import Spool, open_spool
from artemis_agent.worker import Worker
from socme.batch import unpack
from socme.identity import utc_now
from socme.v1.alert_pb2 import Alert, AlertSource, Severity
from socme.v1.vitals_pb2 import SourceVitals

GIB = 1 << 30


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    made = open_spool(tmp_path / "state", max_bytes=GIB, schema=copies.SCHEMA)
    yield made
    await made.close()


@pytest.fixture
async def site(spool: Spool, tmp_path: Path) -> AsyncIterator[Site]:
    letters = Worker("letters")
    yield Site(
        spool=spool,
        dead_letters=DeadLetters(tmp_path / "state"),
        letters=letters,
        min_severity=Severity.SEVERITY_LOW,
        keep_both=False,
        clock=utc_now,
    )
    letters.close()


def eve(number: int, *, severity: int = 2) -> bytes:
    """Return a Suricata alert."""
    alert = {"signature_id": number, "gid": 1, "rev": 1, "signature": f"rule {number}", "severity": severity}
    record = {
        "timestamp": f"2026-11-22T10:00:00.{number:06}+0000",
        "flow_id": 1000 + number,
        "event_type": "alert",
        "src_ip": "192.0.2.1",
        "dest_ip": "192.0.2.2",
        "proto": "TCP",
        "alert": alert,
    }
    return json.dumps(record, separators=(",", ":")).encode()


def copy_of(number: int) -> bytes:
    """Return what Wazuh makes of it."""
    record = {
        "timestamp": "2026-11-22T10:00:01.000+0000",
        "rule": {"level": 3, "description": "Suricata: Alert", "id": "86601", "groups": ["ids", "suricata"]},
        "agent": {"id": "000", "name": "manager"},
        "id": f"1.{number}",
        "data": {
            "timestamp": f"2026-11-22T10:00:00.{number:06}+0000",
            "flow_id": f"{1000 + number}.000000",
            "event_type": "alert",
            "alert": {"signature_id": str(number), "signature": f"rule {number}", "severity": "2"},
        },
    }
    return json.dumps(record).encode()


def wazuh(number: int, *, level: int = 5) -> bytes:
    """Return an alert of Wazuh's own."""
    rule = {"level": level, "description": f"own {number}", "id": "5710", "groups": ["sshd"]}
    record = {"timestamp": "2026-11-22T10:00:01.000+0000", "rule": rule, "agent": {"id": "000"}, "id": "1.1"}
    return json.dumps(record).encode()


@dataclass
class Memory:
    """A source that gives prepared readings."""

    kind: Kind
    readings: list[Reading] = field(default_factory=list)
    name: str = "memory"
    condition: Health = field(default_factory=lambda: Health(0, "", 0, 0))
    reads: int = 0
    closed: bool = False

    def read(self) -> Reading:
        """Give the next one."""
        self.reads += 1
        if self.readings:
            return replace(self.readings.pop(0), more=bool(self.readings))
        return Reading([], [], str(self.reads).encode(), 0, 0, more=False)

    def health(self) -> Health:
        """Return what was prepared."""
        return self.condition

    async def changed(self) -> None:
        """Never change."""
        await asyncio.Event().wait()

    def close(self) -> None:
        """Take note."""
        self.closed = True


def reading(*lines: bytes, position: bytes = b"p", rejects: Sequence[Reject] = ()) -> Reading:
    records = [Record(line, b"file", offset) for offset, line in enumerate(lines)]
    size = sum(len(line) + 1 for line in lines)
    return Reading(records, rejects, position, size, len(lines), more=False)


async def spooled(spool: Spool) -> list[Alert]:
    entries = await spool.read(0, entries=10_000, size=GIB)
    return [alert for entry in entries for alert in unpack(entry.packed)]


async def names(spool: Spool) -> list[str]:
    return [alert.rule.name for alert in await spooled(spool)]


async def until(collector: Collector, condition: Callable[[SourceVitals], bool]) -> None:
    """Wait until a source's vitals are so."""
    async with asyncio.timeout(30):
        while not condition(await collector.vitals()):  # noqa: ASYNC110 - vitals are polled
            await asyncio.sleep(0.005)


async def test_alerts_are_spooled_whole_with_their_position(site: Site, spool: Spool) -> None:
    collector = Collector(Memory("suricata", [reading(eve(1), eve(2), position=b"here")]), site)

    await collector.turn()

    assert [alert.raw for alert in await spooled(spool)] == [eve(1), eve(2)]
    assert {alert.origin for alert in await spooled(spool)} == {"memory"}
    assert await spool.position("memory") == b"here"
    await collector.close()


async def test_everything_is_counted(site: Site, spool: Spool, tmp_path: Path) -> None:
    """Alerts sent and dropped, records that are none, unreadable lines; and on after a restart."""
    picky = replace(site, min_severity=Severity.SEVERITY_MEDIUM)
    stats = b'{"event_type":"stats","timestamp":"2026-11-22T10:00:00.000000+0000"}'
    long_line = Reject(head=b"xxx", size=1 << 30, file=b"file", offset=9, reason="too long")
    lines = (eve(1), eve(2, severity=3), stats, b'{"event_type":"alert"')
    source = Memory("suricata", [reading(*lines, rejects=[long_line])], condition=Health(7, "p", 5, 2))
    collector = Collector(source, picky)

    await collector.turn()

    vitals = await collector.vitals()
    assert (vitals.name, vitals.kind) == ("memory", "suricata")
    assert (vitals.records, vitals.alerts, vitals.spooled, vitals.undecodable) == (4, 2, 1, 2)
    assert dict(vitals.dropped) == {"min_severity": 1}
    assert (vitals.lag_bytes, vitals.problem, vitals.lost_bytes, vitals.rotations) == (7, "p", 5, 2)
    assert 0 <= vitals.last_record_age_seconds < 60
    letters = [json.loads(line) for line in (tmp_path / "state" / NAME).read_text().splitlines()]
    assert [(letter["offset"], letter["size"]) for letter in letters] == [(3, len(lines[3])), (9, 1 << 30)]
    assert letters[1]["reason"] == "too long"
    await collector.close()

    again = Collector(Memory("suricata", [reading(eve(3))], condition=Health(0, "", 1, 1)), picky)
    await again.turn()
    vitals = await again.vitals()
    assert (vitals.records, vitals.alerts, vitals.spooled, vitals.undecodable) == (5, 3, 2, 2)
    assert (vitals.lost_bytes, vitals.rotations) == (6, 3)
    await again.close()


async def test_the_first_position_is_saved_at_once(site: Site, spool: Spool) -> None:
    """A new source that begins at the end must begin there again after a kill, or it loses what came."""
    collector = Collector(Memory("suricata", [reading(position=b"the end")]), site)

    await collector.turn()

    assert await spool.position("memory") == b"the end"
    await collector.close()


async def test_a_position_without_alerts_is_saved_later(
    site: Site, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at each reading, for that costs an fsync; but behind a rotation at once, and after a while."""
    monkeypatch.setattr(collect, "SAVE_SECONDS", 3600.0)
    source = Memory("suricata", [reading(position=bytes([each])) for each in range(4)])
    collector = Collector(source, site)
    await collector.turn()
    await collector.turn()
    assert await spool.position("memory") == b"\0"

    source.condition = Health(0, "", 0, rotations=1)
    await collector.turn()
    assert await spool.position("memory") == b"\2"

    monkeypatch.setattr(collect, "SAVE_SECONDS", 0.0)
    await collector.turn()
    assert await spool.position("memory") == b"\3"
    await collector.close()


async def test_a_position_is_saved_when_the_source_rests(
    site: Site, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "SAVE_SECONDS", 0.02)
    source = Memory("suricata", [reading(position=b"1"), reading(position=b"2")])
    collector = Collector(source, site)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(collector.run())
        async with asyncio.timeout(20), spool._changed:
            while await spool.position("memory") != b"2":
                await spool._changed.wait()
        running.cancel()
    await collector.close()


async def test_copies_are_dropped_and_counted(site: Site, spool: Spool) -> None:
    """The copy of an alert that was read goes; Wazuh's own alerts and copies of unknown alerts stay."""
    suricata = Collector(Memory("suricata", [reading(eve(1), eve(2))], name="eve"), site)
    source = Memory("wazuh", [reading(copy_of(1), wazuh(9), copy_of(7), copy_of(2))], name="alerts")
    collector = Collector(source, site, originals=[suricata])
    await suricata.turn()

    await collector.turn()

    assert [alert.raw for alert in await spooled(spool)] == [eve(1), eve(2), wazuh(9), copy_of(7)]
    assert dict((await collector.vitals()).dropped) == {"wazuh_copy": 2}
    for each in (collector, suricata):
        await each.close()


async def test_originals_are_read_before_copies_are_judged(site: Site, spool: Spool) -> None:
    """Wazuh is ahead of us in eve.json: nothing of it was read yet, and every copy is known all the same."""
    behind = Memory("suricata", [reading(eve(number)) for number in range(5)], name="eve")
    suricata = Collector(behind, site)
    collector = Collector(
        Memory("wazuh", [reading(copy_of(4), copy_of(0))], name="alerts"), site, originals=[suricata]
    )

    await collector.turn()

    assert [alert.source for alert in await spooled(spool)] == [AlertSource.ALERT_SOURCE_SURICATA] * 5
    assert dict((await collector.vitals()).dropped) == {"wazuh_copy": 2}
    for each in (collector, suricata):
        await each.close()


async def test_originals_below_the_bar_still_have_copies(site: Site, spool: Spool) -> None:
    """What the operator does not want does not come in by the back door."""
    picky = replace(site, min_severity=Severity.SEVERITY_HIGH)
    suricata = Collector(Memory("suricata", [reading(eve(1))], name="eve"), picky)
    collector = Collector(Memory("wazuh", [reading(copy_of(1))], name="alerts"), picky, originals=[suricata])

    await collector.turn()

    assert await spooled(spool) == []
    assert dict((await suricata.vitals()).dropped) == {"min_severity": 1}
    assert dict((await collector.vitals()).dropped) == {"wazuh_copy": 1}
    for each in (collector, suricata):
        await each.close()


async def test_copies_are_known_after_a_restart(site: Site, spool: Spool) -> None:
    """The keys are kept where the alerts are."""
    before = Collector(Memory("suricata", [reading(eve(1))], name="eve"), site)
    await before.turn()
    await before.close()

    suricata = Collector(Memory("suricata", name="eve"), site)
    collector = Collector(Memory("wazuh", [reading(copy_of(1))], name="alerts"), site, originals=[suricata])
    await collector.turn()

    assert await names(spool) == ["rule 1"]
    for each in (collector, suricata):
        await each.close()


async def test_keep_both(site: Site, spool: Spool) -> None:
    both = replace(site, keep_both=True)
    suricata = Collector(Memory("suricata", [reading(eve(1))], name="eve"), both)
    collector = Collector(Memory("wazuh", [reading(copy_of(1))], name="alerts"), both, originals=[suricata])
    await suricata.turn()
    await collector.turn()

    assert [alert.raw for alert in await spooled(spool)] == [eve(1), copy_of(1)]
    for each in (collector, suricata):
        await each.close()


async def test_without_a_suricata_source_every_copy_is_sent(site: Site, spool: Spool) -> None:
    """It is the only way in which these alerts come, with Suricata's own severity."""
    collector = Collector(Memory("wazuh", [reading(copy_of(1), copy_of(1))]), site)

    await collector.turn()

    assert [alert.severity for alert in await spooled(spool)] == [Severity.SEVERITY_MEDIUM] * 2
    await collector.close()


async def test_a_sensor_that_never_stops_does_not_hold_up_wazuh(
    site: Site, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catching up ends a bounded amount behind where the file ended when it began."""
    monkeypatch.setattr(collect, "CATCH_UP_BYTES", 1000)
    endless = Memory("suricata", [reading(eve(number)) for number in range(1000)], name="eve")
    suricata = Collector(endless, site)
    collector = Collector(Memory("wazuh", [reading(copy_of(0))], name="alerts"), site, originals=[suricata])

    await collector.turn()

    assert endless.reads < 10
    assert dict((await collector.vitals()).dropped) == {"wazuh_copy": 1}
    for each in (collector, suricata):
        await each.close()


async def test_a_full_spool_stops_reading_and_goes_on_later(tmp_path: Path, site: Site) -> None:
    """Both sources wait, whoever waits for whom, and everything comes once there is room."""
    small = open_spool(tmp_path / "small", max_bytes=1, schema=copies.SCHEMA)
    crowded = replace(site, spool=small)
    eve_source = Memory("suricata", [reading(eve(number)) for number in range(3)], name="eve")
    suricata = Collector(eve_source, crowded)
    wazuh_source = Memory("wazuh", [reading(copy_of(2), wazuh(9)), reading(wazuh(10))], name="alerts")
    collector = Collector(wazuh_source, crowded, originals=[suricata])
    seen: list[str] = []
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(suricata.run()), tasks.create_task(collector.run())]
        async with asyncio.timeout(20):
            position = 0
            while len(seen) < 5:
                for entry in await small.wait_for_more(position):
                    seen += [alert.rule.name for alert in unpack(entry.packed)]
                    position = entry.position
                    small.acknowledge(entry.lane, entry.sequence)
                    await small.trim()
        for task in running:
            task.cancel()

    assert sorted(seen) == ["own 10", "own 9", "rule 0", "rule 1", "rule 2"]
    for each in (collector, suricata):
        await each.close()
    await small.close()


async def test_a_disk_that_is_full_is_told_and_waited_for(
    site: Site, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost: the reading waits until the disk takes it."""
    monkeypatch.setattr(collect, "WRITE_PAUSE_SECONDS", 0.01)
    collector = Collector(Memory("suricata", [reading(*[eve(number) for number in range(400)])]), site)
    await spool.ask(lambda journal: journal._db.execute("PRAGMA max_page_count = 1").fetchall())
    async with asyncio.TaskGroup() as tasks:
        turn = tasks.create_task(collector.turn())
        await until(collector, lambda vitals: "full" in vitals.problem)
        assert not turn.done()
        await spool.ask(lambda journal: journal._db.execute("PRAGMA max_page_count = 100000").fetchall())

    assert len(await spooled(spool)) == 400
    assert (await collector.vitals()).problem == ""
    await collector.close()


async def test_real_files_read_by_both(site: Site, spool: Spool, tmp_path: Path) -> None:
    """Wazuh's file is full of copies before anyone looked at eve.json; then both grow while we read."""
    eve_path, wazuh_path = tmp_path / "eve.json", tmp_path / "alerts.json"
    eve_path.write_bytes(b"".join(eve(number) + b"\n" for number in range(1000)))
    wazuh_path.write_bytes(b"".join(copy_of(number) + b"\n" for number in range(1000)))
    suricata = Collector(open_file_source(eve_path, "suricata", "beginning", None), site)
    collector = Collector(
        open_file_source(wazuh_path, "wazuh", "beginning", None), site, originals=[suricata]
    )
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(collector.run()), tasks.create_task(suricata.run())]
        for number in range(1000, 1100):
            with eve_path.open("ab") as file:
                file.write(eve(number) + b"\n")
            with wazuh_path.open("ab") as file:
                file.write(copy_of(number) + b"\n")
            await asyncio.sleep(0)
        await until(collector, lambda vitals: vitals.alerts == 1100)
        for task in running:
            task.cancel()

    assert sorted(await names(spool)) == sorted(f"rule {number}" for number in range(1100))
    assert dict((await collector.vitals()).dropped) == {"wazuh_copy": 1100}
    for each in (collector, suricata):
        await each.close()
