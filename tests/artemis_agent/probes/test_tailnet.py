"""tailscaled's local API: fields as of 1.103 (ipn/ipnstate.Status)."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.probes import tailnet
from artemis_agent.probes.outside import UnknownError
from socme.v1.vitals_pb2 import Vitals

STATUS: dict[str, Any] = {
    "Version": "1.80.2-t1234",
    "TUN": True,
    "BackendState": "Running",
    "HaveNodeKey": True,
    "AuthURL": "",
    "TailscaleIPs": ["100.64.0.7", "fd7a:115c:a1e0::7"],
    "Self": {
        "HostName": "acme-1",
        "DNSName": "acme-1.tail1234.ts.net.",
        "OS": "linux",
        "Online": True,
        "KeyExpiry": "2027-02-03T04:05:06Z",
    },
    "Health": ["not all is well"],
    "MagicDNSSuffix": "tail1234.ts.net",
    "Peer": None,
}


def parse(**changes: object) -> Vitals:
    return tailnet.parse(json.dumps(STATUS | changes).encode())


@contextmanager
def daemon(path: Path, answer: Callable[[bytes], bytes]) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            line, _ = server.accept()
            with line:
                line.sendall(answer(line.recv(4096)))

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


def test_a_machine_in_a_tailnet() -> None:
    found = parse().tailscale

    assert (found.state, found.name, found.version) == ("Running", "acme-1.tail1234.ts.net", "1.80.2-t1234")
    assert list(found.addresses) == ["100.64.0.7", "fd7a:115c:a1e0::7"]
    assert found.online
    assert found.key_expires.ToJsonString() == "2027-02-03T04:05:06Z"
    assert list(found.warnings) == ["not all is well"]


def test_a_machine_that_is_logged_out() -> None:
    """Lists are null, and of itself it knows its host name alone."""
    found = parse(BackendState="NeedsLogin", TailscaleIPs=None, Self={"HostName": "acme-1"}, Health=None)

    assert (found.tailscale.state, found.tailscale.name) == ("NeedsLogin", "acme-1")
    assert not found.tailscale.HasField("online")
    assert not found.tailscale.HasField("key_expires")


def test_it_is_asked_as_it_wants(tmp_path: Path) -> None:
    """With its own name for itself: it refuses any other."""
    asked = []

    def answer(request: bytes) -> bytes:
        asked.append(request)
        body = json.dumps(STATUS).encode()
        return b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    with daemon(tmp_path / "socket", answer):
        found = tailnet.ask(tmp_path / "socket")

    assert found == parse()
    assert asked[0].startswith(
        b"GET /localapi/v0/status?peers=false HTTP/1.0\r\nHost: local-tailscaled.sock\r\n"
    )
    assert b"Origin" not in asked[0]


def test_a_machine_without(tmp_path: Path) -> None:
    assert tailnet.ask(tmp_path / "none") == Vitals()


def test_one_that_refuses(tmp_path: Path) -> None:
    with (
        daemon(tmp_path / "socket", lambda _: b"HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n"),
        pytest.raises(UnknownError, match="tailscaled answers 403"),
    ):
        tailnet.ask(tmp_path / "socket")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"BackendState":7}'])
def test_what_is_no_status(body: bytes) -> None:
    with pytest.raises(UnknownError):
        tailnet.parse(body)


VALUE = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text() | st.none(), max_size=20)
KEYS = st.sampled_from([*STATUS, *STATUS["Self"]])


@given(st.dictionaries(KEYS, VALUE | st.dictionaries(KEYS, VALUE)))
def test_any_status_is_bounded_and_harmless(status: dict[str, object]) -> None:
    try:
        found = tailnet.parse(json.dumps(status | {"BackendState": "Running"}).encode())
    except UnknownError:
        return
    assert len(found.tailscale.addresses) <= 8
    assert len(found.tailscale.warnings) <= 8
    assert "\x1b" not in str(found)


def test_the_message_stays_small() -> None:
    told = parse(
        Health=["x" * 10_000] * 100,
        TailscaleIPs=["y" * 10_000] * 100,
        Version="v" * 10_000,
        BackendState="s" * 10_000,
        Self={"DNSName": "n" * 10_000},
    )

    assert told.ByteSize() < 4096
