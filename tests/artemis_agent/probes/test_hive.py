"""TheHive's public status, as the API description of 5.7.3 has it."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.probes import hive
from artemis_agent.probes.outside import UnknownError
from socme.v1.vitals_pb2 import ServiceState, Vitals

STATUS = b'{"sso":false,"ssoProviders":[],"version":"5.7.3-1","imports":[]}'


@contextmanager
def serving(answer: Callable[[str], tuple[int, bytes]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer(self.path)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the server's word
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def public(path: str) -> tuple[int, bytes]:
    return (200, STATUS) if path.endswith("/api/v1/status/public") else (404, b"")


def test_the_version_of_one_that_answers() -> None:
    with serving(public) as url:
        found = hive.ask(url)
        behind_a_proxy = hive.ask(f"{url}/thehive/")

    assert found.thehive.version == behind_a_proxy.thehive.version == "5.7.3-1"
    assert found.thehive.service.state == ServiceState.SERVICE_STATE_RUNNING


def test_one_that_does_not_answer_well() -> None:
    with serving(lambda _: (503, b"starting")) as url, pytest.raises(UnknownError, match="answers 503"):
        hive.ask(url)
    with pytest.raises(UnknownError, match="no answer"):
        hive.ask("http://127.0.0.1:1")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"version":null}', b'{"versions":{"TheHive":"4.1.24"}}']
)
def test_what_is_no_status(body: bytes) -> None:
    with pytest.raises(UnknownError):
        hive.parse(body)


@given(st.binary())
def test_garbage(body: bytes) -> None:
    with pytest.raises(UnknownError):
        hive.parse(body)


@given(st.text(min_size=1))
def test_any_version_is_short_and_harmless(version: str) -> None:
    try:
        found = hive.parse(json.dumps({"version": version}).encode())
    except UnknownError:
        return
    assert len(found) <= 40
    assert "\x1b" not in found


def test_only_a_unit_that_runs_is_asked(tmp_path: Path) -> None:
    state = "inactive"

    def run(_command: Sequence[str]) -> str:
        return f"LoadState=loaded\nActiveState={state}\nSubState=running\n"

    with serving(public) as url:
        assert hive.ask_own("thehive.service", url, run, tmp_path) == Vitals()
        (tmp_path / "etc/systemd/system").mkdir(parents=True)
        (tmp_path / "etc/systemd/system/thehive.service").touch()
        assert hive.ask_own("thehive.service", url, run, tmp_path) == Vitals()
        state = "active"
        found = hive.ask_own("thehive.service", url, run, tmp_path)

    assert found.thehive.version == "5.7.3-1"
    assert not found.thehive.HasField("service"), "systemd tells more of it"
