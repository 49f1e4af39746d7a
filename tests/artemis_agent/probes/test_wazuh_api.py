"""Wazuh's API over TLS with a certificate of its own, as 4.14 answers."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.probes import wazuh_api
from artemis_agent.probes.outside import UnknownError
from artemis_agent.probes.wazuh_api import TOKEN_SECONDS, WazuhApi, parse
from socme.trust import trusting
from socme.v1.vitals_pb2 import WazuhAgents
from tests.certificates import make_authority

SUMMARY = {
    "data": {
        "connection": {"active": 5, "disconnected": 2, "never_connected": 1, "pending": 0, "total": 8},
        "configuration": {"synced": 5, "not_synced": 3, "total": 8},
    },
    "error": 0,
}


class Wazuh:
    """An API with one user."""

    def __init__(self, folder: Path) -> None:
        authority = make_authority()
        own = authority.server()
        (folder / "api.pem").write_bytes(own.key + own.chain)
        self.certificate = folder / "ca.pem"
        self.certificate.write_bytes(authority.pem)
        self.password = folder / "password"
        self.password.write_text("pa55word\n")
        self.logins = 0
        self.token = "token-1"
        self.body = json.dumps(SUMMARY).encode()
        self.status = 200
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "api.pem")
        self.server = HTTPServer(("127.0.0.1", 0), self.handler())
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.now = 0.0

    def handler(wazuh) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - two of them meet here
        """Return what answers requests."""

        class Handler(BaseHTTPRequestHandler):
            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                wazuh.logins += 1
                pair = base64.b64encode(b"reader:pa55word").decode()
                good = self.headers["Authorization"] == f"Basic {pair}"
                assert self.path == "/security/user/authenticate?raw=true"
                self.answer(200 if good else 401, wazuh.token.encode() if good else b"{}")

            def do_GET(self) -> None:
                good = self.headers["Authorization"] == f"Bearer {wazuh.token}"
                assert self.path == "/agents/summary/status"
                self.answer(wazuh.status if good else 401, wazuh.body if good else b"{}")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the server's word
                pass

        return Handler

    def api(self, *, certificate: bool = True) -> WazuhApi:
        """Return the probe of it, that trusts it or not."""
        return WazuhApi(
            f"https://127.0.0.1:{self.server.server_port}",
            "reader",
            self.password,
            self.certificate if certificate else None,
            lambda: self.now,
        )


@pytest.fixture
def wazuh(tmp_path: Path) -> Iterator[Wazuh]:
    made = Wazuh(tmp_path)
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_agents_are_told_and_one_login_is_enough(wazuh: Wazuh) -> None:
    api = wazuh.api()

    for _ in range(3):
        assert api.ask().wazuh.agents == WazuhAgents(active=5, disconnected=2, never_connected=1)
    assert wazuh.logins == 1
    wazuh.now = TOKEN_SECONDS
    api.ask()
    assert wazuh.logins == 2, "before the token ends"


def test_a_manager_that_was_restarted_takes_a_new_login(wazuh: Wazuh) -> None:
    api = wazuh.api()
    api.ask()
    wazuh.token = "token-2"

    assert api.ask().wazuh.agents.active == 5
    assert wazuh.logins == 2


def test_a_wrong_password_is_not_tried_again_and_again(wazuh: Wazuh) -> None:
    """Wazuh blocks a user after 50."""
    wazuh.password.write_text("wrong")
    api = wazuh.api()

    for _ in range(10):
        with pytest.raises(UnknownError, match="refuses the user reader"):
            api.ask()
    assert wazuh.logins == 1
    wazuh.now, _ = TOKEN_SECONDS, wazuh.password.write_text("pa55word")
    assert api.ask().wazuh.agents.active == 5


def test_secrets_are_nowhere_to_be_seen(wazuh: Wazuh) -> None:
    api = wazuh.api()
    api.ask()

    assert "token-1" not in repr(api)
    assert "pa55word" not in repr(api)


def test_a_server_that_nobody_vouches_for_learns_no_password(wazuh: Wazuh) -> None:
    with pytest.raises(UnknownError, match="certificate"):
        wazuh.api(certificate=False).ask()
    assert wazuh.logins == 0


def test_a_certificate_as_wazuh_makes_it_is_taken_by_any_python(
    wazuh: Wazuh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Since 3.13 contexts are strict, and ours here says not whose key signed it."""

    def strict(ca_file: Path | None) -> ssl.SSLContext:
        context = trusting(ca_file)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(wazuh_api, "trusting", strict)

    assert wazuh.api().ask().wazuh.agents.active == 5
    assert not wazuh.api()._trust().verify_flags & ssl.VERIFY_X509_STRICT
    assert wazuh.api(certificate=False)._trust().verify_flags & ssl.VERIFY_X509_STRICT


def test_what_is_missing_is_named(wazuh: Wazuh) -> None:
    wazuh.password.unlink()
    with pytest.raises(UnknownError, match="there is no password file"):
        wazuh.api().ask()
    wazuh.password.write_text("pa55word")
    wazuh.certificate.write_text("no certificate")
    with pytest.raises(UnknownError, match=r"cannot read .*ca\.pem"):
        wazuh.api().ask()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"data":{"connection":{}},"error":0}',
        json.dumps(SUMMARY | {"error": 1, "message": "no permission"}).encode(),
    ],
)
def test_an_answer_that_is_none(wazuh: Wazuh, body: bytes) -> None:
    """HTTP 200 with an error of its own is usual there."""
    wazuh.body = body
    with pytest.raises(UnknownError, match="the Wazuh API"):
        wazuh.api().ask()


def test_too_many_requests(wazuh: Wazuh) -> None:
    wazuh.status = 429
    with pytest.raises(UnknownError, match="the Wazuh API answers 429"):
        wazuh.api().ask()


@given(st.binary())
def test_garbage(body: bytes) -> None:
    with pytest.raises(UnknownError):
        parse(body)


@given(st.dictionaries(st.sampled_from(["active", "disconnected"]), st.none() | st.integers() | st.text()))
def test_any_numbers_fit(counts: dict[str, object]) -> None:
    try:
        found = parse(json.dumps({"data": {"connection": counts}}).encode())
    except UnknownError:
        return
    assert found.SerializeToString() is not None
