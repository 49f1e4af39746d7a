"""The wiring of the agent: makes every stage, hands each what it needs, and runs them together.

    sources ─▶ collect ─▶ spool ─▶ uplink        vitals ─▶ uplink        all ─▶ status
    canary logs ─▶ collect

Ends by cancellation alone. What was not committed is read again at the next start.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from artemis_agent import canary, collect, counters, held, ledger, status, uplink, vitals
from artemis_agent.canary import CanaryLog
from artemis_agent.collect import Collector, Site
from artemis_agent.dead_letter import DeadLetters, Letter
from artemis_agent.file_source import FileSource, open_file_source
from artemis_agent.gap import spool_damaged
from artemis_agent.gone import GoneSource
from artemis_agent.link import Link
from artemis_agent.outlook import Outlook
from artemis_agent.plan import Follow, Plan
from artemis_agent.probes import roster
from artemis_agent.probes.panel import Panel
from artemis_agent.repair import set_aside
from artemis_agent.rollup import Limits
from artemis_agent.spool import Spool, SpoolWriteError, open_spool
from artemis_agent.status import Connection
from artemis_agent.uplink import Uplink
from artemis_agent.vitals import Told
from artemis_agent.worker import Worker
from socme import VERSION, identity, logs, severity
from socme.errors import OperatorError, first
from socme.identity import Identity
from socme.service import Notifier
from socme.v1.alert_pb2 import Alert
from socme.v1.vitals_pb2 import CanaryVitals, SourceVitals, SpoolVitals, Vitals

if TYPE_CHECKING:
    from artemis_agent.break_glass import Glass
    from artemis_agent.source import Kind

LOG = logging.getLogger("artemis.agent")

TELL_SECONDS = 5.0  # age of the status file at most
OWN_LOG_SECONDS = 10.0  # between two looks at a canary log that no watch asked for: nobody else writes there
STUCK_SECONDS = 60.0  # a thread that is at one piece of work for so long hangs; systemd shall restart us
DAY_SECONDS = 24 * 3600
COMMAND = "artemis enroll TOKEN"


@dataclass(frozen=True, slots=True)
class Followed:
    """A source, with its canaries where there are any."""

    collector: Collector
    log: CanaryLog
    canaries: Collector | None

    async def vitals(self, interval_seconds: int) -> SourceVitals:
        """Return how it is, and how far its canaries came."""
        vitals = await self.collector.vitals()
        if self.canaries is not None:
            spooled = self.canaries.canary_spooled
            vitals.canary.CopyFrom(
                CanaryVitals(
                    interval_seconds=interval_seconds,
                    written=self.log.number,
                    read=self.canaries.canary_read,
                    spooled=spooled,
                    acknowledged=max(0, spooled - await self.canaries.pending()),
                    spool_seconds=self.canaries.spool_seconds,
                )
            )
        return vitals


@dataclass(frozen=True, slots=True)
class Agent:
    """All parts of a running agent."""

    plan: Plan
    site: Site
    followed: Sequence[Followed]
    link: Link
    outlook: Outlook
    chores: Worker
    """The thread that looks at the identity and the status file, and writes canaries."""
    glass: "Glass | None" = None
    """What tells people itself where no hub is reached."""
    told: Told = field(default_factory=Told)

    @property
    def spool(self) -> Spool:
        """Where alerts wait."""
        return self.site.spool

    def is_working(self) -> bool:
        """Tell whether no thread hangs; that the event loop turns shows by the call itself."""
        sources = (each.collector.worker for each in self.followed)
        workers = (self.spool.worker, self.chores, self.site.letters, *sources)
        return all(worker.busy_seconds < STUCK_SECONDS for worker in workers)

    async def credentials(self) -> tuple[tuple[str, ...], Identity]:
        """Return the hub's addresses and this node's identity as they are now."""
        own = await self.chores.do(lambda: load_identity(self.plan.state_dir))
        return self.plan.hub_addresses or (own.hub_address,), own

    async def bury(self, payload: bytes, reason: str) -> None:
        """Keep an alert that the hub does not take, for a person."""
        alert = Alert.FromString(payload)
        size = alert.raw_bytes or len(alert.raw)
        letter = Letter(alert.origin, b"", alert.offset, size, reason, alert.raw)
        site = self.site
        await site.letters.do(lambda: site.dead_letters.append([letter], observed=site.clock()))

    async def vitals(self) -> Vitals:
        """Measure everything, for the hub."""
        found = await self.outlook.vitals()
        found.sources.extend(await self.sources())
        told = await self.spool.ledger()
        hours = [hour for hour in told if not canary.is_log(hour.source, self.plan.state_dir)]
        found.ledger.extend(self.told.changed(hours, self.link.since))
        found.spool.CopyFrom(await self.spool_vitals())
        day = await self.spool.ask(lambda journal: ledger.day_records(journal.query, ledger.this_hour()))
        vitals.add_suricata(found, day)
        if self.link.clock_offset_seconds is not None:
            found.clock_offset_seconds = self.link.clock_offset_seconds
        return found

    async def sources(self) -> list[SourceVitals]:
        """Return how each source is doing."""
        seconds = self.plan.canary_seconds
        async with asyncio.TaskGroup() as group:  # a disk that hangs holds up each of them
            told = [group.create_task(each.vitals(seconds)) for each in self.followed]
        return [each.result() for each in told]

    async def spool_vitals(self) -> SpoolVitals:
        """Return how the spool is."""
        spool = self.spool
        sung = await spool.ask(lambda journal: status.sung(journal, self.plan.state_dir))
        vitals = status.spool_vitals(spool.depth, spool.acknowledged, await spool.dropped(), sung)
        vitals.capacity_bytes = self.plan.spool_bytes
        vitals.unaccounted = spool.unaccounted
        troubles = (spool.problem, *(one.collector.trouble for one in self.followed), spool.unsure)
        vitals.problem = next(filter(None, troubles), "")
        return vitals


async def run(plan: Plan, notifier: Notifier) -> None:
    """Run the agent until it is cancelled."""
    load_identity(plan.state_dir)  # before anything else: without it nothing can be sent
    try:
        async with AsyncExitStack() as stack:
            agent = await _make(plan, stack)
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
        interval_seconds=agent.plan.vitals_seconds,
        bury=agent.bury,
        told_since=agent.glass.told_since if agent.glass else None,
    )
    async with asyncio.TaskGroup() as tasks:
        for number, each in enumerate(agent.followed):
            tasks.create_task(each.collector.run(), name=f"collect-{number}")
            if each.canaries is not None:
                tasks.create_task(each.canaries.run(), name=f"canaries-{number}")
        if agent.plan.canary_seconds:
            tasks.create_task(_sing(agent), name="canary")
        tasks.create_task(_release(agent), name="release")
        tasks.create_task(agent.spool.run_trim(), name="trim")
        tasks.create_task(uplink.serve(line, random.SystemRandom()), name="uplink")
        tasks.create_task(_tell(agent, notifier), name="status")
        tasks.create_task(agent.outlook.run(), name="outlook")
        if agent.glass is not None:
            tasks.create_task(agent.glass.run(), name="break-glass")
        tasks.create_task(notifier.watch(agent.is_working), name="watchdog")
        logs.event(LOG, logging.INFO, "running", version=VERSION, state_dir=agent.plan.state_dir)
        notifier.ready(f"following {len(agent.followed)} sources")


async def _make(plan: Plan, stack: AsyncExitStack) -> Agent:
    """Open everything; the stack closes it in reverse order."""
    state_dir = plan.state_dir
    spool = open_spool(
        state_dir,
        max_bytes=plan.spool_bytes,
        max_age_seconds=plan.spool_days * DAY_SECONDS,
        schema=collect.SCHEMA,
    )
    stack.push_async_callback(spool.close)
    letters, chores, link = Worker("dead-letters"), Worker("chores"), Link()
    stack.callback(letters.close)
    stack.callback(chores.close)
    site = _site(plan, DeadLetters(state_dir), spool, letters, lambda: link.live)
    followed = await _follow(plan, site, stack)
    if spool.set_aside:
        logs.event(LOG, logging.ERROR, "the spool was damaged and set aside", path=spool.set_aside)
    # Told at each start: that which set it aside may have ended before it could. The hub stores it once.
    for aside in set_aside(state_dir):
        followed[0].collector.announce(spool_damaged(str(aside), observed=site.clock()))
    return Agent(
        plan=plan,
        site=site,
        followed=followed,
        link=link,
        outlook=_outlook(plan, link, stack),
        chores=chores,
        glass=_glass(plan, spool, link, stack),
    )


def _glass(plan: Plan, spool: Spool, link: Link, stack: AsyncExitStack) -> "Glass | None":
    """Return what tells people itself, where the settings ask for it."""
    if plan.break_glass is None:
        return None
    from artemis_agent.break_glass import Glass  # noqa: PLC0415 - nothing of it is there where nobody asks

    glass = Glass(plan.break_glass, plan.state_dir, spool, link)
    stack.callback(glass.close)
    return glass


def _outlook(plan: Plan, link: Link, stack: AsyncExitStack) -> Outlook:
    """Return what looks at the machine."""
    folders = (plan.state_dir, *(each.path.parent for each in plan.follows))
    beside_us = [*roster.probes(plan.neighbours), roster.certificate(plan.state_dir)]
    panel = Panel([*vitals.probes(folders), *beside_us])
    outlook = Outlook(panel, link.news)
    stack.callback(outlook.close)
    return outlook


def _site(
    plan: Plan,
    dead_letters: DeadLetters,
    spool: Spool,
    letters: Worker,
    is_live: Callable[[], bool],
) -> Site:
    rollup = plan.rollup
    return Site(
        spool=spool,
        dead_letters=dead_letters,
        letters=letters,
        min_severity=severity.named(plan.min_severity),
        keep_both=plan.keep_both,
        clock=identity.utc_now,
        is_live=is_live,
        rollup=Limits(rollup.alerts, int(rollup.window_seconds * 1_000_000)) if rollup else None,
        drops_lowest=plan.drops_lowest,
    )


async def _follow(plan: Plan, site: Site, stack: AsyncExitStack) -> list[Followed]:
    """Open the sources: Suricata's first, because Wazuh's copies are judged by what they gave."""
    made: dict[Path, Followed] = {}
    for kind in ("suricata", "wazuh"):
        originals = [] if kind == "suricata" else [each.collector for each in made.values()]
        for path, follow in ((each.path, each) for each in plan.follows):
            if follow.kind == kind:
                opened = await _open(follow, site)
                collector = Collector(opened, site, originals=originals)
                stack.push_async_callback(collector.close)
                await collector.restore()
                log = CanaryLog(canary.log_path(plan.state_dir, kind, str(path)), kind)
                canaries = None
                if plan.canary_seconds:
                    canaries = await _canaries(log, collector, site)
                    stack.push_async_callback(canaries.close)
                made[path] = Followed(collector, log, canaries)
    return [made[each.path] for each in plan.follows]


async def _open(follow: Follow, site: Site, *, longest: float = 0.0) -> FileSource:
    """Open a source where it was left; of a new one, take note of where it begins."""
    saved = await site.spool.position(str(follow.path))
    source = open_file_source(follow.path, follow.kind, follow.start, saved, longest=longest)
    if saved is None:
        await site.spool.begin(source.name, source.position)
    return source


async def _canaries(log: CanaryLog, collector: Collector, site: Site) -> Collector:
    """Open a source's canary log, which a source of its own reads, in the same thread."""
    with suppress(OSError):  # it is made with the first canary then
        log.path.parent.mkdir(mode=0o700, exist_ok=True)
    source = await _open(Follow(log.path, log.kind, "beginning"), site, longest=OWN_LOG_SECONDS)
    canaries = Collector(source, site, canaries_of=collector)
    await canaries.restore()
    log.number = canaries.canary_spooled
    return canaries


async def _sing(agent: Agent) -> None:
    """Write a canary for each source, for ever."""
    failing: dict[Path, str] = {}
    while True:
        for log in (each.log for each in agent.followed):
            try:
                await agent.chores.do(partial(log.write, agent.site.clock()))
                failing.pop(log.path, None)
            except OSError as error:  # the hub learns of it: the number was used up
                if failing.get(log.path) != str(error):
                    logs.event(LOG, logging.WARNING, "a canary cannot be written", reason=error)
                failing[log.path] = str(error)
        await asyncio.sleep(agent.plan.canary_seconds)


async def _release(agent: Agent) -> None:
    """Send what is held of sources that are no longer followed: nobody else would."""
    site, spool = agent.site, agent.spool
    for name in await spool.ask(lambda journal: held.sources(journal.query)):
        if name in {each.collector.name for each in agent.followed}:
            continue
        kind: Kind = "wazuh" if counters.read(await spool.counters(name)).kind == "wazuh" else "suricata"
        source = GoneSource(name, kind, await spool.position(name) or b"")
        collector = Collector(source, replace(site, rollup=None))
        try:
            await collector.restore()
            while collector.holds:
                await collector.turn()
        finally:
            await collector.close()


async def _tell(agent: Agent, notifier: Notifier) -> None:
    """Keep the status file and systemd's status line true."""
    link, told, problem = agent.link, "", ""
    while True:
        link.changed.clear()
        before, problem = problem, await _write_status(agent)
        if problem and not before:
            logs.event(LOG, logging.WARNING, "the status file cannot be written", reason=problem)
        line = f"{link.state}: {link.hub}" if link.hub else link.state
        line += f" ({link.slowed})" if link.slowed else ""
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
        slowed=link.slowed,
        clock_offset_seconds=link.clock_offset_seconds,
    )
    set_aside = agent.spool.set_aside
    glass = agent.glass.view() if agent.glass else None
    try:
        sources, spool = await agent.sources(), await agent.spool_vitals()
        agent.outlook.compare(sources, spool)
        await agent.chores.do(
            lambda: status.tell(agent.plan.state_dir, connection, sources, spool, set_aside, glass)
        )
    except (OSError, SpoolWriteError) as error:
        return str(error)
    return ""


def load_identity(state_dir: Path) -> Identity:
    """Return this node's identity, or say how to get one."""
    return identity.load(state_dir, now=identity.utc_now(), command=COMMAND)
