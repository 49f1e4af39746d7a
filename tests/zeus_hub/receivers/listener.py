"""A real HTTP server for tests, which does what it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """What came."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Listener:
    """What an HTTP server got, and what it answers."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    requests: list[Request] = field(default_factory=list)
    cut: bool = False
    came: asyncio.Event = field(default_factory=asyncio.Event)
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, it lets everybody wait."""

    def __post_init__(self) -> None:
        self.answering.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request and answer it."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *lines = head.rstrip("\r\n").split("\r\n")
            headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.requests.append(Request(line, headers, body))
            self.came.set()
            await self.answering.wait()
            if not self.cut:
                extra = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
                length = f"Content-Length: {len(self.body)}\r\nConnection: close\r\n"
                writer.write(f"HTTP/1.1 {self.status} X\r\n{length}{extra}\r\n".encode() + self.body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):  # they went away
            pass
        finally:
            writer.close()


@asynccontextmanager
async def listening(listener: Listener, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on loopback; yield the port."""
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        listener.answering.set()
        server.close()
        await server.wait_closed()
