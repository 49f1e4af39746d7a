"""Whether a file is another one than it was."""

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
