"""A CA of the tests' own, and certificates as the hub would give them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from socme.identity import Identity
from socme.spiffe import Peer, Role, uri
from socme.tls import SERVER_NAME

TRUST_DOMAIN = "socme-test"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A key and the certificate for it."""

    key: bytes
    """PEM."""
    chain: bytes
    """The certificate, then the CA's, PEM."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        """The CA's certificate, PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def sha256(self) -> bytes:
        """What an enrolment token carries."""
        return self.certificate.fingerprint(hashes.SHA256())

    def sign(
        self,
        public_key: ec.EllipticCurvePublicKey,
        name: x509.GeneralName,
        *,
        days: float = 30.0,
        now: datetime | None = None,
    ) -> bytes:
        """Return a certificate for a key and a subject alternative name, PEM, with the CA's behind it."""
        moment = now or datetime.now(UTC)
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if isinstance(name, x509.DNSName):
            usages = [ExtendedKeyUsageOID.SERVER_AUTH]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.certificate.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment - timedelta(days=1))
            .not_valid_after(moment + timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([name]), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM) + self.pem

    def server(self) -> Leaf:
        """Return a key and certificate for the hub."""
        key = ec.generate_private_key(ec.SECP256R1())
        return Leaf(_pem(key), self.sign(key.public_key(), x509.DNSName(SERVER_NAME)))

    def leaf(self, peer: Peer, *, days: float = 30.0) -> Leaf:
        """Return a key and certificate for a peer."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.UniformResourceIdentifier(uri(peer))
        return Leaf(_pem(key), self.sign(key.public_key(), name, days=days))

    def node(self, hub_address: str, *, client: str = "acme", name: str = "acme-1") -> Identity:
        """Return the identity of a node."""
        leaf = self.leaf(Peer(TRUST_DOMAIN, Role.NODE, name, client))
        return Identity(
            key=leaf.key,
            chain=leaf.chain,
            ca=self.pem,
            role=Role.NODE.value,
            client=client,
            name=name,
            hub_address=hub_address,
            expires=datetime.now(UTC) + timedelta(days=30),
        )


def make_authority() -> Authority:
    """Make a new certificate authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "SOCme test CA")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://{TRUST_DOMAIN}")]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    return Authority(key, certificate)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
