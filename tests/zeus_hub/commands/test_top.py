"""The command `zeus top`, in a terminal of its own, with a real hub."""

import asyncio
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from socme.errors import OperatorError
from socme.identity import utc_now
from socme.service import Notifier
from tests.flow import programs
from tests.zeus_hub.commands.place import Place
from tests.zeus_hub.kit import eventually
from tests.zeus_hub.stored import alert
from tests.zeus_hub.test_samples import ONE
from zeus_hub import database, history, hub
from zeus_hub.commands import past, top
from zeus_hub.commands.state import opened, read_plan
from zeus_hub.database import writing
from zeus_hub.overview import Overview
from zeus_hub.samples import POINT_NAMES, point_values, summary

LIMIT = 40.0  # seconds that anything here may take
OTHER_SCREEN_LEFT = "\x1b[?1049l"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(slots=True)
class Terminal:
    """A terminal, and the command that runs in it."""

    end: int
    process: subprocess.Popen[bytes]
    seen: str = ""
    """All that it showed."""

    async def shows(self, text: str) -> None:
        """Wait until something is shown."""
        await self.matches(re.escape(text))

    async def matches(self, pattern: str) -> re.Match[str]:
        """Wait until something is shown that matches a pattern; return the first that does."""
        async with asyncio.timeout(LIMIT):
            while (found := re.search(pattern, _CONTROL.sub("", self.seen))) is None:
                self.seen += (await asyncio.to_thread(os.read, self.end, 65536)).decode(errors="replace")
        return found

    async def ends(self) -> int:
        """Wait for the command's end; return its exit code."""

        def drain() -> None:
            try:
                while data := os.read(self.end, 65536):
                    self.seen += data.decode(errors="replace")
            except OSError:  # nobody has it open any more
                pass

        async with asyncio.timeout(LIMIT):
            await asyncio.to_thread(drain)
            return await asyncio.to_thread(self.process.wait)


@contextmanager
def terminal(place: Place, columns: int = 120) -> Iterator[Terminal]:
    """Run the command in a terminal."""
    end, other = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    command = [sys.executable, "-m", "zeus_hub", "top", "--config", str(place.config)]
    environment = {**os.environ, "TERM": "xterm-256color"}
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        environment.pop(name, None)
    process = subprocess.Popen(
        command, stdin=other, stdout=other, stderr=other, env=environment, start_new_session=True
    )
    os.close(other)
    try:
        yield Terminal(end, process)
    finally:
        process.kill()
        process.wait()
        os.close(end)


@asynccontextmanager
async def running(place: Place) -> AsyncIterator[Callable[[], object]]:
    """Run a hub; yield what stops it."""
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        serve = group.create_task(hub.serve(read_plan(place.config), Notifier(), lambda _: ready.set()))
        async with asyncio.timeout(LIMIT):
            await ready.wait()
        yield serve.cancel
        serve.cancel()


@pytest.fixture
def fleet(place: Place) -> Place:
    place.set_up('listen = "127.0.0.1:0"')
    place.database([alert(1, name="[red]evil\x1b]0;title\x07\x1b[2J")]).dispose()
    return place


async def test_it_shows_the_fleet_and_alerts_and_ends_with_q(fleet: Place) -> None:
    async with running(fleet):
        with terminal(fleet) as shown:
            await shown.shows("acme/acme-1")
            await shown.shows("[red]evil\ufffd]0;title\ufffd\ufffd[2J")
            await shown.shows("live")
            assert "\x1b]0;" not in shown.seen
            os.write(shown.end, b"xq")
            assert await shown.ends() == 0


async def test_a_wide_terminal_shows_how_busy_nodes_were(fleet: Place) -> None:
    settings = read_plan(fleet.config)
    with opened(settings) as engine, writing(engine) as connection:
        newest = (int(utc_now().timestamp()) - past.PACKED_SECONDS) // history.HOUR * history.HOUR
        point = summary(newest - history.HOUR, [replace(ONE, cpu=1000)])
        numbers = dict(zip(POINT_NAMES, point_values(point), strict=True))
        node = select(database.node.c.id).where(database.node.c.name == "acme-1").scalar_subquery()
        connection.execute(insert(history.hour).values(numbers | {"node_id": node}))
    async with running(fleet):
        with terminal(fleet, columns=160) as shown:
            await shown.shows("CPU, LAST 24 H")
            await shown.shows("█")


async def test_how_nodes_were_is_asked_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be learnt is told, and the old bars go: they would pass for new ones."""
    monkeypatch.setattr(top, "LOOK_BACK_SECONDS", 0)
    overview, told = Overview("hub:1"), [""]
    seen: set[tuple[int, str]] = set()

    def days() -> dict[tuple[str, str], str]:
        seen.add((len(overview.days), overview.days_trouble))
        if told[0]:
            raise OperatorError(told[0], "Make room.")
        return {("acme", "acme-1"): "▁█"}

    async with asyncio.TaskGroup() as group:
        task = group.create_task(top._look_back(days, overview))
        await eventually(lambda: bool(overview.days))
        told[0] = "the disk is full"
        trouble = "no bars of the last 24 hours: the disk is full Make room."
        await eventually(lambda: (overview.days, overview.days_trouble) == ({}, trouble))
        told[0] = ""
        await eventually(lambda: (0, trouble) in seen and overview.days_trouble == "")
        task.cancel()

    assert overview.days == {"acme/acme-1": "▁█"}


async def test_it_takes_another_size(fleet: Place) -> None:
    async with running(fleet):
        with terminal(fleet) as shown:
            await shown.shows("LAG")
            fcntl.ioctl(shown.end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            shown.process.send_signal(signal.SIGWINCH)  # a terminal of this session alone would send it
            await shown.shows("SEEN    SPOOL    REASON")


async def test_a_hub_that_goes_away_is_told_within_five_seconds(fleet: Place) -> None:
    async with running(fleet) as stop:
        with terminal(fleet) as shown:
            await shown.shows("live")
            stop()
            async with asyncio.timeout(5):
                await shown.shows("no contact with the hub")
            shown.process.send_signal(signal.SIGINT)
            assert await shown.ends() == 0


async def test_a_hub_that_is_frozen_is_told_within_five_seconds(tmp_path: Path) -> None:
    """It holds its connections and says nothing."""
    frozen = programs.Hub(tmp_path / "hub")
    try:
        await asyncio.to_thread(frozen.program.start)
        with terminal(Place(frozen.folder)) as shown:
            await shown.shows("live")
            os.kill(frozen.program.pid, signal.SIGSTOP)
            first = await shown.matches(r"STALE: nothing heard of the hub for (\d+) s")
            assert int(first[1]) <= 5
    finally:
        frozen.program.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_signals_end_it_and_leave_the_terminal_as_it_was(fleet: Place, number: signal.Signals) -> None:
    async with running(fleet):
        with terminal(fleet) as shown:
            before = termios.tcgetattr(shown.end)
            await shown.shows("live")
            assert termios.tcgetattr(shown.end) != before
            shown.process.send_signal(number)
            assert await shown.ends() == 0
            assert OTHER_SCREEN_LEFT in shown.seen


async def test_a_hub_that_does_not_run_is_told(fleet: Place) -> None:
    fleet.set_up('listen = "127.0.0.1:1"')
    with terminal(fleet) as shown:
        assert await shown.ends() == 1
        assert "no hub answers at 127.0.0.1:1" in " ".join(shown.seen.split())


def test_without_a_terminal_it_is_refused(fleet: Place) -> None:
    with pytest.raises(OperatorError, match="needs a terminal"):
        fleet.try_("top")
