"""Requests to TheHive: spaced, limited, and judged by what comes back."""

import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from socme.errors import OperatorError
from tests.certificates import make_authority
from tests.zeus_hub.receivers.thehive.connected import outlasted, settings
from tests.zeus_hub.receivers.thehive.hive import KEY, Reply
from tests.zeus_hub.receivers.thehive.thehive_server import Fault, Server, Way, serving
from zeus_hub.receivers.contract import DownError
from zeus_hub.receivers.thehive import line as line_module
from zeus_hub.receivers.thehive.line import Answer, Line

STATUS = "/api/v1/status"


@asynccontextmanager
async def lined(**changes: object) -> AsyncIterator[tuple[Server, Line]]:
    async with serving() as server:
        line = Line(settings(server.url, **changes))
        try:
            yield server, line
        finally:
            await line.close()


async def _failure(line: Line) -> DownError:
    with pytest.raises(DownError) as caught:
        await line.ask("GET", STATUS)
    return caught.value


async def test_a_request_says_who_asks_and_for_which_organisation() -> None:
    async with lined() as (server, line):
        answer = await line.ask("POST", "/api/v1/query", {"query": []}, organisation="acme")
        stranger = await line.ask("GET", STATUS, known=False)

    assert (answer.status, stranger.status) == (400, 401)
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert server.requests[0].headers["x-organisation"] == "acme"
    assert server.requests[0].headers["content-type"] == "application/json"
    assert "authorization" not in server.requests[1].headers


async def test_an_organisation_may_have_accents() -> None:
    async with serving() as server:
        server.hive.memberships["Société"] = frozenset()
        line = Line(settings(server.url))
        answer = await line.ask("GET", "/api/v1/user/current", organisation="Société")
        await line.close()

    assert answer.told()["organisation"] == "Société"


async def test_requests_begin_no_closer_together_than_they_may() -> None:
    now = [100.0]
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    async with serving() as server:
        line = Line(settings(server.url, pause_seconds=0.5), lambda: now[0], sleep)
        for took in (0.0, 0.25, 2.0, 0.0):
            await line.ask("GET", STATUS)
            now[0] += took
        await line.close()

    assert pauses == [0.5, 0.25]


@pytest.mark.parametrize("way", ["hang", "drip"])
async def test_an_answer_that_does_not_end_is_given_up(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    async with lined() as (server, line):
        fault = Fault(way)
        server.faults.append(fault)

        error = await outlasted(line.ask("GET", STATUS), fault, monkeypatch)

        assert str(error) == "TheHive did not answer within 20 seconds"
        assert (await line.ask("GET", STATUS)).good


async def test_an_answer_that_grows_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_module, "MOST_BYTES", 1_000_000)
    async with lined() as (server, line):
        server.faults.append(Fault("flood"))

        assert "more than 1000000 bytes" in str(await _failure(line))
        assert (await line.ask("GET", STATUS)).good


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"{}," * 2_000_000 + b"{}]",
        b"[" + b"1," * 250_000 + b"1]",
        b"[" * 300_000,
        b'["\\\\",' + b'"",' * 600_000 + b'""]',
        b'"' * 3_000_000 + b"," * 250_000,
    ],
)
async def test_an_answer_with_more_values_than_a_page_has_is_not_read(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take some hundred bytes of memory for each, and block all else."""
    monkeypatch.setattr(Answer, "told", lambda _: pytest.fail("it was read"))
    async with lined() as (server, line):
        server.faults.append(Fault("answer", reply=Reply(200, body)))

        error = await _failure(line)

    assert (str(error), error.misconfigured) == ("TheHive answers with more than 250000 values", False)


async def test_texts_may_hold_what_they_like() -> None:
    """As observables that an attacker chose: 500 of 4096 characters."""
    text = ',[{"\\,' * 680
    rows = [{"dataType": "other", "data": text, "message": "\\"}] * 500
    async with lined() as (server, line):
        server.faults.append(Fault("answer", reply=Reply(200, rows)))

        assert (await line.ask("GET", STATUS)).told() == rows


async def test_a_connection_that_is_cut_is_no_answer() -> None:
    async with lined() as (server, line):
        server.faults.append(Fault("cut"))
        error = await _failure(line)

    assert "cannot be reached" in str(error)
    assert not error.misconfigured


async def test_nobody_there_is_no_answer() -> None:
    async with serving() as server:
        url = server.url
    line = Line(settings(url))
    error = await _failure(line)
    await line.close()

    assert re.match("TheHive cannot be reached: .*connect", str(error))
    assert (error.misconfigured, error.retry_after) == (False, None)


async def test_a_redirect_is_not_followed_with_the_key() -> None:
    async with lined() as (server, line), serving() as other:
        server.faults.append(Fault("answer", reply=Reply(307, b"", {"Location": f"{other.url}/"})))
        error = await _failure(line)

    assert error.misconfigured
    assert other.requests == []


async def test_proxies_of_the_environment_do_not_see_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async with lined() as (_, line), serving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        again = Line(settings(line._settings.url))

        assert (await again.ask("GET", STATUS)).good
        assert proxy.requests == []
        await again.close()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("", None),
        ("soon", None),
        ("Sun, 01 Mar 2099 11:00:30 GMT", 3600.0),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
    ],
)
async def test_it_is_asked_again_when_thehive_says(header: str, seconds: float | None) -> None:
    async with lined() as (server, line):
        server.faults.append(Fault("answer", reply=Reply(429, b"", {"Retry-After": header})))
        error = await _failure(line)

    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            b'{"type":"BadRequest","message":"no\\nway \\u001b[31m"}',
            "HTTP 400, BadRequest: no way \ufffd[31m",
        ),
        (b'{"type":"BadRequest","message":["x"]}', "HTTP 400"),
        (b'{"type":7,"message":"x"}', "HTTP 400"),
        (b"<html>https://evil.example</html>", "HTTP 400"),
        (b"[" * 100_000, "HTTP 400"),
        (b"", "HTTP 400"),
    ],
)
def test_an_error_is_told_in_thehive_s_words_or_in_none(body: bytes, reason: str) -> None:
    assert Answer(400, body).reason == reason


def test_a_reason_is_short() -> None:
    body = b'{"type":"BadRequest","message":"' + b"x" * 100_000 + b'"}'

    assert len(Answer(400, body).reason) == line_module.LONGEST_REASON


def _certified(folder: Path, name: x509.GeneralName) -> tuple[ssl.SSLContext, Path]:
    """Return a server's side of TLS for a name, and who vouches for it."""
    authority = make_authority()
    key = ec.generate_private_key(ec.SECP256R1())
    chain, ca, secret = folder / "chain.pem", folder / "ca.pem", folder / "key.pem"
    chain.write_bytes(authority.sign(key.public_key(), x509.DNSName("hive.example")))
    if not isinstance(name, x509.DNSName):
        chain.write_bytes(_for_address(authority.key, authority.certificate, key.public_key(), name))
    ca.write_bytes(authority.pem)
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, secret)
    return context, ca


def _for_address(
    signer: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate,
    key: ec.EllipticCurvePublicKey,
    name: x509.GeneralName,
) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=True)
        .sign(signer, SHA256())
    )
    return made.public_bytes(Encoding.PEM)


async def test_a_certificate_is_trusted_by_who_made_it_and_by_its_name(tmp_path: Path) -> None:
    context, ca = _certified(tmp_path, x509.IPAddress(IPv4Address("127.0.0.1")))
    async with serving(tls=context) as server:
        trusting, strange = Line(settings(server.url, ca_file=ca)), Line(settings(server.url))
        plain = Line(settings(server.url.replace("https", "http")))

        assert (await trusting.ask("GET", STATUS)).good
        error = await _failure(strange)
        assert error.misconfigured
        assert re.search("certificate of TheHive is not trusted .*: set ca_file", str(error))
        assert "cannot be reached" in str(await _failure(plain))
        for line in (trusting, strange, plain):
            await line.close()


async def test_a_certificate_for_another_name_is_not_trusted(tmp_path: Path) -> None:
    context, ca = _certified(tmp_path, x509.DNSName("hive.example"))
    async with serving(tls=context) as server:
        line = Line(settings(server.url, ca_file=ca))
        error = await _failure(line)
        await line.close()

    assert error.misconfigured
    assert "not trusted" in str(error)


async def test_tls_that_is_none_is_named() -> None:
    async with serving() as server:
        line = Line(settings(server.url.replace("http", "https")))
        error = await _failure(line)
        await line.close()

    assert error.misconfigured
    assert "speaks no TLS" in str(error)


def test_a_file_that_holds_no_certificates_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for path in (tmp_path / "absent.pem", tmp_path / "ca.pem"):
        with pytest.raises(OperatorError, match=path.name):
            Line(settings(ca_file=path))
