"""Looking outside: what is not there, what refuses, hangs, floods and hangs up."""

import ctypes
import os
import platform
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from artemis_agent.probes import outside
from artemis_agent.probes.outside import UnknownError

NOBODY = 65534
SETRESUID = {"x86_64": 117, "aarch64": 147}.get(platform.machine(), 0)


@contextmanager
def tcp(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve one connection after the other."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def loop() -> None:
            while True:
                try:
                    line, _ = server.accept()
                except OSError:
                    return
                with line:
                    answer(line)

        thread = threading.Thread(target=loop)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def saying(told: bytes) -> Callable[[socket.socket], None]:
    """Return what hears a question and says this, whatever it was."""

    def answer(line: socket.socket) -> None:
        line.recv(4096)
        line.sendall(told)

    return answer


def hold(until: threading.Event) -> None:
    """Hear nothing and say nothing."""
    until.wait()


def test_a_program_says_something() -> None:
    assert outside.run(["sh", "-c", "echo told; echo complaint >&2"]) == "told\n"


def test_a_program_that_is_not_there_is_nothing() -> None:
    assert outside.run(["no-such-program-of-socme"]) is None


def test_a_program_that_fails_says_why() -> None:
    with pytest.raises(UnknownError, match=r"^sh: Failed to connect to bus$"):
        outside.run(["sh", "-c", "echo 'Failed to connect to bus' >&2; echo more >&2; exit 1"])
    with pytest.raises(UnknownError, match=r"^sh: exit code 3$"):
        outside.run(["sh", "-c", "exit 3"])


def test_a_program_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    """And nobody waits for it longer than the limit."""
    begun = time.monotonic()
    with pytest.raises(UnknownError, match=r"sh gave no answer in time"):
        outside.run(["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; wait"], limit_seconds=0.3)

    assert time.monotonic() - begun < 10
    assert ends(tmp_path / "pid")


def test_what_a_program_leaves_behind_is_ended_though_the_program_has_gone(tmp_path: Path) -> None:
    """It holds the program's output, so that nobody knows whether all was said."""
    with pytest.raises(UnknownError, match=r"sh gave no answer in time"):
        outside.run(["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid"], limit_seconds=0.3)

    assert ends(tmp_path / "pid")


def test_what_a_program_leaves_behind_is_ended_when_it_has_answered(tmp_path: Path) -> None:
    said = outside.run(
        ["sh", "-c", f"sleep 60 >/dev/null 2>&1 & echo $! > {tmp_path}/pid; echo told; exit 0"]
    )

    assert said == "told\n"
    assert ends(tmp_path / "pid")


def test_a_program_that_says_its_last_and_goes_on_is_ended_in_time() -> None:
    begun = time.monotonic()
    with pytest.raises(UnknownError, match=r"sh: exit code -9"):
        outside.run(["sh", "-c", "exec >&- 2>&-; exec sleep 60"], limit_seconds=0.3)

    assert time.monotonic() - begun < 10


def ends(file: Path) -> bool:
    """Tell whether a process is soon gone, by the file that has its number."""
    pid = int(file.read_text())
    until = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < until:
        threading.Event().wait(0.01)
    return not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_program_that_floods_is_ended() -> None:
    begun = time.monotonic()
    with pytest.raises(UnknownError, match=r"says more than"):
        outside.run(["yes"])
    assert time.monotonic() - begun < 10


def test_a_program_that_says_no_text_is_garbage_and_no_error() -> None:
    assert "\ufffd" in (outside.run(["sh", "-c", r"printf '\377\376'"]) or "")


def test_a_reason_is_short_and_harmless() -> None:
    why = str(UnknownError("a\nb\x1b[2J" + "x" * 1000))

    assert why.startswith("a b\ufffd[2J")
    assert len(why) <= outside.LONGEST_REASON


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"text\xff")

    assert outside.read(file) == "text\ufffd"
    assert outside.read(tmp_path / "none") is None
    assert outside.read(file / "below") is None
    with pytest.raises(UnknownError, match=r"more than 3 bytes"):
        outside.read(file, most=3)
    with pytest.raises(UnknownError, match=rf"is a directory: {tmp_path}"):
        outside.read(tmp_path)


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    """Asked by a user who is nobody."""
    file = tmp_path / "file"
    file.touch(mode=0o000)
    if os.geteuid() != 0:
        with pytest.raises(UnknownError, match=rf"^permission denied: {file}$"):
            outside.read(file)
        return
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o055)
    told = as_nobody(lambda: outside.read(file))
    assert told == f"permission denied: {file}"


def as_nobody(ask: Callable[[], object]) -> str:
    """Return why it is unknown to a thread with another user's rights: on Linux they are the thread's own."""
    why = []

    def look() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(SETRESUID, -1, NOBODY, -1):
            raise OSError(ctypes.get_errno(), "setresuid")
        try:
            why.append(str(ask()))
        except UnknownError as error:
            why.append(str(error))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return why[0]


def test_a_refusal_names_what_is_refused() -> None:
    assert str(outside.refusal(PermissionError(13, "Permission denied", "/x"))) == "permission denied: /x"
    assert str(outside.refusal(OSError("odd"))) == "odd"
    assert str(outside.refusal(OSError())) == "oserror"


def test_sockets(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    assert outside.call(path) is None
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        with pytest.raises(UnknownError, match=rf"connection refused: {path}"):  # nobody listens
            outside.call(path)
        server.listen()
        line = outside.call(path)
        assert line is not None
        line.close()


def test_a_web_server() -> None:
    with tcp(saying(b"HTTP/1.0 404 no\r\n\r\nbody")) as port:
        answer = outside.fetch(HTTPConnection("127.0.0.1", port), "/")

    assert (answer.status, answer.body) == (404, b"body")


@pytest.mark.parametrize(
    "said",
    [b"", b"garbage\r\n\r\n", b"HTTP/1.1 abc\r\n"],
)
def test_a_web_server_that_is_none(said: bytes) -> None:
    with tcp(saying(said)) as port, pytest.raises(UnknownError):
        outside.fetch(HTTPConnection("127.0.0.1", port), "/")


def test_a_web_server_that_hangs() -> None:
    held = threading.Event()
    with tcp(lambda _: hold(held)) as port:
        with pytest.raises(UnknownError, match=r"no answer from 127\.0\.0\.1"):
            outside.fetch(HTTPConnection("127.0.0.1", port, timeout=0.2), "/")
        held.set()
