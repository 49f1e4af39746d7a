"""gRPC credentials and channel options for both ends, from certificates in PEM.

All connections are mutual TLS with certificates of the hub's own CA, save enrolment, where only the
hub has one. The sources of the option values are measurements: a frozen peer, or a line on which bytes
vanish, is found in 15 s by either end with them, and after 70 s or never without.
"""

import grpc

# The hub's certificate carries this name, and every channel asks for it, so that the hub may be reached
# by any address (public, VPN, loopback). That is sound because only the hub has a certificate of this
# CA with this name: the CA is its own and certifies nobody else for a server's use.
SERVER_NAME = "zeus.socme.internal"

# How gRPC begins a report that ends with what the system said.
_NO_CONNECTION = "failed to connect to all addresses"
_NO_NAME = "lookup failed for "
_OTHER_HUB = "another hub answers there: its certificate is not of the CA that this identity is of"
# What stands in a report of gRPC's, and what it means.
_SIGNS = (
    ("CERTIFICATE_VERIFY_FAILED", _OTHER_HUB),
    ("BAD_SIGNATURE", _OTHER_HUB),  # its CA has the name of ours, as that of a hub that was made anew
    ("WRONG_VERSION_NUMBER", "what answers there is no hub: it does not speak TLS"),
    ("Internal error from Core", "the other end closed the stream"),  # told to who was writing
    ("Failed to create security handshaker", "this machine's key and certificate cannot be used"),
)

MIB = 1024 * 1024
# Batches are cut at 1 MiB before compression and hold at least one alert of at most about 2 MiB.
LARGEST_MESSAGE = 8 * MIB

_SHARED: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_send_message_length", LARGEST_MESSAGE),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # without it the ping's own 60 s rule
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.enable_channelz", 0),  # statistics that nobody asks for: 2 KiB of each connection
]
CHANNEL_OPTIONS: list[tuple[str, int | str]] = [
    *_SHARED,
    ("grpc.ssl_target_name_override", SERVER_NAME),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_reconnect_backoff_ms", 10_000),
    ("grpc.enable_retries", 0),  # retrying is decided in one place, by socme.backoff
    ("grpc.use_local_subchannel_pool", 1),  # two identities in one process must not share a connection
]
SERVER_OPTIONS: list[tuple[str, int]] = [
    *_SHARED,
    # gRPC would answer what comes with a ping, to measure how much may be under way on the line: a quarter
    # of what a small message costs. What may be under way is as much as a node's window instead
    # (zeus_hub.pace.FULL; tests/zeus_hub/test_pace.py holds them together).
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 4 * MIB),
    ("grpc.so_reuseport", 0),  # otherwise a second hub on the same port starts without an error
    ("grpc.server_handshake_timeout_ms", 10_000),  # whoever says nothing keeps a file open; else 120 s
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),  # below the client's keepalive time
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
]


def mutual_server_credentials(*, key: bytes, chain: bytes, ca: bytes) -> grpc.ServerCredentials:
    """Return credentials of a server that lets only holders of a certificate of `ca` in."""
    return grpc.ssl_server_credentials([(key, chain)], root_certificates=ca, require_client_auth=True)


def enrolment_server_credentials(*, key: bytes, chain: bytes) -> grpc.ServerCredentials:
    """Return credentials of a server that asks its callers for no certificate."""
    return grpc.ssl_server_credentials([(key, chain)])


def channel_credentials(*, key: bytes, chain: bytes, ca: bytes) -> grpc.ChannelCredentials:
    """Return credentials of a client with a certificate that trusts `ca` alone."""
    return grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=chain)


def enrolment_channel_credentials(*, ca: bytes) -> grpc.ChannelCredentials:
    """Return credentials of a client that has no certificate yet."""
    return grpc.ssl_channel_credentials(root_certificates=ca)


def target(address: str) -> str:
    """Return what gRPC is to dial for "host:port": as it is, a host called "unix" would be a file."""
    return f"dns:///{address}"


def explain(details: str | None) -> str:
    """Return what gRPC says of a failed call in words for people; hostile text stays hostile."""
    if not details:
        return "no reason given"
    for sign, meaning in _SIGNS:
        if sign in details:
            return meaning
    if _NO_NAME in details:
        return "the name cannot be resolved: " + details.rpartition(": ")[2].rstrip("]")
    if details.startswith(_NO_CONNECTION):
        return details.removesuffix(": OK").rpartition(": ")[2]
    return details
