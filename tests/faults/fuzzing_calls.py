"""What strangers' bytes meet at the hub's calls, without a network: the same code behind the same readers."""

import asyncio
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError

from socme import spiffe, view
from socme.spiffe import Role
from socme.v1.enrollment_pb2 import EnrollRequest
from socme.v1.uplink_pb2 import Hello, HubMessage, NodeMessage
from socme.v1.vitals_pb2 import NodeStatus
from socme.v1.watch_pb2 import FleetRequest, WatchRequest
from tests.zeus_hub.wire import Quiet, Wire, hello, ingest
from zeus_hub import authorise, enrol, live, watch
from zeus_hub.accounts import Account
from zeus_hub.authorise import EndedError
from zeus_hub.ca import RequestError, public_key
from zeus_hub.journalist import Handed
from zeus_hub.registry import Holder

CUT = b"\xff\xfe\xfd"  # between two messages of one stream
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCREEN = Holder(b"f", Role.DISPLAY, "lobby", "", frozenset({"acme"}), NOW, False, True)  # noqa: FBT003
MOST = 8  # messages of one stream


class _Taker(Quiet):
    """A committer that has each batch on disk at once, and its account."""

    share, problem = 0.0, ""

    def __init__(self) -> None:
        self.account = Account()

    async def marks(self, *_: object) -> dict[int, object]:
        """Return nothing: no spool is known."""
        return {}

    async def hand_in(self, handed: Handed) -> None:
        """Take a batch as the journalist does, but for the disk."""
        if handed.given_up is None:
            self.account = self.account.with_batch(handed.draft.packed.alerts, handed.before)
        else:
            given_up = handed.given_up
            self.account = self.account.with_given_up(given_up.reason, given_up.alerts, handed.before)
        handed.acknowledge(handed.draft.lane, handed.draft.sequence)


class _Talk(Wire):
    """A node that says these bytes, one message after the other, and is gone."""

    def __init__(self, said: list[bytes]) -> None:
        super().__init__("fuzz", lambda *_: True)
        self.said = deque(said)

    async def read(self) -> object:
        """Return what it says next, as gRPC reads it."""
        return NodeMessage.FromString(self.said.popleft()) if self.said else grpc.aio.EOF

    async def write(self, message: HubMessage) -> None:
        """Hear the hub."""
        self.told.append(message)


def streams(data: bytes) -> None:
    """Say something over a node's stream, behind a good Hello or none: it is taken, or the stream ends."""
    said = data.split(CUT)[:MOST]
    for begin in ([], [hello(bytes(16)).SerializeToString()]):
        talk = _Talk([*begin, *said])
        with asyncio.Runner() as runner:
            runner.run(ingest(cast("Any", _Taker())).Connect(None, cast("Any", talk)))
    for message in said:
        _show(message)


def _show(message: bytes) -> None:
    """Show what a node tells of itself."""
    try:
        told = NodeMessage.FromString(message)
    except DecodeError:
        return
    if told.HasField("vitals"):
        assert "\n" not in view.json_line(view.node_view(NodeStatus(node="fuzz", vitals=told.vitals)))


def calls(data: bytes) -> None:
    """Make the calls with one question: whoever asks is answered, or told why not."""
    for kind in (WatchRequest, FleetRequest, EnrollRequest, Hello):
        try:
            request = kind.FromString(data)
        except DecodeError:
            continue
        match request:
            case WatchRequest():
                _visible(request)
                assert LIVE.decode(request.cursor) is None
            case FleetRequest():
                _visible(request)
            case EnrollRequest():
                assert enrol.ROLES.get(request.role) in {None, Role.NODE, Role.DISPLAY}
                with suppress(RequestError):
                    public_key(request.csr)


LIVE = object.__new__(live.Live)  # without its thread: only cursors are read
LIVE._identity, LIVE.last = b"12345678", 0


def _visible(request: WatchRequest | FleetRequest) -> None:
    """No screen is shown a client that its certificate does not name."""
    with suppress(EndedError):
        assert (watch.visible(SCREEN, request.clients) or set()) <= {"acme"}


def peers(data: bytes) -> None:
    """Read a certificate: it names one of ours in one way, or nobody."""
    peer = authorise._peer(data)
    if peer is not None:
        assert spiffe.parse(spiffe.uri(peer)) == peer
        assert all(spiffe.is_name(name) for name in (peer.name, peer.client) if name)
