"""The judge sees every kind of wrong; a judge that always nods proves nothing."""

from dataclasses import replace

import pytest

from tests.faults import lines
from tests.faults.judge import Evidence, Gap, Stored, Used, complaints
from tests.faults.lines import SHARE, Issued

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


@pytest.mark.parametrize(
    ("size", "number", "well"), [(10_000, 0, True), (3, 0, False), (None, 0, True), (None, 1, False)]
)
def test_lost_and_reported(evidence: Evidence, size: int | None, number: int, *, well: bool) -> None:
    """A gap covers what was in its own feed and no more bytes than it names."""
    found = complaints(replace(evidence, stored=evidence.stored[1:], gaps=[Gap(number, size)]))
    assert (found == []) is well


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
    assert "97 MiB" in complaint(replace(evidence, node=Used(97 * 1024 * 1024, 0, 0)))
    assert "in the end 117" in complaint(replace(evidence, hub=Used(0, 100, 117)))
