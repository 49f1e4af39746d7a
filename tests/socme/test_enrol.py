"""Enrolment against a real server: what a token buys, and everything that is refused before and after."""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from socme import enrol, identity, tls
from socme.enrol import split_address
from socme.errors import OperatorError
from socme.spiffe import Peer, Role, uri
from socme.token import encode
from socme.v1.enrollment_pb2 import EnrollmentToken, EnrollRequest, EnrollResponse
from socme.v1.enrollment_pb2 import Role as TokenRole
from socme.v1.enrollment_pb2_grpc import EnrollmentServicer, add_EnrollmentServicer_to_server
from tests.certificates import TRUST_DOMAIN, Authority, make_authority

NOW = datetime.now(UTC)
SECRET = bytes(range(16))
ACME_1 = Peer(TRUST_DOMAIN, Role.NODE, "acme-1", "acme")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority()


@dataclass
class Hub(EnrollmentServicer):
    """Signs what it is asked to, or misbehaves."""

    authority: Authority
    requests: list[EnrollRequest] = field(default_factory=list)
    refusal: tuple[grpc.StatusCode, str] | None = None
    peer: Peer = ACME_1
    own_key: bool = False
    """Certify a key of its own instead of the caller's."""
    chain: bytes | None = None

    def Enroll(  # noqa: N802 - gRPC's name
        self, request: EnrollRequest, context: grpc.ServicerContext
    ) -> EnrollResponse:
        """Answer as prepared."""
        self.requests.append(request)
        if self.refusal:
            context.abort(*self.refusal)
        csr = x509.load_der_x509_csr(request.csr)
        key = ec.generate_private_key(ec.SECP256R1()).public_key() if self.own_key else csr.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        chain = self.authority.sign(key, x509.UniformResourceIdentifier(uri(self.peer)))
        return EnrollResponse(
            certificate_chain=chain if self.chain is None else self.chain,
            ca_certificate=self.authority.pem,
            client="acme",
            name="acme-1",
        )


@contextmanager
def serving(hub: Hub, authority: Authority) -> Iterator[str]:
    """Serve enrolment with a certificate of an authority; yield the address."""
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads, options=tls.SERVER_OPTIONS)
        add_EnrollmentServicer_to_server(hub, server)
        leaf = authority.server()
        credentials = tls.enrolment_server_credentials(key=leaf.key, chain=leaf.chain)
        port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(None).wait()


@pytest.fixture
def hub(authority: Authority) -> Hub:
    return Hub(authority)


@pytest.fixture
def address(hub: Hub, authority: Authority) -> Iterator[str]:
    with serving(hub, authority) as bound:
        yield bound


def make_token(
    address: str,
    authority: Authority,
    *,
    role: TokenRole.ValueType = TokenRole.ROLE_NODE,
    expires: datetime = NOW + timedelta(hours=1),
) -> str:
    token = EnrollmentToken(
        enrollment_address=address,
        hub_address="hub.example:8443",
        ca_sha256=authority.sha256,
        secret=SECRET,
        role=role,
    )
    token.expires.FromDatetime(expires)
    return encode(token)


def enrol_node(line: str, state_dir: Path, *, force: bool = False) -> identity.Identity:
    return enrol.enrol(
        line, role=Role.NODE, state_dir=state_dir, program="artemis", force=force, now=datetime.now(UTC)
    )


def test_a_token_buys_an_identity(hub: Hub, address: str, authority: Authority, tmp_path: Path) -> None:
    """It is saved, good for the hub of the token, and its key was made here."""
    state_dir = tmp_path / "state"

    made = enrol_node(make_token(address, authority), state_dir)

    assert identity.load(state_dir, now=NOW, command="") == made
    assert (made.role, made.client, made.name) == ("node", "acme", "acme-1")
    assert made.hub_address == "hub.example:8443"
    assert made.ca == authority.pem
    key = serialization.load_pem_private_key(made.key, None)
    certificate = x509.load_pem_x509_certificate(made.chain)
    assert key.public_key() == certificate.public_key()
    assert made.expires == certificate.not_valid_after_utc
    (request,) = hub.requests
    assert request.secret == SECRET
    assert request.role == TokenRole.ROLE_NODE
    assert made.key not in request.csr
    assert (state_dir / "identity" / "key.pem").stat().st_mode & 0o777 == 0o600


def test_another_ca_is_refused_before_the_secret_is_told(hub: Hub, address: str, tmp_path: Path) -> None:
    """Someone else listens at the hub's address."""
    with pytest.raises(OperatorError, match="not the hub that made the token") as refusal:
        enrol_node(make_token(address, make_authority()), tmp_path)

    assert address in str(refusal.value)
    assert hub.requests == []
    assert not identity.folder(tmp_path).exists()


def test_a_certificate_of_the_ca_without_the_hubs_name_is_refused(
    authority: Authority, tmp_path: Path
) -> None:
    """A node of the same hub cannot play the hub: it shows the right CA and still gets no secret."""
    hub = Hub(authority)
    leaf = authority.leaf(Peer(TRUST_DOMAIN, Role.NODE, "evil", "acme"))
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads, options=tls.SERVER_OPTIONS)
        add_EnrollmentServicer_to_server(hub, server)
        credentials = tls.enrolment_server_credentials(key=leaf.key, chain=leaf.chain)
        port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()

        with pytest.raises(OperatorError, match="UNAVAILABLE"):
            enrol_node(make_token(f"127.0.0.1:{port}", authority), tmp_path)

        server.stop(None).wait()
    assert hub.requests == []


def test_what_the_hub_says_of_a_token_is_told(
    hub: Hub, address: str, authority: Authority, tmp_path: Path
) -> None:
    """Used, unknown and expired tokens: the hub knows which; nothing of its text reaches the terminal raw."""
    hub.refusal = grpc.StatusCode.PERMISSION_DENIED, "this token was used\x1b[2J already"

    with pytest.raises(
        OperatorError, match=r"refused the token: this token was used.\[2J already"
    ) as refusal:
        enrol_node(make_token(address, authority), tmp_path)

    assert "\x1b" not in str(refusal.value)
    assert "zeus token create" in refusal.value.mend


def test_other_failures_name_the_code(hub: Hub, address: str, authority: Authority, tmp_path: Path) -> None:
    hub.refusal = grpc.StatusCode.INTERNAL, "disk full"

    with pytest.raises(OperatorError, match="INTERNAL: disk full"):
        enrol_node(make_token(address, authority), tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"own_key": True}, "another key"),
        ({"peer": Peer(TRUST_DOMAIN, Role.NODE, "acme-2", "acme")}, "another name"),
        ({"peer": Peer(TRUST_DOMAIN, Role.NODE, "acme-1", "globex")}, "another name"),
        ({"peer": Peer(TRUST_DOMAIN, Role.DISPLAY, "acme-1")}, "another name"),
        ({"chain": b""}, "no usable certificate"),
        (
            {"chain": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
            "no usable certificate",
        ),
    ],
)
def test_nonsense_from_the_hub_is_not_saved(
    authority: Authority, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    hub = Hub(authority, **change)  # type: ignore[arg-type]
    with serving(hub, authority) as address, pytest.raises(OperatorError, match=message):
        enrol_node(make_token(address, authority), tmp_path)

    assert not identity.folder(tmp_path).exists()


def test_a_valid_identity_is_not_replaced_without_force(
    hub: Hub, address: str, authority: Authority, tmp_path: Path
) -> None:
    """And the token is not spent; with force it is replaced; an expired one is replaced anyway."""
    line = make_token(address, authority)
    first = enrol_node(line, tmp_path)

    with pytest.raises(OperatorError, match="enrolled already as acme/acme-1") as refusal:
        enrol_node(line, tmp_path)
    assert "artemis enroll --force" in refusal.value.mend
    assert len(hub.requests) == 1

    assert enrol_node(line, tmp_path, force=True).key != first.key
    late = first.expires + timedelta(days=1)
    later = make_token(address, authority, expires=late + timedelta(days=1))
    enrol.enrol(later, role=Role.NODE, state_dir=tmp_path, program="artemis", force=False, now=late)
    assert len(hub.requests) == 3


def test_tokens_of_others_are_refused_here(authority: Authority, tmp_path: Path) -> None:
    """No connection is made for them: nobody listens at the address."""
    for role, words in (
        (TokenRole.ROLE_DISPLAY, "hermes enroll"),
        (TokenRole.ROLE_OPERATOR, "another program"),
    ):
        with pytest.raises(OperatorError, match=words):
            enrol_node(make_token("127.0.0.1:1", authority, role=role), tmp_path)


def test_an_expired_token_is_refused_here(authority: Authority, tmp_path: Path) -> None:
    line = make_token("127.0.0.1:1", authority, expires=NOW - timedelta(seconds=1))

    with pytest.raises(OperatorError, match="expired on"):
        enrol_node(line, tmp_path)


def test_a_hub_that_is_down(authority: Authority, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"

    with pytest.raises(
        OperatorError, match=f"cannot reach the hub at {address}: connection refused"
    ) as refusal:
        enrol_node(make_token(address, authority), tmp_path)

    assert "zeus serve" in refusal.value.mend


def test_a_host_that_nobody_knows(authority: Authority, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="the host name is not known"):
        enrol_node(make_token("no-such-host.invalid:8444", authority), tmp_path)


def test_something_else_listens(authority: Authority, tmp_path: Path) -> None:
    """A web server without TLS, for one."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(OperatorError, match="answers, but not with TLS"):
            enrol_node(make_token(address, authority), tmp_path)
        thread.join()


def test_a_state_folder_that_cannot_be_written_costs_no_token(
    hub: Hub, address: str, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OperatorError, match="cannot write to the state folder"):
        enrol_node(make_token(address, authority), tmp_path / "file" / "state")

    assert hub.requests == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root enrols for another user")
def test_root_enrols_for_the_daemons_user(
    hub: Hub, address: str, authority: Authority, tmp_path: Path
) -> None:
    """The identity belongs to whoever owns the state folder, or the daemon could not read it."""
    os.chown(tmp_path, 12345, 12345)

    enrol_node(make_token(address, authority), tmp_path)

    place = identity.folder(tmp_path)
    assert {path.stat().st_uid for path in (place, *place.iterdir())} == {12345}


@pytest.mark.parametrize(
    ("address", "parts"),
    [("hub:1", ("hub", 1)), ("127.0.0.1:8443", ("127.0.0.1", 8443)), ("[::1]:8443", ("::1", 8443))],
)
def test_addresses(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


@pytest.mark.parametrize("address", ["", "hub", "hub:", ":8443", "hub:https"])
def test_bad_addresses(address: str) -> None:
    with pytest.raises(OperatorError, match="host:port"):
        split_address(address)


@pytest.mark.parametrize("address", ["a..b:443", "\x1b[2Jhub:443", "hub:99999", "hub"])
def test_a_token_with_a_bad_address_is_refused_here(
    authority: Authority, tmp_path: Path, address: str
) -> None:
    """Without a traceback, and without its control characters."""
    with pytest.raises(OperatorError, match="is not an address") as refused:
        enrol_node(make_token(address, authority), tmp_path)
    assert "\x1b" not in str(refused.value)


def test_a_token_with_an_impossible_time_is_refused_here(authority: Authority, tmp_path: Path) -> None:
    token = EnrollmentToken(
        role=TokenRole.ROLE_NODE, enrollment_address="hub:1", hub_address="hub:2", ca_sha256=authority.sha256
    )
    token.expires.seconds = 2**62

    with pytest.raises(OperatorError, match="no time until which it is good"):
        enrol_node(encode(token), tmp_path)


def test_a_full_disk_costs_no_token(
    hub: Hub, address: str, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty file fits where an identity does not."""

    def full(_path: Path, _content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OperatorError, match="No space left"):
        enrol_node(make_token(address, authority), tmp_path)
    assert not hub.requests


def test_an_identity_that_cannot_be_saved_is_told(
    address: str, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_state_dir: Path, _identity: identity.Identity) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(identity, "save", full)
    with pytest.raises(OperatorError, match="the token is spent"):
        enrol_node(make_token(address, authority), tmp_path)
