"""Which files rotation may have made."""

import os
from pathlib import Path

import pytest

from artemis_agent.siblings import siblings


@pytest.mark.parametrize(
    ("name", "rotated"),
    [
        ("eve.json.1", True),
        ("eve.json-20261122", True),
        ("eve.json-20261122-1763850000", True),
        ("eve-20261122.json", True),
        ("eve.json.old", False),
        ("eve.json.1.gz", False),
        ("eve.1.json", False),
    ],
)
def test_names_of_rotation(tmp_path: Path, name: str, *, rotated: bool) -> None:
    """eve.1.json is a live file where Suricata writes with many threads."""
    (tmp_path / name).touch()
    (sibling,) = siblings(tmp_path / "eve.json")

    assert (sibling.path.name, sibling.rotated) == (name, rotated)


def test_the_file_itself_other_names_folders_and_links_are_none(tmp_path: Path) -> None:
    for name in ("eve.json", "fast.log", "stats.log"):
        (tmp_path / name).touch()
    (tmp_path / "eve.json.d").mkdir()
    (tmp_path / "eve.json.2").symlink_to(tmp_path / "eve.json")

    assert siblings(tmp_path / "eve.json") == []


def test_the_newest_comes_first(tmp_path: Path) -> None:
    for age, name in enumerate(("eve.json.1", "eve.json.3", "eve.json.2")):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (100 - age, 100 - age))

    assert [sibling.path.name for sibling in siblings(tmp_path / "eve.json")] == [
        "eve.json.1",
        "eve.json.3",
        "eve.json.2",
    ]


def test_wazuh_keeps_its_days_in_folders_of_months(tmp_path: Path) -> None:
    month = tmp_path / "2026" / "Nov"
    month.mkdir(parents=True)
    for name in (
        "ossec-alerts-21.json",
        "ossec-alerts-21-001.json",
        "ossec-alerts-21.log",
        "ossec-alerts-20.json.gz",
    ):
        (month / name).touch()

    found = {sibling.path.name for sibling in siblings(tmp_path / "alerts.json") if sibling.rotated}

    assert found == {"ossec-alerts-21.json", "ossec-alerts-21-001.json"}


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        siblings(tmp_path / "log" / "eve.json")


def test_a_link_is_followed_to_where_the_file_rotates(tmp_path: Path) -> None:
    """Files beside the link count as well: what it leads to may have changed."""
    for folder in ("log", "data"):
        (tmp_path / folder).mkdir()
    (tmp_path / "log" / "eve.json").symlink_to(tmp_path / "data" / "suricata.json")
    for rotated in (tmp_path / "data" / "suricata.json.1", tmp_path / "log" / "eve.json.1"):
        rotated.touch()

    found = {sibling.path for sibling in siblings(tmp_path / "log" / "eve.json")}

    assert found == {tmp_path / "data" / "suricata.json.1", tmp_path / "log" / "eve.json.1"}


def test_a_linked_folder_is_looked_at_once(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "eve.json.1").touch()
    (tmp_path / "log").symlink_to(tmp_path / "data")

    assert len(siblings(tmp_path / "log" / "eve.json")) == 1
