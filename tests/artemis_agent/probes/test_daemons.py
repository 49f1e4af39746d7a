"""Wazuh's daemons by their pid files; names as a manager of 4.14.7 leaves them."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from artemis_agent.probes import daemons
from artemis_agent.probes.outside import UnknownError

RUNNING = [f"{name}-{number}.pid" for number, name in enumerate(daemons.NEEDED, 1000)]


def everyone(_pid: int) -> bool:
    return True


def test_all_of_them_run() -> None:
    """With what else lies there: markers, and daemons that may be switched off."""
    names = [*RUNNING, "wazuh-authd-77.pid", "wazuh-manager.start", ".process_list"]

    assert daemons.parse(names, everyone) == []


def test_one_that_stopped_has_no_file_and_one_that_died_has_one() -> None:
    names = [name for name in RUNNING if "remoted" not in name]

    assert daemons.parse([*names, "wazuh-authd-77.pid"], lambda pid: pid != 77) == [
        "wazuh-authd",
        "wazuh-remoted",
    ]


def test_one_that_was_restarted_runs() -> None:
    """The file of the process before it is still there. The API has a process for each of its tasks."""
    names = [*RUNNING, "wazuh-apid-7.pid", "wazuh-apid-8.pid"]

    assert daemons.parse(names, lambda pid: pid not in {7, 1001}) == []


@given(st.lists(st.text()))
def test_any_names(names: list[str]) -> None:
    assert set(daemons.parse(names, everyone)) <= set(daemons.NEEDED)


def test_processes() -> None:
    done = subprocess.Popen(["true"])
    done.wait()

    assert daemons.is_alive(os.getpid())
    assert daemons.is_alive(1), "another user's is one, too"
    assert not daemons.is_alive(done.pid)
    assert not daemons.is_alive(0)
    assert not daemons.is_alive(10**10)


def test_a_folder(tmp_path: Path) -> None:
    assert daemons.ask(tmp_path) is None
    folder = tmp_path / daemons.FOLDER
    folder.mkdir(parents=True)
    for name in daemons.NEEDED[1:]:
        (folder / f"{name}-{os.getpid()}.pid").touch()

    assert daemons.ask(tmp_path) == [daemons.NEEDED[0]]


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UnknownError, match=f"^permission denied: {tmp_path}/var/run$"):
        daemons.ask(tmp_path)
