"""How the agent is: told by the daemon through a file, read by `artemis status`.

The daemon replaces `<state_dir>/status.json` every few seconds and at each change. What must be right
without a daemon, too (how much waits, how far the files were read), is read from the spool itself.
"""

import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from artemis_agent import canary, counters, ledger
from artemis_agent.file_identity import decode
from artemis_agent.lock import is_running
from artemis_agent.peek import peek, size_of
from artemis_agent.salvage import FILE
from socme import VERSION, show
from socme.errors import OperatorError
from socme.journal import Depth, Journal
from socme.show import Row
from socme.v1.uplink_pb2 import Lane
from socme.v1.vitals_pb2 import SourceVitals, SpoolVitals

FORMAT = 1  # of status.json
NAME = "status.json"
_LANE_NAMES: Mapping[int, str] = {Lane.LANE_NORMAL: "normal", Lane.LANE_URGENT: "urgent"}

Told = TypeVar("Told", bound=Message)


@dataclass(frozen=True, slots=True)
class Connection:
    """How the uplink is, in words for people and scripts."""

    hub: str
    state: str
    """"connecting", "connected", "waiting", "refused"; "stopped" where no daemon runs."""
    since: datetime | None
    last_acknowledgement: datetime | None
    last_error: str
    slowed: str
    """Why the hub takes fewer batches than usual; empty where it does not."""
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
    lanes: Mapping[str, int]
    """Alerts that wait, by lane."""


@dataclass(frozen=True, slots=True)
class Sung:
    """The canaries among a spool's alerts: nobody's business but Artemis's own."""

    waiting: int
    acknowledged: int


def tell(
    state_dir: Path,
    connection: Connection,
    sources: Sequence[SourceVitals],
    spool: SpoolVitals,
    set_aside: str,
    break_glass: Mapping[str, Any] | None = None,
) -> None:
    """Replace the status file. Blocks; a reader sees the old one or the new one, never half of it.

    `set_aside` is the path of a damaged spool that this start met; empty for none. `break_glass` is how
    things stand with telling people itself; None where nobody asked for it.
    """
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
        "slowed": connection.slowed,
        "clock_offset_seconds": connection.clock_offset_seconds,
        "spool": json_format.MessageToDict(spool),
        "set_aside": set_aside,
        "break_glass": break_glass,
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
        return Status(running, told, [], {}, SpoolVitals(), {})
    totals = found.of_sources("counters")
    saved = {name: note for name, note in totals.items() if not canary.is_log(name, state_dir)}
    live = {source.name: source for source in _sources(told)} if running else {}
    lanes = _lanes(state_dir)
    waiting = found.depth.alerts - sum(lanes.values())
    sung = Sung(waiting, _spooled(totals, state_dir) - waiting)
    spool = spool_vitals(found.depth, found.acknowledged, found.dropped, sung)
    if running:  # what the daemon alone knows
        known = _parsed(told.get("spool", {}), SpoolVitals())
        spool.capacity_bytes, spool.unaccounted = known.capacity_bytes, known.unaccounted
        spool.problem = known.problem
    return Status(
        running=running,
        told=told,
        sources=[live.get(name) or counters.read(note) for name, note in sorted(saved.items())],
        offsets={name: _offset(note) for name, note in found.of_sources("position").items()},
        spool=spool,
        lanes=lanes,
    )


def spool_vitals(depth: Depth, acknowledged: int, dropped: Mapping[str, int], sung: Sung) -> SpoolVitals:
    """Return how a spool is, as far as it lies on disk."""
    vitals = SpoolVitals(
        alerts=max(0, depth.alerts - sung.waiting),
        bytes=size_of(depth),
        acknowledged=max(0, acknowledged - sung.acknowledged),
        dropped=dropped,
    )
    if depth.oldest_us is not None:
        vitals.oldest_age_seconds = max(0.0, time.time() - depth.oldest_us / 1_000_000)
    return vitals


def sung(journal: Journal, state_dir: Path) -> Sung:
    """Return how many of a spool's alerts are canaries. Blocks."""
    waiting = ledger.pending(journal.query, lambda source: canary.is_log(source, state_dir))
    totals = {key.partition(":")[2]: note for key, note in journal.notes("counters:").items()}
    return Sung(waiting, _spooled(totals, state_dir) - waiting)


def as_json(status: Status, *, name: str) -> dict[str, object]:
    """Return a status as JSON values; `name` is the node's, as enrolled."""
    from socme import view  # noqa: PLC0415 - the daemon, which tells the status, needs none

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
        "slowed": told.get("slowed") if status.running else None,
        "clock_offset_seconds": told.get("clock_offset_seconds"),
        "spool": view.spool_view(status.spool) | {"lanes": dict(status.lanes)},
        "set_aside": told.get("set_aside"),
        "break_glass": told.get("break_glass"),
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
        if told.get("slowed"):
            yield "slowed", str(told["slowed"])
    yield "last acknowledgement", str(told.get("last_acknowledgement") or "none")
    if told.get("last_error"):
        yield "last error", str(told["last_error"])
    yield from show.spool_rows(status.spool)
    if status.lanes:
        yield "", ", ".join(f"{lane} {show.count(alerts)}" for lane, alerts in status.lanes.items())
    if told.get("set_aside"):
        yield "", f"SET ASIDE: a damaged spool, {told['set_aside']}: artemis spool repair"
    yield from _break_glass_rows(told.get("break_glass") or {})
    for source in status.sources:
        yield from show.source_rows(source)
        if source.name in status.offsets:
            yield "", f"read up to byte {show.count(status.offsets[source.name])}"


def _break_glass_rows(told: Mapping[str, Any]) -> Iterator[Row]:
    """Yield whom this node tells itself, where it does, and what is wrong with that."""
    if told:
        whom = ", ".join(map(str, told.get("to", ())))
        yield "break-glass", f"mails {whom} after {told.get('after_minutes'):g} min without a hub"
        if told.get("last_mail"):
            yield "", f"last mail {told['last_mail']}; {told.get('told')} alerts that it told may wait still"
        if told.get("problem"):
            yield "", f"PROBLEM: {told['problem']}"


def _lanes(state_dir: Path) -> dict[str, int]:
    """Return how many alerts wait in each lane, the urgent one first; canaries are none."""
    lanes = Counter[str]()
    with closing(sqlite3.connect(f"{(state_dir / FILE).absolute().as_uri()}?mode=ro", uri=True)) as db:
        for lane, origin, alerts in db.execute(
            "SELECT lane, origin, sum(alerts) FROM entry GROUP BY lane, origin ORDER BY lane DESC"
        ):
            if not canary.is_log(origin, state_dir):
                lanes[_LANE_NAMES.get(lane, str(lane))] += alerts
    return dict(lanes)


def _spooled(totals: Mapping[str, bytes], state_dir: Path) -> int:
    """Return how many canaries were ever spooled, by the notes of all sources."""
    return sum(
        counters.parse(note).spooled for name, note in totals.items() if canary.is_log(name, state_dir)
    )


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
        yield _parsed(source, SourceVitals())


def _parsed(told: Mapping[str, Any], message: Told) -> Told:
    return json_format.ParseDict(dict(told), message, ignore_unknown_fields=True)


def _offset(position: bytes) -> int:
    files = [known for known in decode(position).files if not known.left]
    return files[-1].offset if files else 0
