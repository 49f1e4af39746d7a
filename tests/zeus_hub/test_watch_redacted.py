"""A lobby's screen over real mTLS: whatever it asks for, it gets no host, user or address."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from socme.identity import utc_now
from socme.spiffe import Role
from socme.v1.alert_pb2 import Alert, AlertSource, Endpoint, File, Host, Rule, Severity
from socme.v1.uplink_pb2_grpc import UplinkStub
from socme.v1.vitals_pb2 import Disk, SourceVitals, SystemVitals, Vitals
from socme.v1.watch_pb2 import (
    FleetEvent,
    FleetRequest,
    TriageStatus,
    Verdict,
    WatchEvent,
    WatchRequest,
)
from socme.v1.watch_pb2_grpc import WatchStub
from tests.zeus_hub.kit import LIMIT, Hub, Machine, alert, connect, eventually, hub, linked
from zeus_hub import registry, triage
from zeus_hub.tokens import Grant

SECRETS = (b"dc1", b"jo.doe", b"192.0.2.1", b"aa:bb:cc", b"plans", b"evil.exe", b"acme.example", b"eve.json")
VITALS = Vitals(
    hostname="dc1.acme.example",
    addresses=["192.0.2.1"],
    cpu_usage=0.25,
    disks=[Disk(mountpoint="/srv/plans")],
    sources=[SourceVitals(name="/var/log/eve.json", kind="suricata", problem="no /var/log/eve.json")],
    system=SystemVitals(name="dc1"),
    unknown={"memory": "no dc1"},
)


def telling(number: int) -> Alert:
    """Return an alert with something to hide in every field."""
    line = {"data": {"srcuser": "jo.doe", "path": "plans"}, "agent": {"name": "dc1"}, "full_log": "192.0.2.1"}
    made = alert(number, Severity.SEVERITY_CRITICAL)
    made.MergeFrom(
        Alert(
            rule=Rule(name="jo.doe on dc1 from 192.0.2.1 took plans"),
            host=Host(id="7", name="dc1", ip="192.0.2.1"),
            source_endpoint=Endpoint(ip="192.0.2.1", mac="aa:bb:cc:dd:ee:ff"),
            destination_endpoint=Endpoint(ip="192.0.2.1"),
            user="jo.doe",
            process="evil.exe",
            file=File(path="/srv/plans"),
            url="http://acme.example/plans",
            domain="acme.example",
            message="jo.doe on dc1",
            origin="/var/log/eve.json",
            location="dc1->/var/log",
            raw=json.dumps(line).encode(),
        )
    )
    made.source = AlertSource.ALERT_SOURCE_WAZUH
    return made


class Seen:
    """What one watcher was sent."""

    def __init__(self) -> None:
        self.bytes = b""
        self.alerts: list[Alert] = []
        self.cursor = b""

    async def take(self, call: "grpc.aio.UnaryStreamCall[WatchRequest, WatchEvent]") -> WatchEvent:
        """Read one event."""
        async with asyncio.timeout(LIMIT):
            event = await call.read()
        assert isinstance(event, WatchEvent), event
        self.bytes += event.SerializeToString()
        self.cursor = event.cursor
        for stored in (*event.snapshot.alerts, *event.alerts.alerts):
            self.alerts.append(stored.alert)
        return event


@asynccontextmanager
async def looking(
    zeus: Hub, machine: Machine, **request: object
) -> AsyncIterator["grpc.aio.UnaryStreamCall[WatchRequest, WatchEvent]"]:
    async with connect(zeus.address, machine) as channel:
        call = WatchStub(channel).Alerts(WatchRequest(**request))  # type: ignore[arg-type]
        yield call
        call.cancel()


async def drain(call: "grpc.aio.UnaryStreamCall[WatchRequest, WatchEvent]") -> None:
    while True:
        await Seen().take(call)


async def lobby(zeus: Hub, name: str = "lobby") -> Machine:
    return await zeus.enrol(Grant(Role.DISPLAY, name, redacted=True))


async def send(zeus: Hub, node: Machine, sequence: int, *numbers: int) -> None:
    async with linked(zeus.address, node) as link:
        await link.batch(sequence, [telling(number) for number in numbers])
        await link.until_acked(sequence)


async def test_alerts_say_what_happens_and_not_to_whom(tmp_path: Path) -> None:
    """In the snapshot, live, and from the journal; while another screen is sent the same alerts whole."""
    async with hub(tmp_path) as zeus:
        node, screen, wall = await zeus.node(name="dc1-sensor"), await lobby(zeus), await zeus.display()
        await send(zeus, node, 1, 1)
        await eventually(lambda: len(zeus.stored()) == 1)
        seen, whole = Seen(), Seen()
        everything: dict[str, object] = {"with_raw": True, "snapshot_alerts": 10, "clients": ["acme"]}
        async with looking(zeus, screen, **everything) as call, looking(zeus, wall, **everything) as other:
            first, plain = (await seen.take(call)).snapshot, (await whole.take(other)).snapshot
            start = seen.cursor
            await send(zeus, node, 2, 2, 3)
            while len(seen.alerts) < 3:
                await seen.take(call)
            while len(whole.alerts) < 3:
                await whole.take(other)
    async with hub(tmp_path) as zeus, looking(zeus, screen, cursor=start, **everything) as call:
        while len(seen.alerts) < 5:
            await seen.take(call)

    assert (first.redacted, plain.redacted) == (True, False)
    assert [secret for secret in SECRETS if secret in seen.bytes] == []
    assert [secret for secret in SECRETS if secret not in whole.bytes] == []
    assert {each.rule.name for each in seen.alerts} == {"*** on *** from *** took ***"}
    assert {each.severity for each in seen.alerts} == {Severity.SEVERITY_CRITICAL}
    assert {each.raw for each in whole.alerts} == {telling(1).raw}


async def test_nodes_say_how_they_are_and_not_who(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        node, screen = await zeus.node(name="dc1-sensor"), await lobby(zeus)
        async with linked(zeus.address, node) as link, connect(zeus.address, screen) as channel:
            await link.vitals(VITALS)
            call = WatchStub(channel).Fleet(FleetRequest())
            told = b""
            kinds: set[str | None] = set()
            cpu = 0.0
            while not cpu or not {"node", "client"} <= kinds:
                async with asyncio.timeout(LIMIT):
                    event = await call.read()
                assert isinstance(event, FleetEvent)
                told += event.SerializeToString()
                kinds.add(event.WhichOneof("event"))
                cpu = cpu or event.node.vitals.cpu_usage
            call.cancel()

    assert cpu == VITALS.cpu_usage
    assert [secret for secret in SECRETS if secret in told] == []


async def test_what_people_do_is_told_without_who_and_why(tmp_path: Path) -> None:
    """As it happens, and in a snapshot of later."""
    async with hub(tmp_path) as zeus:
        node, screen = await zeus.node(name="dc1-sensor"), await lobby(zeus)
        await send(zeus, node, 1, 1)
        await eventually(lambda: len(zeus.stored()) == 1)
        seen, later = Seen(), Seen()
        ref = triage.Ref("acme", "dc1-sensor", telling(1).id)
        async with looking(zeus, screen) as call:
            await seen.take(call)
            triage.close(zeus.engine, [ref], Verdict.VERDICT_BENIGN, "plans", by="jo.doe", now=utc_now())
            while not (event := await seen.take(call)).triage.changes:
                pass
        async with looking(zeus, screen, snapshot_alerts=10) as call:
            (stored,) = (await later.take(call)).snapshot.alerts

    (change,) = event.triage.changes
    assert change.after.status == stored.triage.status == TriageStatus.TRIAGE_STATUS_CLOSED
    assert change.id == stored.alert.id == telling(1).id
    assert change.node == stored.node
    assert [secret for secret in SECRETS if secret in seen.bytes + later.bytes] == []


async def test_only_a_new_token_changes_what_a_screen_is_sent(tmp_path: Path) -> None:
    """And the certificate of before is good for nothing from then on."""
    async with hub(tmp_path) as zeus:
        before = await lobby(zeus)
        after = await zeus.display("lobby")
        (screen,) = [one for one in registry.list_watchers(zeus.engine) if one.role is Role.DISPLAY]
        async with looking(zeus, before) as call:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await Seen().take(call)
        async with looking(zeus, after) as call:
            snapshot = (await Seen().take(call)).snapshot

    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert not screen.redacted
    assert not snapshot.redacted


async def test_a_screen_may_call_nothing_but_watch(tmp_path: Path) -> None:
    """Whatever else is served where it may connect; but it may ask whether the hub is well."""
    async with hub(tmp_path) as zeus:
        screen = await zeus.display()
        async with connect(zeus.address, screen) as channel:
            call = UplinkStub(channel).Connect()
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                async with asyncio.timeout(LIMIT):
                    await call.read()
            enrol: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
                "/socme.v1.Enrollment/Enroll"
            )
            with pytest.raises(grpc.aio.AioRpcError) as absent:
                await enrol(b"", timeout=LIMIT)

    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert refused.value.details() == "a display may not call this"
    assert absent.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_revoked_screen_is_cut_off_within_two_seconds(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        screen = await lobby(zeus)
        async with looking(zeus, screen) as call:
            await Seen().take(call)
            registry.revoke_watcher(zeus.engine, Role.DISPLAY, "lobby", now=utc_now())
            revoked = asyncio.get_running_loop().time()
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await drain(call)
            took = asyncio.get_running_loop().time() - revoked

    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert took < 3  # two, and a busy machine
