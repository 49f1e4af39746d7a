"""How the agent is: told by the daemon through a file, read by `artemis status`.

The daemon replaces `<state_dir>/status.json` every few seconds and at each change. What must be right
without a daemon, too (how much waits, how far the files were read), is read from the spool itself.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from artemis_agent import counters, show
from artemis_agent.file_identity import decode
from artemis_agent.show import Row
from artemis_agent.spool import is_running, peek
from socme import VERSION, view
from socme.errors import OperatorError
from socme.journal import Depth
from socme.v1.vitals_pb2 import SourceVitals, SpoolVitals

FORMAT = 1  # of status.json
NAME = "status.json"


@dataclass(frozen=True, slots=True)
class Connection:
    """How the uplink is, in words for people and scripts."""

    hub: str
    state: str
    """"connecting", "connected", "waiting", "refused"; "stopped" where no daemon runs."""
    since: datetime | None
    last_acknowledgement: datetime | None
    last_error: str
    clock_offset_seconds: float | None


@dataclass(frozen=True, slots=True)
class Status:
    """All that is known of an agent from outside."""

    running: bool
    told: Mapping[str, Any]
    """What the daemon told last, as it lies in the file; empty where none ever ran."""
    sources: Sequence[SourceVitals]
    offsets: Mapping[str, int]
    """By source: up to which byte its newest file was read."""
    spool: SpoolVitals


def tell(state_dir: Path, connection: Connection, sources: Sequence[SourceVitals]) -> None:
    """Replace the status file. Blocks; a reader sees the old one or the new one, never half of it."""
    told = {
        "format": FORMAT,
        "pid": os.getpid(),
        "version": VERSION,
        "time": show.iso(datetime.now(UTC)),
        "hub": connection.hub,
        "connection": connection.state,
        "connection_since": show.iso(connection.since),
        "last_acknowledgement": show.iso(connection.last_acknowledgement),
        "last_error": connection.last_error,
        "clock_offset_seconds": connection.clock_offset_seconds,
        "sources": [json_format.MessageToDict(source) for source in sources],
    }
    fresh = state_dir / f"{NAME}.new"
    fresh.write_text(json.dumps(told, indent=1))
    fresh.replace(state_dir / NAME)


def read(state_dir: Path) -> Status:
    """Return how the agent of a state folder is, whether it runs or not."""
    if not state_dir.is_dir():
        raise OperatorError(
            f"there is no state folder {state_dir}", "Enrol this machine first: artemis enroll TOKEN"
        )
    running, told = is_running(state_dir), _told(state_dir / NAME)
    found = peek(state_dir)
    if found is None:
        return Status(running, told, [], {}, SpoolVitals())
    saved = found.of_sources("counters")
    live = {source.name: source for source in _sources(told)} if running else {}
    return Status(
        running=running,
        told=told,
        sources=[live.get(name) or counters.read(note) for name, note in sorted(saved.items())],
        offsets={name: _offset(note) for name, note in found.of_sources("position").items()},
        spool=spool_vitals(found.depth, found.acknowledged),
    )


def spool_vitals(depth: Depth, acknowledged: int) -> SpoolVitals:
    """Return how a spool is."""
    vitals = SpoolVitals(alerts=depth.alerts, bytes=depth.bytes, acknowledged=acknowledged)
    if depth.oldest_us is not None:
        vitals.oldest_age_seconds = max(0.0, time.time() - depth.oldest_us / 1_000_000)
    return vitals


def as_json(status: Status, *, name: str) -> dict[str, object]:
    """Return a status as JSON values; `name` is the node's, as enrolled."""
    told = status.told
    return {
        "running": status.running,
        "node": name or None,
        "pid": told.get("pid") if status.running else None,
        "version": told.get("version"),
        "hub": told.get("hub"),
        "connection": told.get("connection") if status.running else "stopped",
        "connection_since": told.get("connection_since") if status.running else None,
        "last_acknowledgement": told.get("last_acknowledgement"),
        "last_error": told.get("last_error"),
        "clock_offset_seconds": told.get("clock_offset_seconds"),
        "spool": view.spool_view(status.spool),
        "sources": [
            view.source_view(source) | {"offset": status.offsets.get(source.name)}
            for source in status.sources
        ],
    }


def rows(status: Status, *, name: str) -> Iterator[Row]:
    """Yield a status for people."""
    told = status.told
    yield "agent", f"runs, pid {told.get('pid', '?')}" if status.running else "does not run: artemis run"
    yield "node", name or "not enrolled: artemis enroll TOKEN"
    yield "hub", str(told.get("hub") or show.UNKNOWN)
    if status.running:
        yield "connection", f"{told.get('connection')} since {told.get('connection_since')}"
    yield "last acknowledgement", str(told.get("last_acknowledgement") or "none")
    if told.get("last_error"):
        yield "last error", str(told["last_error"])
    yield "spool", show.spool_line(status.spool)
    for source in status.sources:
        yield from show.source_rows(source)
        if source.name in status.offsets:
            yield "", f"read up to byte {show.count(status.offsets[source.name])}"


def _told(path: Path) -> Mapping[str, Any]:
    try:
        told = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise OperatorError(
            f"cannot read {path}: {error}", "Run this as the user that artemis runs as, or as root."
        ) from error
    return told if isinstance(told, dict) and told.get("format") == FORMAT else {}


def _sources(told: Mapping[str, Any]) -> Iterator[SourceVitals]:
    for source in told.get("sources", ()):
        yield json_format.ParseDict(source, SourceVitals(), ignore_unknown_fields=True)


def _offset(position: bytes) -> int:
    files = [known for known in decode(position).files if not known.left]
    return files[-1].offset if files else 0
