"""A program is told in JSON that it can rely on, and can know that it comes from us."""

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from socme.errors import OperatorError
from tests.zeus_hub.receivers.listener import Listener, listening
from tests.zeus_hub.receivers.notices import GROUP, ID, NOTICE, hostile
from tests.zeus_hub.receivers.post import Trust, trust
from zeus_hub.notice import Notice
from zeus_hub.receivers.contract import DownError, Receipt, Receiver, RefusedError
from zeus_hub.receivers.webhook import Webhook, WebhookSettings, encode, signature

SECRET = b"shared with nobody"
TOKEN = "s3cr3t-t0ken"
NOW = 1_795_918_445.9


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return trust(tmp_path_factory.mktemp("tls"))


@asynccontextmanager
async def webhook(port: int, ca_file: Path, seconds: float = 20.0) -> AsyncIterator[Webhook]:
    settings = WebhookSettings(
        url=f"https://localhost:{port}/{TOKEN}?key={TOKEN}", secret=SECRET, ca_file=ca_file, seconds=seconds
    )
    made = Webhook("ticket system", settings, lambda: NOW)
    try:
        yield made
    finally:
        await made.close()


async def test_a_notice_is_posted_and_signed(tls: Trust) -> None:
    listener = Listener()
    async with listening(listener, tls.server) as port, webhook(port, tls.ca_file) as receiver:
        await receiver.send(NOTICE)

    (request,) = listener.requests
    told = dict(each.split("=") for each in request.headers["socme-signature"].split(","))
    proof = hmac.new(SECRET, f"{int(NOW)}.".encode() + request.body, hashlib.sha256).hexdigest()
    assert request.line == f"POST /{TOKEN}?key={TOKEN} HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["idempotency-key"] == f"{GROUP}-1"
    assert told == {"t": str(int(NOW)), "v1": proof}
    assert request.body == encode(NOTICE)


def test_the_json_is_what_is_promised() -> None:
    """Programs rely on it: fields may come, none goes."""
    told = json.loads(encode(NOTICE))

    assert told["version"] == 1
    notice = told["notice"]
    assert {key: notice[key] for key in ("group", "number", "reason", "client", "severity", "count")} == {
        "group": GROUP,
        "number": 1,
        "reason": "new",
        "client": "acme",
        "severity": "critical",
        "count": 10_000,
    }
    assert notice["labels"] == {"rule.id": "5712", "source.ip": "192.0.2.7"}
    assert notice["first"] == "2026-11-29T02:14:05Z"
    assert notice["titles"][0] == {"text": "sshd: brute force", "count": 9990}
    assert notice["techniques"][0]["tactics"] == ["Credential Access"]
    assert notice["observables"][0] == {"kind": "ip", "value": "192.0.2.7", "internal": False}
    assert notice["members"][0]["id"] == ID
    assert notice["members"][0]["severity"] == "critical"


@given(hostile)
def test_any_notice_is_json(notice: Notice) -> None:
    told = json.loads(encode(notice))["notice"]

    assert told["count"] == notice.count
    assert len(encode(notice)) < 60_000


def test_the_signature_is_of_the_time_too() -> None:
    assert signature(SECRET, 1, b"x") != signature(SECRET, 2, b"x")
    assert signature(SECRET, 1, b"x") != signature(b"other", 1, b"x")


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_success_is_one(tls: Trust, status: int) -> None:
    listener = Listener(status=status, body=b"")
    async with listening(listener, tls.server) as port, webhook(port, tls.ca_file) as receiver:
        assert await receiver.send(NOTICE) == Receipt()
    assert len(listener.requests) == 1


@pytest.mark.parametrize(
    ("status", "error", "misconfigured"),
    [
        (301, DownError, True),
        (307, DownError, True),
        (400, RefusedError, None),
        (401, DownError, True),
        (403, DownError, True),
        (404, DownError, True),
        (408, DownError, False),
        (410, DownError, True),
        (413, RefusedError, None),
        (422, RefusedError, None),
        (425, DownError, False),
        (429, DownError, False),
        (500, DownError, False),
        (503, DownError, False),
    ],
)
async def test_what_an_answer_means(
    tls: Trust, status: int, error: type[Exception], misconfigured: object
) -> None:
    listener = Listener(status=status, headers={"Location": "https://localhost:1/"}, body=TOKEN.encode())
    async with listening(listener, tls.server) as port, webhook(port, tls.ca_file) as receiver:
        with pytest.raises(error, match=f"status {status}") as caught:
            await receiver.send(NOTICE)

    assert getattr(caught.value, "misconfigured", None) is misconfigured
    assert len(listener.requests) == 1
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("-5", None),
        ("soon", None),
        ("9" * 400, 86_400.0),
        ("Sun, 29 Nov 2026 02:15:05 GMT", pytest.approx(59.1, abs=0.2)),
        ("Sun, 29 Nov 2020 02:15:05 GMT", 0.0),
    ],
)
async def test_it_says_for_how_long_to_wait(tls: Trust, said: str, seconds: float | None) -> None:
    listener = Listener(status=503, headers={"Retry-After": said})
    async with listening(listener, tls.server) as port, webhook(port, tls.ca_file) as receiver:
        with pytest.raises(DownError) as caught:
            await receiver.send(NOTICE)

    assert caught.value.retry_after == seconds


async def test_an_answer_without_end_is_not_waited_for(tls: Trust) -> None:
    over = asyncio.Event()

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 1000)
        await over.wait()
        writer.close()

    server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls.server)
    async with server, webhook(server.sockets[0].getsockname()[1], tls.ca_file) as receiver:
        async with asyncio.timeout(10):
            assert await receiver.send(NOTICE) == Receipt()
        over.set()


async def test_who_gives_no_answer_is_given_up_in_time(tls: Trust) -> None:
    listener = Listener()
    listener.answering.clear()
    async with listening(listener, tls.server) as port, webhook(port, tls.ca_file, seconds=0.5) as receiver:
        with pytest.raises(DownError, match=r"within 0\.5 s|ReadTimeout") as caught:
            await receiver.send(NOTICE)

    assert not caught.value.misconfigured


async def test_who_answers_a_little_at_a_time_is_given_up_in_time(tls: Trust) -> None:
    """No read takes longer than the limit; together they do."""

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"X-More: x\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0, ssl=tls.server)
    async with (
        server,
        webhook(server.sockets[0].getsockname()[1], tls.ca_file, seconds=0.5) as receiver,
        asyncio.timeout(10),
    ):
        with pytest.raises(DownError, match=r"within 0\.5 s"):
            await receiver.send(NOTICE)


async def test_a_cut_connection_may_work_later_with_the_same_key(tls: Trust) -> None:
    listener = Listener(cut=True)
    async with listening(listener, tls.server) as port, webhook(port, tls.ca_file) as receiver:
        with pytest.raises(DownError, match="cannot be reached") as caught:
            await receiver.send(NOTICE)
        listener.cut = False
        await receiver.send(NOTICE)

    assert not caught.value.misconfigured
    assert len({request.headers["idempotency-key"] for request in listener.requests}) == 1


async def test_nobody_there_may_be_there_later(tls: Trust) -> None:
    async with webhook(1, tls.ca_file) as receiver:
        with pytest.raises(DownError, match="cannot be reached") as caught:
            await receiver.send(NOTICE)

    assert TOKEN not in str(caught.value)


async def test_who_is_not_vouched_for_gets_nothing(tls: Trust, tmp_path: Path) -> None:
    listener = Listener()
    async with listening(listener, tls.server) as port, webhook(port, trust(tmp_path).ca_file) as receiver:
        with pytest.raises(DownError, match="certificate is not trusted") as caught:
            await receiver.send(NOTICE)

    assert caught.value.misconfigured
    assert listener.requests == []


async def test_a_test_is_marked(tls: Trust) -> None:
    listener = Listener(status=202)
    async with listening(listener, tls.server) as port, webhook(port, tls.ca_file) as receiver:
        found = await receiver.test()

    assert found == "ticket system: the other side answered a test with status 202"
    assert json.loads(listener.requests[0].body) == {"version": 1, "test": True}
    assert "socme-signature" in listener.requests[0].headers


async def test_it_is_a_receiver(tls: Trust) -> None:
    async with webhook(1, tls.ca_file) as made:
        receiver: Receiver = made

        assert receiver is made


async def test_a_hostile_group_is_no_header(tls: Trust) -> None:
    listener = Listener()
    async with listening(listener, tls.server) as port, webhook(port, tls.ca_file) as receiver:
        await receiver.send(replace(NOTICE, group="x\r\nX-Evil: 1\ud800é"))

    assert "x-evil" not in listener.requests[0].headers


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"url": f"http://localhost/{TOKEN}"}, "not of HTTPS"),
        ({"url": TOKEN}, "not of HTTPS"),
        ({"url": f"https:///{TOKEN}"}, "not of HTTPS"),
        ({"url": f"https://x:port/{TOKEN}"}, "is none"),
        ({"secret": b""}, "its secret is empty"),
        ({"ca_file": Path("/nowhere/ca.pem")}, "/nowhere/ca.pem cannot be used"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], reason: str) -> None:
    settings = replace(WebhookSettings(url=f"https://x/{TOKEN}", secret=SECRET), **changes)

    with pytest.raises(OperatorError, match=reason) as caught:
        Webhook("ticket system", settings)

    assert str(caught.value).startswith("ticket system: ")
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(settings)
    assert "nobody" not in repr(settings)


async def test_the_address_is_not_in_the_log(tls: Trust) -> None:
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler, root = Lines(logging.DEBUG), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        async with listening(Listener(), tls.server) as port, webhook(port, tls.ca_file) as receiver:
            await receiver.send(NOTICE)
    finally:
        root.removeHandler(handler)
        root.setLevel(before)

    assert TOKEN not in "".join(lines)
