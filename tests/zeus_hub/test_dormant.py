import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from socme.identity import utc_now
from tests.zeus_hub.kit import eventually
from tests.zeus_hub.stored import database
from zeus_hub import dormant
from zeus_hub.dormant import Dormant


async def test_it_wakes_up_once_there_are_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dormant, "LOOK_SECONDS", 0.01)
    engine, folder = database(tmp_path / "state"), tmp_path / "routes.d"
    fan = Dormant(engine, folder, utc_now)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(fan.run())
        await asyncio.sleep(0)
        assert fan.problems() == {}
        folder.mkdir()
        (folder / "rules.toml").write_text("[[route]]\nnaame = 1")
        await eventually(lambda: "naame" in fan.problems().get("routes", ""))
        task.cancel()
    engine.dispose()


def test_a_hub_without_rules_has_none_of_it_in_memory() -> None:
    code = (
        "import sys, zeus_hub.hub; print([m for m in ('cel', 'lark', 'jinja2', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
