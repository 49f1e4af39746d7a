"""Where a log is whose name changes with the time."""

import os
import re
from pathlib import Path

import pytest

from artemis_agent.place import LIST_SECONDS, Place, is_changing, names, newest
from tests.artemis_agent.follower import Clock


def test_most_names_do_not_change(tmp_path: Path) -> None:
    """A plain path is what it is, whether there is such a file or not."""
    path = tmp_path / "eve.json"

    assert not any(map(is_changing, ("eve.json", "alerts.json", "100%.json", "eve[1].json")))
    assert newest(path) == Place(path, Clock()).now() == path


@pytest.mark.parametrize(
    ("name", "taken", "others"),
    [
        (
            "eve-%Y-%m-%d-%H:%M.json",
            ["eve-2026-11-22-19:32.json"],
            ["eve-2026-11-22-19:32.1.json", "eve.json"],
        ),
        ("eve-%s.json", ["eve-1795375920.json"], ["eve-.json", "xeve-1.json"]),
        ("eve-%-d.1.json", ["eve-7.1.json"], ["eve-7.2.json", "eve-7x1xjson"]),
        ("eve-*.json", ["eve-1.json", "eve-2026-11-22-19:32.1.json"], ["eve-1.json.1", "fast-1.json"]),
    ],
)
def test_what_a_changing_name_may_be(name: str, taken: list[str], others: list[str]) -> None:
    pattern = re.compile(names(Path(name)))

    assert is_changing(name)
    assert all(pattern.fullmatch(each) for each in taken)
    assert not any(pattern.fullmatch(each) for each in others)


def test_the_newest_is_the_log_and_no_archive_is(tmp_path: Path) -> None:
    for age, name in enumerate(("eve-1.gz", "eve-2.xz", "eve-1", "eve-3", "eve-2")):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (100 - age, 100 - age))

    assert newest(tmp_path / "eve-*") == tmp_path / "eve-1"


def test_a_folder_is_listed_again_when_it_has_changed_or_after_a_while(tmp_path: Path) -> None:
    """A file that is made changes its folder; one that is there already and is written to again does not."""
    clock = Clock()
    place = Place(tmp_path / "eve-%H.json", clock)
    with pytest.raises(FileNotFoundError):
        place.now()
    for hour in (22, 23):
        (tmp_path / f"eve-{hour}.json").write_bytes(b"x")
        os.utime(tmp_path / f"eve-{hour}.json", (hour, hour))
    os.utime(tmp_path, (1, 1))
    assert place.now().name == "eve-23.json"

    os.utime(tmp_path / "eve-22.json", (50, 50))
    assert place.now().name == "eve-23.json"
    clock.now += LIST_SECONDS
    assert place.now().name == "eve-22.json"

    (tmp_path / "eve-22.json").unlink()
    os.utime(tmp_path, (2, 2))
    assert place.now().name == "eve-23.json"


def test_a_file_is_the_log_as_long_as_it_has_the_name(tmp_path: Path) -> None:
    log = tmp_path / "eve.json"
    log.touch()
    place, status = Place(log, Clock()), log.stat()
    assert place.leads_to(status.st_dev, status.st_ino)

    log.rename(tmp_path / "eve.json.1")
    assert not place.leads_to(status.st_dev, status.st_ino)
    log.touch()
    assert not place.leads_to(status.st_dev, status.st_ino)
