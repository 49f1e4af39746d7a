"""Which files rotation may have made."""

import errno
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
        ("eve.json.1.gz", True),
        ("eve-20261122.json.gz", True),
        ("eve.json.1.xz", True),
        ("eve-20261122.json.zst", True),
        ("eve.json.gz", False),
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

    assert found == {"ossec-alerts-21.json", "ossec-alerts-21-001.json", "ossec-alerts-20.json.gz"}


def test_a_folder_that_is_missing_has_none(tmp_path: Path) -> None:
    assert siblings(tmp_path / "log" / "eve.json") == []


def test_what_hinders_and_may_pass_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_path: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "scandir", fails)

    with pytest.raises(OSError, match="Too many"):
        siblings(tmp_path / "eve.json")


def test_a_file_of_a_known_inode_counts_under_any_name(tmp_path: Path) -> None:
    (tmp_path / "moved-away").touch()
    inode = (tmp_path / "moved-away").stat().st_ino
    (sibling,) = siblings(tmp_path / "eve.json", inodes={inode})

    assert (sibling.path.name, sibling.rotated) == ("moved-away", False)


def test_where_a_link_once_led_to_is_looked_at_too(tmp_path: Path) -> None:
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "eve.json").touch()
    (tmp_path / "eve.json").symlink_to(tmp_path / "new" / "eve.json")
    (tmp_path / "old" / "eve.json.1").touch()
    found = {each.path for each in siblings(tmp_path / "eve.json", target=str(tmp_path / "old" / "eve.json"))}

    assert found == {tmp_path / "old" / "eve.json", tmp_path / "old" / "eve.json.1"}


def test_a_fingerprint_changes_with_the_file_and_not_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "eve.json.1"
    path.write_bytes(b"1\n")
    (before,) = siblings(tmp_path / "eve.json")
    path.rename(path.with_name("eve.json.2"))
    (renamed,) = siblings(tmp_path / "eve.json")
    with path.with_name("eve.json.2").open("ab") as file:
        file.write(b"2\n")
    (grown,) = siblings(tmp_path / "eve.json")

    assert before.fingerprint == renamed.fingerprint != grown.fingerprint


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
