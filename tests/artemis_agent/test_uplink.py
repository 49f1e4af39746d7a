"""The uplink against a real hub's stream over real mutual TLS."""

import asyncio
import math
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from artemis_agent import uplink
from artemis_agent.spool import Progress, Spool, open_spool
from artemis_agent.uplink import Link, Uplink, Window
from socme import backoff
from socme.batch import Packed
from socme.errors import OperatorError
from socme.identity import Identity
from socme.journal import Entry
from socme.v1.alert_pb2 import Alert
from socme.v1.uplink_pb2 import Ack, GoingAway, HubMessage, Lane, Mark, Welcome
from socme.v1.vitals_pb2 import Vitals
from tests.artemis_agent.hub import LIMIT, Hub, serving
from tests.certificates import Authority, make_authority


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once: the pauses are socme.backoff's and tested there."""
    monkeypatch.setattr(backoff, "FIRST", 0.02)
    monkeypatch.setattr(backoff, "LEAST", 0.01)
    monkeypatch.setattr(uplink, "REFUSED_SECONDS", 0.05)


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    made = open_spool(tmp_path / "state", max_bytes=1 << 30)
    yield made
    await made.close()


async def spool_batches(spool: Spool, *messages: str) -> None:
    """Spool one batch for each message."""
    for message in messages:
        alert = Alert(message=message).SerializeToString()
        await spool.append(Progress(source="s", position=b"p", counters=b"", alerts=[alert]))


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until something in this process holds."""
    try:
        async with asyncio.timeout(LIMIT):
            while not condition():  # noqa: ASYNC110 - conditions on plain attributes
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not within {LIMIT} s: {what}") from None


@asynccontextmanager
async def running(
    spool: Spool,
    identity: Identity,
    *,
    interval: float = 60.0,
    credentials: Callable[[], Awaitable[tuple[str, Identity]]] | None = None,
) -> AsyncIterator[Link]:
    """Run an uplink (and the spool's trimming) for a while."""

    async def own() -> tuple[str, Identity]:
        return identity.hub_address, identity

    async def measure() -> Vitals:
        return Vitals(hostname="node")

    link = Link()
    line = Uplink(
        spool=spool,
        link=link,
        credentials=credentials or own,
        vitals=measure,
        interval_seconds=interval,
    )
    with suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as tasks:
            started = [
                tasks.create_task(uplink.serve(line, random.Random(1))),
                tasks.create_task(spool.run_trim()),
            ]
            yield link
            for task in started:
                task.cancel()


def at(authority: Authority, port: int) -> Identity:
    """Return a node's identity for a hub on loopback."""
    return authority.node(f"127.0.0.1:{port}")


async def test_batches_arrive_once_in_order_and_are_forgotten(spool: Spool, authority: Authority) -> None:
    """What was spooled before and during the connection arrives; acknowledged, it leaves the disk."""
    hub = Hub()
    await spool_batches(spool, "a", "b")
    async with serving(hub, authority) as port, running(spool, at(authority, port)) as link:
        await hub.until(lambda: len(hub.batches) == 2)
        await spool_batches(spool, "c")
        await hub.until(lambda: len(hub.batches) == 3)
        await until(lambda: spool.depth.entries == 0, "the spool is empty")

        assert hub.messages == ["a", "b", "c"]
        assert hub.sequences == [1, 2, 3]
        assert spool.acknowledged == 3
        assert link.state == "connected"
        assert link.last_acknowledgement is not None


async def test_hello_says_who_and_vitals_follow_at_once(spool: Spool, authority: Authority) -> None:
    """The hub learns the epoch, and hears of the node before the first interval is over."""
    hub = Hub()
    async with serving(hub, authority) as port, running(spool, at(authority, port), interval=7.5) as link:
        await hub.until(lambda: bool(hub.vitals))

        assert hub.order[0] == "hello"
        assert hub.hellos[0].epoch == spool.epoch
        assert hub.hellos[0].vitals_interval_seconds == 8
        assert hub.vitals[0].hostname == "node"
        assert link.clock_offset_seconds is not None
        assert abs(link.clock_offset_seconds) < LIMIT


async def test_vitals_come_again(spool: Spool, authority: Authority) -> None:
    """One after each interval."""
    hub = Hub()
    async with serving(hub, authority) as port, running(spool, at(authority, port), interval=0.01):
        await hub.until(lambda: len(hub.vitals) >= 3)


async def test_goes_on_after_the_mark(spool: Spool, authority: Authority) -> None:
    """What the hub has, it does not get again, and the node forgets it."""
    await spool_batches(spool, "a", "b", "c")
    hub = Hub(marks={spool.epoch: 2})
    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await hub.until(lambda: bool(hub.batches))

        assert hub.sequences == [3]
        await until(lambda: spool.depth.entries == 0, "the spool is empty")


async def test_a_hub_that_knows_less_gets_what_there_is(spool: Spool, authority: Authority) -> None:
    """A hub restored from a backup: batches that were acknowledged are gone, the rest goes on."""
    await spool_batches(spool, "a", "b")
    spool.acknowledge(1, 1)
    await spool.trim()
    hub = Hub(marks={})
    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await hub.until(lambda: bool(hub.batches))

        assert hub.messages == ["b"]


async def test_a_restored_spool_begins_a_new_epoch(spool: Spool, authority: Authority) -> None:
    """A mark beyond what the spool ever gave: its numbers stand for other batches at the hub."""
    await spool_batches(spool, "a", "b")
    old = spool.epoch
    hub = Hub(marks={old: 40})
    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await hub.until(lambda: len(hub.batches) == 2)

        assert hub.hellos[-1].epoch == spool.epoch != old
        assert hub.sequences == [1, 2]
        assert hub.messages == ["a", "b"]


async def test_resumes_after_a_restart_of_the_hub(spool: Spool, authority: Authority) -> None:
    """Batches without an acknowledgement come again, acknowledged ones do not."""
    first = Hub(acknowledge=lambda batch: 1 if batch.sequence == 1 else 0)
    await spool_batches(spool, "a", "b", "c")
    async with serving(first, authority) as port:
        line = running(spool, at(authority, port))
        link = await line.__aenter__()
        await first.until(lambda: len(first.batches) == 3)
    await until(lambda: link.state == "waiting", "the loss is noticed")
    second = Hub(marks=first.marks)
    async with serving(second, authority, port):
        await second.until(lambda: len(second.batches) == 2)
        await line.__aexit__(None, None, None)

    assert second.messages == ["b", "c"]


async def test_resumes_after_a_restart_of_the_node(tmp_path: Path, authority: Authority) -> None:
    """A new process with the old spool goes on with the same epoch and the next sequence."""
    hub = Hub(acknowledge=lambda batch: 0)
    async with serving(hub, authority) as port:
        spool = open_spool(tmp_path, max_bytes=1 << 30)
        await spool_batches(spool, "a")
        async with running(spool, at(authority, port)):
            await hub.until(lambda: len(hub.batches) == 1)
        await spool.close()

        again = open_spool(tmp_path, max_bytes=1 << 30)
        await spool_batches(again, "b")
        async with running(again, at(authority, port)):
            await hub.until(lambda: len(hub.batches) == 3)
        await again.close()

    assert hub.sequences == [1, 1, 2]
    assert hub.messages == ["a", "a", "b"]
    assert hub.hellos[0].epoch == hub.hellos[1].epoch


async def test_window_in_batches(spool: Spool, authority: Authority) -> None:
    """Never more unacknowledged batches than the hub asked for; a cumulative acknowledgement frees all."""
    hub = Hub(acknowledge=lambda batch: batch.sequence if batch.sequence % 2 == 0 else 0, window=(0, 2))
    await spool_batches(spool, *"abcdef")
    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await hub.until(lambda: len(hub.batches) == 6)
        await until(lambda: spool.depth.entries == 0, "the spool is empty")

    held = Hub(acknowledge=lambda batch: 0, window=(0, 2))
    await spool_batches(spool, *"ghijkl")
    async with serving(held, authority) as port, running(spool, at(authority, port), interval=0.01):
        await held.until(lambda: len(held.batches) == 2)
        seen = len(held.vitals)
        await held.until(lambda: len(held.vitals) >= seen + 5)  # the stream is alive, and still no third
        assert len(held.batches) == 2
        await held.ack(8)
        await held.until(lambda: len(held.batches) == 4)

        assert held.messages == ["g", "h", "i", "j"]


async def test_a_message_of_a_newer_hub_is_ignored(spool: Spool, authority: Authority) -> None:
    """Kinds, fields and lanes that this node does not know, before, in and after Welcome, change nothing."""
    field = b"\xa2\x06\x03abc"  # 100, length-delimited
    unknown = HubMessage.FromString(field)
    assert unknown.WhichOneof("message") is None
    lane: Any = 9
    welcome = Welcome.FromString(Welcome(marks=[Mark(lane=lane, sequence=5)]).SerializeToString() + field)
    ack = Ack.FromString(Ack(lane=lane, sequence=99).SerializeToString() + field)
    hub = Hub(first=[unknown, HubMessage(welcome=welcome)], then=[unknown, HubMessage(ack=ack)])
    await spool_batches(spool, "a")
    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await hub.until(lambda: bool(hub.batches))
        await until(lambda: spool.depth.entries == 0, "the acknowledgement was understood")

    assert len(hub.hellos) == 1


async def test_going_away_is_honoured(spool: Spool, authority: Authority) -> None:
    """The node hangs up, says why in its status, and comes back after the time that it was given."""
    leave = HubMessage(going_away=GoingAway(reason="restart\x1b[2J", retry_after_seconds=0.05))
    hub = Hub(then=[leave])
    async with serving(hub, authority) as port, running(spool, at(authority, port)) as link:
        await hub.until(lambda: len(hub.hellos) == 1)
        await until(lambda: link.last_error == "restart\N{REPLACEMENT CHARACTER}[2J", "the reason is told")
        hub.then = []
        await hub.until(lambda: len(hub.hellos) == 2)
        await until(lambda: link.state == "connected", "it is back")


async def test_refusal_is_told_and_tried_again(spool: Spool, authority: Authority) -> None:
    """A revoked node says what the hub said; when it is let in again it needs no restart."""
    hub = Hub(refuse=(grpc.StatusCode.PERMISSION_DENIED, "acme/acme-1 was revoked"))
    async with serving(hub, authority) as port, running(spool, at(authority, port)) as link:
        await until(lambda: link.state == "refused", "the refusal")
        assert link.last_error == "acme/acme-1 was revoked"
        hub.refuse = None
        await until(lambda: link.state == "connected", "it is let in")


async def test_wrong_ca_is_told(spool: Spool, authority: Authority) -> None:
    """A hub of another CA gets nothing, not even a Hello."""
    hub = Hub()
    async with (
        serving(hub, make_authority()) as port,
        running(spool, at(authority, port)) as link,
    ):
        await until(lambda: "UNAVAILABLE" in link.last_error, "a reason")

        assert hub.hellos == []


async def test_a_new_identity_is_taken_up(spool: Spool, authority: Authority) -> None:
    """An agent whose certificate is no longer good says so, and goes on once there is a new one."""
    hub, enrolled = Hub(), False
    async with serving(hub, authority) as port:

        async def credentials() -> tuple[str, Identity]:
            if not enrolled:
                raise OperatorError("the certificate expired", "Enrol again.")
            return f"127.0.0.1:{port}", at(authority, port)

        async with running(spool, at(authority, port), credentials=credentials) as link:
            await until(lambda: link.last_error == "the certificate expired Enrol again.", "the reason")
            enrolled = True
            await hub.until(lambda: bool(hub.hellos))


async def test_a_hub_that_ends_the_stream_well_is_dialled_again(spool: Spool, authority: Authority) -> None:
    """An end without an error is an end all the same."""
    hub = Hub()
    hub.closing.set()
    async with serving(hub, authority) as port, running(spool, at(authority, port), interval=0.01) as link:
        await hub.until(lambda: len(hub.hellos) == 3)

        assert link.last_error == "the hub closed the stream"


async def test_a_hub_that_acknowledges_nothing_is_dialled_again(
    spool: Spool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be half dead behind a live connection."""
    monkeypatch.setattr(uplink, "ACK_SECONDS", 0.05)
    hub = Hub(acknowledge=lambda batch: 0)
    await spool_batches(spool, "a")
    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await hub.until(lambda: len(hub.batches) >= 2)

    assert set(hub.sequences) == {1}


async def test_a_quiet_hub_is_left_alone(
    spool: Spool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing was sent there is nothing to acknowledge."""
    monkeypatch.setattr(uplink, "ACK_SECONDS", 0.01)
    hub = Hub()
    async with serving(hub, authority) as port, running(spool, at(authority, port), interval=0.02):
        await hub.until(lambda: len(hub.vitals) >= 5)

    assert len(hub.hellos) == 1


async def test_a_hub_that_never_welcomes_is_given_up(
    spool: Spool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something listens and takes the connection, and that is all."""
    monkeypatch.setattr(uplink, "WELCOME_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections wait in its backlog for ever
        async with running(spool, at(authority, silent.getsockname()[1])) as link:
            await until(lambda: "did not answer" in link.last_error, "the reason")


def entry(sequence: int, size: int, lane: int = 1) -> Entry:
    """Return a batch of a size."""
    return Entry(sequence, "", lane, sequence, 0, Packed(bytes(size), 1, 1, size))


def test_one_batch_may_always_leave() -> None:
    """Larger than the whole window: otherwise it would never leave."""
    assert Window(10, 1).has_room(1000)


def test_window_in_bytes() -> None:
    window = Window(10, 100)
    window.sent(entry(1, 6))

    assert window.has_room(4)
    assert not window.has_room(5)


def test_acknowledgements_are_cumulative_and_by_lane() -> None:
    window = Window(100, 3)
    for sequence in (1, 2):
        window.sent(entry(sequence, 1))
    window.sent(entry(1, 1, lane=2))
    assert not window.has_room(1)

    window.acknowledged(1, 2)

    assert window.has_room(1)
    assert not window.empty
    window.acknowledged(2, 1)
    assert window.empty


@pytest.mark.parametrize(
    ("asked", "pause"),
    [(5.0, 5.0), (0.0, 0.01), (-1.0, 0.01), (1e9, 300.0), (math.nan, 60.0), (math.inf, 60.0)],
)
def test_pause(asked: float, pause: float) -> None:
    """Whatever a hub asks for, the node comes back within minutes, and not at once."""
    assert uplink._pause(asked) == pause


@pytest.mark.parametrize(("lane", "sequence"), [(1, 2**40), (1, 2**64 - 1), (7, 2**64 - 1), (-5, 1)])
async def test_what_never_left_is_not_forgotten(
    spool: Spool, authority: Authority, lane: int, sequence: int
) -> None:
    """A hub that acknowledges more than it was given loses nothing, and does not end the agent."""
    wrong = HubMessage(ack=Ack(lane=cast("Lane.ValueType", lane), sequence=sequence))
    hub = Hub(then=[wrong], acknowledge=lambda batch: 0, window=(1, 1))
    await spool_batches(spool, "a", "b", "c")
    async with serving(hub, authority) as port, running(spool, at(authority, port), interval=0.02):
        await hub.until(lambda: len(hub.vitals) >= 5 and bool(hub.batches))
        await spool.trim()

        assert spool.depth.entries >= 2


@pytest.mark.parametrize(
    "welcome",
    [
        Welcome(time=Timestamp(seconds=2**62)),
        Welcome(time=Timestamp(nanos=-5)),
        Welcome(marks=[Mark(lane=cast("Lane.ValueType", 9), sequence=2**64 - 1)]),
    ],
)
async def test_nonsense_in_a_welcome_ends_nothing(
    spool: Spool, authority: Authority, welcome: Welcome
) -> None:
    hub = Hub(first=[HubMessage(welcome=welcome)])
    await spool_batches(spool, "a")
    async with serving(hub, authority) as port, running(spool, at(authority, port)) as link:
        await hub.until(lambda: len(hub.batches) == 1)

        assert link.clock_offset_seconds is None


async def test_a_hub_that_always_knows_more_is_dialled_ever_more_slowly(
    spool: Spool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each new epoch costs a commit; pauses that begin small again would make it a busy loop."""
    asked: list[int] = []

    def delays(_rng: random.Random) -> Iterator[float]:
        for number in count():
            asked.append(number)
            yield 0.01

    monkeypatch.setattr(backoff, "delays", delays)
    hub = Hub(first=[HubMessage(welcome=Welcome(marks=[Mark(lane=Lane.LANE_NORMAL, sequence=99)]))])
    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await hub.until(lambda: len(hub.hellos) >= 4)

    assert asked[:3] == [0, 1, 2]
