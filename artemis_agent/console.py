"""`artemis vitals`: measures this machine now, whether a daemon runs or not, whoever asks.

What only the agent's own user may read is told as unknown to everybody else.
"""

import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from threading import Event

import psutil

from artemis_agent import ledger, status, vitals
from artemis_agent.config import OnlyProbes, ProbeSettings, neighbours_of
from artemis_agent.probes import roster
from artemis_agent.probes.outside import UnknownError, refusal
from artemis_agent.probes.panel import Panel
from artemis_agent.salvage import FILE
from artemis_agent.status import Status
from socme import commands, settings
from socme.errors import OperatorError
from socme.v1.vitals_pb2 import Vitals

PROGRAM = "artemis"
MOMENT = 0.25  # seconds, long enough to see how busy the processors are; the kernel counts hundredths


def gather(config: Path) -> Vitals:
    """Return all that can be learnt here. Settings that are named and wrong are an OperatorError."""
    unknown: dict[str, str] = {}
    try:
        wanted, state_dir = _settings(config), commands.state_dir(config, program=PROGRAM)
    except OperatorError as error:
        if config != commands.config_path(PROGRAM):
            raise
        unknown["settings"] = _first_line(error)
        wanted, state_dir = ProbeSettings(), Path("/var/lib") / PROGRAM
    known = _status(state_dir, unknown)
    folders = [state_dir, *(Path(source.name).parent for source in known.sources)] if known else [state_dir]
    panel = Panel(
        [
            *vitals.probes(folders),
            *roster.probes(neighbours_of(wanted, config)),
            roster.certificate(state_dir),
        ]
    )
    Event().wait(MOMENT)
    found = panel.tell()
    vitals.stamp(found)
    _add_daemon(found, known)
    if known is not None:
        _add_agent(found, known, state_dir, unknown)
    for field, why in unknown.items():
        found.unknown[field] = why
    return found


def _settings(config: Path) -> ProbeSettings:
    if config == commands.config_path(PROGRAM) and not config.exists():
        return ProbeSettings()
    return settings.load(OnlyProbes, config).probes


def _status(state_dir: Path, unknown: dict[str, str]) -> Status | None:
    """Return how the agent is; None where there is none, or nobody may say."""
    try:
        if state_dir.is_dir():
            return status.read(state_dir)
    except OperatorError as error:
        unknown["spool"] = _first_line(error)
    except OSError as error:
        unknown["spool"] = str(refusal(error))
    return None


def _add_daemon(found: Vitals, known: Status | None) -> None:
    """Put the daemon in place of this command, which the panel measured."""
    found.agent_uptime_seconds = found.agent_memory_bytes = 0
    pid = known.told.get("pid") if known is not None and known.running else None
    if not isinstance(pid, int):
        return
    try:
        daemon = psutil.Process(pid)
        found.agent_uptime_seconds = max(0, int(time.time() - daemon.create_time()))
        found.agent_memory_bytes = daemon.memory_info().rss
    except (psutil.Error, OSError, ValueError) as error:  # hidden, or gone just now
        found.unknown["agent_memory_bytes"] = str(UnknownError(f"process {pid}: {type(error).__name__}"))


def _add_agent(found: Vitals, known: Status, state_dir: Path, unknown: dict[str, str]) -> None:
    """Add what the agent knows."""
    found.sources.extend(known.sources)
    found.spool.CopyFrom(known.spool)
    offset = known.told.get("clock_offset_seconds")
    if known.running and isinstance(offset, int | float):
        found.clock_offset_seconds = offset
    try:
        vitals.add_suricata(found, _day_records(state_dir))
    except (OSError, sqlite3.Error) as error:
        unknown["suricata.day_records"] = str(UnknownError(str(error)))


def _day_records(state_dir: Path) -> Mapping[str, int]:
    file = state_dir / FILE
    if not file.is_file():
        return {}
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
        return ledger.day_records(
            lambda sql, values: db.execute(sql, (*values,)).fetchall(),
            ledger.this_hour(),
        )


def _first_line(error: OperatorError) -> str:
    return str(UnknownError(str(error.args[0])))
