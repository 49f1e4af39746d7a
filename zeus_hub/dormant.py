"""Fan-out that sleeps until there are rules: what it needs takes 25 MB, and many hubs only show alerts."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from zeus_hub import schema
from zeus_hub.database import reading
from zeus_hub.fleet import Seen
from zeus_hub.plan import RULE_FILES

if TYPE_CHECKING:
    from zeus_hub.fanout import FanOut

LOOK_SECONDS = 2.0  # between two looks whether there are rules


class Dormant:
    """Lives on the event loop."""

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        clock: Callable[[], datetime],
        nodes: Callable[[], Iterable[Seen]] = tuple,
    ) -> None:
        self._engine = engine
        self._folder = folder
        self._clock = clock
        self._nodes = nodes  # all of them, as they are now
        self._awake: FanOut | None = None

    def problems(self) -> Mapping[str, str]:
        """Return why the rules are refused, under "routes", and why receivers cannot be told, by name.

        Empty texts where all is well.
        """
        return {} if self._awake is None else self._awake.problems()

    async def run(self) -> None:
        """Wait for rules, and fan out for ever from then on."""
        loop = asyncio.get_running_loop()
        while not await loop.run_in_executor(None, self._is_wanted):  # noqa: ASYNC110 - asks files
            await asyncio.sleep(LOOK_SECONDS)
        await loop.run_in_executor(None, _import)
        from zeus_hub.fanout import FanOut  # noqa: PLC0415

        self._awake = FanOut(self._engine, self._folder, self._clock, nodes=self._nodes)
        await self._awake.run()

    def _is_wanted(self) -> bool:
        """Tell whether there are rules, or were some: that they are gone is for a person to say."""
        with suppress(OSError, SQLAlchemyError):  # asked again; whoever needs them says what is wrong
            if any(self._folder.glob(RULE_FILES)):
                return True
            with reading(self._engine) as connection:
                return connection.execute(select(schema.router.c.name)).first() is not None
        return False


def _import() -> None:
    """Import what takes a while, off the event loop."""
    import zeus_hub.fanout  # noqa: F401, PLC0415
