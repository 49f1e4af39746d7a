"""A file is there whole or not at all."""

from pathlib import Path

import pytest

from socme.errors import OperatorError
from zeus_hub.export.whole import whole


def test_a_file_is_there_when_all_of_it_is(tmp_path: Path) -> None:
    path = tmp_path / "alerts.csv"
    path.write_text("old")
    with whole(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"

    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
def test_what_is_interrupted_leaves_nothing(tmp_path: Path, interruption: type[BaseException]) -> None:
    def write() -> None:
        with whole(tmp_path / "alerts.csv") as beside:
            beside.write_text("half")
            raise interruption

    with pytest.raises(interruption):
        write()

    assert list(tmp_path.iterdir()) == []


def test_what_is_killed_leaves_a_file_that_does_not_look_whole(tmp_path: Path) -> None:
    with whole(tmp_path / "alerts.csv") as beside:
        beside.write_text("half")
        assert beside.name.startswith(".alerts.csv.")
        assert beside.name.endswith(".part")


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "alerts.csv")
    with whole(tmp_path / "link") as beside:
        beside.write_text("new")

    assert (tmp_path / "alerts.csv").read_text() == "new"
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", ["", "missing/alerts.csv", "n" * 300])
def test_where_no_file_can_be_a_person_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(OperatorError, match=r"is no file|cannot write"), whole(tmp_path / name):
        pytest.fail("there is nothing to write to")


def test_a_device_is_not_replaced() -> None:
    with pytest.raises(OperatorError, match="/dev/null is no file"), whole(Path("/dev/null")):
        pytest.fail("there is nothing to write to")
    assert not Path("/dev/null").is_file()
