"""What collectors are tested with: lines of sensors, a source in memory, and a spool with its site."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from artemis_agent import copies, ledger
from artemis_agent.collect import Collector, Site
from artemis_agent.dead_letter import DeadLetters
from artemis_agent.numbering import DROPPED
from artemis_agent.source import Gap, Health, Kind, Reading, Record, Reject
from artemis_agent.spool import Spool, open_spool
from artemis_agent.worker import Worker
from socme.batch import unpack
from socme.identity import utc_now
from socme.v1.alert_pb2 import Alert, Severity
from socme.v1.vitals_pb2 import LedgerHour, SourceVitals

GIB = 1 << 30
SCHEMA = copies.SCHEMA


def open_site_spool(folder: Path, *, max_bytes: int = GIB) -> Spool:
    """Open a spool with the tables of all who write in its transactions."""
    return open_spool(folder, max_bytes=max_bytes, schema=SCHEMA)


@asynccontextmanager
async def site_of(spool: Spool, folder: Path) -> AsyncIterator[Site]:
    """Give a site on a spool; its dead letters lie in the folder."""
    letters = Worker("letters")
    yield Site(
        spool=spool,
        dead_letters=DeadLetters(folder),
        letters=letters,
        min_severity=Severity.SEVERITY_LOW,
        keep_both=False,
        clock=utc_now,
    )
    letters.close()


def eve(rule: int, *, severity: int = 2, number: int | None = None) -> bytes:
    """Return a Suricata alert of a rule; `number` tells several of one rule apart."""
    flow = rule if number is None else number
    alert = {"signature_id": rule, "gid": 1, "rev": 1, "signature": f"rule {rule}", "severity": severity}
    record = {
        "timestamp": f"2026-11-22T10:00:00.{flow:06}+0000",
        "flow_id": 1000 + flow,
        "event_type": "alert",
        "src_ip": "192.0.2.1",
        "dest_ip": "192.0.2.2",
        "proto": "TCP",
        "alert": alert,
    }
    return json.dumps(record, separators=(",", ":")).encode()


def copy_of(number: int) -> bytes:
    """Return what Wazuh makes of it."""
    record = {
        "timestamp": "2026-11-22T10:00:01.000+0000",
        "rule": {"level": 3, "description": "Suricata: Alert", "id": "86601", "groups": ["ids", "suricata"]},
        "agent": {"id": "000", "name": "manager"},
        "id": f"1.{number}",
        "data": {
            "timestamp": f"2026-11-22T10:00:00.{number:06}+0000",
            "flow_id": f"{1000 + number}.000000",
            "event_type": "alert",
            "alert": {"signature_id": str(number), "signature": f"rule {number}", "severity": "2"},
        },
    }
    return json.dumps(record).encode()


def wazuh(number: int, *, level: int = 5) -> bytes:
    """Return an alert of Wazuh's own."""
    rule = {"level": level, "description": f"own {number}", "id": "5710", "groups": ["sshd"]}
    record = {"timestamp": "2026-11-22T10:00:01.000+0000", "rule": rule, "agent": {"id": "000"}, "id": "1.1"}
    return json.dumps(record).encode()


@dataclass
class Memory:
    """A source that gives prepared readings."""

    kind: Kind
    readings: list[Reading] = field(default_factory=list)
    name: str = "memory"
    condition: Health = field(default_factory=lambda: Health(0, "", 0, 0))
    reads: int = 0
    looks: int = 0
    closed: bool = False

    def read(self) -> Reading:
        """Give the next one."""
        self.reads += 1
        if self.readings:
            return msgspec.structs.replace(self.readings.pop(0), more=bool(self.readings))
        return Reading([], [], str(self.reads).encode(), 0, 0, more=False)

    def look(self) -> None:
        """Count it."""
        self.looks += 1

    def health(self) -> Health:
        """Return what was prepared."""
        return self.condition

    async def changed(self) -> None:
        """Never change."""
        await asyncio.Event().wait()

    def close(self) -> None:
        """Take note."""
        self.closed = True


def reading(
    *lines: bytes, position: bytes = b"p", rejects: Sequence[Reject] = (), gaps: Sequence[Gap] = ()
) -> Reading:
    """Return a reading of these lines and no others."""
    records = [Record(line, b"file", offset) for offset, line in enumerate(lines)]
    size = sum(len(line) + 1 for line in lines)
    return Reading(records, rejects, position, size, len(lines) + len(rejects), more=False, gaps=gaps)


async def spooled(spool: Spool) -> list[Alert]:
    """Return all alerts that wait, in the order in which they were spooled."""
    entries = await spool.ask(lambda journal: journal.read(0, entries=100_000, size=GIB))
    held = [entry.packed for entry in entries if entry.packed.encoding != DROPPED]
    return [alert for packed in held for alert in unpack(packed)]


async def names(spool: Spool) -> list[str]:
    """Return the rule names of all alerts that wait."""
    return [alert.rule.name for alert in await spooled(spool)]


async def until(collector: Collector, condition: Callable[[SourceVitals], bool]) -> None:
    """Wait until a source's vitals are so."""
    async with asyncio.timeout(30):
        while not condition(await collector.vitals()):  # noqa: ASYNC110 - vitals are polled
            await asyncio.sleep(0.005)


async def hours(spool: Spool) -> list[LedgerHour]:
    """Return the whole ledger as it is now."""
    return await spool.ask(lambda journal: ledger.hours(journal.query, journal.held()))
