"""The least that a hub can cost: a server of gRPC alone, with the same streams and options.

`python -m bench.bare STATE_DIR` listens with a certificate of that hub's CA, so that the hub's nodes can call
it too. It reads what they say and answers Hello with an empty Welcome. It writes where it listens into
STATE_DIR/bare.
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from socme import tls
from socme.identity import utc_now
from socme.v1.uplink_pb2 import HubMessage, Welcome
from socme.v1.uplink_pb2_grpc import UplinkServicer, add_UplinkServicer_to_server
from zeus_hub.ca import certify_hub, open_authority

LIMIT = 30.0  # seconds within which it must listen


class Silent(UplinkServicer):
    """Listens, and says nothing after the Welcome."""

    async def Connect(  # type: ignore[override]  # noqa: N802
        self, request_iterator: object, context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        """Read until the node has gone."""
        del request_iterator
        await context.read()
        await context.write(HubMessage(welcome=Welcome()))
        while await context.read() is not grpc.aio.EOF:
            pass


@asynccontextmanager
async def bare(state_dir: Path) -> AsyncIterator[tuple[int, str]]:
    """Run it beside a hub that has its state there; give its process id and where it listens."""
    told = state_dir / "bare"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.bare", str(state_dir), stderr=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(LIMIT):
            while not told.exists():  # noqa: ASYNC110 - what is asked is a file
                await asyncio.sleep(0.05)
        yield process.pid, told.read_text()
    finally:
        process.kill()
        await process.wait()
        told.unlink(missing_ok=True)


async def serve(state_dir: Path) -> None:
    """Listen for ever."""
    authority = open_authority(state_dir, now=utc_now())
    key, chain = certify_hub(authority, now=utc_now())
    server = grpc.aio.server(options=tls.SERVER_OPTIONS)
    add_UplinkServicer_to_server(Silent(), server)
    port = server.add_secure_port(
        "127.0.0.1:0", tls.mutual_server_credentials(key=key, chain=chain, ca=authority.pem)
    )
    await server.start()
    fresh = state_dir / "bare.new"
    fresh.write_text(f"127.0.0.1:{port}")
    fresh.rename(state_dir / "bare")
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
