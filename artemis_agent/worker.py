"""One thread for blocking work (disk, SQLite, probes), in the hands of one owner who awaits it."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


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
