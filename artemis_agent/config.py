"""Everything an operator may set for Artemis."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from artemis_agent.place import is_changing
from artemis_agent.plan import Api, BreakGlass, Burst, Follow, MailServer, Neighbours, Plan
from artemis_agent.source import Kind
from socme.address import split
from socme.errors import OperatorError
from socme.settings import Section, Settings, SeverityName, beside, load

MOST_SOURCES = 32  # a hub looks at no more of one node (zeus_hub/trend.py)
VITALS_OF_A_CANARY = 4  # what the hub makes of a canary is as old as the vitals that tell of it
LEAST_VITALS = 1.0  # seconds between two vitals
MAIL_PORTS = {"starttls": 587, "tls": 465, "none": 25}

UnitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9@:_.\\-]{0,239}\.[a-z]+$")]
"""A setting that names a systemd unit with its kind: "suricata.service"."""


class SourceSettings(Section):
    """One file to follow."""

    kind: Kind
    """What writes it: "suricata" (eve.json) or "wazuh" (alerts.json of Wazuh 4)."""

    path: Path
    """The file; it need not exist yet. A relative path is relative to the settings file's folder. Where
    Suricata rotates by itself (`rotate-interval`), its name may hold strftime's codes, as in suricata.yaml,
    or `*`: "eve-%Y-%m-%d-%H:%M.json". The newest such file is the log, the others are its rotated files.
    With `threaded: yes`, let each thread's files be a source of its own: "eve-%Y-%m-%d-%H:%M.1.json"."""

    start: Literal["end", "beginning"] = "end"
    """Where to begin in a file that was never read: "end" sends only what comes from now on, because a
    first start must not flood the hub with old alerts."""

    @field_validator("path")
    @classmethod
    def _only_its_name_changes(cls, path: Path) -> Path:
        """Refuse a folder that changes: only one can be watched."""
        for part in path.parent.parts:
            if is_changing(part):
                raise ValueError(f"only the file's name may hold codes or *, not its folder: {part}")
        return path


class FilterSettings(Section):
    """What leaves the site."""

    min_severity: SeverityName = "low"
    """Alerts below it stay on the site and are counted. The default sends every alert."""

    keep_both: bool = False
    """Whether to send the copy, too, that Wazuh makes of a Suricata alert (rule 86601) which was read from
    eve.json already. Off, because it shows each alert twice, once with the wrong severity."""


class RollupSettings(Section):
    """When alerts that say the same are counted into one. Without this table every alert is sent."""

    burst: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    """So many alerts with the same rule, severity, source, destination and host within a window are sent one
    by one; the further ones are counted into one alert, which is sent at the window's end."""

    window_seconds: Annotated[float, Field(ge=1, le=3600)] = 60.0
    """Length of a window; it begins with the first alert of its kind."""


class CanarySettings(Section):
    """A marked alert beside each source, by which the hub sees that the whole way works."""

    interval_seconds: Annotated[int, Field(ge=0, le=3600)] = 60
    """How often one is written; 0 for never."""


class SpoolSettings(Section):
    """Where alerts wait for the hub."""

    max_bytes: Annotated[int, Field(ge=1024 * 1024)] = 1024**3
    """Size at which the spool is full. 1 GiB holds about 3 million alerts."""

    max_age_days: Annotated[float, Field(gt=0, le=3650)] = 30.0
    """Age at which an alert that the hub never took is given up, and counted. Only time counts in which the
    agent ran, whatever the clock says; and the oldest 64 batches of a lane, which may be on their way, are
    never too old."""

    when_full: Literal["pause", "drop-lowest"] = "pause"
    """"pause": reading stops until the hub has acknowledged some, and the log files are the buffer.
    "drop-lowest": low alerts may fill half of the spool, medium ones three quarters; beyond that they are
    dropped and counted. Where severe ones come that would fill more than nine tenths, the oldest of the low
    and medium ones that wait are given up, counted as well. Only when none is left, high alerts are dropped;
    and where critical ones fill all of it, reading stops."""


class WazuhApiSettings(Section):
    """The API of a Wazuh manager whose own files are not on this machine, as with containers."""

    url: Annotated[str, Field(pattern=r"^https://[^/?#]+$")] = "https://127.0.0.1:55000"
    """Where it is, "https://host:port"."""

    user: Annotated[str, Field(pattern=r"^[^:\s]+$")]
    """A user of Wazuh that may do nothing but read agents (agent:read)."""

    password_file: Path
    """The file with the user's password, readable for Artemis alone."""

    certificate: Path | None = None
    """The API's certificate, or that of whoever issued it; only such a server is talked to then, whatever
    name it has. None: what this system trusts."""


class ProbeSettings(Section):
    """What runs beside Artemis, for the vital signs. What is not on this machine is not looked for."""

    wazuh_manager_unit: UnitName = "wazuh-manager.service"
    """The systemd unit of Wazuh's manager. With containers that is the container's own unit."""

    wazuh_indexer_unit: UnitName = "wazuh-indexer.service"
    """The same of its indexer."""

    wazuh_dashboard_unit: UnitName = "wazuh-dashboard.service"
    """The same of its dashboard."""

    suricata_unit: UnitName = "suricata.service"
    """The same of Suricata."""

    thehive_unit: UnitName = "thehive.service"
    """The same of TheHive."""

    wazuh_dir: Path = Path("/var/ossec")
    """Where the manager is installed: the state of its daemons, and the socket of its database, which tells
    how many agents report. Both are read as a member of the group wazuh."""

    wazuh_api: WazuhApiSettings | None = None
    """Where to ask how many agents report instead. None: wazuh_dir is asked."""

    suricata_config: Path = Path("/etc/suricata/suricata.yaml")
    """Names Suricata's rule files; where it is missing, /var/lib/suricata/rules/suricata.rules is taken."""

    thehive_url: Annotated[str, Field(pattern=r"^https?://[^/?#]+(/[^?#]*)?$")] | None = None
    """Where TheHive is. None: http://127.0.0.1:9000, where this machine has its unit."""


MailAddress = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$",
        max_length=254,
    ),
]
"""A setting that is a mail address, "soc@example.org"."""


class BreakGlassSettings(Section):
    """Whom this node tells of critical alerts itself where it reaches no hub. Without this table, nobody."""

    after_minutes: Annotated[float, Field(ge=0.05, le=1440)] = 15.0
    """How long no hub must have taken anything before the first mail. A hub that refuses this node is one
    that is reached."""

    min_severity: Literal["high", "critical"] = "critical"
    """Alerts below it are not told. What is less severe than high waits for the hub in another lane."""

    to: Annotated[tuple[MailAddress, ...], Field(min_length=1, max_length=10)]
    """Who is told: one to ten mail addresses of the client's own people."""

    sender: MailAddress
    """The mail address that it comes from."""

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,253}$")]
    """The SMTP server; one that can be reached without the way to the hub."""

    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """None: 587, or 465 with security = "tls", or 25 with "none"."""

    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the way to the server is encrypted; never in clear text but with "none"."""

    user: Annotated[str, Field(pattern=r"^[!-~]+$")] | None = None
    """Who logs in there; None for no login."""

    password_file: Path | None = None
    """The file with that user's password, readable for Artemis alone."""

    ca_file: Path | None = None
    """Who vouches for the server (PEM). None: whom this system trusts."""

    @model_validator(mode="after")
    def _login_is_whole(self) -> "BreakGlassSettings":
        """Refuse half a login, and a password that anyone on the way could read."""
        if bool(self.user) != bool(self.password_file):
            raise ValueError("user and password_file belong together: give both or none")
        if self.user and self.security == "none":
            raise ValueError('security = "none" sends no password: use "starttls" or "tls", or no user')
        return self


def _listed(given: object) -> object:
    """Let one address stand for a list of one."""
    return (given,) if isinstance(given, str) else given


def _addresses(given: tuple[str, ...]) -> tuple[str, ...]:
    for address in given:
        split(address)
    return given


Addresses = Annotated[
    tuple[str, ...], BeforeValidator(_listed), AfterValidator(_addresses), Field(min_length=1)
]
"""A setting that is one address, "host:port", or several."""


class OnlyProbes(Settings):
    """Of artemis.toml what `artemis vitals` needs, whatever else stands in it or is missing."""

    model_config = SettingsConfigDict(env_prefix="ARTEMIS_", extra="ignore")

    probes: ProbeSettings = ProbeSettings()


class ArtemisSettings(Settings):
    """The whole of artemis.toml."""

    model_config = SettingsConfigDict(env_prefix="ARTEMIS_")

    state_dir: Path = Path("/var/lib/artemis")
    """Folder for everything that Artemis writes: identity, spool, dead letters. Relative to the settings
    file's folder."""

    hub_address: Addresses | None = None
    """Where the hub is, "host:port"; or a list of its addresses, which are tried in turn. None: where it
    was at enrolment."""

    vitals_interval_seconds: Annotated[float, Field(ge=1, le=3600)] = 30.0
    """How often the node's vital signs are sent, at the least; the hub calls a node stale after three of
    them. They are sent at once, too, when a state changes; and four times between two canaries, or each
    second, so that the hub can name the stage where canaries stop within two of their intervals."""

    source: Annotated[tuple[SourceSettings, ...], Field(min_length=1, max_length=MOST_SOURCES)]
    """The files to follow: one to 32 [[source]] tables."""

    filter: FilterSettings = FilterSettings()
    """What leaves the site."""

    rollup: RollupSettings | None = None
    """When alerts that say the same are counted into one; None for never."""

    spool: SpoolSettings = SpoolSettings()
    """Where alerts wait for the hub."""

    canary: CanarySettings = CanarySettings()
    """A marked alert beside each source, by which the hub sees that the whole way works."""

    probes: ProbeSettings = ProbeSettings()
    """What runs beside Artemis, for the vital signs."""

    break_glass: BreakGlassSettings | None = None
    """Whom this node tells of critical alerts itself where it reaches no hub; None for nobody."""

    @property
    def vitals_seconds(self) -> float:
        """Seconds between two vitals."""
        often = self.canary.interval_seconds / VITALS_OF_A_CANARY
        return max(LEAST_VITALS, min(self.vitals_interval_seconds, often or self.vitals_interval_seconds))

    @field_validator("source")
    @classmethod
    def _no_path_twice(cls, sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
        """Refuse a file that is followed twice: its position is kept by its path."""
        paths = [source.path for source in sources]
        for path in paths:
            if paths.count(path) > 1:
                raise ValueError(f"two sources follow {path}")
        return sources


def plan(config: Path) -> Plan:
    """Read and check a settings file; return what it comes to."""
    return plan_of(load(ArtemisSettings, config), config)


def plan_of(settings: ArtemisSettings, config: Path) -> Plan:
    """Return what settings come to that stand in a file."""
    follows = [Follow(beside(config, each.path), each.kind, each.start) for each in settings.source]
    if len({each.path for each in follows}) < len(follows):
        raise OperatorError(f"{config}: two [[source]] tables name the same file", "Remove one of them.")
    rollup, spool = settings.rollup, settings.spool
    return Plan(
        state_dir=beside(config, settings.state_dir),
        hub_addresses=settings.hub_address or (),
        follows=tuple(follows),
        vitals_seconds=settings.vitals_seconds,
        canary_seconds=settings.canary.interval_seconds,
        min_severity=settings.filter.min_severity,
        keep_both=settings.filter.keep_both,
        rollup=Burst(rollup.burst, rollup.window_seconds) if rollup else None,
        spool_bytes=spool.max_bytes,
        spool_days=spool.max_age_days,
        drops_lowest=spool.when_full == "drop-lowest",
        neighbours=neighbours_of(settings.probes, config),
        break_glass=None if settings.break_glass is None else break_glass_of(settings.break_glass, config),
    )


def neighbours_of(settings: ProbeSettings, config: Path) -> Neighbours:
    """Return what settings say of what runs beside the agent."""
    api = settings.wazuh_api
    return Neighbours(
        wazuh_manager_unit=settings.wazuh_manager_unit,
        wazuh_indexer_unit=settings.wazuh_indexer_unit,
        wazuh_dashboard_unit=settings.wazuh_dashboard_unit,
        suricata_unit=settings.suricata_unit,
        thehive_unit=settings.thehive_unit,
        wazuh_dir=beside(config, settings.wazuh_dir),
        wazuh_api=None if api is None else _api(api, config),
        suricata_config=beside(config, settings.suricata_config),
        thehive_url=settings.thehive_url,
    )


def break_glass_of(settings: BreakGlassSettings, config: Path) -> BreakGlass:
    """Return what settings say of whom this node tells itself."""
    server = MailServer(
        host=settings.host,
        port=settings.port or MAIL_PORTS[settings.security],
        security=settings.security,
        user=settings.user or "",
        password_file=None if settings.password_file is None else beside(config, settings.password_file),
        ca_file=None if settings.ca_file is None else beside(config, settings.ca_file),
    )
    return BreakGlass(
        after_seconds=settings.after_minutes * 60,
        min_severity=settings.min_severity,
        recipients=settings.to,
        sender=settings.sender,
        server=server,
    )


def _api(settings: WazuhApiSettings, config: Path) -> Api:
    return Api(
        url=settings.url,
        user=settings.user,
        password_file=beside(config, settings.password_file),
        certificate=None if settings.certificate is None else beside(config, settings.certificate),
    )
