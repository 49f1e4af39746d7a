"""Who gets in: certificates that the registry knows, for what their role may do, while they are good."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import Engine

from socme.errors import first
from socme.identity import utc_now
from socme.spiffe import Peer, Role
from socme.v1.watch_pb2 import FleetRequest, WatchEvent, WatchRequest
from socme.v1.watch_pb2_grpc import WatchStub
from tests.faults import fuzzing_seeds
from tests.zeus_hub.kit import LIMIT, Hub, Link, Machine, alert, connect, eventually, give, hub, linked
from zeus_hub import authorise, registry
from zeus_hub.authorise import Bell, EndedError, Guard, Stream, objection
from zeus_hub.ca import Authority, certify, certify_hub, open_authority, private_pem
from zeus_hub.registry import Holder
from zeus_hub.tokens import Grant

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PEER = Peer("socme-1", Role.NODE, "acme-1", "acme")
HOLDER = Holder(b"f", Role.NODE, "acme-1", "acme", frozenset(), NOW + timedelta(1), False, True)  # noqa: FBT003


def test_a_good_certificate_meets_no_objection() -> None:
    assert objection(HOLDER, PEER, "socme-1", [Role.NODE], NOW) == ""


@pytest.mark.parametrize(
    ("holder", "peer", "words"),
    [
        (None, PEER, "not known here"),
        (HOLDER, None, "names nobody"),
        (HOLDER, replace(PEER, trust_domain="socme-2"), "names nobody of this hub"),
        (HOLDER, replace(PEER, client="other"), "somebody else"),
        (HOLDER, replace(PEER, name="acme-2"), "somebody else"),
        (replace(HOLDER, revoked=True), PEER, "revoked"),
        (replace(HOLDER, client_enabled=False), PEER, "disabled"),
        (replace(HOLDER, expires=NOW), PEER, "expired"),
    ],
)
def test_each_objection_says_what_it_is(holder: Holder | None, peer: Peer | None, words: str) -> None:
    assert words in objection(holder, peer, "socme-1", [Role.NODE], NOW)


async def test_a_caller_who_goes_away_while_it_is_written_to_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The write that is under way fails before the handler is cancelled; gRPC would log a traceback."""

    class Gone:
        def peer(self) -> str:
            return "ipv4:127.0.0.1:1"

    async def known(*_: object) -> Holder:
        return HOLDER

    async def write(_: authorise.Stream) -> None:
        raise grpc.aio.InternalError('Failed "ExecuteBatch"')

    monkeypatch.setattr(authorise.Guard, "admit", known)
    async with hub(tmp_path) as zeus:
        guard = authorise.Guard(zeus.engine, "socme-1", utc_now)
        await guard.serve(cast("authorise.Context", Gone()), [Role.NODE], write)
        await guard.gone(1)

    assert [record for record in caplog.records if record.exc_info] == []


def test_a_role_may_do_what_is_its_own_only() -> None:
    assert "a node may not" in objection(HOLDER, PEER, "socme-1", [Role.DISPLAY], NOW)


async def test_a_node_may_not_watch_and_a_screen_may_not_send(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        node, wall = await zeus.node(), await zeus.display()
        async with connect(zeus.address, node) as channel:
            for call in (WatchStub(channel).Alerts(WatchRequest()), WatchStub(channel).Fleet(FleetRequest())):
                assert await call.code() is grpc.StatusCode.PERMISSION_DENIED
        async with connect(zeus.address, wall) as channel:
            error = await Link(channel).failure()

            assert error.code() is grpc.StatusCode.PERMISSION_DENIED
            assert "a display may not" in str(error.details())


async def test_a_certificate_of_our_ca_that_nobody_registered_gets_nothing(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        await zeus.node()
        authority = open_authority(tmp_path, now=utc_now())
        await _gets_nothing(zeus, _made(authority, Peer(authority.trust_domain, Role.NODE, "acme-1", "acme")))


async def test_a_replaced_certificate_gets_nothing(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        old = await zeus.node()
        new = await zeus.enrol(Grant(Role.NODE, "acme-1", client="acme"))
        await _gets_nothing(zeus, old)
        await give(zeus, new, [alert(1)])


async def test_a_certificate_of_another_ca_does_not_even_get_a_word(tmp_path: Path) -> None:
    async with hub(tmp_path / "one") as zeus:
        node = await zeus.node()
        other = open_authority(tmp_path / "two", now=utc_now())
        stranger = _made(other, Peer(other.trust_domain, Role.NODE, "acme-1", "acme"))
        async with connect(zeus.address, replace(stranger, ca=node.ca)) as channel:
            error = await Link(channel).failure()

            assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_the_hubs_own_certificate_opens_nothing(tmp_path: Path) -> None:
    """A server's certificate is no client's: its extended key usage says so."""
    async with hub(tmp_path) as zeus:
        key, chain = certify_hub(open_authority(tmp_path, now=utc_now()), now=utc_now())
        async with connect(zeus.address, Machine(key, chain, zeus.ca)) as channel:
            error = await Link(channel).failure()

            assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_revoked_node_is_cut_off_within_two_seconds_and_stays_out(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        async with linked(zeus.address, node) as link:
            await link.batch(1, [alert(1)])
            await link.until_acked(1)
            registry.revoke_node(zeus.engine, "acme", "acme-1", now=utc_now())
            async with asyncio.timeout(2):
                error = await link.failure()

            assert error.code() is grpc.StatusCode.PERMISSION_DENIED
            assert "enrol this machine again" in str(error.details())
        await _gets_nothing(zeus, node)


async def test_a_revoked_screen_is_cut_off_within_two_seconds(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus, connect(zeus.address, await zeus.display()) as channel:
        call = WatchStub(channel).Alerts(WatchRequest())
        await call.read()
        registry.revoke_watcher(zeus.engine, Role.DISPLAY, "wall", now=utc_now())
        async with asyncio.timeout(2):
            assert await call.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_revoked_screen_that_reads_nothing_is_cut_off_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream is in the middle of a write that nobody takes; the end must not wait for it."""
    big = [alert(number, url="x" * 20_000) for number in range(400)]  # 8 MB, more than any window
    guards: list[Guard] = []

    def kept(engine: Engine, trust_domain: str, clock: Callable[[], datetime]) -> Guard:
        guards.append(Guard(engine, trust_domain, clock))
        return guards[0]

    monkeypatch.setattr("zeus_hub.hub.Guard", kept)
    async with hub(tmp_path) as zeus, connect(zeus.address, await zeus.display()) as channel:
        call = WatchStub(channel).Alerts(WatchRequest())
        await call.read()
        async with linked(zeus.address, await zeus.node()) as link:
            for sequence in range(1, 41):
                await link.batch(sequence, big[10 * sequence - 10 : 10 * sequence])
            await link.until_acked(40)
        registry.revoke_watcher(zeus.engine, Role.DISPLAY, "wall", now=utc_now())
        await guards[0].gone(LIMIT)  # nothing tells a caller that does not read
        seen, error = await _drain(call)

        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert seen < 400


async def test_nobody_can_take_all_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authorise, "MOST_OF_ONE", 3)
    async with hub(tmp_path) as zeus:
        wall, other = await zeus.display(), await zeus.display("other")
        async with connect(zeus.address, wall) as channel, connect(zeus.address, other) as second:
            calls = [WatchStub(channel).Alerts(WatchRequest()) for _ in range(3)]
            for call in calls:
                await call.read()
            refused = WatchStub(channel).Alerts(WatchRequest())

            assert await refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert isinstance(await WatchStub(second).Alerts(WatchRequest()).read(), WatchEvent)


async def test_disabling_a_client_cuts_off_its_nodes_and_enabling_lets_them_in(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        node = await zeus.node()
        async with linked(zeus.address, node) as link:
            registry.disable_client(zeus.engine, "acme")
            async with asyncio.timeout(2):
                error = await link.failure()

            assert error.code() is grpc.StatusCode.PERMISSION_DENIED
            assert "client acme is disabled" in str(error.details())
        await _gets_nothing(zeus, node)
        registry.enable_client(zeus.engine, "acme")
        await give(zeus, node, [alert(1)])
        await eventually(lambda: len(zeus.stored()) == 1)


async def _gets_nothing(zeus: Hub, machine: Machine) -> None:
    """Try everything that there is to call."""
    async with connect(zeus.address, machine) as channel:
        stub, health = WatchStub(channel), health_pb2_grpc.HealthStub(channel)
        codes = [
            await stub.Alerts(WatchRequest()).code(),
            await stub.Fleet(FleetRequest()).code(),
            await health.Check(health_pb2.HealthCheckRequest()).code(),
            await health.Watch(health_pb2.HealthCheckRequest()).code(),
            (await Link(channel).failure()).code(),
        ]

    assert set(codes) == {grpc.StatusCode.PERMISSION_DENIED}


def _made(authority: Authority, peer: Peer) -> Machine:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = certify(authority, key.public_key(), peer, now=utc_now())
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    return Machine(private_pem(key), pem + authority.pem, authority.pem)


async def _drain(
    call: grpc.aio.UnaryStreamCall[WatchRequest, WatchEvent],
) -> tuple[int, grpc.aio.AioRpcError]:
    """Return how many events a call still gives, and how it ends."""
    seen = 0
    try:
        while await call.read() is not grpc.aio.EOF:
            seen += 1
    except grpc.aio.AioRpcError as error:
        return seen, error
    raise AssertionError("it ended without an error")


def test_a_certificate_of_no_known_version_names_nobody() -> None:
    """Whatever is wrong with a certificate, it is refused in words."""
    (good,) = fuzzing_seeds.CERTIFICATES[:1]
    version = good.index(b"\xa0\x03\x02\x01\x02")
    bad = good[: version + 4] + b"\x65" + good[version + 5 :]
    assert authorise._peer(good) is not None
    assert authorise._peer(bad) is None


async def test_streams_that_ended_leave_nothing_open(tmp_path: Path) -> None:
    """No descriptor, no task and no thread for each, of a node's stream or a watcher's."""
    streams = 30

    def held() -> tuple[int, int, int]:
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        return descriptors, len(asyncio.all_tasks()), threading.active_count()

    async with hub(tmp_path) as zeus:
        node, eye = await zeus.node(), zeus.operator()

        async def come_and_go() -> None:
            async with linked(zeus.address, node), connect(zeus.address, eye) as channel:
                assert isinstance(await WatchStub(channel).Alerts(WatchRequest()).read(), WatchEvent)

        for _ in range(5):
            await come_and_go()
        few = held()
        for _ in range(streams):
            await come_and_go()
        await eventually(
            lambda: all(after < before + streams // 2 for before, after in zip(few, held(), strict=True))
        )


async def test_a_bell_wakes_who_waits_and_stays_rung_until_it_is_cleared() -> None:
    bell, heard = Bell(), asyncio.Event()

    async def listen() -> None:
        await bell.wait()
        heard.set()

    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
        group.create_task(listen())
        await asyncio.sleep(0)
        assert not heard.is_set()
        bell.set()
        bell.set()
        await heard.wait()
        await bell.wait()
    bell.clear()

    assert not bell.is_set()


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_a_stream_that_is_told_to_end_ends_whatever_it_waits_for(when: str) -> None:
    stream = Stream(HOLDER, polite=False)
    error = EndedError(grpc.StatusCode.ABORTED, "enough")

    async def wait() -> None:
        await asyncio.Event().wait()

    async def serve() -> None:
        async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
            await stream.work(group, wait())

    def end() -> None:
        stream.end(error)
        stream.end(EndedError(grpc.StatusCode.ABORTED, "the first word counts"))

    if when == "before":
        end()
    asyncio.get_running_loop().call_soon(end)
    with pytest.raises(ExceptionGroup) as found:
        await serve()

    assert first(found.value) is error
