"""Run one daemon: signals, systemd's readiness and watchdog, and the exit code.

SIGTERM and SIGINT cancel the daemon's main task; everything it started lives in TaskGroups below it and
ends with it. Start-up is the same as recovery, so there is nothing else to do at the end.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable

from socme import logs

LOG = logging.getLogger("socme.service")

SWITCH_SECONDS = 0.0005  # for which a thread that computes holds up the event loop; Python ships 5 ms


class Notifier:
    """Tells systemd how the daemon is; does nothing where systemd did not ask (no NOTIFY_SOCKET)."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def ready(self, status: str) -> None:
        """Say that the daemon is up."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """Say what the daemon does now."""
        self._send(f"STATUS={status}")

    def stopping(self) -> None:
        """Say that the daemon is on its way out."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    async def watch(self, working: Callable[[], bool]) -> None:
        """Feed the watchdog for as long as `working` says so, at half the interval that systemd asked for."""
        interval = int(os.environ.get("WATCHDOG_USEC", "0")) / 2_000_000
        while interval:
            await asyncio.sleep(interval)
            if working():
                self.alive()

    def _send(self, message: str) -> None:
        if not self._address:
            return
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        try:
            with socket.socket(socket.AF_UNIX, kind) as sender:
                sender.connect(self._address)
                sender.sendall(message.encode())
        except OSError as error:  # whoever started the daemon may be gone; its work goes on
            logs.event(LOG, logging.WARNING, "cannot notify systemd", reason=error)


def run(main: Callable[[Notifier], Awaitable[None]]) -> None:
    """Run a daemon until it ends by itself, SIGTERM or SIGINT; its failure rises.

    What was imported by now stays, so Python's collector of cycles need not look at it again and again: that
    held up everything for some 50 ms, once in a few seconds under load.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_SECONDS)
    notifier = Notifier()
    asyncio.run(_supervise(main, notifier))


async def _supervise(main: Callable[[Notifier], Awaitable[None]], notifier: Notifier) -> None:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - there is one inside asyncio.run
    stopped = False

    def stop(name: str) -> None:
        nonlocal stopped
        stopped = True
        logs.event(LOG, logging.INFO, "stopping", signal=name)
        task.cancel()
        notifier.stopping()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number.name)
    try:
        await main(notifier)
    except asyncio.CancelledError:
        if not stopped:
            raise


def raise_if_cancelled() -> None:
    """End the current task with CancelledError where it was asked to end.

    A TaskGroup of Python 3.11 and 3.12 that is ending because of an error swallows a cancel that comes
    from outside at that moment, so a loop that catches such errors and goes on must ask.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
