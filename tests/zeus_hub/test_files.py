"""Whether a file is another one than it was."""

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from zeus_hub import files
from zeus_hub.routes.rules import Place, Receiver


def write(path: Path) -> None:
    path.write_text("second")


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write("\n")


def replace(path: Path) -> None:
    """Put another one of the same length and age in its place."""
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    other = path.with_suffix(".new")
    other.write_text("other")
    os.utime(other, ns=times)
    other.rename(path)


def let_read(path: Path) -> None:
    path.chmod(0o640)


@pytest.mark.parametrize("change", [write, append, replace, let_read, Path.unlink])
def test_whatever_is_done_to_a_file_is_seen(tmp_path: Path, change: Callable[[Path], object]) -> None:
    path = tmp_path / "key"
    path.write_text("first")
    path.chmod(0o600)
    before = files.marks([path])
    assert files.marks([path]) == before

    change(path)
    assert files.marks([path]) != before


def test_a_file_that_is_not_there_or_cannot_be_is_nothing(tmp_path: Path) -> None:
    paths = [tmp_path / "none", tmp_path / "nul\0", tmp_path / ("long" * 1000)]

    assert files.marks(paths) == dict.fromkeys(paths)
    assert list(files.inside(tmp_path / "none")) == []


def test_a_receiver_names_its_secrets_beside_the_rules_or_elsewhere() -> None:
    options = {"key_file": "key", "ca_file": "/etc/ca.pem", "url": "https://x", "to": ["a"], "odd_file": 3}
    receiver = Receiver("hive", "thehive", options, Place(Path("/routes.d/rules.toml"), 1))

    assert list(files.named(receiver)) == [Path("/routes.d/key"), Path("/etc/ca.pem")]


def test_a_receiver_is_made_of_its_templates(tmp_path: Path) -> None:
    words = tmp_path / "words"
    (words / "fr").mkdir(parents=True)
    short = words / "fr" / "short.txt"
    short.write_text("first")
    receiver = Receiver("mail", "mail", {"templates": "words"}, Place(tmp_path / "rules.toml", 1))

    def looked() -> files.Marks:
        return files.marks(files.named(receiver))

    seen = [looked()]
    for change in (
        lambda: write(short),
        lambda: (words / "fr" / "notice.txt").write_text("new"),
        (words / "en").mkdir,
        short.unlink,
    ):
        change()
        seen.append(looked())

    assert all(before != after for before, after in itertools.pairwise(seen))
    assert looked() == seen[-1]


def test_of_a_folder_that_can_hardly_be_meant_not_everything_is_looked_at() -> None:
    receiver = Receiver("mail", "mail", {"templates": "/usr/lib"}, Place(Path("/routes.d/rules.toml"), 1))

    assert len(list(files.named(receiver))) == files.MOST_TEMPLATES
