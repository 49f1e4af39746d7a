"""A tail is woken at once by what happens, soon by what nothing reports, and nothing is left open."""

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from artemis_agent import wake as module
from artemis_agent.wake import POLL_BUSY, POLL_FLOOD, SLOWER, Wake

LIMIT = 10.0  # seconds after which a test has failed
NEVER = 60.0  # seconds; a slow poll that comes too late to help


@pytest.fixture
def wake(tmp_path: Path) -> Iterator[Wake]:
    wake = Wake(tmp_path)
    yield wake
    wake.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[dict[tuple[int, int], int]]:
    """Open eve.json; give it as `follow` takes it."""
    descriptor = os.open(tmp_path / "eve.json", os.O_RDONLY | os.O_CREAT)
    status = os.fstat(descriptor)
    yield {(status.st_dev, status.st_ino): descriptor}
    os.close(descriptor)


async def rest(wake: Wake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait until nothing is left that wakes, then take the slow poll away."""
    monkeypatch.setattr(module, "POLL_SLOW", 0.2)
    async with asyncio.timeout(LIMIT):
        while await seconds(wake) < 0.2:
            pass
    monkeypatch.setattr(module, "POLL_SLOW", NEVER)


async def seconds(wake: Wake) -> float:
    before = time.monotonic()
    await wake.wait()
    return time.monotonic() - before


async def wakes(wake: Wake, happening: Callable[[], object]) -> None:
    """Wait, let something happen, and fail if that does not wake."""
    async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as group:
        group.create_task(wake.wait())
        await asyncio.sleep(0)
        happening()


async def test_what_happened_before_the_watch_began_is_not_missed(
    wake: Wake, file: dict[tuple[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    await rest(wake, monkeypatch)
    wake.follow(file, busy=False)
    async with asyncio.timeout(LIMIT):
        await wake.wait()


async def test_a_growing_file_wakes_even_under_another_name(
    wake: Wake, tmp_path: Path, file: dict[tuple[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed = (tmp_path / "eve.json").rename(tmp_path / "eve.json.1")
    wake.follow(file, busy=False)
    await rest(wake, monkeypatch)

    await wakes(wake, lambda: renamed.write_bytes(b"1\n"))


async def test_what_grew_between_two_waits_is_not_missed(
    wake: Wake, tmp_path: Path, file: dict[tuple[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    wake.follow(file, busy=False)
    await rest(wake, monkeypatch)
    (tmp_path / "eve.json").write_bytes(b"1\n")
    async with asyncio.timeout(LIMIT):
        await wake.wait()


@pytest.mark.parametrize(
    "happening",
    [
        lambda folder: (folder / "eve.json").touch(),
        lambda folder: (folder / "other").rename(folder / "eve.json"),
        lambda folder: os.link(folder / "other", folder / "eve.json"),
        lambda folder: (folder / "other").unlink(),
    ],
    ids=["create", "rename", "link", "delete"],
)
async def test_what_happens_in_the_folder_wakes(
    wake: Wake, tmp_path: Path, happening: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").touch()
    wake.follow({}, busy=False)
    await rest(wake, monkeypatch)

    await wakes(wake, lambda: happening(tmp_path))


async def test_a_folder_that_comes_later_is_watched_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_SLOW", 0.0)
    folder = tmp_path / "log"
    wake = Wake(folder)
    wake.follow({}, busy=False)
    folder.mkdir()
    wake.follow({}, busy=False)
    await rest(wake, monkeypatch)

    await wakes(wake, (folder / "eve.json").touch)

    wake.close()


@pytest.mark.parametrize("way", ["removed", "renamed"])
async def test_a_folder_that_is_made_anew_is_watched_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Even where the system gives it the number that the old one had."""
    monkeypatch.setattr(module, "POLL_SLOW", 0.0)
    folder = tmp_path / "log"
    folder.mkdir()
    wake = Wake(folder)
    wake.follow({}, busy=False)
    folder.rmdir() if way == "removed" else folder.rename(tmp_path / "old")
    folder.mkdir()
    wake.follow({}, busy=False)
    await rest(wake, monkeypatch)

    await wakes(wake, (folder / "eve.json").touch)

    wake.close()


async def test_a_folder_that_is_gone_leaves_the_slow_poll(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_SLOW", 0.0)
    folder = tmp_path / "log"
    folder.mkdir()
    wake = Wake(folder, longest=NEVER)
    wake.follow({}, busy=False)
    folder.rmdir()
    wake.follow({}, busy=False)
    monkeypatch.setattr(module, "POLL_SLOW", 0.05)

    for _ in range(3):  # the first may be woken by the end of the watch
        assert await seconds(wake) < LIMIT

    wake.close()


@pytest.mark.parametrize(("flood", "found"), [(1e12, 1), (0.001, 0)], ids=["a trickle", "nothing to send"])
async def test_a_busy_file_is_polled_soon_at_first_and_then_seldom(
    wake: Wake, monkeypatch: pytest.MonkeyPatch, flood: float, found: int
) -> None:
    """What begins may become a flood."""
    monkeypatch.setattr(module, "FLOOD", flood)
    slept = await polled(wake, monkeypatch, found=found, times=6)

    assert slept == pytest.approx([min(POLL_BUSY, POLL_FLOOD * SLOWER**number) for number in range(6)])


async def test_a_flood_is_polled_all_the_time(wake: Wake, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many records a second that go on; also where a poll comes too soon for the next."""
    monkeypatch.setattr(module, "FLOOD", 0.001)
    await polled(wake, monkeypatch, found=1, times=1)  # what was long ago makes no flood
    slept = await polled(wake, monkeypatch, found=1, times=3)
    await wake.wait()

    assert slept == [POLL_FLOOD] * 4


async def polled(wake: Wake, monkeypatch: pytest.MonkeyPatch, *, found: int, times: int) -> list[float]:
    """Return how long is waited where each look finds something; more is added to it."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    for _ in range(times):
        wake.follow({}, busy=True, found=found)
        await wake.wait()
    return slept


async def test_without_inotify_the_slow_poll_is_left(
    tmp_path: Path, file: dict[tuple[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(module, "INotify", none_left)
    monkeypatch.setattr(module, "POLL_SLOW", 0.05)
    wake = Wake(tmp_path, longest=NEVER)
    wake.follow(file, busy=False)

    assert 0.05 <= await seconds(wake) < LIMIT

    wake.close()


async def test_a_file_without_a_watch_is_polled_whatever_else_has_one(
    tmp_path: Path, file: dict[tuple[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_SLOW", 0.05)
    monkeypatch.setattr(module, "_watch", lambda *_: None)
    wake = Wake(tmp_path, longest=NEVER)
    wake.follow(file, busy=False)

    for _ in range(3):  # the first may be woken by the watch of the folder that begins
        assert await seconds(wake) < LIMIT

    wake.close()


async def test_where_this_machine_alone_writes_the_slow_poll_may_be_slower(
    tmp_path: Path, file: dict[tuple[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_SLOW", 0.05)
    wake = Wake(tmp_path, longest=0.3)
    wake.follow(file, busy=False)

    async with asyncio.timeout(LIMIT):
        while await seconds(wake) < 0.3:
            pass

    wake.close()


async def test_waiting_can_be_cancelled_and_begun_again(wake: Wake, monkeypatch: pytest.MonkeyPatch) -> None:
    await rest(wake, monkeypatch)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await wake.wait()

    wake.follow({}, busy=False)
    await rest(wake, monkeypatch)


async def test_nothing_is_left_open(tmp_path: Path, file: dict[tuple[int, int], int]) -> None:
    def count() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    async def once() -> tuple[int, int]:
        wake = Wake(tmp_path)
        wake.follow(file, busy=False)
        wake.follow({}, busy=False)
        await wake.wait()
        wake.close()
        return count()

    before = count()

    assert await once() == before
