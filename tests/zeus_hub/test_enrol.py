"""Enrolment over real TLS: who gets a certificate, and what everybody else is told."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from socme import spiffe, tls
from socme.identity import utc_now
from socme.spiffe import Role
from socme.v1 import enrollment_pb2
from socme.v1.enrollment_pb2 import EnrollRequest
from tests.zeus_hub.kit import Hub, csr, eventually, hub
from zeus_hub import registry
from zeus_hub.enrol import ADDRESSES, GUESSES, REFILL_SECONDS, Guesses, host
from zeus_hub.hub import ENROLMENTS_AT_ONCE, ENROLMENTS_OF_ONE
from zeus_hub.readable import Handler, Readable
from zeus_hub.tokens import Grant, create_token

pytestmark = pytest.mark.usefixtures("both")

KEY = ec.generate_private_key(ec.SECP256R1())
NODE, DISPLAY = enrollment_pb2.ROLE_NODE, enrollment_pb2.ROLE_DISPLAY
GRANT = Grant(Role.NODE, "acme-1", client="acme")


def _secret(zeus: Hub, *, lifetime: timedelta = timedelta(hours=1)) -> bytes:
    if not registry.list_clients(zeus.engine):
        registry.add_client(zeus.engine, "acme", now=utc_now())
    return create_token(zeus.engine, GRANT, lifetime=lifetime, now=utc_now())[0]


async def _refusal(zeus: Hub, request: EnrollRequest) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await zeus.ask(request)
    return caught.value


async def test_names_come_from_the_token_whatever_the_request_says(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        answer = await zeus.ask(EnrollRequest(secret=_secret(zeus), csr=csr(KEY), role=NODE))
        leaf, issuer = x509.load_pem_x509_certificates(answer.certificate_chain)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        (uri,) = names.get_values_for_type(x509.UniformResourceIdentifier)
        peer = spiffe.parse(uri)

        assert peer is not None
        assert (peer.role, peer.client, peer.name) == (Role.NODE, "acme", "acme-1")
        assert (answer.client, answer.name) == ("acme", "acme-1")
        assert leaf.public_key() == KEY.public_key()
        assert answer.ca_certificate == zeus.ca
        assert issuer == x509.load_pem_x509_certificate(zeus.ca)
        assert answer.expires.ToDatetime(leaf.not_valid_after_utc.tzinfo) == leaf.not_valid_after_utc


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("unknown", "not known here"),
        ("used", "used already"),
        ("expired", "expired"),
        ("disabled", "disabled"),
        ("display", "for another program"),
        ("strange role", "for another program"),
    ],
)
async def test_a_token_that_is_not_good_says_why_and_what_to_do(
    tmp_path: Path, case: str, words: str
) -> None:
    async with hub(tmp_path) as zeus:
        lifetime = timedelta(seconds=-1) if case == "expired" else timedelta(hours=1)
        request = EnrollRequest(secret=_secret(zeus, lifetime=lifetime), csr=csr(KEY), role=NODE)
        if case == "unknown":
            request.secret = b"x" * 16
        if case == "used":
            await zeus.ask(request)
        if case == "disabled":
            registry.disable_client(zeus.engine, "acme")
        if case in {"display", "strange role"}:
            request.role = DISPLAY if case == "display" else 99  # type: ignore[assignment]
        error = await _refusal(zeus, request)

        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert words in str(error.details())
        assert "zeus token create" in str(error.details())


async def test_a_request_without_a_usable_key_leaves_the_token_good(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        secret = _secret(zeus)
        error = await _refusal(zeus, EnrollRequest(secret=secret, csr=b"junk", role=NODE))

        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        answer = await zeus.ask(EnrollRequest(secret=secret, csr=csr(KEY), role=NODE))
        assert answer.name == "acme-1"


async def test_who_guesses_has_to_wait(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        request = EnrollRequest(secret=b"guess", csr=csr(KEY), role=NODE)
        codes = [(await _refusal(zeus, request)).code() for _ in range(GUESSES + 1)]

        assert set(codes[:-1]) == {grpc.StatusCode.PERMISSION_DENIED}
        assert codes[-1] is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_whoever_sends_requests_that_cannot_be_read_has_to_wait_too(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        request = EnrollRequest(secret=b"guess", csr=b"junk", role=NODE)
        codes = [(await _refusal(zeus, request)).code() for _ in range(GUESSES + 1)]

        assert set(codes[:-1]) == {grpc.StatusCode.INVALID_ARGUMENT}
        assert codes[-1] is grpc.StatusCode.RESOURCE_EXHAUSTED


class _Arrivals:
    """Counts the calls that have come in, whatever they say afterwards."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self._real = Readable.intercept_service
        monkeypatch.setattr(Readable, "intercept_service", self._intercept)

    async def _intercept(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        details: grpc.HandlerCallDetails,
    ) -> Handler:
        self.calls += 1
        return await self._real(Readable(), continuation, details)


async def test_calls_that_never_say_what_they_want_do_not_keep_others_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as one connection may have are at the hub; what else it asks for waits on its side."""
    arrivals = _Arrivals(monkeypatch)
    async with hub(tmp_path) as zeus:
        address = zeus.running.listening.enrolment
        credentials = tls.enrolment_channel_credentials(ca=zeus.ca)
        async with grpc.aio.secure_channel(address, credentials, options=tls.CHANNEL_OPTIONS) as channel:
            hang: Any = channel.stream_stream("/socme.v1.Enrollment/Enroll")
            calls = [hang() for _ in range(2 * ENROLMENTS_AT_ONCE)]
            await eventually(lambda: arrivals.calls >= ENROLMENTS_OF_ONE)
            answer = await zeus.ask(EnrollRequest(secret=_secret(zeus), csr=csr(KEY), role=NODE))

            assert answer.name == "acme-1"
            assert arrivals.calls == ENROLMENTS_OF_ONE + 1
            for call in calls:
                call.cancel()


async def test_a_request_of_any_size_is_not_taken(tmp_path: Path) -> None:
    async with hub(tmp_path) as zeus:
        error = await _refusal(zeus, EnrollRequest(secret=b"x", csr=bytes(100_000), role=NODE))

        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.fixture
def guesses() -> Guesses:
    made = Guesses()
    for _ in range(GUESSES):
        made.wrong("a", 0.0)
    return made


def test_guesses_are_counted_for_each_address_and_forgiven_with_time(guesses: Guesses) -> None:
    assert not guesses.allowed("a", 0.0)
    assert guesses.allowed("b", 0.0)
    assert not guesses.allowed("a", REFILL_SECONDS - 0.1)
    assert guesses.allowed("a", REFILL_SECONDS + 0.1)


def test_many_addresses_do_not_fill_the_memory(guesses: Guesses) -> None:
    for number in range(2 * ADDRESSES):
        guesses.wrong(str(number), 1.0)

    assert len(guesses._spent) == ADDRESSES


@pytest.mark.parametrize(
    ("peer", "address"),
    [("ipv4:192.0.2.1:5000", "ipv4:192.0.2.1"), ("ipv6:%5B2001:db8::1%5D:5000", "ipv6:%5B2001:db8::1%5D")],
)
def test_an_address_is_the_same_from_any_port(peer: str, address: str) -> None:
    assert host(peer) == address
