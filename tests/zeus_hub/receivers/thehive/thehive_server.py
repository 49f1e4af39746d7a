"""A strict TheHive over HTTP on loopback, and all that can go wrong on the way to it."""

# ruff: noqa: D102 - names say it, as for functions

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

from tests.zeus_hub.receivers.thehive.hive import Hive, Reply, Request

Way = Literal["answer", "cut", "cut before", "hang", "hang after", "drip", "flood"]
TLS_HANDSHAKE = b"\x16"  # what somebody begins with who takes this for TLS
DRIP = 0.01  # seconds between two bytes


@dataclass
class Fault:
    """What happens to requests in the place of an answer."""

    way: Way
    """ "answer": `reply`, and TheHive never hears of it; "cut": the connection ends once the request is done,
    "cut before": and before it is; "hang", "hang after": nothing comes; "drip": an answer without an end,
    slowly; "flood": the same, as fast as it goes."""
    on: str = ""
    """How method and target begin, as "POST /api/v1/alert"."""
    reply: Reply = field(default_factory=lambda: Reply(500, b"<html>Internal error</html>"))
    times: int = 1
    after: int = 0
    """How many such requests pass before."""
    happened: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Server:
    """A TheHive that is served."""

    hive: Hive
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    """All that came, faults or not."""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    connections: dict[asyncio.StreamWriter, "asyncio.Task[None]"] = field(default_factory=dict)

    def asked(self, on: str) -> int:
        """Return how many requests began so."""
        return sum(f"{each.method} {each.target}".startswith(on) for each in self.requests)

    def posts(self) -> int:
        """Return how many alerts were asked to be made."""
        return sum((each.method, each.target) == ("POST", "/api/v1/alert") for each in self.requests)

    def _fault(self, request: Request) -> Fault | None:
        for fault in self.faults:
            if not fault.times or not f"{request.method} {request.target}".startswith(fault.on):
                continue
            fault.after -= 1
            if fault.after < 0:
                fault.times -= 1
                fault.happened.set()
                return fault
        return None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections[writer] = task
        try:
            while request := await _read(reader):
                self.requests.append(request)
                if not await self._reply(request, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            return
        finally:
            del self.connections[writer]
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _reply(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Answer a request or do worse; tell whether the connection goes on."""
        if not request.method:
            await _write(writer, Reply(400, b"this is HTTP"))
            return False
        fault = self._fault(request)
        if fault is None:
            return await _write(writer, self.hive.answer(request))
        if fault.way == "answer":
            return await _write(writer, fault.reply)
        if fault.way in ("cut", "hang after"):
            self.hive.answer(request)
        if fault.way in ("hang", "hang after"):
            await self.closing.wait()
        if fault.way in ("drip", "flood"):
            await self._endless(writer, fault.way)
        return False

    async def _endless(self, writer: asyncio.StreamWriter, way: Way) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while not self.closing.is_set():
            writer.write(b" " if way == "drip" else b" " * 262_144)
            await writer.drain()
            await asyncio.sleep(DRIP if way == "drip" else 0)


@asynccontextmanager
async def serving(hive: Hive | None = None, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Serve a TheHive."""
    made = Server(hive or Hive())
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    made.url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
    try:
        yield made
    finally:
        made.closing.set()
        listening.close()
        await listening.wait_closed()
        tasks = list(made.connections.values())
        for writer in list(made.connections):
            writer.close()
        if tasks:
            await asyncio.wait(tasks)


async def _read(reader: asyncio.StreamReader) -> Request | None:
    """Return the next request; None where the connection ends."""
    first = await reader.read(1)
    if first == TLS_HANDSHAKE:
        return Request("", "", {})
    line = (first + await reader.readline()).decode("latin-1").split()
    if not line:
        return None
    headers = {}
    while (header := (await reader.readline()).decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(line[0], line[1], headers, body)


async def _write(writer: asyncio.StreamWriter, reply: Reply) -> bool:
    headers = {"Content-Type": "application/json", **reply.headers, "Content-Length": str(len(reply.content))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {reply.status} -\r\n{head}\r\n".encode() + reply.content)
    await writer.drain()
    return True
