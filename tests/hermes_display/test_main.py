"""The programs of Hermes as processes: what they print, and how they end."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.flow.programs import environment, free_port
from tests.hermes_display.watch_server import TestHub, stored

LIMIT = 40.0  # seconds; two busy cores


@asynccontextmanager
async def hermes(*arguments: str | Path, **extra: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a command; end it with the test."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hermes_display", *map(str, arguments)),
        env=environment(**extra),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(LIMIT):
            yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def outcome(*arguments: str | Path, **extra: str) -> tuple[int | None, str, str]:
    """Return exit code, standard output and standard error of a command that ends by itself."""
    async with hermes(*arguments, **extra) as process:
        out, error = await process.communicate()
        return process.returncode, out.decode(), error.decode()


async def line_with(stream: asyncio.StreamReader | None, text: str) -> str:
    """Return the first line that holds `text`."""
    assert stream is not None
    while line := (await stream.readline()).decode():
        if text in line:
            return line
    raise AssertionError(f"the stream ended without {text!r}")


def test_the_wall_holds_nothing_that_is_for_settings_and_commands_alone() -> None:
    """What reads settings and command lines is large, and needed once (socme.launch)."""
    program = "import sys, hermes_display.__main__, hermes_display.display; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "hermes_display.wall" in done.stdout.split()
    assert not {"pydantic", "pydantic_settings", "typer", "hermes_display.config"} & set(done.stdout.split())


async def test_a_port_that_is_taken_is_told(hub: TestHub, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        config = hub.settings(tmp_path, listen=listen)
        code, _, error = await outcome("run", "--config", config)
    assert code == 1
    assert f"hermes: cannot serve the wall on {listen}: Address already in use\n  Is it running" in error
    assert "Traceback" not in error


async def test_check_tells_each_part(hub: TestHub, tmp_path: Path) -> None:
    config = hub.settings(tmp_path)
    code, out, error = await outcome("check", "--config", config)
    assert (code, error) == (0, "")
    assert [line.split(":")[0] for line in out.splitlines()] == ["ok  settings", "ok  certificate", "ok  hub"]

    hub.script.refusal = "this certificate was revoked"
    code, out, error = await outcome("check", "--config", config)
    assert code == 1
    assert "refuses this screen: this certificate was revoked" in error

    await hub.stop()
    code, out, error = await outcome("check", "--config", config)
    assert code == 1
    assert out.splitlines()[-1].startswith("ok  certificate")
    assert error.startswith(f"hermes: cannot reach the hub at {hub.address}: ")
    assert len(error.splitlines()) == 2


async def test_run_tells_systemd_and_ends_with_sigterm(hub: TestHub, tmp_path: Path) -> None:
    """READY once the page is served; a browser that looks on does not hold up the end."""
    address = f"127.0.0.1:{free_port()}"
    config = hub.settings(tmp_path, listen=address)
    notices = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(notices))
        systemd.settimeout(0)
        loop = asyncio.get_running_loop()
        async with hermes("run", "--config", config, NOTIFY_SOCKET=str(notices)) as process:
            told = await loop.sock_recv(systemd, 4096)
            assert told.startswith(b"READY=1\n")
            host, _, port = address.partition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
            assert b"200 OK" in await reader.readline()

            process.terminate()
            async with asyncio.timeout(5):
                _, error = await process.communicate()
            assert process.returncode == 0
            assert await loop.sock_recv(systemd, 4096) == b"STOPPING=1"
            writer.close()
    assert b"Traceback" not in error
    assert b"stopping signal=SIGTERM" in error


async def test_run_starts_without_the_hub(hub: TestHub, tmp_path: Path) -> None:
    """A wall that boots before the hub shows that, and then the hub."""
    config = hub.settings(tmp_path)
    await hub.stop()
    async with hermes("run", "--config", config) as process:
        line = await line_with(process.stderr, "no contact with the hub")
        assert "refused" in line
        await hub.start()
        await line_with(process.stderr, "connected")


async def test_tail_prints_json_lines_live_and_ends_quietly_when_interrupted(
    hub: TestHub, tmp_path: Path
) -> None:
    hub.script.alerts.append(stored(1))
    config = hub.settings(tmp_path)
    async with hermes("tail", "--json", "--client", "acme", "--config", config) as process:
        assert process.stdout is not None
        assert json.loads(await process.stdout.readline())["rule"]["name"] == "Alert 1"
        await hub.script.add(stored(2))
        assert json.loads(await process.stdout.readline())["rule"]["name"] == "Alert 2"
        assert list(hub.script.requests[0].clients) == ["acme"]

        process.send_signal(signal.SIGINT)
        out, error = await process.communicate()
        assert process.returncode == 130
    assert out == b""
    told = error.decode()
    assert told.splitlines()[-1].endswith("connected"), "nothing of the interruption"
    assert "Traceback" not in told


@pytest.mark.parametrize("form", ["", "--json"])
async def test_tail_ends_quietly_when_nobody_reads_any_more(form: str, hub: TestHub, tmp_path: Path) -> None:
    hub.script.alerts += [stored(1), stored(2)]
    config = hub.settings(tmp_path)
    pipe = await asyncio.create_subprocess_shell(
        f"{sys.executable} -m hermes_display tail {form} --config {config} | head -1",
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
        ended = group.create_task(pipe.communicate())
        number = 10
        while not ended.done():  # a pipe that nobody reads is noticed with the next line
            if hub.script.requests:
                number += 1
                await hub.script.add(stored(number))
            await asyncio.wait([ended], timeout=0.1)
    out, error = ended.result()
    assert b"Alert 1" in out
    assert out.count(b"\n") == 1
    assert [line.split()[-1] for line in error.splitlines()] == [b"connected"]
