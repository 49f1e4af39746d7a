"""Nodes' streams without certificates and without a network: the hub's side of them, in one process."""

# ruff: noqa: D102 - names say it, as for functions

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

import grpc

from socme.spiffe import Role
from socme.v1.uplink_pb2 import Hello, HubMessage, NodeMessage
from zeus_hub.authorise import Context, Guard
from zeus_hub.clocks import Clocks
from zeus_hub.commit import Committer
from zeus_hub.ingest import Ingest
from zeus_hub.registry import Holder

NOW = datetime.now(UTC)


class Door(Guard):
    """Lets everybody in as whom the context says that it is."""

    async def admit(self, context: Context, roles: object) -> Holder:
        del roles
        return cast("Wire", context).holder


class Wire:
    """A stream without a network, as the hub sees it."""

    def __init__(self, name: str, on_disk: Callable[[int, int], bool]) -> None:
        self.holder = Holder(name.encode(), Role.NODE, name, "c", frozenset(), NOW, False, True)  # noqa: FBT003
        self.inbound: asyncio.Queue[object] = asyncio.Queue()
        self.told: list[HubMessage] = []
        self.acked: dict[int, int] = {}
        self.aborted = ""
        self._on_disk = on_disk

    async def read(self) -> object:
        return await self.inbound.get()

    async def write(self, message: HubMessage) -> None:
        self.told.append(message)
        if message.HasField("ack"):
            lane, sequence = message.ack.lane, message.ack.sequence
            assert sequence > self.acked.get(lane, 0), "acknowledgements grow"
            assert self._on_disk(lane, sequence), "acknowledged and not on disk"
            self.acked[lane] = sequence

    async def abort(self, code: grpc.StatusCode, details: str) -> None:
        del code
        self.aborted = details

    def peer(self) -> str:
        return "ipv4:192.0.2.1:1"


class Quiet:
    """A fleet that nobody asks."""

    def __getattr__(self, name: str) -> Callable[..., bool]:
        return lambda *_: True


def ingest(committer: Committer) -> Ingest:
    """Return an Ingest that lets everybody in."""
    return Ingest(
        Door(cast("Any", None), "", lambda: NOW), committer, cast("Any", Quiet()), Clocks(lambda: NOW)
    )


def hello(epoch: bytes) -> NodeMessage:
    """Return the first message of a stream."""
    message = Hello(epoch=epoch)
    message.time.GetCurrentTime()
    return NodeMessage(hello=message)
