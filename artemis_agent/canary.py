"""A canary for each source: a line that Artemis writes beside it, so that it takes the source's whole way.

Each source has a log of its own in `<state_dir>/canary`, in the source's format, rotated by rename as logs
are; a tail of the same kind in the source's thread reads it. An alert is a canary because it stood in that
log and for no other reason: nobody can make one by writing something into a log.
"""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import msgspec

from artemis_agent.decode import UndecodableError, decode
from artemis_agent.source import Kind
from artemis_agent.values import LARGEST_UINT64, integer, mapping, moment
from socme.v1.alert_pb2 import Alert, Canary

FOLDER = "canary"
LARGEST = 64 * 1024  # bytes of a log before it is rotated: some hours' worth
NAME = "SOCme canary"
RULE = 3_900_000_000  # a signature id that no rule set uses
_KEY = "socme_canary"
_TAIL = 4096  # bytes at the end of a log in which its last line is looked for


class _Line(msgspec.Struct):
    socme_canary: object = None


_DECODER = msgspec.json.Decoder(_Line)


def log_path(state_dir: Path, kind: Kind, source: str) -> Path:
    """Return where the canaries of a source are written."""
    return state_dir / FOLDER / f"{kind}-{blake2b(source.encode(), digest_size=8).hexdigest()}.json"


def is_log(name: str, state_dir: Path) -> bool:
    """Tell whether a source is a canary log: followed now, or by an agent with other settings."""
    return Path(name).absolute().parent == state_dir.absolute() / FOLDER


def line(kind: Kind, number: int, written: datetime) -> bytes:
    """Return a canary as Suricata or Wazuh would have written it, without a line feed."""
    record: dict[str, object] = {"timestamp": written.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f%z")}
    record |= _suricata(number) if kind == "suricata" else _wazuh(number, written)
    record[_KEY] = {"number": number, "written": record["timestamp"]}
    return json.dumps(record, separators=(",", ":")).encode()


def mark(alert: Alert, *, source: str) -> Alert:
    """Mark an alert that stood in the canary log of a source; return it."""
    fields = _fields(alert.raw)
    number = integer(fields.get("number"), 0, LARGEST_UINT64)
    alert.canary.CopyFrom(Canary(number=number or 0, written=moment(fields.get("written"))))
    alert.origin = source
    return alert


@dataclass(slots=True)
class CanaryLog:
    """Writes the canaries of one source. Calls block on the disk and come from one thread at a time."""

    path: Path
    kind: Kind
    number: int = 0
    """That of the last one written; numbers go on from here, or from the last one in the log."""

    def write(self, now: datetime) -> None:
        """Write the next one. OSError where the disk does not take it; the number is used up all the same."""
        self.number = max(self.number, _last_number(self.path)) + 1
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        text = line(self.kind, self.number, now) + b"\n"
        with suppress(FileNotFoundError):
            if self.path.stat().st_size >= LARGEST:
                self.path.replace(f"{self.path}.1")
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        with os.fdopen(os.open(self.path, flags, 0o600), "a+b", buffering=0) as file:
            torn = file.seek(0, os.SEEK_END) and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
            file.write(b"\n" + text if torn else text)


def _suricata(number: int) -> dict[str, object]:
    return {
        "flow_id": number,
        "event_type": "alert",
        "src_ip": "192.0.2.1",  # addresses that nobody has (RFC 5737)
        "src_port": 1,
        "dest_ip": "192.0.2.2",
        "dest_port": 1,
        "proto": "TCP",
        "alert": {
            "action": "allowed",
            "gid": 1,
            "signature_id": RULE,
            "rev": 1,
            "signature": NAME,
            "category": "",
            "severity": 3,
        },
    }


def _wazuh(number: int, written: datetime) -> dict[str, object]:
    return {
        "rule": {"level": 3, "description": NAME, "id": str(RULE), "firedtimes": 1, "groups": ["socme"]},
        "agent": {"id": "000", "name": "socme"},
        "manager": {"name": "socme"},
        "id": f"{written.timestamp():.0f}.{number}",
        "full_log": NAME,
        "decoder": {"name": "socme"},
        "location": "socme",
    }


def _fields(raw: bytes) -> dict[str, object]:
    try:
        found = decode(raw, _DECODER, _Line)
    except UndecodableError:
        return {}
    return dict(mapping(found.socme_canary)) if found else {}


def _last_number(path: Path) -> int:
    """Return the number of the last canary in a log, or in the one before it; 0 for none that can be read."""
    for each in (path, Path(f"{path}.1")):
        try:
            with each.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                lines = file.read().split(b"\n")
        except OSError:
            continue
        numbers = [integer(_fields(each).get("number"), 0, LARGEST_UINT64) or 0 for each in lines]
        if any(numbers):
            return max(numbers)
    return 0
