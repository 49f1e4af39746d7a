"""Everything an operator may set for Hermes."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints
from pydantic_settings import SettingsConfigDict

from hermes_display.plan import Looks, Plan
from socme.settings import Address, Section, Settings, SeverityName, beside, load


class WatchSettings(Section):
    """What the screen shows."""

    clients: tuple[str, ...] = ()
    """Only these clients; empty for all that the screen's certificate allows."""

    min_severity: SeverityName = "low"
    """Alerts below it are not shown."""


class WallSettings(Section):
    """How the wall looks."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=24, strip_whitespace=True)] = "HERMES"
    """What stands at the top left, as the name of the team or of the room."""

    language: Literal["en", "fr"] = "en"
    """The language of the wall's own words; what sensors and the hub say stays as it is."""

    theme: Literal["dark", "light"] = "dark"
    """Light is for a room with much daylight."""

    scale: Annotated[float, Field(ge=1.0, le=1.5)] = 1.0
    """By how much larger everything is drawn, for a small screen or a far eye. Above 1, the bottom row (the
    last day, tactics, nodes) makes room for it."""

    sound: bool = False
    """Whether a new critical alert makes a sound."""


class HermesSettings(Settings):
    """The whole of hermes.toml."""

    model_config = SettingsConfigDict(env_prefix="HERMES_")

    state_dir: Path = Path("/var/lib/hermes")
    """Folder for everything that Hermes writes: its identity. Relative to the settings file's folder."""

    hub_address: Address | None = None
    """Where the hub is, "host:port". None: where it was at enrolment."""

    listen: Address = "127.0.0.1:8080"
    """Where the wall page is served. It has no login, so it belongs on loopback."""

    watch: WatchSettings = WatchSettings()
    """What the screen shows."""

    wall: WallSettings = WallSettings()
    """How the wall looks."""


def plan(config: Path) -> Plan:
    """Read and check a settings file; return what it comes to."""
    return plan_of(load(HermesSettings, config), config)


def plan_of(settings: HermesSettings, config: Path) -> Plan:
    """Return what settings come to that stand in a file."""
    return Plan(
        state_dir=beside(config, settings.state_dir),
        hub_address=settings.hub_address,
        listen=settings.listen,
        clients=settings.watch.clients,
        min_severity=settings.watch.min_severity,
        looks=looks_of(settings.wall),
    )


def looks_of(settings: WallSettings) -> Looks:
    """Return what settings say of how the wall looks."""
    return Looks(
        title=settings.title,
        language=settings.language,
        theme=settings.theme,
        scale=settings.scale,
        sound=settings.sound,
    )
