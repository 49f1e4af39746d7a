"""The uplink against real hubs over real mutual TLS: how it comes back, whatever ended the last stream."""

import asyncio
import random
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import grpc
import pytest

from artemis_agent import redial, stream, uplink
from artemis_agent.spool import Spool, open_spool
from socme import backoff
from socme.errors import OperatorError
from socme.identity import Identity
from socme.v1.uplink_pb2 import GoingAway, HubMessage, Lane, Mark, Welcome
from tests.artemis_agent.hub import Books, Hub, serving
from tests.artemis_agent.line import at, running, spool_batches, until
from tests.certificates import Authority, make_authority

DIALS = 40  # connections, one after the other


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once: how long the pauses are is socme.backoff's and redial's, and tested there."""
    monkeypatch.setattr(backoff, "FIRST", 0.02)
    monkeypatch.setattr(backoff, "LEAST", 0.01)
    monkeypatch.setattr(redial, "SPREAD", 0.02)
    monkeypatch.setattr(redial, "REFUSED_SECONDS", 0.05)


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    made = open_spool(tmp_path / "state", max_bytes=1 << 30)
    yield made
    await made.close()


async def test_goes_on_after_the_mark(spool: Spool, authority: Authority) -> None:
    """What the hub has, it does not get again, and the node forgets it."""
    first, second = Hub(acknowledge=lambda batch: 2 if batch.sequence == 3 else 0), Hub()
    await spool_batches(spool, "a", "b", "c")
    async with serving(first, authority) as port, running(spool, at(authority, port)):
        await first.until(lambda: len(first.batches) == 3)
    second.books = first.books
    async with serving(second, authority) as port, running(spool, at(authority, port)):
        await second.until(lambda: bool(second.batches))

        assert second.sequences == [3]
        await until(lambda: spool.depth.entries == 0, "the spool is empty")


async def test_a_hub_that_knows_less_gets_what_there_is(spool: Spool, authority: Authority) -> None:
    """A hub restored from a backup: batches that were acknowledged are gone, the rest goes on."""
    await spool_batches(spool, "a", "b")
    spool.acknowledge(1, 1)
    await spool.trim()
    hub = Hub()
    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await hub.until(lambda: bool(hub.batches))

        assert hub.messages == ["b"]
        assert hub.batches[0].alerts_before == 1  # so the hub sees that it lacks one


async def test_a_restored_spool_begins_a_new_epoch(spool: Spool, authority: Authority) -> None:
    """A mark beyond what the spool ever gave: its numbers stand for other batches at the hub."""
    await spool_batches(spool, "a", "b")
    old = spool.epoch
    hub = Hub(books={old: Books(marks={Lane.LANE_NORMAL: 40})})
    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await hub.until(lambda: len(hub.batches) == 2)

        assert hub.hellos[-1].epoch == spool.epoch != old
        assert hub.sequences == [1, 2]
        assert hub.messages == ["a", "b"]


async def test_resumes_after_a_restart_of_the_hub(spool: Spool, authority: Authority) -> None:
    """Batches without an acknowledgement come again, acknowledged ones do not."""
    first = Hub(acknowledge=lambda batch: 1 if batch.sequence == 1 else 0)
    await spool_batches(spool, "a", "b", "c")
    second = Hub()
    async with serving(first, authority) as port:
        together = running(spool, at(authority, port))
        line = await together.__aenter__()
        await first.until(lambda: len(first.batches) == 3)
    await until(lambda: line.link.state == "waiting", "the loss is noticed")
    assert not line.link.live
    second.books = first.books
    async with serving(second, authority, port):
        await second.until(lambda: len(second.batches) == 2)
        await together.__aexit__(None, None, None)

    assert second.messages == ["b", "c"]


async def test_resumes_after_a_restart_of_the_node(tmp_path: Path, authority: Authority) -> None:
    """A new process with the old spool has the same epoch and the next sequence, and is another instance."""
    hub = Hub(acknowledge=lambda _: 0)
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
    assert hub.hellos[0].instance != hub.hellos[1].instance


async def test_a_run_of_the_agent_is_one_instance(spool: Spool, authority: Authority) -> None:
    """However often it connects: otherwise every cut would look like a second machine."""
    hub = Hub()
    hub.closing.set()
    async with serving(hub, authority) as port, running(spool, at(authority, port), interval=0.01) as line:
        await hub.until(lambda: len(hub.hellos) == 3)

        assert len({hello.instance for hello in hub.hellos}) == 1
        assert line.link.last_error == "the hub closed the stream"


async def test_going_away_is_honoured(spool: Spool, authority: Authority) -> None:
    """The node hangs up, says why in its status, and comes back after the time that it was given."""
    leave = HubMessage(going_away=GoingAway(reason="restart\x1b[2J", retry_after_seconds=0.05))
    hub = Hub(then=[leave])
    async with serving(hub, authority) as port, running(spool, at(authority, port)) as line:
        await hub.until(lambda: len(hub.hellos) == 1)
        told = "restart\N{REPLACEMENT CHARACTER}[2J"
        await until(lambda: line.link.last_error == told, "the reason is told")
        hub.then = []
        await hub.until(lambda: len(hub.hellos) == 2)
        await until(lambda: line.link.live, "it is back")


async def test_refusal_is_told_and_tried_again(spool: Spool, authority: Authority) -> None:
    """A revoked node says what the hub said; when it is let in again it needs no restart."""
    hub = Hub(refuse=(grpc.StatusCode.PERMISSION_DENIED, "acme/acme-1 was revoked"))
    async with serving(hub, authority) as port, running(spool, at(authority, port)) as line:
        await until(lambda: line.link.state == "refused", "the refusal")
        assert line.link.last_error == "acme/acme-1 was revoked"
        assert line.link.turned_away
        hub.refuse = None
        await until(lambda: line.link.state == "connected", "it is let in")
        assert not line.link.turned_away


async def test_an_identity_that_is_of_no_use_is_no_hub_that_refuses(
    spool: Spool, authority: Authority
) -> None:
    """A node whose certificate ran out while the hub was away is not turned away by anybody."""

    async def expired() -> tuple[tuple[str, ...], Identity]:
        raise OperatorError("the certificate expired", "")

    async with running(spool, at(authority, 1), credentials=expired) as line:
        await until(lambda: line.link.state == "refused", "the refusal")

        assert not line.link.turned_away


async def test_a_hub_that_cancels_the_call_is_dialled_again(spool: Spool, authority: Authority) -> None:
    """GRPC tells it as if the agent itself were being stopped; then nothing would ever be sent again."""
    hub = Hub(refuse=(grpc.StatusCode.CANCELLED, "out of order"))
    async with serving(hub, authority) as port, running(spool, at(authority, port)) as line:
        await until(lambda: line.link.last_error == "CANCELLED: out of order", "the reason")
        hub.refuse = None
        await until(lambda: line.link.live, "it is back")


async def test_wrong_ca_is_told(spool: Spool, authority: Authority) -> None:
    """A hub of another CA gets nothing, not even a Hello."""
    hub = Hub()
    async with (
        serving(hub, make_authority()) as port,
        running(spool, at(authority, port)) as line,
    ):
        await until(lambda: "another hub answers there" in line.link.last_error, "a reason")

        assert hub.hellos == []


async def test_a_new_identity_is_taken_up_at_once(
    spool: Spool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent without a good certificate says so, and looks for a new one while it waits."""
    monkeypatch.setattr(redial, "REFUSED_SECONDS", 3600.0)
    monkeypatch.setattr(uplink, "RELOAD_SECONDS", 0.01)
    hub, enrolled = Hub(), False
    async with serving(hub, authority) as port:

        async def credentials() -> tuple[tuple[str, ...], Identity]:
            if not enrolled:
                raise OperatorError("the certificate expired", "Enrol again.")
            return (f"127.0.0.1:{port}",), at(authority, port)

        async with running(spool, at(authority, port), credentials=credentials) as line:
            await until(lambda: line.link.last_error == "the certificate expired Enrol again.", "the reason")
            assert line.link.state == "refused"
            enrolled = True
            await hub.until(lambda: bool(hub.hellos))


async def test_an_identity_that_the_hub_refuses_is_replaced_without_a_restart(
    spool: Spool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`artemis enroll --force` beside a running agent, which would wait for a minute otherwise."""
    monkeypatch.setattr(redial, "REFUSED_SECONDS", 3600.0)
    monkeypatch.setattr(uplink, "RELOAD_SECONDS", 0.01)
    hub = Hub(refuse=(grpc.StatusCode.UNAUTHENTICATED, "not the certificate of acme/acme-1"))
    async with serving(hub, authority) as port:
        now = at(authority, port)

        async def credentials() -> tuple[tuple[str, ...], Identity]:
            return (now.hub_address,), now

        async with running(spool, now, credentials=credentials) as line:
            await until(lambda: line.link.state == "refused", "the refusal")
            hub.refuse = None
            now = at(authority, port)
            await until(lambda: line.link.live, "the new one is used")


NO_PEM = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: replace(good, key=NO_PEM),
        lambda good: replace(good, chain=NO_PEM),
        lambda good: replace(good, ca=NO_PEM),
        lambda good: replace(good, key=make_authority().server().key),
    ],
    ids=["key", "chain", "ca", "another's key"],
)
async def test_an_identity_that_is_no_certificate_ends_nothing(
    spool: Spool, authority: Authority, spoil: Callable[[Identity], Identity]
) -> None:
    """PEM without a meaning, a key of another certificate: gRPC must not take the process with it."""
    hub = Hub()
    async with serving(hub, authority) as port:
        good = at(authority, port)
        now = spoil(good)

        async def credentials() -> tuple[tuple[str, ...], Identity]:
            return (good.hub_address,), now

        async with running(spool, good, credentials=credentials) as line:
            await until(lambda: bool(line.link.last_error), "a reason")
            now = good
            await until(lambda: line.link.live, "the good one is used")


async def test_addresses_are_tried_in_turn(spool: Spool, authority: Authority) -> None:
    """Nobody listens at one, a stranger at the next, one has no name: the one that is right is found."""
    hub, stranger = Hub(), Hub()
    await spool_batches(spool, "a")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with (
            serving(hub, authority) as port,
            serving(stranger, make_authority()) as other,
        ):
            addresses = (
                "no-such-host.invalid:1",
                f"127.0.0.1:{unused.getsockname()[1]}",
                f"127.0.0.1:{other}",
                f"127.0.0.1:{port}",
            )
            async with running(spool, at(authority, port), addresses=addresses) as line:
                await hub.until(lambda: hub.messages == ["a"])

                assert line.link.hub == addresses[-1]
    assert stranger.hellos == []


async def test_the_next_address_takes_over(spool: Spool, authority: Authority) -> None:
    """A hub that goes away is not waited for where there is another way to it; and back again."""
    first, second = Hub(), Hub()
    async with serving(second, authority) as other:
        async with serving(first, authority) as port:
            addresses = (f"127.0.0.1:{port}", f"127.0.0.1:{other}")
            together = running(spool, at(authority, port), addresses=addresses)
            line = await together.__aenter__()
            await spool_batches(spool, "a")
            await until(lambda: spool.depth.entries == 0, "the first one has it")
            assert (first.messages, line.link.hub) == (["a"], addresses[0])
        second.books = first.books
        await spool_batches(spool, "b")
        await until(lambda: spool.depth.entries == 0, "the second one has it")

        assert (second.messages, line.link.hub) == (["b"], addresses[1])
        await together.__aexit__(None, None, None)


async def test_a_name_that_is_not_known_is_told(spool: Spool, authority: Authority) -> None:
    addresses = ("no-such-host.invalid:8443",)
    async with running(spool, at(authority, 1), addresses=addresses) as line:
        await until(lambda: "name cannot be resolved" in line.link.last_error, "the reason")


async def test_a_hub_on_ipv6(spool: Spool, authority: Authority) -> None:
    hub = Hub()
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    await spool_batches(spool, "a")
    async with (
        serving(hub, authority, host="[::1]") as port,
        running(spool, at(authority, port), addresses=(f"[::1]:{port}",)),
    ):
        await hub.until(lambda: hub.messages == ["a"])


async def test_a_hub_that_acknowledges_nothing_is_dialled_again(
    spool: Spool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be half dead behind a live connection."""
    monkeypatch.setattr(stream, "ACK_SECONDS", 0.05)
    hub = Hub(acknowledge=lambda _: 0)
    await spool_batches(spool, "a")
    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await hub.until(lambda: len(hub.batches) >= 2)

    assert set(hub.sequences) == {1}


async def test_a_hub_that_never_welcomes_is_given_up(
    spool: Spool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something listens and takes the connection, and that is all; another address gets its turn."""
    monkeypatch.setattr(stream, "WELCOME_SECONDS", 0.2)
    hub = Hub()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections wait in its backlog for ever
        async with serving(hub, authority) as port:
            addresses = (f"127.0.0.1:{silent.getsockname()[1]}", f"127.0.0.1:{port}")
            async with running(spool, at(authority, port), addresses=addresses) as line:
                await hub.until(lambda: bool(hub.hellos))

                assert "did not answer" in line.link.last_error


async def test_a_hub_that_always_knows_more_is_dialled_ever_more_slowly(
    spool: Spool, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each new epoch costs a commit; pauses that begin small again would make it a busy loop."""
    asked: list[int] = []

    def delays(_rng: random.Random, **_: float) -> Iterator[float]:
        for number in count():
            asked.append(number)
            yield 0.01

    monkeypatch.setattr(backoff, "delays", delays)
    hub = Hub(first=[HubMessage(welcome=Welcome(marks=[Mark(lane=Lane.LANE_NORMAL, sequence=99)]))])
    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await hub.until(lambda: len(hub.hellos) >= 4)

    assert asked[:3] == [0, 1, 2]


async def test_stopping_takes_no_time(spool: Spool, authority: Authority) -> None:
    """Whatever it waits for; systemd would kill it otherwise."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with asyncio.timeout(5), running(spool, at(authority, silent.getsockname()[1])):
            taken, _ = await asyncio.to_thread(silent.accept)
    taken.close()


async def test_many_connections_leave_nothing_open(spool: Spool, authority: Authority) -> None:
    """No descriptor, no task and no thread for each: a node dials for years."""
    leave = HubMessage(going_away=GoingAway(reason="restart", retry_after_seconds=0.01))
    hub = Hub(then=[leave])

    def held() -> tuple[int, int, int]:
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        return descriptors, len(asyncio.all_tasks()), threading.active_count()

    async with serving(hub, authority) as port, running(spool, at(authority, port)):
        await hub.until(lambda: len(hub.hellos) >= 10)
        few = held()
        await hub.until(lambda: len(hub.hellos) >= 10 + DIALS)
        many = held()

    assert all(after < before + DIALS // 2 for before, after in zip(few, many, strict=True)), (few, many)
