"""Set the demo's stage, play the recordings on it, and clear it away."""

import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from socme.demo import processes, replay
from socme.demo.guide import guide
from socme.demo.layout import SCREEN, SITES, Layout, Site, settings
from socme.demo.processes import Daemon, Say, command
from socme.errors import OperatorError, first

LOOK_SECONDS = 0.2  # between two looks whether the first alert is stored


class _TimeIsUp(Exception):  # noqa: N818 - no error
    """The demo was asked to end by itself."""


@contextmanager
def stage(keep: Path | None) -> Iterator[Path]:
    """Give an empty folder: a temporary one, or `keep`, which stays."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="socme-demo-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        empty = not any(keep.iterdir())
    except OSError as error:
        raise OperatorError(f"cannot use {keep}: {error}", "Name another folder with --keep.") from error
    if not empty:
        raise OperatorError(f"{keep} is not empty", "Name a new folder with --keep, or remove what is in it.")
    yield keep.absolute()


async def run(folder: Path, say: Say, *, seconds: float | None, kept: bool) -> None:
    """Run the demo until cancelled, or for so many seconds after all of it runs."""
    layout = Layout(folder, processes.free_port(), processes.free_port(), processes.free_port())
    for path, text in settings(layout).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    failure: OperatorError | None = None
    try:
        async with asyncio.TaskGroup() as group:
            await _Play(layout, say, group).perform(seconds, kept=kept)
    except* _TimeIsUp:
        pass
    except* OperatorError as errors:
        failure = first(errors)
    if failure is not None:
        raise failure


class _Play:
    """One performance: its daemons, by the names that people call them."""

    def __init__(self, layout: Layout, say: Say, group: asyncio.TaskGroup) -> None:
        self._layout = layout
        self._say = say
        self._group = group
        self._processes: dict[str, int] = {}

    async def perform(self, seconds: float | None, *, kept: bool) -> None:
        layout = self._layout
        began = time.monotonic()
        self._say("starting the hub …")
        await self._start("hub", "zeus", "serve", layout.zeus)
        async with asyncio.TaskGroup() as opening:
            opening.create_task(self._wall())
            opening.create_task(self._sites(began))
        self._say(guide(layout, self._processes, kept=kept))
        if seconds is not None:
            await asyncio.sleep(seconds)
            raise _TimeIsUp

    async def _sites(self, began: float) -> None:
        """Start one site first: two at once would both be late with their first alert."""
        quick, *others = SITES
        await self._site(quick)
        async with asyncio.TaskGroup() as opening:
            opening.create_task(self._tell_first_alert(began))
            for site in others:
                opening.create_task(self._site(site))

    async def _tell_first_alert(self, began: float) -> None:
        await _first_alert(self._layout)
        self._say(f"the first alert is stored, {time.monotonic() - began:.0f} s after the start")

    async def _site(self, site: Site) -> None:
        layout = self._layout
        await command("zeus", "client", "add", site.client, "--config", str(layout.zeus))
        names = ("--client", site.client, "--node", site.node)
        token = await command("zeus", "token", "create", *names, "--config", str(layout.zeus))
        config = layout.artemis(site)
        await command("artemis", "enroll", token.strip(), "--config", str(config))
        for path in (layout.eve(site), layout.wazuh(site)):
            path.parent.mkdir(parents=True)
            path.touch()
        self._group.create_task(_play(layout, site), name=f"recordings of {site.client}")
        await self._start(site.node, "artemis", "run", config)
        self._say(f"the node {site.node} of {site.client} runs")

    async def _wall(self) -> None:
        layout = self._layout
        token = await command("zeus", "token", "create", "--display", SCREEN, "--config", str(layout.zeus))
        await command("hermes", "enroll", token.strip(), "--config", str(layout.hermes))
        await self._start(SCREEN, "hermes", "run", layout.hermes)
        self._say(f"the wall is at {layout.wall}")

    async def _start(self, name: str, program: str, verb: str, config: Path) -> None:
        """Start a daemon; return when it is ready."""
        ready = asyncio.Event()

        def started(process: int) -> None:
            self._processes[name] = process
            ready.set()

        daemon = Daemon(
            f"{program} ({name})", program, (verb, "--config", str(config)), self._layout.log(name)
        )
        self._group.create_task(processes.run(daemon, self._say, started), name=daemon.name)
        await ready.wait()


async def _play(layout: Layout, site: Site) -> None:
    """Play the recordings at a site for ever, the same way each time."""
    rng = random.Random(site.seed)  # noqa: S311 - no secret
    paces = replay.pauses(rng)
    for beat in replay.endless(replay.beats(*replay.recorded()), rng):
        await asyncio.sleep(next(paces))
        replay.play(beat, datetime.now(UTC), site.names, layout.eve(site), layout.wazuh(site))


async def _first_alert(layout: Layout) -> None:
    """Return when the hub's store holds an alert."""
    question = ("alert", "list", "--limit", "1", "--json", "--config", str(layout.zeus))
    while not await command("zeus", *question):  # noqa: ASYNC110 - the store is another process's
        await asyncio.sleep(LOOK_SECONDS)
