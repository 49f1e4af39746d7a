"""200,000 alerts wait and the hub comes back: what is urgent is there first, the rest follows in order."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from artemis_agent import window
from artemis_agent.spool import Progress, Spool, Waiting, open_spool
from socme.v1.alert_pb2 import Alert, Severity
from socme.v1.uplink_pb2 import Lane
from tests.artemis_agent.hub import Hub, serving
from tests.artemis_agent.line import running, spool_together, until
from tests.certificates import make_authority
from tests.faults.proxy import proxied

ALERTS = 200_000
AT_ONCE = 2000  # alerts in one append, as a source that catches up makes them
SLOW_BYTES = 100_000  # a second, of a line that is no faster than that


@pytest.fixture(scope="module")
def backlog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a spool with that many alerts."""
    folder = tmp_path_factory.mktemp("backlog")
    rng = random.Random(1)

    async def fill() -> None:
        spool = open_spool(folder, max_bytes=1 << 30)
        for begin in range(0, ALERTS, AT_ONCE):
            alerts = [
                Waiting(
                    Alert(
                        id=rng.randbytes(16),
                        severity=Severity.SEVERITY_LOW,
                        message=f"ET SCAN number {number}",
                        raw=b'{"event_type":"alert","flow_id":%d,"alert":{"severity":3}}'
                        % rng.getrandbits(60),
                    ).SerializeToString()
                )
                for number in range(begin, begin + AT_ONCE)
            ]
            await spool.append(Progress("eve.json", b"", b"", alerts))
        await spool.close()

    asyncio.run(fill())
    return folder


@pytest.fixture
async def spool(backlog: Path, tmp_path: Path) -> AsyncIterator[Spool]:
    """Give a copy of its own to each test: how much one sends depends on the machine."""
    made = open_spool(shutil.copytree(backlog, tmp_path / "copy"), max_bytes=1 << 30)
    assert made.depth.alerts == ALERTS
    yield made
    await made.close()


def told(figures: str) -> None:
    """Show a measurement to who asks for it (pytest -s)."""
    print(f"\n{figures}")  # noqa: T201


def arrived(hub: Hub, lane: Lane.ValueType) -> int:
    """Return how many batches of a lane came."""
    return sum(batch.lane == lane for batch in hub.batches)


def size(hub: Hub) -> int:
    """Return how many bytes of batches came."""
    return sum(len(batch.payload) for batch in hub.batches)


async def test_what_is_urgent_does_not_wait_behind_it(spool: Spool) -> None:
    """One that was spooled while the hub was away comes first; one of now behind less than a window."""
    hub, authority, loop = Hub(), make_authority(), asyncio.get_running_loop()
    await spool_together(spool, "while away", lane=Lane.LANE_URGENT)
    async with serving(hub, authority) as port:
        begun = loop.time()
        async with running(spool, authority.node(f"127.0.0.1:{port}")) as line:
            await hub.until(lambda: arrived(hub, Lane.LANE_URGENT) == 1)
            first = loop.time() - begun
            assert hub.messages[0] == "while away"

            await hub.until(lambda: arrived(hub, Lane.LANE_NORMAL) >= 100)
            before, begun = len(hub.batches), loop.time()
            await spool_together(spool, "now", lane=Lane.LANE_URGENT)
            await hub.until(lambda: arrived(hub, Lane.LANE_URGENT) == 2)
            second = loop.time() - begun
            overtaken = len(hub.batches) - before - 1
            assert line.link.live
            told(
                f"{spool.depth.alerts} alerts wait: an urgent one of before is there {first:.2f} s after"
                f" dialling, a fresh one after {second:.2f} s, behind {overtaken} batches of the backlog"
            )
            assert overtaken <= window.MOST_BATCHES


@pytest.mark.slow
async def test_nor_on_a_slow_line(spool: Spool) -> None:
    """No more of the backlog is on its way than such a line takes in about a second."""
    hub, authority, loop = Hub(), make_authority(), asyncio.get_running_loop()
    async with serving(hub, authority) as port:
        with proxied(f"127.0.0.1:{port}") as proxy:
            proxy.throttle(SLOW_BYTES)
            async with running(spool, authority.node(proxy.address)):
                await hub.until(lambda: size(hub) > 4 * SLOW_BYTES)
                begun, before = loop.time(), size(hub)
                await spool_together(spool, "now", lane=Lane.LANE_URGENT)
                await hub.until(lambda: arrived(hub, Lane.LANE_URGENT) == 1)
                seconds, between = loop.time() - begun, size(hub) - before

    told(f"at {SLOW_BYTES} bytes/s: there after {seconds:.2f} s, behind {between} bytes of the backlog")
    assert between <= 3 * SLOW_BYTES


async def test_all_of_it_arrives_once_and_in_order(spool: Spool) -> None:
    hub, authority, loop = Hub(), make_authority(), asyncio.get_running_loop()
    waiting, batches, begun = spool.depth.alerts, spool.depth.entries, loop.time()
    async with serving(hub, authority) as port, running(spool, authority.node(f"127.0.0.1:{port}")):
        await hub.until(lambda: len(hub.batches) >= batches)
        seconds = loop.time() - begun
        await until(lambda: spool.depth.entries == 0, "all is forgotten")

    told(f"{waiting} alerts in {seconds:.1f} s, {waiting / seconds:,.0f} a second")
    assert len(hub.batches) == batches  # and the test hub has seen that each lane came without a hole
