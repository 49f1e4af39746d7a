"""Watch a hub and note when alerts are seen: python -m bench.screen STATE HUB COUNT RESULT READY.

STATE is an enrolled screen's state folder. As bench/reader.py, for SOCme: an alert is seen when it comes in
the live stream, which is after it was committed at the hub.
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import grpc

from bench.reader import ages
from socme import identity, tls
from socme.v1.watch_pb2 import WatchEvent, WatchRequest
from socme.v1.watch_pb2_grpc import WatchStub

IDLE = 20.0  # seconds without an alert after which no more is waited for


async def watch(state_dir: Path, hub: str, count: int, ready: Path) -> list[float]:
    """Return how old each alert was when it came."""
    own = identity.load(state_dir, now=datetime.now(UTC), command="")
    credentials = tls.channel_credentials(key=own.key, chain=own.chain, ca=own.ca)
    seen: list[float] = []
    async with grpc.aio.secure_channel(hub, credentials, options=tls.CHANNEL_OPTIONS) as channel:
        call = WatchStub(channel).Alerts(WatchRequest(with_raw=True))
        await call.read()  # the snapshot
        ready.touch()  # noqa: ASYNC240 - once, before anything is measured
        last = time.monotonic()
        while len(seen) < count and time.monotonic() - last < IDLE:
            try:
                event = await asyncio.wait_for(call.read(), IDLE)
            except TimeoutError:
                break
            assert isinstance(event, WatchEvent)
            now = time.time_ns()
            for stored in event.alerts.alerts:
                seen += ages(stored.alert.raw, now)
                last = time.monotonic()
        call.cancel()
    return seen


def main() -> None:
    """Watch until all is there."""
    state_dir, hub, count, result, ready = sys.argv[1:]
    seconds = asyncio.run(watch(Path(state_dir), hub, int(count), Path(ready)))
    Path(result).write_text(json.dumps({"seconds": seconds, "last_ns": time.time_ns()}))


if __name__ == "__main__":
    main()
