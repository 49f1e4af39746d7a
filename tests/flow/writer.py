"""A process that writes as Suricata or Wazuh does: at a rate, with torn lines, and with every rotation.

Tests start one with `Writer` and, when it has ended, look for the numbers 0 to N - 1 at the hub: each alert
carries its own (`number_of`). It loses nothing itself: as the only writer, it rotates between two lines.

    python -m tests.flow.writer KIND PATH ALERTS RATE ROTATION EVERY
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tests.flow import orphans

REPOSITORY = Path(__file__).resolve().parents[2]
QUIET = 3  # records that are no alerts, before each alert
TEAR_EVERY = 3  # each third line comes in two writes
LATE = 5  # lines that still go into a renamed file before the writer opens the new one
ROTATIONS = ("none", "rename", "copytruncate", "wazuh")

_NUMBER = re.compile(r"number=(\d+)")


def number_of(raw: str) -> int:
    """Return the number of an alert that a writer wrote."""
    found = _NUMBER.search(raw)
    assert found is not None, raw
    return int(found[1])


def suricata(number: int, now: datetime) -> Iterator[bytes]:
    """Yield some flow records, then an alert."""
    stamp = f"{now:%Y-%m-%dT%H:%M:%S.%f}+0000"
    ends = {
        "src_ip": "203.0.113.9",
        "src_port": 40000,
        "dest_ip": "192.0.2.10",
        "dest_port": 443,
        "proto": "TCP",
    }
    for part in range(QUIET):
        yield _line(
            {"timestamp": stamp, "flow_id": 10**12 + number * QUIET + part, "event_type": "flow", **ends}
        )
    alert = {
        "action": "allowed",
        "gid": 1,
        "signature_id": 9100099,
        "rev": 1,
        "signature": f"written in a test, number={number}",
        "category": "Misc activity",
        "severity": 3 - number % 3,
    }
    yield _line(
        {"timestamp": stamp, "flow_id": number, "event_type": "alert", **ends, "proto": "TCP", "alert": alert}
    )


def wazuh(number: int, now: datetime) -> Iterator[bytes]:
    """Yield an alert; Wazuh writes nothing else."""
    yield _line(
        {
            "timestamp": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}+0000",
            "rule": {
                "level": 3 + number % 13,
                "description": "written in a test",
                "id": "100099",
                "firedtimes": number + 1,
                "mail": False,
                "groups": ["local"],
            },
            "agent": {"id": "001", "name": "web-1", "ip": "192.0.2.10"},
            "manager": {"name": "soc-acme"},
            "id": f"{int(now.timestamp())}.{number * 100}",
            "full_log": f"a test wrote number={number}",
            "decoder": {"name": "json"},
            "location": "/var/log/syslog",
        }
    )


KINDS = {"suricata": suricata, "wazuh": wazuh}


def _line(record: object) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


@dataclass(slots=True)
class Output:
    """The file as its writer holds it."""

    path: Path
    rotation: str
    _file: int = -1
    _late: int = 0
    _written: int = 0
    _day: date = field(default_factory=lambda: datetime.now(UTC).date())

    def open(self) -> None:
        """Open the file for appending; for Wazuh, today's file with the path as a second name."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.rotation != "wazuh":
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            return
        dated = self.path.parent / f"{self._day:%Y/%b}" / f"ossec-alerts-{self._day:%d}.json"
        dated.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(dated, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        self.path.unlink(missing_ok=True)
        self.path.hardlink_to(dated)

    def write(self, line: bytes) -> None:
        """Append a line, sometimes in two parts."""
        if self._late:
            self._late -= 1
            if not self._late:
                self.reopen()
        self._written += 1
        cut = len(line) // 2 if self._written % TEAR_EVERY == 0 else 0
        for part in (line[:cut], line[cut:]):
            os.write(self._file, part)

    def reopen(self) -> None:
        """Open the file anew, as after a HUP."""
        os.close(self._file)
        self.open()

    def rotate(self) -> None:
        """Rotate once."""
        first = Path(f"{self.path}.1")
        match self.rotation:
            case "rename":
                _make_room(self.path)
                self.path.rename(first)
                self.path.touch()
                self._late = LATE
            case "copytruncate":
                _make_room(self.path)
                shutil.copyfile(self.path, first)
                os.truncate(self.path, 0)
            case "wazuh":
                self._day += timedelta(days=1)
                self.reopen()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _make_room(path: Path) -> None:
    """Give each rotated file the next number."""
    taken = sorted(int(old.suffix[1:]) for old in path.parent.glob(f"{path.name}.*"))
    for number in reversed(taken):
        Path(f"{path}.{number}").rename(f"{path}.{number + 1}")


def write(output: Output, kind: str, *, alerts: int, rate: float, every: int) -> None:
    """Write numbered alerts, so many a second; rotate after each `every` of them."""
    clock = threading.Event()
    began = time.monotonic()
    output.open()
    for number in range(alerts):
        clock.wait(max(0.0, began + number / rate - time.monotonic()))
        if every and number and number % every == 0:
            output.rotate()
        for line in KINDS[kind](number, datetime.now(UTC)):
            output.write(line)
    output.close()


class Writer:
    """The writer as a process of a test."""

    def __init__(
        self, kind: str, path: Path, *, alerts: int, rate: float, rotation: str = "none", every: int = 0
    ) -> None:
        assert kind in KINDS, kind
        assert rotation in ROTATIONS, rotation
        self.alerts = alerts
        self._arguments = [kind, str(path.absolute()), str(alerts), str(rate), rotation, str(every)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin to write."""
        command = [sys.executable, "-m", "tests.flow.writer", *self._arguments]
        self._process = subprocess.Popen(command, cwd=REPOSITORY)
        orphans.adopt(self._process.pid)

    @property
    def running(self) -> bool:
        """Tell whether it still writes."""
        return self._process is not None and self._process.poll() is None

    def wait(self, *, limit: float = 120.0) -> int:
        """Return how many alerts it wrote, when it has written them all."""
        assert self._process is not None, "never started"
        assert self._process.wait(limit) == 0
        return self.alerts

    def end(self) -> None:
        """End it whatever it does."""
        if self.running and self._process is not None:
            self._process.kill()
            self._process.wait()


if __name__ == "__main__":
    _, kind, path, alerts, rate, rotation, every = sys.argv
    write(Output(Path(path), rotation), kind, alerts=int(alerts), rate=float(rate), every=int(every))
