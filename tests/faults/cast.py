"""The programs of one run: a hub, a node, the network between them, their disks and the node's clock.

Like systemd, it starts a program again that ended, for as long as it shall run.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.lines import RULE
from tests.faults.plan import HUB, NODE
from tests.faults.proxy import Proxy, proxied
from tests.faults.watcher import Watcher, watching
from tests.flow.programs import Answer, Follow, Hub, Node, Program, Stage, staged, wait_until

DISK_BYTES = 160 * 1024 * 1024  # of a node's or the hub's own disk; a node leaves 64 MiB free
LONGEST_LOG = 4000  # characters of each that are shown, beside its first traceback
LONGEST_TRACEBACK = 3000  # characters
RESTART_SECONDS = 0.3  # after which a program that ended is started again
SOURCE = Path(__file__).parent / "clock.c"
CLIENT, NAME = "acme", "acme-1"


class Disk:
    """A small file system of its own below a folder; a plain folder where mounting is not allowed."""

    def __init__(self, folder: Path, size: int) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._ballast = folder / "ballast"
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        self.real = (
            size > 0
            and os.geteuid() == 0
            and subprocess.run(command, capture_output=True, check=False).returncode == 0
        )
        """Whether it can be filled."""

    def fill(self) -> None:
        """Leave no space."""
        for size in (1024 * 1024, 4096):
            with self._ballast.open("ab", buffering=0) as file, suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass

    def free(self) -> None:
        """Give the space back."""
        self._ballast.unlink(missing_ok=True)

    def keep(self) -> None:
        """Copy what is on it to a folder beside it; nobody may write there."""
        if self.real:
            kept = self._folder.with_name(f"{self._folder.name}.kept")
            shutil.copytree(self._folder, kept, ignore=shutil.ignore_patterns(self._ballast.name))

    def end(self) -> None:
        """Take it away with all that is on it."""
        if self.real:
            subprocess.run(["umount", "-l", str(self._folder)], check=False)


class Clock:
    """What time of day a program believes it to be; it needs a C compiler, once."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._library = folder / "clock.so"
        self.set(0)
        cc = shutil.which("cc")
        command = [str(cc), "-shared", "-fPIC", "-O2", "-o", str(self._library), str(SOURCE)]
        self.real = cc is not None and subprocess.run(command, check=False).returncode == 0
        """Whether it can be moved."""

    def set(self, seconds: int) -> None:
        """Let it be off by so many seconds; in force at once."""
        self._file.touch()
        with self._file.open("r+b", buffering=0) as file:
            file.write(seconds.to_bytes(8, "little", signed=True))

    def environment(self) -> dict[str, str]:
        """Return what a program is started with."""
        return {"LD_PRELOAD": str(self._library), "FAULTS_CLOCK": str(self._file)} if self.real else {}


@dataclass(slots=True)
class Cast:
    """Everything that takes part; what `cast` gives."""

    stage: Stage
    hub: Hub
    node: Node
    proxy: Proxy
    disks: dict[str, Disk]
    clock: Clock
    watcher: Watcher
    _wanted: dict[str, bool] = field(default_factory=lambda: {NODE: True, HUB: True})
    _ended: dict[str, float] = field(default_factory=dict)

    def program(self, subject: str) -> Program:
        """Return the program of NODE or HUB."""
        return self.node.program if subject == NODE else self.hub.program

    def want(self, subject: str, *, up: bool) -> None:
        """Say whether a program shall run; `supervise` sees to it that it does."""
        self._wanted[subject] = up
        self._ended.pop(subject, None)

    def supervise(self) -> None:
        """Start what shall run and does not, once it has been down for a moment."""
        now = time.monotonic()
        for subject, up in self._wanted.items():
            program = self.program(subject)
            if not up or program.running:
                self._ended.pop(subject, None)
            elif now - self._ended.setdefault(subject, now) >= RESTART_SECONDS:
                program.start(ready=False)

    @property
    def spool(self) -> Path:
        """The node's spool."""
        return self.node.folder / "state" / "spool.db"

    def copy_spool(self) -> Path | None:
        """Return a copy of the spool as it is now; None where there is none that can be read."""
        copied = self.node.folder / "spool.copy"
        copied.unlink(missing_ok=True)
        try:
            with (
                closing(sqlite3.connect(f"file:{self.spool}?mode=ro", uri=True)) as db,
                closing(sqlite3.connect(copied)) as into,
            ):
                db.backup(into)
        except sqlite3.Error:
            return None
        return copied

    def replace_spool(self, copied: Path | None) -> None:
        """Put a copy in the spool's place, or nothing; the node must not run."""
        for suffix in ("", "-wal", "-shm"):
            self.spool.with_name(f"{self.spool.name}{suffix}").unlink(missing_ok=True)
        if copied is not None:
            shutil.copyfile(copied, self.spool)

    def status(self) -> dict[str, Any]:
        """Return what the node told last, whether it runs or not."""
        with suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads((self.node.folder / "state" / "status.json").read_text())
            return found
        return {}

    def connected(self) -> bool:
        """Tell whether the node that runs now says that it is connected."""
        told = self.status()
        return (
            self.node.program.running
            and told.get("pid") == self.node.program.pid
            and told.get("connection") == "connected"
        )

    def settled(self) -> bool:
        """Tell whether the node has read everything and the hub has taken all of it."""
        told = self.status()
        sources = told.get("sources", [])
        lag = sum(int(source.get("lagBytes", 0)) for source in sources)
        return self.connected() and not lag and self.waiting() == 0

    def waiting(self) -> int:
        """Return how many alerts are in the spool."""
        return self._count(self.spool, "SELECT coalesce(sum(alerts), 0) FROM entry")

    def held(self) -> int:
        """Return how many alerts wait for their roll-up."""
        return self._count(self.spool, "SELECT coalesce(sum(held), 0) FROM held")

    def stored(self, rule: int = RULE) -> int:
        """Return how many of the oracle's alerts with a rule's id are in the hub's store."""
        path = self.hub.folder / "state" / "zeus.db"
        return self._count(path, "SELECT count(*) FROM alert WHERE rule_id IN (?, ?)", str(rule), f"9{rule}")

    def _count(self, path: Path, query: str, *values: str) -> int:
        """Return a number from a database that a program has open; 0 where it cannot be read just now."""
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return int(db.execute(query, values).fetchone()[0])
        return 0

    def logs(self) -> str:
        """Return the end of both programs' logs, and what went wrong before, for a failure's message."""
        return "\n".join(f"--- {name}\n{excerpt(self.program(name).log())}" for name in (HUB, NODE))

    def keep(self) -> None:
        """End the programs, and copy what is on their disks beside them: the disks go with the cast."""
        self.stage.end()
        for disk in self.disks.values():
            disk.keep()

    def wait(self, condition: Callable[[], Answer], what: str, *, limit: float) -> Answer:
        """Wait for something while the programs are kept running, and return it; fail with their logs."""

        def met() -> Answer:
            self.supervise()
            return condition()

        return wait_until(met, what, limit=limit, told=self.logs)


def excerpt(log: str) -> str:
    """Return a log's end, and its first traceback, which may be long before."""
    place = log.find("Traceback")
    early = f"{log[place : place + LONGEST_TRACEBACK]}\n...\n" if 0 <= place < len(log) - LONGEST_LOG else ""
    return early + log[-LONGEST_LOG:]


def signalled(program: Program, number: signal.Signals) -> None:
    """Send a signal to a program, if it runs."""
    if program.running:
        with suppress(ProcessLookupError):
            os.kill(program.pid, number)


def torn(path: Path, amount: int) -> None:
    """Cut some bytes off the end of a database's log, as a disk does that lost what it said it had."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists():
        os.truncate(log, max(0, log.stat().st_size - amount))


def corroded(path: Path, dice: random.Random) -> None:
    """Turn some bytes of a file into others, not in its first page; of one that is not there yet, none."""
    if not path.exists():
        return
    size = path.stat().st_size
    with path.open("r+b") as file:
        for _ in range(4):
            file.seek(dice.randrange(min(4096, size // 2), size))
            file.write(dice.randbytes(64))


@contextmanager
def cast(
    folder: Path,
    sources: Sequence[Follow],
    *,
    node_settings: str = "",
    hub_settings: str = "",
    disk_bytes: int = DISK_BYTES,
) -> Iterator[Cast]:
    """Give a hub and a node that runs and is connected through a proxy; all of it ends with the context.

    Each has a disk of `disk_bytes` of its own; 0: a folder.
    """
    with ExitStack() as stack:
        disks = {NODE: folder / "stage" / CLIENT / NAME / "state", HUB: folder / "stage" / "hub-0" / "state"}
        made = {subject: Disk(place, disk_bytes) for subject, place in disks.items()}
        for disk in made.values():
            stack.callback(disk.end)
        stage = stack.enter_context(staged(folder / "stage"))
        hub = stage.hub(settings=hub_settings)
        watcher = stack.enter_context(watching(hub))
        proxy = stack.enter_context(proxied(hub.address))
        settings = f'hub_address = "{proxy.address}"\n{node_settings}'
        node = stage.node(hub, CLIENT, NAME, *sources, settings=settings, start=False)
        clock = Clock(folder)
        node.program.environment.update(clock.environment())
        node.program.start()
        found = Cast(stage, hub, node, proxy, made, clock, watcher)
        found.wait(found.connected, "the node is connected", limit=30.0)
        yield found
