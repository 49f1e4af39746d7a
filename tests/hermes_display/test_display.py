import asyncio
import io
import json
from pathlib import Path

import httpx
import pytest

from hermes_display.config import HermesSettings, plan_of
from hermes_display.display import run_tail, run_wall, tail_wanted
from hermes_display.tail import Tail
from socme.errors import OperatorError
from socme.service import Notifier
from socme.v1.alert_pb2 import Severity
from tests.flow.programs import free_port
from tests.hermes_display.watch_server import TestHub, status, stored, summary

LIMIT = 20.0  # seconds


async def test_what_the_hub_tells_is_on_the_wall(hub: TestHub, tmp_path: Path) -> None:
    """From a real stream over mutual TLS to what a browser gets, and what it gets when the hub is gone."""
    hub.script.clients.append(summary("acme", name="Acme", high=2))
    hub.script.alerts.append(stored(1))
    hub.script.nodes.append(status())
    address = f"127.0.0.1:{free_port()}"
    plan = plan_of(HermesSettings(state_dir=tmp_path, listen=address), tmp_path)
    parts: dict[str, object] = {}

    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
        task = group.create_task(run_wall(plan, hub.connect(), Notifier()))
        async with httpx.AsyncClient(base_url=f"http://{address}", timeout=LIMIT) as browser:
            await _served(browser)
            async with browser.stream("GET", "/events") as answer:
                async for line in answer.aiter_lines():
                    if line.startswith("data: {"):
                        parts |= json.loads(line.removeprefix("data: "))["parts"]
                    text = json.dumps(parts)
                    if '"online": 1' in text and "Alert 1" in text:
                        await hub.stop()
                    if '"up": false' in text:
                        break
        task.cancel()

    link = parts["link"]
    assert isinstance(link, dict)
    assert link["reason"]
    tile = parts["tile/acme"]
    assert isinstance(tile, dict)
    assert (tile["name"], tile["number"], tile["online"]) == ("Acme", "2", 1)


async def _served(browser: httpx.AsyncClient) -> None:
    while True:
        try:
            hub = (await browser.get("/healthz")).json()["hub"]
        except httpx.ConnectError:
            hub = ""
        if hub == "up":
            return


async def test_settings_choose_what_the_wall_asks_for(hub: TestHub, tmp_path: Path) -> None:
    watch = {"clients": ["acme"], "min_severity": "high"}
    address = f"127.0.0.1:{free_port()}"
    settings = HermesSettings(state_dir=tmp_path, listen=address, watch=watch)  # type: ignore[arg-type]
    plan = plan_of(settings, tmp_path)
    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
        task = group.create_task(run_wall(plan, hub.connect(), Notifier()))
        async with httpx.AsyncClient(base_url=f"http://{address}", timeout=LIMIT) as browser:
            await _served(browser)
        task.cancel()
    request = hub.script.requests[0]
    assert (list(request.clients), request.min_severity) == (["acme"], Severity.SEVERITY_HIGH)
    assert not request.with_raw


async def test_the_tail_ends_when_the_hub_refuses(hub: TestHub) -> None:
    hub.script.refusal = "revoked"
    tail = Tail(as_json=False, out=io.StringIO())
    with pytest.raises(OperatorError, match="revoked"):
        await run_tail(tail_wanted((), "low", with_raw=False), hub.connect(), tail)


async def test_the_tail_ends_when_nobody_reads(hub: TestHub) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    hub.script.alerts.append(stored(1))
    tail = Tail(as_json=True, out=Broken())
    with pytest.raises(BrokenPipeError):
        await run_tail(tail_wanted((), "low", with_raw=True), hub.connect(), tail)
