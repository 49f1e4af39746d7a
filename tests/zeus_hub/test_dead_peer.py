"""A node that is there and answers nothing is found by the hub within 20 seconds."""

import asyncio
import logging
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.flow.programs import environment
from tests.zeus_hub.kit import hub

FOUND_SECONDS = 20.0
NODE = """
import asyncio, sys
from pathlib import Path
from tests.zeus_hub.kit import Machine, linked

async def main(folder, address):
    key, chain, ca = ((folder / name).read_bytes() for name in ("key", "chain", "ca"))
    async with linked(address, Machine(key, chain, ca)):
        print("connected", flush=True)
        await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


@pytest.mark.slow
async def test_a_frozen_node_is_found_within_20_seconds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It holds its connection; without our options the hub would wait for hours."""
    caplog.set_level(logging.INFO)
    async with hub(tmp_path / "state") as zeus:
        node = await zeus.node()
        for name, content in (("key", node.key), ("chain", node.chain), ("ca", node.ca)):
            (tmp_path / name).write_bytes(content)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", NODE, str(tmp_path), zeus.address),
            cwd=REPOSITORY,
            env=environment(),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"connected\n"
            process.send_signal(signal.SIGSTOP)
            frozen = time.monotonic()
            async with asyncio.timeout(2 * FOUND_SECONDS):
                while "node disconnected" not in caplog.text:  # noqa: ASYNC110 - a log has no event
                    await asyncio.sleep(0.05)
            found = time.monotonic() - frozen
        finally:
            process.kill()
            await process.wait()

    assert found < FOUND_SECONDS
