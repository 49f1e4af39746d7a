"""The proxy does to real connections what it is told, and nothing else."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.faults.proxy import Fault, Proxy, Way, proxied
from tests.flow.programs import wait_until

LIMIT = 5.0  # seconds
A_MOMENT = 0.2  # seconds in which something must not happen


class Echo:
    """A server that says back what it hears."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.heard = bytearray()
        self.ends = 0
        self._stack = ExitStack()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                taken, _ = self._listener.accept()
                self._stack.enter_context(taken)
                threading.Thread(target=self._answer, args=[taken], daemon=True).start()

    def _answer(self, taken: socket.socket) -> None:
        with suppress(OSError):
            while found := taken.recv(65536):
                self.heard += found
                taken.sendall(found)
        self.ends += 1
        taken.close()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._stack.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    """Start an echo server."""
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    """Start a proxy to it."""
    with proxied(echo.address) as made:
        yield made


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    """Connect through the proxy, and hear one answer."""
    with connected(proxy) as made:
        assert asked(made, b"hello") == b"hello"
        yield made


def connected(proxy: Proxy) -> socket.socket:
    """Return a connection through the proxy."""
    host, _, port = proxy.address.rpartition(":")
    return socket.create_connection((host, int(port)), LIMIT)


def asked(client: socket.socket, words: bytes) -> bytes:
    """Say something, and return what comes back of it; less where the connection ends."""
    client.sendall(words)
    answer = b""
    while len(answer) < len(words) and (found := client.recv(65536)):
        answer += found
    return answer


def is_silent(client: socket.socket) -> bool:
    """Tell whether nothing comes for a moment, not even an end."""
    client.settimeout(A_MOMENT)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(LIMIT)
    return False


def test_all_of_it_passes_in_order(client: socket.socket, proxy: Proxy) -> None:
    words = bytes(range(256)) * 4096
    reader = threading.Thread(target=client.sendall, args=[words])
    reader.start()
    answer = b""
    while len(answer) < len(words):
        answer += client.recv(65536)
    reader.join()
    assert answer == words
    passed = {Way.UP: len(words) + 5, Way.DOWN: len(words) + 5}
    wait_until(lambda: proxy.passed == passed, "all of it is counted", limit=LIMIT)


def test_an_end_is_handed_on(client: socket.socket, echo: Echo, proxy: Proxy) -> None:
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    wait_until(lambda: echo.ends == 1 and not proxy.connections, "the connection is over", limit=LIMIT)


def test_delay(client: socket.socket, proxy: Proxy) -> None:
    """Once each way."""
    proxy.delay(0.1)
    began = time.monotonic()
    assert asked(client, b"late") == b"late"
    assert time.monotonic() - began >= 0.2
    proxy.heal()
    assert asked(client, b"soon") == b"soon"


def test_throttle(client: socket.socket, proxy: Proxy) -> None:
    proxy.throttle(20_000)
    began = time.monotonic()
    assert asked(client, bytes(6000)) == bytes(6000)
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("rate", [0, 1_000_000], ids=["healed", "faster"])
def test_a_throttle_ends_when_it_is_told_to(client: socket.socket, proxy: Proxy, rate: int) -> None:
    """What was taken in meanwhile does not go on at the old pace: 100 s of it."""
    proxy.throttle(1000)
    answers: list[bytes] = []
    asking = threading.Thread(target=lambda: answers.append(asked(client, bytes(100_000))), daemon=True)
    asking.start()
    wait_until(lambda: proxy.waiting > 0, "it waits in the proxy", limit=LIMIT)
    proxy.throttle(rate)
    asking.join(LIMIT)
    assert answers == [bytes(100_000)]


def test_refuse(client: socket.socket, proxy: Proxy) -> None:
    """What was open ends, nothing new is taken; healed, it listens at the same place."""
    proxy.refuse()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    proxy.heal()
    with connected(proxy) as again:
        assert asked(again, b"back") == b"back"


def test_cut(client: socket.socket, echo: Echo, proxy: Proxy) -> None:
    """A reset at both ends, once."""
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    wait_until(lambda: echo.ends == 1, "the server is told", limit=LIMIT)
    with connected(proxy) as again:
        assert asked(again, b"back") == b"back"


@pytest.mark.parametrize(("way", "heard"), [(Way.UP, b""), (Way.DOWN, b"lost"), (Way.BOTH, b"")])
def test_half_open(client: socket.socket, echo: Echo, proxy: Proxy, way: Way, heard: bytes) -> None:
    """Nobody is told, and what was lost stays lost when the network is well again."""
    proxy.half_open(way)
    client.sendall(b"lost")
    assert is_silent(client)
    assert bytes(echo.heard) == b"hello" + heard
    proxy.heal()
    client.sendall(b"later")
    assert is_silent(client)
    assert b"lost" not in bytes(echo.heard) or way is Way.DOWN
    assert proxy.connections == 1
    with connected(proxy) as again:
        assert asked(again, b"back") == b"back"


def test_half_open_says_nothing_of_an_end(client: socket.socket, echo: Echo, proxy: Proxy) -> None:
    """One who gave up cannot tell the other."""
    proxy.half_open()
    client.close()
    with connected(proxy) as stranger:
        stranger.sendall(b"?")
        assert is_silent(stranger)
    assert echo.ends == 0


def test_hold(client: socket.socket, proxy: Proxy) -> None:
    """As long as packets are lost, nothing arrives; then all of it does."""
    proxy.hold()
    client.sendall(b"patience")
    assert is_silent(client)
    proxy.heal()
    assert client.recv(64) == b"patience"


def test_corrupt(client: socket.socket, proxy: Proxy) -> None:
    """One bit in so many bytes of what the stream has carried since."""
    proxy.become(Fault(corrupt_every=10))
    answer = asked(client, bytes(40))
    assert len(answer) == 40
    assert sum(byte.bit_count() for byte in answer) == 8  # turned on the way there, and back
    proxy.heal()
    assert asked(client, bytes(40)) == bytes(40)


def test_nobody_behind_it() -> None:
    """A hub that is down: the connection ends at once."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{place.getsockname()[1]}"
        with proxied(target) as proxy, pytest.raises(ConnectionResetError), connected(proxy) as client:
            client.recv(1)


def test_many_connections_come_and_go(proxy: Proxy) -> None:
    """None stays behind."""
    for _ in range(50):
        with connected(proxy) as client:
            assert asked(client, b"x") == b"x"
    wait_until(lambda: not proxy.connections, "all connections are over", limit=LIMIT)
    assert proxy.accepted == 50
