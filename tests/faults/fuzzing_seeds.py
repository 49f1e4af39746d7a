"""What fuzzing begins with: for each target a few inputs as they ought to be."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from socme import token
from socme.spiffe import Peer, Role
from socme.v1.enrollment_pb2 import EnrollmentToken, EnrollRequest
from socme.v1.uplink_pb2 import AlertBatch, Hello, NodeMessage
from socme.v1.vitals_pb2 import Vitals
from socme.v1.watch_pb2 import WatchRequest
from tests.certificates import make_authority

DATA = Path(__file__).resolve().parents[1] / "data"
KEY = ec.generate_private_key(ec.SECP256R1())
REQUEST = (
    x509.CertificateSigningRequestBuilder()
    .subject_name(x509.Name([]))
    .sign(KEY, hashes.SHA256())
    .public_bytes(serialization.Encoding.DER)
)
AUTHORITY = make_authority()
CERTIFICATES = [
    x509.load_pem_x509_certificate(AUTHORITY.leaf(peer).chain).public_bytes(serialization.Encoding.DER)
    for peer in (Peer("socme-1", Role.NODE, "acme-1", "acme"), Peer("socme-1", Role.DISPLAY, "lobby"))
]
SAID = [
    NodeMessage(hello=Hello(epoch=bytes(16), vitals_interval_seconds=1)).SerializeToString(),
    NodeMessage(vitals=Vitals(hostname="acme-1", cpu_usage=0.5)).SerializeToString(),
    NodeMessage(
        batch=AlertBatch(lane=1, sequence=1, encoding=3, payload=b"x", alerts=1, decoded_bytes=9)  # type: ignore[arg-type]
    ).SerializeToString(),
]
ASKED = [
    WatchRequest(clients=["acme"], cursor=bytes(21), snapshot_alerts=9).SerializeToString(),
    EnrollRequest(secret=bytes(16), csr=REQUEST).SerializeToString(),
]


def recorded(kind: str) -> list[bytes]:
    """Return real lines to begin with."""
    name = "eve.json" if kind == "suricata" else "alerts.json"
    return [line for line in (DATA / name).read_bytes().splitlines() if b"alert" in line or kind == "wazuh"]


SEEDS = {
    "tokens": [token.encode(EnrollmentToken(hub_address="zeus.example:8443", secret=bytes(16))).encode()],
    "requests": [REQUEST],
    "suricata": recorded("suricata"),
    "wazuh": recorded("wazuh"),
    "streams": SAID,
    "calls": ASKED,
    "peers": CERTIFICATES,
}
"""By target; the others begin with nothing."""
