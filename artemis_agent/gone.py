"""A source that is no longer followed: it gives nothing, and lets what is held of it leave."""

import asyncio
from dataclasses import dataclass

from artemis_agent.source import Health, Kind, Reading


@dataclass(frozen=True, slots=True)
class GoneSource:
    """Stands where it was left; an artemis_agent.source.Source."""

    name: str
    kind: Kind
    position: bytes
    """Where the spool has it; it stays there, for the day on which the source is followed again."""

    def read(self) -> Reading:
        """Return nothing."""
        return Reading((), (), self.position, 0, 0, more=False)

    def look(self) -> None:
        """There is nothing to be lost."""

    def health(self) -> Health:
        """Return that there is nothing to be told."""
        return Health(lag_bytes=0, problem="", lost_bytes=0, rotations=0)

    async def changed(self) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()

    def close(self) -> None:
        """Nothing is open."""
