"""A daemon's life: systemd is told, signals end it, failures rise."""

import asyncio
import contextlib
import gc
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from socme import service
from socme.service import Notifier, raise_if_cancelled

DAEMON = """
import asyncio, sys
from socme import service

async def main(notifier):
    notifier.ready("up")
    print("up", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up", flush=True)

async def fail(notifier):
    raise ValueError("failed")

async def end(notifier):
    pass

service.run({"main": main, "fail": fail, "end": end}[sys.argv[1]])
"""


@pytest.fixture(autouse=True)
def _switch_interval() -> Iterator[None]:
    """Leave to the other tests what they had: a daemon sets it for its whole process."""
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen where systemd would."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield receiver


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(systemd: socket.socket, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", DAEMON, "main"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as daemon:
        assert systemd.recv(1000) == b"READY=1\nSTATUS=up"
        daemon.send_signal(number)
        out, _ = daemon.communicate(timeout=20)

    assert daemon.returncode == 0
    assert out == "up\ncleaned up\n"
    assert systemd.recv(1000) == b"STOPPING=1"


def test_a_failure_rises() -> None:
    done = subprocess.run([sys.executable, "-c", DAEMON, "fail"], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "ValueError: failed" in done.stderr


def test_what_was_imported_is_no_longer_looked_at_by_the_collector() -> None:
    frozen: list[int] = []

    async def main(_: Notifier) -> None:
        frozen.append(gc.get_freeze_count())

    gc.unfreeze()
    service.run(main)
    gc.unfreeze()

    assert frozen[0] > 10_000


def test_a_thread_that_computes_holds_up_the_event_loop_for_a_moment_only() -> None:
    seconds: list[float] = []

    async def main(_: Notifier) -> None:
        seconds.append(sys.getswitchinterval())

    service.run(main)

    assert seconds == [pytest.approx(service.SWITCH_SECONDS, rel=0.01)]


def test_a_daemon_may_end_by_itself() -> None:
    assert subprocess.run([sys.executable, "-c", DAEMON, "end"], check=False).returncode == 0


def test_what_systemd_is_told(systemd: socket.socket) -> None:
    notifier = Notifier()
    notifier.status("working")
    notifier.alive()
    notifier.stopping()

    assert [systemd.recv(1000) for _ in range(3)] == [b"STATUS=working", b"WATCHDOG=1", b"STOPPING=1"]


def test_an_abstract_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("")  # the kernel picks an abstract name
        receiver.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + receiver.getsockname()[1:].decode())

        Notifier().alive()

        assert receiver.recv(1000) == b"WATCHDOG=1"


def test_without_systemd_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setattr(socket, "socket", None)

    Notifier().ready("up")  # an error, if it were to open one


def test_a_socket_that_is_gone_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))

    Notifier().ready("up")

    assert "cannot notify systemd" in caplog.text


async def test_the_watchdog_is_fed_only_while_the_work_goes_on(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    systemd.settimeout(0)
    answers = iter([True, False, False, True])
    asked = asyncio.Event()

    def working() -> bool:
        try:
            return next(answers)
        except StopIteration:
            asked.set()
            return False

    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(Notifier().watch(working))
        await asked.wait()
        watch.cancel()

    assert [systemd.recv(1000) for _ in range(2)] == [b"WATCHDOG=1"] * 2
    with pytest.raises(BlockingIOError):
        systemd.recv(1000)


async def test_no_watchdog_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)

    async with asyncio.timeout(20):
        await Notifier().watch(lambda: True)


async def test_a_cancel_that_a_task_group_swallowed_is_not_lost() -> None:
    """Python 3.11 drops a cancel that comes while a TaskGroup is ending because of an error."""
    attempts = 0

    async def fail() -> None:
        raise ConnectionError

    async def attempt(task: asyncio.Task[None]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            try:
                await asyncio.sleep(60)
            finally:
                task.cancel()

    async def loop() -> None:
        nonlocal attempts
        task = asyncio.current_task()
        assert task is not None
        while True:
            attempts += 1
            with contextlib.suppress(ExceptionGroup):
                await attempt(task)
            raise_if_cancelled()

    async with asyncio.timeout(20):
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(loop())  # noqa: TID251 - a task of its own is what is cancelled

    assert attempts == 1
