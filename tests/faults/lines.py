"""The oracle: numbered alerts whose every byte follows from their number, and what is owed for each.

A line that arrives can be made again from the number in it, so that equality is judged byte for byte and
an alert that nobody wrote is recognised.
"""

import json
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
SHARE = 10**7  # numbers of one feed
CALM = 8 * 10**6  # from here on: alerts of low severity
FRESH = 9 * 10**6  # from here on: alerts that are written when all faults are over
USUAL_BYTES = 600  # of padding at most
LARGE_BYTES = 40_000  # of padding of one in LARGE_EVERY
LARGE_EVERY = 100
BROKEN_EVERY = 150  # a line that is cut: no alert, but counted
BYTES_EVERY = 40  # a line that is not UTF-8
RULE, FRESH_RULE = 100100, 100199  # ids of Wazuh's rules; Suricata's signatures have a 9 before them
QUIET = 2  # lines that are no alerts, before each of Suricata's

_NUMBER = re.compile(rb"number=(\d+)")


@dataclass(frozen=True, slots=True)
class Issued:
    """One alert that must arrive."""

    number: int
    raw: bytes
    """The line without its line feed."""
    urgent: bool
    """Whether its severity alone makes it urgent."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line ends."""

    life: int
    """How many files of that name were deleted before."""
    end: int
    """Bytes of the file up to the line's end."""


def number_of(raw: bytes) -> int | None:
    """Return the number that a line carries."""
    found = _NUMBER.search(raw)
    return int(found[1]) if found else None


def feed_of(number: int) -> int:
    """Return the index of the feed that a number belongs to."""
    return number // SHARE


def is_fresh(number: int) -> bool:
    """Tell whether it is one of those that are written when all faults are over."""
    return number % SHARE >= FRESH


def issue(kind: str, number: int) -> Issued:
    """Return the alert with a number, the same each time."""
    dice = random.Random(number)
    padding = dice.randbytes(dice.randrange(LARGE_BYTES if number % LARGE_EVERY == 7 else USUAL_BYTES) // 2)
    severity = 1 if is_fresh(number) else dice.choice((1, 1, 2, 3, 3, 3) if number % SHARE < CALM else (3,))
    record = _MAKERS[kind](number, severity, padding.hex())
    raw = json.dumps(record, separators=(",", ":")).encode()
    if number % BYTES_EVERY == 3:
        raw = raw.replace(b"written by", b"written \xe9\xff by")
    return Issued(number, raw, urgent=severity == 1)


def lines(kind: str, number: int) -> Iterator[bytes]:
    """Yield what stands in the log for a number: lines that are no alerts, then the alert."""
    alert = issue(kind, number).raw
    if kind == "suricata":
        for part in range(QUIET):
            yield b'{"timestamp":"%s","flow_id":%d,"event_type":"flow"}\n' % (_stamp(number).encode(), part)
    if number % BROKEN_EVERY == 11:
        yield alert.replace(b"number=", b"cut=")[: len(alert) // 2] + b"\n"
    yield alert + b"\n"


def suricata_record(number: int, severity: int, padding: str) -> Mapping[str, object]:
    return {
        "timestamp": _stamp(number),
        "flow_id": number,
        "event_type": "alert",
        "src_ip": f"203.0.113.{number % 250}",
        "src_port": 1024 + number % 60_000,
        "dest_ip": f"198.51.100.{number // 250 % 250}",
        "dest_port": 443,
        "proto": "TCP",
        "alert": {
            "action": "allowed",
            "gid": 1,
            "signature_id": 9_000_000 + _rule(number),
            "rev": 1,
            "signature": f"written by the oracle, number={number}",
            "category": "Misc activity",
            "severity": severity,
        },
        "payload": padding,
    }


def _wazuh(number: int, severity: int, padding: str) -> Mapping[str, object]:
    return {
        "timestamp": _stamp(number),
        "rule": {
            "level": {1: 13, 2: 8, 3: 3}[severity],
            "description": "written by the oracle",
            "id": str(_rule(number)),
            "firedtimes": number,
            "mail": False,
            "groups": ["local"],
        },
        "agent": {"id": "001", "name": "web-1", "ip": "192.0.2.10"},
        "manager": {"name": "soc-acme"},
        "id": f"{number}.0",
        "full_log": f"written by the oracle, number={number}",
        "data": {"padding": padding},
        "decoder": {"name": "json"},
        "location": "/var/log/syslog",
    }


_MAKERS = {"suricata": suricata_record, "wazuh": _wazuh}


def _rule(number: int) -> int:
    return FRESH_RULE if is_fresh(number) else RULE


def _stamp(number: int) -> str:
    moment = BEGINNING + timedelta(milliseconds=number % SHARE)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}+0000"
