"""How the connection to the hub is: what the uplink knows, for the status and for those it concerns."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from artemis_agent.outcome import Rejected


@dataclass(slots=True)
class Link:
    """The connection's state; `changed` is set at each change."""

    state: str = "connecting"
    """"connecting", "connected", "waiting" (for the next attempt) or "refused"."""
    hub: str = ""
    """Address of the hub that was dialled last."""
    since: datetime | None = None
    """When it came into this state."""
    last_acknowledgement: datetime | None = None
    """When the hub last acknowledged a batch."""
    last_error: str = ""
    """Why the last connection failed; stays for the record when a new one is up."""
    slowed: str = ""
    """Why the hub takes fewer batches than usual now, or none; empty where it does not."""
    paused: bool = False
    """Whether it takes none now."""
    turned_away: bool = False
    """Whether the last attempt ended with a hub's word that this node may not connect."""
    rejected: Rejected | None = None
    """A batch that the hub did not take, until it is split or given up."""
    clock_offset_seconds: float | None = None
    """How far the hub's clock is ahead of this node's; None before the first Welcome."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set where the hub shall have the vitals now and not when it is their time."""

    @property
    def live(self) -> bool:
        """Whether what is spooled now leaves at once."""
        return self.state == "connected" and not self.paused

    def become(self, state: str, *, error: str | None = None) -> None:
        """Change the state; a hub that is not connected slows nothing down."""
        if state != self.state or self.since is None:
            self.state, self.since = state, datetime.now(UTC)
        if state == "connected":
            self.turned_away = False
        if error is not None:
            self.last_error = error
        self.slow("", paused=False)

    def slow(self, reason: str, *, paused: bool) -> None:
        """Take note of what the hub's pace is; an empty reason is the full one."""
        self.slowed, self.paused = reason, paused
        self.changed.set()
