"""The judge sees every kind of wrong; a judge that always nods proves nothing."""

from dataclasses import replace

import pytest

from tests.faults import lines
from tests.faults.judge import MORE_FILES, Evidence, Gap, Stored, Used, complaints
from tests.faults.lines import SHARE, Issued, Place
from tests.faults.meter import ends_of
from tests.faults.watcher import Watched

OWN, LATER = "e" * 32, "d" * 32  # ids of what SOCme says of itself
NUMBERS = (*range(20), *range(SHARE, SHARE + 20))


def kind(number: int) -> str:
    return ("suricata", "wazuh")[number // SHARE]


def stored(issued: Issued) -> Stored:
    return Stored(id=f"{issued.number:032x}", raw=issued.raw, client="acme", node="acme-1", lane=1)


@pytest.fixture
def evidence() -> Evidence:
    """Return what a run leaves behind in which all was well."""
    issued = {number: lines.issue(kind(number), number) for number in NUMBERS}
    return Evidence(issued=issued, stored=[stored(each) for each in issued.values()])


def complaint(evidence: Evidence) -> str:
    """Return the only complaint."""
    (only,) = complaints(evidence)
    return only


def test_all_is_well(evidence: Evidence) -> None:
    assert complaints(evidence) == []


def test_lost(evidence: Evidence) -> None:
    found = complaint(replace(evidence, stored=[*evidence.stored[:3], *evidence.stored[4:]]))
    assert "1 alerts of feed 0 are lost" in found
    assert "[3]" in found


def perishing(evidence: Evidence, lost: int, *gaps: Gap, most: int = 1) -> Evidence:
    """Return it without the first few lines of feed 0, whose log was deleted, and with gaps."""
    places, end = {}, 0
    for number, issued in evidence.issued.items():
        end = (0 if number == SHARE else end) + len(issued.raw) + 1
        places[number] = Place(0, end)
    rows = evidence.stored[lost:]
    return replace(evidence, stored=rows, places=places, perishable={0: most}, gaps=gaps)


@pytest.mark.parametrize(
    ("gap", "well"),
    [
        (Gap(0, 0, 100_000), True),
        (Gap(0, 0, None), True),
        (Gap(0, 0, 3), False),  # less than the line
        (Gap(0, 20, None), False),  # begins behind it
        (Gap(1, 0, None), False),  # another log, of which nothing was deleted
    ],
)
def test_lost_and_reported(evidence: Evidence, gap: Gap, *, well: bool) -> None:
    """A gap covers what was in its own file, from where it begins, and no more bytes than it names."""
    assert (complaints(perishing(evidence, 1, gap)) == []) is well


def test_what_was_written_after_the_last_look_is_in_the_gap(evidence: Evidence) -> None:
    """Where nothing that stood behind it in its file is stored."""
    found = perishing(evidence, 0, Gap(0, 0, 3))
    rows = [row for row in found.stored if lines.number_of(row.raw) != 19]

    assert len(rows) == len(found.stored) - 1
    assert complaints(replace(found, stored=rows)) == []
    assert "are lost" in complaint(replace(found, stored=rows, gaps=[Gap(0, 1_000_000, 3)]))


def test_a_file_that_came_and_went_is_in_the_gap_before_it(evidence: Evidence) -> None:
    """Where nothing of it was ever read; of a file that was, it is not."""
    found = perishing(evidence, 2, Gap(0, 0, None))
    places = {**found.places, 1: Place(1, 50)}
    assert (
        complaints(replace(found, gaps=[Gap(0, 1_000_000, None)], places={**places, 0: Place(1, 20)})) == []
    )
    places |= {0: Place(1, 20), 2: Place(1, 90)}
    assert "are lost" in complaint(replace(found, gaps=[Gap(0, 1_000_000, None)], places=places))


def test_a_gap_that_nothing_tore(evidence: Evidence) -> None:
    """It is a fault itself, and excuses no loss."""
    gap = Gap(1, 0, None)
    assert "1 gaps of feed 1, 0 at most" in complaint(replace(evidence, gaps=[gap]))
    found = complaints(replace(evidence, stored=evidence.stored[:-1], gaps=[gap]))
    assert [each[:6] for each in found] == ["G1, G4", "G4: 1 "]
    assert complaints(perishing(evidence, 0, Gap(0, 0, None), Gap(0, 9, None), most=2)) == []
    assert "2 gaps" in complaint(perishing(evidence, 0, Gap(0, 0, None), Gap(0, 9, None)))


def test_twice(evidence: Evidence) -> None:
    again = replace(evidence.stored[-1], id="f" * 32)
    assert "more than once: [10000019]" in complaint(replace(evidence, stored=[*evidence.stored, again]))


def test_one_id_for_two(evidence: Evidence) -> None:
    rows = [*evidence.stored[:-1], replace(evidence.stored[-1], id=evidence.stored[0].id)]
    assert "ids are there more than once" in complaint(replace(evidence, stored=rows))


def test_invented(evidence: Evidence) -> None:
    strange = stored(lines.issue("suricata", 77))
    assert "invented" in complaint(replace(evidence, stored=[*evidence.stored, strange], ordered=False))


def test_changed(evidence: Evidence) -> None:
    rows = list(evidence.stored)
    rows[5] = replace(rows[5], raw=rows[5].raw + b" ")
    assert "changed: 5" in complaint(replace(evidence, stored=rows))


def test_another_tenant(evidence: Evidence) -> None:
    rows = [replace(evidence.stored[0], client="globex"), *evidence.stored[1:]]
    assert "G6" in complaint(replace(evidence, stored=rows))


def test_out_of_order(evidence: Evidence) -> None:
    """In a lane; and in a run that was read again, order is not owed."""
    rows = [*evidence.stored[1:], evidence.stored[0]]
    assert "G5: 0 came after 19, in lane 1" in complaint(replace(evidence, stored=rows))
    assert complaints(replace(evidence, stored=rows, ordered=False)) == []


def test_order_from_where_it_is_owed(evidence: Evidence) -> None:
    """What was written behind the last spool that was lost is in order again."""
    rows = [*evidence.stored[1:19], evidence.stored[0], *evidence.stored[19:]]
    assert complaints(replace(evidence, stored=rows, ordered_from={0: 1})) == []
    rows = [*evidence.stored[:10], evidence.stored[11], evidence.stored[10], *evidence.stored[12:]]
    assert "G5: 10 came after 11" in complaint(replace(evidence, stored=rows, ordered_from={0: 10}))
    assert complaints(replace(evidence, stored=rows, ordered_from={0: 11})) == []


def test_an_urgent_one_may_overtake(evidence: Evidence) -> None:
    """Another lane; but no urgent alert overtakes another, wherever they came."""
    urgent = [row for row in evidence.stored[:20] if evidence.issued[int(row.id, 16)].urgent]
    others = [row for row in evidence.stored if row not in urgent]
    assert complaints(replace(evidence, stored=[*(replace(row, lane=2) for row in urgent), *others])) == []
    rows = [*others, replace(urgent[-1], lane=0), *(replace(row, lane=0) for row in urgent[:-1])]
    assert "both urgent" in complaint(replace(evidence, stored=rows))


@pytest.mark.parametrize("name", ["unaccounted", "missing"])
def test_unbalanced(evidence: Evidence, name: str) -> None:
    assert f"2 {name}" in complaint(replace(evidence, **{name: 2}))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["unaccounted", "missing"])
def test_what_was_taken_by_hand_is_named_and_nothing_else(evidence: Evidence, name: str) -> None:
    lost = replace(evidence, stored=evidence.stored[2:], may_lose=True, missing=2)
    assert complaints(lost) == []
    assert "are lost" in complaint(replace(lost, missing=1))
    assert f"3 {name}, and 2 are lost" in complaint(replace(lost, **{name: 3}))  # type: ignore[arg-type]


def watched(evidence: Evidence, *ids: str, **others: object) -> Evidence:
    """Return it with what a watcher was shown, by default all that is stored."""
    committed = {**{row.id: row.lane for row in evidence.stored}, OWN: 2}
    seen = Watched(ids or tuple(committed), frozenset({OWN, LATER}), canaries=0, lagged=False)
    return replace(evidence, committed=committed, watched=replace(seen, **others))  # type: ignore[arg-type]


def test_shown(evidence: Evidence) -> None:
    """All of it, once, in order; what SOCme says of itself while the judge looks may come behind."""
    all_ids = [*(row.id for row in evidence.stored), OWN]
    assert complaints(watched(evidence)) == []
    assert complaints(watched(evidence, *all_ids, LATER)) == []
    assert "1 alerts were shown more than once" in complaint(watched(evidence, *all_ids, all_ids[3]))
    assert "1 alerts were never shown" in complaint(watched(evidence, *all_ids[:-1]))
    assert "shown and are not stored" in complaint(watched(evidence, *all_ids, "f" * 32))
    assert "in lane 1" in complaint(watched(evidence, all_ids[1], all_ids[0], *all_ids[2:]))
    assert complaints(watched(evidence, OWN, *all_ids[:-1])) == []  # another lane
    assert "2 canaries" in complaint(watched(evidence, canaries=2))


def test_a_watcher_that_was_told_that_it_missed_some(evidence: Evidence) -> None:
    ids = [row.id for row in evidence.stored[7:]]
    assert complaints(watched(evidence, *ids, lagged=True)) == []
    assert "was shown behind" in complaint(watched(evidence, *reversed(ids), lagged=True))


def test_a_condition_that_never_ends(evidence: Evidence) -> None:
    assert "still raised when all is well again: ['node_silent']" in complaint(
        replace(evidence, raised=["node_silent"])
    )
    assert complaints(replace(evidence, raised=["unaccounted"], may_lose=True)) == []


def test_still_waiting(evidence: Evidence) -> None:
    assert "still wait" in complaint(replace(evidence, waiting=1))


def test_not_alive(evidence: Evidence) -> None:
    assert "did not come" in complaint(replace(evidence, fresh_seconds=None))
    assert "took 6.0 s" in complaint(replace(evidence, fresh_seconds=6.0))


def test_a_traceback(evidence: Evidence) -> None:
    assert "boom" in complaint(
        replace(evidence, logs="all is well\nTraceback (most recent call last):\nboom")
    )


def test_too_much_memory_and_too_many_files(evidence: Evidence) -> None:
    assert "97 MiB" in complaint(replace(evidence, node=Used(97 * 1024 * 1024)))
    assert "in the end 117" in complaint(replace(evidence, hub=Used(0, [(100, 116), (100, 117)])))


def test_a_leak_shows_within_one_life() -> None:
    """However long it took to begin, and whatever it had open for a while."""
    assert ends_of([3] * 30 + [45] * 30 + [46]) == (45, 46)
    assert ends_of([3, 45, 90, *[45] * 60]) == (90, 45)
    first, last = ends_of([45 + look for look in range(90)])
    assert last > first + MORE_FILES
