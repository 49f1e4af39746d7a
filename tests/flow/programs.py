"""The real programs as processes for tests: started, watched, killed and started again.

`Stage` holds a hub, nodes and screens below one folder, each with settings of its own, and ends them all.
Everything runs as `python -m <package>`, enrolled by the real commands over loopback. Nothing here sleeps
for luck: readiness is what a program tells systemd (READY=1 on NOTIFY_SOCKET), everything else a condition
with a limit. A condition that never holds fails with the programs' logs.
"""

import json
import os
import secrets
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.flow import orphans
from tests.lacking import lacking

PACKAGES = {
    "artemis": "artemis_agent",
    "zeus": "zeus_hub",
    "hermes": "hermes_display",
    "socme": "socme",
}
START_LIMIT = 60.0  # seconds; two busy cores shared with other work
STOP_LIMIT = 15.0  # seconds
COMMAND_LIMIT = 60.0  # seconds
POLL = 0.05  # seconds between two looks at a condition
PORTS = range(15_000, 32_000)  # below those of Linux for connections, 32,768 to 60,999
MANY = 1_000_000  # more alerts than any test writes; for --limit

Answer = TypeVar("Answer")
Alert = dict[str, Any]


def wait_until(
    condition: Callable[[], Answer], what: str, *, limit: float = 30.0, told: Callable[[], str] = str
) -> Answer:
    """Return the first answer of `condition` that is true; fail after `limit` seconds with `told()`."""
    clock = threading.Event()
    end = time.monotonic() + limit
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit:g} s: {what}\n{told()}")
        clock.wait(POLL)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on; for a hub that must come back at the same place.

    None of those that the system gives to connections: while the hub is down, one to it could begin at its
    own port, meet itself there, and keep the hub out.
    """
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without what would override a program's settings."""
    ours = ("ARTEMIS_", "ZEUS_", "HERMES_", "SOCME_", "NOTIFY_", "WATCHDOG_", "JOURNAL_STREAM")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return kept | {"COLUMNS": "200", "PYTHONUNBUFFERED": "1"} | extra


def run(
    program: str, *arguments: str, limit: float = COMMAND_LIMIT, cwd: Path | None = None, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, as in `run("zeus", "alert", "list", "--json")`; judge it yourself.

    `extra` are environment variables. Output that is not UTF-8 is kept as surrogates.
    """
    return subprocess.run(
        [sys.executable, "-m", PACKAGES[program], *arguments],
        capture_output=True,
        check=False,
        cwd=cwd,
        encoding="utf-8",
        env=environment(**extra),
        errors="surrogateescape",
        stdin=subprocess.DEVNULL,
        timeout=limit,
    )


def succeed(program: str, *arguments: str, limit: float = COMMAND_LIMIT) -> str:
    """Run a command that must succeed; return what it printed."""
    done = run(program, *arguments, limit=limit)
    if done.returncode != 0:
        line = " ".join([program, *arguments])
        raise AssertionError(f"`{line}` ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def as_ordinary_user() -> list[str]:
    """Return what to put before a command so that file permissions count for it, even for root."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        lacking("root reads everything, and setpriv (util-linux) is missing")
    return [
        "setpriv",
        "--bounding-set=-dac_override,-dac_read_search",
        "--inh-caps=-dac_override,-dac_read_search",
    ]


class Program:
    """One daemon, started any number of times with the same arguments; its log goes on over restarts."""

    def __init__(self, name: str, *arguments: str, log: Path, **extra: str) -> None:
        self.name = name
        self.arguments = arguments
        self._log = log
        self.environment = extra
        """What it is started with beside this process's own; may be changed between two starts."""
        self.before: Sequence[str] = ()
        """What stands before its command; may be changed as well."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return its process id; it must have been started."""
        return self._started().pid

    @property
    def running(self) -> bool:
        """Tell whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> str:
        """Return all it ever wrote on standard output and error."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self, *, ready: bool = True, limit: float = START_LIMIT) -> None:
        """Start it; with `ready`, return when it told systemd that it is ready, or fail with its log."""
        assert not self.running, f"{self.name} runs already"
        address = f"socme-test-{secrets.token_hex(8)}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notices, self._log.open("ab") as log:
            notices.bind("\0" + address)
            self._process = subprocess.Popen(
                [*self.before, sys.executable, "-m", PACKAGES[self.name], *self.arguments],
                env=environment(NOTIFY_SOCKET="@" + address, **self.environment),
                start_new_session=True,  # Ctrl-C in a test run is the test's to handle
                stderr=log,
                stdin=subprocess.DEVNULL,
                stdout=log,
            )
            orphans.adopt(self._process.pid)
            if ready:
                told = lambda: f"{self.name} {' '.join(self.arguments)}:\n{self.log()}"  # noqa: E731
                wait_until(lambda: self._is_ready(notices), f"{self.name} is ready", limit=limit, told=told)

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        self._started().kill()
        self._started().wait(STOP_LIMIT)

    def stop(self, *, limit: float = STOP_LIMIT) -> int:
        """Ask it to end (SIGTERM); return its exit code. It must end within `limit` seconds."""
        self._started().send_signal(signal.SIGTERM)
        return self.wait(limit=limit)

    def wait(self, *, limit: float = STOP_LIMIT) -> int:
        """Return the exit code when it ends by itself; fail with its log when it does not."""
        try:
            return self._started().wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {limit:g} s\n{self.log()}") from None

    def wait_for_log(self, text: str, *, limit: float = 30.0) -> None:
        """Return when its log holds `text`."""
        wait_until(lambda: text in self.log(), f"{self.name} logs {text!r}", limit=limit, told=self.log)

    def end(self) -> None:
        """End it whatever state it is in."""
        if self.running:
            self.kill()

    def _started(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, f"{self.name} was never started"
        return self._process

    def _is_ready(self, notices: socket.socket) -> bool:
        if not self.running:
            code = self._started().returncode
            raise AssertionError(f"{self.name} ended with {code} before it was ready\n{self.log()}")
        readable, _, _ = select.select([notices], [], [], 0)
        return bool(readable) and b"READY=1" in notices.recv(4096).splitlines()


class Hub:
    """A hub in a folder of its own, at ports that it keeps over restarts."""

    def __init__(self, folder: Path, *, settings: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.config = folder / "zeus.toml"
        self.address = f"127.0.0.1:{free_port()}"
        self.enroll_address = f"127.0.0.1:{free_port()}"
        ports = f'listen = "{self.address}"\nenroll_listen = "{self.enroll_address}"\n'
        self.config.write_text(f'state_dir = "state"\n{ports}{settings}')
        self.program = Program("zeus", "serve", "--config", str(self.config), log=folder / "zeus.log")

    def zeus(self, *arguments: str) -> str:
        """Run a `zeus` command with this hub's settings that must succeed; return what it printed."""
        return succeed("zeus", *arguments, "--config", str(self.config))

    def add_client(self, client: str) -> None:
        """Make a client known."""
        self.zeus("client", "add", client)

    def token(self, client: str, node: str) -> str:
        """Return a token for a node."""
        return self.zeus("token", "create", "--client", client, "--node", node).strip()

    def display_token(self, name: str, *options: str) -> str:
        """Return a token for a screen."""
        return self.zeus("token", "create", "--display", name, *options).strip()

    def alerts(self, *filters: str) -> list[Alert]:
        """Return what `zeus alert list --json` prints with these filters."""
        lines = self.zeus("alert", "list", "--json", "--limit", str(MANY), *filters).splitlines()
        return [json.loads(line) for line in lines]

    def _count(self) -> int:
        """Return how many alerts are in its file; 0 where it cannot be read just now, MANY without one."""
        path = self.folder / "state" / "zeus.db"
        if not path.exists():  # its database is a server's
            return MANY
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return int(db.execute("SELECT count(*) FROM alert").fetchone()[0])
        return 0

    def wait_for_count(self, number: int, *, limit: float = 60.0) -> None:
        """Return when at least so many alerts are stored."""
        told = self.program.log
        wait_until(lambda: self._count() >= number, f"{number} alerts are stored", limit=limit, told=told)

    def wait_for_alerts(self, number: int, *filters: str, limit: float = 60.0) -> list[Alert]:
        """Return the stored alerts when there are at least `number`; more than that is yours to judge."""

        def enough() -> list[Alert]:
            if self._count() < number:  # a look that costs nothing; the command starts a program
                return []
            found = self.alerts(*filters)
            seen.append(len(found))
            return found if len(found) >= number else []

        seen: list[int] = []
        return wait_until(
            enough,
            f"{number} alerts are stored",
            limit=limit,
            told=lambda: f"stored: {seen[-5:]}\n{self.program.log()[-4000:]}",
        )


@dataclass(frozen=True, slots=True)
class Follow:
    """A [[source]] of a node."""

    kind: str
    """"suricata" or "wazuh"."""
    path: Path
    """The file."""
    start: str = "beginning"
    """Where a new source starts."""


class Node:
    """A node with settings and state in a folder of its own."""

    def __init__(self, folder: Path, sources: Sequence[Follow], *, settings: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.config = folder / "artemis.toml"
        tables = "".join(
            f'\n[[source]]\nkind = "{source.kind}"\npath = "{source.path}"\nstart = "{source.start}"\n'
            for source in sources
        )
        self.config.write_text(f'state_dir = "state"\nvitals_interval_seconds = 1\n{settings}{tables}')
        self.program = Program("artemis", "run", "--config", str(self.config), log=folder / "artemis.log")

    def artemis(self, *arguments: str) -> str:
        """Run an `artemis` command with this node's settings that must succeed; return what it printed."""
        return succeed("artemis", *arguments, "--config", str(self.config))

    def enrol(self, token: str) -> None:
        """Trade a token for this node's certificate."""
        self.artemis("enroll", token)

    def status(self) -> dict[str, Any]:
        """Return what `artemis status --json` prints."""
        found: dict[str, Any] = json.loads(self.artemis("status", "--json"))
        return found


class Screen:
    """A screen with settings and state in a folder of its own."""

    def __init__(self, folder: Path, *, settings: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.config = folder / "hermes.toml"
        self.address = f"127.0.0.1:{free_port()}"
        self.config.write_text(f'state_dir = "state"\nlisten = "{self.address}"\n{settings}')
        self.program = Program("hermes", "run", "--config", str(self.config), log=folder / "hermes.log")
        self.tail = Program("hermes", "tail", "--json", "--config", str(self.config), log=folder / "tail.log")

    def hermes(self, *arguments: str) -> str:
        """Run a `hermes` command with this screen's settings that must succeed; return what it printed."""
        return succeed("hermes", *arguments, "--config", str(self.config))

    def enrol(self, token: str) -> None:
        """Trade a token for this screen's certificate."""
        self.hermes("enroll", token)


@dataclass(slots=True)
class Stage:
    """A hub, nodes and screens below one folder; what `staged` gives."""

    folder: Path
    _programs: list[Program] = field(default_factory=list)

    def hub(self, *, settings: str = "", start: bool = True) -> Hub:
        """Return a new hub, running unless told otherwise."""
        hub = Hub(self.folder / f"hub-{len(self._programs)}", settings=settings)
        self._programs.append(hub.program)
        if start:
            hub.program.start()
        return hub

    def node(
        self, hub: Hub, client: str, name: str, *sources: Follow, settings: str = "", start: bool = True
    ) -> Node:
        """Return a new node, enrolled at `hub` (its client is made where it is new) and running."""
        if not any(
            json.loads(line)["name"] == client for line in hub.zeus("client", "list", "--json").splitlines()
        ):
            hub.add_client(client)
        node = Node(self.folder / client / name, sources, settings=settings)
        node.enrol(hub.token(client, name))
        self._programs.append(node.program)
        if start:
            node.program.start()
        return node

    def screen(self, hub: Hub, name: str, *, settings: str = "", start: bool = True) -> Screen:
        """Return a new screen, enrolled at `hub`, with its wall running unless told otherwise."""
        screen = Screen(self.folder / "screens" / name, settings=settings)
        screen.enrol(hub.display_token(name))
        self._programs += (screen.program, screen.tail)
        if start:
            screen.program.start()
        return screen

    def logs(self) -> str:
        """Return all logs, for a failure's message."""
        return "\n".join(f"--- {program.name}\n{program.log()}" for program in self._programs)

    def end(self) -> None:
        """End all programs."""
        for program in self._programs:
            program.end()


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """Give a stage below `folder`; end its programs, and fail if any of them ever printed a traceback."""
    stage = Stage(folder)
    try:
        yield stage
    finally:
        stage.end()
    assert "Traceback" not in stage.logs(), stage.logs()
