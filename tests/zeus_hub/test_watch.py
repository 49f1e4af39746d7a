"""The Watch service over real mTLS: nothing missed, nothing doubled, nobody else's."""

# ruff: noqa: D102 - names say it, as for functions

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from socme.identity import utc_now
from socme.v1.alert_pb2 import Alert, Severity
from socme.v1.uplink_pb2 import NodeMessage, Told
from socme.v1.vitals_pb2 import ClientStatus, Health, NodeState, NodeStatus, Vitals
from socme.v1.watch_pb2 import FleetEvent, FleetRequest, WatchEvent, WatchRequest
from socme.v1.watch_pb2_grpc import WatchStub
from tests.zeus_hub.kit import LIMIT, Hub, Machine, alert, connect, eventually, hub, ids, linked
from zeus_hub import registry, watch
from zeus_hub.authorise import Guard
from zeus_hub.fleet import Fleet
from zeus_hub.live import Live, Shown
from zeus_hub.snapshot import View
from zeus_hub.tracks import Cursor
from zeus_hub.watch import Watch


class Eye:
    """A watcher that remembers what it saw."""

    def __init__(self, channel: grpc.aio.Channel, request: WatchRequest) -> None:
        self.call = WatchStub(channel).Alerts(request)
        self.cursor = b""
        self.seen: list[bytes] = []
        self.alerts: list[Alert] = []

    async def read(self) -> WatchEvent:
        async with asyncio.timeout(LIMIT):
            event = await self.call.read()
        assert isinstance(event, WatchEvent), event
        self.cursor = event.cursor
        kind = event.WhichOneof("event")
        if kind == "snapshot":
            self.seen = [stored.alert.id for stored in event.snapshot.alerts]
        for stored in event.alerts.alerts:
            self.seen.append(stored.alert.id)
            self.alerts.append(stored.alert)
        return event

    async def until(self, count: int) -> None:
        while len(self.seen) < count:
            await self.read()


@asynccontextmanager
async def eye(zeus: Hub, machine: Machine, **request: object) -> AsyncIterator[Eye]:
    async with connect(zeus.address, machine) as channel:
        looking = Eye(channel, WatchRequest(**request))  # type: ignore[arg-type]
        yield looking
        looking.call.cancel()


async def _send(zeus: Hub, node: Machine, alerts: list[Alert], sequence: int = 1) -> None:
    async with linked(zeus.address, node) as link:
        await link.batch(sequence, alerts)
        await link.until_acked(sequence)


async def test_a_snapshot_comes_first_with_counts_and_the_latest_alerts(tmp_path: Path) -> None:
    alerts = [alert(1, Severity.SEVERITY_HIGH), alert(2), alert(3)]
    alerts[2].count = 10
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        await _send(zeus, node, alerts)
        await eventually(lambda: len(zeus.stored()) == 3)
        async with eye(zeus, zeus.operator(), snapshot_alerts=2) as looking:
            snapshot = (await looking.read()).snapshot

        (client,) = snapshot.clients
        assert (client.client, client.nodes) == ("acme", 1)
        assert {count.severity: count.alerts for count in client.last_day} == {
            Severity.SEVERITY_HIGH: 1,
            Severity.SEVERITY_LOW: 11,
        }
        assert [stored.alert.id for stored in snapshot.alerts] == ids(alerts[1:])
        assert snapshot.alerts[0].client == "acme"
        assert snapshot.alerts[0].node == "acme-1"


async def test_snapshot_and_live_leave_no_gap_and_overlap_nowhere(tmp_path: Path) -> None:
    """Watchers arrive at any moment of a stream of alerts; each sees every one of them once, in order."""
    alerts = [alert(number) for number in range(300)]

    async def send() -> None:
        async with linked(zeus.address, node) as link:
            for sequence in range(1, 101):
                await link.batch(sequence, alerts[3 * sequence - 3 : 3 * sequence])
                await link.until_acked(sequence)

    async def look(after: int) -> list[bytes]:
        await eventually(lambda: len(zeus.stored()) >= after)
        async with eye(zeus, zeus.operator(), snapshot_alerts=1000) as looking:
            await looking.until(300)
            return looking.seen

    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        async with asyncio.TaskGroup() as group:
            group.create_task(send())
            looks = [group.create_task(look(after)) for after in (0, 20, 50, 100, 150, 250)]
        for task in looks:
            assert task.result() == ids(alerts)


async def test_a_watcher_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the middle of a batch, and also with a hub that was restarted meanwhile."""
    monkeypatch.setattr(watch, "PIECE_BYTES", 1)
    alerts = [alert(number) for number in range(10)]
    async with hub(tmp_path) as zeus:
        node, wall = await zeus.node(), await zeus.display()
        async with eye(zeus, wall) as looking:
            await looking.read()
            await _send(zeus, node, alerts)
            await looking.until(4)
        seen, cursor = looking.seen, looking.cursor
    async with hub(tmp_path) as zeus, eye(zeus, wall, cursor=cursor) as looking:
        await looking.until(6)

        assert seen + looking.seen == ids(alerts)


async def test_raw_comes_only_when_asked_for(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        node, wall = await zeus.node(), await zeus.display()
        for wanted in (False, True):
            async with eye(zeus, wall, with_raw=wanted, snapshot_alerts=10) as looking:
                snapshot = (await looking.read()).snapshot
                await _send(zeus, node, [alert(wanted)], sequence=1 + wanted)
                await looking.until(1 + wanted)
                await eventually(lambda wanted=wanted: len(zeus.stored()) == 1 + wanted)  # type: ignore[misc]

            assert looking.alerts[0].raw == (alert(wanted).raw if wanted else b"")
            assert all(bool(stored.alert.raw) is wanted for stored in snapshot.alerts)


async def test_a_watcher_gets_what_it_asked_for_and_no_more(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        acme, beta = await zeus.node("acme", "n1"), await zeus.node("beta", "n1")
        unknown = Severity.SEVERITY_UNSPECIFIED  # may be anything, and is never hidden
        mixed = [alert(1), alert(2, Severity.SEVERITY_CRITICAL), alert(3, 99), alert(8, unknown)]
        await _send(zeus, acme, mixed)
        await eventually(lambda: len(zeus.stored()) == 4)
        request = {"clients": ["acme"], "min_severity": Severity.SEVERITY_HIGH, "snapshot_alerts": 10}
        async with eye(zeus, zeus.operator(), **request) as looking:
            snapshot = (await looking.read()).snapshot
            await _send(zeus, beta, [alert(4, Severity.SEVERITY_CRITICAL)])
            await _send(
                zeus, acme, [alert(5), alert(6, Severity.SEVERITY_HIGH), alert(7, unknown)], sequence=2
            )
            await looking.until(5)

        assert [client.client for client in snapshot.clients] == ["acme"]
        assert looking.seen == ids([*mixed[1:], alert(6), alert(7)])


async def test_canaries_reach_no_watcher_and_no_count(tmp_path: Path) -> None:
    """Neither live nor in a snapshot, whatever is asked for; the alerts around them do."""
    mixed = [alert(1), alert(2, Severity.SEVERITY_CRITICAL, canary={"number": 1}), alert(3)]
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        async with eye(zeus, zeus.operator(), with_raw=True) as looking:
            await looking.read()
            await _send(zeus, node, mixed)
            await _send(zeus, node, [alert(4, canary={"number": 2})], sequence=2)
            await _send(zeus, node, [alert(5)], sequence=3)
            await looking.until(3)
        await eventually(lambda: len(zeus.stored()) == 3)
        async with eye(zeus, zeus.operator(), snapshot_alerts=10) as again:
            snapshot = (await again.read()).snapshot

    assert looking.seen == again.seen == ids([mixed[0], mixed[2], alert(5)])
    (client,) = snapshot.clients
    assert [(count.severity, count.alerts) for count in client.last_day] == [(Severity.SEVERITY_LOW, 3)]


async def test_a_screen_sees_its_clients_alone(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        acme, beta = await zeus.node("acme", "n1"), await zeus.node("beta", "n1")
        wall = await zeus.display(clients=frozenset({"acme"}))
        await _send(zeus, beta, [alert(1)])
        await eventually(lambda: len(zeus.stored()) == 1)
        async with eye(zeus, wall, snapshot_alerts=10) as looking:
            snapshot = (await looking.read()).snapshot
            await _send(zeus, beta, [alert(2)], sequence=2)
            await _send(zeus, acme, [alert(3)])
            await looking.until(1)
        async with connect(zeus.address, wall) as channel:
            fleet = WatchStub(channel).Fleet(FleetRequest())
            first = await fleet.read()
            fleet.cancel()

        assert [client.client for client in snapshot.clients] == ["acme"]
        assert looking.seen == [alert(3).id]
        assert isinstance(first, FleetEvent)
        assert first.node.client == "acme"


@pytest.mark.parametrize("name", ["beta", "nobody"])
async def test_asking_for_a_client_that_is_not_allowed_says_so_and_not_whether_it_exists(
    tmp_path: Path, name: str
) -> None:
    async with hub(tmp_path) as zeus:
        await zeus.node("acme")
        await zeus.node("beta")
        wall = await zeus.display(clients=frozenset({"acme"}))
        async with connect(zeus.address, wall) as channel:
            for call in (
                WatchStub(channel).Alerts(WatchRequest(clients=[name])),
                WatchStub(channel).Fleet(FleetRequest(clients=[name])),
            ):
                assert await call.code() is grpc.StatusCode.PERMISSION_DENIED
                assert f"may not see the client {name}" in str(await call.details())


@pytest.mark.parametrize("wanted", [["nobody"], ["acme", "nobody"]])
async def test_a_client_that_there_is_not_is_refused_to_those_who_see_all(
    tmp_path: Path, wanted: list[str]
) -> None:
    """A misspelt name would look like peace. The hub itself is there before it has said anything."""
    async with hub(tmp_path) as zeus:
        await zeus.node("acme")
        async with connect(zeus.address, zeus.operator()) as channel:
            stub = WatchStub(channel)
            for call in (
                stub.Alerts(WatchRequest(clients=wanted)),
                stub.Fleet(FleetRequest(clients=wanted)),
            ):
                assert await call.code() is grpc.StatusCode.PERMISSION_DENIED
                assert "the hub has no client nobody" in str(await call.details())
        async with eye(zeus, zeus.operator(), clients=["acme", "socme"]) as looking:
            assert (await looking.read()).HasField("snapshot")


async def test_a_slow_watcher_misses_nothing_and_holds_up_nobody(tmp_path: Path) -> None:
    """One that does not read while more than gRPC's windows hold is sent; then it reads it all."""
    big = [alert(number, url="x" * 20_000) for number in range(400)]  # 8 MB
    async with hub(tmp_path) as zeus:
        node, wall = await zeus.node(), await zeus.display()
        async with eye(zeus, wall) as slow, eye(zeus, zeus.operator()) as quick:
            await slow.read()
            async with linked(zeus.address, node) as link:
                for sequence in range(1, 41):
                    await link.batch(sequence, big[10 * sequence - 10 : 10 * sequence])
                await link.until_acked(40)
            await quick.until(400)
            await slow.until(400)

        assert slow.seen == quick.seen == ids(big)


async def test_a_watcher_that_was_away_too_long_is_told_and_gets_a_snapshot(tmp_path: Path) -> None:
    async with hub(tmp_path, keep_bytes=1024 * 1024) as zeus:
        node, wall = await zeus.node(), await zeus.display()
        async with eye(zeus, wall) as looking:
            await looking.read()
        async with linked(zeus.address, node) as link:
            for sequence in range(1, 9):
                made = [alert(sequence * 100 + index) for index in range(20)]
                for index, each in enumerate(made):
                    each.raw = _random(sequence * 100 + index, 20_000)
                await link.batch(sequence, made)
                await link.until_acked(sequence)
                await eventually(lambda sequence=sequence: len(zeus.stored()) == 20 * sequence)  # type: ignore[misc]
    # A new start, because a hub's memory reaches further back than so small a journal.
    async with hub(tmp_path, keep_bytes=1024 * 1024) as zeus:
        async with eye(zeus, wall, cursor=looking.cursor, snapshot_alerts=5) as again:
            first, second = await again.read(), await again.read()

        assert first.WhichOneof("event") == "lagged"
        assert second.WhichOneof("event") == "snapshot"
        assert len(second.snapshot.alerts) == 5


@pytest.mark.parametrize("cursor", [b"junk", b"\x01" + b"x" * 8 + bytes(12)])
async def test_a_cursor_of_another_hub_means_starting_over(tmp_path: Path, cursor: bytes) -> None:
    async with hub(tmp_path) as zeus, eye(zeus, zeus.operator(), cursor=cursor) as looking:
        assert (await looking.read()).WhichOneof("event") == "lagged"
        assert (await looking.read()).WhichOneof("event") == "snapshot"


async def test_quiet_is_filled_with_bookmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "QUIET_SECONDS", 0.05)
    async with hub(tmp_path) as zeus, eye(zeus, zeus.operator()) as looking:
        snapshot, bookmark = await looking.read(), await looking.read()

        assert bookmark.WhichOneof("event") == "bookmark"
        assert bookmark.cursor == snapshot.cursor


async def test_watching_ends_when_the_hub_stops(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        context = connect(zeus.address, zeus.operator())
        looking = Eye(await context.__aenter__(), WatchRequest())
        await looking.read()
    async with asyncio.timeout(5):
        assert await looking.call.code() is grpc.StatusCode.UNAVAILABLE
    await context.__aexit__(None, None, None)


async def test_the_fleet_is_told_whole_and_then_as_it_changes(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        async with connect(zeus.address, zeus.operator()) as channel:
            call = WatchStub(channel).Fleet(FleetRequest())
            assert (await _status(call)).state == NodeState.NODE_STATE_NEW
            async with linked(zeus.address, node) as link:
                await link.vitals(Vitals(hostname="box"))
                while (found := await _status(call)).vitals.hostname != "box":
                    pass
                assert found.state == NodeState.NODE_STATE_ONLINE
            while (found := await _status(call)).state != NodeState.NODE_STATE_OFFLINE:
                pass
            registry.revoke_node(zeus.engine, "acme", "acme-1", now=utc_now())
            while (found := await _status(call)).state != NodeState.NODE_STATE_REVOKED:
                pass
            await zeus.node("acme", "acme-2")
            found = await _status(call)
            call.cancel()

            assert (found.node, found.state) == ("acme-2", NodeState.NODE_STATE_NEW)


async def test_clients_are_told_behind_the_nodes_and_then_as_they_change(tmp_path: Path) -> None:
    """Each to those who may see it, each change once."""
    async with hub(tmp_path) as zeus:
        await zeus.node("acme")
        await zeus.node("beta")
        fleet = Fleet(zeus.engine, utc_now)
    for name in ("acme", "beta"):
        fleet.judged_client(ClientStatus(client=name, health=Health.HEALTH_UP))
    live = Live(tmp_path / "journal.db", identity=b"j" * 16, last=0, repeats=lambda _: ())
    looking = Watch(zeus.engine, Guard(zeus.engine, "", utc_now), live, fleet, utc_now)
    told: watch.Told = {}
    kinds = [event.WhichOneof("event") for event in looking._news(None, told)]
    assert kinds == ["node", "node", "client", "client"]
    assert list(looking._news(None, told)) == []
    fleet.judged_client(ClientStatus(client="acme", health=Health.HEALTH_BLIND, reasons=["acme-1: drops"]))
    fleet.judged_client(ClientStatus(client="beta", health=Health.HEALTH_SILENT))

    (event,) = looking._news({"acme"}, told)
    assert event.client.reasons == ["acme-1: drops"]
    assert [event.client.client for event in looking._news(None, told)] == ["beta"]
    live.close()
    looking.close()


async def _status(call: grpc.aio.UnaryStreamCall[FleetRequest, FleetEvent]) -> NodeStatus:
    async with asyncio.timeout(LIMIT):
        while True:
            event = await call.read()
            assert isinstance(event, FleetEvent), event
            if event.HasField("node"):
                return event.node


def test_a_piece_is_bounded_and_goes_on_where_it_ended() -> None:
    page = [
        Shown("acme", 1, Cursor(7, index) if index < 5 else Cursor(8), _event(index)) for index in range(1, 6)
    ]
    view = View(None, 0, with_raw=False, alerts=0)
    cursor, taken = Cursor(7), []
    while cursor.position == 7:
        wanted, cursor = watch.piece(page, cursor, view)
        assert len(wanted) == (1 if cursor.position == 8 else 2)
        taken += [each[:1] for each in wanted]

    assert taken == [b"1", b"2", b"3", b"4", b"5"]
    assert cursor == Cursor(8)


async def test_what_comes_together_is_shown_in_one_event(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        async with eye(zeus, zeus.operator()) as looking:
            await looking.read()
            await _send(zeus, node, [alert(number) for number in range(50)])
            while not (event := await looking.read()).HasField("alerts"):
                pass

    assert [stored.alert.id for stored in event.alerts.alerts] == ids([alert(number) for number in range(50)])


def test_a_batch_without_alerts_is_passed_over() -> None:
    assert watch.piece([], Cursor(7), View(None, 0, with_raw=False, alerts=0)) == ([], Cursor(8))


def _event(index: int) -> bytes:
    return str(index).encode() + bytes(watch.PIECE_BYTES // 2 - 100)


def _random(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


async def test_what_a_node_says_again_of_its_mails_is_not_shown_again(tmp_path: Path) -> None:
    """It says it on each stream, until the hub has all alerts that it is about."""
    told = NodeMessage(told=Told(alerts=[b"1" * 16]))
    async with hub(tmp_path) as zeus:
        node, wall = await zeus.node(), await zeus.display()
        async with linked(zeus.address, node) as link:
            await link.send(told)
            await eventually(lambda: len(zeus.stored()) == 1)
            async with eye(zeus, wall) as looking:
                await looking.read()  # the snapshot
                await link.send(told)
                await link.batch(1, [alert(5)])
                while alert(5).id not in looking.seen:
                    await looking.read()

    assert not any(each.told for each in looking.alerts)
