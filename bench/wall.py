"""What a wall costs for long: python -m bench.wall [--minutes 10] [--rate 50].

A hub, a screen's daemon and the machine's own Chromium with the page open at 1920x1080, drawn by software,
for eight clients with twelve nodes that send vitals every ten seconds and so many alerts a second. Told each
minute: the page's heap after a collection, the nodes of its document, and the memory of daemon and browser.
At the end: the CPU of both, and by how much heap and daemon grow, by least squares over all but the first
minutes. Needs the development packages and Chromium.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
from playwright.async_api import Browser, CDPSession

from bench.fleet import vitals
from bench.gauge import machine
from bench.ingest import alerts_of, connected
from socme.v1.alert_pb2 import Alert, Severity
from tests.flow.programs import Screen, Stage, staged
from tests.hermes_display.site import chromium
from tests.zeus_hub.kit import Hub, Link, Machine, settings
from zeus_hub.database import open_database
from zeus_hub.hub import Running
from zeus_hub.local import Addresses

CLIENTS, NODES = 8, 12
MINUTES, RATE = 10, 50
WARM = 2  # minutes until caches are full
VITALS_SECONDS = 10.0
KINDS = 500  # different alerts
CRITICAL_EVERY = 1000  # alerts
SIZE = {"width": 1920, "height": 1080}
TICK = 1.0  # seconds between two batches of a node
MIB = 2**20
LIMITS = {  # of a run with what is told by default
    "heap, MiB more in ten minutes": 0.2,
    "daemon, MiB at most": 60,
    "daemon, MiB more in ten minutes": 2,  # its allocator takes half a MiB at a time
    "daemon, % of a core": 3,
    "browser, % of a core": 12,
}


@dataclass(frozen=True, slots=True)
class Sample:
    """Page, browser and daemon at one moment."""

    minute: float
    heap: float
    """Bytes that the page's script holds."""
    elements: int
    daemon: int
    """Resident bytes."""
    browser: int
    """Bytes of all its processes, what they share counted once."""
    daemon_seconds: float
    """Of CPU, so far."""
    browser_seconds: float

    def __str__(self) -> str:
        return (
            f"{self.minute:5.1f} min  heap {self.heap / MIB:5.2f} MiB, {self.elements:5} elements;"
            f"  daemon {self.daemon / MIB:5.1f} MiB;  browser {self.browser / MIB:5.0f} MiB"
        )


async def speak(link: Link, number: int, each_second: float, kinds: Sequence[Alert]) -> None:
    """Send vitals and alerts for ever."""
    owed, sent, sequence, told = 0.0, 0, 0, -VITALS_SECONDS
    await asyncio.sleep(TICK * number / NODES)
    while True:
        if time.monotonic() - told >= VITALS_SECONDS:
            await link.send(vitals(number))
            told = time.monotonic()
        owed += each_second * TICK
        some = [dressed(kinds, number, sent + index) for index in range(int(owed))]
        if some:
            sequence += 1
            await link.batch(sequence, some)
            await link.until_acked(sequence)
        owed, sent = owed - len(some), sent + len(some)
        await asyncio.sleep(TICK)


def dressed(kinds: Sequence[Alert], node: int, count: int) -> Alert:
    """Return a node's next alert: its own, of now, and critical at times."""
    made = Alert()
    made.CopyFrom(kinds[(count * NODES + node) % len(kinds)])
    made.id = (node << 64 | count).to_bytes(16, "big")
    made.time.GetCurrentTime()
    if (count * NODES + node) % CRITICAL_EVERY == 0:
        made.severity = Severity.SEVERITY_CRITICAL
    return made


def family(browser: psutil.Process) -> list[psutil.Process]:
    """Return the processes of a browser."""
    return [browser, *browser.children(recursive=True)]


async def look(page: CDPSession, screen: Screen, browser: psutil.Process, began: float) -> Sample:
    """Take a sample."""
    await page.send("HeapProfiler.collectGarbage")
    heap = await page.send("Runtime.getHeapUsage")
    counted = await page.send("Memory.getDOMCounters")
    daemon = psutil.Process(screen.program.pid)
    used, drew = daemon.cpu_times(), [process.cpu_times() for process in family(browser)]
    return Sample(
        minute=(time.monotonic() - began) / 60,
        heap=heap["usedSize"],
        elements=counted["nodes"],
        daemon=daemon.memory_info().rss,
        browser=sum(process.memory_full_info().pss for process in family(browser)),
        daemon_seconds=used.user + used.system,
        browser_seconds=sum(each.user + each.system for each in drew),
    )


async def watch(browser: Browser, screen: Screen, minutes: float) -> list[Sample]:
    """Open the page and look at it each minute."""
    [process] = [each for each in psutil.Process().children(recursive=True) if is_browser(each)]
    page = await browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
    await page.goto(f"http://{screen.address}/")
    await page.wait_for_selector(".tile")
    session = await page.context.new_cdp_session(page)
    began, samples = time.monotonic(), list[Sample]()
    for minute in range(round(minutes) + 1):
        await asyncio.sleep(max(0.0, began + minute * 60 - time.monotonic()))
        samples.append(await look(session, screen, process, began))
        print(samples[-1], flush=True)
    return samples


def is_browser(process: psutil.Process) -> bool:
    """Tell whether it is the first process of a Chromium."""
    command = process.cmdline()
    return "--headless" in " ".join(command) and not any(word.startswith("--type=") for word in command)


def slope(samples: Sequence[Sample], field: str) -> float:
    """Return by how much something grows in ten minutes, by least squares."""
    warm = [sample for sample in samples if sample.minute >= WARM] or samples
    middle = sum(sample.minute for sample in warm) / len(warm)
    level = sum(getattr(sample, field) for sample in warm) / len(warm)
    spread = sum((sample.minute - middle) ** 2 for sample in warm) or 1.0
    grown = sum((sample.minute - middle) * (getattr(sample, field) - level) for sample in warm)
    return float(grown / spread * 10)


async def machines_of(stage: Stage, screen_name: str) -> tuple[Screen, list[Machine], str]:
    """Start a hub and a screen; return it, the certificates of nodes, and where these connect."""
    hub = stage.hub()
    screen = stage.screen(hub, screen_name)
    state_dir = hub.folder / "state"
    addresses = Addresses(**json.loads((state_dir / "hub.json").read_text()))
    engine = open_database("sqlite:///zeus.db", state_dir)
    zeus = Hub(settings(state_dir), Running(addresses, b""), engine)
    machines = [await zeus.node(f"client-{each % CLIENTS}", f"n{each}") for each in range(NODES)]
    engine.dispose()
    return screen, machines, addresses.hub


async def run(stage: Stage, minutes: float, rate: float) -> list[Sample]:
    """Measure."""
    screen, machines, address = await machines_of(stage, "lobby")
    kinds = alerts_of(KINDS)
    async with AsyncExitStack() as stack, chromium() as browser, asyncio.TaskGroup() as group:
        links = await connected(stack, address, machines)
        tasks = [
            group.create_task(speak(link, number, rate / NODES, kinds)) for number, link in enumerate(links)
        ]
        samples = await watch(browser, screen, minutes)
        for task in tasks:
            task.cancel()
    return samples


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--rate", type=float, default=RATE, help="alerts a second, of all nodes")
    parser.add_argument("--check", action="store_true", help="exit code 1 where it costs more than it may")
    given = parser.parse_args()
    print(machine())
    print(f"{CLIENTS} clients, {NODES} nodes, {given.rate:g} alerts/s, one page")
    with tempfile.TemporaryDirectory() as folder, staged(Path(folder)) as stage:
        samples = asyncio.run(run(stage, given.minutes, given.rate))
    figures = dict(told(samples))
    for name, figure in figures.items():
        print(f"{name:38}{figure:8.2f}")
    wrong = [f"{name}: more than {LIMITS[name]:g}" for name in LIMITS if figures[name] > LIMITS[name]]
    print("\n".join(f"OVER: {each}" for each in wrong) or "all within their limits")
    return 1 if wrong and given.check else 0


def told(samples: Sequence[Sample]) -> Iterator[tuple[str, float]]:
    """Yield what it cost."""
    first, last = samples[0], samples[-1]
    seconds = (last.minute - first.minute) * 60
    yield "heap, MiB more in ten minutes", slope(samples, "heap") / MIB
    yield "elements, at most", max(sample.elements for sample in samples)
    yield "daemon, MiB at most", max(sample.daemon for sample in samples) / MIB
    yield "daemon, MiB more in ten minutes", slope(samples, "daemon") / MIB
    yield "daemon, % of a core", 100 * (last.daemon_seconds - first.daemon_seconds) / seconds
    yield "browser, % of a core", 100 * (last.browser_seconds - first.browser_seconds) / seconds


if __name__ == "__main__":
    sys.exit(main())
