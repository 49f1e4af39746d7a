"""Trade a one-time token for a certificate: the client's side, for Artemis and Hermes.

The token carries the fingerprint of the hub's CA. The secret leaves this machine only after the server
has shown a certificate of exactly that CA; the private key never does.
"""

import hashlib
import os
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from socme import VERSION, identity, spiffe, tls
from socme.address import split
from socme.errors import OperatorError
from socme.identity import Identity
from socme.text import clean
from socme.token import decode
from socme.v1 import enrollment_pb2
from socme.v1.enrollment_pb2 import EnrollmentToken, EnrollRequest, EnrollResponse
from socme.v1.enrollment_pb2_grpc import EnrollmentStub

TIMEOUT_SECONDS = 15.0  # for each step: connection, handshake, the hub's answer
_IDENTITY_BYTES = 64 * 1024  # must fit before the token is spent; many times what an identity takes
LONGEST_REASON = 300  # characters of what a hub says
_ASK_AGAIN = "Ask the hub's operator for a new one: zeus token create"
_ROLES = {spiffe.Role.NODE: enrollment_pb2.ROLE_NODE, spiffe.Role.DISPLAY: enrollment_pb2.ROLE_DISPLAY}
_OWNERS = {
    enrollment_pb2.ROLE_NODE: "a node: artemis enroll",
    enrollment_pb2.ROLE_DISPLAY: "a screen: hermes enroll",
}


def enrol(
    line: str, *, role: spiffe.Role, state_dir: Path, program: str, force: bool, now: datetime
) -> Identity:
    """Spend the token that a person pasted; save and return the identity that it gave.

    Everything that can be refused without the hub is refused before the token is spent. `program` is
    "artemis" or "hermes", for the messages. A valid identity is replaced only with `force`.
    """
    token = decode(line)
    _check_token(token, role, now)
    if not force:
        _check_absent(state_dir, program, now)
    _check_writable(state_dir)
    ca = _authority(token)
    key = ec.generate_private_key(ec.SECP256R1())
    answer = _spend(token, role, key, ca)
    fresh = _identity(answer, token, role, key, ca)
    _save(state_dir, fresh)
    _give_to_owner(state_dir)
    return fresh


def _check_token(token: EnrollmentToken, role: spiffe.Role, now: datetime) -> None:
    if token.role != _ROLES[role]:
        owner = _OWNERS.get(token.role, "another program")
        raise OperatorError(f"this token is for {owner}", "Paste it there, or ask for one of the right kind.")
    for address in (token.enrollment_address, token.hub_address):
        split_address(address)
    try:
        expires = token.expires.ToDatetime(UTC)
    except ValueError as error:
        raise OperatorError("the token says no time until which it is good", _ASK_AGAIN) from error
    if token.HasField("expires") and expires <= now:
        raise OperatorError(f"the token expired on {expires:%Y-%m-%d at %H:%M} UTC", _ASK_AGAIN)


def _check_absent(state_dir: Path, program: str, now: datetime) -> None:
    try:
        present = identity.load(state_dir, now=now, command=f"{program} enroll TOKEN")
    except OperatorError:  # none, or none that is any good
        return
    whose = f"{present.client}/{present.name}" if present.client else present.name
    raise OperatorError(
        f"this machine is enrolled already as {whose} (until {present.expires:%Y-%m-%d})",
        f"To replace that identity: {program} enroll --force TOKEN",
    )


def _check_writable(state_dir: Path) -> None:
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = state_dir / "identity.probe"
        try:
            probe.write_bytes(bytes(_IDENTITY_BYTES))  # a full disk takes an empty file
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise OperatorError(
            f"cannot write to the state folder {state_dir}: {error.strerror}",
            "Run this as the user that owns the folder (root, at first), or set state_dir to another.",
        ) from error


def _save(state_dir: Path, fresh: Identity) -> None:
    try:
        identity.save(state_dir, fresh)
    except OSError as error:
        raise OperatorError(
            f"the identity cannot be saved in {state_dir}: {error.strerror}; the token is spent",
            f"Mend that. {_ASK_AGAIN}",
        ) from error


def _give_to_owner(state_dir: Path) -> None:
    """Let the daemon's user read an identity that root has fetched for it."""
    owner = state_dir.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        place = identity.folder(state_dir)
        for path in (place, *place.iterdir()):
            os.chown(path, owner.st_uid, owner.st_gid)


def _authority(token: EnrollmentToken) -> bytes:
    """Return the CA's certificate, PEM: the one shown by the server that has the token's fingerprint."""
    for certificate in _shown_chain(token.enrollment_address):
        if hashlib.sha256(certificate).digest() == token.ca_sha256:
            return ssl.DER_cert_to_PEM_cert(certificate).encode()
    raise OperatorError(
        f"{token.enrollment_address} is not the hub that made the token: its certificate is of another CA",
        "Check the address with the hub's operator. If it is right, someone may be in between: do not go on.",
    )


def _shown_chain(address: str) -> list[bytes]:
    """Return the certificates that a server shows, DER, unverified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection(split_address(address), timeout=TIMEOUT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=tls.SERVER_NAME) as secure,
        ):
            return _chain(secure)
    except ssl.SSLError as error:
        raise OperatorError(
            f"{address} answers, but not with TLS: {error.reason or error}",
            "Check the address with the hub's operator.",
        ) from error
    except OSError as error:
        raise OperatorError(
            f"cannot reach the hub at {address}: {explain(error)}",
            "Check that the hub runs (zeus serve), that the address is right, and the firewalls in between.",
        ) from error


def _chain(secure: ssl.SSLSocket) -> list[bytes]:
    # Python 3.13 has it on the socket, as DER; before, it is one step further in.
    public = getattr(secure, "get_unverified_chain", None)
    if public is not None:
        return list(public())
    inner = secure._sslobj  # type: ignore[attr-defined]  # noqa: SLF001
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in inner.get_unverified_chain() or ()]


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of an address that somebody else wrote; raise OperatorError where it is none."""
    try:
        return split(address)
    except ValueError as error:
        raise OperatorError(
            f"{address!r:.300} is not an address of the form host:port", "Correct it."
        ) from error


def explain(error: OSError) -> str:
    """Return in a few words why a connection failed."""
    if isinstance(error, socket.gaierror):
        return "the host name is not known"
    if isinstance(error, TimeoutError):
        return "no answer"
    return (error.strerror or str(error)).lower()


def _spend(
    token: EnrollmentToken, role: spiffe.Role, key: ec.EllipticCurvePrivateKey, ca: bytes
) -> EnrollResponse:
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    request = EnrollRequest(
        secret=token.secret,
        csr=csr.public_bytes(serialization.Encoding.DER),
        role=_ROLES[role],
        version=VERSION,
    )
    credentials = tls.enrolment_channel_credentials(ca=ca)
    with grpc.secure_channel(token.enrollment_address, credentials, options=tls.CHANNEL_OPTIONS) as channel:
        try:
            return EnrollmentStub(channel).Enroll(request, timeout=TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            raise _refusal(error, token.enrollment_address) from error


def _refusal(error: grpc.RpcError, address: str) -> OperatorError:
    assert isinstance(error, grpc.Call)  # noqa: S101 - what an invocation raises is both
    details = clean(error.details() or "no reason given", LONGEST_REASON)
    if error.code() is grpc.StatusCode.PERMISSION_DENIED:
        return OperatorError(f"the hub refused the token: {details}", _ASK_AGAIN)
    return OperatorError(
        f"enrolment at {address} failed: {error.code().name}: {details}",
        "The token may be spent now. Look into the hub's log; then ask for a new token.",
    )


def _identity(
    answer: EnrollResponse,
    token: EnrollmentToken,
    role: spiffe.Role,
    key: ec.EllipticCurvePrivateKey,
    ca: bytes,
) -> Identity:
    """Return what the hub gave, once it is what was asked for."""
    try:
        certificate = x509.load_pem_x509_certificate(answer.certificate_chain)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    except (ValueError, x509.ExtensionNotFound) as error:
        raise _nonsense(f"no usable certificate ({error})") from error
    if certificate.public_key() != key.public_key():
        raise _nonsense("a certificate for another key")
    peers = [spiffe.parse(uri) for uri in uris]
    if not any(
        peer and (peer.role, peer.name, peer.client) == (role, answer.name, answer.client) for peer in peers
    ):
        raise _nonsense("a certificate for another name")
    return Identity(
        key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        chain=answer.certificate_chain,
        ca=ca,
        role=role.value,
        client=answer.client,
        name=answer.name,
        hub_address=token.hub_address,
        expires=certificate.not_valid_after_utc,
    )


def _nonsense(what: str) -> OperatorError:
    return OperatorError(
        f"the hub answered with {what}", "Report this to the hub's operator; nothing was saved."
    )
