"""Packets, conversations and requests, from which the captures are put together."""

import random
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw

RESOLVER = "192.0.2.53"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Gentoo/1 Lynx-like"
INSIDE_MAC, OUTSIDE_MAC = "02:00:5e:00:53:01", "02:00:5e:00:53:fe"

Exchange = tuple[str, bytes]  # "c" or "s": who speaks, and what


@dataclass(slots=True)
class Clock:
    """The capture's time; everything that happens moves it on."""

    now: float

    def step(self, seconds: float) -> float:
        """Let time pass; return the new present."""
        self.now += seconds
        return self.now


def ethernet(packet: Packet, at: float, vlans: Iterable[int] = ()) -> Packet:
    """Return a frame with a packet, stamped."""
    frame = Ether(src=OUTSIDE_MAC, dst=INSIDE_MAC)
    for vlan in vlans:
        frame /= Dot1Q(vlan=vlan)
    frame /= packet
    frame.time = at
    return frame


def address(source: str, target: str) -> Packet:
    """Return an IPv4 or IPv6 header."""
    return IPv6(src=source, dst=target) if ":" in source else IP(src=source, dst=target)


@dataclass(slots=True)
class Ends:
    """The two ends of a TCP connection."""

    client: str
    client_port: int
    server: str
    server_port: int
    vlans: tuple[int, ...] = ()


def conversation(clock: Clock, ends: Ends, exchanges: Iterable[Exchange]) -> Iterator[Packet]:
    """Yield a whole TCP connection: handshake, what both say with its acknowledgements, and the end."""
    ours, theirs = 1000, 5000

    def segment(*, of_client: bool, flags: str, payload: bytes = b"") -> Packet:
        source, target = (ends.client, ends.server) if of_client else (ends.server, ends.client)
        ports = (ends.client_port, ends.server_port) if of_client else (ends.server_port, ends.client_port)
        sequence, acknowledged = (ours, theirs) if of_client else (theirs, ours)
        tcp = TCP(sport=ports[0], dport=ports[1], seq=sequence, ack=acknowledged, flags=flags, window=64240)
        body = Raw(payload) if payload else b""
        packet = address(source, target) / tcp
        return ethernet(packet / body if payload else packet, clock.step(0.004), ends.vlans)

    yield segment(of_client=True, flags="S")
    ours += 1
    yield segment(of_client=False, flags="SA")
    theirs += 1
    yield segment(of_client=True, flags="A")
    for who, said in exchanges:
        for part in (said[at : at + 1400] for at in range(0, len(said), 1400)):
            yield segment(of_client=who == "c", flags="PA", payload=part)
            if who == "c":
                ours += len(part)
            else:
                theirs += len(part)
            yield segment(of_client=who != "c", flags="A")
    yield segment(of_client=True, flags="FA")
    ours += 1
    yield segment(of_client=False, flags="FA")
    theirs += 1
    yield segment(of_client=True, flags="A")


def request(
    path: str, host: str, *, agent: str = BROWSER, method: str = "GET", body: bytes = b""
) -> Exchange:
    """Return an HTTP request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n"
    if body:
        head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
    return "c", head.encode() + b"\r\n" + body


def response(body: bytes, *, status: str = "200 OK", kind: str = "text/html") -> Exchange:
    """Return an HTTP response."""
    head = f"HTTP/1.1 {status}\r\nServer: lab/1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}"
    return "s", head.encode() + b"\r\n\r\n" + body


def browse(clock: Clock, ends: Ends, asked: Exchange, answered: Exchange) -> Iterator[Packet]:
    """Yield a connection with one HTTP request."""
    return conversation(clock, ends, [asked, answered])


def lookup(clock: Clock, client: str, number: int, name: str, kind: str = "A") -> Iterator[Packet]:
    """Yield a DNS query to the site's resolver and its answer."""
    port = 20000 + number % 40000
    question = DNSQR(qname=name, qtype=kind)
    yield ethernet(
        address(client, RESOLVER) / UDP(sport=port, dport=53) / DNS(id=number % 65536, rd=1, qd=question),
        clock.step(0.01),
    )
    answers = {"A": "198.51.100.80", "AAAA": "2001:db8:ffff::80", "TXT": [b"ok"]}
    record = DNSRR(rrname=name, type=kind, ttl=300, rdata=answers[kind])
    yield ethernet(
        address(RESOLVER, client)
        / UDP(sport=53, dport=port)
        / DNS(id=number % 65536, qr=1, rd=1, ra=1, qd=question, an=record),
        clock.step(0.02),
    )


def client_hello(name: str, session: bytes, rng: random.Random) -> bytes:
    """Return a TLS 1.2 ClientHello record with a server name, which takes a session up again."""
    host = name.encode()
    entry = struct.pack(">BH", 0, len(host)) + host
    names = struct.pack(">H", len(entry)) + entry
    extensions = struct.pack(">HH", 0, len(names)) + names
    extensions += bytes.fromhex("000a00040002001d000b00020100000d000400020403")
    suites = bytes.fromhex("c02bc02fc02cc030cca9cca8")
    body = b"\x03\x03" + rng.randbytes(32) + bytes([len(session)]) + session
    body += (
        struct.pack(">H", len(suites))
        + suites
        + b"\x01\x00"
        + struct.pack(">H", len(extensions))
        + extensions
    )
    return _handshake(1, body)


def server_flight(session: bytes, rng: random.Random) -> bytes:
    """Return a ServerHello that agrees to the session, then the change to an encrypted connection."""
    hello = b"\x03\x03" + rng.randbytes(32) + bytes([len(session)]) + session + bytes.fromhex("c02f00")
    return _handshake(2, hello) + _sealed(rng)


def _sealed(rng: random.Random) -> bytes:
    return bytes.fromhex("140303000101") + b"\x16\x03\x03\x00\x28" + rng.randbytes(40)


def _handshake(kind: int, body: bytes) -> bytes:
    message = struct.pack(">I", kind << 24 | len(body)) + body
    return b"\x16\x03\x03" + struct.pack(">H", len(message)) + message


def encrypted(clock: Clock, ends: Ends, name: str, rng: random.Random) -> Iterator[Packet]:
    """Yield a TLS connection to a named server."""
    session, data = rng.randbytes(32), b"\x17\x03\x03\x00\x80" + rng.randbytes(128)
    hello, agreed = client_hello(name, session, rng), server_flight(session, rng)
    return conversation(
        clock, ends, [("c", hello), ("s", agreed), ("c", _sealed(rng)), ("c", data), ("s", data)]
    )
