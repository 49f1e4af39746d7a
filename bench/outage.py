"""What an outage costs in memory: the agent with the hub away, and the hub with watchers that stop reading.

python bench/outage.py            # 1 GiB of alerts, then 1,000 watchers
python bench/outage.py --small    # a tenth of each
python bench/outage.py --check    # exit code 1 where either takes more than docs/delivery.md says
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import grpc

from socme import identity, tls
from socme.v1.watch_pb2 import WatchEvent, WatchRequest
from socme.v1.watch_pb2_grpc import WatchStub
from tests.faults import lines
from tests.faults.judge import HUB_BYTES, NODE_BYTES
from tests.faults.meter import resident
from tests.faults.plan import Feed
from tests.faults.trial import Play, played
from tests.flow.programs import wait_until

MIB = 1024 * 1024
SIZE = 1024 * MIB  # of pure alerts
WATCHERS = 1000
STREAMS = 50  # of one screen; the hub lets it open 64
FLOOD = 20_000  # alerts that come while the watchers do not read


def blocks(size: int) -> Iterator[tuple[bytes, int]]:
    """Yield lines, and how many they are, until there are so many bytes; no two blocks are alike."""
    dice, number, written = random.Random(1), 0, 0
    while written < size:
        numbers = range(number, number + 2000)
        block = b"".join(lines.issue("suricata", each).raw + b"\n" for each in numbers)
        number += 2000 + dice.randrange(10)
        written += len(block)
        yield block, 2000


def outage(folder: Path, size: int) -> int:
    """Print and return what the agent takes while it reads all of it and nobody takes it, in bytes."""
    with played(folder, Feed("suricata", "rename"), spool_bytes=8 * 1024 * MIB, disk_bytes=0) as play:
        cast = play.cast
        cast.proxy.refuse()
        began, written, alerts = time.monotonic(), 0, 0
        with play.author.paths[0].open("ab") as log:
            for block, count in blocks(size):
                written += log.write(block)
                alerts += count
        cast.wait(lambda: cast.waiting() >= alerts, "the agent has read everything", limit=1800)
        seconds = time.monotonic() - began
        most, spooled = resident(cast.node.program.pid), cast.spool.stat().st_size
        print(
            f"hub away, {written / MIB:.0f} MiB of {alerts} alerts read in {seconds:.0f} s: agent"
            f" {most / MIB:.0f} MiB resident at most, spool {spooled / MIB:.0f} MiB"
        )
        return most


def watchers(folder: Path, number: int) -> int:
    """Print and return what the hub takes for watchers that are there and read nothing, in bytes."""
    with played(folder, Feed("suricata", "rename"), disk_bytes=0) as play, ExitStack() as stack:
        before = resident(play.cast.hub.program.pid)
        calls = list(_watch(play, number, stack))
        for call in calls:
            next(call)  # the snapshot; nothing is read behind it
        idle = resident(play.cast.hub.program.pid)
        play.author.flood(0, FLOOD)
        wait_until(lambda: play.cast.stored() >= FLOOD, "all alerts are stored", limit=300)
        threading.Event().wait(5)
        after = resident(play.cast.hub.program.pid)
        print(
            f"{number} watchers that stop reading, {FLOOD} alerts: hub {before / MIB:.0f} MiB without,"
            f" {idle / MIB:.0f} MiB with them, {after / MIB:.0f} MiB at most"
        )
        return after


def _watch(play: Play, number: int, stack: ExitStack) -> Iterator[Iterator[WatchEvent]]:
    """Yield streams of as many screens as it takes: one may open some dozens."""
    for screen in range(0, number, STREAMS):
        made = play.cast.stage.screen(play.cast.hub, f"screen-{screen}", start=False)
        own = identity.load(made.folder / "state", now=datetime.now(UTC), command="")
        credentials = tls.channel_credentials(key=own.key, chain=own.chain, ca=own.ca)
        channel = grpc.secure_channel(play.cast.hub.address, credentials, options=tls.CHANNEL_OPTIONS)
        stub = WatchStub(stack.enter_context(channel))
        for _ in range(min(STREAMS, number - screen)):
            call = stub.Alerts(WatchRequest(with_raw=True))
            stack.callback(call.cancel)
            yield iter(call)


def main() -> int:
    """Measure both; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a tenth of everything")
    parser.add_argument("--check", action="store_true", help="fail where either is above its bound")
    given = parser.parse_args()
    part = 10 if given.small else 1
    with tempfile.TemporaryDirectory() as folder:
        agent = outage(Path(folder) / "outage", SIZE // part)
        hub = watchers(Path(folder) / "watchers", WATCHERS // part)
    above = [
        f"the {name} took {took / MIB:.0f} MiB, more than {most / MIB:.0f}"
        for name, took, most in (("agent", agent, NODE_BYTES), ("hub", hub, HUB_BYTES))
        if took > most
    ]
    print(*above, sep="\n", end="\n" if above else "")
    return 1 if above and given.check else 0


if __name__ == "__main__":
    sys.exit(main())
