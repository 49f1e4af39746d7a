"""The certificate authority, and what its certificates say."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from socme import spiffe
from socme.errors import OperatorError
from socme.spiffe import Peer, Role
from socme.tls import SERVER_NAME
from tests.zeus_hub.kit import csr
from zeus_hub.ca import AUTHORITY_LIFETIME, RequestError, certify, certify_hub, open_authority, public_key

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    made, opened = open_authority(tmp_path, now=NOW), open_authority(tmp_path, now=NOW + timedelta(days=1))

    assert made.pem == opened.pem
    assert made.fingerprint == opened.fingerprint == made.certificate.fingerprint(hashes.SHA256())
    assert stat.S_IMODE((tmp_path / "ca" / "key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "ca").stat().st_mode) == 0o700
    assert [path.name for path in tmp_path.iterdir()] == ["ca"], "nothing else is left behind"


def test_of_several_first_starts_at_once_one_makes_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: open_authority(tmp_path, now=NOW).pem, range(4)))

    assert len(set(made)) == 1


def test_its_trust_domain_is_a_name_and_its_own(tmp_path: Path) -> None:
    one, two = (open_authority(tmp_path / name, now=NOW).trust_domain for name in ("one", "two"))

    assert spiffe.is_name(one)
    assert one.startswith("socme-")
    assert one != two


def test_a_nodes_certificate_names_it_and_serves_as_a_client_only(tmp_path: Path) -> None:
    authority = open_authority(tmp_path, now=NOW)
    peer = Peer(authority.trust_domain, Role.NODE, "n1", "acme")
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    made = certify(authority, key, peer, now=NOW)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

    assert [spiffe.parse(uri) for uri in names.get_values_for_type(x509.UniformResourceIdentifier)] == [peer]
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert made.public_key() == key
    assert made.not_valid_before_utc <= NOW - timedelta(minutes=4), "a node's clock may be behind"
    assert made.not_valid_after_utc == NOW + timedelta(days=365)
    made.verify_directly_issued_by(authority.certificate)


def test_no_certificate_outlives_the_authority(tmp_path: Path) -> None:
    authority = open_authority(tmp_path, now=NOW)
    late = NOW + AUTHORITY_LIFETIME - timedelta(days=1)
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    made = certify(authority, key, Peer(authority.trust_domain, Role.DISPLAY, "wall"), now=late)

    assert made.not_valid_after_utc == authority.certificate.not_valid_after_utc


def test_the_hubs_certificate_carries_the_name_that_all_ask_for(tmp_path: Path) -> None:
    authority = open_authority(tmp_path, now=NOW)
    _, chain = certify_hub(authority, now=NOW)
    leaf, issuer = x509.load_pem_x509_certificates(chain)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

    assert names.get_values_for_type(x509.DNSName) == [SERVER_NAME]
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert issuer == authority.certificate


def test_a_request_gives_its_key_and_nothing_else() -> None:
    key = ec.generate_private_key(ec.SECP256R1())

    assert public_key(csr(key)) == key.public_key()


def _request(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    hash_ = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hash_).public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (b"", "cannot be read"),
        (b"junk", "cannot be read"),
        (_request(rsa.generate_private_key(65537, 1024)), "RSA with 2048"),
        (_request(ed25519.Ed25519PrivateKey.generate()), "P-256"),
        (_request(ec.generate_private_key(ec.SECP521R1())), "P-256"),
        (csr(ec.generate_private_key(ec.SECP256R1()))[:-1] + b"\x00", "signed|read"),
        (
            _request(ed25519.Ed25519PrivateKey.generate()).replace(b"\x2b\x65\x70", b"\x2b\x65\x01"),
            "cannot be read",
        ),
        (
            csr(ec.generate_private_key(ec.SECP256R1())).replace(b"\x02\x01\x00", b"\x02\x01\x4a", 1),
            "cannot be read",
        ),
    ],
)
def test_a_request_that_cannot_be_used_says_why(request_: bytes, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        public_key(request_)


def test_a_damaged_authority_is_not_replaced_but_complained_of(tmp_path: Path) -> None:
    open_authority(tmp_path, now=NOW)
    (tmp_path / "ca" / "certificate.pem").write_bytes(b"junk")
    with pytest.raises(OperatorError, match=r"cannot be read[^\n]*\n.*backup"):
        open_authority(tmp_path, now=NOW)


def test_a_key_of_another_authority_is_noticed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        open_authority(tmp_path / name, now=NOW)
    (tmp_path / "two" / "ca" / "key.pem").replace(tmp_path / "one" / "ca" / "key.pem")
    with pytest.raises(OperatorError, match="do not belong together"):
        open_authority(tmp_path / "one", now=NOW)


def test_an_expired_authority_says_what_that_means(tmp_path: Path) -> None:
    open_authority(tmp_path, now=NOW)
    with pytest.raises(OperatorError, match=r"expired[^\n]*\n.*enrol again"):
        open_authority(tmp_path, now=NOW + AUTHORITY_LIFETIME)
