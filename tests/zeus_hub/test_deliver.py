"""The loop to a sink: in order, from where it stood, and for as long as it takes."""

# ruff: noqa: D102 - names say it, as for functions

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from socme.batch import Packed, pack
from socme.journal import Draft, Entry, Journal
from socme.v1.watch_pb2 import StoredAlert
from tests.zeus_hub.kit import LIMIT, alert, eventually
from zeus_hub import deliver
from zeus_hub.deliver import Canaries, Delivery
from zeus_hub.enrich import Arrival, Unreadable
from zeus_hub.sinks.contract import SinkDownError


class Shelf:
    """A sink that remembers its calls, and is down when told so."""

    name = "shelf"

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.calls: list[list[int]] = []
        self.unreadable: list[int] = []
        self.down = ""
        self.closed = False

    def position(self) -> int:
        return self.at

    def prepare(self, arrival: Arrival) -> Arrival:
        return arrival

    def send(self, batches: Sequence[Arrival | Unreadable]) -> None:
        if self.down:
            raise SinkDownError(self.down)
        self.calls.append([batch.entry.position for batch in batches])
        self.unreadable += [batch.entry.position for batch in batches if isinstance(batch, Unreadable)]
        self.at = batches[-1].entry.position

    def close(self) -> None:
        self.closed = True

    @property
    def seen(self) -> list[int]:
        return [position for call in self.calls for position in call]


@asynccontextmanager
async def running(
    sink: Shelf, journal: Path, canaries: Canaries = lambda *_: None
) -> AsyncIterator[Delivery]:
    delivery = Delivery(sink, journal, canaries)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(delivery.run())
        yield delivery
        task.cancel()


def _write(path: Path, numbers: range, *, packed: Packed | None = None) -> None:
    journal = Journal(path)
    made = packed or pack([alert(1).SerializeToString()])
    journal.append([Draft("a/n1", 1, number, made) for number in numbers])
    journal.close()


async def test_a_sink_gets_everything_behind_its_position_in_order(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    _write(path, range(1, 601))
    sink = Shelf(at=100)
    async with running(sink, path) as delivery:
        await eventually(lambda: delivery.position == 600)

        assert sink.seen == list(range(101, 601))
        assert max(len(call) for call in sink.calls) == deliver.MOST_ENTRIES
        assert not sink.closed
    assert sink.closed


async def test_a_commit_wakes_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliver, "CHECK_SECONDS", 3600.0)
    path = tmp_path / "journal.db"
    sink = Shelf()
    async with running(sink, path) as delivery:
        for number in range(1, 4):
            _write(path, range(number, number + 1))
            delivery.wake()
            await eventually(lambda number=number: sink.at == number)  # type: ignore[misc]


async def test_a_sink_that_is_down_gets_everything_once_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "LONGEST_PAUSE", 0.05)
    path = tmp_path / "journal.db"
    _write(path, range(1, 4))
    sink = Shelf()
    sink.down = "disk full"
    async with running(sink, path) as delivery:
        await eventually(lambda: delivery.problem == "disk full")
        assert delivery.position == 0
        sink.down = ""
        await eventually(lambda: sink.seen == [1, 2, 3])

        assert delivery.problem == ""


async def test_nothing_is_left_out_where_the_sink_fails_with_the_next_piece_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "LONGEST_PAUSE", 0.05)

    class Shaky(Shelf):
        tried = 0

        def send(self, batches: Sequence[Arrival | Unreadable]) -> None:
            self.tried += 1
            self.down = "disk full" if self.tried in {2, 3, 5} else ""
            super().send(batches)

    path = tmp_path / "journal.db"
    _write(path, range(1, 901))
    sink = Shaky()
    async with running(sink, path) as delivery:
        await eventually(lambda: delivery.position == 900)

    assert sink.seen == list(range(1, 901))


async def test_a_commit_wakes_the_loop_though_nothing_was_there_when_it_read_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "CHECK_SECONDS", 3600.0)
    path = tmp_path / "journal.db"
    _write(path, range(1, deliver.MOST_ENTRIES + 1))
    loop, read = asyncio.get_running_loop(), threading.Event()
    prefix = deliver._prefix

    def looked(entries: Sequence[Entry]) -> Sequence[Entry]:
        if not entries:
            read.set()
        return prefix(entries)

    monkeypatch.setattr(deliver, "_prefix", looked)

    class Slow(Shelf):
        wake: Callable[[], None]

        def send(self, batches: Sequence[Arrival | Unreadable]) -> None:
            if not self.calls:
                read.wait(LIMIT)  # in the sink's thread
                _write(path, range(deliver.MOST_ENTRIES + 1, deliver.MOST_ENTRIES + 2))
                loop.call_soon_threadsafe(self.wake)
            super().send(batches)

    sink = Slow()
    delivery = Delivery(sink, path, lambda *_: None)
    sink.wake = delivery.wake
    async with asyncio.TaskGroup() as group:
        task = group.create_task(delivery.run())
        await eventually(lambda: delivery.position == deliver.MOST_ENTRIES + 1)
        task.cancel()


async def test_canaries_are_told_once_the_sink_has_their_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the event loop's thread, where whoever is told lives; a sink that is down lets none pass."""
    monkeypatch.setattr(deliver, "LONGEST_PAUSE", 0.05)
    path = tmp_path / "journal.db"
    canary = alert(7, canary={"number": 7}).SerializeToString()
    _write(path, range(1, 2))
    _write(path, range(2, 3), packed=pack([alert(1).SerializeToString(), canary, canary]))
    told: list[tuple[str, int, list[int], str]] = []

    def tell(sink: str, position: int, canaries: Sequence[StoredAlert]) -> None:
        numbers = [stored.alert.canary.number for stored in canaries]
        told.append((sink, position, numbers, threading.current_thread().name))

    sink = Shelf()
    sink.down = "disk full"
    async with running(sink, path, tell) as delivery:
        await eventually(lambda: delivery.problem == "disk full")
        assert told == []
        sink.down = ""
        await eventually(lambda: bool(told))

        assert told == [("shelf", 2, [7, 7], threading.current_thread().name)]


async def test_a_batch_that_cannot_be_read_is_handed_over_as_such(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    _write(path, range(1, 2))
    _write(path, range(2, 3), packed=Packed(b"junk", 3, 5, 100))
    _write(path, range(3, 4))
    sink = Shelf()
    async with running(sink, path):
        await eventually(lambda: sink.seen == [1, 2, 3])

        assert sink.unreadable == [2]


async def test_small_batches_that_grow_are_not_decoded_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few compressed bytes can claim many; what counts is the memory that they need."""
    path = tmp_path / "journal.db"
    packed = pack([alert(1).SerializeToString()])
    monkeypatch.setattr(deliver, "MOST_DECODED", 2 * packed.decoded_bytes)
    _write(path, range(1, 6), packed=packed)
    sink = Shelf()
    async with running(sink, path):
        await eventually(lambda: sink.calls == [[1, 2], [3, 4], [5]])


async def test_one_batch_that_is_larger_than_the_bound_goes_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    monkeypatch.setattr(deliver, "MOST_DECODED", 1)
    _write(path, range(1, 3))
    sink = Shelf()
    async with running(sink, path):
        await eventually(lambda: sink.calls == [[1], [2]])


async def test_many_tiny_alerts_are_not_decoded_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alert of a few bytes takes some KiB of memory on its way."""
    path = tmp_path / "journal.db"
    monkeypatch.setattr(deliver, "MOST_ALERTS", 4)
    _write(path, range(1, 6), packed=pack([b"", b""]))
    sink = Shelf()
    async with running(sink, path):
        await eventually(lambda: sink.calls == [[1, 2], [3, 4], [5]])


async def test_what_comes_in_a_trickle_is_gathered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction costs as much for one alert as for ten."""
    monkeypatch.setattr(deliver, "GATHER_SECONDS", 60.0)
    path = tmp_path / "journal.db"
    sink = Shelf()
    _write(path, range(1, 2))
    async with running(sink, path) as delivery:
        await eventually(lambda: sink.seen == [1])
        for number in range(2, 12):
            _write(path, range(number, number + 1))
            delivery.wake()

        assert sink.calls == [[1]]
    async with running(sink, path):
        await eventually(lambda: sink.calls == [[1], list(range(2, 12))])


@pytest.mark.parametrize(
    "bounds",
    [{"MOST_ENTRIES": 2}, {"MOST_ALERTS": 2, "MANY_ALERTS": 2}, {"MOST_BYTES": 2}, {"MOST_DECODED": 2}],
)
async def test_a_backlog_does_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bounds: dict[str, int]
) -> None:
    """However it is cut: by entries, by alerts, by bytes, by what they are decoded to."""
    monkeypatch.setattr(deliver, "GATHER_SECONDS", 60.0)
    for name, bound in bounds.items():
        monkeypatch.setattr(deliver, name, bound)
    path = tmp_path / "journal.db"
    sink = Shelf()
    _write(path, range(1, 7))
    async with running(sink, path):
        await eventually(lambda: sink.seen == [1, 2, 3, 4, 5, 6])
    assert len(sink.calls) > 1
