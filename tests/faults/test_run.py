"""The command of the fault harness: what it prints, how it ends, and what it leaves behind."""

import itertools
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.faults import run
from tests.faults.judge import Evidence, complaints
from tests.faults.plan import SECONDS, Plan, plan_for, told
from tests.faults.run import main

LOST = Evidence({}, (), waiting=3, fresh_seconds=None)  # it never came
SOUND = Evidence({}, ())


@dataclass
class Trials:
    """What takes the place of the real trials: none of them starts a program."""

    folder: Path
    """In which the command makes its own."""
    bad: Sequence[int] = ()
    """The trials, by number from 1, in which something is lost."""
    plans: list[Plan] = field(default_factory=list)
    kept: list[bool] = field(default_factory=list)

    def perform(self, plan: Plan, folder: Path, *, keep: bool) -> Evidence:
        """Be a trial."""
        folder.mkdir()
        (folder / "spool.db").touch()
        self.plans.append(plan)
        self.kept.append(keep)
        return LOST if len(self.plans) in self.bad else SOUND

    def left(self) -> list[Path]:
        """Return what the command left behind."""
        return list(self.folder.iterdir())


@pytest.fixture
def trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trials:
    made = Trials(tmp_path)
    monkeypatch.setattr(run, "perform", made.perform)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return made


@pytest.fixture
def minute_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a minute pass with each look at the clock."""
    minutes: Iterator[float] = itertools.count(0.0, 60.0)
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic=lambda: next(minutes)))


def called(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["run", *arguments])
    return main()


def test_a_seed_that_is_well(
    trials: Trials, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its plan, what came of it, and 0; nothing stays."""
    code = called(monkeypatch, "--seed", "7")
    said = capsys.readouterr().out

    assert code == 0
    assert trials.plans == [plan_for(7)]
    assert said.startswith(told(plan_for(7)))
    assert "0 issued, 0 stored, 0 gaps, fresh in 0.00 s" in said
    assert said.endswith("\nnothing is wrong\n")
    assert trials.left() == []


def test_a_seed_that_is_not(
    trials: Trials, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong, the command that shows it again, and 1."""
    trials.bad = [1]
    code = called(monkeypatch, "--seed", "7")
    said = capsys.readouterr().out

    assert code == 1
    assert "0 stored, 0 gaps, fresh in never" in said
    assert all(complaint in said for complaint in complaints(LOST))
    assert said.endswith("\n\nagain: make faults SEED=7\n")
    assert "nothing is wrong" not in said
    assert trials.kept == [False]
    assert trials.left() == []


def test_the_command_that_shows_it_again_has_the_seconds(
    trials: Trials, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They make another plan of the seed."""
    trials.bad = [1]
    code = called(monkeypatch, "--seed", "7", "--seconds", "2.5")
    again = capsys.readouterr().out.splitlines()[-1]
    first = trials.plans[0]

    assert code == 1
    assert first == plan_for(7, seconds=2.5) != plan_for(7)
    assert again == "again: python -m tests.faults.run --seed 7 --seconds 2.5"
    called(monkeypatch, *again.partition("tests.faults.run ")[2].split())
    assert trials.plans[1] == first


def test_what_failed_is_kept_where_asked(
    trials: Trials, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trials.bad = [1]
    code = called(monkeypatch, "--seed", "7", "--keep")
    (left,) = trials.left()

    assert code == 1
    assert trials.kept == [True]
    assert (left / "run" / "spool.db").exists()
    assert capsys.readouterr().out.splitlines()[-2:] == ["again: make faults SEED=7", f"left behind: {left}"]


def test_what_is_well_is_not_kept(trials: Trials, monkeypatch: pytest.MonkeyPatch) -> None:
    assert called(monkeypatch, "--seed", "7", "--keep") == 0
    assert trials.left() == []


@pytest.mark.usefixtures("minute_a_look")
def test_new_seeds_until_the_time_is_over(
    trials: Trials, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = called(monkeypatch, "--minutes", "4")

    assert code == 0
    assert len({plan.seed for plan in trials.plans}) == len(trials.plans) == 3
    assert all(plan == plan_for(plan.seed, seconds=SECONDS) for plan in trials.plans)
    assert capsys.readouterr().out.count("nothing is wrong") == 1
    assert trials.left() == []


@pytest.mark.usefixtures("minute_a_look")
def test_the_first_that_fails_is_the_last(
    trials: Trials, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the seed that was drawn is told."""
    trials.bad = [2]
    code = called(monkeypatch, "--minutes", "9")

    assert code == 1
    assert len(trials.plans) == 2
    assert capsys.readouterr().out.endswith(f"again: make faults SEED={trials.plans[-1].seed}\n")
    assert trials.left() == []


def test_seeds_are_printed_that_can_be_pasted(
    trials: Trials, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = called(monkeypatch, "--choose", "12")
    seeds = [int(seed) for seed in capsys.readouterr().out.split(", ")]

    assert code == 0
    assert len(seeds) == 12
    assert trials.plans == []


@pytest.mark.parametrize("arguments", [(), ("--seed", "7", "--minutes", "1"), ("--seed", "x")])
def test_it_is_told_one_thing_to_do(
    trials: Trials, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as ended:
        called(monkeypatch, *arguments)

    assert ended.value.code == 2
    assert trials.plans == []
