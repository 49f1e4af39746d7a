"""A hub whose clocks a test puts forward, and what is seen of its vigil from outside."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import grpc
from sqlalchemy import select

from socme.identity import utc_now
from socme.v1.alert_pb2 import Alert, AlertSource, ConditionState
from socme.v1.vitals_pb2 import ClientStatus, NodeStatus, Vitals
from socme.v1.watch_pb2 import FleetEvent, FleetRequest, StoredAlert, WatchEvent, WatchRequest
from socme.v1.watch_pb2_grpc import WatchStub
from tests.zeus_hub.kit import LIMIT, Hub, Link, alert, eventually
from zeus_hub import body, database
from zeus_hub.clocks import Clocks
from zeus_hub.database import reading

RAISED, CLEARED = ConditionState.CONDITION_STATE_RAISED, ConditionState.CONDITION_STATE_CLEARED
STEP = 5.0  # seconds that pass at once: less than what a hub takes for a standstill of its own


@dataclass
class Time:
    """Clocks that a test puts forward, how often the hub has looked, and how many vitals it took."""

    ahead: float = 0.0
    looks: int = 0
    reports: int = 0
    began: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    @property
    def clocks(self) -> Clocks:
        """What the hub is given."""
        return Clocks(
            lambda: utc_now() + timedelta(seconds=self.ahead),
            lambda: asyncio.get_running_loop().time() - self.began + self.ahead,
        )

    async def report(self, link: Link, vitals: Vitals) -> None:
        """Send vitals and wait until the hub has taken them: time that passes meanwhile makes them old."""
        before = self.reports
        await link.vitals(vitals)
        await eventually(lambda: self.reports > before)

    async def pass_(self, seconds: float, each: Callable[[], object] | None = None) -> None:
        """Let time pass in steps, each of which the hub notices."""
        for _ in range(int(seconds / STEP)):
            if each is not None:
                await each()  # type: ignore[misc]
            self.ahead += STEP
            seen = self.looks
            await eventually(lambda seen=seen: self.looks >= seen + 2)  # type: ignore[misc]


@dataclass
class Talk:
    """A node that sends one alert after another and waits until each is taken."""

    link: Link
    sequence: int = 0

    async def say(self) -> None:
        """Give a sign of life."""
        self.sequence += 1
        await self.link.batch(self.sequence, [alert(self.sequence)])
        await self.link.until_acked(self.sequence)


def conditions(zeus: Hub) -> list[tuple[str, str, int]]:
    """Return what the store was told of: node, kind and state, in order."""
    return [
        (f"{stored.client}/{stored.node}", stored.alert.condition.kind, stored.alert.condition.state)
        for stored in stored_conditions(zeus)
    ]


def stored_conditions(zeus: Hub) -> list[StoredAlert]:
    table, node, client = database.alert, database.node, database.client
    query = select(client.c.name.label("client"), node.c.name.label("node"), table.c.body)
    query = query.join_from(table, node, table.c.node_id == node.c.id)
    query = query.join(client, client.c.id == table.c.client_id).order_by(table.c.number)
    with reading(zeus.engine) as connection:
        rows = connection.execute(query).all()
    alerts = [StoredAlert(client=row.client, node=row.node, alert=body.decode(row.body)) for row in rows]
    return [stored for stored in alerts if stored.alert.source == AlertSource.ALERT_SOURCE_SOCME]


async def next_condition(call: grpc.aio.UnaryStreamCall[WatchRequest, WatchEvent]) -> Alert:
    """Return the next alert of SOCme's own on a watcher's stream."""
    async with asyncio.timeout(LIMIT):
        while True:
            event = await call.read()
            assert isinstance(event, WatchEvent), "the stream ended"
            for stored in event.alerts.alerts:
                if stored.alert.source == AlertSource.ALERT_SOURCE_SOCME:
                    return stored.alert


@dataclass
class Fleet:
    """What a watcher of the fleet was told last."""

    channel: grpc.aio.Channel
    clients: dict[str, ClientStatus] = field(default_factory=dict)
    nodes: dict[str, NodeStatus] = field(default_factory=dict)

    async def follow(self) -> None:
        """Take what comes, until it is cancelled."""
        call = WatchStub(self.channel).Fleet(FleetRequest())
        while isinstance(event := await call.read(), FleetEvent):
            if event.WhichOneof("event") == "client":
                self.clients[event.client.client] = event.client
            elif event.WhichOneof("event") == "node":
                self.nodes[event.node.node] = event.node

    def state(self, client: str) -> tuple[int, list[str]]:
        """Return how a client is, and why."""
        found = self.clients.get(client, ClientStatus())
        return found.health, list(found.reasons)
