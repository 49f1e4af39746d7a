"""What telling people without a hub is tested with: a spool, a clock that a test moves, a mail server."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from artemis_agent.break_glass import Clock, Glass
from artemis_agent.link import Link
from artemis_agent.plan import BreakGlass, MailServer
from artemis_agent.spool import Progress, Spool, Waiting, open_spool
from socme.v1.alert_pb2 import Alert, Severity
from socme.v1.uplink_pb2 import Lane
from tests.zeus_hub.receivers.post import PASSWORD, USER, Trust

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
MINUTE = 60.0
CRITICAL, HIGH = Severity.SEVERITY_CRITICAL, Severity.SEVERITY_HIGH


def server_at(port: int, folder: Path, trust: Trust) -> MailServer:
    """Return a mail server as settings describe it, with its password in a file."""
    password = folder / "password"
    password.write_text(PASSWORD + "\n")
    return MailServer(
        host="localhost",
        port=port,
        security="starttls",
        user=USER,
        password_file=password,
        ca_file=trust.ca_file,
    )


def asked(server: MailServer, *, min_severity: str = "critical") -> BreakGlass:
    """Return what settings may ask for."""
    return BreakGlass(
        after_seconds=15 * MINUTE,
        min_severity=min_severity,
        recipients=("it@client.example",),
        sender="artemis@client.example",
        server=server,
    )


def alert(number: int, *, severity: int = CRITICAL, name: str = "") -> Alert:
    """Return an alert that is known by its number."""
    made = Alert(id=number.to_bytes(16, "big"), severity=severity, count=1)  # type: ignore[arg-type]
    made.rule.name = name or f"rule {number}"
    made.host.name = f"host-{number}"
    made.source_endpoint.ip = "203.0.113.9"
    return made


@dataclass
class Site:
    """A node without a hub, at noon."""

    folder: Path
    plan: BreakGlass
    link: Link = field(default_factory=Link)
    seconds: float = 0.0
    """Since noon."""

    @asynccontextmanager
    async def agent(self) -> AsyncIterator["Run"]:
        """Run what is tested, from a start to an end."""
        spool = open_spool(self.folder, max_bytes=1 << 30)
        glass = Glass(self.plan, self.folder, spool, self.link, self.clock)
        try:
            yield Run(self, spool, glass)
        finally:
            glass.close()
            await spool.close()

    @property
    def clock(self) -> Clock:
        """The clock that a test moves."""
        return Clock(lambda: NOON + timedelta(seconds=self.seconds), lambda: self.seconds)


@dataclass
class Run:
    """An agent, as far as it is needed here."""

    site: Site
    spool: Spool
    glass: Glass
    acknowledged: int = 0

    async def put(self, *alerts: Alert) -> None:
        """Spool alerts, as urgent ones."""
        waiting = [Waiting(each.SerializeToString(), Lane.LANE_URGENT) for each in alerts]
        await self.spool.append(Progress("eve.json", b"p", b"c", waiting, tally={"read": len(waiting)}))

    async def at(self, minutes: float) -> None:
        """Look at a time, in minutes since noon."""
        self.site.seconds = minutes * MINUTE
        await self.glass.look()

    async def told(self) -> Sequence[int]:
        """Return the numbers of the alerts that a hub would be told of."""
        _, ids = await self.glass.told_since(0)
        return [int.from_bytes(each, "big") for each in ids]
