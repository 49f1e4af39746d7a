"""What the settings come to: plain values, folders absolute.

The hub goes by this and not by the settings: what reads and checks those takes a tenth of its memory, and is
done in a process of its own (socme.launch).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

RULE_FILES = "[!.]*.toml"  # in `routes_dir`; what begins with a dot is an editor's


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """How many days alerts are kept, by severity; None: as of all clients, and of those for ever."""

    low: int | None = None
    medium: int | None = None
    high: int | None = None
    critical: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention(Days):
    """The same of all clients, and of single ones by their names."""

    clients: Mapping[str, Days] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From where on the hub raises alerts of its own; as zeus_hub.config.ConditionSettings says it."""

    sensor_silent_seconds: float
    source_silent_seconds: float
    no_traffic_seconds: float
    drops_share: float
    spool_share: float
    lag_bytes: int
    lag_seconds: float
    clock_skew_seconds: float
    certificate_days: float
    sink_stuck_seconds: float
    hub_free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a hub does; each value as zeus_hub.config says it."""

    state_dir: Path
    listen: str
    enroll_listen: str | None
    public_address: str | None
    public_enroll_address: str | None
    routes_dir: Path
    database: str
    """Its URL."""
    retention: Retention
    keep_bytes: int
    """Of the journal."""
    limits: Limits
