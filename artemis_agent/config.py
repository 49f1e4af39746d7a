"""Everything an operator may set for Artemis."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from socme.settings import Address, Section, Settings, SeverityName

Kind = Literal["suricata", "wazuh"]


class SourceSettings(Section):
    """One file to follow."""

    kind: Kind
    """What writes it: "suricata" (eve.json) or "wazuh" (alerts.json of Wazuh 4)."""

    path: Path
    """The file; it need not exist yet. A relative path is relative to the settings file's folder."""

    start: Literal["end", "beginning"] = "end"
    """Where to begin in a file that was never read: "end" sends only what comes from now on, because a
    first start must not flood the hub with old alerts."""


class FilterSettings(Section):
    """What leaves the site."""

    min_severity: SeverityName = "low"
    """Alerts below it stay on the site and are counted. The default sends every alert."""

    keep_both: bool = False
    """Whether to send the copy, too, that Wazuh makes of a Suricata alert (rule 86601) which was read from
    eve.json already. Off, because it shows each alert twice, once with the wrong severity."""


class SpoolSettings(Section):
    """Where alerts wait for the hub."""

    max_bytes: Annotated[int, Field(ge=1024 * 1024)] = 1024**3
    """Size at which reading pauses until the hub has acknowledged some; the log files are the buffer
    then. 1 GiB holds about 3 million alerts."""


class ArtemisSettings(Settings):
    """The whole of artemis.toml."""

    model_config = SettingsConfigDict(env_prefix="ARTEMIS_")

    state_dir: Path = Path("/var/lib/artemis")
    """Folder for everything that Artemis writes: identity, spool, dead letters. Relative to the settings
    file's folder."""

    hub_address: Address | None = None
    """Where the hub is, "host:port". None: where it was at enrolment."""

    vitals_interval_seconds: Annotated[float, Field(ge=1, le=3600)] = 10.0
    """How often the node's vital signs are sent; the hub calls a node stale after three of them."""

    source: Annotated[tuple[SourceSettings, ...], Field(min_length=1)]
    """The files to follow: one or more [[source]] tables."""

    filter: FilterSettings = FilterSettings()
    """What leaves the site."""

    spool: SpoolSettings = SpoolSettings()
    """Where alerts wait for the hub."""

    @field_validator("source")
    @classmethod
    def _no_path_twice(cls, sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
        """Refuse a file that is followed twice: its position is kept by its path."""
        paths = [source.path for source in sources]
        for path in paths:
            if paths.count(path) > 1:
                raise ValueError(f"two sources follow {path}")
        return sources
