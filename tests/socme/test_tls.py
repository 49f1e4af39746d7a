"""Who may talk to whom, over real handshakes, and a peer that freezes."""

import asyncio
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import pytest

from socme import tls
from socme.spiffe import Peer, Role
from tests.certificates import TRUST_DOMAIN, Authority, Leaf, make_authority

ECHO = "/test.Echo/Echo"
NODE = Peer(TRUST_DOMAIN, Role.NODE, "n1", "acme")
PIECE = 128 * 1024  # bytes
FULL = 4 * tls.MIB - PIECE  # bytes after which a write may wait for a peer that reads nothing
FOUND_SECONDS = 20.0  # within which a peer that answers nothing is found


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


class Echo(grpc.GenericRpcHandler):
    """Answers what it was asked, and who asked."""

    def service(self, _details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Serve every method alike."""
        return grpc.unary_unary_rpc_method_handler(self._answer)

    @staticmethod
    def _answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        names = context.auth_context().get("x509_subject_alternative_name", ())
        return request[:100] + b" " + b" ".join(bytes(name) for name in names)


@contextmanager
def serving(credentials: grpc.ServerCredentials) -> Iterator[str]:
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads, options=tls.SERVER_OPTIONS)
        server.add_generic_rpc_handlers((Echo(),))
        port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(None).wait()


def server_credentials(authority: Authority) -> grpc.ServerCredentials:
    leaf = authority.server()
    return tls.mutual_server_credentials(key=leaf.key, chain=leaf.chain, ca=authority.pem)


def ask(address: str, credentials: grpc.ChannelCredentials, request: bytes = b"hello") -> bytes:
    with grpc.secure_channel(address, credentials, options=tls.CHANNEL_OPTIONS) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(ECHO)
        return call(request, timeout=20)


def failure(address: str, credentials: grpc.ChannelCredentials) -> str:
    """Return why a call fails, in words."""
    with pytest.raises(grpc.RpcError) as error:
        ask(address, credentials)
    assert isinstance(error.value, grpc.Call)
    return tls.explain(error.value.details())


class Deaf(grpc.GenericRpcHandler):
    """Reads nothing of what it is sent."""

    def service(self, _details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Serve every method alike."""
        return grpc.stream_unary_rpc_method_handler(self._wait)

    @staticmethod
    async def _wait(_requests: object, _context: object) -> bytes:
        await asyncio.Event().wait()
        return b""


async def test_what_is_under_way_is_not_bound_by_what_came_before(authority: Authority) -> None:
    """A line with a long way would carry 64 KiB each time otherwise, and the hub measures none."""
    server = grpc.aio.server(options=tls.SERVER_OPTIONS)
    server.add_generic_rpc_handlers((Deaf(),))
    address = f"127.0.0.1:{server.add_secure_port('127.0.0.1:0', server_credentials(authority))}"
    await server.start()
    credentials, sent = own(authority, authority.leaf(NODE)), 0
    async with grpc.aio.secure_channel(address, credentials, options=tls.CHANNEL_OPTIONS) as channel:
        call: grpc.aio.StreamUnaryCall[bytes, bytes] = channel.stream_unary(ECHO)()
        with suppress(TimeoutError):  # once no more may be under way
            while True:
                async with asyncio.timeout(1 if sent >= FULL else FOUND_SECONDS):
                    await call.write(bytes(PIECE))
                sent += PIECE
        call.cancel()
    await server.stop(None)

    assert FULL <= sent <= 5 * tls.MIB


def own(authority: Authority, leaf: Leaf) -> grpc.ChannelCredentials:
    return tls.channel_credentials(key=leaf.key, chain=leaf.chain, ca=authority.pem)


def test_a_certificate_of_the_ca_lets_in_at_any_address(authority: Authority) -> None:
    """The hub's certificate names no address, and the server sees who calls."""
    with serving(server_credentials(authority)) as address:
        answer = ask(address, own(authority, authority.leaf(NODE)))

    assert answer == b"hello spiffe://socme-test/client/acme/node/n1"


def test_large_messages_pass(authority: Authority) -> None:
    """A batch may be larger than gRPC's own limit of 4 MiB."""
    with serving(server_credentials(authority)) as address:
        assert ask(address, own(authority, authority.leaf(NODE)), bytes(6 * tls.MIB))


def test_strangers_stay_out(authority: Authority) -> None:
    """Without a certificate, with one of another CA, with one that is over, with one for servers."""
    stranger = make_authority()
    without = tls.enrolment_channel_credentials(ca=authority.pem)
    foreign = tls.channel_credentials(
        key=(leaf := stranger.leaf(NODE)).key, chain=leaf.chain, ca=authority.pem
    )
    expired = own(authority, authority.leaf(NODE, days=-0.5))
    server = own(authority, authority.server())
    with serving(server_credentials(authority)) as address:
        for credentials in (without, foreign, expired, server):
            with pytest.raises(grpc.RpcError) as refusal:
                ask(address, credentials)
            assert isinstance(refusal.value, grpc.Call)
            assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_hub_of_another_ca_is_not_believed(authority: Authority) -> None:
    """And the reason is told in words, though gRPC says no more than that a signature is bad."""
    with serving(server_credentials(make_authority())) as address:
        assert failure(address, own(authority, authority.leaf(NODE))).startswith("another hub answers there")


def test_a_key_of_another_certificate_is_told(authority: Authority) -> None:
    leaf, other = authority.leaf(NODE), authority.leaf(NODE)
    mixed = tls.channel_credentials(key=other.key, chain=leaf.chain, ca=authority.pem)
    with serving(server_credentials(authority)) as address:
        assert failure(address, mixed) == "this machine's key and certificate cannot be used"


def test_what_is_no_hub_is_told(authority: Authority) -> None:
    """A web server without TLS, say."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            taken, _ = server.accept()
            with taken:
                taken.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                taken.recv(1)

        with ThreadPoolExecutor(1) as thread:
            thread.submit(answer)
            address = f"127.0.0.1:{server.getsockname()[1]}"

            assert "no hub" in failure(address, own(authority, authority.leaf(NODE)))


def test_a_node_cannot_play_the_hub(authority: Authority) -> None:
    """Its certificate is of the right CA, but neither for servers nor of the hub's name."""
    leaf = authority.leaf(Peer(TRUST_DOMAIN, Role.NODE, "evil", "acme"))
    credentials = tls.mutual_server_credentials(key=leaf.key, chain=leaf.chain, ca=authority.pem)
    with serving(credentials) as address, pytest.raises(grpc.RpcError):
        ask(address, own(authority, authority.leaf(NODE)))


def test_enrolment_needs_no_certificate(authority: Authority) -> None:
    leaf = authority.server()
    with serving(tls.enrolment_server_credentials(key=leaf.key, chain=leaf.chain)) as address:
        assert ask(address, tls.enrolment_channel_credentials(ca=authority.pem)) == b"hello "


def test_a_taken_port_is_an_error(authority: Authority) -> None:
    """Without our option a second server would share the port in silence."""
    with serving(server_credentials(authority)) as address, ThreadPoolExecutor(1) as threads:
        second = grpc.server(threads, options=tls.SERVER_OPTIONS)
        with pytest.raises(RuntimeError, match="bind"):
            second.add_secure_port(address, server_credentials(authority))


FROZEN = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import grpc
from socme import tls

class Stream(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.stream_stream_rpc_method_handler(lambda requests, context: requests)

folder = Path(sys.argv[1])
key, chain, ca = ((folder / name).read_bytes() for name in ("key", "chain", "ca"))
server = grpc.server(ThreadPoolExecutor(2), options=tls.SERVER_OPTIONS)
server.add_generic_rpc_handlers((Stream(),))
port = server.add_secure_port("127.0.0.1:0", tls.mutual_server_credentials(key=key, chain=chain, ca=ca))
server.start()
print(port, flush=True)
server.wait_for_termination()
"""


@pytest.mark.slow
def test_a_frozen_hub_is_found_within_20_seconds(authority: Authority, tmp_path: Path) -> None:
    """It holds its connections and answers nothing; without our options nobody would ever know."""
    leaf, server = authority.leaf(NODE), authority.server()
    for name, content in (("key", server.key), ("chain", server.chain), ("ca", authority.pem)):
        (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-c", FROZEN, str(tmp_path)]
    over = threading.Event()

    def requests() -> Iterator[bytes]:
        yield b"hello"
        over.wait(60)  # the stream stays open: it must not end because it was done

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as hub:
        try:
            assert hub.stdout is not None
            address = f"127.0.0.1:{int(hub.stdout.readline())}"
            with grpc.secure_channel(address, own(authority, leaf), options=tls.CHANNEL_OPTIONS) as channel:
                stream: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(ECHO)
                call = stream(requests(), timeout=FOUND_SECONDS)
                assert next(call) == b"hello"
                hub.send_signal(signal.SIGSTOP)
                with pytest.raises(grpc.RpcError) as lost:
                    next(call)
        finally:
            over.set()
            hub.kill()

    assert lost.value.code() is grpc.StatusCode.UNAVAILABLE, "the call's own deadline came first"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "unix:1", "ipv6:1"])
def test_an_address_is_a_host_whatever_it_is_called(authority: Authority, address: str) -> None:
    """GRPC takes some names for kinds of addresses, and would look for a file called "1"."""
    told = failure(tls.target(address), own(authority, authority.leaf(NODE)))

    assert told.startswith(("Connection refused", "the name cannot be resolved", "Network", "Cannot assign"))


@pytest.mark.parametrize(
    ("details", "told"),
    [
        (None, "no reason given"),
        (
            (
                "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to connect"
                " to remote host: Connection refused"
            ),
            "Connection refused",
        ),
        (
            (
                "errors resolving nowhere:1: [field:hostname lookup error:address lookup failed for"
                " nowhere:1: Domain name not found]"
            ),
            "the name cannot be resolved: Domain name not found",
        ),
        ("failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: odd: OK", "odd"),
        ("…TSI_PROTOCOL_FAILURE: …CERTIFICATE_VERIFY_FAILED…", "another hub answers there"),
        ("the client acme is disabled", "the client acme is disabled"),
    ],
)
def test_a_failed_call_is_explained(details: str | None, told: str) -> None:
    assert tls.explain(details).startswith(told)
