"""One thread for blocking work (disk, SQLite, probes, mail), in the hands of one owner who awaits it."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

Result = TypeVar("Result")
_Errand = tuple[Future[Any], Callable[[], Any]]


class Worker:
    """A thread that does one thing after another, in the order in which it was asked."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._since: float | None = None

    async def do(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns. Work that has begun goes on when the caller is cancelled."""

        def timed() -> Result:
            self._since = time.monotonic()
            try:
                return work()
            finally:
                self._since = None

        return await asyncio.get_running_loop().run_in_executor(self._thread, timed)

    @property
    def busy_seconds(self) -> float:
        """How long the thread has been at its present work; 0 when it is idle."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def close(self) -> None:
        """Let the present work end and drop what waits."""
        self._thread.shutdown(cancel_futures=True)


class LooseWorker:
    """The same for work that waits for somebody else, for minutes, and that may be left undone at the end.

    Python waits for the threads of an executor when it exits, whatever the executor was told. This thread is
    none of those: it ends with the program.
    """

    def __init__(self, name: str) -> None:
        self._asked: SimpleQueue[_Errand | None] = SimpleQueue()
        self._thread = Thread(target=_run, args=(self._asked,), name=name, daemon=True)
        self._closed = False

    async def do(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns. Work that has begun goes on when the caller is cancelled."""
        if self._closed:
            raise RuntimeError("no work is taken any more")
        if self._thread.ident is None:  # nobody has asked for anything yet
            self._thread.start()
        promise: Future[Result] = Future()
        self._asked.put((promise, work))
        return await asyncio.wrap_future(promise)

    def close(self, seconds: float) -> None:
        """Drop what waits, and let the present work end within some seconds; leave it alone then."""
        self._closed = True
        with suppress(Empty):
            while errand := self._asked.get_nowait():
                errand[0].cancel()
        self._asked.put(None)
        if self._thread.ident is not None:
            self._thread.join(seconds)


def _run(asked: SimpleQueue[_Errand | None]) -> None:
    """Do one thing after another, until there is nothing more to come. In the worker's thread."""
    while errand := asked.get():
        _keep(*errand)
        del errand  # what came of it is the caller's


def _keep(promise: Future[Any], work: Callable[[], Any]) -> None:
    """Do what was promised, unless nobody waits for it any more."""
    if not promise.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - whoever awaits it is to have it
        promise.set_exception(error)
    else:
        promise.set_result(result)
