import asyncio
import threading

import pytest

from artemis_agent.worker import Worker


async def test_work_is_done_in_one_thread_in_order() -> None:
    worker = Worker("test")
    done: list[int] = []
    names = set()
    async with asyncio.TaskGroup() as tasks:
        for number in range(20):

            def work(number: int = number) -> None:
                done.append(number)
                names.add(threading.current_thread().name)

            tasks.create_task(worker.do(work))
    worker.close()

    assert done == list(range(20))
    assert names == {"test_0"}


async def test_failures_reach_the_caller_and_the_next_work_is_done() -> None:
    worker = Worker("test")

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await worker.do(fail)

    assert await worker.do(lambda: 7) == 7
    assert worker.busy_seconds == 0
    worker.close()


async def test_a_hanging_thread_shows() -> None:
    """The watchdog asks how long the present work has taken."""
    worker, begun, end = Worker("test"), threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        end.wait(20)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(worker.do(hang))
        await asyncio.to_thread(begun.wait, 20)
        first = worker.busy_seconds
        assert first > 0
        assert worker.busy_seconds > first
        end.set()
    worker.close()

    assert worker.busy_seconds == 0
