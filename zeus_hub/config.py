"""Everything an operator may set for Zeus."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from socme.settings import Address, Section, Settings, beside, load
from zeus_hub.plan import Days, Limits, Plan, Retention

DayCount = Annotated[int, Field(ge=1, le=36_500)]


class RetentionDays(Section):
    """How many days alerts are kept, by severity."""

    low: DayCount | None = None
    """Days from their arrival at the hub. None: for ever; of a client, as for all clients."""

    medium: DayCount | None = None
    """As `low`."""

    high: DayCount | None = None
    """As `low`. Those of the last 30 days count as open on walls: fewer would leave out what is counted."""

    critical: DayCount | None = None
    """As `high`. What has no severity that is known is kept as long as the longest of the four, and for ever
    where one is."""


class RetentionSettings(RetentionDays):
    """How many days alerts are kept."""

    clients: dict[str, RetentionDays] = Field(default_factory=dict)
    """The same for single clients, by their names."""


class StoreSettings(Section):
    """Where alerts are kept and searched."""

    url: str = "sqlite:///zeus.db"
    """A file, relative to state_dir where its path is, or a database on PostgreSQL, as libpq's URLs have it:
    "postgresql://USER@HOST/NAME" (docs/postgresql.md)."""

    retention: RetentionSettings = RetentionSettings()
    """How many days alerts are kept; without it, all of them for ever."""


class JournalSettings(Section):
    """The log of accepted batches."""

    keep_bytes: Annotated[int, Field(ge=1024 * 1024)] = 1024**3
    """How much of the journal is kept behind the slowest reader, so that a watcher that was away can catch
    up. What a sink has not read yet is always kept."""


class ConditionSettings(Section):
    """From where on the hub raises alerts of its own."""

    sensor_silent_seconds: Annotated[float, Field(gt=0)] = 180
    """How long a source may give no record where it gives one every few seconds: Suricata with its stats
    events."""

    source_silent_seconds: Annotated[float, Field(gt=0)] = 21_600
    """The same for any other source. Wazuh of a small site can be quiet for hours."""

    no_traffic_seconds: Annotated[float, Field(gt=0)] = 180
    """How long a sensor may see no packet at all."""

    drops_share: Annotated[float, Field(gt=0, le=1)] = 0.01
    """Share of its packets that a sensor may lose within a minute or two."""

    spool_share: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Share of a node's spool that may be full."""

    lag_bytes: Annotated[int, Field(ge=0)] = 16 * 1024 * 1024
    """How much of a source a node may have unread without being late."""

    lag_seconds: Annotated[float, Field(gt=0, le=3600)] = 300
    """How long it may be more than that, and grow."""

    clock_skew_seconds: Annotated[float, Field(gt=0)] = 5
    """How far a node's clock may be off."""

    certificate_days: Annotated[float, Field(ge=0)] = 14
    """How long before the end of a certificate it is told."""

    sink_stuck_seconds: Annotated[float, Field(gt=0)] = 60
    """How long a sink may take nothing while there is something for it."""

    hub_free_bytes: Annotated[int, Field(ge=0)] = 1024**3
    """How much must be free on the disk of the hub's state_dir."""


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

    routes_dir: Path = Path("routes.d")
    """Folder with the rules of who is told of which alerts, `*.toml` (docs/routes.md); it need not be there.
    Relative to the settings file's folder."""

    store: StoreSettings = StoreSettings()
    """Where alerts are kept and searched."""

    journal: JournalSettings = JournalSettings()
    """The log of accepted batches."""

    conditions: ConditionSettings = ConditionSettings()
    """From where on the hub raises alerts of its own."""

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        """Refuse one address for both ports; port 0 is another one each time."""
        if self.enroll_listen == self.listen and not self.listen.endswith(":0"):
            raise ValueError("enroll_listen must be another port than listen")
        return self


def plan(config: Path, *, file: Path | None = None) -> Plan:
    """Read and check a settings file, or `file` in its place; return what it comes to."""
    return plan_of(load(ZeusSettings, file or config), config)


def plan_of(settings: ZeusSettings, config: Path) -> Plan:
    """Return what settings come to that stand in a file."""
    return Plan(
        state_dir=beside(config, settings.state_dir),
        listen=settings.listen,
        enroll_listen=settings.enroll_listen,
        public_address=settings.public_address,
        public_enroll_address=settings.public_enroll_address,
        routes_dir=beside(config, settings.routes_dir),
        database=settings.store.url,
        retention=retention_of(settings.store.retention),
        keep_bytes=settings.journal.keep_bytes,
        limits=limits_of(settings.conditions),
    )


def retention_of(settings: RetentionSettings) -> Retention:
    """Return what settings say of how long alerts are kept."""
    clients = {name: Days(**days.model_dump()) for name, days in settings.clients.items()}
    return Retention(**settings.model_dump(exclude={"clients"}), clients=clients)


def limits_of(settings: ConditionSettings) -> Limits:
    """Return what settings say of when the hub raises alerts of its own."""
    return Limits(**settings.model_dump())
