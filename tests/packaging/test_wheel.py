"""Wheel and source archive are complete and nothing more, and the programs run from the wheel."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.packaging.tree import PACKAGES, name, tracked

pytestmark = pytest.mark.slow

PROGRAMS = {
    "artemis": "artemis_agent",
    "zeus": "zeus_hub",
    "hermes": "hermes_display",
    "socme": "socme",
}


def build(tree: Path, kind: str, target: Path) -> Path:
    """Build a tree into a wheel or a source archive."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    subprocess.run(command, cwd=tree, check=True, capture_output=True)
    (built,) = target.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(REPOSITORY, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the source archive."""
    folder = tmp_path_factory.mktemp("source")
    archive = build(REPOSITORY, "sdist", tmp_path_factory.mktemp("sdist"))
    subprocess.run(["tar", "-xzf", str(archive), "-C", str(folder)], check=True)
    (tree,) = folder.iterdir()
    return tree


def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {entry for entry in archive.namelist() if ".dist-info/" not in entry}


def test_the_wheel_has_every_file_of_the_four_packages_and_no_other(wheel: Path) -> None:
    """Code, generated stubs, SQL, migrations, the wall's static files, the demo's data."""
    ours = {name(path) for path in tracked() if path.relative_to(REPOSITORY).parts[0] in PACKAGES}

    assert contents(wheel) == ours


def test_the_source_archive_builds_the_same_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    assert contents(build(source, "wheel", tmp_path)) == contents(wheel)


def test_the_source_archive_has_no_file_that_only_this_tree_needs(source: Path) -> None:
    expected = {*PACKAGES, "proto", "nix", "systemd", "tests", "docs", "flake.nix"}
    files = {"CHANGELOG.md", "LICENSE", "README.md", "PKG-INFO", "pyproject.toml", ".gitignore"}

    assert {path.name for path in source.iterdir()} - expected - files == set()


def test_every_program_runs_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """Installed beside the dependencies only: nothing is found because this tree is near."""
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    dependencies = sysconfig.get_path("purelib")

    for program, package in PROGRAMS.items():
        # -S: no .pth file is read, so the editable installation of this tree is not found.
        path = f"import sys; sys.path[:0] = [{str(installed)!r}, {dependencies!r}]"
        start = f"sys.argv = [{program!r}, '--help']; from {package}.__main__ import main; main()"
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", f"{path}; {start}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert f"Usage: {program}" in done.stdout


def test_the_wheel_starts_the_four_programs_by_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (entry,) = [each for each in archive.namelist() if each.endswith("entry_points.txt")]
        scripts = archive.read(entry).decode()

    assert [
        program
        for program, package in PROGRAMS.items()
        if f"{program} = {package}.__main__:main" not in scripts
    ] == []
