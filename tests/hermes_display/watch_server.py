"""A hub's Watch service for tests: real gRPC over mutual TLS on loopback, told what to say by the test."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from hermes_display.board import Event, Link
from hermes_display.display import connector
from hermes_display.downlink import Connect, Downlink, Wanted
from socme import identity, tls
from socme.spiffe import Peer, Role
from socme.v1.alert_pb2 import Alert, Endpoint, Host, Rule, Severity, Threat
from socme.v1.vitals_pb2 import NodeState, NodeStatus, Vitals
from socme.v1.watch_pb2 import (
    Bookmark,
    ClientSummary,
    FleetEvent,
    FleetRequest,
    Lagged,
    SeverityCount,
    Snapshot,
    StoredAlert,
    StoredAlerts,
    Triage,
    TriageChange,
    TriageStatus,
    WatchEvent,
    WatchRequest,
)
from socme.v1.watch_pb2_grpc import WatchServicer, add_WatchServicer_to_server
from tests.certificates import TRUST_DOMAIN, Authority, make_authority

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def stamp(time: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(time)
    return made


def stored(
    number: int = 0,
    *,
    client: str = "acme",
    node: str = "acme-1",
    severity: Severity.ValueType = Severity.SEVERITY_HIGH,
    name: str = "",
    received: datetime | None = None,
    count: int = 1,
    status: TriageStatus.ValueType = TriageStatus.TRIAGE_STATUS_UNSPECIFIED,
) -> StoredAlert:
    """Return the alert with this number; equal numbers are the same alert."""
    return StoredAlert(
        client=client,
        node=node,
        received=stamp(received or NOON + timedelta(seconds=number)),
        triage=Triage(status=status) if status else None,
        alert=Alert(
            id=number.to_bytes(16, "big"),
            severity=severity,
            rule=Rule(id=str(2_000_000 + number), name=name or f"Alert {number}"),
            threat=Threat(technique_ids=["T1190"]),
            source_endpoint=Endpoint(ip="203.0.113.9", port=4444),
            destination_endpoint=Endpoint(ip="10.0.0.5", port=80),
            host=Host(name="web-1"),
            count=count,
            raw=b'{"event_type":"alert"}',
        ),
    )


def snapshot(*alerts: StoredAlert, clients: tuple[ClientSummary, ...] = ()) -> Snapshot:
    return Snapshot(alerts=alerts, clients=clients, time=stamp(NOON))


def change(
    number: int,
    before: TriageStatus.ValueType,
    after: TriageStatus.ValueType,
    *,
    client: str = "acme",
    severity: Severity.ValueType = Severity.SEVERITY_HIGH,
    count: int = 1,
    owner: str = "",
    received: datetime | None = None,
) -> TriageChange:
    """Return what became of the alert with this number."""
    return TriageChange(
        client=client,
        node="acme-1",
        id=number.to_bytes(16, "big"),
        severity=severity,
        count=count,
        received=stamp(received or NOON + timedelta(seconds=number)),
        before=before,
        after=Triage(status=after, owner=owner),
    )


def summary(
    client: str,
    *,
    name: str = "",
    short: str = "",
    nodes: int = 1,
    open: Mapping[str, int] = {},  # noqa: A002
    fresh: Mapping[str, int] = {},
    hours: Sequence[int] = (),
    usual: float | None = None,
    **last_day: int,
) -> ClientSummary:
    """Return a client as a snapshot tells it; counts by severity name."""
    return ClientSummary(
        client=client,
        name=name,
        short_name=short,
        nodes=nodes,
        last_day=severity_counts(last_day),
        open=severity_counts(open),
        fresh=severity_counts(fresh),
        hours=hours,
        usual=usual,
    )


def severity_counts(counts: Mapping[str, int]) -> list[SeverityCount]:
    """Return counts by severity name as the hub tells them."""
    return [
        SeverityCount(severity=Severity.Value(f"SEVERITY_{severity.upper()}"), alerts=alerts)
        for severity, alerts in counts.items()
    ]


def status(
    node: str = "acme-1",
    *,
    client: str = "acme",
    state: NodeState.ValueType = NodeState.NODE_STATE_ONLINE,
    last_seen: datetime | None = NOON,
    vitals: Vitals | None = None,
) -> NodeStatus:
    seen = None if last_seen is None else stamp(last_seen)
    return NodeStatus(client=client, node=node, state=state, last_seen=seen, vitals=vitals)


@dataclass(slots=True)
class Script(WatchServicer):
    """What the hub says, and what it was asked.

    A cursor is the number of alerts told before it, in decimal digits.
    """

    clients: list[ClientSummary] = field(default_factory=list)
    alerts: list[StoredAlert] = field(default_factory=list)
    nodes: list[NodeStatus] = field(default_factory=list)
    forgotten: int = 0
    """Alerts at the beginning that can no longer be caught up."""
    refusal: str = ""
    odd: list[WatchEvent] = field(default_factory=list)
    """Events told first on every stream."""
    requests: list[WatchRequest] = field(default_factory=list)
    fleet_requests: list[FleetRequest] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    mute: bool = False
    """Whether to answer nothing at all."""

    async def add(self, *alerts: StoredAlert) -> None:
        """Tell alerts to all watchers."""
        async with self.changed:
            self.alerts += alerts
            self.changed.notify_all()

    async def add_node(self, node: NodeStatus) -> None:
        """Tell a node's status to all watchers."""
        async with self.changed:
            self.nodes.append(node)
            self.changed.notify_all()

    async def Alerts(  # noqa: N802
        self, request: WatchRequest, context: grpc.aio.ServicerContext[WatchRequest, WatchEvent]
    ) -> AsyncIterator[WatchEvent]:
        """Tell a snapshot or what came after the cursor, then what is added."""
        self.requests.append(request)
        if self.refusal:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, self.refusal)
        for event in self.odd:
            yield event
        told = int(request.cursor or b"0")
        if self.mute:
            await asyncio.Event().wait()
        if request.cursor and told < self.forgotten:
            yield WatchEvent(lagged=Lagged(reason="away for too long"))
        if not request.cursor or told < self.forgotten:
            told = len(self.alerts)
            latest = self.alerts[-request.snapshot_alerts :] if request.snapshot_alerts else []
            shown = Snapshot(clients=self.clients, alerts=latest, time=stamp(NOON))
            yield WatchEvent(snapshot=shown, cursor=str(told).encode())
        while True:
            while told < len(self.alerts):
                told += 1
                yield WatchEvent(
                    alerts=StoredAlerts(alerts=[self.alerts[told - 1]]), cursor=str(told).encode()
                )
            yield WatchEvent(bookmark=Bookmark(time=stamp(NOON)), cursor=str(told).encode())
            async with self.changed:
                await self.changed.wait()

    async def Fleet(  # noqa: N802
        self, request: FleetRequest, context: grpc.aio.ServicerContext[FleetRequest, FleetEvent]
    ) -> AsyncIterator[FleetEvent]:
        """Tell all nodes, then what is added."""
        self.fleet_requests.append(request)
        told = 0
        while True:
            while told < len(self.nodes):
                told += 1
                yield FleetEvent(node=self.nodes[told - 1])
            async with self.changed:
                await self.changed.wait()


@dataclass(slots=True)
class TestHub:
    """A hub that can be stopped and started again at the same address."""

    __test__ = False

    script: Script
    authority: Authority
    port: int = 0
    _server: grpc.aio.Server | None = None

    @property
    def address(self) -> str:
        """Where it listens; known once it was started."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen; at the same port as before."""
        leaf = self.authority.server()
        self._server = grpc.aio.server(options=tls.SERVER_OPTIONS)
        add_WatchServicer_to_server(self.script, self._server)
        credentials = tls.mutual_server_credentials(key=leaf.key, chain=leaf.chain, ca=self.authority.pem)
        self.port = self._server.add_secure_port(self.address, credentials)
        await self._server.start()

    async def stop(self) -> None:
        """Cut all connections."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    def identity(self, *, authority: Authority | None = None) -> identity.Identity:
        """Return a screen's identity, of another CA where one is given."""
        leaf = (authority or self.authority).leaf(Peer(TRUST_DOMAIN, Role.DISPLAY, "lobby"))
        return identity.Identity(
            key=leaf.key,
            chain=leaf.chain,
            ca=self.authority.pem,
            role=Role.DISPLAY.value,
            client="",
            name="lobby",
            hub_address=self.address,
            expires=datetime.now(UTC) + timedelta(days=30),
        )

    def connect(self) -> Connect:
        """Return what opens a channel as an enrolled screen."""
        return connector(self.identity(), self.address)

    def settings(self, folder: Path, *, listen: str = "127.0.0.1:0", more: str = "") -> Path:
        """Write the settings and identity of an enrolled screen; return the settings file."""
        identity.save(folder / "state", self.identity())
        config = folder / "hermes.toml"
        config.write_text(f'state_dir = "state"\nlisten = "{listen}"\n{more}')
        return config


@asynccontextmanager
async def hub_running() -> AsyncIterator[TestHub]:
    """Give a running hub."""
    hub = TestHub(Script(), make_authority())
    await hub.start()
    try:
        yield hub
    finally:
        await hub.stop()


class Seen:
    """What was delivered, for a test to wait for."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._arrived = asyncio.Event()

    def deliver(self, event: Event) -> None:
        """Take an event, as downlink.Deliver."""
        self.events.append(event)
        self._arrived.set()

    @property
    def links(self) -> list[Link]:
        """Return the changes of the link."""
        return [event for event in self.events if isinstance(event, Link)]

    def titles(self) -> list[str]:
        """Return the names of the alerts that came one by one."""
        events = [event for event in self.events if isinstance(event, WatchEvent)]
        return [stored.alert.rule.name for event in events for stored in event.alerts.alerts]

    def kinds(self) -> list[str]:
        """Return the kinds of the events of the stream of alerts, bookmarks left out."""
        kinds = [event.WhichOneof("event") for event in self.events if isinstance(event, WatchEvent)]
        return [kind for kind in kinds if kind and kind != "bookmark"]

    async def wait_for(self, condition: Callable[[], object], *, limit: float = 20.0) -> None:
        """Return once `condition` holds after an event."""
        async with asyncio.timeout(limit):
            while not condition():
                self._arrived.clear()
                await self._arrived.wait()


@asynccontextmanager
async def following(connect: Connect, wanted: Wanted) -> AsyncIterator[Seen]:
    """Run a downlink and give what it delivers."""
    seen = Seen()
    async with asyncio.TaskGroup() as group:
        downlink = Downlink(connect, wanted, seen.deliver, rng=random.Random(1))
        task = group.create_task(downlink.run())
        try:
            yield seen
        finally:
            task.cancel()
