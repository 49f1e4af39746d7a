"""The wiring of the agent: makes every stage, hands each what it needs, and runs them together.

    sources ─▶ collect ─▶ spool ─▶ uplink        vitals ─▶ uplink        all ─▶ status

Ends by cancellation alone. What was not committed is read again at the next start.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from artemis_agent import copies, status, uplink
from artemis_agent.collect import Collector, Site
from artemis_agent.config import ArtemisSettings, SourceSettings
from artemis_agent.dead_letter import DeadLetters
from artemis_agent.file_source import open_file_source
from artemis_agent.spool import Spool, open_spool
from artemis_agent.status import Connection, spool_vitals
from artemis_agent.uplink import Link, Uplink
from artemis_agent.vitals import Meter
from artemis_agent.worker import Worker
from socme import VERSION, identity, logs, severity
from socme.errors import OperatorError, first
from socme.identity import Identity
from socme.service import Notifier
from socme.settings import beside
from socme.v1.vitals_pb2 import SourceVitals, Vitals

LOG = logging.getLogger("artemis.agent")

TELL_SECONDS = 2.0  # age of the status file at most
STUCK_SECONDS = 60.0  # a thread that is at one piece of work for so long hangs; systemd shall restart us
COMMAND = "artemis enroll TOKEN"


@dataclass(frozen=True, slots=True)
class Agent:
    """All parts of a running agent."""

    settings: ArtemisSettings
    state_dir: Path
    spool: Spool
    collectors: Sequence[Collector]
    link: Link
    meter: Meter
    probes: Worker
    """The thread that looks at the machine, the identity and the status file."""
    letters: Worker
    """The thread that writes dead letters."""

    def is_working(self) -> bool:
        """Tell whether no thread hangs; that the event loop turns shows by the call itself."""
        workers = (self.spool.worker, self.probes, self.letters, *(each.worker for each in self.collectors))
        return all(worker.busy_seconds < STUCK_SECONDS for worker in workers)

    async def credentials(self) -> tuple[str, Identity]:
        """Return the hub's address and this node's identity as they are now."""
        own = await self.probes.do(lambda: load_identity(self.state_dir))
        return self.settings.hub_address or own.hub_address, own

    async def vitals(self) -> Vitals:
        """Measure everything."""
        vitals = await self.probes.do(self.meter.measure)
        vitals.sources.extend(await self.sources())
        vitals.spool.CopyFrom(spool_vitals(self.spool.depth, self.spool.acknowledged))
        return vitals

    async def sources(self) -> list[SourceVitals]:
        """Return how each source is doing."""
        return [await collector.vitals() for collector in self.collectors]


async def run(settings: ArtemisSettings, config: Path, notifier: Notifier) -> None:
    """Run the agent until it is cancelled. `config` is where the settings came from."""
    state_dir = beside(config, settings.state_dir)
    load_identity(state_dir)  # before anything else: without it nothing can be sent
    try:
        async with AsyncExitStack() as stack:
            agent = await _make(settings, config, state_dir, stack)
            await _run(agent, notifier)
    except BaseExceptionGroup as errors:
        expected, others = errors.split(OperatorError)
        if expected is None or others is not None:
            raise
        raise first(expected) from errors


async def _run(agent: Agent, notifier: Notifier) -> None:
    line = Uplink(
        spool=agent.spool,
        link=agent.link,
        credentials=agent.credentials,
        vitals=agent.vitals,
        interval_seconds=agent.settings.vitals_interval_seconds,
    )
    async with asyncio.TaskGroup() as tasks:
        for number, collector in enumerate(agent.collectors):
            tasks.create_task(collector.run(), name=f"collect-{number}")
        tasks.create_task(agent.spool.run_trim(), name="trim")
        tasks.create_task(uplink.serve(line, random.SystemRandom()), name="uplink")
        tasks.create_task(_tell(agent, notifier), name="status")
        tasks.create_task(notifier.watch(agent.is_working), name="watchdog")
        logs.event(LOG, logging.INFO, "running", version=VERSION, state_dir=agent.state_dir)
        notifier.ready(f"following {len(agent.collectors)} sources")


async def _make(settings: ArtemisSettings, config: Path, state_dir: Path, stack: AsyncExitStack) -> Agent:
    """Open everything; the stack closes it in reverse order."""
    spool = open_spool(state_dir, max_bytes=settings.spool.max_bytes, schema=copies.SCHEMA)
    stack.push_async_callback(spool.close)
    letters, probes = Worker("dead-letters"), Worker("probes")
    stack.callback(letters.close)
    stack.callback(probes.close)
    site = Site(
        spool=spool,
        dead_letters=DeadLetters(state_dir),
        letters=letters,
        min_severity=severity.named(settings.filter.min_severity),
        keep_both=settings.filter.keep_both,
        clock=identity.utc_now,
    )
    paths = {beside(config, source.path): source for source in settings.source}
    if len(paths) < len(settings.source):
        raise OperatorError(f"{config}: two [[source]] tables name the same file", "Remove one of them.")
    collectors = await _collectors(paths, site, stack)
    folders = (state_dir, *(path.parent for path in paths))
    return Agent(
        settings=settings,
        state_dir=state_dir,
        spool=spool,
        collectors=collectors,
        link=Link(),
        meter=Meter(folders),
        probes=probes,
        letters=letters,
    )


async def _collectors(
    paths: dict[Path, SourceSettings], site: Site, stack: AsyncExitStack
) -> list[Collector]:
    """Open the sources: Suricata's first, because Wazuh's copies are judged by what they gave."""
    made: dict[Path, Collector] = {}
    for kind in ("suricata", "wazuh"):
        originals = [] if kind == "suricata" else list(made.values())
        for path, source in paths.items():
            if source.kind == kind:
                saved = await site.spool.position(str(path))
                collector = Collector(
                    open_file_source(path, source.kind, source.start, saved), site, originals=originals
                )
                stack.push_async_callback(collector.close)
                made[path] = collector
    return [made[path] for path in paths]


async def _tell(agent: Agent, notifier: Notifier) -> None:
    """Keep the status file and systemd's status line true."""
    link, told, problem = agent.link, "", ""
    while True:
        link.changed.clear()
        before, problem = problem, await _write_status(agent)
        if problem and not before:
            logs.event(LOG, logging.WARNING, "the status file cannot be written", reason=problem)
        line = f"{link.state}: {link.hub}" if link.hub else link.state
        if line != told:
            notifier.status(line)
            told = line
        with suppress(TimeoutError):
            async with asyncio.timeout(TELL_SECONDS):
                await link.changed.wait()


async def _write_status(agent: Agent) -> str:
    """Return why it could not be written; empty when it was. A full disk must not stop what is sent."""
    link = agent.link
    connection = Connection(
        hub=link.hub,
        state=link.state,
        since=link.since,
        last_acknowledgement=link.last_acknowledgement,
        last_error=link.last_error,
        clock_offset_seconds=link.clock_offset_seconds,
    )
    sources = await agent.sources()
    try:
        await agent.probes.do(lambda: status.tell(agent.state_dir, connection, sources))
    except OSError as error:
        return str(error)
    return ""


def load_identity(state_dir: Path) -> Identity:
    """Return this node's identity, or say how to get one."""
    return identity.load(state_dir, now=identity.utc_now(), command=COMMAND)
