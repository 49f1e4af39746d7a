"""One state folder, one agent."""

import os
import threading
from pathlib import Path

import pytest

from artemis_agent import lock
from socme.errors import OperatorError


def test_it_is_held_until_it_is_closed(tmp_path: Path) -> None:
    assert not lock.is_running(tmp_path)
    handle = lock.take(tmp_path / "new")

    assert lock.is_running(tmp_path / "new")
    with pytest.raises(OperatorError, match="another artemis") as refusal:
        lock.take(tmp_path / "new")
    assert "state_dir" in refusal.value.mend

    os.close(handle)
    assert not lock.is_running(tmp_path / "new")


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OperatorError, match="cannot write to the state folder"):
        lock.take(tmp_path / "file" / "state")


def test_a_look_whether_an_agent_runs_refuses_no_start(tmp_path: Path) -> None:
    """A look holds the lock for an instant; one that begins in it waits."""
    look = lock.take(tmp_path)
    ends = threading.Timer(0.05, os.close, [look])
    ends.start()

    handle = lock.take(tmp_path)

    ends.join()
    os.close(handle)
