"""The hub's own certificate authority: made at the first start, trusted by its nodes and screens alone.

It lies in `<state_dir>/ca/`, a folder that is written whole and renamed into place. Its trust domain is
fixed when it is made: "socme-" and 8 hexadecimal digits of its public key's SHA-256.
"""

import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from socme import identity, spiffe
from socme.errors import OperatorError
from socme.spiffe import Peer, Role
from socme.tls import SERVER_NAME

AUTHORITY_LIFETIME = timedelta(days=3652)
PEER_LIFETIME = timedelta(days=365)  # of nodes and displays
HUB_LIFETIME = timedelta(days=730)  # the hub makes itself a new certificate at each start
BACKDATE = timedelta(minutes=5)  # for peers whose clock is behind
LEAST_RSA_BITS = 2048

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class RequestError(ValueError):
    """A certificate signing request that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Authority:
    """An opened CA."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    trust_domain: str

    @property
    def pem(self) -> bytes:
        """The CA's certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the CA's certificate in DER, as enrolment tokens carry it."""
        return self.certificate.fingerprint(hashes.SHA256())


def open_authority(state_dir: Path, *, now: datetime) -> Authority:
    """Open the CA; make it where there is none."""
    folder = state_dir / "ca"
    if not folder.exists():
        _create(folder, now)
    try:
        key = serialization.load_pem_private_key((folder / "key.pem").read_bytes(), password=None)
        certificate = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
        domain = _domain(certificate)
    except (OSError, ValueError, x509.ExtensionNotFound) as error:
        raise OperatorError(
            f"the certificate authority in {folder} cannot be read: {error}",
            "Run this as the user that owns it, or restore the folder from a backup.",
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise OperatorError(
            f"key and certificate in {folder} do not belong together", "Restore the folder from a backup."
        )
    if certificate.not_valid_after_utc <= now:
        raise OperatorError(
            f"the certificate authority in {folder} expired on {certificate.not_valid_after_utc:%Y-%m-%d}",
            "Move the folder away to begin anew; then every node and screen has to enrol again.",
        )
    return Authority(key, certificate, domain)


def public_key(csr: bytes) -> PublicKey:
    """Return the public key of a signing request (PKCS#10, DER); nothing else in it counts."""
    try:
        request = x509.load_der_x509_csr(csr)
        signed = request.is_signature_valid
        key = request.public_key()
    except (ValueError, TypeError, x509.InvalidVersion, InvalidSignature, UnsupportedAlgorithm) as error:
        raise RequestError(f"the signing request cannot be read: {error}") from error
    if not signed:
        raise RequestError("the signing request is not signed with its own key")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        return key
    raise RequestError("the key must be ECDSA P-256 or P-384, or RSA with 2048 bits or more")


def certify(
    authority: Authority, key: PublicKey, peer: Peer, *, now: datetime, lifetime: timedelta = PEER_LIFETIME
) -> x509.Certificate:
    """Return a certificate for a client of ours: a node, a display or an operator."""
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(spiffe.uri(peer))]
    return _sign(authority, _leaf(authority, key, peer, names, usage), now=now, lifetime=lifetime)


def certify_hub(authority: Authority, *, now: datetime) -> tuple[bytes, bytes]:
    """Return a new key of the hub and its certificate with the CA's, both PEM; they are kept nowhere."""
    key = ec.generate_private_key(ec.SECP256R1())
    peer = Peer(authority.trust_domain, Role.HUB, "zeus")
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    names: list[x509.GeneralName] = [
        x509.DNSName(SERVER_NAME),
        x509.UniformResourceIdentifier(spiffe.uri(peer)),
    ]
    leaf = _leaf(authority, key.public_key(), peer, names, usage)
    certificate = _sign(authority, leaf, now=now, lifetime=HUB_LIFETIME)
    return private_pem(key), certificate.public_bytes(serialization.Encoding.PEM) + authority.pem


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key in PEM, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _leaf(
    authority: Authority,
    key: PublicKey,
    peer: Peer,
    names: list[x509.GeneralName],
    usage: x509.ExtendedKeyUsage,
) -> x509.CertificateBuilder:
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, peer.name)]
    if peer.client:
        subject.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, peer.client))
    issuer = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .public_key(key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(usage, critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
    )


def _sign(
    authority: Authority, builder: x509.CertificateBuilder, *, now: datetime, lifetime: timedelta
) -> x509.Certificate:
    ends = min(now + lifetime, authority.certificate.not_valid_after_utc)
    return (
        builder.issuer_name(authority.certificate.subject)
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - BACKDATE, authority.certificate.not_valid_before_utc))
        .not_valid_after(ends)
        .sign(authority.key, hashes.SHA256())
    )


def _create(folder: Path, now: datetime) -> None:
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _self_signed(key, now).public_bytes(serialization.Encoding.PEM)
    fresh = Path(tempfile.mkdtemp(prefix="ca.new.", dir=folder.parent))
    try:
        identity.write(fresh / "key.pem", private_pem(key))
        identity.write(fresh / "certificate.pem", certificate)
        with suppress(OSError):  # another process was quicker: its CA is the one
            fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    identity.sync(folder.parent)


def _self_signed(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    digest = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    domain = f"socme-{_key_hash(key.public_key())}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{domain} CA")])
    uri = x509.UniformResourceIdentifier(f"spiffe://{domain}")
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectAlternativeName([uri]), critical=False)
        .add_extension(digest, critical=False)
        .sign(key, hashes.SHA256())
    )


def _key_hash(key: ec.EllipticCurvePublicKey) -> str:
    plain = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(plain)
    return digest.finalize().hex()[:8]


def _domain(certificate: x509.Certificate) -> str:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1 or not uris[0].startswith("spiffe://"):
        raise ValueError("the certificate names no trust domain")
    return uris[0].removeprefix("spiffe://")


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
