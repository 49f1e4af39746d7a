"""What the settings come to: plain values, every path absolute.

The daemon goes by this and not by the settings: what reads and checks those takes a sixth of its memory, and
is done in a process of its own (socme.launch).
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """How the wall looks; each value as hermes_display.config.WallSettings says it."""

    title: str
    language: str
    theme: str
    scale: float
    sound: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a screen does; each value as hermes_display.config says it."""

    state_dir: Path
    hub_address: str | None
    listen: str
    clients: tuple[str, ...]
    min_severity: str
    looks: Looks
