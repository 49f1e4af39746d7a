"""Everything an operator may set for Zeus."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from socme.settings import Address, Section, Settings


class StoreSettings(Section):
    """Where alerts are kept and searched."""

    url: str = "sqlite:///zeus.db"
    """An SQLAlchemy URL. A relative SQLite path is relative to state_dir."""


class JournalSettings(Section):
    """The log of accepted batches."""

    keep_bytes: Annotated[int, Field(ge=1024 * 1024)] = 1024**3
    """How much of the journal is kept behind the slowest reader, so that a watcher that was away can catch
    up. What a sink has not read yet is always kept."""


class ZeusSettings(Settings):
    """The whole of zeus.toml."""

    model_config = SettingsConfigDict(env_prefix="ZEUS_")

    state_dir: Path = Path("/var/lib/zeus")
    """Folder for everything that Zeus writes: CA, journal, database. Relative to the settings file's
    folder."""

    listen: Address = "0.0.0.0:8443"
    """Where nodes and screens connect (mutual TLS)."""

    enroll_listen: Address | None = None
    """Where new nodes and screens trade their token for a certificate. It asks for no client certificate,
    so it is a port of its own, which a firewall may close while nobody enrols. None: the port after that of
    `listen`."""

    public_address: Address | None = None
    """How nodes reach `listen`, "host:port"; it is written into enrolment tokens. None: as `listen`."""

    public_enroll_address: Address | None = None
    """How nodes reach `enroll_listen`. None: the host of `public_address` with the port of
    `enroll_listen`."""

    store: StoreSettings = StoreSettings()
    """Where alerts are kept and searched."""

    journal: JournalSettings = JournalSettings()
    """The log of accepted batches."""

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        """Refuse one address for both ports; port 0 is another one each time."""
        if self.enroll_listen == self.listen and not self.listen.endswith(":0"):
            raise ValueError("enroll_listen must be another port than listen")
        return self
