"""What holds for the whole tree: no registry is named, the locks fit pyproject.toml, links lead somewhere."""

import os
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import REPOSITORY
from tests.packaging.tree import name, texts, tracked

# In two parts, so that this file does not name them.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry.npmjs", "org"),
        ("deb.debian", "org"),
        ("snapshot.debian", "org"),
        ("security.debian", "org"),
        ("archive.ubuntu", "com"),
        ("crates", "io"),
        ("proxy.golang", "org"),
        ("docker", "io"),
        ("ghcr", "io"),
        ("quay", "io"),
        ("rubygems", "org"),
        ("cache.nixos", "org"),
    )
]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
DEVELOPMENT, RUNTIME = "requirements.lock", "requirements-runtime.lock"


def locked(lock: str) -> dict[str, str]:
    """Return the version that a lock file has for each package."""
    pins = re.findall(r"^([\w.-]+)==([\w.+!]+)", (REPOSITORY / lock).read_text(), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in pins}


def wanted(*, development: bool) -> list[Requirement]:
    """Return what pyproject.toml asks for."""
    project = PROJECT["project"]
    texts = [
        *project["dependencies"],
        *(
            text
            for name, extra in project["optional-dependencies"].items()
            for text in extra
            if development or name != "parquet"  # a server does without
        ),
    ]
    if development:
        texts += PROJECT["dependency-groups"]["dev"]
    return [Requirement(text) for text in texts]


def test_no_file_names_a_registry() -> None:
    """Packages come from wherever this machine's own settings say."""
    pattern = re.compile("|".join(map(re.escape, REGISTRIES)))

    assert [
        f"{name(path)}: {found.group()}" for path, text in texts() if (found := pattern.search(text))
    ] == []


@pytest.mark.parametrize(("lock", "development"), [(DEVELOPMENT, True), (RUNTIME, False)])
def test_every_requirement_is_locked_at_a_version_that_fits(lock: str, *, development: bool) -> None:
    """Else run `make lock`."""
    pins = locked(lock)

    unfit = [
        str(each)
        for each in wanted(development=development)
        if (pin := pins.get(canonicalize_name(each.name))) is None or not each.specifier.contains(pin)
    ]

    assert unfit == []


def test_servers_run_the_versions_that_were_tested() -> None:
    development, runtime = locked(DEVELOPMENT), locked(RUNTIME)

    assert {
        package: version for package, version in runtime.items() if development.get(package) != version
    } == {}


def test_servers_get_no_tools() -> None:
    asked = {canonicalize_name(each.name) for each in wanted(development=False)}
    tools = {
        canonicalize_name(Requirement(text).name) for text in PROJECT["dependency-groups"]["dev"]
    } - asked

    assert tools & locked(RUNTIME).keys() == set()


@pytest.mark.parametrize("lock", [DEVELOPMENT, RUNTIME])
def test_every_locked_version_has_its_hashes(lock: str) -> None:
    pins = re.split(r"^(?=[\w.-]+==)", (REPOSITORY / lock).read_text(), flags=re.MULTILINE)

    assert [pin for pin in pins if pin.strip() and "--hash=sha256:" not in pin] == []


@pytest.mark.parametrize(
    "script", ["scripts/setup.sh", "scripts/lock.sh", "scripts/arm64.sh", "proto/generate.sh", ".ci/run"]
)
def test_scripts_are_runnable(script: str) -> None:
    path = REPOSITORY / script

    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/")


def test_top_level_folders_that_are_no_packages_stay_so() -> None:
    """An __init__.py in proto/ or systemd/ would shadow the packages of that name."""
    assert [
        folder
        for folder in ("proto", "systemd", "nix", "docs")
        if (REPOSITORY / folder / "__init__.py").exists()
    ] == []


def test_links_between_the_documents_lead_somewhere() -> None:
    def broken(path: Path, text: str) -> list[str]:
        links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
        return [link for link in links if ":" not in link and not (path.parent / link).exists()]

    assert {
        name(path): found for path, text in texts() if path.suffix == ".md" and (found := broken(path, text))
    } == {}


def test_nothing_is_left_for_later() -> None:
    later = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")))

    assert [name(path) for path, text in texts() if path.suffix != ".lock" and later.search(text)] == []


def test_files_that_a_machine_makes_are_not_in_the_repository() -> None:
    made = {".venv", ".proto-venv", "__pycache__", "build", "dist", "uv.lock", "pylock.toml"}

    assert [name(path) for path in tracked() if made.intersection(path.relative_to(REPOSITORY).parts)] == []
