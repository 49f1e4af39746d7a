"""What the settings come to: plain values, every path absolute.

The daemon goes by this and not by the settings: what reads and checks those takes a fifth of its memory, and
is done in a process of its own (socme.launch).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from artemis_agent.source import Kind


@dataclass(frozen=True, slots=True)
class Follow:
    """One file to follow."""

    path: Path
    kind: Kind
    start: Literal["end", "beginning"]
    """Where to begin in a file that was never read."""


@dataclass(frozen=True, slots=True)
class Burst:
    """When alerts that say the same are counted into one."""

    alerts: int
    """Of a window that are sent one by one."""
    window_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """How to ask an API."""

    url: str
    user: str
    password_file: Path
    certificate: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """What runs beside the agent; each value as artemis_agent.config.ProbeSettings says it."""

    wazuh_manager_unit: str
    wazuh_indexer_unit: str
    wazuh_dashboard_unit: str
    suricata_unit: str
    thehive_unit: str
    wazuh_dir: Path
    wazuh_api: Api | None
    suricata_config: Path
    thehive_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed in; each value as artemis_agent.config.BreakGlassSettings says it."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    user: str
    password_file: Path | None
    ca_file: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    """When this node tells people of alerts itself, and whom; as BreakGlassSettings says it."""

    after_seconds: float
    min_severity: str
    recipients: tuple[str, ...]
    sender: str
    server: MailServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an agent does; each value as artemis_agent.config says it."""

    state_dir: Path
    hub_addresses: tuple[str, ...]
    """Empty: where the hub was at enrolment."""
    follows: tuple[Follow, ...]
    vitals_seconds: float
    canary_seconds: int
    min_severity: str
    keep_both: bool
    rollup: Burst | None
    spool_bytes: int
    spool_days: float
    drops_lowest: bool
    neighbours: Neighbours
    break_glass: BreakGlass | None
    """None: this node tells nobody of anything but the hub."""
