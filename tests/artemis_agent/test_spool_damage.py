"""Whatever one place of a spool is changed to: the agent runs within two starts, and sends nothing untrue."""

import asyncio
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artemis_agent.collect import Collector
from artemis_agent.file_source import open_file_source
from artemis_agent.numbering import alerts_in
from artemis_agent.repair import repair
from artemis_agent.rollup import Limits
from artemis_agent.salvage import FILE
from artemis_agent.spool import Spool
from artemis_agent.sure import NAME
from socme.errors import OperatorError
from socme.identity import utc_now
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Lane
from tests.artemis_agent.sources import SCHEMA, eve, open_site_spool, site_of

PAGE = 4096
TURNS = 60  # of which each spools a few alerts
MOST_LOOKS = 500  # at what waits, until nothing does
ROLLED_UP = Limits(burst=5, window_us=60_000_000)


class Base:
    """A spool that is sound; no dataclass, which hypothesis would print in whole."""

    def __init__(self, folder: Path, log: Path, waiting: Mapping[bytes, bytes]) -> None:
        """Take what waits in it by id: all of it came from lines that are still there."""
        self.folder, self.log, self.waiting = folder, log, waiting


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    folder = tmp_path_factory.mktemp("base")
    log = folder / "eve.json"
    log.touch()
    asyncio.run(_fill(folder, log))
    with sqlite3.connect(folder / FILE) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    copy = Path(shutil.copytree(folder, folder.with_name("copy")))
    return Base(folder, log, {alert.id: alert.SerializeToString() for alert in asyncio.run(_drained(copy))})


async def _fill(folder: Path, log: Path) -> None:
    """Spool much, of which a little is acknowledged, a little given up, and a flood is held back."""
    spool = open_site_spool(folder)
    async with site_of(spool, folder) as site:
        source = open_file_source(log, "suricata", "beginning", None)
        collector = Collector(source, replace(site, rollup=ROLLED_UP))
        await collector.turn()
        await spool.tend()  # where it began is sure from here on
        for turn in range(TURNS):
            if turn == 5:
                (first, *_) = await spool.next({})
                spool.acknowledge(first.lane, first.sequence)
                await spool.trim()
                await spool.tend()
            with log.open("ab") as file:
                file.writelines(eve(100 + turn * 5 + each) + b"\n" for each in range(5))
                file.write(eve(7, number=turn) + b"\n")
            await collector.turn()
        await collector.close()
    await spool.give_up(Lane.LANE_NORMAL, 40, "refused")
    await spool.close()


async def _drained(folder: Path) -> list[Alert]:
    spool = open_site_spool(folder)
    try:
        return await _drain(spool)
    finally:
        await spool.close()


async def _drain(spool: Spool) -> list[Alert]:
    """Take all that waits, as the uplink does, until nothing does."""
    found: list[Alert] = []
    for _ in range(MOST_LOOKS):
        if not spool.depth.entries:
            return found
        for entry in await spool.next({}):
            found += [Alert.FromString(alert) for alert in alerts_in(entry.packed)]
            spool.acknowledge(entry.lane, entry.sequence)
        await spool.trim()
    raise AssertionError("what waits does not become less")


async def _start(folder: Path, log: Path) -> list[Alert]:
    """Do once all that a running agent does with its spool; return what it sent."""
    spool = open_site_spool(folder)
    try:
        async with site_of(spool, folder) as site:
            later = replace(site, rollup=ROLLED_UP, clock=lambda: utc_now() + timedelta(hours=2))
            source = open_file_source(log, "suricata", "beginning", await spool.position(str(log)))
            collector = Collector(source, later)
            try:
                await spool.before()
                await spool.ledger()
                while (await collector.turn()).more:
                    pass
                await spool.follow([])
                sent = await _drain(spool)
                await spool.tend()
                await spool.dropped()
            finally:
                await collector.close()
    finally:
        await spool.close()
    return sent


@dataclass(frozen=True, slots=True)
class Damage:
    """What is done to a file."""

    share: float
    """Where, from 0 to 1."""
    kind: str
    seed: int

    def apply(self, path: Path) -> None:
        """Do it; the header is left alone, which tells a later version by a number there."""
        data, dice = bytearray(path.read_bytes()), random.Random(self.seed)
        at = 100 + int(self.share * (len(data) - 101))
        match self.kind:
            case "bit":
                data[at] ^= 1 << dice.randrange(8)
            case "bytes":
                data[at : at + 8] = dice.randbytes(len(data[at : at + 8]))
            case _:
                begin = at // PAGE * PAGE
                data[begin : begin + PAGE] = bytes(PAGE)
        path.write_bytes(data)


DAMAGES = st.builds(
    Damage,
    share=st.floats(0, 1),
    kind=st.sampled_from(["bit", "bytes", "page"]),
    seed=st.integers(0, 2**32),
)


async def _until_it_runs(folder: Path, log: Path) -> list[Alert]:
    try:
        return await _start(folder, log)
    except OperatorError:
        return await _start(folder, log)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(damage=DAMAGES)
def test_the_agent_runs_within_two_starts_and_no_alert_is_lost_or_untrue(base: Base, damage: Damage) -> None:
    with tempfile.TemporaryDirectory(dir=base.folder.parent) as name:
        folder = Path(name)
        for each in (FILE, NAME):
            shutil.copy(base.folder / each, folder)
        damage.apply(folder / FILE)

        sent = asyncio.run(asyncio.wait_for(_until_it_runs(folder, base.log), 60))
        list(repair(folder, None, schema=SCHEMA))
        sent += asyncio.run(_drained(folder))

    got = {alert.id: alert for alert in sent if alert.count <= 1}
    assert set(base.waiting) <= set(got), "each waited, or its line was read again"
    for key, payload in base.waiting.items():
        assert got[key].raw == Alert.FromString(payload).raw
