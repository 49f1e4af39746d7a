"""Collectors: what is read is spooled, counted or buried, and Wazuh's copies are recognised."""

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from artemis_agent import canary, collect
from artemis_agent.collect import Collector, Site
from artemis_agent.dead_letter import NAME
from artemis_agent.file_source import FileSource, open_file_source
from artemis_agent.rollup import Limits
from artemis_agent.salvage import FILE
from artemis_agent.soundness import inspect
from artemis_agent.source import Gap, Health, Reject
from artemis_agent.spool import Progress, Spool, SpoolWriteError
from socme.batch import unpack
from socme.journal import Journal
from socme.v1.alert_pb2 import AlertSource, Severity
from socme.v1.uplink_pb2 import Lane
from socme.v1.vitals_pb2 import SensorVitals
from tests.artemis_agent.sources import (
    GIB,
    Memory,
    copy_of,
    eve,
    hours,
    names,
    open_site_spool,
    reading,
    site_of,
    spooled,
    until,
    wazuh,
)

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    made = open_site_spool(tmp_path / "state")
    yield made
    await made.close()


@pytest.fixture
async def site(spool: Spool, tmp_path: Path) -> AsyncIterator[Site]:
    async with site_of(spool, tmp_path / "state") as made:
        yield made


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
    assert (vitals.records, vitals.alerts, vitals.spooled, vitals.undecodable) == (5, 2, 1, 2)
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
    assert (vitals.records, vitals.alerts, vitals.spooled, vitals.undecodable) == (6, 3, 2, 2)
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
    small = open_site_spool(tmp_path / "small", max_bytes=1)
    crowded = replace(site, spool=small)
    eve_source = Memory("suricata", [reading(eve(number)) for number in range(3)], name="eve")
    suricata = Collector(eve_source, crowded)
    wazuh_source = Memory("wazuh", [reading(copy_of(2), wazuh(9)), reading(wazuh(10))], name="alerts")
    collector = Collector(wazuh_source, crowded, originals=[suricata])
    seen: list[str] = []
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(suricata.run()), tasks.create_task(collector.run())]
        async with asyncio.timeout(20):
            after: dict[int, int] = {}
            await until(suricata, lambda _: small.share >= 1)
            assert (await suricata.vitals()).problem == "", "it can be read: the spool is what is full"
            while len(seen) < 5:
                for entry in await small.next(after):
                    seen += [alert.rule.name for alert in unpack(entry.packed)]
                    after[entry.lane] = entry.position
                    small.acknowledge(entry.lane, entry.sequence)
                    await small.trim()
        for task in running:
            task.cancel()

    assert (await suricata.vitals()).problem == ""
    assert sorted(seen) == ["own 10", "own 9", "rule 0", "rule 1", "rule 2"]
    for each in (collector, suricata):
        await each.close()
    await small.close()


def moved_away(path: Path, number: int) -> tuple[int, int]:
    """Rename a log and begin another with an alert; return the new one's device and inode."""
    path.rename(path.with_name("old"))
    path.write_bytes(wazuh(number) + b"\n")
    return path.stat().st_dev, path.stat().st_ino


async def rotated_away(source: FileSource, path: Path) -> None:
    """Rotate some times, and delete what was rotated as soon as the source has the new file open."""
    for number in range(1, 6):
        inode = moved_away(path, number)
        async with asyncio.timeout(20):
            while inode not in source._tail.descriptors:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)
        path.with_name("old").unlink()


async def arrived(spool: Spool, count: int) -> list[str]:
    """Take what comes until so many alerts did; return their rules' names in order."""
    seen: list[str] = []
    after: dict[int, int] = {}
    async with asyncio.timeout(30):
        while len(seen) < count:
            for entry in await spool.next(after):
                seen += [alert.rule.name for alert in unpack(entry.packed)]
                after[entry.lane] = entry.position
                spool.acknowledge(entry.lane, entry.sequence)
                await spool.trim()
    return sorted(seen)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let collectors look often."""
    monkeypatch.setattr(collect, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(collect, "WRITE_PAUSE_SECONDS", 0.02)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("refusing", [False, True])
async def test_what_is_rotated_away_while_nothing_can_be_spooled_is_read_later(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch, *, refusing: bool
) -> None:
    """A spool that is full, or whose disk refuses it: its source is looked at all the same."""
    small = open_site_spool(tmp_path / "small", max_bytes=GIB if refusing else 1)
    path = tmp_path / "alerts.json"
    path.write_bytes(wazuh(0) + b"\n")
    source = open_file_source(path, "wazuh", "beginning", None)
    collector = Collector(source, replace(site, spool=small))

    async def refuse(_progress: Progress) -> None:
        raise SpoolWriteError("full")

    async with asyncio.TaskGroup() as tasks:
        with monkeypatch.context() as patched:
            if refusing:
                patched.setattr(small, "append", refuse)
            running = tasks.create_task(collector.run())
            await until(collector, lambda _: bool(collector.trouble) if refusing else small.share >= 1)
            await rotated_away(source, path)
        seen = await arrived(small, 6)
        running.cancel()

    assert seen == [f"own {number}" for number in range(6)]
    await collector.close()
    await small.close()


@pytest.mark.usefixtures("hurried")
async def test_what_is_rotated_away_while_another_source_catches_up_is_read_later(
    tmp_path: Path, site: Site, spool: Spool
) -> None:
    """Wazuh's collector waits for Suricata's, which waits for whatever it may be."""
    path = tmp_path / "alerts.json"
    path.write_bytes(copy_of(0) + b"\n")
    source = open_file_source(path, "wazuh", "beginning", None)
    suricata = Collector(Memory("suricata", name="eve"), site)
    collector = Collector(source, site, originals=[suricata])
    async with asyncio.TaskGroup() as tasks:
        async with suricata._turn:
            running = tasks.create_task(collector.run())
            await rotated_away(source, path)
        seen = await arrived(spool, 6)
        running.cancel()

    assert seen[1:] == [f"own {number}" for number in range(1, 6)]
    for each in (collector, suricata):
        await each.close()


async def test_a_disk_that_is_full_is_told_and_waited_for(
    site: Site, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost: the reading waits until the disk takes it."""
    monkeypatch.setattr(collect, "WRITE_PAUSE_SECONDS", 0.01)
    collector = Collector(Memory("suricata", [reading(*[eve(number) for number in range(400)])]), site)
    await spool.ask(lambda journal: journal._db.execute("PRAGMA max_page_count = 1").fetchall())
    async with asyncio.TaskGroup() as tasks:
        turn = tasks.create_task(collector.turn())
        await until(collector, lambda _: "full" in collector.trouble)
        assert not turn.done()
        assert (await collector.vitals()).problem == ""
        await spool.ask(lambda journal: journal._db.execute("PRAGMA max_page_count = 100000").fetchall())

    assert len(await spooled(spool)) == 400
    assert collector.trouble == ""
    await collector.close()


async def test_a_disk_that_fails_to_be_read_is_waited_for(
    site: Site, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read of the source is not lost with the answer: the source will not give it again."""
    monkeypatch.setattr(collect, "WRITE_PAUSE_SECONDS", 0.01)
    failing: Any = Failing(spool)
    suricata = Collector(Memory("suricata", [reading(eve(1))], name="eve"), site)
    await suricata.turn()
    source = Memory("wazuh", [reading(copy_of(1), wazuh(9))], name="alerts")
    collector = Collector(source, replace(site, spool=failing), originals=[suricata])
    await collector.restore()
    failing.left = 3

    await collector.turn()

    assert [alert.raw for alert in await spooled(spool)] == [eve(1), wazuh(9)]
    assert failing.left == 0
    for each in (collector, suricata):
        await each.close()


class Failing:
    """A spool whose disk fails at some questions."""

    def __init__(self, spool: Spool) -> None:
        self.left = 0
        self._spool = spool

    async def ask(self, question: Callable[[Journal], object]) -> object:
        """Answer, where the disk does not fail."""
        if self.left:
            self.left -= 1
            raise SpoolWriteError("the disk has an input/output error")
        return await self._spool.ask(question)

    def __getattr__(self, name: str) -> object:
        return getattr(self._spool, name)


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


async def lanes(spool: Spool) -> dict[str, int]:
    """Return the lane of each alert that waits, by its rule's name."""
    entries = await spool.ask(lambda journal: journal.read(0, entries=1000, size=1 << 30))
    return {alert.rule.name: entry.lane for entry in entries for alert in unpack(entry.packed)}


async def test_of_a_backlog_the_severe_overtakes(site: Site, spool: Spool) -> None:
    """And so does everything that is read as it is written while the hub is there."""
    live = replace(site, is_live=lambda: True)
    source = Memory(
        "suricata", [reading(eve(1, severity=1), eve(2), eve(3, severity=3)), reading(eve(4, severity=3))]
    )
    collector = Collector(source, live)
    await collector.turn()
    await collector.turn()
    await collector.close()
    away = Collector(Memory("suricata", [reading(eve(5))], name="away"), site)
    await away.turn()
    await away.close()

    urgent, normal = Lane.LANE_URGENT, Lane.LANE_NORMAL
    assert await lanes(spool) == {
        "rule 1": urgent,
        "rule 2": normal,
        "rule 3": normal,
        "rule 4": urgent,
        "rule 5": normal,
    }


async def test_what_is_lost_is_an_alert(site: Site, spool: Spool) -> None:
    """In the same transaction as the position behind it, and booked as no line."""
    gap = Gap(b"file", 100, 50, "deleted before it was read")
    collector = Collector(Memory("suricata", [reading(eve(1), position=b"behind", gaps=[gap])]), site)

    await collector.turn()

    lost, alert = sorted(await spooled(spool), key=lambda each: each.source, reverse=True)
    assert (lost.rule.id, lost.source, lost.origin) == ("socme.gap", AlertSource.ALERT_SOURCE_SOCME, "memory")
    assert alert.raw == eve(1)
    assert await spool.position("memory") == b"behind"
    (hour,) = await hours(spool)
    assert (hour.read, hour.spooled, hour.made, hour.unaccounted) == (1, 2, 1, 0)
    await collector.close()


async def test_a_gap_alone_is_told_at_once(site: Site, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "SAVE_SECONDS", 3600.0)
    gap = Gap(b"file", 100, None, "deleted before it was read")
    collector = Collector(Memory("suricata", [reading(), reading(gaps=[gap])]), site)
    await collector.turn()
    await collector.turn()

    assert [alert.rule.id for alert in await spooled(spool)] == ["socme.gap"]
    await collector.close()


async def test_a_flood_is_rolled_up(site: Site, spool: Spool) -> None:
    """Of a hundred alerts two go; the others are one, at the window's end, though nothing more comes."""
    clock = [NOW]
    rolling = replace(site, rollup=Limits(burst=2, window_us=60_000_000), clock=lambda: clock[0])
    flood = [eve(7, number=number) for number in range(100)]
    collector = Collector(Memory("suricata", [reading(*flood[:50]), reading(*flood[50:])]), rolling)
    await collector.turn()
    await collector.turn()
    assert [alert.raw for alert in await spooled(spool)] == flood[:2]

    clock[0] = NOW + timedelta(seconds=60)
    await collector.turn()

    *_, roll_up = await spooled(spool)
    assert (roll_up.count, roll_up.raw) == (98, flood[2])
    vitals = await collector.vitals()
    assert (vitals.alerts, vitals.spooled, vitals.rolled_up) == (100, 3, 98)
    window, hour = await hours(spool)
    assert (hour.read, hour.rolled_up, hour.spooled, hour.made, hour.unaccounted) == (100, 98, 3, 1, 0)
    assert (window.held, window.released, window.holding, window.unaccounted) == (98, 98, 0, 0)
    await collector.close()


@pytest.mark.parametrize(
    "change", ["DELETE FROM held", "DELETE FROM held_first", "UPDATE held SET held = 18"]
)
async def test_what_is_held_and_changed_by_hand_is_missed(tmp_path: Path, change: str) -> None:
    """In the ledger, and so at the hub; before the next start and for good, whatever is sent then."""
    flood = [eve(7, number=number) for number in range(100)]
    limits = Limits(burst=2, window_us=60_000_000)
    spool = open_site_spool(tmp_path)
    async with site_of(spool, tmp_path) as site:
        collector = Collector(Memory("suricata", [reading(*flood)]), replace(site, rollup=limits))
        await collector.turn()
        await collector.close()
        assert sum(hour.unaccounted for hour in await hours(spool)) == 0
    await spool.close()
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as db:
        db.execute(change)
    missed = sum(hour.unaccounted for hour in inspect(tmp_path / FILE).wrong)
    assert missed == (80 if "UPDATE" in change else 98)

    spool = open_site_spool(tmp_path)
    async with site_of(spool, tmp_path) as site:
        collector = Collector(Memory("suricata"), site)
        await collector.turn()
        await collector.close()
        assert sum(alert.count for alert in await spooled(spool)) == 100 - missed
        assert sum(hour.unaccounted for hour in await spool.ledger()) == spool.unaccounted == missed
    await spool.close()


async def test_what_is_held_leaves_after_a_restart_without_roll_up(site: Site, spool: Spool) -> None:
    rolling = replace(site, rollup=Limits(burst=1, window_us=60_000_000))
    before = Collector(Memory("suricata", [reading(*[eve(7, number=n) for n in range(5)])]), rolling)
    await before.turn()
    await before.close()

    after = Collector(Memory("suricata"), site)
    await after.turn()

    assert [alert.count for alert in await spooled(spool)] == [1, 4]
    assert (await after.vitals()).rolled_up == 4
    await after.close()


async def test_the_wait_for_a_window_s_end_is_bounded_by_it(site: Site) -> None:
    clock = [NOW]
    rolling = replace(site, rollup=Limits(burst=1, window_us=5_000_000), clock=lambda: clock[0])
    collector = Collector(Memory("suricata", [reading(eve(1))]), rolling)
    await collector.turn()

    assert collector._patience() == 5.0
    clock[0] = NOW + timedelta(seconds=4.9)
    assert collector._patience() == collect.LEAST_REST_SECONDS
    clock[0] = NOW + timedelta(seconds=5)
    await collector.turn()
    assert collector._patience() > collect.LEAST_REST_SECONDS
    await collector.close()


async def test_a_spool_that_fills_drops_the_lowest_first(tmp_path: Path, site: Site) -> None:
    """Counted by reason; the default drops nothing."""
    half_full = open_site_spool(tmp_path / "small", max_bytes=1)
    for drops_lowest, kept in ((False, ["rule 1", "rule 2", "rule 3"]), (True, ["rule 1", "rule 2"])):
        spool: Any = Crowded(half_full, 0.6)
        crowded = replace(site, spool=spool, drops_lowest=drops_lowest)
        source = Memory(
            "suricata", [reading(*[eve(n, severity=n) for n in (1, 2, 3)])], name=str(drops_lowest)
        )
        collector = Collector(source, crowded)
        await collector.turn()
        mine = [alert for alert in await spooled(half_full) if alert.origin == str(drops_lowest)]
        assert sorted(alert.rule.name for alert in mine) == kept
        assert dict((await collector.vitals()).dropped) == ({"spool_full": 1} if drops_lowest else {})
        await collector.close()
    assert [hour.unaccounted for hour in await hours(half_full)] == [0, 0]
    await half_full.close()


async def test_a_spool_that_is_full_gives_up_what_may_wait_for_what_is_severe(
    tmp_path: Path, site: Site
) -> None:
    """Low ones were there first; of the high and critical ones none is refused for them, and none waits."""
    spool = open_site_spool(tmp_path / "small", max_bytes=20_000)
    source = Memory("suricata")
    collector = Collector(source, replace(site, spool=spool, drops_lowest=True))

    def noisy(number: int, severity: int) -> bytes:
        return eve(number, severity=severity)[:-1] + b',"x":"%s"}' % os.urandom(200).hex().encode()

    numbers = iter(range(10_000))
    for severity, count in ((3, 60), (2, 30), (1, 25)):
        source.readings += [reading(noisy(next(numbers), severity)) for _ in range(count)]
    while source.readings:
        async with asyncio.timeout(20):
            await collector.turn()
    left = [alert.severity for alert in await spooled(spool)]
    vitals = await collector.vitals()
    await spool.ledger()

    assert left.count(Severity.SEVERITY_HIGH) == 25
    given_up = (await spool.dropped())["spool_full"]
    assert 0 < given_up < 60
    assert len(left) + given_up + vitals.dropped["spool_full"] == 115
    assert spool.unaccounted == 0
    await collector.close()
    await spool.close()


class Crowded:
    """A spool that says how full it is."""

    def __init__(self, spool: Spool, share: float) -> None:
        self.share = share
        self._spool = spool

    async def wait_for_room(self) -> None:
        """Never wait."""

    def __getattr__(self, name: str) -> object:
        return getattr(self._spool, name)


async def test_the_sensor_s_own_words_are_vitals(site: Site) -> None:
    condition = Health(0, "", 0, 0, SensorVitals(packets=7, dropped=1))
    collector = Collector(Memory("suricata", condition=condition), site)
    await collector.turn()

    assert (await collector.vitals()).sensor == SensorVitals(packets=7, dropped=1)
    await collector.close()


async def test_silence_goes_on_over_a_restart(site: Site, spool: Spool) -> None:
    """And what the sensor said last is known: a source that gave statistics is expected to give more."""
    sensor = SensorVitals(packets=7)
    collector = Collector(Memory("suricata", [reading(eve(1))], condition=Health(0, "", 0, 0, sensor)), site)
    await collector.turn()
    await collector.close()

    later = replace(site, clock=lambda: site.clock() + timedelta(minutes=1))
    again = Collector(Memory("suricata"), later)
    await again.restore()
    vitals = await again.vitals()
    assert 60 <= vitals.last_record_age_seconds < 120
    assert vitals.sensor == sensor
    await again.turn()
    await again.close()

    third = Collector(Memory("suricata"), later)
    await third.restore()
    assert (await third.vitals()).last_record_age_seconds >= 60, "a turn that finds nothing changes nothing"
    await third.close()


async def test_canaries_are_marked_and_nothing_else_happens_to_them(site: Site, spool: Spool) -> None:
    """No filter, no roll-up, no gap; in the thread of the source whose canaries they are."""
    picky = replace(
        site, min_severity=Severity.SEVERITY_CRITICAL, rollup=Limits(burst=1, window_us=60_000_000)
    )
    source = Collector(Memory("suricata", name="eve"), picky)
    lines = [canary.line("suricata", number, NOW) for number in (1, 2, 3)]
    log = Memory("suricata", [reading(*lines, gaps=[Gap(b"f", 0, 1, "r")])], name="canary log")
    collector = Collector(log, picky, canaries_of=source)

    await collector.turn()

    alerts = await spooled(spool)
    assert [alert.canary.number for alert in alerts] == [1, 2, 3]
    assert {(alert.origin, alert.count) for alert in alerts} == {("eve", 1)}
    assert collector.worker is source.worker
    assert (collector.canary_read, collector.canary_spooled) == (3, 3)
    assert [hour.source for hour in await hours(spool)] == ["canary log"]
    again = Collector(Memory("suricata", name="canary log"), picky, canaries_of=source)
    await again.restore()
    assert (again.canary_read, again.canary_spooled) == (3, 3)
    await collector.close()
    await source.close()


async def test_an_alert_that_looks_like_a_canary_is_an_alert(site: Site, spool: Spool) -> None:
    collector = Collector(Memory("suricata", [reading(canary.line("suricata", 1, NOW))]), site)
    await collector.turn()

    assert [alert.HasField("canary") for alert in await spooled(spool)] == [False]
    await collector.close()
