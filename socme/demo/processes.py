"""The programs of the demo as child processes: started when ready, watched, and ended whatever happens."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from socme.errors import OperatorError

PACKAGES = {"artemis": "artemis_agent", "zeus": "zeus_hub", "hermes": "hermes_display"}
COMMAND_SECONDS = 60.0  # the longest that a command may take on a slow machine
READY_SECONDS = 60.0  # the same for a daemon until it is ready
END_SECONDS = 8.0  # how long a daemon may take to end before it is killed
RESTART_SECONDS = 2.0  # pause before a killed daemon is started again, as systemd would
TOLD_LINES = 12  # lines of a dead program's log that are shown
# What would override the demo's own settings or speak to somebody else's supervisor.
_FOREIGN = ("ARTEMIS_", "ZEUS_", "HERMES_", "NOTIFY_SOCKET", "WATCHDOG_", "JOURNAL_STREAM")

Say = Callable[[str], None]


def environment(**extra: str) -> dict[str, str]:
    """Return the environment for a child."""
    return {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)} | extra


def free_port() -> int:
    """Return a port of this machine that nobody uses, chosen by the system."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def command(program: str, *arguments: str) -> str:
    """Run one command to its end; return what it printed, or say why it failed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        PACKAGES[program],
        *arguments,
        env=environment(),
        start_new_session=True,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            out, complaint = await process.communicate()
    except TimeoutError as error:
        raise OperatorError(
            f"`{program} {arguments[0]}` did not end within {COMMAND_SECONDS:g} s",
            "Is the machine busy?",
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        told = complaint.decode(errors="replace").strip()
        raise OperatorError(f"`{' '.join((program, *arguments))}` failed:\n{told}")
    return out.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Daemon:
    """A program that runs for as long as the demo."""

    name: str
    """What people call it, as in "the node acme-1"."""
    program: str
    """"artemis", "zeus" or "hermes"."""
    arguments: tuple[str, ...]
    log: Path
    """Where its standard error goes."""


async def run(daemon: Daemon, say: Say, started: Callable[[int], None]) -> None:
    """Run a daemon until cancelled; `started` is told its process id when it is ready.

    One that is killed is started again, as systemd would; one that ends by itself is an error.
    """
    again = False
    while True:
        async with _started(daemon) as process:
            started(process.pid)
            if again:
                say(f"{daemon.name} runs again (process {process.pid})")
            code = await process.wait()
        if code >= 0:
            raise OperatorError(f"{daemon.name} ended with {code}:\n{_last_words(daemon)}")
        say(f"{daemon.name} was killed ({_signal_name(-code)}); starting it again")
        again = True
        await asyncio.sleep(RESTART_SECONDS)


@asynccontextmanager
async def _started(daemon: Daemon) -> AsyncIterator[asyncio.subprocess.Process]:
    """Give a process that is ready; it has ended when this ends."""
    with tempfile.TemporaryDirectory(prefix="socme-") as place, _notices(place) as notices:
        with daemon.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                PACKAGES[daemon.program],
                *daemon.arguments,
                env=environment(NOTIFY_SOCKET=notices.getsockname()),
                start_new_session=True,  # Ctrl-C is for the demo, which ends its children in its own way
                stderr=log,
                stdin=subprocess.DEVNULL,
                stdout=log,
            )
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(notices, _take_notice, notices, ready)
        try:
            await _ready(daemon, process, ready)
            yield process
        finally:
            await _end(process)
            loop.remove_reader(notices)


def _notices(place: str) -> socket.socket:
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.setblocking(False)  # noqa: FBT003 - its only form
    receiver.bind(str(Path(place, "notify")))
    return receiver


def _take_notice(notices: socket.socket, ready: asyncio.Event) -> None:
    """Take one notice off the socket, as systemd would for as long as the daemon runs."""
    if b"READY=1" in notices.recv(4096).splitlines():
        ready.set()


async def _ready(daemon: Daemon, process: asyncio.subprocess.Process, ready: asyncio.Event) -> None:
    """Return when the daemon has told, in systemd's way, that it is ready."""
    try:
        async with asyncio.timeout(READY_SECONDS), asyncio.TaskGroup() as group:
            ended = group.create_task(process.wait())
            told = group.create_task(ready.wait())
            await asyncio.wait((ended, told), return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            told.cancel()
    except TimeoutError as error:
        raise OperatorError(
            f"{daemon.name} was not ready within {READY_SECONDS:g} s:\n{_last_words(daemon)}"
        ) from error
    if process.returncode is not None:
        raise OperatorError(f"{daemon.name} ended with {process.returncode}:\n{_last_words(daemon)}")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process politely, then for certain."""
    if process.returncode is not None:
        return
    try:
        process.terminate()
        async with asyncio.timeout(END_SECONDS):
            await process.wait()
    except TimeoutError:
        pass  # it is killed below
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _last_words(daemon: Daemon) -> str:
    lines = daemon.log.read_text(errors="replace").splitlines()[-TOLD_LINES:]
    return "\n".join(lines) or "(it said nothing)"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
