"""How probes look outside: a program, a file, a socket; each within a time and a size, none as root.

Each returns None for what this machine does not have, and raises UnknownError for what it has and does not
tell.
"""

import os
import re
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import IO, Any, TypeAlias

from socme.text import clean

LIMIT_SECONDS = 2.0
MOST_BYTES = 1024 * 1024  # of one answer; an honest one has a few KiB
LONGEST_REASON = 160  # characters; they travel with the vitals
# Where programs are that a unit's PATH may lack, NixOS's first.
_FOLDERS = ("/run/current-system/sw/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin")
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")
_LOOK_SECONDS = 0.002  # between two looks whether a program that has said its last is gone
_REAP_SECONDS = 0.2  # for a killed program to be gone

Run: TypeAlias = Callable[[Sequence[str]], str | None]
"""Something like `run`."""


class UnknownError(Exception):
    """What cannot be learnt now; its text says why, in a few words for people."""

    def __init__(self, why: str) -> None:
        super().__init__(clean(" ".join(why.split()), LONGEST_REASON))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    body: bytes


def refusal(error: OSError) -> UnknownError:
    """Return an error of the system as a reason: "permission denied: /run/x"."""
    what = (error.strerror or str(error) or type(error).__name__).lower()
    return UnknownError(f"{what}: {error.filename}" if error.filename else what)


def run(command: Sequence[str], limit_seconds: float = LIMIT_SECONDS) -> str | None:
    """Return what a program prints; None where there is no such program."""
    program = shutil.which(command[0], path=os.pathsep.join((os.environ.get("PATH", ""), *_FOLDERS)))
    if program is None:
        return None
    try:
        child = subprocess.Popen(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError as error:
        raise refusal(error) from error
    name = Path(program).name
    try:
        told, complaint = _drain(child, name, time.monotonic() + limit_seconds)
    finally:
        _end(child)
    if child.returncode != 0:
        first = complaint.decode(errors="replace").strip().partition("\n")[0]
        raise UnknownError(f"{name}: {first or f'exit code {child.returncode}'}")
    return told.decode(errors="replace")


def read(path: Path, most: int = MOST_BYTES) -> str | None:
    """Return a small file's text; None where there is none."""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise refusal(error) from error
    if len(content) > most:
        raise UnknownError(f"more than {most} bytes: {path}")
    return content.decode(errors="replace")


def call(path: Path) -> socket | None:
    """Return a connection to a local socket; None where there is none."""
    line = socket(AF_UNIX, SOCK_STREAM)
    line.settimeout(LIMIT_SECONDS)
    try:
        line.connect(str(path))
    except (FileNotFoundError, NotADirectoryError):
        line.close()
        return None
    except OSError as error:
        line.close()
        raise UnknownError(f"{(error.strerror or 'no answer').lower()}: {path}") from error
    return line


def ask(line: socket, host: str, path: str) -> Answer:
    """Ask a web server on a local socket, and close that.

    By HTTP/1.0, whose answer ends with the connection: Python's own client would bring OpenSSL with it.
    """
    told = b""
    with line:
        try:
            line.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            while len(told) <= MOST_BYTES and (piece := line.recv(65536)):
                told += piece
        except OSError as error:
            raise UnknownError(f"no answer from {host}: {(error.strerror or str(error)).lower()}") from error
    head, _, body = told.partition(b"\r\n\r\n")
    status = _STATUS.match(head)
    if status is None or len(told) > MOST_BYTES:
        raise UnknownError(f"no answer from {host}: it speaks no HTTP, or says more than {MOST_BYTES} bytes")
    return Answer(int(status[1]), body)


def _drain(child: subprocess.Popen[bytes], name: str, until: float) -> tuple[bytes, bytes]:
    """Return what a program says on its two outputs until it has closed both."""
    said: dict[Any, bytearray] = {child.stdout: bytearray(), child.stderr: bytearray()}
    with selectors.DefaultSelector() as ready:
        for pipe in said:
            ready.register(pipe, selectors.EVENT_READ)
        while ready.get_map():
            left = until - time.monotonic()
            events = ready.select(max(0.0, left))
            if not events:
                raise UnknownError(f"{name} gave no answer in time")
            for key, _ in events:
                _take(key.fileobj, said, ready)
            if sum(map(len, said.values())) > MOST_BYTES:
                raise UnknownError(f"{name} says more than {MOST_BYTES} bytes")
    _await_end(child, until)
    return bytes(said[child.stdout]), bytes(said[child.stderr])


def _take(pipe: Any, said: dict[Any, bytearray], ready: selectors.BaseSelector) -> None:  # noqa: ANN401
    piece = os.read(pipe.fileno(), 65536)
    said[pipe] += piece
    if not piece:
        ready.unregister(pipe)


def _await_end(child: subprocess.Popen[bytes], until: float) -> None:
    """Wait until a program has ended, or a time has come, and leave it to be reaped (see _end)."""
    pause = threading.Event()
    only_look = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, child.pid, only_look) is None and time.monotonic() < until:
        pause.wait(_LOOK_SECONDS)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a program with all that it started, and do not wait for one that cannot be ended.

    What it started may outlive it. Until the program itself is reaped, its number is that of its group alone;
    afterwards it may be anybody's. So nothing here may poll before the group is killed.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    pipes: tuple[IO[bytes] | None, ...] = (child.stdout, child.stderr)
    for pipe in pipes:
        if pipe is not None:
            pipe.close()
    with suppress(subprocess.TimeoutExpired):
        child.wait(_REAP_SECONDS)
