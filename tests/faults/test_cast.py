"""What a run that failed leaves to a person: the disks' content, the first traceback, the command."""

from pathlib import Path

import pytest

from tests.faults import run
from tests.faults.cast import LONGEST_LOG, Disk, excerpt
from tests.lacking import lacking


def test_what_is_on_a_disk_is_kept(tmp_path: Path) -> None:
    """The disk itself goes with the run, full or not."""
    disk = Disk(tmp_path / "state", 1024 * 1024)
    try:
        (tmp_path / "state" / "spool.db").write_bytes(b"alerts")
        disk.fill()
        disk.keep()
    finally:
        disk.end()
    if not disk.real:
        lacking("this user may not mount a small disk")
    assert [path.name for path in (tmp_path / "state.kept").iterdir()] == ["spool.db"]
    assert (tmp_path / "state.kept" / "spool.db").read_bytes() == b"alerts"


def test_a_traceback_of_long_before_is_told() -> None:
    log = "begun\nTraceback (most recent call last):\nearly\n" + "all is well\n" * LONGEST_LOG + "ended"
    assert "early" in excerpt(log)
    assert excerpt(log).endswith("ended")
    assert excerpt("short") == "short"


@pytest.mark.parametrize("error", [AssertionError("boom"), StopIteration("boom"), OSError("boom")])
def test_whatever_goes_wrong_is_an_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """So that the command which shows it again is told with it."""

    def perform(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(run, "perform", perform)
    (wrong,) = run.judged(tmp_path, seed=1)
    assert "boom" in wrong
