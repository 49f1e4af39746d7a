"""The peers' receivers under the same load as a hub: 20 connections of plain TCP, each with much under way.

What is sent is made beforehand and written as it is: a client of NATS or of RELP that does more would be the
limit. What counts is acknowledged, and by what the peer says afterwards, really there.
"""

import asyncio
import itertools
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import peers
from bench.gauge import MeasureError, cpu_seconds
from bench.peers import Command
from tests.flow.programs import free_port

CONNECTIONS = 20
SECONDS = 5.0
LIMIT = 30.0  # seconds that a peer may take to start, or to say what it has

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Frame = Callable[[int, bytes], bytes]  # makes of a number and a message what is written


@dataclass(frozen=True, slots=True)
class Rate:
    """What a receiver did."""

    alerts: float
    """Acknowledged each second."""
    cpu: float
    """Seconds of the receiver's CPU for each of them."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A peer that listens."""

    process: int
    port: int
    greet: Callable[[Stream], Awaitable[Frame]]
    """Begins a connection."""
    sign: bytes
    """Stands once in each acknowledgement, and nowhere else in what the peer says."""
    there: Callable[[], Awaitable[int]]
    """Returns how many messages it has."""


Make = Callable[[Path], AbstractAsyncContextManager[Receiver]]


class Signs:
    """Counts how often something stands in what comes in pieces."""

    def __init__(self, sign: bytes) -> None:
        self._sign = sign
        self._rest = b""

    def among(self, piece: bytes) -> int:
        """Return how many more a piece makes complete."""
        text = self._rest + piece
        self._rest = text[len(text) - len(self._sign) + 1 :]
        return text.count(self._sign)


async def load(receiver: Receiver, messages: Sequence[bytes], alerts: int, in_flight: int) -> Rate:
    """Send for some seconds, `alerts` in each message; return what was acknowledged."""
    acked = 0

    async def send(stream: Stream, frame: Frame) -> None:
        nonlocal acked
        reader, writer = stream
        numbers, signs, room = itertools.count(2), Signs(receiver.sign), in_flight
        with suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                while True:
                    some = itertools.islice(numbers, room)
                    writer.writelines([frame(number, messages[number % len(messages)]) for number in some])
                    room = signs.among(await reader.read(1 << 16))
                    acked += room
        writer.transport.abort()

    streams = [await asyncio.open_connection("127.0.0.1", receiver.port) for _ in range(CONNECTIONS)]
    frames = [await receiver.greet(stream) for stream in streams]
    used, end = cpu_seconds(receiver.process), asyncio.get_running_loop().time() + SECONDS
    async with asyncio.TaskGroup() as group:
        for stream, frame in zip(streams, frames, strict=True):
            group.create_task(send(stream, frame))
    used, there = cpu_seconds(receiver.process) - used, await receiver.there()
    if not 0 < acked <= there:
        raise MeasureError(f"{acked} messages were acknowledged, {there} are there")
    return Rate(acked * alerts / SECONDS, used / (acked * alerts))


@asynccontextmanager
async def jetstream(folder: Path) -> AsyncIterator[Receiver]:
    """Give NATS with a stream in files that is synced before each acknowledgement."""
    port = free_port()
    async with _started(peers.nats(folder, port), folder, port) as process:
        wanted = {"name": "bench", "subjects": ["bench"], "storage": "file", "retention": "limits"}
        await _asked(port, "$JS.API.STREAM.CREATE.bench", json.dumps(wanted).encode())

        async def there() -> int:
            state = await _asked(port, "$JS.API.STREAM.INFO.bench", b"")
            return int(state["state"]["messages"])

        yield Receiver(process, port, _greet_nats, b'"seq":', there)


@asynccontextmanager
async def relp(folder: Path) -> AsyncIterator[Receiver]:
    """Give rsyslog, which writes and syncs what it acknowledges."""
    port, output = free_port(), folder / "out"

    async def there() -> int:
        with output.open("rb") as file:
            return sum(1 for _ in file)

    async with _started(peers.rsyslog_receiver(folder, output, port), folder, port) as process:
        yield Receiver(process, port, _greet_relp, b" rsp 6 200 OK\n", there)


@asynccontextmanager
async def _started(command: Command, folder: Path, port: int) -> AsyncIterator[int]:
    """Run a peer until it is no longer needed; wait until it listens."""
    with (folder / "log").open("wb") as told:
        process = await asyncio.create_subprocess_exec(
            *command.arguments, env=command.environment, stdout=told, stderr=subprocess.STDOUT
        )
    try:
        async with asyncio.timeout(LIMIT):
            while True:
                with suppress(ConnectionError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def _greet_nats(stream: Stream) -> Frame:
    reader, writer = stream
    await reader.readline()  # what the server says of itself
    answers = f"_INBOX.{writer.get_extra_info('sockname')[1]}"
    said = {"verbose": False, "pedantic": False, "lang": "bench", "version": "1"}
    writer.write(f"CONNECT {json.dumps(said)}\r\nSUB {answers} 1\r\nPING\r\n".encode())
    await reader.readuntil(b"PONG\r\n")
    return lambda _, message: b"PUB bench %b %d\r\n%b\r\n" % (answers.encode(), len(message), message)


async def _asked(port: int, subject: str, request: bytes) -> dict[str, Any]:
    """Return what JetStream answers to a request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    frame = await _greet_nats((reader, writer))
    writer.write(frame(0, request).replace(b"PUB bench", f"PUB {subject}".encode(), 1))
    async with asyncio.timeout(LIMIT):
        size = int((await reader.readline()).split()[-1])  # MSG subject id size
        answer: dict[str, Any] = json.loads(await reader.readexactly(size))
    writer.close()
    if "error" in answer:
        raise MeasureError(f"JetStream: {answer['error']}")
    return answer


async def _greet_relp(stream: Stream) -> Frame:
    reader, writer = stream
    offer = b"relp_version=0\nrelp_software=bench\ncommands=syslog"
    writer.write(b"1 open %d %b\n" % (len(offer), offer))
    await reader.readuntil(b"syslog\n")
    return lambda number, message: b"%d syslog %d %b\n" % (number, len(message), message)
