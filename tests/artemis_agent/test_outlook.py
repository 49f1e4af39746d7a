"""The agent looks around, and says at once what matters."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from artemis_agent import outlook
from artemis_agent.outlook import Outlook
from artemis_agent.probes.panel import Panel, Probe
from socme import VERSION
from socme.v1.vitals_pb2 import ServiceState, SourceVitals, SpoolVitals, Vitals


class Machine:
    """Something with a service."""

    def __init__(self) -> None:
        self.state = ServiceState.SERVICE_STATE_RUNNING
        self.asked = 0

    def ask(self) -> Vitals:
        """Be a probe."""
        self.asked += 1
        vitals = Vitals(cpu_count=self.asked)
        vitals.suricata.service.state = self.state
        return vitals


@asynccontextmanager
async def looking(machine: Machine, news: asyncio.Event) -> AsyncIterator[Outlook]:
    made = Outlook(Panel([Probe("machine", machine.ask, 0.001)]), news)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(made.run())
        yield made
        task.cancel()
    made.close()


async def looked(machine: Machine) -> None:
    """Wait for a whole look."""
    begun = machine.asked
    async with asyncio.timeout(10):
        while machine.asked < begun + 2:  # noqa: ASYNC110 - a thread
            await asyncio.sleep(0.001)


async def test_a_service_that_fails_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlook, "LOOK_SECONDS", 0.002)
    machine, news = Machine(), asyncio.Event()
    async with looking(machine, news) as out:
        out.compare([], SpoolVitals())
        assert not news.is_set(), "before the first look there is nothing to compare"
        await looked(machine)
        out.compare([], SpoolVitals())
        assert news.is_set(), "what was told before may be older"
        news.clear()
        await looked(machine)
        out.compare([], SpoolVitals())
        assert not news.is_set(), "numbers alone changed"
        machine.state = ServiceState.SERVICE_STATE_FAILED
        await looked(machine)
        out.compare([], SpoolVitals())
        assert news.is_set()


async def test_a_source_or_a_spool_with_a_problem_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlook, "LOOK_SECONDS", 0.002)
    machine, news = Machine(), asyncio.Event()
    async with looking(machine, news) as out:
        await looked(machine)
        out.compare([SourceVitals(name="eve")], SpoolVitals())
        news.clear()
        out.compare([SourceVitals(name="eve", bytes=5)], SpoolVitals(alerts=5))
        assert not news.is_set()
        out.compare([SourceVitals(name="eve", problem="gone")], SpoolVitals())
        assert news.is_set()
        news.clear()
        out.compare([SourceVitals(name="eve", problem="gone")], SpoolVitals(problem="full"))
        assert news.is_set()


async def test_vitals_say_who_measured_and_when() -> None:
    machine = Machine()
    out = Outlook(Panel([Probe("machine", machine.ask)]), asyncio.Event())

    found = await out.vitals()
    out.close()

    assert (found.agent_version, found.cpu_count) == (VERSION, 1)
    assert found.time.seconds > 0
