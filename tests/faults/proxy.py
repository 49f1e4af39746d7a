"""A TCP proxy between a node and its hub that can be told, while it runs, to behave as bad networks do.

It runs in a thread of its own and is told what to do from any other; what it was told is in force when the
call returns. A fault holds for the connections that are open and for those to come, until `heal`.

    with proxied("127.0.0.1:8443") as proxy:
        ...                  # connect to proxy.address
        proxy.half_open()    # both ends believe that all is well; nothing arrives
        proxy.heal()
"""

import queue
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Flag, auto

BLOCK = 64 * 1024  # bytes read at once
MOST_QUEUED = 256 * 1024  # bytes of one direction that the proxy holds; then it reads no more
LIMIT = 10.0  # seconds that a command may take
REST = 1.0  # seconds without anything to do
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


class Way(Flag):
    """Which way bytes go."""

    UP = auto()
    """From the one who connected (the node) to the target (the hub)."""
    DOWN = auto()
    """Back."""
    BOTH = UP | DOWN


NEITHER = Way(0)


@dataclass(frozen=True, slots=True)
class Fault:
    """How the network is; made of nothing, it is well."""

    delay: float = 0.0
    """Seconds that each byte takes longer, each way."""
    bytes_a_second: float = 0.0
    """What passes of one connection each way; 0 for all."""
    refused: bool = False
    """Whether nobody listens."""
    swallowed: Way = NEITHER
    """What is read and goes nowhere. A connection that lost bytes is dead from then on, healed or not, and
    neither end is told."""
    held: Way = NEITHER
    """What is not read, and goes on when healed: packets that are lost until then."""
    corrupt_every: int = 0
    """One bit is wrong in each so many bytes; 0 for none."""


@dataclass(slots=True)
class _Pipe:
    """One direction of one connection."""

    source: socket.socket
    sink: socket.socket
    way: Way
    queue: deque[tuple[float, bytes]] = field(default_factory=deque)
    """What was read, and when it is due; no bytes mean the end."""
    queued: int = 0
    free_at: float = 0.0
    """When a throttled pipe takes the next bytes."""
    seen: int = 0
    dead: bool = False
    """Whether bytes were swallowed."""
    ended: bool = False
    """Whether the source said its last."""
    done: bool = False
    """Whether the sink was told so, or never will be."""


@dataclass(frozen=True, slots=True)
class _Connection:
    """Both directions."""

    up: _Pipe
    down: _Pipe

    @property
    def over(self) -> bool:
        """Whether there is nothing more to do."""
        return self.up.done and self.down.done

    @property
    def dead(self) -> bool:
        """Whether it lost bytes."""
        return self.up.dead or self.down.dead

    def close(self, end: Callable[[socket.socket], None]) -> None:
        """Let go of both ends."""
        for pipe in (self.up, self.down):
            pipe.done = True
            end(pipe.source)


class Proxy:
    """One address that leads to another; made by `proxied`."""

    def __init__(self, target: str) -> None:
        """`target` is "host:port"; nobody needs to listen there yet."""
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._place = _bound(0)  # holds the port while nobody listens on it
        self._port: int = self._place.getsockname()[1]
        self.address = f"127.0.0.1:{self._port}"
        """Where to connect."""
        self.passed = {Way.UP: 0, Way.DOWN: 0}
        """Bytes handed on, each way, since the start."""
        self.accepted = 0
        """Connections taken since the start."""
        self._fault = Fault()
        self._listener: socket.socket | None = None
        self._connections: list[_Connection] = []
        self._commands: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]] = queue.SimpleQueue()
        self._bell, self._ear = socket.socketpair()
        self._ear.settimeout(0)
        self._running = True
        self._thread = threading.Thread(target=self._run, name="fault-proxy", daemon=True)
        self._thread.start()
        self._tell(self._listen)

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return len(self._connections)

    @property
    def waiting(self) -> int:
        """Bytes that it holds now."""
        return sum(each.up.queued + each.down.queued for each in self._connections)

    def become(self, fault: Fault) -> None:
        """Behave so from now on, in place of what was told before."""
        self._tell(lambda: self._become(fault))

    def heal(self) -> None:
        """Behave well; what was held goes on, connections that lost bytes stay dead."""
        self.become(Fault())

    def delay(self, seconds: float) -> None:
        """Let each byte take so much longer, each way."""
        self.become(Fault(delay=seconds))

    def throttle(self, bytes_a_second: float) -> None:
        """Let no more through of each connection and way."""
        self.become(Fault(bytes_a_second=bytes_a_second))

    def refuse(self) -> None:
        """End all connections and take no new ones."""
        self.become(Fault(refused=True))
        self.cut()

    def half_open(self, way: Way = Way.BOTH) -> None:
        """Swallow what comes that way; connections stay, new ones are taken and are as dead."""
        self.become(Fault(swallowed=way))

    def hold(self, way: Way = Way.BOTH) -> None:
        """Let nothing through that way until healed; nothing is lost."""
        self.become(Fault(held=way))

    def corrupt(self, every: int) -> None:
        """Turn one bit in each so many bytes."""
        self.become(Fault(corrupt_every=every))

    def cut(self) -> None:
        """End all connections at once (RST at both ends); what is in force stays so."""
        self._tell(self._cut)

    def close(self) -> None:
        """End all connections and the thread."""
        self._tell(self._stop)
        self._thread.join(LIMIT)
        for each in (self._bell, self._ear, self._place):
            each.close()

    def _tell(self, command: Callable[[], None]) -> None:
        done = threading.Event()
        self._commands.put((command, done))
        self._bell.send(b"\0")
        assert done.wait(LIMIT), "the proxy's thread has ended"

    def _become(self, fault: Fault) -> None:
        self._fault = fault
        self._reckon_anew()
        if fault.refused:
            self._deafen()
        else:
            self._listen()

    def _reckon_anew(self) -> None:
        """Let what waits be due as if it came now: nothing waits for a fault that is over."""
        now = time.monotonic()
        for pipe in (pipe for each in self._connections for pipe in (each.up, each.down)):
            pipe.free_at = now
            pipe.queue = deque((self._due(pipe, len(found), now), found) for _, found in pipe.queue)

    def _due(self, pipe: _Pipe, size: int, now: float) -> float:
        """Return when so many bytes that come now may go on."""
        due = now + self._fault.delay
        if self._fault.bytes_a_second:
            pipe.free_at = max(pipe.free_at, now) + size / self._fault.bytes_a_second
            due = max(due, pipe.free_at)
        return due

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = _bound(self._port)
            self._listener.listen()
            self._listener.settimeout(0)

    def _deafen(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _cut(self) -> None:
        for connection in self._connections:
            connection.close(_reset)
        self._connections.clear()

    def _stop(self) -> None:
        self._deafen()
        self._cut()
        self._running = False

    def _run(self) -> None:
        while self._running:
            ready = self._wait()
            if self._ear.fileno() in ready:
                self._obey()
            if self._listener is not None and self._listener.fileno() in ready:
                self._accept(self._listener)
            for connection in self._connections:
                for pipe in (connection.up, connection.down):
                    self._try_to_move(connection, pipe, ready)
                if connection.over:
                    connection.close(socket.socket.close)
            self._connections = [each for each in self._connections if not each.over]

    def _wait(self) -> dict[int, int]:
        """Return what can be read or written without waiting."""
        wanted = {self._ear.fileno(): select.POLLIN}
        if self._listener is not None:
            wanted[self._listener.fileno()] = select.POLLIN
        now, wake = time.monotonic(), REST
        for pipe in (pipe for each in self._connections for pipe in (each.up, each.down)):
            if self._may_read(pipe):
                wanted[pipe.source.fileno()] = wanted.get(pipe.source.fileno(), 0) | select.POLLIN
            if not pipe.queue or pipe.way in self._fault.held:
                continue
            if pipe.queue[0][0] <= now:
                wanted[pipe.sink.fileno()] = wanted.get(pipe.sink.fileno(), 0) | select.POLLOUT
            else:
                wake = min(wake, pipe.queue[0][0] - now)
        poll = select.poll()
        for descriptor, events in wanted.items():
            poll.register(descriptor, events)
        return dict(poll.poll(wake * 1000))

    def _may_read(self, pipe: _Pipe) -> bool:
        return (
            not (pipe.ended or pipe.done) and pipe.queued < MOST_QUEUED and pipe.way not in self._fault.held
        )

    def _obey(self) -> None:
        with suppress(BlockingIOError):
            self._ear.recv(BLOCK)
        while not self._commands.empty():
            command, done = self._commands.get()
            command()
            done.set()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError):
            near, _ = listener.accept()
            self.accepted += 1
            try:
                far = socket.create_connection(self._target, LIMIT)
            except OSError:
                _reset(near)
                return
            for end in (near, far):
                end.settimeout(0)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.append(_Connection(_Pipe(near, far, Way.UP), _Pipe(far, near, Way.DOWN)))

    def _try_to_move(self, connection: _Connection, pipe: _Pipe, ready: dict[int, int]) -> None:
        if pipe.done:
            return
        try:
            self._move(pipe, ready)
        except OSError:
            if connection.dead:  # who lost bytes hears nothing of the other's end either
                pipe.dead = pipe.ended = pipe.done = True
                pipe.queue.clear()
            else:
                connection.close(_reset)

    def _move(self, pipe: _Pipe, ready: dict[int, int]) -> None:
        """Take in and hand on what can be without waiting."""
        if ready.get(pipe.source.fileno()) and self._may_read(pipe):
            with suppress(BlockingIOError):
                self._take(pipe, pipe.source.recv(BLOCK))
        now = time.monotonic()
        while pipe.queue and pipe.queue[0][0] <= now and pipe.way not in self._fault.held:
            if not self._hand_on(pipe):
                break

    def _take(self, pipe: _Pipe, found: bytes) -> None:
        fault, now = self._fault, time.monotonic()
        pipe.ended = not found
        pipe.dead = pipe.dead or pipe.way in fault.swallowed
        if pipe.dead:
            pipe.done = pipe.ended
            return
        if fault.corrupt_every:
            found = _corrupted(found, pipe.seen, fault.corrupt_every, pipe.way)
        pipe.seen += len(found)
        pipe.queue.append((self._due(pipe, len(found), now), found))
        pipe.queued += len(found)

    def _hand_on(self, pipe: _Pipe) -> bool:
        """Send the first of what is due; return whether all of it went."""
        due, waiting = pipe.queue[0]
        if not waiting:
            pipe.queue.popleft()
            pipe.done = True
            pipe.sink.shutdown(socket.SHUT_WR)
            return True
        try:
            sent = pipe.sink.send(waiting)
        except BlockingIOError:
            return False
        self.passed[pipe.way] += sent
        pipe.queued -= sent
        pipe.queue.popleft()
        if sent < len(waiting):
            pipe.queue.appendleft((due, waiting[sent:]))
        return sent == len(waiting)


def _bound(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    return made


def _reset(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    end.close()


def _corrupted(found: bytes, seen: int, every: int, way: Way) -> bytes:
    """Return the bytes with a bit turned in each that completes `every` of the stream; each way its own."""
    changed = bytearray(found)
    for index in range(every - 1 - seen % every, len(changed), every):
        changed[index] ^= way.value
    return bytes(changed)


@contextmanager
def proxied(target: str) -> Iterator[Proxy]:
    """Give a proxy to `target` ("host:port") for as long as the context lasts."""
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
