import asyncio
import subprocess
import sys
import threading

import pytest

from artemis_agent.worker import LooseWorker, Worker

UNDONE = """
import asyncio, threading
from artemis_agent.worker import LooseWorker

async def main():
    worker, begun = LooseWorker("test"), threading.Event()
    asking = asyncio.create_task(worker.do(lambda: begun.set() or threading.Event().wait()))
    await asyncio.to_thread(begun.wait)
    asking.cancel()
    worker.close(0.1)

asyncio.run(main())
print("stopped")
"""


@pytest.fixture(params=[Worker, LooseWorker])
def worker(request: pytest.FixtureRequest) -> Worker | LooseWorker:
    made: Worker | LooseWorker = request.param("test")
    return made


def close(worker: Worker | LooseWorker) -> None:
    """Let the present work end, however long that takes."""
    if isinstance(worker, Worker):
        worker.close()
    else:
        worker.close(20)


async def test_work_is_done_in_one_thread_in_order(worker: Worker | LooseWorker) -> None:
    done: list[int] = []
    threads = set()
    async with asyncio.TaskGroup() as tasks:
        for number in range(20):

            def work(number: int = number) -> None:
                done.append(number)
                threads.add(threading.current_thread().name.removesuffix("_0"))

            tasks.create_task(worker.do(work))
    close(worker)

    assert done == list(range(20))
    assert threads == {"test"}
    with pytest.raises(RuntimeError):
        await worker.do(lambda: 7)


async def test_failures_reach_the_caller_and_the_next_work_is_done(worker: Worker | LooseWorker) -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await worker.do(fail)

    assert await worker.do(lambda: 7) == 7
    close(worker)


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


def test_a_program_ends_although_loose_work_does_not() -> None:
    ended = subprocess.run([sys.executable, "-c", UNDONE], capture_output=True, timeout=20, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"stopped\n", b"")


async def test_loose_work_goes_on_when_its_caller_does_not_and_what_waits_is_dropped() -> None:
    worker, begun, end = LooseWorker("test"), threading.Event(), threading.Event()
    done: list[str] = []

    def work() -> None:
        begun.set()
        end.wait(20)
        done.append("begun")

    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(worker.do(work))
        await asyncio.to_thread(begun.wait, 20)
        second = tasks.create_task(worker.do(lambda: done.append("cancelled")))
        waits = tasks.create_task(worker.do(lambda: done.append("waits")))
        await asyncio.sleep(0)  # they have asked
        first.cancel()
        second.cancel()
        await asyncio.wait([first, second])
        worker.close(0)
    assert not done
    end.set()
    worker.close(20)

    assert done == ["begun"]
    assert waits.cancelled()


def test_loose_work_may_end_when_its_loop_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    worker, begun, end = LooseWorker("test"), threading.Event(), threading.Event()
    done: list[int] = []

    def work() -> None:
        begun.set()
        end.wait(20)
        done.append(7)

    async def ask() -> None:
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(worker.do(work))
            await asyncio.to_thread(begun.wait, 20)
            asking.cancel()

    asyncio.run(ask())
    end.set()
    worker.close(20)

    assert done == [7]
    assert not caplog.records
