"""Logs to measure with, as a busy Suricata 7 writes them: python -m bench.eve FILE --mib 1024.

Made from a seed, so that everybody measures on the same bytes. Fields, their order and the sizes of records are
those of Suricata 7; names and addresses are made up. Of the records, 0.5 % are alerts, and one in a thousand
is a trap: an object inside another record that says `"event_type":"alert"`, or the same as text in a string.
A filter that looks for text alone lets the first kind through.
"""

import argparse
import base64
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

SEED = 7
ALERTS = 0.005  # of all records
TRAPS = 0.001
SIGNATURES = 256  # of a site's rules, those that fire
NEEDLE = b'"event_type":"alert"'

_BEGINNING = datetime(2026, 11, 10, 8, tzinfo=UTC)
_HOSTS = [
    f"{name}{number}.{domain}"
    for name in (
        "mail",
        "www",
        "cdn",
        "api",
        "static",
        "login",
        "portal",
        "vpn",
        "update",
        "telemetry",
        "shop",
    )
    for number in ("", "1", "2", "-eu", "-fr")
    for domain in (
        "example.com",
        "example.net",
        "example.org",
        "test.example",
        "corp.example",
        "cloud.example",
    )
]
_AGENTS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "curl/8.5.0",
    "Microsoft-CryptoAPI/10.0",
    "python-requests/2.32.3",
]
_PATHS = [
    "index.html",
    "login.php",
    "api/v1/items",
    "favicon.ico",
    "update/check.bin",
    "js/app.min.js",
    "a.exe",
]
_TYPES = ["text/html", "application/json", "application/octet-stream", "image/png", "text/css"]
_ISSUERS = ["C=US, O=Example Trust, CN=Example TLS RSA CA1", "C=XX, O=Test Encrypt, CN=T11"]
_WORDS = [
    "GET",
    "POST",
    "Host:",
    "Accept:",
    "*/*",
    "Cookie:",
    "session=",
    "cmd.exe",
    "/c",
    "whoami",
    "id=1",
    "UNION",
    "SELECT",
    "uid=0(root)",
]
_TECHNIQUES = ["T1190", "T1071", "T1102", "T1021.002", "T1016", "T1059.001", ""]
_KINDS = ("MALWARE", "SCAN", "POLICY", "EXPLOIT", "HUNTING", "INFO", "WEB", "DNS")
_FIRES_ON = [
    ("an executable that a workstation loads", "Potential Corporate Privacy Violation", 1),
    ("a lookup of the own address", "Device Retrieving External IP Address Detected", 2),
    ("a request without a user agent", "Potentially Bad Traffic", 2),
    ("retransmissions beyond measure", "Generic Protocol Command Decode", 3),
    ("a certificate that signs itself", "Misc activity", 3),
    ("a path that climbs out of its folder", "Web Application Attack", 1),
    ("a name that no person chose", "A Network Trojan was detected", 1),
    ("a file share that is left", "Misc activity", 3),
]
_LAYERS = ("http", "tls", "dns", None)

Maker = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Counted:
    """What a log holds."""

    bytes: int
    lines: int
    alerts: int
    alert_bytes: int
    matching_bytes: int
    """Of lines with the text, traps among them: what a filter that looks for text alone lets through."""


class Traffic:
    """Makes records, one after the other."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._now = _BEGINNING

    def log(self, size: int) -> Iterator[tuple[bytes, bool]]:
        """Yield lines of at least so many bytes in all, and whether each is an alert."""
        made = trap = 0
        kinds = [self._flow, self._dns, self._http, self._tls, self._fileinfo, self._stats]
        shares = [0.36, 0.30, 0.12, 0.15, 0.0693, 0.0007]
        while made < size:
            chance = self._dice.random()
            if chance < ALERTS:
                text = self.alert()
            elif chance < ALERTS + TRAPS:
                trap += 1
                text = self._flow(nested=True) if trap % 2 else self._http(quoted=True)
            else:
                text = self._dice.choices(kinds, shares)[0]()
            line = text.encode() + b"\n"
            made += len(line)
            yield line, chance < ALERTS

    def alert(self) -> str:
        """Return an alert."""
        dice = self._dice
        layer = dice.choice(_LAYERS)
        text = (
            f'{self._head("alert", "UDP" if layer == "dns" else "TCP")},{self._community()},"tx_id":0,'
            f'"alert":{_signature(dice.randrange(SIGNATURES))}'
        )
        if layer:
            text += f',"{layer}":{self._layer(layer)},"app_proto":"{layer}"'
        text += f',"direction":"to_server","flow":{{{self._flow_fields()}}}'
        if dice.random() < 0.4:
            payload = " ".join(dice.choices(_WORDS, k=dice.randrange(12, 40))) + f"{dice.getrandbits(64):x}"
            encoded = base64.b64encode(payload.encode()).decode()
            text += f',"payload":"{encoded}","payload_printable":{json.dumps(payload)},"stream":1'
        return text + "}"

    def _layer(self, layer: str) -> str:
        return {"http": self._http_fields, "tls": self._tls_fields, "dns": self._query}[layer]()

    def _head(self, kind: str, protocol: str, port: int = 443) -> str:
        dice = self._dice
        return (
            f'{{"timestamp":"{self._time()}","flow_id":{dice.randrange(10**13, 2 * 10**15)},"in_iface":"eno2",'
            f'"event_type":"{kind}","src_ip":"{self._inside()}","src_port":{dice.randrange(1024, 65535)},'
            f'"dest_ip":"{self._outside()}","dest_port":{port},"proto":"{protocol}"'
        )

    def _time(self) -> str:
        self._now += timedelta(microseconds=self._dice.randrange(50, 1900))
        return f"{self._now:%Y-%m-%dT%H:%M:%S.%f}+0000"

    def _inside(self) -> str:
        return f"10.{self._dice.randrange(4)}.{self._dice.randrange(32)}.{self._dice.randrange(1, 255)}"

    def _outside(self) -> str:
        return (
            f"198.{self._dice.randrange(18, 20)}.{self._dice.randrange(256)}.{self._dice.randrange(1, 255)}"
        )

    def _hex(self, digits: int) -> str:
        return f"{self._dice.getrandbits(4 * digits):0{digits}x}"

    def _community(self) -> str:
        return f'"community_id":"1:{base64.b64encode(self._dice.randbytes(20)).decode()}"'

    def _flow_fields(self) -> str:
        dice = self._dice
        return (
            f'"pkts_toserver":{dice.randrange(1, 60)},"pkts_toclient":{dice.randrange(80)},'
            f'"bytes_toserver":{dice.randrange(60, 90_000)},"bytes_toclient":{dice.randrange(900_000)},'
            f'"start":"{self._now:%Y-%m-%dT%H:%M:%S.%f}+0000"'
        )

    def _flow(self, *, nested: bool = False) -> str:
        dice = self._dice
        parent = (
            ',"metadata":{"flowbits":["seen"],"parent":{"event_type":"alert","signature_id":9}}'
            if nested
            else ""
        )
        return (
            f'{self._head("flow", "TCP")},"app_proto":"{dice.choice(("tls", "http", "dns", "failed"))}","flow":{{'
            f'{self._flow_fields()},"end":"{self._now:%Y-%m-%dT%H:%M:%S.%f}+0000","age":{dice.randrange(300)},'
            f'"state":"closed","reason":"timeout","alerted":false}},{self._community()}{parent},"tcp":{{"tcp_flags":"1b",'
            f'"tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed",'
            f'"ts_max_regions":1,"tc_max_regions":1}}}}'
        )

    def _dns(self) -> str:
        head = f'{self._head("dns", "UDP", 53)},{self._community()},"pkt_src":"wire/pcap","dns":'
        if self._dice.random() < 0.5:
            return f"{head}{self._query()}}}"
        name = self._dice.choice(_HOSTS)
        found = [self._outside() for _ in range(self._dice.randrange(1, 5))]
        answers = ",".join(f'{{"rrname":"{name}","rrtype":"A","ttl":300,"rdata":"{each}"}}' for each in found)
        grouped = ",".join(f'"{each}"' for each in found)
        return (
            f'{head}{{"version":2,"type":"answer","id":{self._dice.randrange(65536)},"flags":"8180","qr":true,"rd":true,'
            f'"ra":true,"opcode":0,"rrname":"{name}","rrtype":"A","rcode":"NOERROR","answers":[{answers}],'
            f'"grouped":{{"A":[{grouped}]}}}}}}'
        )

    def _query(self) -> str:
        name, number = self._dice.choice(_HOSTS), self._dice.randrange(65536)
        return f'{{"type":"query","id":{number},"rrname":"{name}","rrtype":"A","tx_id":0,"opcode":0}}'

    def _http(self, *, quoted: bool = False) -> str:
        fields = self._http_fields(' says {"event_type":"alert"} and goes' if quoted else "")
        return f'{self._head("http", "TCP", 80)},{self._community()},"tx_id":0,"pkt_src":"wire/pcap","http":{fields}}}'

    def _http_fields(self, extra: str = "") -> str:
        dice = self._dice
        return (
            f'{{"hostname":"{dice.choice(_HOSTS)}","url":"/{dice.choice(_PATHS)}?id={self._hex(12)}","http_user_agent":'
            f'{json.dumps(dice.choice(_AGENTS) + extra)},"http_content_type":"{dice.choice(_TYPES)}","http_refer":'
            f'"http://{dice.choice(_HOSTS)}/","http_method":"GET","protocol":"HTTP/1.1","status":200,'
            f'"length":{dice.randrange(200_000)}}}'
        )

    def _tls(self) -> str:
        head = f'{self._head("tls", "TCP")},{self._community()},"pkt_src":"wire/pcap"'
        return f'{head},"tls":{self._tls_fields()}}}'

    def _tls_fields(self) -> str:
        name = self._dice.choice(_HOSTS)
        serial = ":".join(self._hex(2) for _ in range(16)).upper()
        print_ = ":".join(self._hex(2) for _ in range(20))
        return (
            f'{{"subject":"CN={name}","issuerdn":"{self._dice.choice(_ISSUERS)}","serial":"{serial}","fingerprint":'
            f'"{print_}","sni":"{name}","version":"TLS 1.3","notbefore":"2026-03-11T00:00:00","notafter":'
            f'"2027-03-09T23:59:59","ja3":{{"hash":"{self._hex(32)}","string":"771,4865-4866-4867-49195-49199-49196-'
            f'49200-52393-52392-49171-49172-156-157-47-53,0-23-65281-10-11-35-16-5-13-18-51-45-43-27,29-23-24,0"}},'
            f'"ja3s":{{"hash":"{self._hex(32)}","string":"771,49199,65281-0-11-35-16-23"}}}}'
        )

    def _fileinfo(self) -> str:
        return (
            f'{self._head("fileinfo", "TCP", 80)},{self._community()},"http":{self._http_fields()},"app_proto":"http",'
            f'"fileinfo":{{"filename":"/{self._dice.choice(_PATHS)}","sid":[],"gaps":false,"state":"CLOSED","md5":'
            f'"{self._hex(32)}","sha256":"{self._hex(64)}","stored":false,"size":{self._dice.randrange(10**7)},"tx_id":0}}}}'
        )

    def _stats(self) -> str:
        groups = ",".join(
            f'"{group}":{{{",".join(f"{_quoted(word)}:{self._dice.randrange(10**7)}" for word in range(24))}}}'
            for group in ("capture", "decoder", "tcp", "flow", "defrag", "detect", "app_layer", "http", "ftp")
        )
        return f'{{"timestamp":"{self._time()}","event_type":"stats","stats":{{"uptime":{self._dice.randrange(10**6)},{groups}}}}}'


@cache
def _signature(number: int) -> str:
    """Return what an alert says of a signature, the same each time: it is the rule's own."""
    kind, (what, category, severity) = _KINDS[number // 8 % 8], _FIRES_ON[number % 8]
    technique = _TECHNIQUES[number % 7]
    attack = f',"mitre_tactic_id":["TA0001"],"mitre_technique_id":["{technique}"]' if technique else ""
    return (
        f'{{"action":"allowed","gid":1,"signature_id":{9_100_000 + number},"rev":{number % 9},"signature":'
        f'"SOCME {kind} number {number} that fires on {what}","category":"{category}","severity":{severity},"metadata":'
        f'{{"affected_product":["Any"],"attack_target":["Client_Endpoint"],"confidence":["{("High", "Medium")[number % 2]}"],'
        f'"created_at":["2024_01_{number % 28 + 1:02}"],"deployment":["Perimeter"],"signature_severity":'
        f'["{("Informational", "Minor", "Major")[number % 3]}"]{attack},"updated_at":["2025_03_{number % 28 + 1:02}"]}}}}'
    )


def write_log(path: Path, size: int, *, seed: int = SEED) -> Counted:
    """Write a log of about so many bytes and return what it holds."""
    written = lines = alerts = alert_bytes = matching_bytes = 0
    with path.open("wb", buffering=1 << 20) as log:
        for line, is_alert in Traffic(seed).log(size):
            log.write(line)
            written += len(line)
            lines += 1
            alerts += is_alert
            alert_bytes += len(line) if is_alert else 0
            matching_bytes += len(line) if NEEDLE in line else 0
    return Counted(written, lines, alerts, alert_bytes, matching_bytes)


def alerts(count: int, *, seed: int = SEED) -> list[bytes]:
    """Return so many alerts, without line feeds."""
    traffic = Traffic(seed)
    return [traffic.alert().encode() for _ in range(count)]


def _quoted(number: int) -> str:
    return f'"counter_{number}_pkts"'


def main() -> None:
    """Write a log and say what it holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    print(write_log(given.file, given.mib << 20, seed=given.seed))


if __name__ == "__main__":
    main()
