"""Looking outside: what is not there, what refuses, hangs, floods and hangs up."""

import ctypes
import os
import platform
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from artemis_agent.probes import outside
from artemis_agent.probes.outside import UnknownError
from tests.artemis_agent.probes.servers import hold, saying, tcp

NOBODY = 65534
SETRESUID = {"x86_64": 117, "aarch64": 147}.get(platform.machine(), 0)


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


@contextmanager
def calling(
    answer: Callable[[socket.socket], None], limit_seconds: float = outside.LIMIT_SECONDS
) -> Iterator[socket.socket]:
    with tcp(answer) as port, socket.create_connection(("127.0.0.1", port), timeout=limit_seconds) as line:
        yield line


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_local_web_server(version: bytes) -> None:
    with calling(saying(b"HTTP/%b 404 no\r\nServer: x\r\n\r\nbo\r\n\r\ndy" % version)) as line:
        answer = outside.ask(line, "me.sock", "/a?b=c")

    assert (answer.status, answer.body) == (404, b"bo\r\n\r\ndy")
    assert line.fileno() == -1


def test_it_is_asked_for_one_answer_that_ends_with_the_connection() -> None:
    asked = list[bytes]()

    def answer(line: socket.socket) -> None:
        asked.append(line.recv(4096))
        line.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    with calling(answer) as line:
        outside.ask(line, "me.sock", "/a?b=c")

    assert asked == [b"GET /a?b=c HTTP/1.0\r\nHost: me.sock\r\n\r\n"]


@pytest.mark.parametrize(
    "said",
    [b"", b"garbage\r\n\r\n", b"HTTP/1.1 abc\r\n", b"HTTP/1.0 2000 OK\r\n\r\n", b"HTTP/2 200\r\n\r\n"],
)
def test_a_local_web_server_that_is_none(said: bytes) -> None:
    with calling(saying(said)) as line, pytest.raises(UnknownError, match=r"me\.sock: it speaks no HTTP"):
        outside.ask(line, "me.sock", "/")


def test_a_local_web_server_without_end() -> None:
    def answer(line: socket.socket) -> None:
        with suppress(OSError):
            line.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + bytes(4 * outside.MOST_BYTES))

    with calling(answer) as line, pytest.raises(UnknownError, match="or says more than"):
        outside.ask(line, "me.sock", "/")


def test_a_local_web_server_that_hangs() -> None:
    held = threading.Event()
    with calling(lambda _: hold(held), limit_seconds=0.2) as line:
        with pytest.raises(UnknownError, match=r"no answer from me\.sock: timed out"):
            outside.ask(line, "me.sock", "/")
        held.set()
