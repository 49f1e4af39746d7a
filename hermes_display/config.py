"""Everything an operator may set for Hermes."""

from pathlib import Path

from pydantic_settings import SettingsConfigDict

from socme.settings import Address, Section, Settings, SeverityName


class WatchSettings(Section):
    """What the screen shows."""

    clients: tuple[str, ...] = ()
    """Only these clients; empty for all that the screen's certificate allows."""

    min_severity: SeverityName = "low"
    """Alerts below it are not shown."""


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
