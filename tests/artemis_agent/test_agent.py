"""The agent as a whole, in this process and as a process of its own, against a hub's stream."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from artemis_agent import agent
from artemis_agent.collect import SCHEMA
from artemis_agent.config import plan
from artemis_agent.spool import Spool, open_spool
from socme import identity
from socme.errors import OperatorError
from socme.service import Notifier
from socme.v1.uplink_pb2 import Lane
from tests.artemis_agent.hub import LIMIT, Hub, alerts_of, dropped_of, serving
from tests.artemis_agent.sources import copy_of, eve, wazuh
from tests.certificates import Authority, make_authority


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


@dataclass(frozen=True, slots=True)
class Node:
    """A node's folder: settings, logs and state."""

    folder: Path

    @property
    def config(self) -> Path:
        """Its settings file."""
        return self.folder / "artemis.toml"

    @property
    def state_dir(self) -> Path:
        """Its state."""
        return self.folder / "state"

    def log(self, name: str, *lines: bytes) -> None:
        """Append lines to one of its logs."""
        with (self.folder / name).open("ab") as file:
            file.write(b"".join(line + b"\n" for line in lines))

    def status(self) -> dict[str, object]:
        """Return what the running agent told last."""
        told: dict[str, object] = json.loads((self.state_dir / "status.json").read_text())
        return told


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = Node(tmp_path)
    made.config.write_text(
        'state_dir = "state"\nvitals_interval_seconds = 1\n'
        '[[source]]\nkind = "suricata"\npath = "eve.json"\nstart = "beginning"\n'
        '[[source]]\nkind = "wazuh"\npath = "alerts.json"\nstart = "beginning"\n'
        "[canary]\ninterval_seconds = 0\n"
    )
    return made


def enrol(node: Node, authority: Authority, port: int) -> None:
    identity.save(node.state_dir, authority.node(f"127.0.0.1:{port}"))


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[None]:
    """Run the agent in this process."""
    told = plan(node.config)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(agent.run(told, Notifier()))
        yield
        task.cancel()


async def until_file(path: Path, words: str) -> None:
    async with asyncio.timeout(LIMIT):
        while not path.exists() or words not in path.read_text():  # noqa: ASYNC110, ASYNC240 - a file
            await asyncio.sleep(0.01)


async def test_the_hub_hears_at_once_of_a_source_that_cannot_be_read(
    node: Node, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when it is time for the next vitals. They tell of the machine, too."""
    monkeypatch.setattr(agent, "TELL_SECONDS", 0.05)
    node.config.write_text(node.config.read_text().replace("_seconds = 1\n", "_seconds = 3600\n", 1))
    node.log("eve.json", eve(1))
    hub = Hub()
    async with serving(hub, authority) as port:
        enrol(node, authority, port)
        async with running(node):
            await hub.until(lambda: len(hub.raw) == 1 and bool(hub.vitals))
            (node.folder / "eve.json").unlink()
            (node.folder / "eve.json").mkdir()
            await hub.until(lambda: bool(hub.vitals[-1].sources[0].problem))

    found = hub.vitals[-1]
    assert found.system.kernel
    assert found.suricata.day_records == 1
    assert found.HasField("clock_offset_seconds")
    assert found.HasField("certificate_expires")
    assert found.agent_memory_bytes > 0


async def test_alerts_in_files_reach_the_hub_once(node: Node, authority: Authority) -> None:
    """Before the start, while it runs, and while it did not run; copies of Wazuh stay behind."""
    hub = Hub()
    node.log("eve.json", eve(1))
    async with serving(hub, authority) as port:
        enrol(node, authority, port)
        async with running(node):
            await hub.until(lambda: len(hub.raw) == 1)
            node.log("eve.json", eve(2))
            node.log("alerts.json", copy_of(2), wazuh(7))
            await hub.until(lambda: len(hub.raw) == 3)
        node.log("eve.json", eve(3))
        node.log("alerts.json", copy_of(1), copy_of(3), wazuh(8))
        async with running(node):
            await hub.until(lambda: len(hub.raw) == 5)
            await hub.until(lambda: counted(hub) == 6)

    assert sorted(hub.raw) == sorted([eve(1), eve(2), eve(3), wazuh(7), wazuh(8)])
    vitals = hub.vitals[-1]
    assert [source.kind for source in vitals.sources] == ["suricata", "wazuh"]
    assert [source.spooled for source in vitals.sources] == [3, 2]
    assert dict(vitals.sources[1].dropped) == {"wazuh_copy": 3}
    assert {hello.epoch for hello in hub.hellos} == {hub.hellos[0].epoch}
    assert vitals.hostname == socket.gethostname()


def counted(hub: Hub) -> int:
    """Return how many alerts of Wazuh and of Suricata the last vitals count as sent or dropped there."""
    if not hub.vitals or len(hub.vitals[-1].sources) < 2:
        return 0
    own = hub.vitals[-1].sources[1]
    return own.spooled + sum(own.dropped.values()) + (hub.vitals[-1].sources[0].spooled == 3)


async def test_the_status_is_told(node: Node, authority: Authority) -> None:
    """While connected, and when the hub is gone."""
    hub = Hub()
    async with serving(hub, authority) as port:
        enrol(node, authority, port)
        line = running(node)
        await line.__aenter__()
        await until_file(node.state_dir / "status.json", '"connection": "connected"')
        told = node.status()
        assert told["pid"] == os.getpid()
        assert told["hub"] == f"127.0.0.1:{port}"
    await until_file(node.state_dir / "status.json", '"connection": "waiting"')
    assert node.status()["last_error"]
    await line.__aexit__(None, None, None)


def test_it_holds_nothing_that_is_for_settings_and_commands_alone() -> None:
    """What reads settings and command lines is large, and needed once (socme.launch)."""
    told = "import sys; from socme import openssl; openssl.leave_out();"
    told += "import artemis_agent.agent; print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, check=True, text=True
    ).stdout.split()

    assert "artemis_agent.collect" in loaded
    assert not {"ssl", "_hashlib", "http.client", "email"} & set(loaded)
    assert not {"pydantic", "pydantic_settings", "typer", "cryptography"} & set(loaded)
    assert not {"artemis_agent.break_glass", "artemis_agent.smtp", "smtplib"} & set(loaded)


def test_telling_people_itself_holds_nothing_that_is_for_mails_until_there_is_one() -> None:
    told = "import sys, artemis_agent.agent, artemis_agent.break_glass; print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, check=True, text=True
    ).stdout.split()

    assert not {"artemis_agent.smtp", "artemis_agent.own_mail", "smtplib"} & set(loaded)


async def test_without_an_identity_it_does_not_start(node: Node) -> None:
    with pytest.raises(OperatorError, match="not enrolled"):
        await agent.run(plan(node.config), Notifier())


async def test_a_second_agent_is_refused(node: Node, authority: Authority) -> None:
    """One message, not a group of them."""
    enrol(node, authority, 1)
    spool = open_spool(node.state_dir, max_bytes=1 << 30)

    with pytest.raises(OperatorError, match="another artemis"):
        await agent.run(plan(node.config), Notifier())

    await spool.close()


async def test_one_file_twice_is_refused(node: Node, authority: Authority) -> None:
    """It would send each alert twice."""
    enrol(node, authority, 1)
    with node.config.open("a") as file:
        file.write(f'[[source]]\nkind = "wazuh"\npath = "{node.folder}/eve.json"\n')

    with pytest.raises(OperatorError, match="the same file"):
        await agent.run(plan(node.config), Notifier())


async def test_a_damaged_position_is_one_message(node: Node, authority: Authority) -> None:
    """Whatever raises it, deep in the wiring."""
    enrol(node, authority, 1)
    spool = open_spool(node.state_dir, max_bytes=1 << 30, schema=SCHEMA)
    await spool.ask(
        lambda journal: journal.append([], notes={f"position:{node.folder}/eve.json": b"nonsense"})
    )
    await spool.close()

    with pytest.raises(OperatorError, match="position"):
        await agent.run(plan(node.config), Notifier())


def canaries(hub: Hub) -> dict[str, set[int]]:
    """Return the numbers of the canaries that the hub has, by origin."""
    found: dict[str, set[int]] = {}
    for alert in (alert for batch in hub.batches for alert in alerts_of(batch)):
        if alert.HasField("canary"):
            found.setdefault(alert.origin, set()).add(alert.canary.number)
    return found


async def test_each_source_has_canaries_that_take_its_way(
    node: Node, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every stage is told; numbers go on after a restart; nothing of it is in the source's own counts."""
    monkeypatch.setenv("ARTEMIS_CANARY__INTERVAL_SECONDS", "1")
    hub, names = Hub(), {str(node.folder / "eve.json"), str(node.folder / "alerts.json")}
    async with serving(hub, authority) as port:
        enrol(node, authority, port)
        async with running(node):
            await hub.until(lambda: canaries(hub).keys() == names)
            await hub.until(lambda: bool(hub.vitals) and acknowledged(hub) >= {1})
        before = canaries(hub)
        hub.batches.clear()
        async with running(node):
            await hub.until(lambda: canaries(hub).keys() == names)

    assert all(source.canary.spool_seconds > 0 for source in hub.vitals[-1].sources)
    assert all(min(numbers) > max(before[name]) for name, numbers in canaries(hub).items())
    vitals = hub.vitals[-1]
    assert {source.canary.interval_seconds for source in vitals.sources} == {1}
    assert all(source.canary.written >= source.canary.read >= 1 for source in vitals.sources)
    assert [source.records for source in vitals.sources] == [0, 0]
    assert [hour for each in hub.vitals for hour in each.ledger] == []


async def test_canaries_of_other_days_are_no_sources(
    node: Node, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were switched off, or their source was removed; the spool still has their hours."""
    monkeypatch.setenv("ARTEMIS_CANARY__INTERVAL_SECONDS", "1")
    hub = Hub()
    async with serving(hub, authority) as port:
        enrol(node, authority, port)
        async with running(node):
            await hub.until(lambda: bool(canaries(hub)))
        monkeypatch.setenv("ARTEMIS_CANARY__INTERVAL_SECONDS", "0")
        hub.vitals.clear()
        node.log("eve.json", eve(1))
        async with running(node):
            await hub.until(lambda: any(hour.acknowledged for each in hub.vitals for hour in each.ledger))

    assert {hour.source for each in hub.vitals for hour in each.ledger} == {str(node.folder / "eve.json")}
    assert (hub.vitals[-1].spool.alerts, hub.vitals[-1].spool.acknowledged) == (0, 1)


def acknowledged(hub: Hub) -> set[int]:
    """Return the numbers of the last canaries that the node knows to be at the hub."""
    return {min(source.canary.acknowledged, 1) for source in hub.vitals[-1].sources}


async def test_what_was_taken_from_the_spool_is_in_the_vitals(node: Node, authority: Authority) -> None:
    hub = Hub()
    node.log("eve.json", eve(1), eve(2), eve(3))
    enrol(node, authority, 1)  # where nobody listens
    async with running(node):
        await until_file(node.state_dir / "status.json", '"spooled": "3"')
    with closing(sqlite3.connect(node.state_dir / "spool.db")) as db, db:
        db.execute("DELETE FROM entry")
    async with serving(hub, authority) as port:
        enrol(node, authority, port)
        async with running(node):
            await hub.until(lambda: bool(hub.vitals) and hub.vitals[-1].spool.unaccounted == 3)
            await until_file(node.state_dir / "status.json", '"unaccounted": "3"')


async def test_what_comes_while_all_is_well_overtakes_what_waits(node: Node, authority: Authority) -> None:
    """However low: it is on a screen at once. What was spooled without a hub is a backlog, and behind it."""
    hub = Hub()
    enrol(node, authority, 1)  # where nobody listens
    node.log("eve.json", eve(1, severity=3))
    async with running(node):
        await until_file(node.state_dir / "status.json", '"spooled": "1"')
    async with serving(hub, authority) as port:
        enrol(node, authority, port)
        async with running(node):
            await hub.until(lambda: hub.raw == [eve(1, severity=3)])
            node.log("eve.json", eve(2, severity=3))
            await hub.until(lambda: hub.raw == [eve(1, severity=3), eve(2, severity=3)])

    assert [batch.lane for batch in hub.batches] == [Lane.LANE_NORMAL, Lane.LANE_URGENT]


async def test_the_spool_is_bounded_as_the_settings_say(
    node: Node, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, object] = {}

    def opened(state_dir: Path, **bounds: object) -> Spool:
        asked.update(bounds)
        return open_spool(state_dir, **bounds)  # type: ignore[arg-type]

    monkeypatch.setattr(agent, "open_spool", opened)
    monkeypatch.setenv("ARTEMIS_SPOOL__MAX_AGE_DAYS", "3")
    monkeypatch.setenv("ARTEMIS_SPOOL__MAX_BYTES", str(5 << 20))
    enrol(node, authority, 1)
    async with running(node):
        await until_file(node.state_dir / "status.json", '"pid"')

    assert (asked["max_age_seconds"], asked["max_bytes"]) == (3 * 24 * 3600, 5 << 20)


async def test_vitals_tell_the_ledger_as_it_changes(node: Node, authority: Authority) -> None:
    hub = Hub()
    node.log("eve.json", eve(1), b'{"event_type":"stats"}')
    async with serving(hub, authority) as port:
        enrol(node, authority, port)
        async with running(node):
            await hub.until(lambda: any(hour.acknowledged for each in hub.vitals for hour in each.ledger))

    hours = [hour for each in hub.vitals for hour in each.ledger]
    assert {hour.source for hour in hours} == {str(node.folder / "eve.json")}
    assert (hours[-1].read, hours[-1].not_alert, hours[-1].spooled, hours[-1].unaccounted) == (2, 1, 1, 0)
    assert hub.vitals[-1].spool.capacity_bytes == 1 << 30


async def test_a_damaged_spool_is_told_to_the_hub(node: Node, authority: Authority) -> None:
    """By the agent that set it aside."""
    hub = Hub()
    async with serving(hub, authority) as port:
        enrol(node, authority, port)
        damage(node)
        async with running(node):
            await hub.until(lambda: bool(hub.batches))
            (alert,) = alerts_of(hub.batches[0])

    assert alert.rule.id == "socme.spool_damaged"
    assert "spool.db.damaged-" in alert.message


async def test_a_spool_that_was_set_aside_is_told_of_at_each_start(node: Node, authority: Authority) -> None:
    """Until it is repaired: the agent that set it aside may have been killed before it could."""
    hub = Hub()
    node.state_dir.mkdir(exist_ok=True)
    aside = node.state_dir / "spool.db.damaged-20260101T000000"
    aside.write_bytes(b"no database")
    async with serving(hub, authority) as port:
        enrol(node, authority, port)
        for count in (1, 2):
            async with running(node):
                await hub.until(lambda count=count: len(hub.batches) == count)  # type: ignore[misc]
        aside.rename(node.state_dir / "spool.db.repaired-20260101T000000")
        async with running(node):
            await hub.until(lambda: len(hub.hellos) == 3 and hub.order[-1] == "vitals")

    first, second = (alerts_of(batch)[0] for batch in hub.batches)
    assert first.rule.id == "socme.spool_damaged"
    assert first.id == second.id, "so that the hub stores it once"


async def test_a_spool_that_is_lost_before_anything_was_acknowledged_loses_nothing(
    node: Node, authority: Authority
) -> None:
    """Of a source that begins at its end, nothing but that place says what is new."""
    node.config.write_text(node.config.read_text().replace('start = "beginning"', 'start = "end"'))
    node.log("eve.json", eve(1))
    enrol(node, authority, 1)  # where nobody listens
    async with running(node):
        await until_file(node.state_dir / "status.json", '"pid"')
        node.log("eve.json", eve(2), eve(3))
        await until_file(node.state_dir / "status.json", '"spooled": "2"')
    damage(node)
    hub = Hub()
    async with serving(hub, authority) as port:
        enrol(node, authority, port)
        async with running(node):
            await hub.until(lambda: eve(3) in hub.raw)

    assert [line for line in hub.raw if line] == [eve(2), eve(3)]


def damage(node: Node) -> None:
    (node.state_dir / "spool.db").write_bytes(b"no database" * 1000)


async def test_what_is_held_of_a_source_that_was_removed_is_sent(
    node: Node, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTEMIS_ROLLUP", '{"burst": 1, "window_seconds": 3600}')
    hub, flood = Hub(), [eve(1, number=number) for number in range(5)]
    node.log("eve.json", *flood)
    async with serving(hub, authority) as port:
        enrol(node, authority, port)
        async with running(node):
            await hub.until(lambda: hub.raw == flood[:1])
            await hub.until(lambda: bool(hub.vitals) and hub.vitals[-1].sources[0].rolled_up == 4)
        other = [{"kind": "suricata", "path": str(node.folder / "other.json")}]
        monkeypatch.setenv("ARTEMIS_SOURCE", json.dumps(other))
        async with running(node):
            await hub.until(lambda: hub.raw == flood[:2])

    (roll_up,) = alerts_of(hub.batches[-1])
    assert (roll_up.count, roll_up.origin) == (4, str(node.folder / "eve.json"))


async def test_hubs_are_dialled_in_turn(
    node: Node, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one is away."""
    hub = Hub()
    async with serving(hub, authority) as port:
        enrol(node, authority, 1)
        monkeypatch.setenv("ARTEMIS_HUB_ADDRESS", json.dumps(["127.0.0.1:1", f"127.0.0.1:{port}"]))
        async with running(node):
            await hub.until(lambda: bool(hub.hellos))


async def test_an_alert_that_the_hub_refuses_becomes_a_dead_letter(node: Node, authority: Authority) -> None:
    """The others of its batch go on, and a person finds the line."""
    hub, bad = Hub(), eve(2)
    hub.reject = lambda batch: "too odd" if any(alert.raw == bad for alert in alerts_of(batch)) else ""
    node.log("eve.json", eve(1), bad, eve(3))
    async with serving(hub, authority) as port:
        enrol(node, authority, port)
        async with running(node):
            await hub.until(lambda: any(dropped_of(batch) for batch in hub.batches))
            await until_file(node.state_dir / "dead-letters.jsonl", "too odd")

    letter = json.loads((node.state_dir / "dead-letters.jsonl").read_text())
    assert letter["head"].encode() == bad
    assert (letter["source"], letter["offset"]) == (str(node.folder / "eve.json"), len(eve(1)) + 1)


async def test_the_daemon_tells_systemd_and_ends_within_seconds(
    node: Node, authority: Authority, tmp_path: Path
) -> None:
    """As a process: READY, a fed watchdog, SIGTERM, exit code 0."""
    hub = Hub()
    node.log("eve.json", eve(1))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)  # noqa: FBT003
        async with serving(hub, authority) as port:
            enrol(node, authority, port)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "artemis_agent", "run", "--config", str(node.config)),
                env=os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000"},
                stderr=asyncio.subprocess.PIPE,
            )
            await hub.until(lambda: len(hub.raw) == 1)
            loop, told = asyncio.get_running_loop(), b""
            async with asyncio.timeout(LIMIT):
                while told.count(b"WATCHDOG=1") < 2 or b"connected" not in told:
                    told += await loop.sock_recv(systemd, 1000)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(5):
                _, logged = await process.communicate()

    assert process.returncode == 0
    assert b"READY=1" in told
    assert b"Traceback" not in logged
    assert b"connected hub=" in logged
    assert b"stopping signal=SIGTERM" in logged
