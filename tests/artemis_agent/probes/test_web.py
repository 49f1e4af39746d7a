"""Asking a web server: one that answers, one that is none, one that hangs, and one with TLS."""

import ssl
import threading
from http.client import HTTPSConnection

import pytest

from artemis_agent.probes import web
from artemis_agent.probes.outside import LIMIT_SECONDS, UnknownError
from tests.artemis_agent.probes.servers import hold, saying, tcp


def test_where_a_url_points() -> None:
    plain = web.connection("http://[::1]:9000/thehive")
    trust = ssl.create_default_context()
    secure = web.connection("https://hive.example", trust)

    assert (plain.host, plain.port, plain.timeout) == ("::1", 9000, LIMIT_SECONDS)
    assert not isinstance(plain, HTTPSConnection)
    assert isinstance(secure, HTTPSConnection)
    assert (secure.host, secure.port, secure.timeout) == ("hive.example", 443, LIMIT_SECONDS)
    assert secure._context is trust  # type: ignore[attr-defined]


def test_a_web_server() -> None:
    with tcp(saying(b"HTTP/1.0 404 no\r\n\r\nbody")) as port:
        answer = web.fetch(web.connection(f"http://127.0.0.1:{port}"), "/")

    assert (answer.status, answer.body) == (404, b"body")


@pytest.mark.parametrize(
    "said",
    [b"", b"garbage\r\n\r\n", b"HTTP/1.1 abc\r\n"],
)
def test_a_web_server_that_is_none(said: bytes) -> None:
    with tcp(saying(said)) as port, pytest.raises(UnknownError):
        web.fetch(web.connection(f"http://127.0.0.1:{port}"), "/")


def test_a_web_server_that_hangs() -> None:
    held = threading.Event()
    with tcp(lambda _: hold(held)) as port:
        line = web.connection(f"http://127.0.0.1:{port}")
        line.timeout = 0.2
        with pytest.raises(UnknownError, match=r"no answer from 127\.0\.0\.1"):
            web.fetch(line, "/")
        held.set()
