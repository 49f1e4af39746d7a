"""What is aimed at has the names that the benchmarks give; a figure of another name would be left blank."""

import shutil
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from bench import churn, drain, fleet, floors, ingest, latency, peers, rest, scan, steady, store
from bench.floors import Floor
from bench.table import AIMS

FLOORS: Mapping[str, Iterable[Floor]] = {
    "scan": floors.SCAN,
    "latency": floors.LATENCY,
    "drain": floors.DRAIN,
    "steady": floors.STEADY,
    "ingest": floors.INGEST,
    "fleet": floors.FLEET,
    "churn": floors.CHURN,
}


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mapping[str, set[str]]:
    """Return the names of all figures by benchmark, as if every peer were here; nothing is measured."""
    monkeypatch.setattr(peers, "find", Path)
    monkeypatch.setattr(shutil, "which", str)
    for nothing in ("batches", "alerts_of", "made"):
        monkeypatch.setattr(ingest, nothing, lambda *_: [])
    return {
        "scan": {each.name for each in scan.contenders()},
        "latency": set(latency.figures(_phases(monkeypatch, tmp_path))),
        "drain": set(drain.figures({who: [drain.Drained(1, 1, 1, 1)] for who, _ in drain.contenders()})),
        "steady": {who for who, _ in steady.contenders()},
        "ingest": {who for load in ingest.LOADS for who, _ in ingest.ours(load)}
        | {who for who, _ in ingest.theirs()},
        "store": set(store.FIGURES),
        "churn": {name for name, _ in churn.figures([churn.Sample(0, 1, 0)] * (churn.PARTS + 1))},
        "rest": {name for who in (rest.NODE, rest.BARE, rest.HUB) for name in rest.figures(who, 1, 1)},
        "fleet": set(fleet.figures(dict.fromkeys((fleet.HUB, fleet.BARE), fleet.Cost(1, 1, 1, 1)))),
    }


def _phases(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Mapping[tuple[str, str], list[latency.Phase]]:
    """Return what the benchmark of ages would find."""
    seen = latency.Phase(1, [1], 1, 1, 1, 1, 1, 1)
    monkeypatch.setattr(latency, "run_phase", lambda *_: seen)

    def make(_: Path) -> Any:  # noqa: ANN401 - nobody looks at it
        return nullcontext()

    return {
        (who, phase): [found]
        for who, _ in latency.contenders()
        for phase, found in latency.phases(make, folder, folder)
    }


def test_each_aim_is_of_figures_that_its_benchmark_gives(names: Mapping[str, set[str]]) -> None:
    aimed = {(aim.benchmark, name) for aim in AIMS for name in (aim.ours, aim.theirs) if name}

    assert {(benchmark, name) for benchmark, name in aimed if name not in names[benchmark]} == set()


def test_each_floor_is_of_figures_that_its_benchmark_gives(names: Mapping[str, set[str]]) -> None:
    """A peer of another name would be told as left out, for ever."""
    held = {
        (benchmark, name)
        for benchmark, found in FLOORS.items()
        for floor in found
        for name in (floor.ours, floor.theirs)
    }

    assert {(benchmark, name) for benchmark, name in held if name not in names[benchmark]} == set()
