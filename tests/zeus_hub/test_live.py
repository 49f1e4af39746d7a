"""Fan-out: from memory, from the journal, decoded once for all."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socme.batch import Packed, pack
from socme.journal import Draft, Entry, Journal
from tests.zeus_hub.kit import alert
from zeus_hub import live as module
from zeus_hub.enrich import Arrival, Unreadable, enrich
from zeus_hub.live import Cursor, Live

IDENTITY = b"i" * 16


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
    page = await live.page(position)
    return None if page is None else [shown.full.alert.alert.id for shown in page]


@pytest.mark.parametrize("in_memory", [True, False])
async def test_a_page_holds_one_batch(live: Live, path: Path, in_memory: bool) -> None:  # noqa: FBT001
    entries = _commit(path, [1, 2], [3])
    if in_memory:
        live.publish(entries)
    first, second = await live.page(1), await live.page(2)

    assert first is not None
    assert second is not None
    assert [shown.after for shown in first] == [Cursor(1, 1), Cursor(2)]
    assert [shown.after for shown in second] == [Cursor(3)]
    assert first[0].client == "a"
    assert first[0].full.alert.alert.raw == alert(1).raw
    assert first[0].lean.alert.alert.raw == b""
    assert first[0].lean.cursor == first[0].full.cursor == live.encode(Cursor(1, 1))


async def test_a_page_has_canaries_marked_and_behind_its_alerts(live: Live, path: Path) -> None:
    journal = Journal(path)
    mixed = [alert(1, canary={"number": 5}), alert(2), alert(3)]
    packed = pack([made.SerializeToString() for made in mixed])
    live.publish(journal.append([Draft("a/n1", 1, 1, packed)]))
    journal.close()
    page = await live.page(1)

    assert page is not None
    assert [(shown.full.alert.alert.id, shown.canary) for shown in page] == [
        (alert(2).id, False),
        (alert(3).id, False),
        (alert(1).id, True),
    ]
    assert page[2].full.alert.alert.canary.number == 5
    assert [shown.after for shown in page] == [Cursor(1, 1), Cursor(1, 2), Cursor(2)]


async def test_what_the_journal_forgot_and_memory_too_is_gone(live: Live, path: Path) -> None:
    _commit(path, [1], [2])
    journal = Journal(path)
    journal.trim_lane(1, 1)
    journal.close()

    assert await live.page(1) is None
    assert await _ids(live, 2) == [alert(2).id]


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
            group.create_task(live.page(1))
    await live.page(1)

    assert decoded == [1], "and what nobody follows is not decoded at all"


async def test_a_watcher_that_leaves_takes_nothing_away_from_the_others(live: Live, path: Path) -> None:
    live.publish(_commit(path, [1]))
    async with asyncio.TaskGroup() as group:
        leaving = group.create_task(live.page(1))
        staying = group.create_task(live.page(1))
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
    live.publish(journal.append([Draft("a/n1", 1, 1, Packed(b"junk", 1, 1, 10))]))
    journal.close()

    assert await live.page(1) == ()


async def test_growth_wakes_all_who_wait(live: Live, path: Path) -> None:
    grown = live.grown()
    live.publish(_commit(path, [1]))

    assert grown.is_set()
    assert not live.grown().is_set()
    assert live.last == 1


@given(position=st.integers(1, 2**63), index=st.integers(0, 2**32 - 1))
def test_a_cursor_comes_back_as_it_was(position: int, index: int) -> None:
    live = Live(Path("unused"), identity=IDENTITY, last=2**63, repeats=lambda _: ())

    assert live.decode(live.encode(Cursor(position, index))) == Cursor(position, index)


@given(st.binary(max_size=30))
def test_nothing_that_a_watcher_sends_as_a_cursor_does_harm(cursor: bytes) -> None:
    live = Live(Path("unused"), identity=IDENTITY, last=10, repeats=lambda _: ())
    found = live.decode(cursor)

    assert found is None or found.position <= 11


def test_a_cursor_of_another_journal_or_from_the_future_is_of_no_use() -> None:
    here = Live(Path("unused"), identity=IDENTITY, last=10, repeats=lambda _: ())
    there = Live(Path("unused"), identity=b"x" * 16, last=10, repeats=lambda _: ())

    assert here.decode(here.encode(Cursor(11))) == Cursor(11)
    assert here.decode(here.encode(Cursor(12))) is None
    assert here.decode(there.encode(Cursor(5))) is None


async def test_batches_and_alerts_of_no_size_fill_no_memory(
    live: Live, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path)
    monkeypatch.setattr(module, "RECENT_BYTES", 3 * module.LEAST_BATCH)
    monkeypatch.setattr(module, "DECODED_BYTES", 3 * module.LEAST_BATCH)
    drafts = [Draft("a/n1", 1, number, Packed(b"", 1, 1, 0)) for number in range(1, 21)]
    live.publish(journal.append(drafts))
    journal.close()
    for position in range(1, 21):
        assert await live.page(position) == ()

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
        page = await live.page(position)
        assert page is not None
        assert len(page) == 5

    assert len(live._decoded) <= 2
