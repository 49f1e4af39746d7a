"""Fan-out: from memory, from the journal, decoded once for all."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme.batch import Packed, pack
from socme.journal import Draft, Entry, Journal
from socme.v1.uplink_pb2 import Lane
from socme.v1.watch_pb2 import StoredAlert, WatchEvent
from tests.zeus_hub.kit import alert
from zeus_hub import live as module
from zeus_hub.enrich import Arrival, Unreadable, enrich
from zeus_hub.live import ForgottenError, Live
from zeus_hub.tracks import Cursor, Place, at

IDENTITY = b"i" * 16
URGENT, NORMAL = Lane.LANE_URGENT, Lane.LANE_NORMAL


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def live(path: Path) -> Iterator[Live]:
    made = Live(path, identity=IDENTITY, last=0, repeats=lambda _: ())
    yield made
    made.close()


def _commit(path: Path, *batches: list[int]) -> list[Entry]:
    journal = Journal(path)
    drafts = [
        Draft("a/n1", 1, index, pack([alert(number).SerializeToString() for number in numbers]))
        for index, numbers in enumerate(batches, start=1)
    ]
    entries = journal.append(drafts)
    journal.close()
    return entries


async def _ids(live: Live, position: int) -> list[bytes] | None:
    page = await live.page(position, with_raw=True)
    return None if page is None else [_stored(shown.event).alert.id for shown in page]


def _stored(event: bytes) -> StoredAlert:
    (stored,) = WatchEvent.FromString(event).alerts.alerts
    return stored


@pytest.mark.parametrize("in_memory", [True, False])
async def test_a_page_holds_one_batch(live: Live, path: Path, in_memory: bool) -> None:  # noqa: FBT001
    entries = _commit(path, [1, 2], [3])
    if in_memory:
        live.publish(entries)
    first, second = await live.page(1, with_raw=True), await live.page(2, with_raw=True)
    lean = await live.page(1, with_raw=False)

    assert first is not None
    assert second is not None
    assert [shown.after for shown in first] == [Cursor(1, 1), Cursor(2)]
    assert [shown.after for shown in second] == [Cursor(3)]
    assert first[0].client == "a"
    assert lean is not None
    assert [shown.after for shown in lean] == [Cursor(1, 1), Cursor(2)]
    assert _stored(first[0].event).alert.raw == alert(1).raw
    assert _stored(lean[0].event).alert.raw == b""


async def test_a_page_has_canaries_marked_and_behind_its_alerts(live: Live, path: Path) -> None:
    journal = Journal(path)
    mixed = [alert(1, canary={"number": 5}), alert(2), alert(3)]
    packed = pack([made.SerializeToString() for made in mixed])
    live.publish(journal.append([Draft("a/n1", 1, 1, packed)]))
    journal.close()
    page = await live.page(1, with_raw=True)

    assert page is not None
    assert [_stored(shown.event).alert.id for shown in page] == [alert(2).id, alert(3).id, alert(1).id]
    assert [shown.canary.alert.canary.number if shown.canary else 0 for shown in page] == [0, 0, 5]
    assert [shown.after for shown in page] == [Cursor(1, 1), Cursor(1, 2), Cursor(2)]


async def test_what_the_journal_forgot_and_memory_too_is_gone(live: Live, path: Path) -> None:
    _commit(path, [1], [2])
    journal = Journal(path)
    journal.trim_lane(1, 1)
    journal.close()

    assert await live.page(1, with_raw=True) is None
    assert await _ids(live, 2) == [alert(2).id]


@pytest.mark.parametrize("known", [True, False])
async def test_a_small_batch_that_is_new_is_shown_without_a_thread(
    live: Live, path: Path, *, known: bool
) -> None:
    entries = _commit(path, [1, 2])
    live.publish(entries, {1} if known else ())
    async with asyncio.TaskGroup() as group:
        page = group.create_task(live.page(1, with_raw=True))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        at_once = page.done()

    assert at_once == known, "what may have come before is looked up in the store"
    assert len(page.result() or ()) == 2


async def test_what_passes_over_many_small_batches_lets_others_go_on(live: Live, path: Path) -> None:
    entries = _commit(path, *([number] for number in range(50)))
    live.publish(entries, {entry.position for entry in entries})
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(others())
        for entry in entries:
            await live.page(entry.position, with_raw=True)
        task.cancel()

    assert turns >= len(entries)


async def test_a_batch_of_very_many_tiny_alerts_is_none_that_is_small(live: Live, path: Path) -> None:
    journal = Journal(path)
    (entry,) = journal.append([Draft("a/n1", 1, 1, pack([b""] * 1000))])
    journal.close()
    live.publish([entry], {1})
    async with asyncio.TaskGroup() as group:
        page = group.create_task(live.page(1, with_raw=True))
        for _ in range(3):
            await asyncio.sleep(0)
        at_once = page.done()

    assert not at_once
    assert len(page.result() or ()) == 1000


async def test_many_watchers_cost_one_decoding(
    live: Live, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []

    def counting(entry: Entry) -> Arrival | Unreadable:
        decoded.append(entry.position)
        return enrich(entry)

    monkeypatch.setattr(module, "enrich", counting)
    live.publish(_commit(path, [1], [2]))
    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(live.page(1, with_raw=True))
    await live.page(1, with_raw=True)

    assert decoded == [1], "and what nobody follows is not decoded at all"


async def test_a_watcher_that_leaves_takes_nothing_away_from_the_others(live: Live, path: Path) -> None:
    live.publish(_commit(path, [1]))
    async with asyncio.TaskGroup() as group:
        leaving = group.create_task(live.page(1, with_raw=True))
        staying = group.create_task(live.page(1, with_raw=True))
        await asyncio.sleep(0)
        leaving.cancel()
        page = await staying

    assert page is not None


async def test_memory_is_bounded(live: Live, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = _commit(path, *([number] for number in range(1, 21)))
    monkeypatch.setattr(module, "RECENT_BYTES", 3 * len(entries[0].packed.payload))
    monkeypatch.setattr(module, "DECODED_BYTES", 3 * entries[0].packed.decoded_bytes)
    live.publish(entries)
    for position in range(1, 21):
        assert await _ids(live, position) == [alert(position).id]

    assert len(live._recent) <= 4
    assert len(live._decoded) <= 4
    assert live._loading == {}


async def test_a_batch_that_cannot_be_read_is_an_empty_page(live: Live, path: Path) -> None:
    journal = Journal(path)
    live.publish(journal.append([Draft("a/n1", 1, 1, Packed(b"junk", 3, 1, 10))]))
    journal.close()

    assert await live.page(1, with_raw=True) == ()


async def test_growth_wakes_all_who_wait(live: Live, path: Path) -> None:
    grown = live.grown()
    live.publish(_commit(path, [1]))

    assert grown.is_set()
    assert not live.grown().is_set()
    assert live.last == 1


CURSORS = st.builds(Cursor, st.integers(1, 2**63), st.integers(0, 2**32 - 1))


@given(st.builds(Place, CURSORS, CURSORS), st.integers(0, 2**63))
def test_a_cursor_comes_back_as_it_was(place: Place, change: int) -> None:
    live = Live(Path("unused"), identity=IDENTITY, last=2**63, repeats=lambda _: ())

    assert live.decode(live.encode(place, change)) == (place, change)


@given(st.binary(max_size=50))
def test_nothing_that_a_watcher_sends_as_a_cursor_does_harm(cursor: bytes) -> None:
    live = Live(Path("unused"), identity=IDENTITY, last=10, repeats=lambda _: ())
    found = live.decode(cursor)

    assert found is None or max(found[0].urgent.position, found[0].other.position) <= 11


def test_a_cursor_of_another_journal_or_from_the_future_is_of_no_use() -> None:
    here = Live(Path("unused"), identity=IDENTITY, last=10, repeats=lambda _: ())
    there = Live(Path("unused"), identity=b"x" * 16, last=10, repeats=lambda _: ())

    assert here.decode(here.encode(at(11), 3)) == (at(11), 3)
    assert here.decode(here.encode(Place(Cursor(12), Cursor(1)), 3)) is None
    assert here.decode(here.encode(Place(Cursor(1), Cursor(12)), 3)) is None
    assert here.decode(there.encode(at(5), 3)) is None


async def test_each_track_goes_on_with_its_own_batches(live: Live, path: Path) -> None:
    """From memory, and where that does not go back so far, from the journal."""
    journal = Journal(path)
    lanes = [NORMAL, NORMAL, URGENT, NORMAL, URGENT]
    drafts = [Draft("a/n1", lane, number, pack([])) for number, lane in enumerate(lanes, start=1)]
    entries = journal.append(drafts)
    journal.close()
    late = Live(path, identity=IDENTITY, last=5, repeats=lambda _: ())
    live.publish(entries)
    for one in (live, late):
        place, seen = at(1), []
        for urgent in (True, True, True, False, False, False, False):
            place = await one.next(place, urgent=urgent)
            cursor = place.on(urgent=urgent)
            seen.append(cursor.position)
            place = place.moved(Cursor(cursor.position + 1), urgent=urgent) if cursor.position < 6 else place
        assert seen == [3, 5, 6, 1, 2, 4, 6]
    late.close()


async def test_what_is_gone_of_a_track_is_told(path: Path) -> None:
    _commit(path, [1], [2], [3])
    journal = Journal(path)
    journal.trim_lane(1, 1)
    journal.close()
    late = Live(path, identity=IDENTITY, last=3, repeats=lambda _: ())

    with pytest.raises(ForgottenError):
        await late.next(at(1), urgent=True)
    assert (await late.next(at(2), urgent=False)).other == Cursor(2)
    late.close()


async def test_the_middle_of_a_batch_is_gone_on_with(live: Live, path: Path) -> None:
    live.publish(_commit(path, [1, 2]))
    place = Place(at(2).urgent, Cursor(1, 1))

    assert await live.next(place, urgent=False) == place


async def test_batches_and_alerts_of_no_size_fill_no_memory(
    live: Live, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path)
    monkeypatch.setattr(module, "RECENT_BYTES", 3 * module.LEAST_BATCH)
    monkeypatch.setattr(module, "DECODED_BYTES", 3 * module.LEAST_BATCH)
    drafts = [Draft("a/n1", 1, number, Packed(b"", 3, 1, 0)) for number in range(1, 21)]
    live.publish(journal.append(drafts))
    journal.close()
    for position in range(1, 21):
        assert await live.page(position, with_raw=True) == ()

    assert len(live._recent) <= 3
    assert len(live._decoded) <= 4


async def test_tiny_alerts_count_for_what_they_cost_decoded(
    live: Live, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DECODED_BYTES", 10 * module.LEAST_ALERT)
    journal = Journal(path)
    live.publish(journal.append([Draft("a/n1", 1, number, pack([b""] * 5)) for number in range(1, 11)]))
    journal.close()
    for position in range(1, 11):
        page = await live.page(position, with_raw=True)
        assert page is not None
        assert len(page) == 5

    assert len(live._decoded) <= 2
