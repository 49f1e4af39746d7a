"""An event loop whose time is counted, not waited for: an hour is over at once, and the same each time.

Work for threads is done by the loop itself, one piece after the other and each in a turn of its own.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

Result = TypeVar("Result")


class _Selector(selectors.DefaultSelector):
    """Never waits; what would have been waited for is told."""

    def __init__(self, passed: Callable[[float], None]) -> None:
        super().__init__()
        self._passed = passed

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits for somebody else"
        if timeout > 0:
            self._passed(timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that a test turns by hand."""

    def __init__(self) -> None:
        self._virtual = 0.0
        super().__init__(_Selector(self._pass))

    def time(self) -> float:
        """Return the seconds that have passed since the loop was made."""
        return self._virtual

    def run_in_executor(
        self, executor: object, func: Callable[..., Result], *args: object
    ) -> "asyncio.Future[Result]":
        """Do the work soon, whether or not anybody still waits for it."""
        future: asyncio.Future[Result] = self.create_future()
        self.call_soon(_work, future, func, args)
        return future

    def do(self, work: Awaitable[Result]) -> Result:
        """Return what work returns."""
        return self.run_until_complete(work)

    def let(self, seconds: float) -> None:
        """Let time pass."""
        self.run_until_complete(asyncio.sleep(seconds))

    def _pass(self, seconds: float) -> None:
        self._virtual += seconds

    def call_exception_handler(self, context: Mapping[str, Any]) -> None:
        """Fail where an exception would only have been logged."""
        raise AssertionError(context["message"]) from context.get("exception")


def _work(future: "asyncio.Future[Any]", func: Callable[..., Any], args: tuple[object, ...]) -> None:
    try:
        result = func(*args)
    except BaseException as error:  # noqa: BLE001 - whoever waits gets it
        if not future.cancelled():
            future.set_exception(error)
        return
    if not future.cancelled():
        future.set_result(result)
