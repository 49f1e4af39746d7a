"""A hub that is killed at one step of its way from a batch received to its acknowledgement.

A step is whatever Python can tell of: each call and each return in the modules that take a batch, and each
call from there into C, as are SQLite's. The hub's own code knows nothing of this.

    python killed.py wire FOLDER EVERY    everything but the network, in one fork for each step
    python killed.py hub STATE_DIR STEP   a whole hub, which dies at that step; 0 for never
"""

# ruff: noqa: T201 - it speaks with the test over standard output

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Any, cast

from socme.batch import pack
from socme.journal import Entry
from socme.service import Notifier
from socme.v1.uplink_pb2 import HubMessage, NodeMessage
from tests.zeus_hub.kit import EPOCH, alert, message, settings
from tests.zeus_hub.wire import Wire, hello, ingest
from zeus_hub import hub
from zeus_hub.commit import Committer
from zeus_hub.hub import Running, serve
from zeus_hub.ingest import Ingest
from zeus_hub.link import Link

MODULES = {
    f"{name}.py"
    for name in ("ingest", "link", "envelope", "commit", "journalist", "marks", "accounts", "journal")
}
BATCHES = 2


class Fuse:
    """Kills this process at some step after it was lit."""

    def __init__(self, step: int, modules: Collection[str] = MODULES) -> None:
        self._modules = modules
        self.left = step
        self.lit = False
        self.steps = 0

    def light(self) -> None:
        """Begin to count."""
        self.lit = True

    def install(self) -> None:
        """Watch all threads that are made from now on, and this one."""
        threading.setprofile(self._step)
        sys.setprofile(self._step)

    def _step(self, frame: FrameType, event: str, argument: object) -> None:
        del event, argument
        if not self.lit or os.path.basename(frame.f_code.co_filename) not in self._modules:  # noqa: PTH119 - fast
            return
        self.steps += 1
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class Mouth(Wire):
    """A stream whose acknowledgements leave the process at once, as if by the network."""

    def __init__(self, out: int) -> None:
        super().__init__("n1", lambda lane, sequence: True)
        self._out = out

    async def write(self, message: HubMessage) -> None:
        """Say what is acknowledged."""
        await super().write(message)
        if message.HasField("ack"):
            os.write(self._out, bytes([message.ack.sequence]))


def batches() -> Sequence[NodeMessage]:
    """Return what a node sends."""
    return [
        NodeMessage(batch=message(number, pack([alert(number).SerializeToString()])))
        for number in range(1, BATCHES + 1)
    ]


async def one(path: Path, out: int, fuse: Fuse) -> None:
    """Take all batches of a node and acknowledge them."""
    committer = Committer(path, 10**9, needed=lambda: 0, committed=_nothing)
    taking, wire = ingest(committer), Mouth(out)
    wire.inbound.put_nowait(hello(EPOCH))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(committer.run())
        serving = group.create_task(cast("Any", taking.Connect(object(), cast("Any", wire))))
        while not wire.told:  # noqa: ASYNC110 - the test's limit is outside
            await asyncio.sleep(0.001)
        fuse.light()
        for batch in batches():
            wire.inbound.put_nowait(batch)
        while wire.acked.get(1, 0) < BATCHES:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        fuse.lit = False
        serving.cancel()
        running.cancel()


def _nothing(entries: Sequence[Entry], new: Collection[int]) -> None:
    del entries, new


def fork(folder: Path, step: int) -> tuple[bool, int]:
    """Run `one` in a process that dies at a step; return whether it did, and what it acknowledged."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        fuse = Fuse(step)
        fuse.install()
        asyncio.run(one(folder / f"{step}.db", writing, fuse))
        os._exit(0)
    os.close(writing)
    with closing(os.fdopen(reading, "rb")) as said:
        acked = max(said.read(), default=0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and status:
        sys.exit("a child failed")
    return os.WIFSIGNALED(status), acked


def wire_mode(folder: Path, every: int) -> None:
    """Kill at each step, or at every so manyth; tell for each what was acknowledged."""
    step = 1
    while True:
        killed, acked = fork(folder, step)
        print(json.dumps({"step": step, "killed": killed, "acked": acked}), flush=True)
        if not killed:
            return
        step += every


def hub_mode(state_dir: Path, step: int) -> None:
    """Run a whole hub; the fuse is lit when the first batch is received."""
    fuse = Fuse(step)
    fuse.install()
    take, say = cast("Callable[..., Any]", Ingest._take), cast("Callable[..., Any]", Link._say)

    async def lighting(self: Ingest, *rest: object) -> None:
        fuse.light()
        await take(self, *rest)

    async def telling(self: Link) -> None:
        await say(self)
        print(json.dumps({"steps": fuse.steps}), flush=True)

    Ingest._take = lighting  # type: ignore[method-assign, assignment]
    Link._say = telling  # type: ignore[method-assign]

    def up(running: Running) -> None:
        print(json.dumps({"address": running.listening.hub}), flush=True)

    hub._allow_files()
    asyncio.run(serve(settings(state_dir), Notifier(), up))


if __name__ == "__main__":
    mode, folder, number = sys.argv[1:]
    {"wire": wire_mode, "hub": hub_mode}[mode](Path(folder), int(number))
